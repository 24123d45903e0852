//! The one who writes.
//!
//! Everything that waits becomes one batch and one sync (group commit): while the disk works on one batch the next
//! one gathers. The committer works at its own pace; nobody who appends ever waits for it but through a receipt.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fjall::PersistMode;
use tokio::time::Instant;
use tracing::error;
use xxhash_rust::xxh3::xxh3_64;

use super::database::Database;
use super::error::OpenError;
use super::folder::Folder;
use super::head::Head;
use super::load::Loaded;
use super::options::{Durability, Options};
use super::queue::{BATCH_MAX, Waiting, Work};
use super::recovery::RETRY_MIN;
use super::shared::Shared;
use crate::append::Owner;
use crate::tombstones::{Tombstone, Tombstones};
use crate::{AppendError, Entry, Health, Replica, Revision};

/// How long written appends may stay unsynced at relaxed durability.
const SYNC_EVERY: Duration = Duration::from_millis(100);

/// The committer of one log. The fields are in the order in which they must be dropped: the database before the lock
/// of its folder.
pub(super) struct Committer {
    /// `None` during a fault.
    pub(super) database: Option<Database>,
    pub(super) folder: Folder,
    pub(super) options: Options,
    pub(super) replica: Arc<dyn Replica>,
    pub(super) shared: Arc<Shared>,
    /// What is on disk.
    pub(super) head: Head,
    /// The highest revision given out; higher than the head's only when a batch was lost to a fault.
    pub(super) revision: Revision,
    pub(super) tombstones: Tombstones,
    /// Since when something written has not been synced; only at relaxed durability.
    pub(super) unsynced_since: Option<Instant>,
    /// How long to wait before the next attempt to recover from a fault.
    pub(super) retry_in: Duration,
}

/// What is to be written at once.
pub(super) struct Batch {
    /// What to write, in revision order, no key twice.
    pub(super) entries: Vec<Entry>,
    /// Whose entries those are, in the same order.
    pub(super) owners: Vec<Owner>,
    /// The tombstones to remove.
    pub(super) removed: Vec<Tombstone>,
    /// The head that goes with all that.
    pub(super) head: Head,
}

/// A write or sync that failed.
pub(super) struct Fault {
    pub(super) cause: OpenError,
    /// What was being written.
    pub(super) batch: Option<Batch>,
}

impl Committer {
    pub(super) fn new(
        loaded: Loaded,
        folder: Folder,
        options: Options,
        replica: Arc<dyn Replica>,
        shared: Arc<Shared>,
    ) -> Committer {
        Committer {
            database: Some(loaded.database),
            folder,
            options,
            replica,
            shared,
            head: loaded.head,
            revision: loaded.head.revision,
            tombstones: loaded.tombstones,
            unsynced_since: None,
            retry_in: RETRY_MIN,
        }
    }

    /// Works until the log is closed.
    pub(super) fn run(mut self) {
        let _ending = Ending(Arc::clone(&self.shared));
        loop {
            match self.shared.queue.next(self.sync_in()) {
                Work::Appends(waiting) => self.append(waiting),
                Work::Purge(before) => self.purge(before),
                Work::Idle => {}
                Work::Close => break,
            }
            if self.sync_in() == Some(Duration::ZERO) {
                self.sync();
            }
        }
        if let Some(database) = self.database.take()
            && let Err(cause) = database.close()
        {
            error!(%cause, "failed to close the log as it should be");
        }
    }

    /// Writes appends. A second one to the same key has to wait until the first is durable: until then it cannot be
    /// told what it conflicts with.
    fn append(&mut self, mut waiting: Vec<Waiting>) {
        while !waiting.is_empty() {
            let (batch, second) = self.assign(waiting);
            if let Err(fault) = self.commit(batch) {
                self.recover(*fault, second);
                return;
            }
            waiting = second;
        }
    }

    /// Gives revisions to the appends whose keys are where they expect them, and answers those that conflict.
    fn assign(&mut self, waiting: Vec<Waiting>) -> (Batch, Vec<Waiting>) {
        let mut batch = Batch::after(self.head);
        // Digests rather than keys: two keys with the same one means that the second waits for the next batch.
        let mut keys: HashSet<u64> = HashSet::with_capacity(waiting.len());
        let mut second = Vec::new();
        for waiting in waiting {
            let key = &waiting.append.key;
            let digest = xxh3_64(key.as_str().as_bytes());
            if keys.contains(&digest) {
                second.push(waiting);
                continue;
            }
            let newest = self.replica.revision(key);
            if newest != waiting.append.expected {
                waiting.owner.settle(Err(AppendError::Conflict { newest }));
                continue;
            }
            self.revision.0 += 1;
            batch.head.contents.replace(key, newest, self.revision);
            keys.insert(digest);
            let Waiting { append, owner } = waiting;
            let (key, revision, value) = (append.key, self.revision, append.value);
            batch.entries.push(Entry { key, revision, written: revision, value });
            batch.owners.push(owner);
        }
        batch.head.revision = self.revision;
        (batch, second)
    }

