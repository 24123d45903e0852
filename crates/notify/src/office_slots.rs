//! The laws of telling for two nodes that share the slots, over random interleavings of changes on either, deliveries
//! and leases that move: whatever happens, nobody begins to tell what another may be telling, and every subscriber ends
//! up having been told the newest state of everybody.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use porchlight_engine::{Keeper, Person};
use porchlight_presence::{
    Activity, Availability, Change, Command, Expiry, NewStatusMessage, Pair, Patch, StandingPair, TenantId,
    Timestamp, UserId,
};
use porchlight_store::{Revision, Value};
use uuid::Uuid;

use crate::cursor::StoredCursor;
use crate::node::{Node, START};
use crate::office::Office;
use crate::office_laws::{Die, NoWords};
use crate::outcome::Outcome;
use crate::parcel::Parcel;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::signer::Signer;
use crate::slots::Slots;
use crate::subscription::tests::subscription;
use crate::subscription::{Subscription, Target};

const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const USERS: u128 = 4;
const SLOTS: u16 = 3;
const HISTORIES: u64 = 2_000;
const STEPS: usize = 60;
const SECOND: Duration = Duration::from_secs(1);

/// A node, what it plans, and what it has underway.
struct Side {
    node: Node,
    office: Office,
    underway: Vec<Parcel>,
}

struct World {
    sides: [Side; 2],
    /// Which side may begin to tell what falls into each slot.
    holders: [Option<usize>; SLOTS as usize],
    subscriptions: Vec<Subscription>,
    /// The newest state that each subscriber has been told of each user.
    told: HashMap<(Uuid, UserId), Timestamp>,
}

/// Goes as far as it does without waiting, and is given up then.
fn once<F: Future>(future: F) {
    tokio::task::unconstrained(future).now_or_never();
}

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

fn slot_of(subscription: Uuid) -> u16 {
    (subscription.as_u128() % u128::from(SLOTS)) as u16
}

impl Side {
    fn new(node: Node) -> Side {
        let registry = Arc::new(Registry::default());
        node.engine.hand_over(Arc::clone(&registry) as Arc<dyn Keeper>);
        let settings = Arc::new(Settings { items_max: 3, underway_max: 3, ..Settings::default() });
        let signer = Arc::new(Signer::new(&node.engine));
        let slots = Slots::of(node.engine.cluster().as_deref());
        let office = Office::new(node.engine.clone(), settings, registry, Arc::new(NoWords), signer, slots);
        Side { node, office, underway: Vec::new() }
    }
}

impl World {
    async fn new() -> World {
        let first = Node::first(SLOTS);
        for number in 0..USERS {
            let person = Person::new(user(number), format!("p{number}@x.example"));
            first.engine.put_person(TENANT, &person).await.expect("they are put in");
        }
        first.advance(SECOND);
        let mut subscriptions = vec![
            subscription(1, Target::Users(vec![user(0), user(1)])),
            subscription(2, Target::Everybody),
            subscription(3, Target::Users(vec![user(1), user(2)])),
            subscription(4, Target::Everybody),
        ];
        let tenant = first.engine.tenant_or_new(TENANT);
        for subscription in &mut subscriptions {
            subscription.since = first.engine.feed_cursor(&tenant).into();
            subscription.expires_at = START.plus(SECOND * 3 * 24 * 60 * 60);
            let (key, value) = (Subscription::key(subscription.id), Value::Live(subscription.encode()));
            first.engine.write_kept(key, Revision::NONE, value, Box::new(())).await.expect("it is kept");
        }
        let second = first.beside(SLOTS);
        second.advance(SECOND);
        let sides = [Side::new(first), Side::new(second)];
        World { sides, holders: [None; SLOTS as usize], subscriptions, told: HashMap::new() }
    }

    fn step(&mut self, die: &mut Die) {
        let at = die.roll(2) as usize;
        match die.roll(16) {
            0..5 => self.change(at, die),
            5 => self.advance(Duration::from_millis(die.roll(3))),
            6 => self.advance(Duration::from_secs(die.roll(400))),
            7..11 => drop(self.send(at)),
            11..13 => self.end_one(at, die),
            13 => self.keep_cursors(at),
            _ => self.move_slot(die),
        }
    }

    fn advance(&self, by: Duration) {
        for side in &self.sides {
            side.node.advance(by);
            once(side.node.engine.run_timers());
        }
    }

    fn change(&self, at: usize, die: &mut Die) {
        let pair = [
            (Availability::Available, Activity::Available),
            (Availability::Busy, Activity::Busy),
            (Availability::Away, Activity::Away),
        ][die.roll(3) as usize];
        // Some end by themselves.
        let ends = (die.roll(3) == 0).then(|| Duration::from_secs(300 + die.roll(300)));
        self.write(at, user(die.roll(USERS as u64).into()), pair, ends);
    }

