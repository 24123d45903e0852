//! The log that nodes share: what a majority of servers keeps for them, which nothing here takes away.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use porchlight_store::{Append, AppendError, Entry, Key, Revision};
use uuid::Uuid;

use crate::chronicle::Chronicle;
use crate::tagged::Operation;
use crate::time;

/// Slots that nodes share among each other.
pub(crate) const SLOTS: u16 = 8;

/// The servers.
pub(crate) struct Stream {
    chronicle: Chronicle,
    kept: Mutex<Kept>,
}

struct Kept {
    /// The newest entry of every key.
    entries: BTreeMap<Key, Entry>,
    newest: Revision,
    /// Everything that was taken, in order.
    messages: Vec<Message>,
    /// Which revision each append has got, by its number: one that comes again is answered as before.
    taken: BTreeMap<u64, Revision>,
    /// How many numbers were given out.
    numbers: u64,
    leases: Vec<Lease>,
}

/// What followers are given.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// An entry, and the number of the append that it came of.
    Entry(u64, Entry),
    /// A node lives.
    Beat {
        /// Which.
        node: Uuid,
        /// What its clock showed, in Unix milliseconds.
        sent_at: i64,
        /// How far it was ahead, in milliseconds.
        ahead_ms: i64,
    },
}

/// Who does what only one may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lease {
    /// `None`: nobody.
    pub(crate) holder: Option<Uuid>,
    /// Another one with every renewal.
    pub(crate) revision: u64,
}

impl Stream {
    /// An empty one.
    pub(crate) fn new(chronicle: Chronicle) -> Stream {
        let kept = Kept {
            entries: BTreeMap::new(),
            newest: Revision::NONE,
            messages: Vec::new(),
            taken: BTreeMap::new(),
            numbers: 0,
            leases: vec![Lease::default(); usize::from(SLOTS)],
        };
        Stream { chronicle, kept: Mutex::new(kept) }
    }

    /// A number for an append, which nobody else has.
    pub(crate) fn number(&self) -> u64 {
        let mut kept = self.kept.lock();
        kept.numbers += 1;
        kept.numbers
    }

    /// Takes an append, unless its key has moved on.
    pub(crate) fn take(
        &self,
        number: u64,
        append: &Append,
        operation: Option<Operation>,
    ) -> Result<Revision, AppendError> {
        let mut kept = self.kept.lock();
        if let Some(revision) = kept.taken.get(&number) {
            return Ok(*revision);
        }
        let newest = kept.entries.get(&append.key).map_or(Revision::NONE, |entry| entry.revision);
        if newest != append.expected {
            return Err(AppendError::Conflict { newest });
        }
        kept.newest.0 += 1;
        let revision = kept.newest;
        let (key, value) = (append.key.clone(), append.value.clone());
        let entry = Entry { key: key.clone(), revision, written: revision, value };
        self.chronicle.is_durable(&entry, operation);
        kept.taken.insert(number, revision);
        kept.entries.insert(key, entry.clone());
        kept.messages.push(Message::Entry(number, entry));
        Ok(revision)
    }

    /// Takes word that a node lives, and what its clock shows.
    pub(crate) fn beat(&self, node: Uuid, sent_at: i64) {
        let ahead_ms = sent_at - time::now().as_millis();
        self.kept.lock().messages.push(Message::Beat { node, sent_at, ahead_ms });
    }

    /// The newest entry of every key, and how many messages that is.
    pub(crate) fn replay(&self) -> (Vec<Entry>, usize) {
        let kept = self.kept.lock();
        (kept.entries.values().cloned().collect(), kept.messages.len())
    }

    /// The messages from this one on.
    pub(crate) fn since(&self, message: usize) -> Vec<Message> {
        self.kept.lock().messages[message..].to_vec()
    }

    /// Who holds which slot.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        self.kept.lock().leases.clone()
    }

    /// Makes somebody the holder of a slot, if its lease has still this revision. Returns whether it was.
    pub(crate) fn lease(&self, slot: u16, revision: u64, holder: Option<Uuid>) -> bool {
        let mut kept = self.kept.lock();
        let lease = &mut kept.leases[usize::from(slot)];
        let is_as_expected = lease.revision == revision;
        if is_as_expected {
            *lease = Lease { holder, revision: revision + 1 };
        }
        is_as_expected
    }
}
