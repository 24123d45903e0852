//! The data folder: what is in it, who may use it, and whose it is.
//!
//! | name | what it is |
//! |---|---|
//! | `porchlight.log` | four lines: what this is, its format, the log's id, and whether it was made completely |
//! | `lock` | locked for as long as a handle is open |
//! | `fjall/` | the storage engine's folder |
//! | `development/` | not ours: what the program keeps in development mode |
//!
//! The marker is written first with `state new` and again with `state ready` when the storage engine has its first
//! durable batch. Nothing can have been acknowledged while the state is new, so what an interrupted creation leaves
//! is thrown away; a folder in state ready without its storage has lost it, and says so.
//!
//! While everything is written anew there is also `fjall.new/`, and for a moment `fjall.old/`. The next one who opens the
//! folder removes what an interruption has left of them, and puts the old one back if nothing is in its place.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::str::Lines;

use uuid::Uuid;

use super::error::OpenError;
use crate::LogId;

/// The format of the data folder that this program writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// Whether the folder at `path` has the marker of a log.
pub(super) fn is_marked(path: &Path) -> bool {
    path.join(MARKER).exists()
}

const TITLE: &str = "porchlight log";
const MARKER: &str = "porchlight.log";
const MARKER_NEW: &str = "porchlight.log.new";
const LOCK: &str = "lock";
const STORAGE: &str = "fjall";
const STORAGE_NEW: &str = "fjall.new";
const STORAGE_OLD: &str = "fjall.old";

/// What may lie in a folder without a marker: what we leave before there is one, what a fresh file system has, and what
/// a development server without a log has kept there.
const HARMLESS: [&str; 4] = [LOCK, MARKER_NEW, "lost+found", "development"];

/// A data folder that is locked for this handle.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    marker: Marker,
    /// The lock lasts as long as this file is open.
    _lock: File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marker {
    id: LogId,
    ready: bool,
}

impl Folder {
    /// Locks the data folder at `path`, making it if there is none.
    ///
    /// One that is made is for nobody else to read: in it are what people say of themselves, and secrets. One that was
    /// there keeps its rights, which whoever made it has chosen.
    pub(super) fn open(path: &Path) -> Result<Folder, OpenError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|cause| OpenError::writing(path, cause))?;
        if !has_marker(path)? {
            refuse_foreign(path)?;
        }
        let lock = lock(path)?;
        let marker = match Marker::read(path)? {
            Some(marker) => marker,
            None => Marker::create(path)?,
        };
        if marker.ready {
            end_replacement(path)?;
        } else {
            remove(&path.join(STORAGE))?;
        }
        Ok(Folder { path: path.to_owned(), marker, _lock: lock })
    }

    /// Locks the data folder at `path`, which must be there.
    pub(super) fn existing(path: &Path) -> Result<Folder, OpenError> {
        if !has_marker(path)? {
            return Err(OpenError::Missing { path: path.to_owned() });
        }
        Folder::open(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the storage engine's files are.
    pub(super) fn storage(&self) -> PathBuf {
        self.path.join(STORAGE)
    }

    /// Where the storage engine's files are to be that take the place of these; nothing is there.
    pub(super) fn new_storage(&self) -> Result<PathBuf, OpenError> {
        let new = self.path.join(STORAGE_NEW);
        remove(&new)?;
        Ok(new)
    }

    /// Puts the new storage in the place of the old one, which is removed. Nobody may have either open.
    pub(super) fn replace_storage(&self) -> Result<(), OpenError> {
        let (storage, old) = (self.storage(), self.path.join(STORAGE_OLD));
        let replace = || {
            fs::rename(&storage, &old)?;
            fs::rename(self.path.join(STORAGE_NEW), &storage)?;
            sync_folder(&self.path)
        };
        replace().map_err(|cause| OpenError::io(&storage, cause))?;
        remove(&old)
    }

    pub(super) fn id(&self) -> LogId {
        self.marker.id
    }

    /// Whether the log in it was made completely; if not, there is nothing in it.
    pub(super) fn is_ready(&self) -> bool {
        self.marker.ready
    }

    /// Notes that the log in it was made completely.
    pub(super) fn set_ready(&mut self) -> Result<(), OpenError> {
        let marker = Marker { ready: true, ..self.marker };
        marker.write(&self.path)?;
        // The folder may be new too. Its parent may be one that we cannot open; then somebody else made the folder.
        if let Ok(path) = self.path.canonicalize()
            && let Some(parent) = path.parent()
        {
            let _ = sync_folder(parent);
        }
        self.marker = marker;
        Ok(())
    }
}

/// Bytes that the files in this folder take on the disk.
pub(super) fn disk_bytes(path: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for item in fs::read_dir(path)? {
        let item = item?;
        bytes += match item.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&item.path())?,
            // Not the length: a journal is as long from the start as it may become. A block has 512 bytes here.
            Ok(metadata) => metadata.blocks() * 512,
            // The storage engine removed it in the meantime.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => 0,
            Err(cause) => return Err(cause),
        };
    }
    Ok(bytes)
}

