//! Writing everything anew, so that the files hold nothing but what the log holds.
//!
//! The storage engine keeps the bytes of what was overwritten and removed until it happens to rewrite the file that they
//! are in: its tables when they are merged, its journal when that has become 64 MiB long. On a quiet server that may
//! take for ever. So all that is there is copied into a new storage, which then takes the place of the old one.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::PersistMode;
use parking_lot::Mutex;

use super::database::Database;
use super::error::OpenError;
use super::folder::{Folder, disk_bytes};
use super::load::{Loaded, load, verify};
use super::options::Options;
use super::repair::Forgetful;

/// What came of writing everything anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes that the storage took on the disk before.
    pub bytes_before: u64,
    /// Bytes that it takes now.
    pub bytes_after: u64,
}

/// Writes all that the log in the data folder at `path` holds anew. Of a key that was deleted nothing is left but its
/// tombstone, and of one whose tombstone was purged nothing at all.
///
/// It takes the room of the data once more while it lasts. An interruption leaves the log as it was. `tell` is told, by
/// several threads and now and then, how many entries have been written, and how many there are.
///
/// # Errors
///
/// Those of [`Embedded::open`](crate::Embedded::open), and [`OpenError::Missing`] when there is no data folder.
pub fn compact(path: &Path, tell: &(dyn Fn(u64, u64) + Sync)) -> Result<Compacted, OpenError> {
    let mut folder = Folder::existing(path)?;
    let bytes = |folder: &Folder| disk_bytes(&folder.storage()).map_err(|cause| OpenError::io(path, cause));
    let options = Options::default();
    let old = load(&mut folder, &options, &Forgetful)?;
    let bytes_before = bytes(&folder)?;
    copy(&folder, &old, &options, tell)?;
    drop(old);
    folder.replace_storage()?;
    Ok(Compacted { bytes_before, bytes_after: bytes(&folder)? })
}

/// Copies everything into a storage beside, and makes sure that it is there.
fn copy(
    folder: &Folder,
    old: &Loaded,
    options: &Options,
    tell: &(dyn Fn(u64, u64) + Sync),
) -> Result<(), OpenError> {
    let new = Database::create_beside(folder, options)?;
    let failure = Mutex::new(None);
    let copied = AtomicU64::new(0);
    let read = old.database.replay(&|entries| {
        if let Err(error) = new.write(&entries, [], &old.head, PersistMode::Buffer) {
            failure.lock().get_or_insert(error);
        }
        let count = entries.len() as u64;
        tell(copied.fetch_add(count, Ordering::Relaxed) + count, old.head.contents.keys);
    })?;
    if let Some(error) = failure.into_inner() {
        return Err(error);
    }
    verify(folder, old.head, &read)?;
    new.write([], [], &old.head, PersistMode::SyncAll)?;
    let written = new.replay(&|_| {})?;
    verify(folder, new.head()?, &written)?;
    new.close()
}
