//! Faults in the middle of a write, which only this crate can put there, and holes in the data.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::timeout;

use super::folder::Folder;
use super::load::{Loaded, load};
use super::{Durability, Embedded, OpenError, Options};
use crate::contract::{Recorder, Witness, append, live, put};
use crate::{AppendError, Health, Key, Log, RecordError, Replica, Revision, Value};

/// The faults that the next writes meet, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<VecDeque<When>>>);

/// Where a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Nothing of it is written.
    Before,
    /// All of it is written.
    After,
}

impl Faults {
    fn of(faults: impl IntoIterator<Item = When>) -> Faults {
        Faults(Arc::new(Mutex::new(faults.into_iter().collect())))
    }

    pub(super) fn before_write(&self, path: &Path) -> Result<(), OpenError> {
        self.meet(When::Before, path)
    }

    pub(super) fn after_write(&self, path: &Path) -> Result<(), OpenError> {
        self.meet(When::After, path)
    }

    fn meet(&self, when: When, path: &Path) -> Result<(), OpenError> {
        let mut faults = self.0.lock();
        if faults.front() != Some(&when) {
            return Ok(());
        }
        faults.pop_front();
        Err(OpenError::io(path, io::Error::other("a fault was injected")))
    }
}

fn open(place: &Path, faults: impl IntoIterator<Item = When>, replica: &Arc<Recorder>) -> Embedded {
    let options = Options { faults: Faults::of(faults), ..Options::default() };
    Embedded::open(place, options, replica.clone()).unwrap()
}

async fn until_writable(log: &Embedded) {
    let mut health = log.health();
    let writable = health.wait_for(|health| *health == Health::Writable);
    timeout(Duration::from_secs(20), writable).await.unwrap().unwrap();
}

/// What is in the log when it is opened the next time.
fn reopened(place: &Path) -> Arc<Recorder> {
    let replica = Recorder::new();
    drop(open(place, [], &replica));
    replica
}

#[tokio::test]
async fn failed_write_that_is_there_is_handed_on_once_that_is_known() {
    let place = tempfile::tempdir().unwrap();
    let replica = Recorder::new();
    let log = open(place.path(), [When::After], &replica);
    let key = Key::new("a");
    let (witness, seen) = Witness::new(&key, &replica);
    let receipt = log.append(append(&key, Revision::NONE, live("one")), witness).unwrap();
    assert_eq!(receipt.await, Err(AppendError::Unknown));
    until_writable(&log).await;

    let revision = replica.revision(&key);
    assert_ne!(revision, Revision::NONE);
    assert_eq!(*seen.lock(), Some(revision), "the hold is dropped after the replica has the entry");
    assert_eq!(log.stats().faults, 1);
    assert_eq!(log.stats().appends, 1);
    assert!(put(&log, &key, revision, live("two")).await.unwrap() > revision);
    drop(log);
    assert_eq!(reopened(place.path()).entries(), replica.entries());
}

#[tokio::test]
async fn failed_write_that_is_not_there_is_forgotten() {
    let place = tempfile::tempdir().unwrap();
    let replica = Recorder::new();
    let log = open(place.path(), [When::Before], &replica);
    let key = Key::new("a");
    let (witness, seen) = Witness::new(&key, &replica);
    let receipt = log.append(append(&key, Revision::NONE, live("one")), witness).unwrap();
    assert_eq!(receipt.await, Err(AppendError::Unknown));
    until_writable(&log).await;

    assert_eq!(*seen.lock(), Some(Revision::NONE));
    assert!(replica.installed().is_empty());
    let revision = put(&log, &key, Revision::NONE, live("two")).await.unwrap();
    assert_eq!(revision, Revision(2), "the revision of the lost append is not used again");
    drop(log);
    assert_eq!(reopened(place.path()).entries(), replica.entries());
}

#[tokio::test]
async fn recovery_that_fails_is_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let replica = Recorder::new();
    let log = open(place.path(), [When::After, When::Before, When::After, When::Before], &replica);
    let key = Key::new("a");
    assert_eq!(put(&log, &key, Revision::NONE, live("one")).await, Err(AppendError::Unknown));
    until_writable(&log).await;
    assert_eq!(log.stats().faults, 1);
    assert_eq!(replica.installed(), [(key, Revision(1))]);
    drop(log);
    assert_eq!(reopened(place.path()).entries(), replica.entries());
}

