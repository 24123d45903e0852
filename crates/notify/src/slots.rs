//! Which subscriptions this process tells. Source: design 4.
//!
//! Those who share a log share the telling: every subscription falls into one of a fixed number of slots, and whoever
//! holds a slot tells its subscriptions. A process that has its log for itself tells them all.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use porchlight_store::{Cluster, Leases};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

/// For this long after it was taken over a slot is new: what its last holder wrote may still be on its way.
const NEW: Duration = Duration::from_secs(5);

/// The slots that this process holds, or everything. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Slots(Option<Leased>);

#[derive(Clone)]
struct Leased {
    leases: Arc<dyn Leases>,
    held: watch::Receiver<BTreeSet<u16>>,
    /// Those that the office knows to be held, and since when.
    taken: Arc<Mutex<HashMap<u16, Instant>>>,
}

impl Leased {
    fn slot_of(&self, subscription: Uuid) -> u16 {
        (subscription.as_u128() % u128::from(self.leases.slots())) as u16
    }
}

impl Slots {
    /// The slots that are shared among these; `None`: there is nobody to share with.
    pub(crate) fn of(cluster: Option<&Cluster>) -> Slots {
        Slots(cluster.map(|cluster| Leased {
            held: cluster.leases.held(),
            leases: Arc::clone(&cluster.leases),
            taken: Arc::default(),
        }))
    }

    /// Begins to take slots.
    pub(crate) fn take(&self) {
        if let Some(leased) = &self.0 {
            leased.leases.take();
        }
    }

    /// Gives all of them up. Blocks until the others can see it.
    pub(crate) fn release(&self) {
        if let Some(leased) = &self.0 {
            leased.leases.release();
        }
    }

    /// Whether this process tells the subscription.
    pub(crate) fn is_mine(&self, subscription: Uuid) -> bool {
        let holds = |leased: &Leased| leased.held.borrow().contains(&leased.slot_of(subscription));
        self.0.as_ref().is_none_or(holds)
    }

    /// Whether a request for the subscription may begin now: nobody else can have begun to tell it.
    pub(crate) fn may_begin(&self, subscription: Uuid) -> bool {
        let may_begin = |leased: &Leased| leased.leases.may_begin(leased.slot_of(subscription));
        self.0.as_ref().is_none_or(may_begin)
    }

    /// Gives the subscription's slot up, since somebody else tells it as well.
    pub(crate) fn give_up(&self, subscription: Uuid) {
        if let Some(leased) = &self.0 {
            leased.leases.give_up(leased.slot_of(subscription));
        }
    }

    /// Notes which slots were taken over or lost since this was last asked; returns whether there were any.
    pub(crate) fn note_moves(&self) -> bool {
        let Some(leased) = &self.0 else { return false };
        let held = leased.held.borrow().clone();
        let mut taken = leased.taken.lock();
        if taken.len() == held.len() && held.iter().all(|slot| taken.contains_key(slot)) {
            return false;
        }
        taken.retain(|slot, _| held.contains(slot));
        for slot in held {
            taken.entry(slot).or_insert_with(Instant::now);
        }
        true
    }

    /// Whether the subscription's slot had not long been taken over `at` this time.
    pub(crate) fn was_new(&self, subscription: Uuid, at: Instant) -> bool {
        self.0.as_ref().is_some_and(|leased| {
            let since = leased.taken.lock().get(&leased.slot_of(subscription)).copied();
            since.is_none_or(|since| at.duration_since(since) < NEW)
        })
    }

    /// Returns when this process holds other slots than when this was last called.
    pub(crate) async fn changed(&mut self) {
        let is_over = match &mut self.0 {
            Some(leased) => leased.held.changed().await.is_err(),
            None => true,
        };
        if is_over {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use porchlight_store::Node;

    use super::*;

    /// Leases that a test hands out.
    pub(crate) struct HandedOut {
        slots: u16,
        held: watch::Sender<BTreeSet<u16>>,
        /// Held, but not renewed for too long.
        stale: Mutex<BTreeSet<u16>>,
        /// What its holder has given up.
        given_up: watch::Sender<Vec<u16>>,
        pub(crate) is_taking: watch::Sender<bool>,
    }

    impl HandedOut {
        pub(crate) fn new(slots: u16) -> Arc<HandedOut> {
            Arc::new(HandedOut {
                slots,
                held: watch::Sender::default(),
                stale: Mutex::default(),
                given_up: watch::Sender::default(),
                is_taking: watch::Sender::default(),
            })
        }

        pub(crate) fn give(&self, slot: u16) {
            self.stale.lock().remove(&slot);
            self.held.send_modify(|held| {
                held.insert(slot);
            });
        }

        pub(crate) fn take_away(&self, slot: u16) {
            self.held.send_modify(|held| {
                held.remove(&slot);
            });
        }

        /// Its lease is not renewed any more, which its holder cannot know.
        pub(crate) fn let_go_stale(&self, slot: u16) {
            self.stale.lock().insert(slot);
        }

        pub(crate) fn given_up(&self) -> watch::Receiver<Vec<u16>> {
            self.given_up.subscribe()
        }

        pub(crate) fn cluster(self: &Arc<HandedOut>) -> Cluster {
            let nodes: Arc<[Node]> = Arc::from([]);
            Cluster {
                me: Uuid::new_v4(),
                nodes: watch::channel(nodes).1,
                leases: Arc::clone(self) as Arc<dyn Leases>,
            }
        }
    }

    impl Leases for HandedOut {
        fn slots(&self) -> u16 {
            self.slots
        }

        fn take(&self) {
            self.is_taking.send_replace(true);
        }

        fn may_begin(&self, slot: u16) -> bool {
            self.held.borrow().contains(&slot) && !self.stale.lock().contains(&slot)
        }

        fn held(&self) -> watch::Receiver<BTreeSet<u16>> {
            self.held.subscribe()
        }

        fn holders(&self) -> Vec<(u16, Uuid)> {
            Vec::new()
        }

        fn give_up(&self, slot: u16) {
            self.take_away(slot);
            self.given_up.send_modify(|given_up| given_up.push(slot));
        }

        fn release(&self) {
            self.is_taking.send_replace(false);
            self.held.send_replace(BTreeSet::new());
        }
    }

    #[test]
    fn who_shares_with_nobody_tells_everybody() {
        let slots = Slots::of(None);
        let one = Uuid::from_u128(7);
        assert!(slots.is_mine(one) && slots.may_begin(one) && !slots.note_moves());
        assert!(!slots.was_new(one, Instant::now()));
    }

    #[test]
    fn a_subscription_goes_with_its_slot() {
        let leases = HandedOut::new(4);
        let slots = Slots::of(Some(&leases.cluster()));
        let (one, other) = (Uuid::from_u128(5), Uuid::from_u128(6));
        assert!(!slots.is_mine(one) && !slots.note_moves());
        leases.give(1);
        assert!(slots.is_mine(one) && slots.may_begin(one) && !slots.is_mine(other));
        assert!(slots.note_moves() && !slots.note_moves());
        assert!(slots.was_new(one, Instant::now()));
        assert!(!slots.was_new(one, Instant::now() + NEW));
        leases.let_go_stale(1);
        assert!(slots.is_mine(one) && !slots.may_begin(one));
        slots.give_up(one);
        assert!(!slots.is_mine(one) && slots.note_moves());
        assert_eq!(*leases.given_up().borrow(), [1]);
    }
}
