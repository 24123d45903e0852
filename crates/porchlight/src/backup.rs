//! `porchlight backup` and `porchlight restore`: everything of a log in a file, and back into any other log.
//!
//! The file is the store's [`dump`]: entries as they are, whatever they mean. A folder is backed up while no server uses
//! it; a log in NATS while its nodes run. Then the file has, of every tenant, what was there at one moment, which may be
//! a later one for another tenant.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use parking_lot::Mutex;
use porchlight_engine::Clock;
use porchlight_store::dump::{self, DumpError};
use porchlight_store::{
    Append, AppendError, Embedded, Entry, JetStream, Key, Log, OpenError, Options, Receipt, Replica,
    Revision, Value,
};

use crate::cli::{BackupFlags, LogFlags, RestoreFlags};
use crate::config::DATA as DATA_FOLDER;
use crate::exit::{CANNOT_CREATE, DATA, Failure};
use crate::log_url::LogUrl;
use crate::progress::Progress;
use crate::say;

/// Writes everything that a log holds to a file.
///
/// # Errors
///
/// See [`BackupFlags`]: the help has the exit codes.
pub(crate) fn make(flags: &BackupFlags) -> Result<(), Failure> {
    let file = &flags.file;
    if !flags.force && file.exists() {
        return Err(Failure::usage(format!("{} is there already: --force replaces it", file.display())));
    }
    let place = Place::of(&flags.log)?;
    let collector = Arc::new(Collector::new(Some(Progress::counting("reading"))));
    place.open(false, collector.clone())?.close();
    let entries = collector.take();
    // Its bar makes room for the next one.
    drop(collector);
    write_whole(file, &entries).map_err(|cause| {
        Failure::new(CANNOT_CREATE, anyhow!("cannot write the backup {}: {cause}", file.display()))
    })?;
    say(&format!("{}: {} keys, which are {place}", file.display(), entries.len()));
    Ok(())
}

/// Fills an empty log with everything that is in a backup.
///
/// # Errors
///
/// See [`RestoreFlags`]: the help has the exit codes.
pub(crate) fn restore(flags: &RestoreFlags) -> Result<(), Failure> {
    let file = flags.file.display();
    let place = Place::of(&flags.log)?;
    // Before the log, of which nothing is made for a file that is of no use.
    let opened = File::open(&flags.file);
    let opened = opened.map_err(|cause| Failure::usage(format!("cannot read the backup {file}: {cause}")))?;
    let bytes = opened.metadata().map_or(0, |metadata| metadata.len());
    let entries = dump::read(Progress::of("checking", bytes).reading(opened))
        .map_err(|error: DumpError| Failure::new(DATA, anyhow!("the backup {file} is of no use: {error}")))?;
    let keys = entries.len();
    let collector = Arc::new(Collector::new(None));
    let log = place.open(true, collector.clone())?;
    if collector.len() > 0 {
        log.close();
        return Err(Failure::new(
            CANNOT_CREATE,
            anyhow!("what is {place} is not empty: restore into {}", place.another()),
        ));
    }
    let filled = fill(&*log, entries);
    log.close();
    filled.map_err(|cause| {
        let why = anyhow!("what is {place} is not complete ({cause}): restore into {}", place.another());
        Failure::new(CANNOT_CREATE, why)
    })?;
    say(&format!("{file}: {keys} keys, which are {place} now"));
    Ok(())
}

