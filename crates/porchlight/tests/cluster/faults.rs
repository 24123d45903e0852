//! What is done to a cluster: one fault at a time, each healed before the next.

use std::time::Duration;

use tokio::time::sleep;

use crate::cluster::{Cluster, NODES, SERVERS};
use crate::dice::Dice;

/// How long what is paused stands still.
const PAUSE: Duration = Duration::from_secs(5);

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    KillServer,
    KillNode,
    PauseServer,
    PauseNode,
    CutOffNode,
    RestartEverything,
}

const KINDS: [Kind; 6] = [
    Kind::KillServer,
    Kind::KillNode,
    Kind::PauseServer,
    Kind::PauseNode,
    Kind::CutOffNode,
    Kind::RestartEverything,
];

/// A fault. All but the last one leave two of three NATS servers alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9` of a NATS server, and its start so much later.
    KillServer(usize, Duration),
    /// `kill -9` of a node, and its start so much later.
    KillNode(usize, Duration),
    /// SIGSTOP of a NATS server, and SIGCONT.
    PauseServer(usize),
    /// SIGSTOP of a node, and SIGCONT.
    PauseNode(usize),
    /// A node reaches no NATS server for so long. What it has sent meanwhile arrives after that.
    CutOffNode(usize, Duration),
    /// The same, and what it has sent meanwhile is lost, with its connections.
    LoseNode(usize, Duration),
    /// Every node is stopped and started again, and then every NATS server, one after the other.
    RestartEverything,
}

/// Faults in an order that follows from the dice. Every kind comes once before any comes again.
pub(crate) struct Schedule {
    dice: Dice,
    bag: Vec<Kind>,
}

impl Schedule {
    pub(crate) fn new(dice: Dice) -> Schedule {
        Schedule { dice, bag: Vec::new() }
    }

    /// The same, but first of all everything is restarted, which is what upgrades nodes.
    pub(crate) fn of_an_upgrade(dice: Dice) -> Schedule {
        Schedule { dice, bag: vec![Kind::RestartEverything] }
    }

    /// How long nothing happens, and what happens then.
    pub(crate) fn draw(&mut self) -> (Duration, Fault) {
        (self.dice.millis(2_000, 7_000), self.fault())
    }

    fn fault(&mut self) -> Fault {
        let kind = self.kind();
        let dice = &mut self.dice;
        match kind {
            Kind::KillServer => Fault::KillServer(dice.below(SERVERS), dice.millis(0, 5_000)),
            Kind::KillNode => Fault::KillNode(dice.below(NODES), dice.millis(0, 5_000)),
            Kind::PauseServer => Fault::PauseServer(dice.below(SERVERS)),
            Kind::PauseNode => Fault::PauseNode(dice.below(NODES)),
            Kind::CutOffNode if dice.below(2) == 0 => {
                Fault::CutOffNode(dice.below(NODES), dice.millis(3_000, 8_000))
            }
            Kind::CutOffNode => Fault::LoseNode(dice.below(NODES), dice.millis(3_000, 8_000)),
            Kind::RestartEverything => Fault::RestartEverything,
        }
    }

    fn kind(&mut self) -> Kind {
        if let Some(kind) = self.bag.pop() {
            return kind;
        }
        self.bag = KINDS.to_vec();
        self.dice.shuffle(&mut self.bag);
        // What takes longest is not left for the end of a short run.
        let longest = self.bag.iter().position(|kind| *kind == Kind::RestartEverything);
        let longest = longest.expect("all kinds are in the bag");
        let early = longest.max(KINDS.len() / 2);
        self.bag.swap(longest, early);
        self.bag.pop().expect("it was just filled")
    }
}

/// Lets a fault happen, heals it, and returns when all nodes are ready again.
pub(crate) async fn happen(cluster: &Cluster, fault: Fault) {
    cluster.chronicle.note(format!("{fault:?}"));
    match fault {
        Fault::KillServer(number, down) => {
            cluster.nats(move |nats| nats.servers()[number].kill()).await;
            sleep(down).await;
            cluster.nats(move |nats| nats.servers()[number].restart()).await;
        }
        Fault::KillNode(number, down) => {
            cluster.node(number).kill();
            sleep(down).await;
            cluster.node(number).start().await;
        }
        Fault::PauseServer(number) => {
            cluster.nats(move |nats| nats.servers()[number].pause()).await;
            sleep(PAUSE).await;
            cluster.nats(move |nats| nats.servers()[number].resume()).await;
        }
        Fault::PauseNode(number) => {
            cluster.node(number).pause();
            sleep(PAUSE).await;
            cluster.node(number).resume();
        }
        Fault::CutOffNode(number, lasts) => {
            cluster.node(number).cut_off();
            sleep(lasts).await;
            cluster.node(number).mend();
        }
        Fault::LoseNode(number, lasts) => {
            cluster.node(number).cut_off();
            sleep(lasts).await;
            cluster.node(number).lose_connections();
            cluster.node(number).mend();
        }
        Fault::RestartEverything => restart_everything(cluster).await,
    }
    heal(cluster).await;
    cluster.chronicle.note("healed");
}

async fn restart_everything(cluster: &Cluster) {
    for (number, node) in cluster.nodes().iter().enumerate() {
        node.stop().await;
        node.start().await;
        cluster.ready().await;
        cluster.chronicle.note(format!("node {number} was restarted"));
    }
    for number in 0..SERVERS {
        cluster.nats(move |nats| nats.servers()[number].restart()).await;
        heal(cluster).await;
        cluster.chronicle.note(format!("NATS server {number} was restarted"));
    }
}

/// Waits until nothing is broken any more.
async fn heal(cluster: &Cluster) {
    cluster.nats(porchlight_testkit::NatsCluster::settle).await;
    cluster.ready().await;
}
