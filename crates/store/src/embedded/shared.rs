//! What the handle and the committer have in common.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::Histogram;
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
pub(super) struct Counters {
    appends: AtomicU64,
    syncs: AtomicU64,
    faults: AtomicU64,
    /// Appends of each batch.
    batches: Histogram,
    /// How long it took to write what a sync made durable, in seconds, with the sync.
    sync_seconds: Histogram,
}

impl Shared {
    pub(super) fn new(waiting_max: usize) -> Shared {
        let (health, _) = watch::channel(Health::Writable);
        Shared { queue: Queue::new(waiting_max), health, counters: Counters::new() }
    }

    pub(super) fn stats(&self) -> Stats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { appends, syncs, faults, .. } = &self.counters;
        let waiting = self.queue.waiting();
        Stats { appends: count(appends), syncs: count(syncs), faults: count(faults), waiting }
    }
}

impl Counters {
    fn new() -> Counters {
        Counters {
            appends: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            batches: metrics::histogram!("porchlight_log_batch_entries"),
            sync_seconds: metrics::histogram!("porchlight_log_sync_seconds"),
        }
    }

    pub(super) fn appended(&self, entries: usize) {
        self.appends.fetch_add(entries as u64, Ordering::Relaxed);
        if entries > 0 {
            self.batches.record(entries as f64);
        }
    }

    pub(super) fn synced(&self, took: Duration) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.sync_seconds.record(took.as_secs_f64());
    }

    pub(super) fn failed(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }
}
