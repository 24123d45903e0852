//! The storage engine behind the log: one keyspace of fjall, with every entry under its key and the head beside them.
//!
//! What was decided here and why (facts of fjall 3.1.13, paths in its `src/`):
//!
//! - **One keyspace.** The head lives beside the entries, under a key that no entry can have. A keyspace of its own
//!   would be flushed far less often than the entries' and so keep old journals alive, all of which are replayed at
//!   the next start (`journal/manager.rs`, `maintenance`). It also means that a batch is always in one memtable.
//! - **Sync before apply.** A batch with a durability set is written and synced before it reaches the memtable
//!   (`batch/mod.rs`, `commit`); with a separate `persist` after the commit, a failed sync would leave it readable.
//! - **One worker thread.** With two, the first one spins on the queue for as long as the other compacts
//!   (`worker_pool.rs`, `WorkerMessage::Compact`).
//! - **No filters, large blocks, no compression.** The log reads a single key after a fault at most, and everything
//!   at its start; a block of 32 KiB means an eighth of the reads. Small records of this kind hardly compress.
//! - **Small memtables.** 16 MiB is what is held twice at worst, while one is flushed.
//! - **A journal that is empty after a stop.** It is read again at the next start, by one thread and at a look into
//!   another keyspace for each item (`recovery.rs`, `db.rs`), even where all of it has reached tables, and it is
//!   followed by another one only when it is 64 MB long (`worker_pool.rs`). So [`Database::close`] has the memtable
//!   flushed, and empties a journal that has become long. An empty file, and not none: without one the numbers of
//!   batches would begin anew (`db.rs`, `recover`).
//!
//! An error while a batch is written poisons the handle for good (`batch/mod.rs`; so does a failed flush or
//! compaction, `worker_pool.rs`): it has to be dropped and the folder opened again. Known limit: a commit that
//! comes upon 30 runs in level 0, or four memtables that wait to be flushed, waits for a worker, without end if the
//! worker has failed (`keyspace/mod.rs`, `local_backpressure`); with one worker and one keyspace neither queue grows
//! that long.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{AbstractTree, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::error::OpenError;
use super::folder::Folder;
use super::head::Head;
use super::journal;
use super::options::Options;
use crate::{Entry, Key, record};

/// The keyspace with the entries and the head.
const ENTRIES: &str = "entries";

/// The key of the head: no UTF-8, so no entry's key, and greater than all of them.
pub(super) const HEAD: [u8; 1] = [0xff];

const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;
const BLOCK_BYTES: u32 = 32 * 1024;
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;

/// A journal that takes no more than this on the disk is left as it is when the log is closed: it is read in no time.
const JOURNAL_SHORT_BYTES: u64 = 4 * 1024 * 1024;

/// How often, and how many times, closing looks whether all is in tables: for 5 s. A disk that is full never gets there.
const FLUSH_LOOK_EVERY: Duration = Duration::from_millis(1);
const FLUSH_LOOKS: u32 = 5_000;

/// An open handle to the storage engine.
pub(super) struct Database {
    pub(super) entries: Keyspace,
    engine: fjall::Database,
    /// The data folder, for messages.
    pub(super) path: PathBuf,
    /// Where the storage engine's files are.
    storage: PathBuf,
}

impl Database {
    /// Makes an empty one.
    pub(super) fn create(folder: &Folder, options: &Options) -> Result<Database, OpenError> {
        let storage = folder.storage();
        let database = open(folder, &storage, options)?;
        Database::with_entries(folder, storage, database)
    }

    /// Makes an empty one that is to take the place of the one that is there.
    pub(super) fn create_beside(folder: &Folder, options: &Options) -> Result<Database, OpenError> {
        let storage = folder.new_storage()?;
        let database = open(folder, &storage, options)?;
        Database::with_entries(folder, storage, database)
    }

    /// Opens the one that is there.
    pub(super) fn open(folder: &Folder, options: &Options) -> Result<Database, OpenError> {
        let lost = |what: &str| OpenError::incomplete(folder.path(), format!("{what} is gone"));
        let storage = folder.storage();
        if !storage.is_dir() {
            return Err(lost("the folder of the storage engine"));
        }
        let database = open(folder, &storage, options)?;
        if !database.keyspace_exists(ENTRIES) {
            return Err(lost("the keyspace of the entries"));
        }
        Database::with_entries(folder, storage, database)
    }

