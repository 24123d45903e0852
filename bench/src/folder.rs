//! Data folders and seed files, made without a server.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use porchlight_presence::{
    Activity, ApplicationId, Availability, Command, Fade, Limits, Pair, SessionId, SessionKey, SessionPair,
    SetPresence, Timestamp, User,
};
use porchlight_store::{
    Append, AppendError, Embedded, Entry, Hold, Key, Log, Options, Receipt, Replica, Revision, Value,
};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::requests::{APPLICATION, TENANT, scattered, user_id};
use crate::stopwatch;

/// Appends that may be on their way to the log at once: while it writes half of them, the others gather.
const WAITING_MAX: usize = 8192;

/// When the users' sessions turn inactive: evenly over a span, in an order that is not that of their ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fading {
    /// The first one.
    pub(crate) first: Timestamp,
    /// Until the last.
    pub(crate) over: Duration,
}

/// Writes users into the log of the data folder at `data`, each with one available session set at `now` for four
/// hours, and without entries in the directory.
pub(crate) fn write_users(
    runtime: &Runtime,
    data: &Path,
    users: u32,
    now: Timestamp,
    fading: Fading,
) -> Result<()> {
    let log = Embedded::open(data, Options::default(), Arc::new(Nobody))
        .with_context(|| format!("failed to open a log in {}", data.display()))?;
    let written = write_into(runtime, &log, &[TENANT.to_owned()], users, (now, fading));
    log.close();
    written.with_context(|| format!("failed to write {users} users to {}", data.display()))
}

/// Writes a data folder with sessions that will not fade while anything runs, and a seed file of the same
/// people. Says where both are.
pub(crate) fn write_people(runtime: &Runtime, folder: &Path, users: u32) -> Result<(PathBuf, PathBuf)> {
    let (data, seed) = (folder.join("data"), folder.join("users.yaml"));
    let now = stopwatch::wall();
    write_users(runtime, &data, users, now, Fading::late(now))?;
    write_seed(&seed, users)?;
    Ok((data, seed))
}

/// The same as [`write_users`] into any log in which they are not yet, over these tenants in turn.
pub(crate) fn write_into(
    runtime: &Runtime,
    log: &dyn Log,
    tenants: &[String],
    users: u32,
    (now, fading): (Timestamp, Fading),
) -> Result<()> {
    let mut records = Records::new(now)?;
    let appends = (0..users).zip(tenants.iter().cycle()).map(|(index, tenant)| -> Result<Append> {
        let key = Key::new(format!("user/{tenant}/{}", user_id(index)));
        let value = Value::Live(records.available_until(fading.of(index, users))?);
        Ok(Append { key, expected: Revision::NONE, value })
    });
    runtime.block_on(append_all(appends, |append, hold| log.append(append, hold)))
}

/// What a client says who is there: one session, for as long as may be.
pub(crate) fn available(limits: &Limits) -> Result<Command> {
    let application = Uuid::parse_str(APPLICATION).context("the application's id is no GUID")?;
    let pair = Pair { availability: Availability::Available, activity: Activity::Available };
    Ok(Command::SetPresence(SetPresence {
        session: SessionKey { application: ApplicationId(application), session: SessionId(application) },
        pair: SessionPair::new(pair)?,
        duration: Some(limits.session_duration_max),
    }))
}

/// Writes a seed file with the first so many of the same people.
pub(crate) fn write_seed(path: &Path, people: u32) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "tenants:\n  - id: {TENANT}\n    users:")?;
        for index in 0..people {
            writeln!(file, "      - id: {}", user_id(index))?;
            writeln!(file, "        userPrincipalName: user{index:07}@bench.example")?;
            writeln!(file, "        displayName: User {index:07}")?;
            writeln!(file, "        mail: user{index:07}@bench.example")?;
        }
        file.flush()
    };
    write().with_context(|| format!("failed to write {}", path.display()))
}

/// What a folder takes on disk, in bytes; files that go while they are counted are left out.
pub(crate) fn bytes_on_disk(folder: &Path) -> Result<u64> {
    /// What `st_blocks` counts.
    const BLOCK: u64 = 512;
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        sum += if metadata.is_dir() { bytes_on_disk(&entry.path())? } else { metadata.blocks() * BLOCK };
    }
    Ok(sum)
}

