//! A log in memory, for tests and for servers that keep nothing, with faults that a test can inject.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use crate::append::Owner;
use crate::{
    Append, AppendError, Entry, Health, Hold, Key, Log, LogId, Receipt, Replica, Revision, Stats, Value,
};

/// Appends that may wait behind a late one, unless told otherwise.
const WAITING_MAX: usize = 16_384;

/// A log in memory. "Durable" means here: kept until the last handle to the content is gone; see
/// [`Memory::reopen`].
///
/// It is synchronous: without a fault, an append is installed and answered before [`Log::append`] returns. A
/// [`Replica`] must therefore not append from within [`Replica::install`] or [`Replica::purge`].
pub struct Memory {
    id: LogId,
    replica: Arc<dyn Replica>,
    waiting_max: usize,
    /// Held while the replica installs, since entries must arrive there in revision order. Never held while a hold
    /// is dropped, which runs a caller's code.
    state: Mutex<State>,
    health: watch::Sender<Health>,
}

/// What can be made to go wrong with an append. Each fault lasts until [`Memory::resolve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The log fails in the middle of the append, which turns out to be durable.
    FailedAndWritten,
    /// The log fails in the middle of the append, of which nothing is left.
    FailedNotWritten,
    /// The append is durable but neither handed on nor answered, as if the disk took its time. The log stays
    /// [`Health::Writable`]: later appends are taken, also to other keys, but since a replica sees revisions in
    /// order they wait behind the late one. Too many of them are answered [`AppendError::Busy`].
    Late,
}

struct State {
    mode: Mode,
    /// All that is durable, whether or not the replica has it yet.
    entries: BTreeMap<Key, Entry>,
    /// The highest revision ever given out.
    revision: Revision,
    /// Appends that passed all checks, counted to know which of them are to meet a fault.
    attempts: u64,
    /// The faults to come, by the count of the append that meets them.
    faults: BTreeMap<u64, Fault>,
    /// What a fault keeps back, in revision order.
    withheld: Vec<Withheld>,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    Late,
    Failed,
    Closed,
}

/// An append that a fault keeps from its end.
struct Withheld {
    /// What the replica gets when the fault ends; nothing if nothing was written.
    entry: Option<Entry>,
    ending: Ending,
}

enum Ending {
    /// Still to be answered.
    Answer(Owner, Result<Revision, AppendError>),
    /// Answered; the hold is still to be dropped.
    Release(Hold),
}

impl Ending {
    fn come(self) {
        match self {
            Ending::Answer(owner, outcome) => owner.settle(outcome),
            Ending::Release(hold) => drop(hold),
        }
    }
}

impl Memory {
    /// An empty log.
    pub fn new(replica: Arc<dyn Replica>) -> Memory {
        Memory::with_waiting_max(replica, WAITING_MAX)
    }

    /// An empty log behind whose late append no more than `waiting_max` others wait.
    pub fn with_waiting_max(replica: Arc<dyn Replica>, waiting_max: usize) -> Memory {
        let id = LogId(Uuid::new_v4());
        Memory::with_content(id, replica, waiting_max, BTreeMap::new(), Revision::NONE)
    }

    /// Closes this log and opens another with the same identity and content, as a restart of the process does: its
    /// replica gets every key's newest entry. Faults to come are forgotten.
    #[must_use]
    pub fn reopen(&self, replica: Arc<dyn Replica>) -> Memory {
        self.close();
        let state = self.state.lock();
        let entries = state.entries.clone();
        let replayed: Vec<Entry> = entries.values().cloned().collect();
        if !replayed.is_empty() {
            replica.install(replayed);
        }
        Memory::with_content(self.id, replica, self.waiting_max, entries, state.revision)
    }

    fn with_content(
        id: LogId,
        replica: Arc<dyn Replica>,
        waiting_max: usize,
        entries: BTreeMap<Key, Entry>,
        revision: Revision,
    ) -> Memory {
        let state = State {
            mode: Mode::Open,
            entries,
            revision,
            attempts: 0,
            faults: BTreeMap::new(),
            withheld: Vec::new(),
            stats: Stats::default(),
        };
        let (health, _) = watch::channel(Health::Writable);
        Memory { id, replica, waiting_max, state: Mutex::new(state), health }
    }

    /// Lets the next append meet this fault.
    pub fn inject(&self, fault: Fault) {
        self.fail_at(1, fault);
    }

    /// Lets the `n`-th append from now meet this fault; 1 is the next. Appends that conflict or are refused do not
    /// count.
    pub fn fail_at(&self, n: u64, fault: Fault) {
        let mut state = self.state.lock();
        let at = state.attempts + n;
        state.faults.insert(at, fault);
    }

    /// Ends the fault: the log finds out what became of the appends that it kept back, hands on those that were
    /// written, drops the holds, answers who is still waiting, and takes writes again.
    ///
    /// Without a fault it does nothing.
    pub fn resolve(&self) {
        self.end_fault(Mode::Open);
    }

