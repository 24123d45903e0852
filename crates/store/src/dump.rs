//! What a log holds, as a file that any log can be filled from: for backups, and to move from one kind of log to another.
//!
//! | bytes | version 1 |
//! |---|---|
//! | 16 | `porchlight-dump` and a line feed |
//! | 1 | version, 1 |
//! | | for every key, in the order of the keys' bytes: |
//! | 4 | length of the key, 1 to 1,024 |
//! | | the key, in UTF-8 |
//! | 1 | 0 for a live value, 1 for a tombstone |
//! | 4 | length of the value |
//! | | the value; of a tombstone the instant in Unix milliseconds, 8 bytes |
//! | | and at the end: |
//! | 4 | 0, where another key's length would stand |
//! | 8 | how many keys there are |
//! | 16 | XXH3-128 of everything before |
//!
//! Numbers are little endian. There is no time in it, no revision and no identity of a log: two dumps of the same content
//! have the same bytes. A new layout gets a new version and a branch in [`read`]; every released one stays readable.

use std::collections::BTreeMap;
use std::io::{self, BufReader, BufWriter, Read, Write};

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use crate::{Key, Value};

const MAGIC: &[u8; 16] = b"porchlight-dump\n";

/// The version that is written, and the newest that is read.
const VERSION: u8 = 1;

const LIVE: u8 = 0;
const TOMBSTONE: u8 = 1;

/// Why a dump cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// It is something else.
    #[error("it is no dump of porchlight")]
    Foreign,
    /// A newer program wrote it.
    #[error(
        "it has version {found}, and this program reads none newer than {known}; use a newer one",
        known = VERSION
    )]
    UnknownVersion {
        /// The version that it says it has.
        found: u8,
    },
    /// It ends before its end mark.
    #[error("it is torn: its end is missing")]
    Torn,
    /// It is not as it was written.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// It could not be read.
    #[error(transparent)]
    Io(io::Error),
}

/// Writes a dump of these entries.
///
/// # Errors
///
/// What the system says. Values of 4 GiB or more, which no log takes, are refused too.
pub fn write(entries: &BTreeMap<Key, Value>, out: impl Write) -> io::Result<()> {
    let mut out = Digested::new(BufWriter::new(out));
    out.write_all(MAGIC)?;
    out.write_all(&[VERSION])?;
    for (key, value) in entries {
        out.write_sized(key.as_str().as_bytes())?;
        match value {
            Value::Live(bytes) => {
                out.write_all(&[LIVE])?;
                out.write_sized(bytes)?;
            }
            Value::Tombstone { at } => {
                out.write_all(&[TOMBSTONE])?;
                out.write_sized(&at.to_le_bytes())?;
            }
        }
    }
    out.write_all(&0_u32.to_le_bytes())?;
    out.write_all(&(entries.len() as u64).to_le_bytes())?;
    let digest = out.digest.digest128();
    out.inner.write_all(&digest.to_le_bytes())?;
    out.inner.flush()
}

/// Reads a dump whole: what it holds, in the order of the keys.
///
/// # Errors
///
/// See [`DumpError`]. Nothing of a dump that is not whole is handed on.
pub fn read(input: impl Read) -> Result<Vec<(Key, Value)>, DumpError> {
    let mut input = Digested::new(BufReader::new(input));
    input.read_head()?;
    let mut entries: Vec<(Key, Value)> = Vec::new();
    while let Some(key) = input.read_key()? {
        if entries.last().is_some_and(|(last, _)| *last >= key) {
            return Err(DumpError::Damaged("its keys are not in order"));
        }
        let value = input.read_value()?;
        entries.push((key, value));
    }
    input.read_end(entries.len() as u64)?;
    Ok(entries)
}

/// A file with the digest of what has gone through.
struct Digested<F> {
    inner: F,
    digest: Xxh3,
}

impl<F> Digested<F> {
    fn new(inner: F) -> Digested<F> {
        Digested { inner, digest: Xxh3::new() }
    }
}

impl<F: Write> Digested<F> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.inner.write_all(bytes)
    }

    /// Writes the length of these bytes, and the bytes.
    fn write_sized(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.write_all(&length.to_le_bytes())?;
        self.write_all(bytes)
    }
}

impl<F: Read> Digested<F> {
    fn read_head(&mut self) -> Result<(), DumpError> {
        match self.read_array::<16>() {
            Ok(magic) if magic == *MAGIC => {}
            // Whatever is shorter than that is no dump either.
            Ok(_) | Err(DumpError::Torn) => return Err(DumpError::Foreign),
            Err(error) => return Err(error),
        }
        match self.read_array::<1>()? {
            [VERSION] => Ok(()),
            [found] => Err(DumpError::UnknownVersion { found }),
        }
    }

    /// The next key; `None` at the end mark.
    fn read_key(&mut self) -> Result<Option<Key>, DumpError> {
        let length = self.read_length()?;
        if length == 0 {
            return Ok(None);
        }
        if length > Key::BYTES_MAX {
            return Err(DumpError::Damaged("a key is too long"));
        }
        let key = String::from_utf8(self.read_bytes(length)?);
        key.map(|key| Some(Key::new(key))).map_err(|_| DumpError::Damaged("a key is not UTF-8"))
    }

