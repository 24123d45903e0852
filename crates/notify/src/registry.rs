//! All subscriptions, as the log has them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use porchlight_engine::Keeper;
use porchlight_presence::{TenantId, Timestamp};
use porchlight_store::{Entry, Key, Value};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::cursor::StoredCursor;
use crate::subscription::{Owner, Subscription};

/// The subscriptions that the log has, in memory. It learns of every one through [`Keeper`], whoever wrote it.
#[derive(Default)]
pub struct Registry {
    subscriptions: RwLock<Subscriptions>,
    /// What the office has not looked at yet.
    changed: Mutex<HashSet<Uuid>>,
    /// Subscriptions whose makers have no answer yet: nothing may be told before that.
    held: Mutex<HashSet<Uuid>>,
    /// Rung when something has changed.
    pub(crate) bell: Notify,
    /// Every entry that was kept counts as a change of this.
    kept: watch::Sender<()>,
    unreadable: Mutex<Option<(Key, String)>>,
}

#[derive(Default)]
struct Subscriptions {
    by_id: HashMap<Uuid, Arc<Subscription>>,
    by_owner: HashMap<Owner, HashSet<Uuid>>,
    /// In the order of lists.
    in_order: BTreeSet<(TenantId, Timestamp, Uuid)>,
    cursors: HashMap<Uuid, StoredCursor>,
}

impl Registry {
    /// The subscription of this id, ended or not.
    pub fn get(&self, id: Uuid) -> Option<Arc<Subscription>> {
        self.subscriptions.read().by_id.get(&id).cloned()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.subscriptions.read().by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids of all.
    pub(crate) fn ids(&self) -> Vec<Uuid> {
        self.subscriptions.read().by_id.keys().copied().collect()
    }

    /// The tenant's subscriptions behind this place, in the order of their making, as long as `look` says to go on.
    pub fn list(
        &self,
        tenant: TenantId,
        after: Option<(Timestamp, Uuid)>,
        mut look: impl FnMut(&Arc<Subscription>) -> bool,
    ) {
        use std::ops::Bound::{Excluded, Included};
        let subscriptions = self.subscriptions.read();
        let from = match after {
            Some((made_at, id)) => Excluded((tenant, made_at, id)),
            None => Included((tenant, Timestamp::ZERO, Uuid::nil())),
        };
        let until = Included((tenant, Timestamp::MAX, Uuid::max()));
        for (_, _, id) in subscriptions.in_order.range((from, until)) {
            if !subscriptions.by_id.get(id).is_none_or(&mut look) {
                break;
            }
        }
    }

    /// Those that count for an owner at `now`.
    pub(crate) fn of_owner(&self, owner: Owner, now: Timestamp) -> Vec<Arc<Subscription>> {
        self.all_of_owner(owner).into_iter().filter(|subscription| !subscription.has_ended(now)).collect()
    }

    /// Those of an owner that have ended by `now`, and may be brought back.
    pub(crate) fn ended_of_owner(&self, owner: Owner, now: Timestamp) -> Vec<Arc<Subscription>> {
        self.all_of_owner(owner).into_iter().filter(|subscription| subscription.has_ended(now)).collect()
    }

    fn all_of_owner(&self, owner: Owner) -> Vec<Arc<Subscription>> {
        let subscriptions = self.subscriptions.read();
        let ids = subscriptions.by_owner.get(&owner).into_iter().flatten();
        ids.filter_map(|id| subscriptions.by_id.get(id).cloned()).collect()
    }

    /// How far it has been told, as the log has it.
    pub(crate) fn cursor(&self, subscription: &Subscription) -> StoredCursor {
        let kept = self.kept_cursor(subscription.id);
        kept.map_or(subscription.since, |kept| subscription.since.later(kept))
    }

    /// The cursor that was kept last for this subscription, if any was.
    pub(crate) fn kept_cursor(&self, id: Uuid) -> Option<StoredCursor> {
        self.subscriptions.read().cursors.get(&id).copied()
    }

    /// The ids of cursors whose subscriptions are gone.
    pub(crate) fn cursors_alone(&self) -> Vec<Uuid> {
        let Subscriptions { by_id, cursors, .. } = &*self.subscriptions.read();
        cursors.keys().filter(|id| !by_id.contains_key(id)).copied().collect()
    }

    /// Word of every entry that is kept from now on.
    pub(crate) fn follow(&self) -> watch::Receiver<()> {
        self.kept.subscribe()
    }

    /// The ids of those that have changed since this was last asked.
    pub(crate) fn changed(&self) -> HashSet<Uuid> {
        std::mem::take(&mut self.changed.lock())
    }

    /// Has the office look at a subscription again.
    pub(crate) fn touch(&self, id: Uuid) {
        self.changed.lock().insert(id);
        self.bell.notify_one();
    }

    /// What could not be read since this was last asked, if anything: the key, and what is wrong.
    pub(crate) fn unreadable(&self) -> Option<(Key, String)> {
        self.unreadable.lock().take()
    }

    /// Nothing is told to this subscription as long as this is held.
    pub(crate) fn hold(self: &Arc<Registry>, id: Uuid) -> Held {
        self.held.lock().insert(id);
        Held { registry: Arc::clone(self), id }
    }

    pub(crate) fn is_held(&self, id: Uuid) -> bool {
        self.held.lock().contains(&id)
    }
}

/// The maker of a subscription waits for an answer; nothing is told before this is dropped. In a cluster that holds as
/// far as this process tells it: another one that does knows nothing of who waits.
///
/// Source: subscriptions-and-auth 6.2.
pub struct Held {
    registry: Arc<Registry>,
    id: Uuid,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.registry.held.lock().remove(&self.id);
        self.registry.touch(self.id);
    }
}

