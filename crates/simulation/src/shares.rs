//! A node's share of the slots: leases that it renews, loses and takes over.
//!
//! The decisions of the server's own leases have a simulation of their own, beside them. These follow the same rules, and
//! are here so that slots move.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use porchlight_store::{Leases, Node};
use tokio::sync::watch;
use uuid::Uuid;

use crate::stream::{Lease, SLOTS, Stream};
use crate::time;

/// How often a lease is renewed.
const RENEWED: Duration = Duration::from_secs(2);

/// For how long after its renewal work may begin.
const FRESH: Duration = Duration::from_secs(4);

/// A lease that was not renewed for so long is taken over.
const EXPIRED: Duration = Duration::from_secs(6);

/// The slots of one node.
pub(crate) struct Shares {
    me: Uuid,
    stream: Arc<Stream>,
    nodes: watch::Receiver<Arc<[Node]>>,
    held: watch::Sender<BTreeSet<u16>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    takes: bool,
    /// When the lease of each slot that is held was renewed.
    renewed: BTreeMap<u16, Duration>,
    /// Since when the lease of each slot has been seen with its revision.
    seen: BTreeMap<u16, (u64, Duration)>,
}

impl Shares {
    /// A node that holds nothing.
    pub(crate) fn new(me: Uuid, stream: Arc<Stream>, nodes: watch::Receiver<Arc<[Node]>>) -> Arc<Shares> {
        let (held, state) = (watch::Sender::default(), Mutex::default());
        Arc::new(Shares { me, stream, nodes, held, state })
    }

    /// Renews, loses and takes what is to be renewed, lost and taken now; to be called a few times a second. Without a
    /// connection leases can only be lost.
    pub(crate) fn pass(&self, is_connected: bool) {
        let (now, mut state) = (time::elapsed(), self.state.lock());
        state.renewed.retain(|_, renewed| now.saturating_sub(*renewed) < EXPIRED);
        if is_connected {
            for (slot, lease) in (0..).zip(self.stream.leases()) {
                self.look(&mut state, slot, lease, now);
            }
        }
        self.show(&state);
    }

    fn look(&self, state: &mut State, slot: u16, lease: Lease, now: Duration) {
        let State { takes, renewed, seen } = state;
        let (revision, since) = seen.entry(slot).or_insert((lease.revision, now));
        if *revision != lease.revision {
            (*revision, *since) = (lease.revision, now);
        }
        if let Some(at) = renewed.get_mut(&slot) {
            if lease.holder != Some(self.me) {
                renewed.remove(&slot);
            } else if now.saturating_sub(*at) >= RENEWED
                && self.stream.lease(slot, lease.revision, Some(self.me))
            {
                *at = now;
            }
            return;
        }
        let is_free = lease.holder.is_none() || now.saturating_sub(*since) >= EXPIRED;
        let share = usize::from(SLOTS).div_ceil(self.nodes.borrow().len().max(1));
        let takes_it = *takes && is_free && renewed.len() < share;
        if takes_it && self.stream.lease(slot, lease.revision, Some(self.me)) {
            renewed.insert(slot, now);
        }
    }

    fn free(&self, slots: impl Iterator<Item = u16>) {
        let leases = self.stream.leases();
        for slot in slots {
            let lease = leases[usize::from(slot)];
            if lease.holder == Some(self.me) {
                self.stream.lease(slot, lease.revision, None);
            }
        }
    }

    fn show(&self, state: &State) {
        let held: BTreeSet<u16> = state.renewed.keys().copied().collect();
        update(&self.held, held);
    }
}

/// Shows this from now on, and wakes those who watch if it is something new.
pub(crate) fn update<T: PartialEq>(shown: &watch::Sender<T>, now: T) {
    shown.send_if_modified(|shown| {
        let is_new = *shown != now;
        if is_new {
            *shown = now;
        }
        is_new
    });
}

impl Leases for Shares {
    fn slots(&self) -> u16 {
        SLOTS
    }

    fn take(&self) {
        self.state.lock().takes = true;
    }

    fn may_begin(&self, slot: u16) -> bool {
        let state = self.state.lock();
        state.renewed.get(&slot).is_some_and(|renewed| time::elapsed().saturating_sub(*renewed) < FRESH)
    }

    fn held(&self) -> watch::Receiver<BTreeSet<u16>> {
        self.held.subscribe()
    }

    fn holders(&self) -> Vec<(u16, Uuid)> {
        let leases = (0..).zip(self.stream.leases());
        leases.filter_map(|(slot, lease)| lease.holder.map(|holder| (slot, holder))).collect()
    }

    fn give_up(&self, slot: u16) {
        let mut state = self.state.lock();
        state.renewed.remove(&slot);
        self.free(std::iter::once(slot));
        self.show(&state);
    }

    fn release(&self) {
        let mut state = self.state.lock();
        state.takes = false;
        self.free(std::mem::take(&mut state.renewed).into_keys());
        self.show(&state);
    }
}
