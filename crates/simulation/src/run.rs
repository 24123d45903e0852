//! One run: a storm in which everybody acts and everything fails, then rest, and the laws that hold then.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::chronicle::Counts;
use crate::dice::Dice;
use crate::laws::{Broken, Law};
use crate::node::Node;
use crate::town::{Door, Town};
use crate::world::{self, World};
use crate::{administrator, chaos, client, followers, subscriber, watchdog};

/// What a run is like, apart from its seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How many nodes there are; more than one share a log.
    pub(crate) nodes: usize,
    /// How many things each client does.
    pub(crate) steps: u64,
}

/// How many there are of each.
const CLIENTS: u64 = 10;
const STREAMS: usize = 3;
const DELTAS: usize = 2;
const SUBSCRIBERS: usize = 4;

/// How long a node may take to start when nothing fails.
const START: Duration = Duration::from_secs(30);

/// For how long faults are made.
const STORM: Duration = Duration::from_secs(60);

/// Sessions end within five minutes, and what failed last is tried again within ten.
const FADED: Duration = Duration::from_secs(6 * 60);

/// How long it may take at rest until everybody knows everything.
const REST: Duration = Duration::from_secs(25 * 60);

/// What the simulation has learned later is decided by dice of its own, and happens in a third of the runs: so the
/// others stay what they were. By this number it happens in none of those that were kept by then.
const LATER: u64 = 0x68;

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    pub(crate) counts: Counts,
    /// How often one of the places had its turn.
    pub(crate) turns: u64,
    /// How long it was by its own clock.
    pub(crate) length: Duration,
    /// The digest of everything that has happened, and how many lines that was.
    pub(crate) digest: (u64, u64),
    pub(crate) broken: Option<Broken>,
    /// The last lines about whom the broken law is about.
    pub(crate) last: Vec<String>,
}

/// Makes the run of a seed.
pub(crate) fn run(seed: u64, shape: Shape) -> Report {
    let mut dice = Dice::new(seed);
    let mut world = World::new(&mut dice, shape.nodes);
    watchdog::begin(seed, shape, world.town.chronicle.clone());
    begin(&mut world, &mut dice, shape);
    if world.town.chronicle.broken().is_none() {
        storm(&mut world, &mut dice, &mut Dice::new(seed ^ LATER), shape);
        rest(&mut world);
    }
    let chronicle = &world.town.chronicle;
    let broken = chronicle.broken();
    let last = broken.as_ref().map(|broken| chronicle.last_of(broken.user)).unwrap_or_default();
    Report {
        seed,
        shape,
        counts: chronicle.counts(),
        turns: world.turns(),
        length: world.reached(),
        digest: chronicle.digest(),
        broken,
        last,
    }
}

/// Goes on in turns of up to so many milliseconds until that is so, for no longer than this. Returns whether it is.
fn until(
    world: &mut World,
    dice: &mut Dice,
    turn: u64,
    most: Duration,
    is_so: impl Fn(&World) -> bool,
) -> bool {
    let end = world.reached() + most;
    while world.reached() < end && world.town.chronicle.broken().is_none() {
        if is_so(world) {
            return true;
        }
        world.go_on(dice.millis(1, turn));
    }
    is_so(world)
}

fn all_open(world: &World) -> bool {
    world.town.doors.iter().all(|door| door.inside().is_some())
}

/// Every node starts.
fn begin(world: &mut World, dice: &mut Dice, shape: Shape) {
    (0..shape.nodes).for_each(|node| world.start(node));
    if !until(world, dice, 5, START, all_open) {
        world.town.chronicle.breaks(Law::Answered, None, "the nodes do not start".to_owned());
    }
}

/// Everybody acts, and everything fails.
fn storm(world: &mut World, dice: &mut Dice, later: &mut Dice, shape: Shape) {
    let clients = Arc::new(());
    for _ in 0..CLIENTS {
        let (town, dice, acting) = (Arc::clone(&world.town), dice.another(), Arc::clone(&clients));
        world.put(async move {
            client::act(town, dice, shape.steps).await;
            drop(acting);
        });
    }
    for number in 0..STREAMS {
        world.put(followers::stream(Arc::clone(&world.town), number, dice.another()));
    }
    for number in 0..DELTAS {
        world.put(followers::delta(Arc::clone(&world.town), number, dice.another()));
    }
    for number in 0..SUBSCRIBERS {
        world.put(subscriber::subscribe(Arc::clone(&world.town), number, dice.another()));
    }
    let end = world.reached() + STORM;
    let extra = if shape.nodes == 1 { later.below(3) } else { 0 };
    let (sets_back, deletes) = (extra == 1, extra == 2);
    for (number, store) in world.nodes().iter().map(Node::store).enumerate() {
        let (town, orders) = (Arc::clone(&world.town), world.orders.clone());
        let back = sets_back.then(|| later.another());
        world.put(chaos::storm(town, orders, (number, store), dice.another(), back, end));
    }
    if deletes {
        let (town, dice, acting) = (Arc::clone(&world.town), later.another(), Arc::clone(&clients));
        world.put(async move {
            administrator::delete(town, dice).await;
            drop(acting);
        });
    }
    until(world, dice, 3, STORM, |_| false);
    world.town.network.calm_down();
    let mut calm = dice.another();
    if !until(world, &mut calm, 10, REST, |world| Arc::strong_count(&clients) == 1 && all_open(world)) {
        world.town.chronicle.breaks(Law::Answered, None, "the clients do not come to their ends".to_owned());
    }
}

