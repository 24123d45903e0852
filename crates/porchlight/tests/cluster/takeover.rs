//! A node dies that told a thousand subscriptions: others tell them soon, and of everything.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::Method;
use porchlight_testkit::Receiver;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use crate::chronicle::Chronicle;
use crate::cluster::{Cluster, NODES};
use crate::dice::{Dice, seed};
use crate::node::{Place, call};
use crate::people::{self, PEOPLE, presence_of};
use crate::subscribers::{ids, item, subscribe};
use crate::words;

/// How many subscriptions the node that dies tells at least.
const SUBSCRIPTIONS: usize = 1_000;

/// How many are made at the same time, each of one user.
const BATCH: usize = 16;

/// Another user is changed this often; there is somebody in every slot who is told of it.
const CHANGE_EVERY: Duration = Duration::from_millis(125);

/// How long it may take until all nodes have their share of the slots: the first one began with all of them.
const SHARES_MAX: Duration = Duration::from_secs(60);

/// How long it may take until somebody else tells what the dead node told. Source: issue 5.
const TAKEOVER_MAX: Duration = Duration::from_secs(10);

/// How long changes go on after the kill.
const CHANGES_AFTER: Duration = Duration::from_secs(15);

/// How long it may take until all is told, once nothing changes any more.
const REST_MAX: Duration = Duration::from_secs(30);

/// How long a node is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked what has been told.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A subscription, of whom it is told, and the slot that it is in.
#[derive(Clone, Copy, Debug)]
struct Subscription {
    id: Uuid,
    user: usize,
    slot: u64,
}

impl Subscription {
    /// The id of the item that tells it of its user's state since then.
    fn item(self, stamp: i64) -> Uuid {
        item(self.id, self.user, stamp)
    }
}

#[tokio::test]
async fn a_node_that_dies_with_a_thousand_subscriptions_is_replaced_within_ten_seconds() {
    let seed = seed();
    let mut dice = Dice::new(seed);
    let chronicle = Chronicle::begin(seed);
    let cluster = Cluster::start(chronicle.clone(), None).await;
    let receiver = Receiver::start().await;
    let (dead, slots) = shares(&cluster, &mut dice).await;
    let subscriptions = gather(&cluster, &receiver, &slots).await;
    let orphans: Vec<Subscription> =
        subscriptions.iter().copied().filter(|one| slots.held.contains(&one.slot)).collect();
    let total = subscriptions.len();
    chronicle.note(format!("node {dead} tells {} of {total} subscriptions", orphans.len()));

    let survivor = cluster.another(dead, &mut dice).expect("it listens");
    let (stop, stopped) = watch::channel(false);
    let changes = Changes::default();
    let changing = tokio::spawn(change(survivor, changes.clone(), stopped));
    let mut told = HashSet::new();
    // Before it dies, every node does what it is there for.
    until_told(&receiver, &mut told, &subscriptions, |one, told| changes.is_told(one, told)).await;
    cluster.node(dead).kill();
    let killed = Instant::now();
    chronicle.note(format!("node {dead} is dead"));
    // What it may have told itself does not count.
    changes.begin_anew();

    let took = watch_slots(&receiver, &mut told, &orphans, &changes, killed).await;
    sleep_until(killed + CHANGES_AFTER).await;
    stop.send_replace(true);
    changing.await.expect("it changes users until it is told to stop");
    let is_told = |one, told: &HashSet<Uuid>| changes.newest_is_told(one, told);
    let took_all = until_told(&receiver, &mut told, &subscriptions, is_told).await;
    let first = took.values().min().copied().unwrap_or_default();
    let last = took.values().max().copied().unwrap_or_default();
    chronicle.note(format!(
        "{} slots with {} subscriptions were taken over after {first:?} to {last:?}; at the end all was told \
         after {took_all:?}",
        took.len(),
        orphans.len()
    ));
    assert!(last <= TAKEOVER_MAX + CHANGE_EVERY, "the slots were taken over after {took:?}");
}

/// The slots there are, and those that the node holds which is going to die.
#[derive(Clone, Debug)]
struct Slots {
    count: u64,
    held: HashSet<u64>,
}