    fn read_value(&mut self) -> Result<Value, DumpError> {
        let [kind] = self.read_array::<1>()?;
        let length = self.read_length()?;
        match kind {
            LIVE => Ok(Value::Live(Bytes::from(self.read_bytes(length)?))),
            TOMBSTONE if length == 8 => Ok(Value::Tombstone { at: i64::from_le_bytes(self.read_array()?) }),
            TOMBSTONE => Err(DumpError::Damaged("a tombstone has a wrong length")),
            _ => Err(DumpError::Damaged("an entry is of an unknown kind")),
        }
    }

    /// Checks what follows the end mark.
    fn read_end(&mut self, keys: u64) -> Result<(), DumpError> {
        let count = u64::from_le_bytes(self.read_array()?);
        let expected = self.digest.digest128();
        let digest = u128::from_le_bytes(self.read_array()?);
        if count != keys || digest != expected {
            return Err(DumpError::Damaged("its digest is another one"));
        }
        match self.inner.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(DumpError::Damaged("something follows its end")),
            Err(cause) => Err(DumpError::Io(cause)),
        }
    }

    fn read_length(&mut self) -> Result<usize, DumpError> {
        Ok(u32::from_le_bytes(self.read_array()?) as usize)
    }

    fn read_array<const N: usize>(&mut self) -> Result<[u8; N], DumpError> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => DumpError::Torn,
            _ => DumpError::Io(cause),
        })?;
        self.digest.update(&bytes);
        Ok(bytes)
    }

    /// The next bytes, as many as are there at most: a damaged length makes no room for what does not come.
    fn read_bytes(&mut self, length: usize) -> Result<Vec<u8>, DumpError> {
        let mut bytes = Vec::new();
        self.inner.by_ref().take(length as u64).read_to_end(&mut bytes).map_err(DumpError::Io)?;
        if bytes.len() < length {
            return Err(DumpError::Torn);
        }
        bytes.shrink_to_fit();
        self.digest.update(&bytes);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dump as version 1 was written: it must load for ever.
    const DUMP_1: &[u8] = b"porchlight-dump\n\x01\
        \x03\0\0\0a/b\0\x05\0\0\0hello\
        \x03\0\0\0a/c\x01\x08\0\0\0\0\x68\xe5\xcf\x8b\x01\0\0\
        \0\0\0\0\x02\0\0\0\0\0\0\0\
        \x9d\x29\xf7\x9e\xa3\x1f\xce\xde\x52\xa3\xdb\x63\x64\x20\xc5\xa3";

    fn entries() -> BTreeMap<Key, Value> {
        [
            (Key::new("a/b"), Value::Live(Bytes::from_static(b"hello"))),
            (Key::new("a/c"), Value::Tombstone { at: 1_700_000_000_000 }),
        ]
        .into()
    }

    fn written(entries: &BTreeMap<Key, Value>) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(entries, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn version_1_is_what_is_written_and_still_loads() {
        assert_eq!(written(&entries()), DUMP_1);
        assert!(read(DUMP_1).unwrap().into_iter().eq(entries()));
    }

    #[test]
    fn every_kind_of_entry_comes_back_and_so_does_nothing() {
        let long = Key::new("k".repeat(Key::BYTES_MAX));
        let mut some = entries();
        some.insert(long, Value::Live(Bytes::from(vec![7; 1 << 20])));
        some.insert(Key::new("user/ä/ "), Value::Live(Bytes::new()));
        some.insert(Key::new("z"), Value::Tombstone { at: -1 });
        for entries in [some, BTreeMap::new()] {
            assert!(read(&written(&entries)[..]).unwrap().into_iter().eq(entries));
        }
    }

    #[test]
    fn a_dump_that_is_cut_anywhere_is_refused() {
        let whole = written(&entries());
        for length in 0..whole.len() {
            let refused = read(&whole[..length]).unwrap_err();
            let expected = if length < MAGIC.len() { "it is no dump of porchlight" } else { "it is torn" };
            assert!(refused.to_string().starts_with(expected), "{length}: {refused}");
        }
    }

    #[test]
    fn a_dump_with_any_other_byte_is_refused() {
        let whole = written(&entries());
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            read(&changed[..]).unwrap_err();
        }
        let longer = [&whole[..], b"\n"].concat();
        assert!(matches!(read(&longer[..]), Err(DumpError::Damaged("something follows its end"))));
    }

    #[test]
    fn a_newer_dump_is_refused_by_name() {
        let refused = read(&b"porchlight-dump\n\x09"[..]).unwrap_err();
        assert!(matches!(refused, DumpError::UnknownVersion { found: 9 }));
        assert!(refused.to_string().contains("version 9"));
    }

    #[test]
    fn a_length_that_lies_makes_no_room() {
        let lying = b"porchlight-dump\n\x01\x01\0\0\0a\0\xff\xff\xff\xff";
        assert!(matches!(read(&lying[..]), Err(DumpError::Torn)));
    }
}
