//! Whether this process may be asked, and why not.

use std::sync::Arc;

use porchlight_store::{Cluster, Health, Key, Revision};

use crate::engine::Engine;
use crate::tenant::Tenant;

/// How far this machine's clock may be off those of the others, in milliseconds. Source: design 4.
pub(crate) const SKEW_MAX_MS: u64 = 5_000;

/// Why this process is not to be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// Writes are not taken, for this reason.
    #[error("the log takes no writes: {0}")]
    Log(String),
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// An entry of the log cannot be read: its key, and what is wrong. It stays so until another program is started.
    #[error("an entry of the log cannot be read; start a version of the program that reads it: {0}")]
    Unreadable(String),
    /// This machine's clock is more than five seconds off those of the others.
    #[error(
        "set this machine's clock right: it is {ahead_ms} ms ahead of the other nodes' (less than 0: behind)"
    )]
    ClockOff {
        /// How far it is ahead, in milliseconds; less than zero: behind.
        ahead_ms: i64,
    },
}

impl Engine {
    /// Why this process is not to be asked; `None` when it is ready. One whose time [stands still](Engine::is_frozen) is
    /// ready as long as the log takes writes: it answers, and so does no other node while the log elects a leader.
    pub fn unreadiness(&self) -> Option<Unready> {
        if let Some((key, cause)) = self.state.unreadable() {
            return Some(Unready::Unreadable(format!("'{key}': {cause}")));
        }
        match &*self.health().borrow() {
            Health::Writable => {}
            Health::Failed(cause) => return Some(Unready::Log(cause.clone())),
            Health::Closed => return Some(Unready::Closed),
        }
        let ahead_ms = self.skew_ms();
        (ahead_ms.unsigned_abs() > SKEW_MAX_MS).then_some(Unready::ClockOff { ahead_ms })
    }

    /// Whether engine time stands still, since a log that is shared has not shown for more than three seconds that what
    /// others have written is here. Reads are answered all the same, as of then.
    pub fn is_frozen(&self) -> bool {
        self.cluster.is_some() && self.clock().now() > self.state.ceiling()
    }

    /// Whether some entry of the log cannot be read: what reads show is not everything, and stays so.
    pub fn is_incomplete(&self) -> bool {
        self.state.unreadable().is_some()
    }

    /// Returns when reads [do not show everything](Engine::is_incomplete); it may take for ever.
    pub async fn becomes_incomplete(&self) {
        self.state.becomes_unreadable().await;
    }

    /// Waits until reads of the tenant show this revision, for the append time-out at most. Returns whether they do.
    pub async fn reach(&self, tenant: &Tenant, revision: Revision) -> bool {
        tokio::time::timeout(self.append_timeout(), tenant.reach(revision)).await.is_ok()
    }

    /// Those who share the log; `None` for a log that is this process's alone.
    pub fn cluster(&self) -> Option<Arc<Cluster>> {
        self.cluster.clone()
    }

    /// Takes note that a [`Keeper`](crate::Keeper) cannot read an entry: this process is not ready from now on.
    pub fn cannot_read(&self, key: &Key, cause: String) {
        self.state.cannot_read(key, cause);
    }

    /// How far this machine's clock is ahead of those of the others, in milliseconds.
    fn skew_ms(&self) -> i64 {
        let Some(cluster) = &self.cluster else { return 0 };
        let nodes = cluster.nodes.borrow();
        nodes.iter().find(|node| node.id == cluster.me).map_or(0, |node| node.skew_ms)
    }
}
