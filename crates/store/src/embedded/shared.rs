//! What the handle and the committer have in common.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::queue::Queue;
use crate::{Health, Stats};

/// What the handle and the committer have in common.
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) health: watch::Sender<Health>,
    pub(super) counters: Counters,
}

/// What the committer has done. Only it counts, so that no order between the counters is needed.
#[derive(Default)]
pub(super) struct Counters {
    appends: AtomicU64,
    syncs: AtomicU64,
    faults: AtomicU64,
}

impl Shared {
    pub(super) fn new(waiting_max: usize) -> Shared {
        let (health, _) = watch::channel(Health::Writable);
        Shared { queue: Queue::new(waiting_max), health, counters: Counters::default() }
    }

    pub(super) fn stats(&self) -> Stats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { appends, syncs, faults } = &self.counters;
        Stats { appends: count(appends), syncs: count(syncs), faults: count(faults) }
    }
}

impl Counters {
    pub(super) fn appended(&self, entries: usize) {
        self.appends.fetch_add(entries as u64, Ordering::Relaxed);
    }

    pub(super) fn synced(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }
}
