//! Entries of the log that are another part's business: the engine keeps them until that part takes them over.

use std::collections::HashMap;
use std::sync::Arc;

use porchlight_store::{Entry, Key, Revision, Value};

use crate::Engine;
use crate::write::WriteError;

/// Who makes something of the entries under `subscription/` and `cursor/`.
pub trait Keeper: Send + Sync {
    /// Takes an entry that is durable: the newest of its key, in the order of revisions for each key. A tombstone
    /// means that the key is gone.
    ///
    /// Called by the thread that installs what the log has made durable, before whoever wrote it is answered: it must
    /// not wait.
    fn keep(&self, entry: &Entry);
}

/// The entries, or who has taken them over.
#[derive(Default)]
pub(crate) struct Kept {
    revisions: HashMap<Key, Revision>,
    /// Only until somebody keeps them.
    entries: HashMap<Key, Entry>,
    keeper: Option<Arc<dyn Keeper>>,
}

impl Kept {
    pub(crate) fn install(&mut self, entry: &Entry) {
        self.revisions.insert(entry.key.clone(), entry.revision);
        match &self.keeper {
            Some(keeper) => keeper.keep(entry),
            None => drop(self.entries.insert(entry.key.clone(), entry.clone())),
        }
    }

    pub(crate) fn revision(&self, key: &Key) -> Revision {
        self.revisions.get(key).copied().unwrap_or_default()
    }

    pub(crate) fn purge(&mut self, key: &Key, revision: Revision) {
        if self.revision(key) == revision {
            self.revisions.remove(key);
            self.entries.remove(key);
        }
    }

    fn hand_over(&mut self, keeper: Arc<dyn Keeper>) {
        for entry in self.entries.drain().map(|(_, entry)| entry) {
            keeper.keep(&entry);
        }
        self.keeper = Some(keeper);
    }

    fn live(&self) -> Vec<Key> {
        self.revisions.keys().cloned().collect()
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Kept").field("keys", &self.revisions.len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Hands over everything under `subscription/` and `cursor/` that the log has, and from now on whatever comes.
    pub fn hand_over(&self, keeper: Arc<dyn Keeper>) {
        self.state.kept.lock().hand_over(keeper);
    }

    /// The revision of a key of a [`Keeper`]; [`Revision::NONE`] when it has no entry.
    pub fn revision_of(&self, key: &Key) -> Revision {
        self.state.kept.lock().revision(key)
    }

    /// Writes an entry of a [`Keeper`], durably; `hold` is dropped when the log knows what became of it, whether or
    /// not this future is still polled by then.
    ///
    /// # Errors
    ///
    /// Whatever the log answers; a conflict when the key is no more at `expected`.
    pub async fn write_kept(
        &self,
        key: Key,
        expected: Revision,
        value: Value,
        hold: porchlight_store::Hold,
    ) -> Result<Revision, WriteError> {
        self.append(porchlight_store::Append { key, expected, value }, hold).await
    }

    /// Deletes every entry of the keepers, for development.
    pub(crate) async fn delete_kept(&self) -> Result<(), WriteError> {
        let keys = self.state.kept.lock().live();
        for key in keys {
            let value = Value::Tombstone { at: self.now().as_millis() };
            self.put(&key, &value).await?;
        }
        Ok(())
    }
}
