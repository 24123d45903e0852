//! Two processes that share a log, and a network that fails between one of them and NATS.

use std::sync::Arc;

use porchlight_store::contract::{Recorder, live, put};
use porchlight_store::{AppendError, Health, JetStream, JetStreamOptions, Log, Receipt, Replica, Revision};
use porchlight_testkit::{Nats, NatsCluster, Proxy};
use tokio::time::timeout;

use crate::support::{PATIENCE, key, open, options, options_at, submit, until_health};

/// Entries written at a time.
const ENTRIES: usize = 500;

/// One process with a good network, and one whose network can be broken.
struct Two {
    near: (Arc<Recorder>, JetStream),
    far: (Arc<Recorder>, JetStream),
    proxy: Proxy,
    _nats: Nats,
}

impl Two {
    fn start() -> Two {
        let nats = Nats::start();
        let proxy = nats.proxied();
        let near = open(&options(&nats));
        let far = open(&options_at([proxy.address().to_string()]));
        assert_eq!(near.1.id(), far.1.id());
        Two { near, far, proxy, _nats: nats }
    }

    /// Lets the one with the good network write, each entry under a key of its own.
    async fn write(&self, round: usize) {
        let write = |number: usize| {
            let key = key(format!("{round}/{number}"));
            submit(&self.near.1, &key, Revision::NONE, live("value"))
        };
        let receipts: Vec<Receipt> = (0..ENTRIES).map(write).collect();
        for receipt in receipts {
            timeout(PATIENCE, receipt).await.unwrap().unwrap();
        }
    }

    /// After so many writes the other one has had everything, once and in order, and writes itself.
    async fn assert_same(self, writes: usize) {
        let (near, far) = (&self.near.0, &self.far.0);
        far.until(|far| far.entries().len() == writes * ENTRIES).await;
        assert_eq!(far.installed(), near.installed());
        until_health(&self.far.1, |health| *health == Health::Writable).await;
        let revision = put(&self.far.1, &key("far"), Revision::NONE, live("value")).await.unwrap();
        near.until(|near| near.revision(&key("far")) == revision).await;
        assert_eq!(far.installed(), near.installed());
        self.near.1.close();
        self.far.1.close();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_write_comes_in_order() {
    let two = Two::start();
    two.write(0).await;
    two.assert_same(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_or_repeated_over_a_cut() {
    let two = Two::start();
    two.write(0).await;
    two.proxy.cut();
    two.write(1).await;
    until_health(&two.far.1, |health| matches!(health, Health::Failed(_))).await;
    let refused = put(&two.far.1, &key("far"), Revision::NONE, live("value")).await;
    assert_eq!(refused, Err(AppendError::Unavailable));
    two.write(2).await;
    two.proxy.mend();
    two.assert_same(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_or_repeated_when_connections_are_closed() {
    let two = Two::start();
    for round in 0..4 {
        two.proxy.reset();
        two.write(round).await;
    }
    two.assert_same(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_before_the_streams_have_leaders_waits_for_them() {
    let nats = NatsCluster::start(3);
    let options = JetStreamOptions { cells: 4, replicas: 3, ..options_at(nats.addresses()) };
    let (_, log) = open(&options);
    put(&log, &key("a"), Revision::NONE, live("value")).await.unwrap();
    log.close();
    nats.servers().iter().for_each(Nats::kill);
    nats.servers().iter().for_each(Nats::restart);
    let (replica, log) = open(&options);
    assert!(replica.entry(&key("a")).is_some());
    log.close();
}
