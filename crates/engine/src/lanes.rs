//! Lanes: writes to one user go one after another, and so do claims of one name.

use std::hash::BuildHasher;
use std::sync::Arc;

use porchlight_presence::{TenantId, UserId};
use rapidhash::fast::RandomState;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// How many lanes there are. Two users share one now and then; with 256 writes under way, one in sixteen does.
const LANES: usize = 4096;

/// A fixed number of asynchronous locks; a user's is found by hash.
///
/// Asynchronous, since a lane is held until the log knows what became of a write.
#[derive(Debug)]
pub(crate) struct Lanes {
    locks: Vec<Arc<Mutex<()>>>,
    hash: RandomState,
}

/// A closed lane; open again when dropped.
pub(crate) type Lane = OwnedMutexGuard<()>;

impl Lanes {
    pub(crate) fn new() -> Lanes {
        Lanes { locks: (0..LANES).map(|_| Arc::default()).collect(), hash: RandomState::new() }
    }

    /// Waits for the user's lane and closes it.
    pub(crate) async fn enter(&self, tenant: TenantId, user: UserId) -> Lane {
        self.close(self.hash.hash_one((tenant, user))).await
    }

    /// Waits for the lane of a name, ASCII case aside, and closes it.
    pub(crate) async fn enter_name(&self, tenant: TenantId, name: &str) -> Lane {
        self.close(self.hash.hash_one((tenant, name.to_ascii_lowercase()))).await
    }

    async fn close(&self, hash: u64) -> Lane {
        Arc::clone(&self.locks[hash as usize % LANES]).lock_owned().await
    }
}
