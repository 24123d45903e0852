//! Several engines over one log in memory, as the nodes of a cluster are over theirs.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::{
    Change, Clock, Cursor, Engine, Options, Person, PersonError, Recent, Seed, Stamp, Tenant, Unready, Whom,
    WriteError, Written,
};
use porchlight_presence::{
    Activity, ApplicationId, Availability, Command, Expiry, Limits, NewStatusMessage, Pair, SessionId,
    SessionKey, SessionPair, SetPresence, Stamps, TenantId, Timestamp, UserId,
};
use porchlight_store::{Cluster, Fault, Key, Leases, Log, Memory, Replica};
use proptest::prelude::*;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

const START: i64 = 1_795_165_200_000;
const TENANT: TenantId = TenantId(Uuid::from_u128(1));

/// Nobody needs any here.
struct NoLeases;

impl Leases for NoLeases {
    fn slots(&self) -> u16 {
        1
    }

    fn take(&self) {}

    fn may_begin(&self, _slot: u16) -> bool {
        false
    }

    fn held(&self) -> watch::Receiver<BTreeSet<u16>> {
        watch::channel(BTreeSet::new()).1
    }

    fn holders(&self) -> Vec<(u16, Uuid)> {
        Vec::new()
    }

    fn give_up(&self, _slot: u16) {}

    fn release(&self) {}
}

struct Node {
    engine: Engine,
    memory: Arc<Memory>,
    id: Uuid,
    nodes: watch::Sender<Arc<[porchlight_store::Node]>>,
    /// Runs the timers, as the program does.
    timers: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.timers.abort();
    }
}

fn clock() -> Arc<Clock> {
    Arc::new(Clock::manual(Timestamp::from_millis(START)))
}

/// A node beside those there are, or the first one.
fn node(first: Option<&Node>, clock: &Arc<Clock>) -> Node {
    let (nodes, seen) = watch::channel::<Arc<[porchlight_store::Node]>>(Arc::from([]));
    let id = Uuid::new_v4();
    let cluster = Arc::new(Cluster { me: id, nodes: seen, leases: Arc::new(NoLeases) });
    let limits = Limits { sessions_max: 1_000, ..Limits::default() };
    let options = Options { limits, development: true, ..Options::default() };
    let mut memory = None;
    let engine = Engine::open(Arc::clone(clock), options, |replica: Arc<dyn Replica>| {
        let log = Arc::new(match first {
            Some(first) => first.memory.beside(replica),
            None => Memory::new(replica),
        });
        log.share(cluster);
        memory = Some(Arc::clone(&log));
        Ok::<_, Infallible>(log as Arc<dyn Log>)
    });
    let engine = engine.unwrap_or_else(|error| panic!("it opens: {error}"));
    let running = engine.clone();
    let timers = tokio::spawn(async move { running.run_timers().await });
    Node { engine, memory: memory.expect("the log was opened"), id, nodes, timers }
}

/// Two nodes with one clock, which know the tenant.
async fn two() -> (Node, Node, Arc<Clock>) {
    let clock = clock();
    let one = node(None, &clock);
    let other = node(Some(&one), &clock);
    one.write(user(0), &status("so that the tenant is known")).await;
    (one, other, clock)
}

fn user(number: u8) -> UserId {
    UserId(Uuid::from_u128(0x100 + u128::from(number)))
}

fn person(number: u8, name: &str) -> Person {
    Person { display_name: name.to_owned(), ..Person::new(user(number), name) }
}

/// Available for four hours, in the session of this number.
fn available(session: u128) -> Command {
    let pair = Pair { availability: Availability::Available, activity: Activity::Available };
    let id = Uuid::from_u128(session);
    Command::SetPresence(SetPresence {
        session: SessionKey { application: ApplicationId(id), session: SessionId(id) },
        pair: SessionPair::new(pair).expect("one of the five"),
        duration: Some(Duration::from_secs(4 * 60 * 60)),
    })
}

fn status(text: &str) -> Command {
    Command::SetStatusMessage(Some(NewStatusMessage { content: text.to_owned(), expiry: None }))
}