    /// Leaves `Late` or `Failed`; in the other modes nothing is kept back.
    fn end_fault(&self, next: Mode) {
        let mut state = self.state.lock();
        let before = state.mode;
        if before == Mode::Closed || before == next {
            return;
        }
        let withheld = std::mem::take(&mut state.withheld);
        let (entries, endings): (Vec<Option<Entry>>, Vec<Ending>) =
            withheld.into_iter().map(|withheld| (withheld.entry, withheld.ending)).unzip();
        let written: Vec<Entry> = entries.into_iter().flatten().collect();
        if !written.is_empty() {
            self.replica.install(written);
        }
        state.mode = next;
        drop(state);
        endings.into_iter().for_each(Ending::come);
        if next == Mode::Closed {
            self.health.send_replace(Health::Closed);
        } else if before == Mode::Failed {
            self.health.send_replace(Health::Writable);
        }
    }
}

impl State {
    /// Whether an append may come in at all.
    fn admit(&self, waiting_max: usize) -> Result<(), AppendError> {
        match self.mode {
            Mode::Late if self.withheld.len() >= waiting_max => Err(AppendError::Busy),
            Mode::Open | Mode::Late => Ok(()),
            Mode::Failed | Mode::Closed => Err(AppendError::Unavailable),
        }
    }

    /// Gives the append a revision, if its key is where it expects it, and says which fault it meets.
    fn assign(&mut self, append: Append) -> Result<(Entry, Option<Fault>), AppendError> {
        let newest = self.entries.get(&append.key).map_or(Revision::NONE, |entry| entry.revision);
        if newest != append.expected {
            return Err(AppendError::Conflict { newest });
        }
        self.revision.0 += 1;
        self.attempts += 1;
        let fault = self.faults.remove(&self.attempts);
        let (revision, written) = (self.revision, self.revision);
        Ok((Entry { key: append.key, revision, written, value: append.value }, fault))
    }

    fn write(&mut self, entry: &Entry) {
        self.entries.insert(entry.key.clone(), entry.clone());
        self.stats.appends += 1;
    }
}

impl Log for Memory {
    fn id(&self) -> LogId {
        self.id
    }

    fn waiting_max(&self) -> usize {
        self.waiting_max
    }

    fn append(&self, append: Append, hold: Hold) -> Result<Receipt, AppendError> {
        // Before the lock, so that on an early return the hold is dropped after it.
        let (owner, receipt) = Owner::new(hold);
        let mut state = self.state.lock();
        state.admit(self.waiting_max)?;
        let (entry, fault) = match state.assign(append) {
            Ok(assigned) => assigned,
            Err(conflict) if state.mode == Mode::Late => {
                // The revision that it conflicts with may not have been told to anybody yet.
                state.withheld.push(Withheld { entry: None, ending: Ending::Answer(owner, Err(conflict)) });
                return Ok(receipt);
            }
            Err(conflict) => {
                drop(state);
                owner.settle(Err(conflict));
                return Ok(receipt);
            }
        };
        let revision = entry.revision;
        match fault {
            None if state.mode == Mode::Open => {
                state.write(&entry);
                self.replica.install(vec![entry]);
                drop(state);
                owner.settle(Ok(revision));
            }
            None | Some(Fault::Late) => {
                state.write(&entry);
                state.mode = Mode::Late;
                let ending = Ending::Answer(owner, Ok(revision));
                state.withheld.push(Withheld { entry: Some(entry), ending });
            }
            Some(failed @ (Fault::FailedAndWritten | Fault::FailedNotWritten)) => {
                let entry = (failed == Fault::FailedAndWritten).then_some(entry);
                if let Some(entry) = &entry {
                    state.write(entry);
                }
                state.mode = Mode::Failed;
                state.stats.faults += 1;
                self.health.send_replace(Health::Failed("a fault was injected".to_owned()));
                let hold = owner.unknown();
                state.withheld.push(Withheld { entry, ending: Ending::Release(hold) });
            }
        }
        Ok(receipt)
    }

    fn purge(&self, before: i64) {
        let mut state = self.state.lock();
        // What is kept back would bring a purged tombstone into the replica afterwards.
        if state.mode != Mode::Open {
            return;
        }
        let old = |entry: &Entry| matches!(entry.value, Value::Tombstone { at } if at < before);
        let purged: Vec<Key> =
            state.entries.values().filter(|entry| old(entry)).map(|entry| entry.key.clone()).collect();
        for key in purged {
            if let Some(tombstone) = state.entries.remove(&key) {
                self.replica.purge(&key, tombstone.revision);
            }
        }
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    fn stats(&self) -> Stats {
        self.state.lock().stats
    }

    fn close(&self) {
        self.end_fault(Mode::Closed);
    }
}