    fn with_entries(
        folder: &Folder,
        storage: PathBuf,
        database: fjall::Database,
    ) -> Result<Database, OpenError> {
        let path = folder.path().to_owned();
        match database.keyspace(ENTRIES, entries_options) {
            Ok(entries) => Ok(Database { entries, engine: database, path, storage }),
            Err(cause) => Err(OpenError::storage(&path, cause)),
        }
    }

    /// What the log holds in all, as its newest batch has it.
    pub(super) fn head(&self) -> Result<Head, OpenError> {
        let stored = self.entries.get(HEAD).map_err(|cause| OpenError::storage(&self.path, cause))?;
        let stored = stored.ok_or_else(|| OpenError::incomplete(&self.path, "its head is gone"))?;
        Head::decode(&stored).map_err(|cause| OpenError::record(&self.path, b"head", cause))
    }

    /// Writes entries, removals and the head that belongs to them as one batch, as durable as `mode` says.
    ///
    /// After an error it may have been written or not, and nothing can be written any more.
    pub(super) fn write<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a Entry>,
        removed: impl IntoIterator<Item = &'a Key>,
        head: &Head,
        mode: PersistMode,
    ) -> Result<(), OpenError> {
        let mut batch = self.engine.batch().durability(Some(mode));
        let mut stored = Vec::new();
        for entry in entries {
            record::encode(entry.revision, &entry.value, &mut stored);
            batch.insert(&self.entries, entry.key.as_str(), &stored[..]);
        }
        for key in removed {
            batch.remove(&self.entries, key.as_str());
        }
        batch.insert(&self.entries, HEAD, head.encode());
        batch.commit().map_err(|cause| OpenError::storage(&self.path, cause))
    }

    /// Waits until the disk has confirmed all that was written.
    pub(super) fn sync(&self, mode: PersistMode) -> Result<(), OpenError> {
        self.engine.persist(mode).map_err(|cause| OpenError::storage(&self.path, cause))
    }

    /// Closes it when the disk has confirmed all that was written, and leaves no long journal to the next start if that
    /// can be helped.
    pub(super) fn close(self) -> Result<(), OpenError> {
        self.sync(PersistMode::SyncAll)?;
        let storage = self.storage.clone();
        let failed = |cause| OpenError::io(&storage, cause);
        let is_long = journal::disk_bytes(&storage).map_err(failed)? > JOURNAL_SHORT_BYTES;
        let all_in_tables = is_long && self.flush()?;
        // Waits for its threads: from here on nobody else has the journal.
        drop(self);
        if all_in_tables { journal::empty(&storage).map_err(failed) } else { Ok(()) }
    }

    /// Has everything that is in memtables written to tables, and synced there. Whether that came about in time: only
    /// then is the journal of no more use, and nothing would tell if it was missing, since the head in the tables is of
    /// the same batch as the entries there.
    fn flush(&self) -> Result<bool, OpenError> {
        self.entries.rotate_memtable().map_err(|cause| OpenError::storage(&self.path, cause))?;
        for _ in 0..FLUSH_LOOKS {
            if self.entries.tree.get_highest_memtable_seqno().is_none() {
                return Ok(true);
            }
            thread::sleep(FLUSH_LOOK_EVERY);
        }
        Ok(false)
    }
}

fn open(folder: &Folder, storage: &Path, options: &Options) -> Result<fjall::Database, OpenError> {
    fjall::Database::builder(storage)
        .cache_size(options.cache_bytes)
        .max_journaling_size(JOURNAL_BYTES)
        .worker_threads(1)
        .open()
        .map_err(|cause| opening(folder.path(), cause))
}

/// A file or folder of the storage engine that is missing was lost; it makes them all before it is first used.
fn opening(path: &Path, cause: fjall::Error) -> OpenError {
    match cause {
        fjall::Error::Unrecoverable => OpenError::incomplete(path, "files of the storage engine are gone"),
        other => OpenError::storage(path, other),
    }
}

/// How the keyspace is made. The storage engine keeps this with it: a change here holds for new logs only.
fn entries_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
        .data_block_compression_policy(CompressionPolicy::disabled())
        .filter_policy(FilterPolicy::disabled())
        .expect_point_read_hits(true)
}