/// A status message until so long after the start.
fn status_until(after: Duration) -> Command {
    let expiry = Some(Expiry { at: Timestamp::from_millis(START).plus(after), ticks: 0 });
    Command::SetStatusMessage(Some(NewStatusMessage { content: "for a while".to_owned(), expiry }))
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Lets whatever can go on go on.
async fn others_go_on() {
    for _ in 0..256 {
        tokio::task::yield_now().await;
    }
}

/// Waits for what must come.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(seconds(10), future).await.expect("it comes")
}

impl Node {
    fn tenant(&self) -> Arc<Tenant> {
        self.engine.tenant_or_new(TENANT)
    }

    async fn write(&self, user: UserId, command: &Command) -> Box<Written> {
        self.engine.write(TENANT, user, command).await.expect("nothing is wrong with it")
    }

    fn spawn_write(&self, user: UserId, command: Command) -> JoinHandle<Result<Box<Written>, WriteError>> {
        let engine = self.engine.clone();
        tokio::spawn(async move { engine.write(TENANT, user, &command).await })
    }

    fn stamps(&self, user: UserId) -> Stamps {
        self.tenant().user(user).presence(self.engine.now()).stamps
    }

    fn activity(&self, user: UserId) -> Activity {
        self.tenant().user(user).presence(self.engine.now()).pair.activity
    }

    fn cursor(&self) -> Cursor {
        self.engine.cursor(&self.tenant())
    }

    fn changed(&self, cursor: Cursor) -> Vec<UserId> {
        let changes = self.engine.changes_since(&self.tenant(), cursor, Whom::Everybody, Stamp::ChangedAt);
        changes.changed.into_iter().map(|changed| changed.user).collect()
    }

    fn feed(&self) -> Vec<Change> {
        let Recent::Changes(changes, _) = self.tenant().feed().since_number(0, usize::MAX) else {
            panic!("all is remembered")
        };
        changes
    }
}

/// Lets the time pass, and the timers run.
async fn pass(clock: &Clock, node: &Node, by: Duration) {
    clock.advance(by);
    node.memory.heartbeat();
    others_go_on().await;
}

#[tokio::test]
async fn a_write_that_meets_another_is_applied_to_what_that_one_has_left() {
    let (one, other, _) = two().await;
    other.memory.hold_back();
    one.write(user(1), &available(1)).await;
    let meets = other.spawn_write(user(1), available(2));
    others_go_on().await;
    assert!(!meets.is_finished(), "it waits until it can see the other");
    other.memory.let_go();
    let written = soon(meets).await.expect("it does not panic").expect("it is begun anew");
    assert_eq!(written.before.sessions().len(), 1);
    for node in [&one, &other] {
        assert_eq!(node.tenant().user(user(1)), written.user);
        assert!(node.engine.reach(&node.tenant(), written.revision).await);
    }
}

#[tokio::test]
async fn a_refusal_of_what_another_node_has_left_is_the_answer() {
    let (one, other, _) = two().await;
    other.memory.hold_back();
    one.write(user(1), &Command::SetHidden(true)).await;
    let meets = other.spawn_write(user(1), status("not any more"));
    others_go_on().await;
    other.memory.let_go();
    let outcome = soon(meets).await.expect("it does not panic");
    assert!(matches!(outcome, Err(WriteError::Refused(_))), "{outcome:?}");
}

#[tokio::test]
async fn three_nodes_put_the_same_people_in_at_once() {
    let (one, other, clock) = two().await;
    let third = node(Some(&one), &clock);
    let people: Vec<Person> = (1..=20).map(|number| person(number, &format!("p{number}@x"))).collect();
    let seed = Seed { tenant: TENANT, people };
    let seeding = |node: &Node| {
        let (engine, seed) = (node.engine.clone(), seed.clone());
        tokio::spawn(async move { engine.seed(&seed).await })
    };
    // The second has claimed all names before the first comes, and the third learns of nothing.
    other.memory.hold_back();
    third.memory.hold_back();
    let second = seeding(&other);
    others_go_on().await;
    let (first, last) = (seeding(&one), seeding(&third));
    others_go_on().await;
    other.memory.let_go();
    third.memory.let_go();
    for done in [first, second, last] {
        assert_eq!(soon(done).await.expect("it does not panic"), Ok(()));
    }
    for node in [&one, &other, &third] {
        let tenant = node.tenant();
        assert_eq!(tenant.directory().len(), 20);
        for person in &seed.people {
            assert_eq!(tenant.resolve(&person.user_principal_name), Some(person.id));
        }
    }
}

