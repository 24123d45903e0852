//! How a log stores an entry under its key. The embedded one does so as below; one in JetStream, whose messages have
//! revisions of their own, without the revision.
//!
//! | bytes | version 1 |
//! |---|---|
//! | 1 | version, 1 |
//! | 8 | revision, little endian |
//! | 1 | 0 for a live value, 1 for a tombstone |
//! | rest | the value; of a tombstone the instant in Unix milliseconds, 8 bytes, little endian |
//!
//! A new layout gets a new version and a branch in [`decode`]; every released one stays readable. A record of a
//! version that is not known is an error, never skipped: skipping would lose it at the next write.

use bytes::Bytes;

use crate::{Revision, Value};

/// The version that is written, and the newest that is read.
const VERSION: u8 = 1;

const LIVE: u8 = 0;
const TOMBSTONE: u8 = 1;

/// Why a stored record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A newer program wrote it.
    #[error("it has version {found}, and this program reads none newer than {known}")]
    UnknownVersion {
        /// The version that it says it has.
        found: u8,
        /// The newest version that this program reads.
        known: u8,
    },
    /// It is neither a live value nor a tombstone.
    #[error("it is of the unknown kind {found}")]
    UnknownKind {
        /// The kind that it says it is of.
        found: u8,
    },
    /// It has not as many bytes as its version and kind ask for.
    #[error("it has a wrong length, {bytes} bytes")]
    WrongLength {
        /// The bytes that it has.
        bytes: usize,
    },
    /// Its key is not UTF-8.
    #[error("its key is not UTF-8")]
    KeyNotText,
}

impl RecordError {
    /// The error for a version that is not known.
    pub(crate) fn unknown_version(found: u8) -> RecordError {
        RecordError::UnknownVersion { found, known: VERSION }
    }
}

/// Makes `stored` the bytes to store for this value of this revision; what was in it is gone.
pub fn encode(revision: Revision, value: &Value, stored: &mut Vec<u8>) {
    stored.clear();
    stored.push(VERSION);
    stored.extend_from_slice(&revision.0.to_le_bytes());
    push_value(value, stored);
}

/// The revision and the value in these stored bytes.
///
/// # Errors
///
/// What is wrong with them.
pub fn decode(stored: &[u8]) -> Result<(Revision, Value), RecordError> {
    let wrong_length = RecordError::WrongLength { bytes: stored.len() };
    let rest = after_version(stored)?;
    let (revision, rest) = rest.split_first_chunk::<8>().ok_or(wrong_length)?;
    Ok((Revision(u64::from_le_bytes(*revision)), value(rest, stored.len())?))
}

/// The bytes to store for this value where something else keeps its revision: the version, the kind and the rest.
pub(crate) fn encode_value(value: &Value) -> Vec<u8> {
    let mut stored = vec![VERSION];
    push_value(value, &mut stored);
    stored
}

/// The value in these stored bytes without a revision.
pub(crate) fn decode_value(stored: &[u8]) -> Result<Value, RecordError> {
    value(after_version(stored)?, stored.len())
}

fn push_value(value: &Value, stored: &mut Vec<u8>) {
    match value {
        Value::Live(bytes) => {
            stored.push(LIVE);
            stored.extend_from_slice(bytes);
        }
        Value::Tombstone { at } => {
            stored.push(TOMBSTONE);
            stored.extend_from_slice(&at.to_le_bytes());
        }
    }
}

fn after_version(stored: &[u8]) -> Result<&[u8], RecordError> {
    let wrong_length = RecordError::WrongLength { bytes: stored.len() };
    let (&version, rest) = stored.split_first().ok_or(wrong_length)?;
    if version == VERSION { Ok(rest) } else { Err(RecordError::unknown_version(version)) }
}

/// The value behind its kind; `bytes` in all were stored.
fn value(stored: &[u8], bytes: usize) -> Result<Value, RecordError> {
    let wrong_length = RecordError::WrongLength { bytes };
    let (&kind, payload) = stored.split_first().ok_or(wrong_length)?;
    match kind {
        // A copy: a slice would keep alive the block, many records long, that it was read from.
        LIVE => Ok(Value::Live(Bytes::copy_from_slice(payload))),
        TOMBSTONE => {
            let at: [u8; 8] = payload.try_into().map_err(|_| wrong_length)?;
            Ok(Value::Tombstone { at: i64::from_le_bytes(at) })
        }
        found => Err(RecordError::UnknownKind { found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A live value as version 1 wrote it: it must load for ever.
    const LIVE_1: &[u8] = &[1, 0x2a, 1, 0, 0, 0, 0, 0, 0, 0, b'h', b'e', b'l', b'l', b'o'];

    /// A tombstone as version 1 wrote it.
    const TOMBSTONE_1: &[u8] = &[1, 0x07, 0, 0, 0, 0, 0, 0, 0, 1, 0x00, 0x68, 0xe5, 0xcf, 0x8b, 0x01, 0, 0];

    #[test]
    fn records_of_version_1_still_load() {
        let live = Value::Live(Bytes::from_static(b"hello"));
        assert_eq!(decode(LIVE_1), Ok((Revision(298), live)));
        let tombstone = Value::Tombstone { at: 1_700_000_000_000 };
        assert_eq!(decode(TOMBSTONE_1), Ok((Revision(7), tombstone)));
    }

    #[test]
    fn version_1_is_what_is_written() {
        let mut stored = Vec::new();
        encode(Revision(298), &Value::Live(Bytes::from_static(b"hello")), &mut stored);
        assert_eq!(stored, LIVE_1);
        encode(Revision(7), &Value::Tombstone { at: 1_700_000_000_000 }, &mut stored);
        assert_eq!(stored, TOMBSTONE_1);
    }

    #[test]
    fn empty_value_and_negative_instant_come_back() {
        for value in [Value::Live(Bytes::new()), Value::Tombstone { at: -1 }] {
            let mut stored = Vec::new();
            encode(Revision(u64::MAX), &value, &mut stored);
            assert_eq!(decode(&stored), Ok((Revision(u64::MAX), value)));
        }
    }

    #[test]
    fn newer_version_is_refused_by_name() {
        let refusal = decode(&[9, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap_err();
        assert_eq!(refusal, RecordError::UnknownVersion { found: 9, known: 1 });
        assert!(refusal.to_string().contains("version 9"));
    }

    #[test]
    fn shortened_and_unknown_records_are_refused() {
        for length in 0..10 {
            assert_eq!(decode(&LIVE_1[..length]), Err(RecordError::WrongLength { bytes: length }));
        }
        assert_eq!(decode(&TOMBSTONE_1[..17]), Err(RecordError::WrongLength { bytes: 17 }));
        assert_eq!(decode(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 5]), Err(RecordError::UnknownKind { found: 5 }));
    }
}
