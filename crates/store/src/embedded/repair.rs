//! Cutting a torn batch off the end of the journal.

use std::path::{Path, PathBuf};

use super::error::{OpenError, RepairError};
use super::folder::Folder;
use super::journal::{self, TailState};
use super::load::load;
use super::options::Options;
use crate::{Entry, Key, Replica, Revision};

/// What was done to a data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing had to be: everything is there.
    Nothing,
    /// What follows the last whole batch of the journal was cut off. Everything else is there.
    Cut {
        /// The file that was cut.
        journal: PathBuf,
        /// Bytes that were cut off, without the zeros after them.
        bytes: u64,
        /// Where they were copied to before.
        copy: PathBuf,
    },
}

/// Cuts a torn batch off the end of the journal of the data folder at `path`, and makes sure that everything else is
/// there. Whole batches are never touched; what is cut off is copied beside the journal first.
///
/// The entries of a batch travel with the head that counts them, so the head fits what is left and is never
/// rewritten: entries that are missing for another reason stay missing, and are reported.
///
/// # Errors
///
/// [`RepairError::NotTorn`] when whole batches follow the damage, and [`RepairError::Open`] when the folder is in use,
/// cannot be written, or cannot be opened for a reason that a cut does not remove.
pub fn repair(path: &Path) -> Result<Repair, RepairError> {
    let mut folder = Folder::existing(path)?;
    let repaired = if folder.is_ready() { cut_tail(&folder)? } else { Repair::Nothing };
    load(&mut folder, &Options::default(), &Forgetful)?;
    Ok(repaired)
}

fn cut_tail(folder: &Folder) -> Result<Repair, RepairError> {
    let storage = folder.storage();
    let journal = match journal::active(&storage) {
        Ok(Some(journal)) => journal,
        Ok(None) => return Err(OpenError::incomplete(folder.path(), "its journal is gone").into()),
        Err(cause) => return Err(OpenError::io(&storage, cause).into()),
    };
    let failed = |cause| OpenError::io(&journal, cause);
    let tail = journal::examine(&journal).map_err(failed)?;
    match tail.state {
        TailState::Clean => Ok(Repair::Nothing),
        TailState::Unfinished | TailState::Torn => {
            let copy = journal::cut(&journal, &tail).map_err(failed)?;
            Ok(Repair::Cut { journal, bytes: tail.bytes(), copy })
        }
        TailState::Hole => Err(RepairError::NotTorn { journal, at: tail.whole }),
    }
}

/// The replica of a log that is only looked at.
pub(super) struct Forgetful;

impl Replica for Forgetful {
    fn revision(&self, _key: &Key) -> Revision {
        Revision::NONE
    }

    fn install(&self, _entries: Vec<Entry>) {}

    fn purge(&self, _key: &Key, _revision: Revision) {}
}
