//! The laws of telling, over random interleavings of changes, deliveries, lost answers and crashes: whatever happens,
//! every subscriber ends up having been told the newest state of everybody, and no state goes back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use porchlight_engine::{Clock, Engine, Options as EngineOptions, Origin, Person};
use porchlight_presence::{Command, NewStatusMessage, Presence, TenantId, Timestamp, UserId};
use porchlight_store::{Fault, Log, Memory, Value};
use uuid::Uuid;

use crate::cursor::StoredCursor;
use crate::endpoint::Address;
use crate::letter::Letter;
use crate::office::Office;
use crate::outcome::Outcome;
use crate::parcel::{Item, Parcel, Words};
use crate::registry::Registry;
use crate::settings::Settings;
use crate::signer::Signer;
use crate::slots::Slots;
use crate::subscription::tests::subscription;
use crate::subscription::{Options, Subscription, Target};

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const USERS: u128 = 5;
/// So many histories in the suite; `PROPTEST_CASES` asks for others.
const HISTORIES: u64 = 10_000;
const STEPS: usize = 40;

/// Nobody reads what is sent here.
pub(crate) struct NoWords;

impl Words for NoWords {
    fn resource(&self, _: &Subscription, _: UserId, _: &Presence<'_>, _: Option<Origin>) -> Vec<u8> {
        Vec::new()
    }

    fn notifications(&self, _: &[Item], _: &[Letter], _: &[Arc<str>]) -> Vec<u8> {
        Vec::new()
    }
}

/// A die that falls the same way for the same seed: `SplitMix64`.
pub(crate) struct Die(pub(crate) u64);