/// Nothing fails any more: everything comes to rest, and is as it should be.
fn rest(world: &mut World) {
    let mut dice = Dice::new(0);
    settle(world, &mut dice);
    let town = Arc::clone(&world.town);
    let round = Arc::new(());
    let acting = Arc::clone(&round);
    world.put(async move {
        client::last_round(town).await;
        drop(acting);
    });
    if !until(world, &mut dice, 10, REST, |_| Arc::strong_count(&round) == 1) {
        world.town.chronicle.breaks(
            Law::Answered,
            None,
            "the last round does not come to its end".to_owned(),
        );
    }
    settle(world, &mut dice);
    if world.town.chronicle.broken().is_none() {
        look_around(world, &mut dice);
    }
}

/// Until sessions have ended, and everybody knows.
fn settle(world: &mut World, dice: &mut Dice) {
    until(world, dice, 50, FADED, |_| false);
    let is_settled = |world: &World| {
        let watches = &world.town.watches;
        watches.subscriptions() == SUBSCRIBERS && watches.behind(&world.town.chronicle).is_none()
    };
    if until(world, dice, 50, REST, is_settled) {
        return;
    }
    let Town { watches, chronicle, .. } = &*world.town;
    if let Some((user, how)) = watches.behind(chronicle) {
        chronicle.breaks(Law::Told, Some(user), how);
    } else {
        let how = format!("{SUBSCRIBERS} subscribe, and {} have come to it", watches.subscriptions());
        chronicle.breaks(Law::Answered, None, how);
    }
}

/// Nothing is left behind, and every node shows what the model says.
fn look_around(world: &mut World, dice: &mut Dice) {
    if !until(world, dice, 10, START, |world| restless(world).is_none())
        && let Some(how) = restless(world)
    {
        world.town.chronicle.breaks(Law::Bounded, None, how);
    }
    let town = Arc::clone(&world.town);
    for engine in world.nodes().iter().filter_map(Node::engine) {
        (0..town.people.len()).for_each(|person| world::compare(&town, engine, person));
    }
    // Two nodes that are asked for the same may both make it.
    let most = SUBSCRIBERS * town.doors.len();
    let asking = Arc::new(());
    for inside in town.doors.iter().filter_map(Door::inside) {
        let (chronicle, asking) = (town.chronicle.clone(), Arc::clone(&asking));
        inside.handle.clone().spawn(async move {
            let remembered = inside.notifier.remembered().await;
            let subscriptions = inside.notifier.registry().len();
            if remembered > 0 || subscriptions > most {
                let how = format!("{remembered} users are to be told of to {subscriptions} subscriptions");
                chronicle.breaks(Law::Bounded, None, how);
            }
            drop(asking);
        });
    }
    if !until(world, dice, 10, START, |_| Arc::strong_count(&asking) == 1) {
        world.town.chronicle.breaks(
            Law::Bounded,
            None,
            "a notifier does not say whom it remembers".to_owned(),
        );
    }
}

/// What a node still has to do, if one has.
fn restless(world: &World) -> Option<String> {
    world.nodes().iter().filter_map(Node::engine).find_map(|engine| {
        let held_back = engine.clock().now().since(engine.now());
        let (waiting, armed) = (engine.log_stats().waiting, engine.timers_armed());
        let is_restless = waiting > 0 || !held_back.is_zero() || armed > world.town.people.len();
        is_restless.then(|| {
            format!("{waiting} writes wait, {armed} deadlines are set, engine time is {held_back:?} behind")
        })
    })
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, shape, counts, turns, length, digest: (digest, events), broken, .. } = self;
        let verdict = broken.as_ref().map_or("held".to_owned(), |broken| format!("BROKEN {:?}", broken.law));
        write!(
            formatter,
            "seed {seed} nodes {} steps {}: {verdict}; turns {turns} seconds {} events {events} operations {} \
             writes {} acknowledged {} seen {} deliveries {} crashes {} faults {} digest {digest:016x}",
            shape.nodes,
            shape.steps,
            length.as_secs(),
            counts.operations,
            counts.writes,
            counts.acknowledged,
            counts.seen,
            counts.deliveries,
            counts.crashes,
            counts.faults,
        )
    }
}