#[tokio::test]
async fn a_name_goes_to_whoever_has_claimed_it_first_on_whichever_node() {
    let (one, other, _) = two().await;
    let create = |node: &Node, person: Person| {
        let engine = node.engine.clone();
        tokio::spawn(async move { engine.create_person(TENANT, &person).await })
    };
    other.memory.hold_back();
    // Claimed, and the entry is still to come.
    let first = create(&other, person(2, "ada@x"));
    others_go_on().await;
    let second = create(&one, person(1, "Ada@x"));
    others_go_on().await;
    assert!(!second.is_finished());
    other.memory.let_go();
    assert_eq!(soon(first).await.expect("it does not panic"), Ok(()));
    let taken = soon(second).await.expect("it does not panic");
    assert_eq!(taken, Err(PersonError::NameTaken("Ada@x".to_owned())));
    for node in [&one, &other] {
        assert_eq!(node.tenant().resolve("ada@x"), Some(user(2)));
        assert!(!node.tenant().is_somebody(user(1)));
    }
}

#[tokio::test]
async fn a_change_of_a_person_is_asked_again_when_another_node_has_changed_them() {
    let (one, other, _) = two().await;
    one.engine.put_person(TENANT, &person(1, "ada@x")).await.expect("nobody has it");
    other.memory.hold_back();
    let longer = |person: Person| {
        Ok::<_, PersonError>(Person { display_name: person.display_name.clone() + "!", ..person })
    };
    let engine = other.engine.clone();
    one.engine.change_person(TENANT, user(1), longer).await.expect("the log takes it");
    let second = tokio::spawn(async move { engine.change_person(TENANT, user(1), longer).await });
    others_go_on().await;
    other.memory.let_go();
    let changed = soon(second).await.expect("it does not panic").expect("it is begun anew");
    assert_eq!(changed.display_name, "ada@x!!");
}

#[tokio::test]
async fn a_deleted_person_leaves_no_record_although_another_node_writes_meanwhile() {
    let (one, other, _) = two().await;
    one.engine.put_person(TENANT, &person(1, "ada@x")).await.expect("nobody else has the name");
    one.write(user(1), &available(1)).await;
    // The record is deleted, and the name on its way: the entry is still there.
    one.memory.fail_at(2, Fault::Late);
    let engine = one.engine.clone();
    let deletion = tokio::spawn(async move { engine.delete_person(TENANT, user(1)).await });
    others_go_on().await;
    let meanwhile = other.spawn_write(user(1), available(2));
    others_go_on().await;
    one.memory.resolve();
    assert_eq!(soon(deletion).await.expect("it does not panic"), Ok(()));
    soon(meanwhile).await.expect("it does not panic").expect("the person was still there");
    for node in [&one, &other] {
        assert!(!node.tenant().is_somebody(user(1)));
        assert_eq!(node.tenant().users_len(), 1, "the record of whom everybody knows, and no other");
    }
    let late = soon(other.spawn_write(user(1), available(3))).await.expect("it does not panic");
    assert_eq!(late.map(|written| written.revision), Err(WriteError::Deleted(user(1))));
}

#[tokio::test]
async fn a_secret_that_two_nodes_make_at_once_is_one() {
    let (one, other, _) = two().await;
    other.memory.hold_back();
    let secret = one.engine.secret("one").await.expect("it is kept");
    let engine = other.engine.clone();
    let others = tokio::spawn(async move { engine.secret("one").await });
    others_go_on().await;
    other.memory.let_go();
    assert_eq!(soon(others).await.expect("it does not panic"), Ok(secret));
}

