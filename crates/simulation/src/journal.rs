//! The log of a node by itself: a journal in one file, written a batch at a time.
//!
//! It does what the contract of [`Log`] says and nothing that makes it quick: what waits becomes one batch, which is
//! written, synced, given to the replica and answered. After a failure it reads the file again, cuts off what is not
//! whole, and goes on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use porchlight_store::{
    Append, AppendError, Entry, Health, Hold, Key, Log, LogId, Owner, Receipt, Replica, Revision, Stats,
};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::batch;
use crate::chronicle::Chronicle;
use crate::dice::Dice;
use crate::disk::{Disk, DiskError};
use crate::tagged::{self, Operation};

/// Appends that may wait; so few that it comes to that now and then.
pub(crate) const WAITING_MAX: usize = 64;

/// The identity of the one log of a run.
pub(crate) const ID: LogId = LogId(Uuid::from_u128(0x109));

/// What a crash leaves of a node.
pub(crate) struct Machine {
    /// Where the journal lies.
    pub(crate) disk: Mutex<Disk>,
    /// Which operation has written what, by revision.
    operations: Mutex<BTreeMap<Revision, Operation>>,
}

/// The open journal.
pub(crate) struct Journal {
    machine: Arc<Machine>,
    chronicle: Chronicle,
    replica: Arc<dyn Replica>,
    health: watch::Sender<Health>,
    state: Mutex<State>,
    /// Rung when something waits.
    bell: Notify,
}

struct State {
    waiting: VecDeque<Waiting>,
    /// The newest entry of every key that is durable.
    revisions: BTreeMap<Key, Revision>,
    /// The highest that was ever given out.
    newest: Revision,
    stats: Stats,
    dice: Dice,
}

struct Waiting {
    append: Append,
    owner: Owner,
    operation: Option<Operation>,
}

/// What is written together.
struct Batch {
    entries: Vec<Entry>,
    /// How each append of it ends once it is durable.
    endings: Vec<(Owner, Result<Revision, AppendError>)>,
}

impl Machine {
    /// A machine with an empty disk.
    pub(crate) fn new(dice: Dice) -> Arc<Machine> {
        Arc::new(Machine { disk: Mutex::new(Disk::new(dice)), operations: Mutex::default() })
    }

    /// All entries of the journal. What is not whole behind them is cut off.
    fn read(&self) -> Vec<Entry> {
        let mut disk = self.disk.lock();
        let (entries, bytes) = batch::decode_all(disk.read());
        disk.truncate(bytes);
        entries
    }
}

/// Takes an append, unless the log's health or so many that wait already forbid it.
pub(crate) fn admit(health: &watch::Sender<Health>, waiting: usize) -> Result<(), AppendError> {
    if *health.borrow() != Health::Writable {
        return Err(AppendError::Unavailable);
    }
    if waiting >= WAITING_MAX {
        return Err(AppendError::Busy);
    }
    Ok(())
}

impl Journal {
    /// Opens what is on the machine's disk, and hands it to the replica.
    pub(crate) fn open(
        machine: Arc<Machine>,
        chronicle: Chronicle,
        dice: Dice,
        replica: Arc<dyn Replica>,
    ) -> Arc<Journal> {
        let entries = machine.read();
        let newest = entries.last().map_or(Revision::NONE, |entry| entry.revision);
        let state = State {
            waiting: VecDeque::new(),
            revisions: BTreeMap::new(),
            newest,
            stats: Stats::default(),
            dice,
        };
        let journal = Arc::new(Journal {
            machine,
            chronicle,
            replica,
            health: watch::Sender::new(Health::Writable),
            state: Mutex::new(state),
            bell: Notify::new(),
        });
        journal.chronicle.reopened(&entries);
        journal.become_durable(&entries);
        let newest_of_each: BTreeMap<Key, Entry> =
            entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
        if !newest_of_each.is_empty() {
            journal.replica.install(newest_of_each.into_values().collect());
        }
        journal
    }

    /// Writes what waits, for ever: what a thread of the log does.
    pub(crate) async fn commit(self: Arc<Journal>) {
        loop {
            let waiting = std::mem::take(&mut self.state.lock().waiting);
            if waiting.is_empty() {
                self.bell.notified().await;
                continue;
            }
            let batch = self.assign(waiting);
            match self.write(&batch.entries).await {
                Ok(()) => self.finish(batch),
                Err(error) => {
                    let holds = self.fail(batch, error);
                    self.recover().await;
                    // What was not known is known now.
                    drop(holds);
                    self.health.send_replace(Health::Writable);
                }
            }
        }
    }

