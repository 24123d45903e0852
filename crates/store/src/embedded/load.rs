//! Opening what is in a data folder, and making sure that all of it is there.

use fjall::PersistMode;
use tracing::warn;

use super::database::Database;
use super::error::OpenError;
use super::folder::Folder;
use super::head::Head;
use super::journal::{self, TailState};
use super::options::Options;
use super::replay::Replayed;
use crate::Replica;
use crate::tombstones::Tombstones;

/// An open log, as a committer takes it over.
pub(super) struct Loaded {
    pub(super) database: Database,
    pub(super) head: Head,
    pub(super) tombstones: Tombstones,
}

/// Opens the log in the folder, making it if it was not made completely, and hands all entries to the replica.
pub(super) fn load(
    folder: &mut Folder,
    options: &Options,
    replica: &dyn Replica,
) -> Result<Loaded, OpenError> {
    if !folder.is_ready() {
        return create(folder, options);
    }
    check_journal(folder)?;
    let database = Database::open(folder, options)?;
    let head = database.head()?;
    let replayed = database.replay(&|entries| replica.install(entries))?;
    verify(folder, head, &replayed)?;
    let mut tombstones = Tombstones::default();
    tombstones.extend(replayed.tombstones);
    Ok(Loaded { database, head, tombstones })
}

fn create(folder: &mut Folder, options: &Options) -> Result<Loaded, OpenError> {
    let database = Database::create(folder, options)?;
    let head = Head::default();
    database.write([], [], &head, PersistMode::SyncAll)?;
    folder.set_ready()?;
    Ok(Loaded { database, head, tombstones: Tombstones::default() })
}

/// Refuses a journal that the storage engine would not open, or whose whole batches it would cut off.
pub(super) fn check_journal(folder: &Folder) -> Result<(), OpenError> {
    let storage = folder.storage();
    if !storage.is_dir() {
        // The database says what is to be said about that.
        return Ok(());
    }
    let Some(journal) = journal::active(&storage).map_err(|cause| OpenError::io(&storage, cause))? else {
        return Err(OpenError::incomplete(folder.path(), "its journal is gone"));
    };
    let tail = journal::examine(&journal).map_err(|cause| OpenError::io(&journal, cause))?;
    match tail.state {
        TailState::Clean => Ok(()),
        TailState::Unfinished => {
            warn!(
                bytes = tail.bytes(),
                "leaving out the batch that was being written when the log was last open"
            );
            Ok(())
        }
        TailState::Torn => {
            Err(OpenError::Damaged { path: folder.path().to_owned(), journal, bytes: tail.bytes() })
        }
        TailState::Hole => {
            let name = journal.display();
            let why =
                format!("its journal {name} is damaged at byte {}, and whole batches follow", tail.whole);
            Err(OpenError::incomplete(folder.path(), why))
        }
    }
}

/// Compares what was read with what the log holds by its head.
pub(super) fn verify(folder: &Folder, head: Head, replayed: &Replayed) -> Result<(), OpenError> {
    if replayed.contents == head.contents && replayed.highest <= head.revision {
        return Ok(());
    }
    let (found, expected) = (replayed.contents.keys, head.contents.keys);
    let why = if found == expected {
        format!("some of its {expected} entries are not the newest")
    } else {
        format!("it should have {expected} entries and has {found}")
    };
    Err(OpenError::incomplete(folder.path(), why))
}
