//! The log in JetStream under the suite of every log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use porchlight_store::contract::{self, Subject};
use porchlight_store::{JetStream, JetStreamOptions, Log, Replica};
use porchlight_testkit::{Nats, NatsCluster};

use crate::support::{options, options_at};

/// A log on a server of its own.
struct OnOneServer {
    nats: Nats,
    cells: u16,
}

impl OnOneServer {
    fn new(cells: u16) -> OnOneServer {
        OnOneServer { nats: Nats::start(), cells }
    }
}

impl Subject for OnOneServer {
    fn open(&self, replica: Arc<dyn Replica>) -> Arc<dyn Log> {
        open(&JetStreamOptions { cells: self.cells, ..options(&self.nats) }, replica)
    }
}

/// A log under a name of its own, on whichever servers.
struct Shared(JetStreamOptions);

impl Subject for Shared {
    fn open(&self, replica: Arc<dyn Replica>) -> Arc<dyn Log> {
        open(&self.0, replica)
    }

    /// One less than the log takes: what the replica is busy with waits, too.
    fn waiting_max(&self) -> Option<usize> {
        (self.0.waiting_max < 100).then(|| self.0.waiting_max - 1)
    }
}

fn open(options: &JetStreamOptions, replica: Arc<dyn Replica>) -> Arc<dyn Log> {
    Arc::new(JetStream::open(options.clone(), replica).unwrap())
}

porchlight_store::log_contract!(one_cell, OnOneServer::new(1));
porchlight_store::log_contract!(four_cells, OnOneServer::new(4));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_keep_every_law() {
    let nats = NatsCluster::start(3);
    let made = AtomicU32::new(0);
    let subject = || {
        let prefix = format!("law-{}", made.fetch_add(1, Ordering::Relaxed));
        Shared(JetStreamOptions { prefix, replicas: 3, ..options_at(nats.addresses()) })
    };
    contract::every_law(subject).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_with_few_places_is_busy_when_they_are_taken() {
    let nats = Nats::start();
    let narrow = Shared(JetStreamOptions { waiting_max: 4, ..options(&nats) });
    contract::full_log_is_busy(&narrow).await;
}