#[tokio::test]
async fn engine_time_stands_still_without_proof_and_goes_on_with_it() {
    let (one, _other, clock) = two().await;
    one.write(user(1), &available(1)).await;
    pass(&clock, &one, seconds(299)).await;
    assert!(!one.engine.is_frozen());
    clock.advance(seconds(3));
    one.memory.heartbeat();
    assert_eq!(one.activity(user(1)), Activity::AvailableInactive);
    let last = clock.now();
    clock.advance(Duration::from_millis(3_001));
    assert!(one.engine.is_frozen());
    assert_eq!((one.engine.now(), one.engine.is_frozen()), (last.plus(seconds(3)), true));
    clock.advance(seconds(3_600));
    others_go_on().await;
    let told = one.feed().len();
    assert_eq!(one.activity(user(1)), Activity::AvailableInactive, "nobody knows better");
    one.memory.heartbeat();
    assert_eq!((one.engine.now(), one.engine.is_frozen()), (clock.now(), false));
    assert_eq!((one.activity(user(1)), one.engine.unreadiness()), (Activity::Away, None));
    others_go_on().await;
    assert!(one.feed().len() > told, "what has come due meanwhile is told");
}

#[tokio::test]
async fn a_fade_that_one_node_has_told_and_another_has_prevented_is_taken_back() {
    let (one, other, clock) = two().await;
    one.write(user(1), &available(1)).await;
    pass(&clock, &one, seconds(298)).await;
    other.memory.hold_back();
    one.write(user(1), &available(1)).await;
    // The other is not cut off for so long that it would not tell.
    pass(&clock, &one, Duration::from_millis(2_500)).await;
    assert_eq!(one.activity(user(1)), Activity::Available);
    assert_eq!(other.activity(user(1)), Activity::AvailableInactive);
    let (cursor, faded) = (other.cursor(), *other.feed().last().expect("it is told"));
    assert_eq!(faded.user, user(1));
    other.memory.let_go();
    assert_eq!(other.changed(cursor), [user(1)]);
    let taken_back = *other.feed().last().expect("it is told");
    assert_eq!((taken_back.user, other.activity(user(1))), (user(1), Activity::Available));
    assert!(taken_back.stamps.changed_at > faded.stamps.changed_at);
    assert!(taken_back.stamps.state_since > faded.stamps.state_since);
    assert_eq!(one.stamps(user(1)), other.stamps(user(1)));
}

#[tokio::test]
async fn a_write_that_turns_out_durable_late_is_stamped_anew() {
    let (one, other, clock) = two().await;
    one.memory.inject(Fault::Late);
    let late = one.spawn_write(user(1), status("late"));
    others_go_on().await;
    pass(&clock, &one, seconds(100)).await;
    one.memory.resolve();
    let written = soon(late).await.expect("it does not panic").expect("it is durable");
    assert_eq!(written.at, Timestamp::from_millis(START));
    one.memory.heartbeat();
    others_go_on().await;
    for node in [&one, &other] {
        // Another node, whose clock may be ahead, may have told of what lies as far ahead.
        assert_eq!(node.stamps(user(1)).changed_at, clock.now().plus(seconds(8)));
        let record = node.tenant().user(user(1));
        let message = record.presence(clock.now()).status_message.map(|message| message.content.to_owned());
        assert_eq!(message.as_deref(), Some("late"));
    }
}

#[tokio::test]
async fn a_write_that_others_may_have_told_a_fade_before_is_stamped_after_it() {
    let (one, _other, clock) = two().await;
    one.write(user(1), &available(1)).await;
    let fade = Timestamp::from_millis(START).plus(seconds(300));
    pass(&clock, &one, seconds(288)).await;
    one.memory.inject(Fault::Late);
    let write = one.spawn_write(user(1), status("in time"));
    others_go_on().await;
    // In time for the log, but a node whose clock is ahead may have told of the fade meanwhile.
    clock.advance(seconds(6));
    one.memory.resolve();
    let written = soon(write).await.expect("it does not panic").expect("it is durable");
    assert!(written.at < fade);
    one.memory.heartbeat();
    others_go_on().await;
    assert!(one.stamps(user(1)).changed_at > fade);
}