/// Appends everything to an empty log, as many at a time as it lets wait.
fn fill(log: &dyn Log, entries: Vec<(Key, Value)>) -> anyhow::Result<()> {
    let progress = Progress::of("restoring", entries.len() as u64);
    let fill = async {
        let mut waiting: VecDeque<Receipt> = VecDeque::new();
        for (key, value) in entries {
            if waiting.len() >= log.waiting_max()
                && let Some(first) = waiting.pop_front()
            {
                first.await?;
                progress.advance(1);
            }
            let append = Append { key, expected: Revision::NONE, value };
            waiting.push_back(log.append(append, Box::new(()))?);
        }
        for receipt in waiting {
            receipt.await?;
            progress.advance(1);
        }
        Ok::<(), AppendError>(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(fill)?)
}

/// Which log is meant.
enum Place {
    Folder(PathBuf),
    JetStream(Box<LogUrl>),
}

impl Place {
    fn of(flags: &LogFlags) -> Result<Place, Failure> {
        let Some(url) = &flags.log else {
            return Ok(Place::Folder(flags.data.clone().unwrap_or_else(|| PathBuf::from(DATA_FOLDER))));
        };
        let url = LogUrl::parse(url).map_err(|wrong| Failure::usage(format!("log: {wrong}")))?;
        Ok(Place::JetStream(Box::new(url)))
    }

    /// Opens the log, which is made if it is not there and `create` says so.
    fn open(&self, create: bool, replica: Arc<dyn Replica>) -> Result<Arc<dyn Log>, Failure> {
        let log: Arc<dyn Log> = match self {
            Place::Folder(path) => {
                if !create && !Embedded::exists(path) {
                    return Err(OpenError::Missing { path: path.clone() }.into());
                }
                Arc::new(Embedded::open(path, Options::default(), replica)?)
            }
            Place::JetStream(url) => {
                let mut options = url.options.clone();
                options.create = create;
                // As the nodes see it, among which it is for a moment.
                options.node = String::from(if create { "restore" } else { "backup" });
                Arc::new(JetStream::open(options, replica)?)
            }
        };
        Ok(log)
    }

    /// Where to restore to when this place will not do.
    fn another(&self) -> &'static str {
        match self {
            Place::Folder(_) => "another --data folder, or remove this one",
            Place::JetStream(_) => "another prefix, or remove these streams",
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Folder(path) => write!(formatter, "in {}", path.display()),
            // Without the replicas, of which the streams may have more than the URL demands.
            Place::JetStream(url) => {
                let (servers, prefix) = (url.options.servers.join(", "), &url.options.prefix);
                write!(formatter, "in NATS JetStream at {servers} (prefix {prefix})")
            }
        }
    }
}

/// Writes a dump, for nobody else to read, so that either all of it is there or what was there before.
fn write_whole(file: &Path, entries: &BTreeMap<Key, Value>) -> io::Result<()> {
    let name = file.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let new = file.with_file_name([name, ".new".as_ref()].into_iter().collect::<OsString>());
    // What an interruption has left may have other rights.
    match fs::remove_file(&new) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        Ok(()) | Err(_) => {}
    }
    let write = || {
        let out = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
        dump::write(entries, Progress::counting("writing").writing(&out))?;
        out.sync_all()?;
        fs::rename(&new, file)?;
        // The name has to be durable too.
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    let written = write();
    if written.is_err() {
        // There may be none, and what was wrong is told already.
        fs::remove_file(&new).ok();
    }
    written
}

/// A replica that keeps all that it is given.
struct Collector {
    /// Shows how many entries it was given.
    progress: Option<Progress>,
    clock: Clock,
    entries: Mutex<BTreeMap<Key, (Revision, Value)>>,
}

impl Collector {
    fn new(progress: Option<Progress>) -> Collector {
        Collector { progress, clock: Clock::system(), entries: Mutex::default() }
    }

    fn len(&self) -> usize {
        self.entries.lock().len()
    }

    /// Hands out all that was given.
    fn take(&self) -> BTreeMap<Key, Value> {
        let entries = std::mem::take(&mut *self.entries.lock());
        entries.into_iter().map(|(key, (_, value))| (key, value)).collect()
    }
}

impl Replica for Collector {
    fn revision(&self, key: &Key) -> Revision {
        self.entries.lock().get(key).map_or(Revision::NONE, |(revision, _)| *revision)
    }

    fn install(&self, entries: Vec<Entry>) {
        if let Some(progress) = &self.progress {
            progress.advance(entries.len() as u64);
        }
        let mut kept = self.entries.lock();
        for Entry { key, revision, value, .. } in entries {
            let slot = kept.entry(key).or_insert((Revision::NONE, Value::Tombstone { at: 0 }));
            if slot.0 < revision {
                *slot = (revision, value);
            }
        }
    }

    fn purge(&self, key: &Key, revision: Revision) {
        let mut kept = self.entries.lock();
        if kept.get(key).is_some_and(|(newest, _)| *newest == revision) {
            kept.remove(key);
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millis()
    }
}
