//! What a token is remembered under.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Stands for one token, in this process alone: 128 bits that nobody can tell without the process's key, and that
/// do not tell the token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint(u128);

/// Takes the fingerprints of tokens.
///
/// They are GMAC under a random key: a polynomial over every byte of the token, at a secret point, for which a
/// processor needs a fraction of what SHA-256 takes. Two tokens of 8 KiB, whoever chose them without the key, have the
/// same one with a probability of 2^-118 at most. It is no digest: with the key one could make a token to a given
/// fingerprint, so neither ever leaves the process.
pub(super) struct Fingerprints(LessSafeKey);

impl Fingerprints {
    /// Fingerprints under a new key.
    pub(super) fn new() -> Fingerprints {
        let mut key = [0; 16];
        getrandom::fill(&mut key).expect("the system has random numbers");
        Fingerprints(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("its keys have 16 bytes")))
    }

    /// The fingerprint of a token.
    pub(super) fn of(&self, token: &[u8]) -> Fingerprint {
        // One nonce for all, so that the same token has the same fingerprint again. That this gives the key away is
        // true only for whoever sees what comes out, and nobody does.
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(token), &mut []);
        let tag = tag.expect("a token is far shorter than what one tag can be for");
        Fingerprint(u128::from_ne_bytes(tag.as_ref().try_into().expect("a tag has 16 bytes")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_byte_of_a_token_and_its_length_make_its_fingerprint() {
        let fingerprints = Fingerprints::new();
        for length in [0, 1, 15, 16, 17, 1_441, 8_192] {
            let token = vec![b'a'; length];
            let mut seen = HashSet::from([fingerprints.of(&token)]);
            assert!(seen.contains(&fingerprints.of(&token)), "the same again, of {length}");
            for place in 0..length {
                let mut other = token.clone();
                other[place] ^= 1;
                assert!(seen.insert(fingerprints.of(&other)), "byte {place} of {length}");
            }
            let longer = [&token[..], b"\0"].concat();
            assert!(seen.insert(fingerprints.of(&longer)), "one more than {length}");
        }
    }

    #[test]
    fn another_process_takes_other_fingerprints() {
        let token = b"a.b.c";
        assert!(Fingerprints::new().of(token) != Fingerprints::new().of(token));
    }
}