    fn write(
        &self,
        at: usize,
        whom: UserId,
        (availability, activity): (Availability, Activity),
        ends: Option<Duration>,
    ) {
        let pair = StandingPair::new(Pair { availability, activity }).expect("it is coherent");
        let command = Command::Patch(Patch { preferred: Change::Set((pair, ends)), ..Patch::default() });
        once(self.sides[at].node.engine.write(TENANT, whom, &command));
    }

    /// A slot goes from its holder, or from nobody, to anybody or to nobody. Its last holder learns of it at once, or
    /// only sees that its lease is not fresh.
    fn move_slot(&mut self, die: &mut Die) {
        let slot = die.roll(u64::from(SLOTS)) as u16;
        let holder = &mut self.holders[usize::from(slot)];
        if let Some(before) = holder.take() {
            let leases = &self.sides[before].node.leases;
            if die.roll(2) == 0 {
                leases.take_away(slot);
            } else {
                leases.let_go_stale(slot);
            }
        }
        let next = die.roll(3) as usize;
        if next < 2 {
            self.give(slot, next);
        }
    }

    fn give(&mut self, slot: u16, side: usize) {
        self.holders[usize::from(slot)] = Some(side);
        self.sides[side].node.leases.give(slot);
    }

    /// Returns whether something was looked up that may be sent next.
    fn send(&mut self, at: usize) -> bool {
        let side = &mut self.sides[at];
        side.office.sync();
        side.office.dispatch();
        side.office.tick();
        side.office.try_again();
        if let Some(parcel) = side.office.compose() {
            for (id, ..) in &parcel.told {
                assert_eq!(self.holders[usize::from(slot_of(*id))], Some(at), "only its holder tells it");
            }
            side.underway.push(parcel);
        }
        let mut has_looked = false;
        while let Some(scan) = side.office.scan() {
            let changes = scan.run(&side.node.engine);
            side.office.scanned(&scan, Some(&changes));
            has_looked = true;
        }
        has_looked
    }

    fn end_one(&mut self, at: usize, die: &mut Die) {
        if self.sides[at].underway.is_empty() {
            return;
        }
        let which = die.roll(self.sides[at].underway.len() as u64) as usize;
        let parcel = self.sides[at].underway.remove(which);
        let was_received = die.roll(6) > 0;
        self.end(at, &parcel, was_received);
    }

    fn end(&mut self, at: usize, parcel: &Parcel, was_received: bool) {
        if was_received {
            for (id, user, stamp) in &parcel.told {
                let newest = self.told.entry((*id, *user)).or_default();
                *newest = (*newest).max(*stamp);
            }
        }
        let outcome = if was_received { Outcome::Status(202) } else { Outcome::Connection };
        let office = &mut self.sides[at].office;
        office.dispatch();
        office.finish(parcel, outcome, Duration::from_millis(1));
    }

    fn keep_cursors(&mut self, at: usize) {
        let Side { node, office, .. } = &mut self.sides[at];
        office.sync();
        for (id, cursor, hold) in office.cursors() {
            let key = StoredCursor::key(id);
            let expected = node.engine.revision_of(&key);
            once(node.engine.write_kept(key, expected, Value::Live(cursor.encode()), Box::new(hold)));
        }
    }

    /// From here on everything goes well, and every slot is held.
    fn settle(&mut self, die: &mut Die) {
        for slot in 0..SLOTS {
            for side in &self.sides {
                side.node.leases.take_away(slot);
            }
            self.give(slot, die.roll(2) as usize);
        }
        for _ in 0..1000 {
            let mut is_any = false;
            for at in 0..2 {
                is_any |= self.send(at);
                if let Some(parcel) = self.sides[at].underway.pop() {
                    self.end(at, &parcel, true);
                    is_any = true;
                }
            }
            if is_any {
                continue;
            }
            // Past any wait after a failure, but not past the end of a preference.
            let now = self.sides[0].node.engine.now();
            let alarms = self.sides.iter().filter_map(|side| side.office.next_alarm());
            let Some(next) = alarms.min().filter(|next| *next <= now.plus(SECOND * 60 * 60)) else { return };
            self.advance(next.since(now));
        }
        panic!("it does not come to rest");
    }

    fn check(&self) {
        let engine = &self.sides[0].node.engine;
        let tenant = engine.tenant(TENANT).expect("it is known");
        for subscription in &self.subscriptions {
            let users: Vec<UserId> = match &subscription.target {
                Target::Everybody => (0..USERS).map(user).collect(),
                Target::Users(users) => users.clone(),
            };
            for user in users {
                let stamps = tenant.user(user).presence(engine.now()).stamps;
                let stamp = subscription.stamp().of(stamps);
                if stamp >= START.plus(SECOND) {
                    let told = self.told.get(&(subscription.id, user));
                    assert_eq!(told, Some(&stamp), "{user} for {}", subscription.id);
                }
            }
        }
    }
}

