//! The batches that a journal consists of, in bytes: a length, a checksum, and the entries.

use bytes::Bytes;
use porchlight_store::{Entry, Key, Revision, Value};
use rapidhash::v3::rapidhash_v3;

/// Bytes before the entries of a batch: their length and their checksum.
const HEAD: usize = 12;

/// A batch of these entries.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut body = Vec::new();
    for Entry { key, revision, value, .. } in entries {
        put(&mut body, key.as_str().as_bytes());
        body.extend_from_slice(&revision.0.to_le_bytes());
        match value {
            Value::Live(bytes) => {
                body.push(1);
                put(&mut body, bytes);
            }
            Value::Tombstone { at } => {
                body.push(0);
                body.extend_from_slice(&at.to_le_bytes());
            }
        }
    }
    let mut batch = Vec::with_capacity(HEAD + body.len());
    batch.extend_from_slice(&length(&body));
    batch.extend_from_slice(&rapidhash_v3(&body).to_le_bytes());
    batch.append(&mut body);
    batch
}

/// The entries of all whole batches from the beginning of a file, and how many bytes they take. What comes behind was
/// not written to its end.
pub(crate) fn decode_all(file: &[u8]) -> (Vec<Entry>, usize) {
    let (mut entries, mut at) = (Vec::new(), 0);
    while let Some((mut batch, bytes)) = decode(&file[at..]) {
        entries.append(&mut batch);
        at += bytes;
    }
    (entries, at)
}

fn decode(file: &[u8]) -> Option<(Vec<Entry>, usize)> {
    let mut reader = Reader(file);
    let bytes = reader.length()?;
    let checksum = u64::from_le_bytes(reader.array()?);
    let body = reader.take(bytes)?;
    // Zeros are no batch: nobody writes one without entries.
    if body.is_empty() || rapidhash_v3(body) != checksum {
        return None;
    }
    let (mut reader, mut entries) = (Reader(body), Vec::new());
    while !reader.0.is_empty() {
        let key = reader.length().and_then(|length| reader.take(length))?;
        let key = Key::new(str::from_utf8(key).ok()?);
        let revision = Revision(u64::from_le_bytes(reader.array()?));
        let value = match reader.array::<1>()? {
            [1] => {
                let length = reader.length()?;
                Value::Live(Bytes::copy_from_slice(reader.take(length)?))
            }
            _ => Value::Tombstone { at: i64::from_le_bytes(reader.array()?) },
        };
        entries.push(Entry { key, revision, written: revision, value });
    }
    Some((entries, HEAD + bytes))
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("a batch is less than four gibibytes").to_le_bytes()
}

fn put(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend_from_slice(&length(bytes));
    body.extend_from_slice(bytes);
}

/// What is still to be read.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn length(&mut self) -> Option<usize> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_batches_are_read_back_and_a_torn_one_is_not() {
        let entry = |number: u64, value| Entry {
            key: Key::new(format!("test/{number}")),
            revision: Revision(number),
            written: Revision(number),
            value,
        };
        let first = [entry(1, Value::Live(Bytes::from("one"))), entry(2, Value::Tombstone { at: 7 })];
        let second = [entry(3, Value::Live(Bytes::from("three")))];
        let whole = [encode(&first), encode(&second)].concat();
        assert_eq!(decode_all(&whole), ([&first[..], &second[..]].concat(), whole.len()));
        let (head, _) = whole.split_at(encode(&first).len());
        for torn in head.len()..whole.len() {
            assert_eq!(decode_all(&whole[..torn]), (first.to_vec(), head.len()));
        }
        let zeros = [head, &[0; 100]].concat();
        assert_eq!(decode_all(&zeros), (first.to_vec(), head.len()));
    }
}