impl Die {
    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What one subscriber has been told of one user, in order: the stamps.
type Received = HashMap<(Uuid, UserId), Vec<Timestamp>>;

struct World {
    engine: Engine,
    log: Arc<Memory>,
    is_slow: bool,
    /// While writes are on their way to the disk: nothing later than this may be told.
    durable_through: Option<Timestamp>,
    registry: Arc<Registry>,
    office: Office,
    underway: Vec<Parcel>,
    received: Received,
    /// Whether what was sent may have been received twice.
    may_repeat: bool,
    subscriptions: Vec<Subscription>,
}

/// Goes as far as it does without waiting, and is given up then.
fn once<F: Future>(future: F) {
    tokio::task::unconstrained(future).now_or_never();
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

async fn engine() -> (Engine, Arc<Memory>) {
    let clock = Arc::new(Clock::manual(START));
    let mut memory = None;
    let open = |replica| {
        let log = memory.insert(Arc::new(Memory::new(replica)));
        Ok::<_, std::convert::Infallible>(Arc::clone(log) as Arc<dyn Log>)
    };
    let engine = Engine::open(clock, EngineOptions::default(), open).expect("it opens");
    for number in 0..USERS {
        let person = Person::new(user(number), format!("p{number}@x.example"));
        engine.put_person(TENANT, &person).await.expect("they are put in");
    }
    engine.clock().advance(Duration::from_secs(1));
    (engine, memory.expect("it was opened"))
}

fn office(engine: &Engine, registry: &Arc<Registry>) -> Office {
    let settings = Arc::new(Settings { items_max: 3, underway_max: 3, ..Settings::default() });
    let mut office = Office::new(
        engine.clone(),
        settings,
        Arc::clone(registry),
        Arc::new(NoWords),
        Arc::new(Signer::new(engine)),
        Slots::of(None),
    );
    office.sync();
    office
}

impl World {
    async fn new() -> World {
        let (engine, log) = engine().await;
        let registry = Arc::new(Registry::default());
        engine.hand_over(Arc::clone(&registry) as Arc<dyn porchlight_engine::Keeper>);
        let of_two = subscription(1, Target::Users(vec![user(0), user(1)]));
        let everybody = subscription(2, Target::Everybody);
        let mut messages = subscription(3, Target::Users(vec![user(1), user(2)]));
        messages.options = Options { select: Some("statusMessage".to_owned()), ..Options::default() };
        // Two at one address, which share its requests.
        messages.notification_url.clone_from(&everybody.notification_url);
        let mut beginning = subscription(4, Target::Everybody);
        beginning.options.initial_snapshot = true;
        let mut subscriptions = vec![of_two, everybody, messages, beginning];
        for subscription in &mut subscriptions {
            let at = engine.feed_cursor(&engine.tenant_or_new(TENANT));
            let is_snapshot = subscription.options.initial_snapshot;
            subscription.since = if is_snapshot { StoredCursor::BEGINNING } else { at.into() };
            subscription.expires_at = START.plus(Duration::from_secs(3 * 24 * 60 * 60));
            let (key, value) = (Subscription::key(subscription.id), Value::Live(subscription.encode()));
            let expected = engine.revision_of(&key);
            engine.write_kept(key, expected, value, Box::new(())).await.expect("it is kept");
        }
        let office = office(&engine, &registry);
        World {
            engine,
            log,
            is_slow: false,
            durable_through: None,
            registry,
            office,
            underway: Vec::new(),
            received: Received::new(),
            may_repeat: false,
            subscriptions,
        }
    }

    fn step(&mut self, die: &mut Die) {
        match die.roll(20) {
            0..6 => self.change(die),
            6..8 => self.engine.clock().advance(Duration::from_millis(die.roll(3))),
            8 => self.engine.clock().advance(Duration::from_secs(die.roll(900))),
            9..14 => self.send(),
            14..17 => self.end_one(die),
            17 => self.keep_cursors(),
            18 => {
                self.office.sync();
                self.office.dispatch();
            }
            _ => match die.roll(4) {
                0 => self.crash(die),
                1 => self.slow_disk(),
                2 => self.quick_disk(),
                _ => self.fire(),
            },
        }
    }

    /// Announces what time alone has changed.
    fn fire(&self) {
        once(self.engine.run_timers());
    }

    /// From now on writes are on their way, until the disk is quick again.
    fn slow_disk(&mut self) {
        if !self.is_slow {
            self.is_slow = true;
            self.log.inject(Fault::Late);
        }
    }

    fn quick_disk(&mut self) {
        (self.is_slow, self.durable_through) = (false, None);
        self.log.resolve();
    }

    fn change(&mut self, die: &mut Die) {
        use porchlight_presence::{Activity, Availability, Pair, Patch, StandingPair};
        let whom = user(die.roll(USERS as u64).into());
        let command = if die.roll(4) == 0 {
            let content = format!("message {}", die.roll(1000));
            Command::SetStatusMessage(Some(NewStatusMessage { content, expiry: None }))
        } else {
            let (availability, activity) = [
                (Availability::Available, Activity::Available),
                (Availability::Busy, Activity::Busy),
                (Availability::Away, Activity::Away),
            ][die.roll(3) as usize];
            let pair = StandingPair::new(Pair { availability, activity }).expect("it is coherent");
            // Some end by themselves.
            let ends = (die.roll(3) == 0).then(|| Duration::from_secs(300 + die.roll(300)));
            let preferred = porchlight_presence::Change::Set((pair, ends));
            Command::Patch(Patch { preferred, ..Patch::default() })
        };
        if self.is_slow && self.durable_through.is_none() {
            let tenant = self.engine.tenant(TENANT).expect("it is known");
            let newest = |number| tenant.user(user(number)).presence(self.engine.now()).stamps.changed_at;
            let shown = (0..USERS).map(newest).max().unwrap_or_default();
            self.durable_through = Some(shown.max(self.engine.now()));
        }
        // Whoever wrote does not wait for the answer of a slow disk.
        once(self.engine.write(TENANT, whom, &command));
    }

    fn send(&mut self) {
        self.office.sync();
        self.office.dispatch();
        self.office.tick();
        if let Some(parcel) = self.office.compose() {
            for (id, user, _) in &parcel.told {
                let twice = self.underway.iter().flat_map(|other| &other.told);
                assert!(
                    twice.into_iter().all(|(other, whom, _)| (other, whom) != (id, user)),
                    "one at a time for one user"
                );
            }
            let newest = parcel.told.iter().map(|(.., stamp)| *stamp).max().unwrap_or_default();
            let is_durable = self.durable_through.is_none_or(|through| newest <= through);
            assert!(is_durable, "nothing is told before it is durable");
            self.underway.push(parcel);
        }
        while let Some(scan) = self.office.scan() {
            let changes = scan.run(&self.engine);
            self.office.scanned(&scan, Some(&changes));
        }
    }

    fn end_one(&mut self, die: &mut Die) {
        if self.underway.is_empty() {
            return;
        }
        let at = die.roll(self.underway.len() as u64) as usize;
        let parcel = self.underway.remove(at);
        let outcome = match die.roll(6) {
            0 => Outcome::Connection,
            1 => {
                // It was received, and the answer was lost.
                self.may_repeat = true;
                self.receive(&parcel);
                Outcome::Timeout
            }
            _ => {
                self.receive(&parcel);
                Outcome::Status(202)
            }
        };
        self.office.dispatch();
        self.office.finish(&parcel, outcome, Duration::from_millis(1));
    }

    fn receive(&mut self, parcel: &Parcel) {
        for (id, user, stamp) in &parcel.told {
            let stamps = self.received.entry((*id, *user)).or_default();
            let last = stamps.last().copied().unwrap_or_default();
            assert!(*stamp >= last, "what is told of one user never goes back");
            assert!(self.may_repeat || *stamp > last || stamps.is_empty(), "nothing is told twice");
            stamps.push(*stamp);
        }
    }

    fn keep_cursors(&mut self) {
        for (id, cursor, hold) in self.office.cursors() {
            let key = StoredCursor::key(id);
            let expected = self.engine.revision_of(&key);
            let value = Value::Live(cursor.encode());
            once(self.engine.write_kept(key, expected, value, Box::new(hold)));
        }
    }

    /// Everything that is only in memory is gone; what was underway has arrived or not.
    fn crash(&mut self, die: &mut Die) {
        self.may_repeat = true;
        for parcel in std::mem::take(&mut self.underway) {
            if die.roll(2) == 0 {
                self.receive(&parcel);
            }
        }
        for subscription in &self.subscriptions {
            self.registry.touch(subscription.id);
        }
        self.office = office(&self.engine, &self.registry);
    }

    /// From here on everything goes well.
    fn settle(&mut self) {
        self.quick_disk();
        for _ in 0..1000 {
            self.fire();
            self.send();
            let Some(parcel) = self.underway.pop() else {
                // Past any wait after a failure, but not past the end of a message or a preference.
                let Some(next) = self.office.next_alarm() else { return };
                if next > self.engine.now().plus(Duration::from_secs(60 * 60)) {
                    return;
                }
                self.engine.clock().advance(next.since(self.engine.now()));
                continue;
            };
            self.receive(&parcel);
            self.office.dispatch();
            self.office.finish(&parcel, Outcome::Status(202), Duration::from_millis(1));
        }
        panic!("it does not come to rest");
    }

    /// Whoever was to be told has been told the newest state.
    fn check(&self) {
        let tenant = self.engine.tenant(TENANT).expect("it is known");
        for subscription in &self.subscriptions {
            let users: Vec<UserId> = match &subscription.target {
                Target::Everybody => (0..USERS).map(user).collect(),
                Target::Users(users) => users.clone(),
            };
            for user in users {
                let stamps = tenant.user(user).presence(self.engine.now()).stamps;
                let stamp = subscription.stamp().of(stamps);
                let told = self.received.get(&(subscription.id, user)).and_then(|stamps| stamps.last());
                if subscription.options.initial_snapshot || stamp >= START.plus(Duration::from_secs(1)) {
                    assert_eq!(told, Some(&stamp), "{user} for {}", subscription.id);
                } else {
                    assert_eq!(told, None, "nobody is told of what was before");
                }
            }
        }
    }
}

#[tokio::test]
async fn whatever_happens_everybody_is_told_the_newest_state_in_order() {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    for seed in 0..asked.unwrap_or(HISTORIES) {
        let mut die = Die(seed);
        let mut world = World::new().await;
        let result = std::panic::AssertUnwindSafe(async {
            for _ in 0..STEPS {
                world.step(&mut die);
            }
            world.settle();
            world.check();
        });
        let result = result.catch_unwind().await;
        assert!(result.is_ok(), "seed {seed} breaks a law");
    }
}

#[tokio::test]
async fn nothing_is_told_before_whoever_subscribes_has_an_answer() {
    let mut world = World::new().await;
    let held: Vec<_> = world.subscriptions.iter().map(|one| world.registry.hold(one.id)).collect();
    world.change(&mut Die(7));
    world.send();
    assert!(world.underway.is_empty());
    drop(held);
    world.send();
    assert!(!world.underway.is_empty());
}

#[tokio::test]
async fn whoever_renews_all_the_time_leaves_one_alarm() {
    let mut world = World::new().await;
    let before = world.office.alarms();
    for _ in 0..1000 {
        world.engine.clock().advance(Duration::from_millis(1));
        let mut subscription = world.subscriptions[0].clone();
        subscription.expires_at = world.engine.now().plus(Duration::from_secs(3600));
        let (key, value) = (Subscription::key(subscription.id), Value::Live(subscription.encode()));
        let expected = world.engine.revision_of(&key);
        once(world.engine.write_kept(key, expected, value, Box::new(())));
        world.office.sync();
    }
    assert_eq!(world.office.alarms(), before);
}

/// User 0 becomes busy; the request that tells the first subscriber of it.
async fn tell_the_first(world: &mut World) -> Option<Parcel> {
    use porchlight_presence::{Activity, Availability, Change, Pair, Patch, StandingPair};
    let pair = Pair { availability: Availability::Busy, activity: Activity::Busy };
    let preferred = Change::Set((StandingPair::new(pair).expect("it is coherent"), None));
    let command = Command::Patch(Patch { preferred, ..Patch::default() });
    world.engine.write(TENANT, user(0), &command).await.expect("it is written");
    to_the_first(world)
}

/// The request that may be made now to the endpoint of the first subscriber.
fn to_the_first(world: &mut World) -> Option<Parcel> {
    world.office.sync();
    world.office.dispatch();
    world.office.tick();
    let address = Address::of(&world.subscriptions[0]);
    std::iter::from_fn(|| world.office.compose()).find(|parcel| parcel.address == address)
}

#[tokio::test]
async fn an_endpoint_that_proves_itself_anew_is_told_at_once() {
    let mut world = World::new().await;
    let parcel = tell_the_first(&mut world).await.expect("it is told");
    world.office.finish(&parcel, Outcome::Connection, Duration::from_millis(1));
    world.engine.clock().advance(Duration::from_secs(1));
    assert!(to_the_first(&mut world).is_none(), "it has failed a second ago");
    let proved_at = world.engine.now();
    let again = Subscription { id: Uuid::from_u128(5), proved_at, ..world.subscriptions[0].clone() };
    let (key, value) = (Subscription::key(again.id), Value::Live(again.encode()));
    let expected = world.engine.revision_of(&key);
    world.engine.write_kept(key, expected, value, Box::new(())).await.expect("it is kept");
    assert_eq!(to_the_first(&mut world).map(|parcel| parcel.attempt), Some(1));
}

#[tokio::test]
async fn nothing_is_left_of_how_endpoints_answered_before_a_reset() {
    let mut world = World::new().await;
    let parcel = tell_the_first(&mut world).await.expect("it is told");
    world.office.finish(&parcel, Outcome::Connection, Duration::from_millis(1));
    world.engine.clock().advance(Duration::from_secs(10));
    let underway = to_the_first(&mut world).expect("it is told again");
    assert_eq!(underway.attempt, 2);
    let was = world.engine.now();
    world.engine.clock().reset();
    world.engine.clock().advance(was.since(START) + Duration::from_millis(1));
    world.office.sync();
    world.office.finish(&underway, Outcome::Connection, Duration::from_millis(1));
    assert_eq!(to_the_first(&mut world).map(|parcel| parcel.attempt), Some(1));
}
