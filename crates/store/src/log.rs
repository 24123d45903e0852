//! The contract of every log.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{Append, AppendError, Cluster, Entry, Hold, Key, LogId, Receipt, Revision};

/// Keyed records with revisions, durable when answered.
///
/// # What every log promises
///
/// 1. **Durable when answered.** When a [`Receipt`] says `Ok(revision)`, the entry survives the death of the process
///    and, at full durability, of the machine. A log that promises less says so where it is made.
/// 2. **Compare and set.** An append happens only if its key is at the expected revision; otherwise it is answered
///    [`AppendError::Conflict`] with the newest revision and changes nothing.
/// 3. **One order.** Revisions of keys of one [part](Key::part) increase and are never used twice, not even after the
///    newest entry was purged and the log reopened.
/// 4. **The log finishes the write.** A durable entry goes to the [`Replica`] first; then the hold is dropped; then
///    the receipt is answered. This happens whether or not anybody still waits for the receipt. Nothing reaches the
///    replica before it is durable.
/// 5. **Unknown is said, and resolved.** After a fault in the middle of a write the log finds out what became of it, and
///    the hold stays until it has. A log that cannot write until then says [`AppendError::Unknown`] at once, and answers
///    new appends [`AppendError::Unavailable`]; one that can leaves the receipt open. After it, appends go on. No
///    acknowledged entry is lost by it.
/// 6. **Replay.** Opening a log hands every key's newest entry, tombstones included, to the replica before anything
///    else: each key once, in any order, possibly from several threads. After that, entries come in the order of their
///    revisions, those of one part from one thread at a time. Where other processes write to the log too, their entries
///    come like one's own, and one that was followed by another of its key before it came may be left out.
/// 7. **Bounded.** A log holds a bounded number of waiting appends; one more is answered [`AppendError::Busy`].
pub trait Log: Send + Sync {
    /// The identity of this log.
    fn id(&self) -> LogId;

    /// Asks for one append. It never waits: the answer comes through the receipt.
    ///
    /// # Errors
    ///
    /// [`AppendError::Busy`] and [`AppendError::Unavailable`], where they are known at once; the hold is dropped.
    /// All other outcomes come through the receipt.
    fn append(&self, append: Append, hold: Hold) -> Result<Receipt, AppendError>;

    /// Asks the log to forget for good the tombstones of before this instant, in Unix milliseconds.
    ///
    /// It returns at once; the log does it when it comes to it, and tells the [`Replica`] of each tombstone that is
    /// gone. Best effort: what a fault or a stop prevents is done after the next request. A key whose tombstone is
    /// gone has no entry, so the append that creates it again expects [`Revision::NONE`]; its revision is
    /// greater than any before all the same.
    fn purge(&self, before: i64);

    /// Whether the log takes writes, and word of every change of that.
    fn health(&self) -> watch::Receiver<Health>;

    /// How many appends may wait; one more is answered [`AppendError::Busy`].
    fn waiting_max(&self) -> usize;

    /// Counts since the log was opened.
    fn stats(&self) -> Stats;

    /// Those who share the log; `None` for a log that is this process's alone.
    fn cluster(&self) -> Option<Arc<Cluster>> {
        None
    }

    /// Stops taking appends, finishes those that wait, makes everything durable and releases what it holds on disk.
    /// Blocks until that is done. Later appends are answered [`AppendError::Unavailable`]. Doing it again does
    /// nothing. In the middle of a fault it ends the attempts to recover: what is unknown then stays unknown until
    /// the log is opened again.
    fn close(&self);
}

/// The one who keeps a log's entries in memory.
///
/// It is the log's memory too: an embedded log asks it for the revision that a key has, rather than keeping a second
/// index of all keys.
pub trait Replica: Send + Sync {
    /// The revision of the newest entry of `key` that was installed; [`Revision::NONE`] when there is none.
    fn revision(&self, key: &Key) -> Revision;

    /// Takes durable entries. An entry not newer than what is held for its key is ignored.
    fn install(&self, entries: Vec<Entry>);

    /// Forgets a tombstone that the log has purged, if the key still has this revision.
    fn purge(&self, key: &Key, revision: Revision);

    /// What the replica's clock shows, in Unix milliseconds. Asked by a log that is shared: for [`Replica::is_current`],
    /// and to compare the clocks of those who share it.
    fn now(&self) -> i64 {
        0
    }

    /// Told by a log that is shared, every other second unless it is cut off: whatever anybody's append had made durable
    /// when this replica's clock showed `at`, it has been given.
    fn is_current(&self, at: i64) {
        let _ = at;
    }
}

/// Whether a log takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Writable,
    /// It does not, for this reason (for operators, not for callers). It recovers by itself if it can.
    Failed(String),
    /// It was closed.
    Closed,
}

/// What a log has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries made durable.
    pub appends: u64,
    /// Times that the log waited for the disk to confirm.
    pub syncs: u64,
    /// Faults after which the log was reopened.
    pub faults: u64,
    /// Appends that wait for their turn or for an answer, now.
    pub waiting: usize,
}