/// Makes the names in this folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn has_marker(path: &Path) -> Result<bool, OpenError> {
    let marker = path.join(MARKER);
    match marker.try_exists() {
        Ok(exists) => Ok(exists),
        Err(cause) => Err(OpenError::writing(path, cause)),
    }
}

/// Refuses a folder with something in it that we did not put there.
pub(super) fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    for item in fs::read_dir(path).map_err(|cause| OpenError::writing(path, cause))? {
        let name = item.map_err(|cause| OpenError::io(path, cause))?.file_name();
        let name = name.to_string_lossy();
        if name != MARKER && !HARMLESS.contains(&&*name) {
            return Err(OpenError::Foreign { path: path.to_owned(), found: name.into_owned() });
        }
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join(LOCK))
        .map_err(|cause| OpenError::writing(path, cause))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(OpenError::io(&path.join(LOCK), cause)),
    }
}

/// Ends what an interrupted replacement of the storage left: the old one counts until the new one is in its place.
fn end_replacement(path: &Path) -> Result<(), OpenError> {
    let (storage, old) = (path.join(STORAGE), path.join(STORAGE_OLD));
    if !storage.exists() && old.exists() {
        fs::rename(&old, &storage).map_err(|cause| OpenError::io(&storage, cause))?;
    }
    remove(&path.join(STORAGE_NEW))?;
    remove(&old)
}

/// Removes a folder with all that is in it, if it is there.
fn remove(folder: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(OpenError::io(folder, cause)),
    }
}

/// What stands on the next line after this name.
fn field<'text>(lines: &mut Lines<'text>, name: &str) -> Option<&'text str> {
    lines.next()?.strip_prefix(name)?.strip_prefix(' ')
}

impl Marker {
    /// Marks the folder as ours, with a new id.
    fn create(path: &Path) -> Result<Marker, OpenError> {
        let marker = Marker { id: LogId(Uuid::new_v4()), ready: false };
        marker.write(path)?;
        Ok(marker)
    }

    fn read(path: &Path) -> Result<Option<Marker>, OpenError> {
        let file = path.join(MARKER);
        match fs::read_to_string(&file) {
            Ok(text) => Marker::parse(path, &text).map(Some),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(OpenError::io(&file, cause)),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Marker, OpenError> {
        let foreign = || OpenError::Foreign { path: path.to_owned(), found: MARKER.to_owned() };
        let mut lines = text.lines();
        if lines.next() != Some(TITLE) {
            return Err(foreign());
        }
        let format: u32 =
            field(&mut lines, "format").and_then(|text| text.parse().ok()).ok_or_else(foreign)?;
        // Before the other lines, which a newer format may have changed.
        if format > FORMAT {
            return Err(OpenError::NewerFormat { path: path.to_owned(), found: format, known: FORMAT });
        }
        let id = field(&mut lines, "id").and_then(|text| Uuid::parse_str(text).ok()).ok_or_else(foreign)?;
        let ready = match field(&mut lines, "state") {
            Some("ready") => true,
            Some("new") => false,
            _ => return Err(foreign()),
        };
        Ok(Marker { id: LogId(id), ready })
    }

    fn text(self) -> String {
        let state = if self.ready { "ready" } else { "new" };
        format!("{TITLE}\nformat {FORMAT}\nid {}\nstate {state}\n", self.id.0)
    }

    /// Writes the marker so that either the one before or this one is there after a crash.
    fn write(self, path: &Path) -> Result<(), OpenError> {
        let new = path.join(MARKER_NEW);
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(self.text().as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, path.join(MARKER))?;
            sync_folder(path)
        };
        write().map_err(|cause| OpenError::writing(path, cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marker_of_format_1_still_loads() {
        let text = "porchlight log\nformat 1\nid 67e55044-10b1-426f-9247-bb680e5fe0c8\nstate ready\n";
        let marker = Marker::parse(Path::new("data"), text).unwrap();
        assert!(marker.ready);
        assert_eq!(marker.text(), text);
    }

    #[test]
    fn newer_format_is_named_and_other_files_are_foreign() {
        let newer = Marker::parse(Path::new("data"), "porchlight log\nformat 12\nshape round\n").unwrap_err();
        assert!(matches!(newer, OpenError::NewerFormat { found: 12, known: 1, .. }));
        assert!(newer.to_string().contains("format 12"));
        for text in
            ["", "something else\n", "porchlight log\nformat one\n", "porchlight log\nformat 1\nid 7\n"]
        {
            let foreign = Marker::parse(Path::new("data"), text).unwrap_err();
            assert!(matches!(foreign, OpenError::Foreign { .. }), "{text:?}");
        }
    }

    #[test]
    fn interrupted_creation_begins_again_under_the_same_id() {
        let place = tempfile::tempdir().unwrap();
        let first = Folder::open(place.path()).unwrap();
        let id = first.id();
        fs::create_dir(first.storage()).unwrap();
        drop(first);
        let second = Folder::open(place.path()).unwrap();
        assert_eq!(second.id(), id);
        assert!(!second.is_ready());
        assert!(!second.storage().exists());
    }
}
