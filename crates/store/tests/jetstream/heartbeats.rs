//! Heartbeats: the proof that a process is current, and who shares the log.

use std::sync::Arc;
use std::time::Duration;

use porchlight_store::contract::Recorder;
use porchlight_store::{Entry, Health, JetStream, JetStreamOptions, Key, Log, Node, Replica, Revision};
use porchlight_testkit::Nats;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::support::{PATIENCE, open, options, options_at, until_health};

/// The longest time between two proofs.
const PROVED_EVERY: Duration = Duration::from_secs(4);

/// A replica that keeps every proof that it is current.
struct Proved {
    recorder: Arc<Recorder>,
    /// Where its clock begins.
    since: Instant,
    proofs: watch::Sender<Vec<i64>>,
}

impl Proved {
    fn new() -> Arc<Proved> {
        let proofs = watch::Sender::new(Vec::new());
        Arc::new(Proved { recorder: Recorder::new(), since: Instant::now(), proofs })
    }
}

impl Replica for Proved {
    fn revision(&self, key: &Key) -> Revision {
        self.recorder.revision(key)
    }

    fn install(&self, entries: Vec<Entry>) {
        self.recorder.install(entries);
    }

    fn purge(&self, key: &Key, revision: Revision) {
        self.recorder.purge(key, revision);
    }

    fn now(&self) -> i64 {
        1 + self.since.elapsed().as_millis() as i64
    }

    fn is_current(&self, at: i64) {
        assert!(at <= self.now(), "a proof of what is yet to come");
        self.proofs.send_modify(|proofs| proofs.push(at));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_is_current_while_it_is_connected_and_not_while_it_is_cut_off() {
    let nats = Nats::start();
    let proxy = nats.proxied();
    let replica = Proved::new();
    let options = options_at([proxy.address().to_string()]);
    let log = JetStream::open(JetStreamOptions { cells: 3, ..options }, replica.clone()).unwrap();
    let mut proofs = replica.proofs.subscribe();
    for _ in 0..3 {
        timeout(PROVED_EVERY, proofs.changed()).await.expect("a proof in time").unwrap();
    }
    proxy.cut();
    let cut = replica.now();
    until_health(&log, |health| matches!(health, Health::Failed(_))).await;
    assert!(proofs.borrow_and_update().iter().all(|&at| at <= cut));
    proxy.mend();
    let again = proofs.wait_for(|proofs| proofs.iter().any(|&at| at > cut));
    drop(timeout(PATIENCE, again).await.expect("a proof after the cut").unwrap());
    log.close();
    assert!(proofs.borrow().is_sorted_by(|one, next| one < next));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_a_log_know_one_another_until_they_leave() {
    let nats = Nats::start();
    let named = |name: &str| JetStreamOptions { node: name.to_owned(), ..options(&nats) };
    let ((_, one), (_, other)) = (open(&named("one")), open(&named("other")));
    let (one_cluster, other_cluster) = (one.cluster().unwrap(), other.cluster().unwrap());
    let names = |nodes: &[Node]| {
        let mut names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
        names.sort();
        names
    };
    for cluster in [&one_cluster, &other_cluster] {
        let mut nodes = cluster.nodes.clone();
        let both = nodes.wait_for(|nodes| names(nodes) == ["one", "other"]);
        let both = timeout(PATIENCE, both).await.expect("they hear of one another").unwrap();
        assert!(both.iter().any(|node| node.id == cluster.me));
        assert!(both.is_sorted_by(|one, next| one.id < next.id));
    }
    other.close();
    let mut nodes = one_cluster.nodes.clone();
    let alone = nodes.wait_for(|nodes| names(nodes) == ["one"]);
    drop(timeout(PATIENCE, alone).await.expect("it hears that the other one left").unwrap());
    one.close();
}
