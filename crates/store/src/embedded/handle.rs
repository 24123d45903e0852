//! The handle of an open log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::committer::Committer;
use super::error::OpenError;
use super::folder::{self, Folder};
use super::load::load;
use super::options::Options;
use super::shared::Shared;
use crate::{Append, AppendError, Health, Hold, Log, LogId, Receipt, Replica, Stats};

/// A log in a data folder, which it holds locked for as long as it is open.
///
/// What the [contract](Log) leaves open: appends are answered in batches, one for each sync of the disk; a tombstone
/// that was purged is gone from the disk before the replica hears of it; after a fault the log opens its folder again
/// by itself, until it succeeds. Dropping it closes it.
pub struct Embedded {
    id: LogId,
    path: PathBuf,
    waiting_max: usize,
    shared: Arc<Shared>,
    /// Taken by whoever closes the log. A lock, so that whoever closes it at the same time waits too.
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    /// Opens the log in the folder at `path`, making both if need be, and hands all entries to the replica before it
    /// returns.
    ///
    /// # Errors
    ///
    /// All that [`OpenError`] has but [`OpenError::Missing`].
    pub fn open(path: &Path, options: Options, replica: Arc<dyn Replica>) -> Result<Embedded, OpenError> {
        let mut folder = Folder::open(path)?;
        let loaded = load(&mut folder, &options, &*replica)?;
        let id = folder.id();
        let waiting_max = options.waiting_max;
        let shared = Arc::new(Shared::new(waiting_max));
        let committer = Committer::new(loaded, folder, options, replica, Arc::clone(&shared));
        let committer = thread::Builder::new()
            .name("porchlight-log".to_owned())
            .spawn(move || committer.run())
            .map_err(|cause| OpenError::io(path, cause))?;
        Ok(Embedded {
            id,
            path: path.to_owned(),
            waiting_max,
            shared,
            committer: Mutex::new(Some(committer)),
        })
    }

    /// Whether there is a log in the folder at `path`, in whatever state.
    pub fn exists(path: &Path) -> bool {
        folder::is_marked(path)
    }

    /// Whether a log could be made in the folder at `path`, which is there and has none.
    ///
    /// # Errors
    ///
    /// [`OpenError::Foreign`] when something else is in it.
    pub fn fits(path: &Path) -> Result<(), OpenError> {
        folder::refuse_foreign(path)
    }

    /// Bytes that the data folder takes on the disk.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn disk_bytes(&self) -> io::Result<u64> {
        folder::disk_bytes(&self.path)
    }
}

impl Log for Embedded {
    fn id(&self) -> LogId {
        self.id
    }

    fn waiting_max(&self) -> usize {
        self.waiting_max
    }

    fn append(&self, append: Append, hold: Hold) -> Result<Receipt, AppendError> {
        self.shared.queue.push(append, hold)
    }

    fn purge(&self, before: i64) {
        self.shared.queue.purge(before);
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }

    fn stats(&self) -> Stats {
        self.shared.stats()
    }

    fn close(&self) {
        self.shared.queue.close();
        let mut committer = self.committer.lock();
        let Some(handle) = committer.take() else { return };
        if handle.thread().id() == thread::current().id() {
            // The last handle was dropped by something that the committer itself dropped. It ends when it is done
            // with that, and cannot wait for itself.
            return;
        }
        // A panic was reported where it happened, and health tells of it.
        if handle.join().is_ok() {
            self.shared.health.send_replace(Health::Closed);
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}