#[tokio::test]
async fn a_write_in_time_is_not_stamped_anew() {
    let (one, _other, clock) = two().await;
    one.memory.inject(Fault::Late);
    let write = one.spawn_write(user(1), status("in time"));
    others_go_on().await;
    clock.advance(seconds(9));
    one.memory.resolve();
    let written = soon(write).await.expect("it does not panic").expect("it is durable");
    others_go_on().await;
    assert_eq!(one.tenant().user(user(1)), written.user);
}

#[tokio::test]
async fn an_entry_that_the_log_moves_is_told_to_nobody_and_can_be_written() {
    let (one, other, clock) = two().await;
    one.engine.put_person(TENANT, &person(1, "ada@x")).await.expect("nobody has it");
    one.write(user(1), &available(1)).await;
    // Beyond what is looked back for, and past a fade.
    pass(&clock, &one, seconds(400)).await;
    let (cursor, told) = (other.cursor(), other.feed());
    for kind in ["user", "directory", "name"] {
        let name = if kind == "name" { "ada@x".to_owned() } else { user(1).to_string() };
        one.memory.sweep(&Key::new(format!("{kind}/{TENANT}/{name}")));
    }
    others_go_on().await;
    assert_eq!((other.feed(), other.changed(cursor)), (told, vec![]));
    assert!(other.tenant().directory().changed_since(cursor.revision).is_empty());
    assert!(other.tenant().applied() > cursor.revision);
    other.write(user(1), &status("hello")).await;
    let longer = Person { display_name: "Ada".to_owned(), ..person(1, "lovelace@x") };
    other.engine.put_person(TENANT, &longer).await.expect("nobody has it");
    one.engine.put_person(TENANT, &person(2, "ada@x")).await.expect("it was given up");
}

#[tokio::test]
async fn a_write_of_a_node_whose_clock_is_behind_is_told_although_the_cursor_is_later() {
    let (ahead, behind) = (clock(), clock());
    let one = node(None, &ahead);
    let other = node(Some(&one), &behind);
    one.write(user(0), &status("so that the tenant is known")).await;
    for millis in [5_000, 55_000] {
        ahead.advance(Duration::from_millis(millis));
        one.memory.heartbeat();
        let cursor = one.cursor();
        let written = other.write(user(1), &status(&format!("after {millis}"))).await;
        assert!(written.user.stamps_at_write().changed_at < cursor.at);
        assert_eq!(one.changed(cursor), [user(1)]);
        let both = [user(0), user(1)];
        let changes = one.engine.changes_since(&one.tenant(), cursor, Whom::Users(&both), Stamp::ChangedAt);
        assert_eq!(changes.changed.iter().map(|changed| changed.user).collect::<Vec<_>>(), [user(1)]);
        assert!(one.engine.has_changed(&one.tenant(), user(1), cursor, one.engine.now()));
        assert!(one.changed(changes.next).is_empty(), "once");
        // Whoever goes on from there on the other node need not begin anew.
        assert!(other.engine.can_go_on_from(&other.tenant(), changes.next));
    }
}

#[tokio::test]
async fn a_cursor_does_not_pass_a_fade_whose_record_has_come_after_its_instant() {
    let (ahead, behind) = (clock(), clock());
    let one = node(None, &behind);
    let other = node(Some(&one), &ahead);
    one.write(user(0), &status("so that the tenant is known")).await;
    pass(&ahead, &other, seconds(4)).await;
    one.write(user(1), &status_until(seconds(2))).await;
    behind.advance(seconds(1));
    // Whoever has been told of it by the one that is behind comes to the other before that has told of the end.
    let cursor = one.cursor();
    let fade = Timestamp::from_millis(START).plus(seconds(2));
    assert!(other.engine.now() > fade && other.engine.feed_cursor(&other.tenant()).at < fade);
    let next = other.engine.changes_since(&other.tenant(), cursor, Whom::Everybody, Stamp::ChangedAt).next;
    others_go_on().await;
    assert_eq!(other.changed(next), [user(1)]);
    let all = other.engine.now().minus(Duration::from_millis(1));
    assert_eq!(other.engine.feed_cursor(&other.tenant()).at, all, "nothing is left to announce");
}