/// Waits until every slot is held, in about equal shares. Returns a node, and what it holds.
async fn shares(cluster: &Cluster, dice: &mut Dice) -> (usize, Slots) {
    let dead = dice.below(NODES);
    let place = cluster.node(dead).place().expect("it listens");
    let begun = Instant::now();
    loop {
        let answer = call(&place.client(), Method::GET, "/porchlight/cluster", None, PATIENCE).await;
        let seen = answer.expect("the node answers").json();
        let count = seen["slots"].as_u64().expect("a number of slots");
        let held = |node: &Value| -> HashSet<u64> {
            node["slots"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
        };
        let nodes = seen["nodes"].as_array().expect("nodes");
        let own = nodes.iter().find(|node| node["me"] == true).map(held).unwrap_or_default();
        let fair = count / NODES as u64;
        if nodes.len() == NODES && nodes.iter().all(|node| held(node).len() as u64 >= fair) {
            return (dead, Slots { count, held: own });
        }
        assert!(begun.elapsed() < SHARES_MAX, "the slots are not shared: {seen}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Makes subscriptions on all nodes until there are enough in these slots.
async fn gather(cluster: &Cluster, receiver: &Receiver, slots: &Slots) -> Vec<Subscription> {
    let places = cluster.places();
    let mut made: Vec<Subscription> = Vec::new();
    while made.iter().filter(|one| slots.held.contains(&one.slot)).count() < SUBSCRIPTIONS {
        let mut batch = JoinSet::new();
        for number in made.len()..made.len() + BATCH {
            let (place, user) = (places[number % places.len()], number % PEOPLE);
            // None has two of one user.
            let application = Uuid::from_u128(0xb00 + (number / PEOPLE) as u128);
            let resource = format!("communications/presences/{}", people::id(user));
            let body = json!({"notificationUrl": receiver.url("/"), "resource": resource});
            batch.spawn(async move { (subscribe(place, application, body).await, user) });
        }
        let count = u128::from(slots.count);
        for (id, user) in batch.join_all().await {
            made.push(Subscription { id, user, slot: (id.as_u128() % count) as u64 });
        }
    }
    made
}

/// What users were changed to, by the stamps of the changes; cheap to clone.
#[derive(Clone, Default)]
struct Changes(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    /// How often it was begun anew.
    chapter: usize,
    /// In the order of the changes.
    stamps: HashMap<usize, Vec<i64>>,
}

impl Changes {
    /// Forgets what was noted so far, and takes no more notes of changes that have begun already.
    fn begin_anew(&self) {
        let mut noted = self.noted();
        noted.chapter += 1;
        noted.stamps.clear();
    }

    fn chapter(&self) -> usize {
        self.noted().chapter
    }

    /// Notes a change that began in this chapter.
    fn note(&self, chapter: usize, user: usize, stamp: i64) {
        let mut noted = self.noted();
        if noted.chapter == chapter {
            noted.stamps.entry(user).or_default().push(stamp);
        }
    }

    /// Whether a subscription was told of any of them.
    fn is_told(&self, subscription: Subscription, told: &HashSet<Uuid>) -> bool {
        let noted = self.noted();
        let mut stamps = noted.stamps.get(&subscription.user).into_iter().flatten();
        stamps.any(|stamp| told.contains(&subscription.item(*stamp)))
    }

    /// Whether a subscription was told of the newest of them.
    fn newest_is_told(&self, subscription: Subscription, told: &HashSet<Uuid>) -> bool {
        let noted = self.noted();
        let newest = noted.stamps.get(&subscription.user).and_then(|stamps| stamps.last());
        newest.is_some_and(|newest| told.contains(&subscription.item(*newest)))
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().expect("nobody panics while they hold it")
    }
}

/// Changes one user after another, each time to another pair, until it is told to stop.
async fn change(place: Place, changes: Changes, stop: watch::Receiver<bool>) {
    let client = place.client();
    let begun = Instant::now();
    for number in 0_usize.. {
        sleep_until(begun + CHANGE_EVERY * number as u32).await;
        if *stop.borrow() {
            return;
        }
        let (user, pair) = (number % PEOPLE, ["Busy", "Away", "Available"][number / PEOPLE % 3]);
        let body = json!({"availability": pair, "activity": pair});
        let chapter = changes.chapter();
        let answer = call(&client, Method::PATCH, &presence_of(user), Some(&body), PATIENCE).await;
        let answer = answer.expect("the node answers");
        assert_eq!(answer.status, 200, "{answer:?}");
        changes.note(chapter, user, words::changed_at(&answer.json()).expect("it has changed"));
    }
}

/// Watches until somebody in every slot of an orphan was told of a change after the kill. Returns how long that took,
/// by slot.
async fn watch_slots(
    receiver: &Receiver,
    told: &mut HashSet<Uuid>,
    orphans: &[Subscription],
    changes: &Changes,
    killed: Instant,
) -> BTreeMap<u64, Duration> {
    let mut took = BTreeMap::new();
    let mut missing: HashSet<u64> = orphans.iter().map(|orphan| orphan.slot).collect();
    while !missing.is_empty() {
        take(receiver, told);
        let now = killed.elapsed();
        for orphan in orphans {
            if missing.contains(&orphan.slot) && changes.is_told(*orphan, told) {
                missing.remove(&orphan.slot);
                took.insert(orphan.slot, now);
            }
        }
        assert!(now < REST_MAX, "after {now:?} nobody tells slots {missing:?}; the others: {took:?}");
        sleep(LOOK_EVERY).await;
    }
    took
}

/// Waits until every subscription was told what it is to be told. Returns how long that took.
async fn until_told(
    receiver: &Receiver,
    told: &mut HashSet<Uuid>,
    subscriptions: &[Subscription],
    is_told: impl Fn(Subscription, &HashSet<Uuid>) -> bool,
) -> Duration {
    let begun = Instant::now();
    loop {
        take(receiver, told);
        let Some(missing) = subscriptions.iter().find(|one| !is_told(**one, told)) else {
            return begun.elapsed();
        };
        assert!(begun.elapsed() < REST_MAX, "{missing:?} was not told what it is to be told");
        sleep(LOOK_EVERY).await;
    }
}

/// Notes which items have come.
fn take(receiver: &Receiver, told: &mut HashSet<Uuid>) {
    for delivery in receiver.take_all() {
        told.extend(ids(&delivery));
    }
}
