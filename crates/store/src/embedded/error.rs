//! Why a data folder cannot be opened or repaired.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use crate::RecordError;

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be made or written to.
    #[error(
        "the data folder {} cannot be written ({cause}); create it, or give it to the user that runs porchlight",
        .path.display()
    )]
    NotWritable {
        /// The data folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// It holds something else.
    #[error(
        "{} is no data folder of porchlight: it holds {found:?}; choose an empty folder or an earlier data folder",
        .path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The name of something in it that is not ours.
        found: String,
    },
    /// There is no data folder.
    #[error("{} is no data folder of porchlight: it has no porchlight.log", .path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// Another process, or another handle of this one, has it open.
    #[error("the data folder {} is in use by another porchlight; stop that one first", .path.display())]
    InUse {
        /// The data folder.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error(
        "the data folder {} has format {found}, and this porchlight knows none newer than {known}; use a newer one",
        .path.display()
    )]
    NewerFormat {
        /// The data folder.
        path: PathBuf,
        /// The format that it has.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The last batch of its journal is torn: its end is there and something before it is not.
    #[error(
        "the last {bytes} bytes of the journal {} are a torn batch, as a power failure leaves them; \
         run `porchlight doctor --repair --data {}` to cut them off",
        .journal.display(),
        .path.display()
    )]
    Damaged {
        /// The data folder.
        path: PathBuf,
        /// The file with the torn batch.
        journal: PathBuf,
        /// The length of the torn batch, in bytes.
        bytes: u64,
    },
    /// Something that was acknowledged is not there any more.
    #[error("the data folder {} has lost entries: {why}; restore it from a backup", .path.display())]
    Incomplete {
        /// The data folder.
        path: PathBuf,
        /// How that showed.
        why: String,
    },
    /// A record in it cannot be read.
    #[error("the data folder {} has a record that cannot be read, {key:?}: {cause}", .path.display())]
    Record {
        /// The data folder.
        path: PathBuf,
        /// The key of the record.
        key: String,
        /// Why it cannot be read.
        #[source]
        cause: RecordError,
    },
    /// The storage engine failed.
    #[error("the storage engine failed on the data folder {}: {cause}", .path.display())]
    Storage {
        /// The data folder.
        path: PathBuf,
        /// What the storage engine said.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// A file or folder could not be read or written.
    #[error("reading or writing {} failed: {cause}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

impl OpenError {
    /// The error for a failure of the storage engine in this folder.
    pub(super) fn storage(path: &Path, cause: fjall::Error) -> OpenError {
        let cause: Box<dyn Error + Send + Sync> = match cause {
            // Its own message would wrap the system's twice.
            fjall::Error::Io(cause) => cause.into(),
            other => other.into(),
        };
        OpenError::Storage { path: path.to_owned(), cause }
    }

    /// The error for something that is missing in this folder.
    pub(super) fn incomplete(path: &Path, why: impl Into<String>) -> OpenError {
        OpenError::Incomplete { path: path.to_owned(), why: why.into() }
    }

    /// The error for a record that cannot be read.
    pub(super) fn record(path: &Path, key: &[u8], cause: RecordError) -> OpenError {
        OpenError::Record { path: path.to_owned(), key: String::from_utf8_lossy(key).into_owned(), cause }
    }

    /// The error for a failed read or write of this file or folder.
    pub(super) fn io(path: &Path, cause: io::Error) -> OpenError {
        OpenError::Io { path: path.to_owned(), cause }
    }

    /// The error for a failure to create or write something in this data folder.
    pub(super) fn writing(path: &Path, cause: io::Error) -> OpenError {
        match cause.kind() {
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotFound => OpenError::NotWritable { path: path.to_owned(), cause },
            _ => OpenError::io(path, cause),
        }
    }
}

/// Why a data folder was not repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// It is damaged somewhere else than at the end of its journal. Nothing was changed.
    #[error(
        "the journal {} is damaged at byte {at}, and whole batches follow that a cut would lose; nothing was changed, \
         restore the data folder from a backup",
        .journal.display()
    )]
    NotTorn {
        /// The damaged file.
        journal: PathBuf,
        /// Where its first damaged batch begins.
        at: u64,
    },
    /// It cannot be opened for another reason than a torn batch. Nothing was changed, unless a torn batch was cut off
    /// first, which its `.torn` copy beside the journal shows.
    #[error(transparent)]
    Open(#[from] OpenError),
}
