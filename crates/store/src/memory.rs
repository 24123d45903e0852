//! A log in memory, for tests and for servers that keep nothing, with faults that a test can inject.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use crate::append::Owner;
use crate::{
    Append, AppendError, Cluster, Entry, Health, Hold, Key, Log, LogId, Receipt, Replica, Revision, Stats,
    Value,
};

/// Appends that may wait behind a late one, unless told otherwise.
const WAITING_MAX: usize = 16_384;

/// A log in memory. "Durable" means here: kept until the last handle to the content is gone; see
/// [`Memory::reopen`] and [`Memory::beside`].
///
/// It is synchronous: without a fault, an append is installed and answered before [`Log::append`] returns. A
/// [`Replica`] must therefore not append from within [`Replica::install`] or [`Replica::purge`].
pub struct Memory {
    id: LogId,
    waiting_max: usize,
    /// Which of the content's handles this is.
    number: usize,
    /// Held while replicas install, since entries must arrive there in revision order. Never held while a hold
    /// is dropped, which runs a caller's code.
    content: Arc<Mutex<Content>>,
    health: watch::Sender<Health>,
    cluster: Mutex<Option<Arc<Cluster>>>,
}

/// What can be made to go wrong with an append. Each fault lasts until [`Memory::resolve`]. A fault is one of the
/// content: all handles share it.
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

/// What all handles share.
struct Content {
    mode: Mode,
    /// All that is durable, whether or not the replicas have it yet.
    entries: BTreeMap<Key, Entry>,
    /// The highest revision ever given out.
    revision: Revision,
    /// Appends that passed all checks, counted to know which of them are to meet a fault.
    attempts: u64,
    /// The faults to come, by the count of the append that meets them.
    faults: BTreeMap<u64, Fault>,
    /// What a fault keeps back, in revision order.
    withheld: Vec<Withheld>,
    handles: Vec<Handle>,
}

/// One opening of the log.
struct Handle {
    replica: Arc<dyn Replica>,
    health: watch::Sender<Health>,
    is_closed: bool,
    /// What is kept from this handle alone, while it is held back.
    tail: Option<Vec<Withheld>>,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    Late,
    Failed,
}

/// An entry, or an append that is kept from its end.
struct Withheld {
    /// What the replicas get when it ends; nothing if nothing was written.
    entry: Option<Entry>,
    /// Whose append it is, and how that ends; nothing if it is another handle's.
    ending: Option<(usize, Ending)>,
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
        let content = Content {
            mode: Mode::Open,
            entries: BTreeMap::new(),
            revision: Revision::NONE,
            attempts: 0,
            faults: BTreeMap::new(),
            withheld: Vec::new(),
            handles: Vec::new(),
        };
        Memory::open(LogId(Uuid::new_v4()), waiting_max, Arc::new(Mutex::new(content)), replica)
    }

    /// Closes this log and opens another with the same identity and content, as a restart of the process does: its
    /// replica gets every key's newest entry. Faults to come are forgotten.
    #[must_use]
    pub fn reopen(&self, replica: Arc<dyn Replica>) -> Memory {
        self.close();
        self.content.lock().faults.clear();
        self.beside(replica)
    }

    /// Opens the same log once more, as another process does that shares it: the replica gets every key's newest entry,
    /// and from now on what any handle appends goes to the replicas of all.
    #[must_use]
    pub fn beside(&self, replica: Arc<dyn Replica>) -> Memory {
        Memory::open(self.id, self.waiting_max, Arc::clone(&self.content), replica)
    }

    fn open(
        id: LogId,
        waiting_max: usize,
        content: Arc<Mutex<Content>>,
        replica: Arc<dyn Replica>,
    ) -> Memory {
        let (health, _) = watch::channel(Health::Writable);
        let number = content.lock().open(replica, health.clone());
        Memory { id, waiting_max, number, content, health, cluster: Mutex::default() }
    }

    /// Says who shares the log; to be called before the engine looks, while the log is being opened.
    pub fn share(&self, cluster: Arc<Cluster>) {
        *self.cluster.lock() = Some(cluster);
    }

    /// Keeps what is appended from this handle's replica, as a connection does that is slow: until
    /// [`Memory::let_go`] it gets nothing, and its own appends, which are taken and conflict as ever, are not answered.
    pub fn hold_back(&self) {
        self.content.lock().handles[self.number].tail.get_or_insert_default();
    }

    /// Hands on what this handle was held back from, in order.
    pub fn let_go(&self) {
        let endings = self.content.lock().let_go(self.number);
        endings.into_iter().for_each(Ending::come);
    }

    /// Tells the replica of every handle that is given everything that it is current, as a log that is shared does every
    /// other second.
    pub fn heartbeat(&self) {
        let content = self.content.lock();
        if content.mode == Mode::Open {
            for handle in content.handles.iter().filter(|handle| handle.is_current()) {
                handle.replica.is_current(handle.replica.now());
            }
        }
    }

    /// Writes an entry again without changing it, as a log does that has to keep its entries together: it has a new
    /// revision then, and was written when it was. Does nothing for a key without an entry.
    pub fn sweep(&self, key: &Key) {
        let mut content = self.content.lock();
        let Some(entry) = content.entries.get(key).cloned() else { return };
        content.revision.0 += 1;
        let moved = Entry { revision: content.revision, ..entry };
        content.entries.insert(key.clone(), moved.clone());
        content.hand_on(&[moved]);
    }

    /// Lets the next append meet this fault.
    pub fn inject(&self, fault: Fault) {
        self.fail_at(1, fault);
    }

    /// Lets the `n`-th append from now meet this fault; 1 is the next. Appends that conflict or are refused do not
    /// count.
    pub fn fail_at(&self, n: u64, fault: Fault) {
        let mut content = self.content.lock();
        let at = content.attempts + n;
        content.faults.insert(at, fault);
    }

    /// Ends the fault: the log finds out what became of the appends that it kept back, hands on those that were
    /// written, drops the holds, answers who is still waiting, and takes writes again.
    ///
    /// Without a fault it does nothing.
    pub fn resolve(&self) {
        let endings = self.content.lock().end_fault();
        endings.into_iter().for_each(Ending::come);
    }
}