impl Keeper for Registry {
    fn keep(&self, entry: &Entry) {
        let kept = match entry.key.as_str().split_once('/') {
            Some(("subscription", id)) => self.keep_subscription(id, &entry.value),
            Some(("cursor", id)) => self.keep_cursor(id, &entry.value),
            _ => Ok(()),
        };
        if let Err(cause) = kept {
            self.unreadable.lock().get_or_insert_with(|| (entry.key.clone(), cause));
            self.bell.notify_one();
        }
        self.kept.send_replace(());
    }
}

impl Registry {
    fn keep_subscription(&self, id: &str, value: &Value) -> Result<(), String> {
        let id = Uuid::try_parse(id).map_err(|error| error.to_string())?;
        let subscription = match value {
            Value::Live(record) => Some(Arc::new(Subscription::decode(record)?)),
            Value::Tombstone { .. } => None,
        };
        self.subscriptions.write().put(id, subscription);
        self.touch(id);
        Ok(())
    }

    fn keep_cursor(&self, id: &str, value: &Value) -> Result<(), String> {
        let id = Uuid::try_parse(id).map_err(|error| error.to_string())?;
        let mut subscriptions = self.subscriptions.write();
        match value {
            Value::Live(record) => subscriptions.cursors.insert(id, StoredCursor::decode(record)?),
            Value::Tombstone { .. } => subscriptions.cursors.remove(&id),
        };
        Ok(())
    }
}

impl Subscriptions {
    fn put(&mut self, id: Uuid, subscription: Option<Arc<Subscription>>) {
        if let Some(before) = self.by_id.remove(&id) {
            self.in_order.remove(&(before.tenant, before.made_at, id));
            if let Some(of_owner) = self.by_owner.get_mut(&before.owner()) {
                of_owner.remove(&id);
                if of_owner.is_empty() {
                    self.by_owner.remove(&before.owner());
                }
            }
        }
        if let Some(subscription) = subscription {
            self.in_order.insert((subscription.tenant, subscription.made_at, id));
            self.by_owner.entry(subscription.owner()).or_default().insert(id);
            self.by_id.insert(id, subscription);
        }
    }
}

#[cfg(test)]
mod tests {
    use porchlight_store::Revision;

    use super::*;

    #[test]
    fn a_cursor_without_its_subscription_is_alone_until_it_is_gone_too() {
        let (registry, id) = (Registry::default(), Uuid::from_u128(7));
        let keep = |revision, value| {
            let key = StoredCursor::key(id);
            registry.keep(&Entry { key, revision: Revision(revision), written: Revision(revision), value });
        };
        keep(1, Value::Live(StoredCursor::BEGINNING.encode()));
        assert_eq!(registry.cursors_alone(), [id]);
        keep(2, Value::Tombstone { at: 1 });
        assert!(registry.cursors_alone().is_empty());
    }
}