#[tokio::test]
async fn a_cursor_of_a_node_that_is_ahead_passes_no_fade_of_what_came_after_it() {
    let (ahead, behind) = (clock(), clock());
    let one = node(None, &ahead);
    let other = node(Some(&one), &behind);
    one.write(user(0), &status("so that the tenant is known")).await;
    pass(&ahead, &one, seconds(4)).await;
    let cursor = one.cursor();
    other.write(user(1), &status_until(seconds(2))).await;
    let nexts = [Whom::Everybody, Whom::Users(&[user(1)])].map(|whom| {
        let changes = other.engine.changes_since(&other.tenant(), cursor, whom, Stamp::ChangedAt);
        assert_eq!(changes.changed.len(), 1, "{whom:?}");
        changes.next
    });
    // It ends, by this clock still before the instant of the cursor.
    pass(&behind, &other, seconds(3)).await;
    for next in nexts {
        assert!(next.at >= cursor.at, "a cursor never goes back");
        assert_eq!(other.changed(next), [user(1)]);
    }
}

#[tokio::test]
async fn development_moves_and_resets_the_clocks_of_all_nodes() {
    let (here, there) = (clock(), clock());
    let one = node(None, &here);
    let other = node(Some(&one), &there);
    one.engine.advance_clock(seconds(5_400)).await.expect("the log takes it");
    assert_eq!((there.offset(), other.engine.is_frozen()), (seconds(5_400), false));
    one.write(user(1), &available(1)).await;
    let cursor = other.cursor();
    one.engine.reset(&[]).await.expect("the log takes it");
    for node in [&one, &other] {
        assert_eq!(node.engine.now(), Timestamp::from_millis(START));
        assert_eq!((node.tenant().users_len(), node.engine.timers_armed()), (0, 0));
        assert!(!node.engine.can_go_on_from(&node.tenant(), cursor));
    }
}

#[tokio::test]
async fn nobody_goes_on_from_the_middle_of_a_reset_on_whichever_node() {
    let (here, there) = (clock(), clock());
    let one = node(None, &here);
    let other = node(Some(&one), &there);
    for number in [1, 2] {
        one.write(user(number), &available(1)).await;
    }
    other.memory.hold_back();
    // One record is deleted, and the deletion of the other one is on its way.
    one.memory.fail_at(2, Fault::Late);
    let (reset, middle) = tokio::join!(one.engine.reset(&[]), async {
        let middle = one.cursor();
        one.memory.resolve();
        middle
    });
    reset.expect("the log takes it");
    // All of it comes at once.
    other.memory.let_go();
    for node in [&one, &other] {
        assert!(!node.engine.can_go_on_from(&node.tenant(), middle));
        assert!(node.engine.can_go_on_from(&node.tenant(), node.cursor()));
    }
}

#[tokio::test]
async fn a_node_whose_clock_is_off_is_not_ready() {
    let (one, _other, _) = two().await;
    assert_eq!(one.engine.unreadiness(), None);
    let me = |skew_ms| porchlight_store::Node {
        id: one.id,
        name: "one".to_owned(),
        version: "1.0".to_owned(),
        reads: 1,
        skew_ms,
        lag: Duration::ZERO,
    };
    for (skew_ms, is_ready) in [(5_000, true), (-5_000, true), (5_001, false), (-6_000, false)] {
        one.nodes.send_replace(Arc::from([me(skew_ms)]));
        let expected = (!is_ready).then_some(Unready::ClockOff { ahead_ms: skew_ms });
        assert_eq!(one.engine.unreadiness(), expected);
    }
    one.engine.cannot_read(&Key::new("subscription/x"), "it is of a newer format".to_owned());
    assert!(matches!(one.engine.unreadiness(), Some(Unready::Unreadable(_))), "that is worse");
}