impl Fading {
    /// None before anything that is measured is over.
    pub(crate) fn late(now: Timestamp) -> Fading {
        Fading { first: now.plus(Duration::from_secs(2 * 60 * 60)), over: Duration::from_secs(60 * 60) }
    }

    /// The instant of one user of `users`.
    fn of(self, index: u32, users: u32) -> Timestamp {
        // Every place in the span is taken once.
        let place = scattered(index.into(), users);
        self.first.plus(self.over.mul_f64(f64::from(place) / f64::from(users)))
    }
}

/// Makes the records of users for whom one session was set.
struct Records {
    now: Timestamp,
    limits: Limits,
    command: Command,
}

impl Records {
    fn new(now: Timestamp) -> Result<Records> {
        let limits = Limits::default();
        let command = available(&limits)?;
        Ok(Records { now, limits, command })
    }

    /// A session that turns inactive then and away five minutes later, as by default.
    fn available_until(&mut self, inactive_at: Timestamp) -> Result<Bytes> {
        let inactive_after = inactive_at.since(self.now);
        self.limits.fade =
            Some(Fade { inactive_after, away_after: inactive_after + Duration::from_secs(5 * 60) });
        let user = User::default().apply(&self.command, self.now, &self.limits)?;
        Ok(user.encode().into())
    }
}

/// Sends appends to a log, never waiting for one at a time, and waits until all are durable.
async fn append_all(
    appends: impl Iterator<Item = Result<Append>>,
    send: impl Fn(Append, Hold) -> Result<Receipt, AppendError>,
) -> Result<()> {
    let mut waiting: VecDeque<Receipt> = VecDeque::with_capacity(WAITING_MAX);
    for append in appends {
        let append = append?;
        if waiting.len() == WAITING_MAX {
            confirm_oldest(&mut waiting).await?;
        }
        loop {
            match send(append.clone(), Box::new(())) {
                Ok(receipt) => {
                    waiting.push_back(receipt);
                    break;
                }
                // The log's own bound is the lower one.
                Err(AppendError::Busy) if !waiting.is_empty() => confirm_oldest(&mut waiting).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }
    while !waiting.is_empty() {
        confirm_oldest(&mut waiting).await?;
    }
    Ok(())
}

async fn confirm_oldest(waiting: &mut VecDeque<Receipt>) -> Result<()> {
    if let Some(receipt) = waiting.pop_front() {
        receipt.await?;
    }
    Ok(())
}

/// A replica that keeps nothing: every key is written once, so none ever has a revision to remember.
pub(crate) struct Nobody;

impl Replica for Nobody {
    fn revision(&self, _key: &Key) -> Revision {
        Revision::NONE
    }

    fn install(&self, _entries: Vec<Entry>) {}

    fn purge(&self, _key: &Key, _revision: Revision) {}
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn fades_lie_evenly_over_the_span() {
        let fading = Fading { first: Timestamp::from_millis(1_000), over: Duration::from_secs(10) };
        let places: HashSet<i64> = (0..100).map(|index| fading.of(index, 100).as_millis()).collect();
        assert_eq!(places.len(), 100);
        assert_eq!((places.iter().min(), places.iter().max()), (Some(&1_000), Some(&10_900)));
    }

    #[test]
    fn a_record_fades_when_it_should() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let inactive_at = now.plus(Duration::from_secs(70));
        let bytes = Records::new(now).unwrap().available_until(inactive_at).unwrap();
        let user = User::decode(&bytes).unwrap();
        assert_eq!(user.presence(now).pair.availability, Availability::Available);
        assert_eq!(user.next_change(now), Some(inactive_at));
        assert_eq!(user.next_change(inactive_at), Some(inactive_at.plus(Duration::from_secs(300))));
    }

    #[test]
    fn a_folder_takes_what_is_in_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("b"), vec![1; 100_000]).unwrap();
        // A file system may pack it, but not to nothing, and it may take a block more.
        assert!((1..=200_000).contains(&bytes_on_disk(folder.path()).unwrap()));
    }
}
