//! What the handle and the tasks of the log have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_nats::connection::State;
use async_nats::{Client, jetstream};
use metrics::Histogram;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::cell::{Cell, Counts};
use super::{JetStreamOptions, subject};
use crate::tombstones::Tombstones;
use crate::{Health, Key, LogId, Replica, Stats};

/// What the handle and the tasks of the log have in common.
pub(super) struct Shared {
    pub(super) id: LogId,
    /// This process, in what it writes.
    pub(super) me: Uuid,
    pub(super) options: JetStreamOptions,
    pub(super) client: Client,
    pub(super) context: jetstream::Context,
    pub(super) replica: Arc<dyn Replica>,
    pub(super) cells: Vec<Cell>,
    pub(super) counts: Arc<Counts>,
    pub(super) tombstones: Mutex<Tombstones>,
    pub(super) health: watch::Sender<Health>,
    /// Something is wrong that does not pass.
    is_broken: watch::Sender<bool>,
    /// No more appends are taken.
    pub(super) closes: AtomicBool,
    /// Rung by whatever may be the last append that waits.
    pub(super) settled: Notify,
    pub(super) faults: AtomicU64,
    /// How long appends took from being asked for to being answered as kept, in seconds.
    pub(super) append_seconds: Histogram,
}

impl Shared {
    pub(super) fn new(
        id: LogId,
        options: JetStreamOptions,
        (client, context): (Client, jetstream::Context),
        replica: Arc<dyn Replica>,
    ) -> Shared {
        let counts = Arc::<Counts>::default();
        let stream = |cell| subject::stream(&options.prefix, cell);
        let cell = |cell| Cell::new(cell, stream(cell), Arc::clone(&replica), Arc::clone(&counts));
        let cells = (0..options.cells).map(cell).collect();
        Shared {
            id,
            me: Uuid::new_v4(),
            client,
            context,
            replica,
            cells,
            counts,
            tombstones: Mutex::default(),
            health: watch::Sender::new(Health::Writable),
            is_broken: watch::Sender::new(false),
            closes: AtomicBool::new(false),
            settled: Notify::new(),
            faults: AtomicU64::new(0),
            append_seconds: metrics::histogram!("porchlight_log_append_seconds"),
            options,
        }
    }

    /// The cell of a key.
    pub(super) fn cell(&self, key: &Key) -> &Cell {
        &self.cells[usize::from(subject::cell_of(key, self.options.cells))]
    }

    /// From now on nothing is written, for this reason, until [`Shared::recover`].
    pub(super) fn fail(&self, cause: String) {
        self.health.send_if_modified(|health| {
            let fails = *health == Health::Writable;
            if fails {
                tracing::error!(%cause, "the log takes no writes");
                self.faults.fetch_add(1, Ordering::Relaxed);
                *health = Health::Failed(cause);
            }
            fails
        });
    }

    /// From now on nothing is written, for this reason, as long as this process lives: what the replica holds is not what
    /// the log does, or is no more than a part of it.
    pub(super) fn break_down(&self, cause: String) {
        if self.is_broken.send_replace(true) {
            return;
        }
        self.health.send_if_modified(|health| {
            let is_open = *health != Health::Closed;
            if is_open {
                tracing::error!(%cause, "the log takes no writes until this process is started anew");
                self.faults.fetch_add(1, Ordering::Relaxed);
                *health = Health::Failed(cause);
            }
            is_open
        });
    }

    /// Whether [`Shared::break_down`] was called.
    pub(super) fn is_broken(&self) -> bool {
        *self.is_broken.borrow()
    }

    /// Returns when [`Shared::break_down`] was called.
    pub(super) async fn breaks_down(&self) {
        // It cannot fail, since the sender is in `self`.
        let _ = self.is_broken.subscribe().wait_for(|is_broken| *is_broken).await;
    }

    /// Whatever was wrong is over, unless that cannot be.
    pub(super) fn recover(&self) {
        self.health.send_if_modified(|health| {
            let recovers = matches!(health, Health::Failed(_)) && !self.is_broken();
            if recovers {
                tracing::info!("the log takes writes again");
                *health = Health::Writable;
            }
            recovers
        });
    }

    /// Whether there is a connection to NATS, as far as is known.
    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    pub(super) fn is_writable(&self) -> bool {
        *self.health.borrow() == Health::Writable
    }

    pub(super) fn stats(&self) -> Stats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let waiting = self.counts.waiting.load(Ordering::Relaxed);
        Stats { appends: count(&self.counts.kept), syncs: 0, faults: count(&self.faults), waiting }
    }
}
