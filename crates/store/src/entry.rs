//! What a log keeps: keys, revisions and values.

use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

/// Which log this is: made with the log and made anew by a restore from a backup.
///
/// Revisions of two logs cannot be compared, so whatever carries a revision outside the process carries this too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogId(pub Uuid);

/// The place of an append in its log: a number that increases for all keys of one [part](Key::part), never used twice
/// there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a key that has no entry: expected by an append that must create it.
    pub const NONE: Revision = Revision(0);
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The name of an entry, such as `user/{tenant}/{id}`: at most 1,024 bytes of UTF-8, parts joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<str>);

impl Key {
    /// The longest key that a log takes, in bytes.
    pub const BYTES_MAX: usize = 1024;

    /// A key with this text.
    ///
    /// # Panics
    ///
    /// When `text` is empty or longer than [`Key::BYTES_MAX`]: keys are made by the program, never by its callers.
    pub fn new(text: impl Into<Box<str>>) -> Key {
        let text = text.into();
        assert!(!text.is_empty() && text.len() <= Key::BYTES_MAX, "a key has 1 to 1,024 bytes");
        Key(text)
    }

    /// The text of the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What keys have in common that belong together: the second of the key's parts, or the whole key when it has but
    /// one. That of `user/{tenant}/{id}` is the tenant.
    ///
    /// Entries of one part come in the order of their revisions from every log; of two parts only some logs say which
    /// came first.
    pub fn part(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What an append leaves under its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The bytes of a record; the log does not know what they mean. At most 1 MiB.
    Live(Bytes),
    /// The key was deleted at this instant, in Unix milliseconds. Kept for seven days, so that whoever follows the
    /// log late still learns of it, then purged for good.
    Tombstone {
        /// When it was deleted, in Unix milliseconds.
        at: i64,
    },
}

/// One durable entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name of the entry.
    pub key: Key,
    /// Its place in the log; what an append that follows it expects.
    pub revision: Revision,
    /// The append that wrote it: the same as `revision`, unless the log has moved the entry since without changing it.
    pub written: Revision,
    /// What it wrote.
    pub value: Value,
}
