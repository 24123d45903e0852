//! Nodes of a cluster in one process, for tests: a log in memory that they share, and leases that a test hands out.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::{Clock, Engine, Options};
use porchlight_presence::Timestamp;
use porchlight_store::{Fault, Log, Memory, Replica};

use crate::slots::tests::HandedOut;

/// When every node's clock begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A node.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) leases: Arc<HandedOut>,
    memory: Arc<Memory>,
}

impl Node {
    /// A node with a log of its own, which others may come to share.
    pub(crate) fn first(slots: u16) -> Node {
        Node::open(slots, Memory::new)
    }

    /// Another node over the same log.
    pub(crate) fn beside(&self, slots: u16) -> Node {
        Node::open(slots, |replica| self.memory.beside(replica))
    }

    fn open(slots: u16, memory: impl FnOnce(Arc<dyn Replica>) -> Memory) -> Node {
        let leases = HandedOut::new(slots);
        let cluster = Arc::new(leases.cluster());
        let mut opened = None;
        let open = |replica: Arc<dyn Replica>| {
            let log = opened.insert(Arc::new(memory(replica)));
            log.share(cluster);
            Ok::<_, Infallible>(Arc::clone(log) as Arc<dyn Log>)
        };
        let engine = Engine::open(Arc::new(Clock::manual(START)), Options::default(), open);
        Node { engine: engine.expect("it opens"), leases, memory: opened.expect("it was opened") }
    }

    /// What others write does not come to it.
    pub(crate) fn hold_back(&self) {
        self.memory.hold_back();
    }

    /// What was held back comes, and so does what comes from now on.
    pub(crate) fn let_go(&self) {
        self.memory.let_go();
    }

    /// The next append is neither answered nor handed on.
    pub(crate) fn hang(&self) {
        self.memory.inject(Fault::Late);
    }

    /// What hangs goes on.
    pub(crate) fn go_on(&self) {
        self.memory.resolve();
    }

    /// Moves its clock ahead, and shows it that it is current.
    pub(crate) fn advance(&self, by: Duration) {
        self.engine.clock().advance(by);
        self.memory.heartbeat();
    }
}
