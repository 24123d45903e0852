//! The replicas and the hold with which a log is tested.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;
use tokio::time::timeout;

use super::PATIENCE;
use crate::{Entry, Key, Replica, Revision};

/// A replica that keeps what it is given, and in which order.
pub struct Recorder {
    state: Mutex<Recorded>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Recorded {
    entries: BTreeMap<Key, Entry>,
    installed: Vec<(Key, Revision)>,
}

impl Recorder {
    /// One that has nothing yet.
    pub fn new() -> Arc<Recorder> {
        let (changed, _) = watch::channel(());
        Arc::new(Recorder { state: Mutex::default(), changed })
    }

    /// The newest entries, by key.
    pub fn entries(&self) -> BTreeMap<Key, Entry> {
        self.state.lock().entries.clone()
    }

    /// The newest entry of this key.
    pub fn entry(&self, key: &Key) -> Option<Entry> {
        self.state.lock().entries.get(key).cloned()
    }

    /// Everything that was ever installed, in that order.
    pub fn installed(&self) -> Vec<(Key, Revision)> {
        self.state.lock().installed.clone()
    }

    /// Waits until this holds.
    pub async fn until(&self, condition: impl Fn(&Recorder) -> bool) {
        let mut changes = self.changed.subscribe();
        let wait = async {
            while !condition(self) {
                changes.changed().await.expect("the recorder is borrowed, so its sender is there");
            }
        };
        timeout(PATIENCE, wait).await.expect("the log hands on what is durable");
    }
}

impl Replica for Recorder {
    fn revision(&self, key: &Key) -> Revision {
        self.state.lock().entries.get(key).map_or(Revision::NONE, |entry| entry.revision)
    }

    fn install(&self, entries: Vec<Entry>) {
        let mut state = self.state.lock();
        for entry in entries {
            state.installed.push((entry.key.clone(), entry.revision));
            let held = state.entries.get(&entry.key).map_or(Revision::NONE, |held| held.revision);
            if held < entry.revision {
                state.entries.insert(entry.key.clone(), entry);
            }
        }
        drop(state);
        self.changed.send_replace(());
    }

    fn purge(&self, key: &Key, revision: Revision) {
        let mut state = self.state.lock();
        if state.entries.get(key).is_some_and(|entry| entry.revision == revision) {
            state.entries.remove(key);
        }
        drop(state);
        self.changed.send_replace(());
    }
}

/// A hold that notes, when it is dropped, which revision of its key the replica has.
pub struct Witness {
    key: Key,
    replica: Arc<Recorder>,
    seen: Arc<Mutex<Option<Revision>>>,
}

impl Witness {
    /// The hold, and where its note will be.
    pub fn new(key: &Key, replica: &Arc<Recorder>) -> (Box<Witness>, Arc<Mutex<Option<Revision>>>) {
        let seen = Arc::new(Mutex::new(None));
        let witness = Witness { key: key.clone(), replica: Arc::clone(replica), seen: Arc::clone(&seen) };
        (Box::new(witness), seen)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        *self.seen.lock() = Some(self.replica.revision(&self.key));
    }
}

/// A replica that installs nothing until it is opened.
pub(super) struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
    /// Whether something has come.
    pub(super) entered: watch::Sender<bool>,
    recorder: Arc<Recorder>,
}

impl Default for Gate {
    fn default() -> Gate {
        let (entered, _) = watch::channel(false);
        Gate { is_open: Mutex::new(false), opened: Condvar::new(), entered, recorder: Recorder::new() }
    }
}

impl Gate {
    /// Lets through what waits, and what comes.
    pub(super) fn open(&self) {
        *self.is_open.lock() = true;
        self.opened.notify_all();
    }
}

impl Replica for Gate {
    fn revision(&self, key: &Key) -> Revision {
        self.recorder.revision(key)
    }

    fn install(&self, entries: Vec<Entry>) {
        self.entered.send_replace(true);
        self.opened.wait_while(&mut self.is_open.lock(), |is_open| !*is_open);
        self.recorder.install(entries);
    }

    fn purge(&self, key: &Key, revision: Revision) {
        self.recorder.purge(key, revision);
    }
}

/// Opens the gate when a test fails, for the log could not be closed otherwise.
pub(super) struct OpenedAtLast<'a>(pub(super) &'a Gate);

impl Drop for OpenedAtLast<'_> {
    fn drop(&mut self) {
        self.0.open();
    }
}