impl Content {
    /// Another handle; returns its number.
    fn open(&mut self, replica: Arc<dyn Replica>, health: watch::Sender<Health>) -> usize {
        let replayed: Vec<Entry> = self.entries.values().cloned().collect();
        if !replayed.is_empty() {
            replica.install(replayed);
        }
        self.handles.push(Handle { replica, health, is_closed: false, tail: None, stats: Stats::default() });
        self.handles.len() - 1
    }

    /// Whether an append may come in at all.
    fn admit(&self, number: usize, waiting_max: usize) -> Result<(), AppendError> {
        if self.handles[number].is_closed {
            return Err(AppendError::Unavailable);
        }
        match self.mode {
            Mode::Late if self.withheld.len() >= waiting_max => Err(AppendError::Busy),
            Mode::Open | Mode::Late => Ok(()),
            Mode::Failed => Err(AppendError::Unavailable),
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

    fn write(&mut self, number: usize, entry: &Entry) {
        self.entries.insert(entry.key.clone(), entry.clone());
        self.handles[number].stats.appends += 1;
    }

    /// Hands entries to the replicas, but for those that are held back.
    fn hand_on(&mut self, entries: &[Entry]) {
        for handle in self.handles.iter_mut().filter(|handle| !handle.is_closed) {
            match &mut handle.tail {
                Some(tail) => {
                    let others = entries.iter().cloned();
                    tail.extend(others.map(|entry| Withheld { entry: Some(entry), ending: None }));
                }
                None => handle.replica.install(entries.to_vec()),
            }
        }
    }

    /// Lets an append of this handle end, after what the handle is held back from; returns it if it ends now.
    fn end(&mut self, number: usize, ending: Ending) -> Option<Ending> {
        match &mut self.handles[number].tail {
            Some(tail) => {
                tail.push(Withheld { entry: None, ending: Some((number, ending)) });
                None
            }
            None => Some(ending),
        }
    }

    /// Hands on what the handle was held back from; returns what is to end now.
    fn let_go(&mut self, number: usize) -> Vec<Ending> {
        let handle = &mut self.handles[number];
        let (entries, endings) = apart(handle.tail.take().unwrap_or_default());
        if !entries.is_empty() {
            handle.replica.install(entries);
        }
        endings.into_iter().map(|(_, ending)| ending).collect()
    }

    /// Hands on what a fault has kept back, if there is one; returns what is to end now.
    fn end_fault(&mut self) -> Vec<Ending> {
        let before = std::mem::replace(&mut self.mode, Mode::Open);
        let (entries, endings) = apart(std::mem::take(&mut self.withheld));
        if !entries.is_empty() {
            self.hand_on(&entries);
        }
        if before == Mode::Failed {
            self.tell(&Health::Writable);
        }
        endings.into_iter().filter_map(|(number, ending)| self.end(number, ending)).collect()
    }

    /// Tells of the health of every handle that is not closed.
    fn tell(&self, health: &Health) {
        for handle in self.handles.iter().filter(|handle| !handle.is_closed) {
            handle.health.send_replace(health.clone());
        }
    }
}

impl Handle {
    fn is_current(&self) -> bool {
        !self.is_closed && self.tail.is_none()
    }
}

/// The entries, and the endings.
fn apart(withheld: Vec<Withheld>) -> (Vec<Entry>, Vec<(usize, Ending)>) {
    let (mut entries, mut endings) = (Vec::new(), Vec::new());
    for Withheld { entry, ending } in withheld {
        entries.extend(entry);
        endings.extend(ending);
    }
    (entries, endings)
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
        let mut content = self.content.lock();
        content.admit(self.number, self.waiting_max)?;
        let (entry, fault) = match content.assign(append) {
            Ok(assigned) => assigned,
            Err(conflict) if content.mode == Mode::Late => {
                // The revision that it conflicts with may not have been told to anybody yet.
                let ending = Some((self.number, Ending::Answer(owner, Err(conflict))));
                content.withheld.push(Withheld { entry: None, ending });
                return Ok(receipt);
            }
            Err(conflict) => {
                drop(content);
                owner.settle(Err(conflict));
                return Ok(receipt);
            }
        };
        let revision = entry.revision;
        match fault {
            None if content.mode == Mode::Open => {
                content.write(self.number, &entry);
                content.hand_on(std::slice::from_ref(&entry));
                let ending = content.end(self.number, Ending::Answer(owner, Ok(revision)));
                drop(content);
                ending.into_iter().for_each(Ending::come);
            }
            None | Some(Fault::Late) => {
                content.write(self.number, &entry);
                content.mode = Mode::Late;
                let ending = Some((self.number, Ending::Answer(owner, Ok(revision))));
                content.withheld.push(Withheld { entry: Some(entry), ending });
            }
            Some(failed @ (Fault::FailedAndWritten | Fault::FailedNotWritten)) => {
                let entry = (failed == Fault::FailedAndWritten).then_some(entry);
                if let Some(entry) = &entry {
                    content.write(self.number, entry);
                }
                content.mode = Mode::Failed;
                content.handles[self.number].stats.faults += 1;
                content.tell(&Health::Failed("a fault was injected".to_owned()));
                let ending = Some((self.number, Ending::Release(owner.unknown())));
                content.withheld.push(Withheld { entry, ending });
            }
        }
        Ok(receipt)
    }

    fn purge(&self, before: i64) {
        let mut content = self.content.lock();
        // What is kept back would bring a purged tombstone into the replica afterwards.
        if content.mode != Mode::Open || content.handles.iter().any(|handle| handle.tail.is_some()) {
            return;
        }
        let old = |entry: &Entry| matches!(entry.value, Value::Tombstone { at } if at < before);
        let purged: Vec<Key> =
            content.entries.values().filter(|entry| old(entry)).map(|entry| entry.key.clone()).collect();
        for key in purged {
            if let Some(tombstone) = content.entries.remove(&key) {
                for handle in content.handles.iter().filter(|handle| !handle.is_closed) {
                    handle.replica.purge(&key, tombstone.revision);
                }
            }
        }
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    fn stats(&self) -> Stats {
        let content = self.content.lock();
        Stats { waiting: content.withheld.len(), ..content.handles[self.number].stats }
    }

    fn cluster(&self) -> Option<Arc<Cluster>> {
        self.cluster.lock().clone()
    }

    fn close(&self) {
        let mut content = self.content.lock();
        let mut endings = content.end_fault();
        endings.extend(content.let_go(self.number));
        content.handles[self.number].is_closed = true;
        drop(content);
        endings.into_iter().for_each(Ending::come);
        self.health.send_replace(Health::Closed);
    }
}
