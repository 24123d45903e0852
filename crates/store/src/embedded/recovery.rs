//! What the committer does about a fault.
//!
//! A handle of the storage engine that failed once is of no further use, and what became of the batch in its hands
//! is not known. So: say so, turn everybody away, drop the handle, and try again and again, from the folder:
//!
//! 1. Open it. A batch that was written in part is gone then, or is torn and cut off.
//! 2. Compare the head with the two that are possible. As it was before the batch: the batch was not written, and
//!    its holds are dropped. As the batch left it: it is there, though perhaps only in the memory of a kernel whose
//!    sync failed, which proves nothing about the disk even if a second one succeeds without writing anything.
//! 3. Write the batch, or if it is not there the head alone, once more and sync it. Now it is durable, and the disk
//!    is known to take writes.
//! 4. Read everything. It must add up to the head; what the replica does not have yet it gets now.
//! 5. Drop the holds that are left and take appends again.
//!
//! Readers notice nothing of all this: they ask the replica.

use std::time::Duration;

use fjall::PersistMode;
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::committer::{Batch, Committer, Fault};
use super::database::Database;
use super::error::OpenError;
use super::head::{Contents, Head};
use super::journal;
use super::load;
use super::queue::Waiting;
use super::replay::Replayed;
use crate::append::Owner;
use crate::tombstones::{Tombstone, Tombstones};
use crate::{AppendError, Entry, Health, Hold};

/// How long to wait before the first attempt, and at most before each other: every one waits twice as long as the one
/// before. Even the first waits, for the threads of the handle that was dropped to be gone.
pub(super) const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// A batch of which it is not known whether it was written.
struct Pending {
    entries: Vec<Entry>,
    removed: Vec<Tombstone>,
    /// What the log holds if it was.
    contents: Contents,
    /// Held back until that is known, for the sake of their drop.
    _holds: Vec<Hold>,
}

impl Pending {
    /// Answers the owners of the batch that its outcome is unknown.
    fn new(batch: Batch) -> Pending {
        let Batch { entries, owners, removed, head } = batch;
        let holds = owners.into_iter().map(Owner::unknown).collect();
        Pending { entries, removed, contents: head.contents, _holds: holds }
    }
}

impl Committer {
    /// Recovers from a fault, however long that takes; only the end of the log cuts it short. Those of `refused` are
    /// turned away like all who wait.
    pub(super) fn recover(&mut self, fault: Fault, refused: Vec<Waiting>) {
        let Fault { cause, batch } = fault;
        let mut reason = cause.to_string();
        error!(%cause, "the log has failed and takes no writes until it has recovered");
        self.shared.counters.failed();
        // Before anybody is answered: who hears of the fault finds the log failed.
        let waiting = self.shared.queue.fail();
        self.shared.health.send_replace(Health::Failed(reason.clone()));
        let mut pending = batch.map(Pending::new);
        for waiting in waiting.into_iter().chain(refused) {
            waiting.owner.settle(Err(AppendError::Unavailable));
        }
        self.database = None;
        self.unsynced_since = None;

        while self.shared.queue.pause(self.retry_in) {
            self.retry_in = (self.retry_in * 2).min(RETRY_MAX);
            let Err(cause) = self.reopen(&mut pending) else {
                self.shared.queue.recover();
                self.shared.health.send_replace(Health::Writable);
                info!("the log has recovered and takes writes again");
                return;
            };
            let cause = cause.to_string();
            if cause != reason {
                warn!(%cause, "the log cannot recover yet");
                self.shared.health.send_replace(Health::Failed(cause.clone()));
                reason = cause;
            }
        }
    }

    /// One attempt. After an error there is no database, and what is pending is so still or is known not to have
    /// been written.
    fn reopen(&mut self, pending: &mut Option<Pending>) -> Result<(), OpenError> {
        self.cut_torn_tail()?;
        let database = Database::open(&self.folder, &self.options)?;
        let found = database.head()?;
        self.revision = self.revision.max(found.revision);
        if found.contents == self.head.contents {
            // Not written. This drops the holds, long before the disk may take writes again.
            *pending = None;
        } else if pending.as_ref().is_none_or(|pending| pending.contents != found.contents) {
            return Err(OpenError::incomplete(
                self.folder.path(),
                "acknowledged entries are gone after a fault",
            ));
        }

        let head = Head { revision: self.revision, contents: found.contents };
        let (entries, removed): (&[Entry], &[Tombstone]) = match pending.as_ref() {
            Some(pending) => (&pending.entries[..], &pending.removed[..]),
            None => (&[], &[]),
        };
        let begun = Instant::now();
        self.write(&database, entries, removed, &head, PersistMode::SyncData)?;
        self.shared.counters.synced(begun.elapsed());

        let (missed, replayed) = self.read_missed(&database)?;
        load::verify(&self.folder, head, &replayed)?;
        self.shared.counters.appended(missed.len());
        if !missed.is_empty() {
            self.replica.install(missed);
        }
        for tombstone in removed {
            self.replica.purge(&tombstone.key, tombstone.revision);
        }
        *pending = None;
        self.tombstones = Tombstones::default();
        self.tombstones.extend(replayed.tombstones);
        self.head = head;
        self.database = Some(database);
        Ok(())
    }

    /// Cuts off what a failed write has left at the end of the journal, if it is such that the journal cannot be
    /// opened. Nobody needs to be asked: should more be gone than this process failed to write, the head shows it.
    fn cut_torn_tail(&self) -> Result<(), OpenError> {
        match load::check_journal(&self.folder) {
            Err(OpenError::Damaged { journal, .. }) => {
                let failed = |cause| OpenError::io(&journal, cause);
                let tail = journal::examine(&journal).map_err(failed)?;
                let copy = journal::cut(&journal, &tail).map_err(failed)?;
                warn!(bytes = tail.bytes(), copy = %copy.display(), "cut a torn batch off the journal");
                Ok(())
            }
            other => other,
        }
    }

    /// All that is in the log and newer than what the replica has, in revision order.
    fn read_missed(&self, database: &Database) -> Result<(Vec<Entry>, Replayed), OpenError> {
        let missed = Mutex::new(Vec::new());
        let replica = &self.replica;
        let replayed = database.replay(&|mut entries: Vec<Entry>| {
            entries.retain(|entry| replica.revision(&entry.key) < entry.revision);
            missed.lock().append(&mut entries);
        })?;
        let mut missed = missed.into_inner();
        missed.sort_unstable_by_key(|entry| entry.revision);
        Ok((missed, replayed))
    }
}
