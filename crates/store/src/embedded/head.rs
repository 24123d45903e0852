//! What the log holds in all, kept beside the entries so that a hole among them shows.
//!
//! Every batch writes the head together with its entries, and the storage engine applies a batch whole or not at
//! all. So after opening, the entries must add up to exactly what the head says: an entry that is gone, an older
//! value that came back or a key too many changes the count or the digest.
//!
//! | bytes | version 1 |
//! |---|---|
//! | 1 | version, 1 |
//! | 8 | the highest revision ever given out, little endian; it survives the purge of the entry that had it |
//! | 8 | number of keys, tombstones included, little endian |
//! | 8 | digest, little endian: XOR over all keys of XXH3-64 of the key, seeded with its revision |

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{Key, RecordError, Revision};

const VERSION: u8 = 1;

/// Length of an encoded head, in bytes.
pub(super) const HEAD_BYTES: usize = 25;

/// What the log holds in all, and the highest revision that it gave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) revision: Revision,
    pub(super) contents: Contents,
}

/// The number of keys and a digest of their revisions: the same for the same entries, in whatever order they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) keys: u64,
    digest: u64,
}

impl Head {
    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut stored = [VERSION; HEAD_BYTES];
        stored[1..9].copy_from_slice(&self.revision.0.to_le_bytes());
        stored[9..17].copy_from_slice(&self.contents.keys.to_le_bytes());
        stored[17..].copy_from_slice(&self.contents.digest.to_le_bytes());
        stored
    }

    pub(super) fn decode(stored: &[u8]) -> Result<Head, RecordError> {
        match stored.first() {
            Some(&VERSION) => {}
            Some(&found) => return Err(RecordError::unknown_version(found)),
            None => return Err(RecordError::WrongLength { bytes: 0 }),
        }
        let stored: &[u8; HEAD_BYTES] =
            stored.try_into().map_err(|_| RecordError::WrongLength { bytes: stored.len() })?;
        let number = |at: usize| {
            let bytes =
                stored[at..].first_chunk().expect("a head has three numbers of 8 bytes after its version");
            u64::from_le_bytes(*bytes)
        };
        let contents = Contents { keys: number(9), digest: number(17) };
        Ok(Head { revision: Revision(number(1)), contents })
    }
}

impl Contents {
    /// Counts an entry in.
    pub(super) fn add(&mut self, key: &Key, revision: Revision) {
        self.keys = self.keys.wrapping_add(1);
        self.digest ^= digest(key, revision);
    }

    /// Counts an entry out.
    pub(super) fn remove(&mut self, key: &Key, revision: Revision) {
        self.keys = self.keys.wrapping_sub(1);
        self.digest ^= digest(key, revision);
    }

    /// Puts the entry of this revision in the place of the one before, if there was one.
    pub(super) fn replace(&mut self, key: &Key, before: Revision, revision: Revision) {
        if before != Revision::NONE {
            self.remove(key, before);
        }
        self.add(key, revision);
    }

    /// Counts in the entries of other keys.
    pub(super) fn merge(&mut self, other: Contents) {
        self.keys = self.keys.wrapping_add(other.keys);
        self.digest ^= other.digest;
    }
}

fn digest(key: &Key, revision: Revision) -> u64 {
    xxh3_64_with_seed(key.as_str().as_bytes(), revision.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_of_version_1_still_loads() {
        let stored = [1, 7, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1];
        let contents = Contents { keys: 258, digest: 0x0102_0304_0506_0708 };
        let head = Head { revision: Revision(7), contents };
        assert_eq!(Head::decode(&stored), Ok(head));
        assert_eq!(head.encode(), stored);
    }

    #[test]
    fn newer_and_shortened_heads_are_refused() {
        assert_eq!(Head::decode(&[2; HEAD_BYTES]), Err(RecordError::UnknownVersion { found: 2, known: 1 }));
        assert_eq!(Head::decode(&[1; 24]), Err(RecordError::WrongLength { bytes: 24 }));
        assert_eq!(Head::decode(&[]), Err(RecordError::WrongLength { bytes: 0 }));
    }

    #[test]
    fn contents_depend_on_entries_and_not_on_their_way() {
        let (a, b) = (Key::new("a"), Key::new("b"));
        let mut straight = Contents::default();
        straight.add(&b, Revision(2));
        straight.add(&a, Revision(3));

        let mut roundabout = Contents::default();
        roundabout.replace(&a, Revision::NONE, Revision(1));
        roundabout.replace(&b, Revision::NONE, Revision(2));
        roundabout.replace(&a, Revision(1), Revision(3));
        assert_eq!(roundabout, straight);

        let mut older = Contents::default();
        older.add(&a, Revision(1));
        older.add(&b, Revision(2));
        assert_ne!(older, straight);

        straight.remove(&a, Revision(3));
        straight.remove(&b, Revision(2));
        assert_eq!(straight, Contents::default());
    }
}