    /// Gives each append a revision whose key is where it expects it.
    fn assign(&self, waiting: VecDeque<Waiting>) -> Batch {
        let mut state = self.state.lock();
        let mut ahead: BTreeMap<Key, Revision> = BTreeMap::new();
        let mut batch = Batch { entries: Vec::new(), endings: Vec::new() };
        for Waiting { append: Append { key, expected, value }, owner, operation } in waiting {
            let known = ahead.get(&key).or_else(|| state.revisions.get(&key)).copied();
            let newest = known.unwrap_or_default();
            if newest != expected {
                batch.endings.push((owner, Err(AppendError::Conflict { newest })));
                continue;
            }
            state.newest.0 += 1;
            let revision = state.newest;
            let mut operations = self.machine.operations.lock();
            match operation {
                Some(operation) => operations.insert(revision, operation),
                None => operations.remove(&revision),
            };
            ahead.insert(key.clone(), revision);
            batch.entries.push(Entry { key, revision, written: revision, value });
            batch.endings.push((owner, Ok(revision)));
        }
        batch
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), DiskError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.pause(0, 3).await;
        self.machine.disk.lock().write(&batch::encode(entries))?;
        // Most syncs are quick, and some take their time.
        let slowest = if self.state.lock().dice.one_in(20) { 400 } else { 12 };
        self.pause(0, slowest).await;
        self.machine.disk.lock().sync()?;
        self.state.lock().stats.syncs += 1;
        Ok(())
    }

    /// The replica first, then the holds, then the answers.
    fn finish(&self, batch: Batch) {
        self.hand_on(batch.entries);
        for (owner, outcome) in batch.endings {
            owner.settle(outcome);
        }
    }

    /// Says that the outcome is unknown, and keeps the holds until it is known.
    fn fail(&self, batch: Batch, error: DiskError) -> Vec<Hold> {
        self.chronicle.note(None, || format!("the journal fails: {error:?}"));
        self.health.send_replace(Health::Failed(format!("the disk says {error:?}")));
        let waiting = {
            let mut state = self.state.lock();
            state.stats.faults += 1;
            std::mem::take(&mut state.waiting)
        };
        for Waiting { owner, .. } in waiting {
            owner.settle(Err(AppendError::Unavailable));
        }
        let mut holds = Vec::new();
        for (owner, outcome) in batch.endings {
            match outcome {
                Ok(_) => holds.push(owner.unknown()),
                // Nothing was written for it.
                Err(_) => owner.settle(Err(AppendError::Unavailable)),
            }
        }
        holds
    }

    /// Finds out what became of what was being written.
    async fn recover(&self) {
        loop {
            self.pause(50, 1_000).await;
            let entries = self.machine.read();
            // What the system reads may not be on the disk.
            if self.machine.disk.lock().sync().is_err() {
                continue;
            }
            let news: Vec<Entry> = {
                let state = self.state.lock();
                let is_news = |entry: &Entry| {
                    let known = state.revisions.get(&entry.key).copied().unwrap_or_default();
                    entry.revision > known
                };
                entries.into_iter().filter(is_news).collect()
            };
            self.chronicle.note(None, || format!("the journal recovers, with {} more", news.len()));
            return self.hand_on(news);
        }
    }

    /// These entries are durable: the replica may have them.
    fn hand_on(&self, entries: Vec<Entry>) {
        self.become_durable(&entries);
        if !entries.is_empty() {
            self.replica.install(entries);
        }
    }

    /// These entries survive whatever happens from now on.
    fn become_durable(&self, entries: &[Entry]) {
        let operations = self.machine.operations.lock();
        let mut state = self.state.lock();
        for entry in entries {
            self.chronicle.is_durable(entry, operations.get(&entry.revision).copied());
            state.revisions.insert(entry.key.clone(), entry.revision);
        }
        state.stats.appends += entries.len() as u64;
    }

    async fn pause(&self, first: u64, last: u64) {
        let pause = self.state.lock().dice.millis(first, last);
        if pause > Duration::ZERO {
            tokio::time::sleep(pause).await;
        }
    }
}

impl Log for Journal {
    fn id(&self) -> LogId {
        ID
    }

    fn append(&self, append: Append, hold: Hold) -> Result<Receipt, AppendError> {
        // Before the lock, so that on an early return the hold is dropped after it.
        let (owner, receipt) = Owner::new(hold);
        let mut state = self.state.lock();
        admit(&self.health, state.waiting.len())?;
        state.waiting.push_back(Waiting { append, owner, operation: tagged::current() });
        self.bell.notify_one();
        Ok(receipt)
    }

    fn purge(&self, _before: i64) {
        // No run is as long as tombstones are kept.
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    fn waiting_max(&self) -> usize {
        WAITING_MAX
    }

    fn stats(&self) -> Stats {
        let state = self.state.lock();
        Stats { waiting: state.waiting.len(), ..state.stats }
    }

    fn close(&self) {
        // A node of a simulation ends by dying.
        self.health.send_replace(Health::Closed);
    }
}
