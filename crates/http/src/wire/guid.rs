//! A GUID on the wire: 8-4-4-4-12, in lower case.

use uuid::Uuid;

/// Characters of a GUID.
pub(crate) const LENGTH: usize = 36;

/// The two digits of every byte.
const DIGITS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    pairs
};

/// Where the digits of each byte stand.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The text of a GUID, byte by byte from a table: a sixth of the library's steps, and a bulk read takes it 650 times.
pub(crate) fn text(id: Uuid) -> [u8; LENGTH] {
    let mut text = [b'-'; LENGTH];
    for (byte, place) in id.as_bytes().iter().zip(PLACES) {
        text[place..place + 2].copy_from_slice(&DIGITS[usize::from(*byte)]);
    }
    text
}

/// The GUID of a text in the form 8-4-4-4-12, in any case. The library takes other forms, too, which Graph does not.
pub(crate) fn parse(text: &str) -> Option<Uuid> {
    (text.len() == LENGTH).then(|| Uuid::try_parse(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_text_is_the_librarys(id in any::<u128>()) {
            let id = Uuid::from_u128(id);
            prop_assert_eq!(text(id).to_vec(), id.hyphenated().to_string().into_bytes());
            prop_assert_eq!(parse(&id.hyphenated().to_string().to_uppercase()), Some(id));
            for other in [id.simple().to_string(), id.braced().to_string(), id.urn().to_string()] {
                prop_assert_eq!(parse(&other), None);
            }
        }
    }
}