#[tokio::test]
async fn failed_purge_is_made_up_for() {
    for when in [When::Before, When::After] {
        let place = tempfile::tempdir().unwrap();
        let replica = Recorder::new();
        let key = Key::new("a");
        let log = open(place.path(), [], &replica);
        put(&log, &key, Revision::NONE, Value::Tombstone { at: 1 }).await.unwrap();
        drop(log);

        let log = open(place.path(), [when], &replica);
        let mut health = log.health();
        log.purge(2);
        timeout(Duration::from_secs(20), health.changed()).await.unwrap().unwrap();
        until_writable(&log).await;
        assert_eq!(log.stats().faults, 1);
        log.purge(2);
        replica.until(|replica| replica.entry(&key).is_none()).await;
        drop(log);
        assert!(reopened(place.path()).entries().is_empty(), "{when:?}");
    }
}

#[tokio::test]
async fn log_that_cannot_recover_can_be_closed() {
    let place = tempfile::tempdir().unwrap();
    let replica = Recorder::new();
    let key = Key::new("a");
    let log = open(place.path(), [When::Before; 1_000], &replica);
    let (witness, seen) = Witness::new(&key, &replica);
    let receipt = log.append(append(&key, Revision::NONE, live("one")), witness).unwrap();
    assert_eq!(receipt.await, Err(AppendError::Unknown));
    let refused = log.append(append(&key, Revision::NONE, live("two")), Box::new(()));
    assert_eq!(refused.map(drop), Err(AppendError::Unavailable));
    log.close();
    assert!(seen.lock().is_some());
    assert_eq!(*log.health().borrow(), Health::Closed);
    drop(log);
    assert!(reopened(place.path()).entries().is_empty());
}

#[tokio::test]
async fn relaxed_log_recovers_too() {
    let place = tempfile::tempdir().unwrap();
    let replica = Recorder::new();
    let options = Options {
        durability: Durability::Relaxed,
        faults: Faults::of([When::After, When::Before]),
        ..Options::default()
    };
    let log = Embedded::open(place.path(), options, replica.clone()).unwrap();
    let key = Key::new("a");
    assert_eq!(put(&log, &key, Revision::NONE, live("one")).await, Err(AppendError::Unknown));
    until_writable(&log).await;
    put(&log, &key, Revision(1), live("two")).await.unwrap();
    drop(log);
    assert_eq!(reopened(place.path()).entries(), replica.entries());
}

/// Changes what is in the storage engine, past the log.
fn tamper(place: &Path, change: impl FnOnce(&Loaded)) {
    let mut folder = Folder::open(place).unwrap();
    let loaded = load(&mut folder, &Options::default(), &*Recorder::new()).unwrap();
    change(&loaded);
}

/// A log with two entries, one of them written twice.
async fn small_log(place: &Path) {
    let log = open(place, [], &Recorder::new());
    for number in 0..2 {
        put(&log, &Key::new(format!("user/{number}")), Revision::NONE, live("one")).await.unwrap();
    }
    put(&log, &Key::new("user/1"), Revision(2), live("two")).await.unwrap();
}

#[tokio::test]
async fn hole_is_noticed() {
    let lost: [fn(&Loaded); 3] = [
        |loaded| loaded.database.entries.remove("user/0").unwrap(),
        |loaded| {
            let mut older = Vec::new();
            crate::record::encode(Revision(2), &Value::Live(Bytes::from_static(b"one")), &mut older);
            loaded.database.entries.insert("user/1", older).unwrap();
        },
        |loaded| loaded.database.entries.remove([0xff_u8]).unwrap(),
    ];
    for lose in lost {
        let place = tempfile::tempdir().unwrap();
        small_log(place.path()).await;
        tamper(place.path(), lose);
        let Err(error) = Embedded::open(place.path(), Options::default(), Recorder::new()) else {
            panic!("a hole was not noticed");
        };
        assert!(matches!(error, OpenError::Incomplete { .. }), "{error}");
    }
}

#[tokio::test]
async fn record_of_a_newer_version_is_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    small_log(place.path()).await;
    tamper(place.path(), |loaded| loaded.database.entries.insert("user/1", [7_u8; 12]).unwrap());
    let Err(error) = Embedded::open(place.path(), Options::default(), Recorder::new()) else {
        panic!("a record that cannot be read was skipped");
    };
    let cause = RecordError::UnknownVersion { found: 7, known: 1 };
    assert!(matches!(&error, OpenError::Record { cause: found, .. } if *found == cause), "{error}");
    assert!(error.to_string().contains("user/1"));
}