#[tokio::test]
async fn however_slots_move_only_the_holder_tells_and_everybody_is_told_the_newest_state() {
    for seed in 0..HISTORIES {
        let mut die = Die(seed);
        let mut world = World::new().await;
        let result = std::panic::AssertUnwindSafe(async {
            for _ in 0..STEPS {
                world.step(&mut die);
            }
            world.settle(&mut die);
            world.check();
        });
        assert!(result.catch_unwind().await.is_ok(), "seed {seed} breaks a law");
    }
}

#[tokio::test]
async fn what_waits_for_a_fresh_lease_is_sent_when_there_is_one() {
    let mut world = World::new().await;
    for slot in 0..SLOTS {
        world.give(slot, 0);
    }
    world.send(0);
    let (one, other) = (world.subscriptions[0].id, world.subscriptions[1].id);
    world.holders[usize::from(slot_of(one))] = None;
    world.sides[0].node.leases.let_go_stale(slot_of(one));
    world.write(1, user(0), (Availability::Busy, Activity::Busy), None);
    world.advance(Duration::from_millis(5));
    let tells = |world: &mut World, id: Uuid| {
        for _ in 0..world.subscriptions.len() {
            world.send(0);
        }
        let mut told = world.sides[0].underway.iter().flat_map(|parcel| &parcel.told);
        told.any(|(told, ..)| *told == id)
    };
    assert!(tells(&mut world, other) && !tells(&mut world, one));
    assert!(world.sides[0].office.is_held_back());
    world.give(slot_of(one), 0);
    assert!(tells(&mut world, one) && !world.sides[0].office.is_held_back());
}

#[tokio::test]
async fn what_a_scan_has_not_found_out_another_one_looks_for() {
    let node = Node::first(1);
    let mut subscription = subscription(1, Target::Everybody);
    // It ends before the start, which the feed does not reach back to.
    subscription.since = node.engine.cursor(&node.engine.tenant_or_new(TENANT)).into();
    let (key, value) = (Subscription::key(subscription.id), Value::Live(subscription.encode()));
    node.engine.write_kept(key, Revision::NONE, value, Box::new(())).await.expect("it is kept");
    node.leases.give(0);
    let office = &mut Side::new(node).office;
    office.sync();
    assert!(office.compose().is_none());
    let scan = office.scan().expect("it has to catch up");
    assert!(office.compose().is_none() && office.scan().is_none(), "one at a time");
    office.scanned(&scan, None);
    assert!(office.compose().is_none() && office.scan().is_some());
}

#[tokio::test]
async fn what_ends_between_a_clock_and_that_of_the_node_before_is_told_by_the_one_that_is_behind() {
    let here = Node::first(1);
    let person = Person::new(user(0), "p0@x.example");
    here.engine.put_person(TENANT, &person).await.expect("they are put in");
    let there = here.beside(1);
    // The first node is two seconds ahead, and has not heard of a message that is over by its clock alone.
    here.advance(SECOND * 3);
    there.advance(SECOND);
    here.hold_back();
    let end = there.engine.now().plus(SECOND);
    let message = NewStatusMessage { content: "soon".to_owned(), expiry: Some(Expiry { at: end, ticks: 0 }) };
    let command = Command::SetStatusMessage(Some(message));
    there.engine.write(TENANT, user(0), &command).await.expect("it is written");
    once(here.engine.run_timers());
    let mut subscription = subscription(1, Target::Users(vec![user(0)]));
    subscription.options.select = Some("statusMessage".to_owned());
    subscription.since = here.engine.feed_cursor(&here.engine.tenant_or_new(TENANT)).into();
    assert!(subscription.since.in_log(&here.engine).at > end);
    here.let_go();
    let (key, value) = (Subscription::key(subscription.id), Value::Live(subscription.encode()));
    there.engine.write_kept(key, Revision::NONE, value, Box::new(())).await.expect("it is kept");

    there.leases.give(0);
    let Side { node: there, mut office, .. } = Side::new(there);
    let mut told = || {
        once(there.engine.run_timers());
        office.sync();
        office.dispatch();
        office.tick();
        let parcel = office.compose().expect("there is something to tell");
        office.finish(&parcel, Outcome::Status(202), Duration::from_millis(1));
        there.advance(SECOND * 3);
        parcel.told[0].2
    };
    assert!(told() < end, "the message, which is there for one more second");
    assert_eq!(told(), end);
}
