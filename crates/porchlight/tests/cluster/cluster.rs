//! Three NATS servers, and three nodes over them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use porchlight_testkit::NatsCluster;
use tempfile::TempDir;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::chronicle::Chronicle;
use crate::dice::Dice;
use crate::node::{Node, Place, call};
use crate::people;

/// How many nodes there are.
pub(crate) const NODES: usize = 3;

/// How many NATS servers there are, each of which has everything.
pub(crate) const SERVERS: usize = 3;

/// How long it may take until all nodes are ready once nothing is broken any more.
const READY_MAX: Duration = Duration::from_secs(60);

/// How long a node may take to say whether it is ready.
const HEALTH_MAX: Duration = Duration::from_secs(5);

const HEALTH: &str = "/porchlight/health";

/// The processes. All of them are gone when this is dropped.
pub(crate) struct Cluster {
    pub(crate) chronicle: Chronicle,
    nodes: Vec<Node>,
    nats: Arc<NatsCluster>,
    /// Of the nodes' logs, and of the file with the people.
    _folder: TempDir,
}

impl Cluster {
    /// Starts everything, the nodes from an older program if one is given. Returns when all nodes are ready.
    pub(crate) async fn start(chronicle: Chronicle, older: Option<&Path>) -> Arc<Cluster> {
        let nats = spawn_blocking(|| NatsCluster::start(SERVERS)).await.expect("the NATS servers start");
        let folder = tempfile::tempdir().expect("a folder");
        let people = people::seed_file(folder.path());
        let node = |number| Node::new(number, nats.proxied(), folder.path(), &people, older);
        let nodes = (0..NODES).map(node).collect();
        let cluster = Cluster { chronicle, nodes, nats: Arc::new(nats), _folder: folder };
        for node in &cluster.nodes {
            node.start().await;
        }
        cluster.ready().await;
        cluster.chronicle.note("all nodes are ready");
        Arc::new(cluster)
    }

    /// One of the nodes.
    pub(crate) fn node(&self, number: usize) -> &Node {
        &self.nodes[number]
    }

    /// The nodes.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Where all nodes can be asked, in their order.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.nodes.iter().map(|node| node.place().expect("the node listens")).collect()
    }

    /// Where any of them can be asked; `None`: the one that the dice chose does not listen.
    pub(crate) fn any(&self, dice: &mut Dice) -> Option<Place> {
        self.node(dice.below(NODES)).place()
    }

    /// Another one than this.
    pub(crate) fn another(&self, than: usize, dice: &mut Dice) -> Option<Place> {
        self.node((than + 1 + dice.below(NODES - 1)) % NODES).place()
    }

    /// Does something with the NATS servers, for which it may have to wait.
    pub(crate) async fn nats(&self, deed: impl FnOnce(&NatsCluster) + Send + 'static) {
        let nats = Arc::clone(&self.nats);
        spawn_blocking(move || deed(&nats)).await.expect("the NATS servers do as they are told");
    }

    /// Waits until all nodes are ready.
    pub(crate) async fn ready(&self) {
        let begun = Instant::now();
        for node in &self.nodes {
            while let Some(reason) = unreadiness(node).await {
                let is_late = begun.elapsed() > READY_MAX;
                assert!(!is_late, "not all nodes are ready: {reason}\n{}", node.last_words());
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Why a node is not ready.
async fn unreadiness(node: &Node) -> Option<String> {
    let Some(place) = node.place() else { return Some("it does not listen".to_owned()) };
    match call(&place.client(), Method::GET, HEALTH, None, HEALTH_MAX).await {
        Ok(answer) if answer.status == 200 => None,
        Ok(answer) => Some(format!("{answer:?}")),
        Err(error) => Some(error),
    }
}
