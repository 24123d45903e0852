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

/// The text of a GUID.
pub(crate) fn text(id: Uuid) -> [u8; LENGTH] {
    let mut text = [b'-'; LENGTH];
    put(id, &mut text);
    text
}

/// Puts the digits of a GUID over those of another one's text. Byte by byte from a table: a sixth of the
/// library's steps, and an answer of many presences takes it as often.
pub(crate) fn put(id: Uuid, text: &mut [u8; LENGTH]) {
    for (byte, place) in id.as_bytes().iter().zip(PLACES) {
        text[place..place + 2].copy_from_slice(&DIGITS[usize::from(*byte)]);
    }
}

/// The GUID of a text in the form 8-4-4-4-12, in any case. The library takes other forms, too, which Graph does not.
pub(crate) fn parse(text: &str) -> Option<Uuid> {
    decode(text.as_bytes().try_into().ok()?)
}

/// The same of a text of that length, which need not be ASCII. It stays in registers until it is whole: the
/// library's way has to wait, for each id of a bulk read, until single bytes can be read again as the words
/// that they make up.
pub(crate) fn decode(text: &[u8; LENGTH]) -> Option<Uuid> {
    let eight = |place: usize| Some(u64::from_le_bytes(*text[place..].first_chunk()?));
    let four = |place: usize| Some(u64::from(u32::from_le_bytes(*text[place..].first_chunk()?)));
    if [8, 13, 18, 23].into_iter().any(|place| text[place] != b'-') {
        return None;
    }
    let groups = [eight(0)?, four(9)? | four(14)? << 32, four(19)? | four(24)? << 32, eight(28)?];
    let mut id = 0_u128;
    for (digits, place) in groups.into_iter().zip([0, 32, 64, 96]) {
        id |= u128::from(four_bytes(digits)?) << place;
    }
    Some(Uuid::from_bytes(id.to_le_bytes()))
}

/// The four bytes that eight digits stand for, the first one lowest in both; `None` if one is no digit.
fn four_bytes(digits: u64) -> Option<u32> {
    let each = |byte: u8| u64::from(byte) * 0x0101_0101_0101_0101;
    // The top bit of each byte that is at least so large; of those below 0x80, and no digit is another.
    let reaching = |texts: u64, least: u8| texts.wrapping_add(each(0x80 - least));
    let lower = digits | each(0x20);
    let numbers = reaching(digits, b'0') ^ reaching(digits, b'9' + 1);
    let letters = reaching(lower, b'a') ^ reaching(lower, b'f' + 1);
    if (numbers | letters) & !digits & each(0x80) != each(0x80) {
        return None;
    }
    // Only letters have the bit 0x40.
    let values = (digits & each(0x0f)) + (digits >> 6 & each(1)) * 9;
    let bytes = (values << 4 | values >> 8) & 0x00ff_00ff_00ff_00ff;
    let pairs = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    Some((pairs | pairs >> 16) as u32)
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

        #[test]
        fn a_text_with_another_byte_in_it_is_what_the_library_says(
            id in any::<u128>(),
            upper in any::<bool>(),
            place in 0..LENGTH,
            byte in any::<u8>(),
        ) {
            let mut text = text(Uuid::from_u128(id));
            if upper {
                text.make_ascii_uppercase();
            }
            text[place] = byte;
            prop_assert_eq!(decode(&text), Uuid::try_parse_ascii(&text).ok());
        }
    }
}