    /// Removes the tombstones of before this instant from the log, then from the replica.
    fn purge(&mut self, before: i64) {
        let mut batch = Batch::after(self.head);
        while batch.removed.len() < BATCH_MAX
            && let Some(tombstone) = self.tombstones.take_older(before)
        {
            // The key may have been written again.
            if self.replica.revision(&tombstone.key) == tombstone.revision {
                batch.head.contents.remove(&tombstone.key, tombstone.revision);
                batch.removed.push(tombstone);
            }
        }
        batch.head.revision = self.revision;
        let more = batch.removed.len() == BATCH_MAX;
        match self.commit(batch) {
            Ok(()) if more => self.shared.queue.purge(before),
            Ok(()) => {}
            Err(fault) => self.recover(*fault, Vec::new()),
        }
    }

    /// Writes the batch and, when it is as durable as promised, hands it on.
    fn commit(&mut self, batch: Batch) -> Result<(), Box<Fault>> {
        let Some(database) = self.database.as_ref().filter(|_| !batch.is_empty()) else {
            // A log that closes in the middle of a fault has no database any more, and takes no appends either.
            return Ok(());
        };
        let mode = match self.options.durability {
            Durability::Full => PersistMode::SyncData,
            Durability::Relaxed => PersistMode::Buffer,
        };
        let begun = Instant::now();
        if let Err(cause) = self.write(database, &batch.entries, &batch.removed, &batch.head, mode) {
            return Err(Box::new(Fault { cause, batch: Some(batch) }));
        }
        match self.options.durability {
            Durability::Full => self.shared.counters.synced(begun.elapsed()),
            Durability::Relaxed => {
                self.unsynced_since.get_or_insert_with(Instant::now);
            }
        }
        self.shared.counters.appended(batch.entries.len());
        self.retry_in = RETRY_MIN;
        self.hand_on(batch);
        Ok(())
    }

    /// Writes to the database.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "unit tests put faults in the way here"))]
    pub(super) fn write(
        &self,
        database: &Database,
        entries: &[Entry],
        removed: &[Tombstone],
        head: &Head,
        mode: PersistMode,
    ) -> Result<(), OpenError> {
        #[cfg(test)]
        self.options.faults.before_write(self.folder.path())?;
        database.write(entries, removed.iter().map(|tombstone| &tombstone.key), head, mode)?;
        #[cfg(test)]
        self.options.faults.after_write(self.folder.path())?;
        Ok(())
    }

    /// Gives what is durable to the replica, then drops the holds, then answers.
    fn hand_on(&mut self, batch: Batch) {
        let Batch { entries, owners, removed, head } = batch;
        self.head = head;
        self.tombstones.extend(entries.iter().filter_map(Tombstone::of));
        let revisions: Vec<Revision> = entries.iter().map(|entry| entry.revision).collect();
        if !entries.is_empty() {
            self.replica.install(entries);
        }
        for tombstone in removed {
            self.replica.purge(&tombstone.key, tombstone.revision);
        }
        for (owner, revision) in owners.into_iter().zip(revisions) {
            owner.settle(Ok(revision));
        }
    }

    /// Time until what was written has to be synced; `None` when all is.
    fn sync_in(&self) -> Option<Duration> {
        self.unsynced_since.map(|since| SYNC_EVERY.saturating_sub(since.elapsed()))
    }

    fn sync(&mut self) {
        self.unsynced_since = None;
        let Some(database) = &self.database else { return };
        let begun = Instant::now();
        match database.sync(PersistMode::SyncData) {
            Ok(()) => self.shared.counters.synced(begun.elapsed()),
            Err(cause) => self.recover(Fault { cause, batch: None }, Vec::new()),
        }
    }
}

impl Batch {
    /// A batch with nothing in it, to be written on top of what is there.
    fn after(head: Head) -> Batch {
        Batch { entries: Vec::new(), owners: Vec::new(), removed: Vec::new(), head }
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.removed.is_empty()
    }
}

/// Turns away whoever still waits when the committer ends, even by a panic: nobody may wait for ever.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        let abandoned = self.0.queue.abandon();
        if thread::panicking() {
            self.0
                .health
                .send_replace(Health::Failed("the thread that writes the log has panicked".to_owned()));
        }
        for waiting in abandoned {
            waiting.owner.settle(Err(AppendError::Unavailable));
        }
    }
}
