//! The scheduler: the nodes and the world outside of them take turns, as the seed says.

use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::Engine;
use porchlight_http::Development;
use porchlight_presence::Timestamp;

use crate::chaos::{Order, Orders};
use crate::chronicle::Chronicle;
use crate::dice::Dice;
use crate::journal::Machine;
use crate::laws::Law;
use crate::link::Network;
use crate::member::Wire;
use crate::node::{Node, Store};
use crate::panics;
use crate::place::Place;
use crate::receivers::Receivers;
use crate::stream::Stream;
use crate::time;
use crate::town::{self, Door, Town};
use crate::watches::Watches;

/// How late a change may be announced that time makes, beyond the length of a turn. tokio's timers count in milliseconds.
const LATE_MAX: Duration = Duration::from_millis(10);

/// How long it may take until a server notices that its clock was set ahead: it looks once a second.
const NOTICED: Duration = Duration::from_millis(1_100);

/// Everything there is in a run.
pub(crate) struct World {
    pub(crate) town: Arc<Town>,
    pub(crate) orders: Orders,
    outside: Place,
    nodes: Vec<Node>,
    /// The deadline of each node that was due when it was last looked at, and held back by nothing.
    overdue: Vec<Option<Timestamp>>,
    dice: Dice,
    reached: Duration,
    turns: u64,
}

impl World {
    /// A world with so many nodes, none of which runs yet.
    pub(crate) fn new(dice: &mut Dice, nodes: usize) -> World {
        let outside = Place::new();
        let development = Development::demo();
        let people: Vec<_> =
            development.seeds.iter().flat_map(|seed| &seed.people).map(|person| person.id).collect();
        let limits = town::limits();
        let chronicle = Chronicle::new(&limits, development.tenant, &people, nodes > 1);
        let network = Network::new(dice.another(), outside.handle());
        let watches = Watches::default();
        let receivers = Receivers::new(Arc::clone(&network), chronicle.clone(), watches.clone());
        let stream = Arc::new(Stream::new(chronicle.clone()));
        let mut node = |number| {
            let store = if nodes > 1 {
                Store::Shared(Arc::clone(&stream), Wire::new(Arc::clone(&network)))
            } else {
                Store::Alone(Machine::new(dice.another()))
            };
            Node::new(number, store, dice.another())
        };
        let nodes: Vec<Node> = (0..nodes).map(&mut node).collect();
        let doors = nodes.iter().map(|_| Door::default()).collect();
        let town = Town { development, limits, people, doors, network, chronicle, receivers, watches };
        World {
            town: Arc::new(town),
            orders: Orders::default(),
            outside,
            overdue: vec![None; nodes.len()],
            nodes,
            dice: dice.another(),
            reached: Duration::ZERO,
            turns: 0,
        }
    }

    /// The nodes.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many turns there were.
    pub(crate) fn turns(&self) -> u64 {
        self.turns
    }

    /// How long the run has gone on.
    pub(crate) fn reached(&self) -> Duration {
        self.reached
    }

    /// Puts somebody into the world outside.
    pub(crate) fn put(&self, somebody: impl Future<Output = ()> + Send + 'static) {
        self.outside.handle().spawn(somebody);
    }

    /// Starts a node.
    pub(crate) fn start(&mut self, node: usize) {
        self.nodes[node].start(&self.town, &self.outside.handle());
    }

    /// Goes on for so long: first some polls of one and some of another, then everybody until the time has come.
    pub(crate) fn go_on(&mut self, length: Duration) {
        let until = self.reached + length;
        for _ in 0..self.dice.below(4) {
            let (who, polls) = (self.dice.place(self.nodes.len() + 1), 1 + self.dice.below(16));
            if let Some(place) = self.place(who) {
                place.poll(polls);
            }
            self.turns += 1;
            self.obey();
        }
        let mut order: Vec<usize> = (0..=self.nodes.len()).collect();
        self.dice.shuffle(&mut order);
        for who in order {
            if let Some(place) = self.place(who) {
                place.run(until);
            }
            self.turns += 1;
        }
        self.reached = until;
        time::reach(until);
        self.obey();
        self.check(length);
    }

    /// One of the nodes, or the world outside as the last one.
    fn place(&self, who: usize) -> Option<&Place> {
        self.nodes.get(who).map_or(Some(&self.outside), Node::place)
    }

    /// Does what was ordered.
    fn obey(&mut self) {
        while let Some(order) = self.orders.next() {
            match order {
                Order::Stop { node } => self.nodes[node].stop(&self.town),
                Order::Kill { node, polls } => self.nodes[node].kill(&self.town, polls),
                Order::Start { node } => self.start(node),
            }
        }
    }

    /// The laws that hold between any two turns.
    fn check(&mut self, length: Duration) {
        let chronicle = &self.town.chronicle;
        if panics::were_seen() {
            chronicle.breaks(Law::Calm, None, "something has panicked; see above".to_owned());
        }
        for (node, before) in self.nodes.iter().zip(&mut self.overdue) {
            let due = node.engine().and_then(|engine| overdue(engine, length));
            let due = due.filter(|_| !time::was_set_ahead(NOTICED));
            // Each node has had its turn in between.
            if due.is_some() && due == *before {
                let how = format!("the deadline {due:?} is past, and nothing holds it back");
                chronicle.breaks(Law::Punctual, None, how);
            }
            *before = due;
        }
        if self.nodes.len() == 1
            && let Some(engine) = self.nodes[0].engine()
        {
            compare(&self.town, engine, self.dice.place(self.town.people.len()));
        }
    }
}

/// The soonest deadline of an engine, if engine time has passed it for longer than a turn takes.
fn overdue(engine: &Engine, turn: Duration) -> Option<Timestamp> {
    let clock = engine.clock().now();
    let due = clock.minus(engine.timers_overdue());
    (engine.now().since(due) > turn + LATE_MAX).then_some(due)
}

/// Compares what an engine has of somebody with the model.
pub(crate) fn compare(town: &Town, engine: &Engine, person: usize) {
    let (Some(tenant), user) = (engine.tenant(town.development.tenant), town.people[person]) else { return };
    if tenant.is_somebody(user) != town.chronicle.is_there(user) {
        let how = format!("that they are in the directory is {}", tenant.is_somebody(user));
        town.chronicle.breaks(Law::Model, Some(user), how);
    }
    let at = engine.now().max(tenant.user(user).as_of());
    tenant.view(user, at).show(at, |seen| town.chronicle.compare(user, seen, at));
}