/// A step of a random history; the first number is a node's.
#[derive(Clone, Debug)]
enum Step {
    Available(usize, u8),
    Status(usize, u8),
    HoldBack(usize),
    LetGo(usize),
    Advance(u64),
    /// The follower asks this node what has changed.
    Ask(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..2_usize, 0..3_u8).prop_map(|(node, user)| Step::Available(node, user)),
        2 => (0..2_usize, 0..3_u8).prop_map(|(node, user)| Step::Status(node, user)),
        1 => (0..2_usize).prop_map(Step::HoldBack),
        2 => (0..2_usize).prop_map(Step::LetGo),
        2 => prop_oneof![Just(0), Just(1), Just(2_500), Just(9_000), 1..200_000_u64].prop_map(Step::Advance),
        2 => (0..2_usize).prop_map(Step::Ask),
    ];
    prop::collection::vec(step, 1..60)
}

/// Whoever follows by cursors alone, and hands them from node to node.
struct Follower {
    cursor: Cursor,
    known: HashMap<UserId, Stamps>,
}

impl Follower {
    fn ask(&mut self, node: &Node) {
        let tenant = node.tenant();
        if tenant.applied() < self.cursor.revision {
            // A request waits here.
            return;
        }
        let changes = node.engine.changes_since(&tenant, self.cursor, Whom::Everybody, Stamp::ChangedAt);
        assert!(changes.next.at >= self.cursor.at, "a cursor never goes back");
        for changed in changes.changed {
            let known = self.known.entry(changed.user).or_default();
            if changed.stamps.changed_at > known.changed_at {
                *known = changed.stamps;
            }
        }
        self.cursor = changes.next;
    }
}

/// The feed tells of each user in the order of their records, and never the same again.
fn assert_in_order(node: &Node) {
    let mut newest: HashMap<UserId, Change> = HashMap::new();
    for change in node.feed() {
        if let Some(before) = newest.insert(change.user, change) {
            assert!(change.revision >= before.revision, "{before:?} {change:?}");
            assert!(change.stamps.changed_at > before.stamps.changed_at, "{before:?} {change:?}");
        }
    }
}

async fn run(steps: Vec<Step>) {
    let (one, other, clock) = two().await;
    let nodes = [one, other];
    let mut follower =
        Follower { cursor: Cursor { at: Timestamp::ZERO, ..nodes[0].cursor() }, known: HashMap::new() };
    let mut writes = JoinSet::new();
    let mut sessions = [0_usize; 3];
    for (number, step) in (1..).zip(steps) {
        match step {
            Step::Available(node, of) => {
                sessions[usize::from(of)] += 1;
                let engine = nodes[node].engine.clone();
                writes.spawn(async move { engine.write(TENANT, user(of), &available(number)).await });
            }
            Step::Status(node, of) => {
                let engine = nodes[node].engine.clone();
                let command = status(&format!("message {number}"));
                writes.spawn(async move { engine.write(TENANT, user(of), &command).await });
            }
            Step::HoldBack(node) => nodes[node].memory.hold_back(),
            Step::LetGo(node) => nodes[node].memory.let_go(),
            Step::Advance(millis) => pass(&clock, &nodes[0], Duration::from_millis(millis)).await,
            Step::Ask(node) => follower.ask(&nodes[node]),
        }
        others_go_on().await;
    }
    for node in &nodes {
        node.memory.let_go();
    }
    while let Some(written) = soon(writes.join_next()).await {
        written.expect("it does not panic").expect("every write is done");
    }
    // What came late is stamped anew, and then everything is older than a cursor of now.
    for _ in 0..2 {
        pass(&clock, &nodes[0], Duration::from_millis(2)).await;
    }
    for node in &nodes {
        follower.ask(node);
    }
    for (of, sessions) in (0..).zip(sessions) {
        let records = nodes.each_ref().map(|node| node.tenant().user(user(of)));
        assert_eq!(records[0].encode(), records[1].encode(), "user {of}");
        assert_eq!(records[0].sessions().len(), sessions, "no write is lost of user {of}");
        let stamps = nodes[0].stamps(user(of));
        assert_eq!(nodes[1].stamps(user(of)), stamps);
        assert_eq!(follower.known.get(&user(of)).copied().unwrap_or_default(), stamps, "user {of}");
    }
    nodes.iter().for_each(assert_in_order);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Whatever two nodes write at once, and however late they learn of it: every write is done, both end with the same
    /// records, and whoever follows is told of them.
    #[test]
    fn two_nodes_lose_nothing_and_come_to_the_same(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
