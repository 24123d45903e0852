//! Both logs under the one suite.
#![expect(clippy::unwrap_used, reason = "the subjects of the tests are part of the tests")]

use std::sync::Arc;

use parking_lot::Mutex;
use porchlight_store::contract::{self, Subject};
use porchlight_store::{Durability, Embedded, Log, Memory, Options, Replica};
use tempfile::TempDir;

/// A log in memory, opened again as a restart does.
#[derive(Default)]
struct InMemory(Mutex<Option<Arc<Memory>>>);

impl Subject for InMemory {
    fn open(&self, replica: Arc<dyn Replica>) -> Arc<dyn Log> {
        let mut before = self.0.lock();
        let log = Arc::new(match &*before {
            Some(before) => before.reopen(replica),
            None => Memory::new(replica),
        });
        *before = Some(Arc::clone(&log));
        log
    }
}

/// A log in a folder of its own.
struct OnDisk {
    place: TempDir,
    options: Options,
    waiting_max: Option<usize>,
}

impl OnDisk {
    fn new(durability: Durability) -> OnDisk {
        let place = tempfile::tempdir().unwrap();
        OnDisk { place, options: Options { durability, ..Options::default() }, waiting_max: None }
    }

    /// One with few places for those who wait.
    fn narrow() -> OnDisk {
        let mut narrow = OnDisk::new(Durability::Full);
        narrow.options.waiting_max = 4;
        narrow.waiting_max = Some(4);
        narrow
    }
}

impl Subject for OnDisk {
    fn open(&self, replica: Arc<dyn Replica>) -> Arc<dyn Log> {
        Arc::new(Embedded::open(&self.place.path().join("data"), self.options.clone(), replica).unwrap())
    }

    fn waiting_max(&self) -> Option<usize> {
        self.waiting_max
    }
}

porchlight_store::log_contract!(memory, InMemory::default());
porchlight_store::log_contract!(embedded, OnDisk::new(Durability::Full));
porchlight_store::log_contract!(relaxed, OnDisk::new(Durability::Relaxed));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_log_with_few_places_is_busy_when_they_are_taken() {
    contract::full_log_is_busy(&OnDisk::narrow()).await;
}
