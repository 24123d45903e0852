//! The engine over a log in memory and a clock that stands still until it is moved.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::{
    Clock, Cursor, Engine, OpenError, Options, Person, PersonError, Recent, Seed, Stamp, Whom, WriteError,
};
use porchlight_presence::{
    Activity, ApplicationId, Availability, Command, Expiry, NewStatusMessage, Pair, SessionId, SessionKey,
    SessionPair, SetPresence, Stamps, TenantId, Timestamp, UserId,
};
use porchlight_store::{AppendError, Fault, Log, Memory, Replica};
use proptest::prelude::*;
use uuid::Uuid;

const START: i64 = 1_795_165_200_000;
const TENANT: TenantId = TenantId(Uuid::from_u128(1));
const APPLICATION: ApplicationId = ApplicationId(Uuid::from_u128(0xa));

struct Node {
    engine: Engine,
    memory: Arc<Memory>,
}

/// An engine over a new log, or over what `before` has left.
fn open(before: Option<&Memory>) -> Node {
    let mut memory = None;
    let start = Timestamp::from_millis(START);
    let options =
        Options { append_timeout: Duration::from_millis(50), development: true, ..Options::default() };
    let engine = Engine::open(Arc::new(Clock::manual(start)), options, |replica: Arc<dyn Replica>| {
        let log = Arc::new(match before {
            Some(before) => before.reopen(replica),
            None => Memory::new(replica),
        });
        memory = Some(Arc::clone(&log));
        Ok::<_, Infallible>(log as Arc<dyn Log>)
    });
    let engine = engine.unwrap_or_else(|error| panic!("it opens: {error}"));
    Node { engine, memory: memory.expect("the log was opened") }
}

fn user(number: u8) -> UserId {
    UserId(Uuid::from_u128(0x100 + u128::from(number)))
}

fn available(duration: Duration) -> Command {
    let pair = Pair { availability: Availability::Available, activity: Activity::Available };
    Command::SetPresence(SetPresence {
        session: SessionKey { application: APPLICATION, session: SessionId(APPLICATION.0) },
        pair: SessionPair::new(pair).expect("one of the five"),
        duration: Some(duration),
    })
}

fn status(text: &str) -> Command {
    Command::SetStatusMessage(Some(NewStatusMessage { content: text.to_owned(), expiry: None }))
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

impl Node {
    async fn write(&self, user: UserId, command: &Command) {
        self.engine.write(TENANT, user, command).await.expect("nothing is wrong with it");
    }

    fn stamps(&self, user: UserId) -> Stamps {
        self.engine.tenant(TENANT).expect("it is known").user(user).presence(self.engine.now()).stamps
    }

    fn cursor(&self) -> Cursor {
        self.engine.cursor(&self.engine.tenant_or_new(TENANT))
    }

    fn feed_cursor(&self) -> Cursor {
        self.engine.feed_cursor(&self.engine.tenant_or_new(TENANT))
    }

    fn changed(&self, cursor: Cursor, whom: Whom<'_>, stamp: Stamp) -> (Vec<UserId>, Cursor) {
        let tenant = self.engine.tenant(TENANT).expect("it is known");
        let changes = self.engine.changes_since(&tenant, cursor, whom, stamp);
        (changes.changed.into_iter().map(|changed| changed.user).collect(), changes.next)
    }

    /// Takes views one by one and together, and compares them with the records.
    fn assert_views(&self) {
        let tenant = self.engine.tenant(TENANT).expect("it is known");
        let users: Vec<UserId> = (0..7).chain(0..7).map(user).collect();
        let now = self.engine.now();
        for (user, (_, view)) in users.iter().zip(tenant.look_at_all(&users, now)) {
            let record = tenant.user(*user);
            view.show(now, |seen| assert_eq!(*seen, record.presence(now), "{user}"));
            tenant.view(*user, now).show(now, |seen| assert_eq!(*seen, record.presence(now), "{user}"));
        }
    }

    /// Runs the timers until they wait.
    async fn fire(&self) {
        tokio::select! {
            biased;
            () = self.engine.run_timers() => {}
            () = tokio::task::yield_now() => {}
        }
        while !self.engine.timers_overdue().is_zero() {
            tokio::select! {
                biased;
                () = self.engine.run_timers() => {}
                () = tokio::task::yield_now() => {}
            }
        }
    }
}

#[tokio::test]
async fn a_fade_is_announced_once_and_a_keep_alive_announces_nothing() {
    let node = open(None);
    node.write(user(1), &available(minutes(60))).await;
    let tenant = node.engine.tenant(TENANT).expect("it is known");
    let Recent::Changes(first, next) = tenant.feed().since_number(0, usize::MAX) else {
        panic!("all is remembered")
    };
    assert_eq!(first.len(), 1);
    node.engine.clock().advance(minutes(4));
    node.write(user(1), &available(minutes(60))).await;
    assert_eq!(
        tenant.feed().since_number(next, usize::MAX),
        Recent::Changes(vec![], next),
        "nothing shows of a keep-alive"
    );
    node.engine.clock().advance(minutes(5));
    node.fire().await;
    let Recent::Changes(faded, next) = tenant.feed().since_number(next, usize::MAX) else {
        panic!("all is remembered")
    };
    assert_eq!(faded.iter().map(|change| change.user).collect::<Vec<_>>(), [user(1)]);
    assert_eq!(faded[0].stamps, node.stamps(user(1)));
    node.fire().await;
    assert_eq!(
        tenant.feed().since_number(next, usize::MAX),
        Recent::Changes(vec![], next),
        "it was announced already"
    );
}

#[tokio::test]
async fn a_jump_over_many_fades_announces_each_and_arms_what_comes_next() {
    const USERS: u128 = 2_000;
    let node = open(None);
    for number in 0..USERS {
        node.write(UserId(Uuid::from_u128(number)), &available(minutes(60))).await;
        node.engine.clock().advance(Duration::from_millis(1));
    }
    let tenant = node.engine.tenant(TENANT).expect("it is known");
    for (jump, activity) in [(5, Activity::AvailableInactive), (5, Activity::Away), (50, Activity::Offline)] {
        let number = *tenant.feed().follow().borrow();
        node.engine.clock().advance(minutes(jump));
        node.fire().await;
        let Recent::Changes(faded, _) = tenant.feed().since_number(number, usize::MAX) else {
            panic!("all is remembered")
        };
        let users: HashSet<UserId> = faded.iter().map(|change| change.user).collect();
        assert_eq!((faded.len(), users.len()), (2_000, 2_000), "{activity:?}: each once");
        for change in faded {
            let presence = tenant.user(change.user);
            let presence = presence.presence(node.engine.now());
            assert_eq!((presence.pair.activity, presence.stamps), (activity, change.stamps));
        }
        let armed = if activity == Activity::Offline { 0 } else { 2_000 };
        assert_eq!(node.engine.timers_armed(), armed, "{activity:?}");
    }
    assert_eq!(tenant.users_len(), 2_000);
}

#[tokio::test]
async fn a_cursor_lies_before_this_millisecond() {
    let node = open(None);
    node.write(user(1), &status("one")).await;
    node.engine.clock().advance(Duration::from_millis(5));
    let cursor = node.cursor();
    node.write(user(2), &status("in the millisecond in which the cursor was taken")).await;
    assert_eq!(node.changed(cursor, Whom::Everybody, Stamp::ChangedAt).0, [user(2)]);
}

#[tokio::test]
async fn who_listens_to_the_pair_is_not_told_of_a_status_message() {
    let node = open(None);
    node.engine.clock().advance(Duration::from_millis(5));
    let cursor = node.cursor();
    node.write(user(1), &status("hello")).await;
    node.write(user(2), &available(minutes(5))).await;
    let both = [user(1), user(2), user(3), user(1)];
    assert_eq!(node.changed(cursor, Whom::Users(&both), Stamp::StateSince).0, [user(2)]);
    let mut told = node.changed(cursor, Whom::Users(&both), Stamp::ChangedAt).0;
    told.sort_unstable();
    assert_eq!(told, [user(1), user(2)]);
}

#[tokio::test]
async fn a_write_that_hangs_holds_back_engine_time_and_its_own_lane_alone() {
    let node = open(None);
    node.write(user(1), &available(minutes(60))).await;
    node.write(user(2), &available(minutes(60))).await;
    node.engine.clock().advance(minutes(4));
    node.memory.inject(Fault::FailedNotWritten);
    let failed = node.engine.write(TENANT, user(1), &available(minutes(60))).await;
    assert_eq!(failed.expect_err("the log fails"), WriteError::Log(AppendError::Unknown));
    node.engine.clock().advance(minutes(2));
    assert_eq!(node.engine.now(), Timestamp::from_millis(START).plus(minutes(4)), "nobody looks past it");
    let tenant = node.engine.tenant(TENANT).expect("it is known");
    assert_eq!(tenant.user(user(2)).presence(node.engine.now()).pair.activity, Activity::Available);
    node.memory.resolve();
    assert_eq!(node.engine.now(), node.engine.clock().now());
    assert_eq!(tenant.user(user(2)).presence(node.engine.now()).pair.activity, Activity::AvailableInactive);
    node.write(user(1), &available(minutes(60))).await;
}

#[tokio::test]
async fn a_write_that_turns_out_durable_is_seen_although_nobody_waits_for_it() {
    let node = open(None);
    node.memory.inject(Fault::FailedAndWritten);
    let unknown = node.engine.write(TENANT, user(1), &status("kept")).await;
    assert_eq!(unknown.expect_err("the log fails"), WriteError::Log(AppendError::Unknown));
    let tenant = node.engine.tenant(TENANT).expect("it is known");
    assert!(tenant.user(user(1)).presence(node.engine.now()).status_message.is_none());
    node.memory.resolve();
    let record = tenant.user(user(1));
    assert_eq!(
        record.presence(node.engine.now()).status_message.map(|message| message.content),
        Some("kept")
    );
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let node = open(None);
    node.write(user(1), &available(minutes(60))).await;
    node.engine.advance_clock(minutes(6)).await.expect("the log takes it");
    let before = node.stamps(user(1));
    let again = open(Some(&node.memory));
    assert_eq!(again.engine.clock().offset(), minutes(6), "the clock goes on from where it was");
    assert_eq!(again.stamps(user(1)), before);
    assert_eq!(again.engine.timers_armed(), 1);
    assert_eq!(again.engine.log_id(), node.engine.log_id());
}

#[tokio::test]
async fn a_cursor_from_before_a_restart_misses_no_write() {
    let node = open(None);
    node.engine.advance_clock(minutes(6)).await.expect("the log takes it");
    let cursor = node.cursor();
    node.write(user(1), &status("after the cursor")).await;
    let again = open(Some(&node.memory));
    assert_eq!(again.changed(cursor, Whom::Everybody, Stamp::ChangedAt).0, [user(1)]);
}

#[tokio::test]
async fn a_cursor_from_before_the_clock_was_set_back_misses_no_write() {
    let node = open(None);
    node.write(user(1), &status("before")).await;
    node.engine.clock().advance(minutes(4));
    let ahead = node.cursor();
    // Each opening sets the clock back to the start.
    let again = open(Some(&node.memory));
    let not_ahead = |node: &Node| node.engine.not_ahead(&node.engine.tenant_or_new(TENANT), ahead);
    again.engine.clock().advance(minutes(1));
    let now = not_ahead(&again);
    assert_eq!(now, again.cursor());
    again.write(user(2), &status("after the start")).await;
    assert_eq!(again.changed(now, Whom::Everybody, Stamp::ChangedAt).0, [user(2)]);
    // Nobody has kept another cursor, and time has not come to this one yet.
    let once_more = open(Some(&again.memory));
    once_more.engine.clock().advance(minutes(3));
    let first = not_ahead(&once_more);
    assert_eq!(once_more.changed(first, Whom::Everybody, Stamp::ChangedAt).0, [user(2)]);
    once_more.engine.clock().advance(minutes(1));
    assert_eq!(not_ahead(&once_more), ahead, "it is ahead no more");
}

#[tokio::test]
async fn data_from_the_future_is_refused_unless_it_is_accepted() {
    let node = open(None);
    node.engine.clock().advance(minutes(6));
    node.write(user(1), &status("later")).await;
    let reopen = |accept_clock| {
        let options = Options { accept_clock, ..Options::default() };
        let clock = Arc::new(Clock::manual(Timestamp::from_millis(START)));
        Engine::open(clock, options, |replica| {
            Ok::<_, Infallible>(Arc::new(node.memory.reopen(replica)) as Arc<dyn Log>)
        })
    };
    let refused = reopen(false).err().expect("six minutes are too much");
    assert!(matches!(refused, OpenError::ClockBehind { ahead } if ahead == minutes(6)));
    let accepted = reopen(true).unwrap_or_else(|error| panic!("it was accepted: {error}"));
    assert_eq!(accepted.now(), Timestamp::from_millis(START).plus(minutes(6)), "time does not go back");
}

fn person(number: u8, name: &str) -> Person {
    Person { display_name: name.to_owned(), ..Person::new(user(number), name) }
}

#[tokio::test]
async fn a_name_belongs_to_one_person() {
    let node = open(None);
    let put = async |person| node.engine.put_person(TENANT, &person).await;
    put(person(1, "ada@x")).await.expect("it is free");
    let taken = put(person(2, "ADA@x")).await.expect_err("it is taken");
    assert_eq!(taken, PersonError::NameTaken("ADA@x".to_owned()));
    put(person(1, "lovelace@x")).await.expect("it is free");
    put(person(2, "ada@x")).await.expect("it was given up");
    let again = open(Some(&node.memory));
    let tenant = again.engine.tenant(TENANT).expect("it is known");
    assert_eq!(tenant.resolve("ada@x"), Some(user(2)));
    assert_eq!(
        again.engine.put_person(TENANT, &person(3, "lovelace@x")).await.err().map(|error| error.to_string()),
        Some("the user principal name 'lovelace@x' belongs to somebody else".to_owned())
    );
}

#[tokio::test]
async fn an_id_is_somebodys_whether_the_person_or_the_record_came_first() {
    let node = open(None);
    node.write(user(1), &available(minutes(60))).await;
    node.write(user(4), &available(minutes(60))).await;
    for number in [1, 2, 3] {
        let person = person(number, &format!("person{number}@x"));
        node.engine.put_person(TENANT, &person).await.expect("the name is free");
    }
    node.write(user(2), &available(minutes(60))).await;
    for node in [&node, &open(Some(&node.memory))] {
        let tenant = node.engine.tenant(TENANT).expect("it is known");
        let ids: Vec<UserId> = (1..=5).map(user).collect();
        let now = node.engine.now();
        let found: Vec<Option<Pair>> = tenant
            .look_at_all(&ids, now)
            .into_iter()
            .map(|(is_somebody, view)| is_somebody.then(|| view.show(now, |seen| seen.pair)))
            .collect();
        let on = Pair { availability: Availability::Available, activity: Activity::Available };
        let off = Pair { availability: Availability::Offline, activity: Activity::Offline };
        assert_eq!(found, [Some(on), Some(on), Some(off), None, None]);
        for (id, found) in ids.iter().zip(&found) {
            assert_eq!(tenant.resolve(&id.to_string()), found.map(|_| *id), "{id}");
        }
        assert_eq!((tenant.resolve("person3@x"), tenant.resolve("nobody@x")), (Some(user(3)), None));
    }
}

#[tokio::test]
async fn a_reset_leaves_the_seeds_people_and_nothing_else() {
    let node = open(None);
    let seed = Seed { tenant: TENANT, people: vec![person(1, "ada@x")] };
    node.engine.seed(&seed).await.expect("the name is free");
    node.engine.put_person(TENANT, &person(2, "ben@x")).await.expect("the name is free");
    node.engine.advance_clock(minutes(90)).await.expect("the log takes it");
    node.write(user(1), &available(minutes(60))).await;
    node.engine.reset(std::slice::from_ref(&seed)).await.expect("the log takes it");
    let tenant = node.engine.tenant(TENANT).expect("it is known");
    assert_eq!((tenant.directory().len(), tenant.users_len()), (1, 0));
    assert_eq!(node.engine.now(), Timestamp::from_millis(START));
    let cursor = Cursor { at: Timestamp::from_millis(START - 1), ..node.cursor() };
    node.write(user(1), &status("anew")).await;
    assert_eq!(node.changed(cursor, Whom::Everybody, Stamp::ChangedAt).0, [user(1)]);
    assert_eq!(
        node.stamps(user(1)).changed_at,
        Timestamp::from_millis(START),
        "nothing of before is left in it"
    );
}

#[tokio::test]
async fn nobody_goes_on_from_the_middle_of_a_reset_not_even_after_a_restart() {
    let node = open(None);
    let seeds = [Seed { tenant: TENANT, people: vec![person(1, "ada@x"), person(2, "ben@x")] }];
    node.engine.seed(&seeds[0]).await.expect("the names are free");
    for number in [1, 2] {
        node.write(user(number), &available(minutes(60))).await;
    }
    let before = node.cursor();
    // Both records are deleted, and what comes after that is on its way.
    node.memory.fail_at(3, Fault::Late);
    let (reset, middle) = tokio::join!(node.engine.reset(&seeds), async {
        let (_, middle) = node.changed(before, Whom::Everybody, Stamp::ChangedAt);
        node.memory.resolve();
        middle
    });
    reset.expect("the log takes it");
    assert!(middle.revision > before.revision);
    for node in [&node, &open(Some(&node.memory))] {
        let tenant = node.engine.tenant(TENANT).expect("it is known");
        assert!(!node.engine.can_go_on_from(&tenant, middle));
        assert!(node.engine.can_go_on_from(&tenant, node.cursor()));
    }
}

/// A step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Available(u8, u64),
    Status(u8),
    Clear(u8),
    Advance(u64),
    Fire,
    /// The follower asks what has changed.
    Ask,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..6_u8, 5..20_u64).prop_map(|(user, minutes)| Step::Available(user, minutes)),
        (0..6_u8).prop_map(Step::Status),
        (0..6_u8).prop_map(Step::Clear),
        prop_oneof![Just(0), Just(1), Just(2), Just(300_000), 1..400_000_u64].prop_map(Step::Advance),
        Just(Step::Fire),
        Just(Step::Ask),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whoever only ever asks `changes_since` its cursor, and reads whom it is told, ends with what everybody sees.
    #[test]
    fn a_follower_of_changes_since_misses_nothing(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let node = open(None);
            node.write(user(0), &status("so that the tenant is known")).await;
            let mut cursor = Cursor { at: Timestamp::ZERO, ..node.cursor() };
            let mut known: HashMap<UserId, Stamps> = HashMap::new();
            let last = [Step::Advance(2), Step::Fire, Step::Ask];
            for step in steps.into_iter().chain(last) {
                match step {
                    Step::Available(number, life) => node.write(user(number), &available(minutes(life))).await,
                    Step::Status(number) => node.write(user(number), &status("hello")).await,
                    Step::Clear(number) => node.write(user(number), &Command::Clear(APPLICATION)).await,
                    Step::Advance(millis) => node.engine.clock().advance(Duration::from_millis(millis)),
                    Step::Fire => node.fire().await,
                    Step::Ask => {
                        let (changed, next) = node.changed(cursor, Whom::Everybody, Stamp::ChangedAt);
                        assert!(next.at >= cursor.at, "a cursor never goes back");
                        for user in changed {
                            known.insert(user, node.stamps(user));
                        }
                        cursor = next;
                    }
                }
            }
            for number in 0..6 {
                let stamps = node.stamps(user(number));
                let told = known.get(&user(number)).copied().unwrap_or_default();
                assert_eq!(told, stamps, "user {number}");
            }
        });
    }

    /// What the table keeps ready beside a record is what the record says, whether or not the timers have run.
    #[test]
    fn views_are_what_the_records_say(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let node = open(None);
            node.write(user(0), &status("so that the tenant is known")).await;
            for step in steps {
                match step {
                    Step::Available(number, life) => node.write(user(number), &available(minutes(life))).await,
                    Step::Status(number) => node.write(user(number), &status("hello")).await,
                    Step::Clear(number) => node.write(user(number), &Command::Clear(APPLICATION)).await,
                    Step::Advance(millis) => {
                        let by = Duration::from_millis(millis);
                        node.engine.advance_clock(by).await.expect("the log takes it");
                    }
                    Step::Fire | Step::Ask => node.fire().await,
                }
                node.assert_views();
            }
            let again = open(Some(&node.memory));
            again.assert_views();
            again.engine.reset(&[]).await.expect("the log takes it");
            again.assert_views();
            again.write(user(1), &available(minutes(5))).await;
            again.assert_views();
        });
    }
}

#[tokio::test]
async fn a_cursor_keeps_up_when_nothing_is_due_for_long() {
    let node = open(None);
    node.write(user(1), &status("hello")).await;
    node.write(user(2), &available(minutes(240))).await;
    node.engine.clock().advance(minutes(60));
    node.fire().await;
    let early = node.cursor();
    // She has faded long ago; nothing comes due in these hours, so nobody takes a deadline.
    node.engine.clock().advance(minutes(170));
    let (changed, next) = node.changed(early, Whom::Everybody, Stamp::ChangedAt);
    assert_eq!((changed, next.at), (vec![], node.cursor().at));
    // What has come due and was not announced yet holds it back.
    node.engine.clock().advance(minutes(60));
    let (_, next) = node.changed(early, Whom::Everybody, Stamp::ChangedAt);
    assert!(next.at < node.cursor().at);
    node.fire().await;
    let (changed, after) = node.changed(next, Whom::Everybody, Stamp::ChangedAt);
    assert_eq!((changed, after.at), (vec![user(2)], node.cursor().at));
}

#[tokio::test]
async fn a_secret_is_made_once_and_kept() {
    let node = open(None);
    let secret = node.engine.secret("one").await.expect("it is kept");
    let other = node.engine.secret("other").await.expect("it is kept");
    assert!(secret.len() == 32 && secret != other);
    assert_eq!(node.engine.secret("one").await, Ok(secret.clone()));
    let again = open(Some(&node.memory));
    assert_eq!(again.engine.secret("one").await, Ok(secret));
}

#[tokio::test]
async fn a_fade_of_this_millisecond_is_no_secret_to_who_has_read_of_it_on_the_feed() {
    let node = open(None);
    node.write(user(1), &available(minutes(5))).await;
    node.engine.clock().advance(minutes(1));
    let cursor = node.cursor();
    node.engine.clock().advance(minutes(4));
    node.fire().await;
    let pushed = node.engine.tenant(TENANT).expect("it is known").feed().pushed();
    assert_eq!(pushed, 2, "its end is on the feed in the millisecond in which it comes");
    for whom in [Whom::Everybody, Whom::Users(&[user(1)])] {
        assert_eq!(node.changed(cursor, whom, Stamp::StateSince).0, [user(1)], "{whom:?}");
    }
}

#[tokio::test]
async fn a_cursor_does_not_fall_back_while_fades_are_being_announced() {
    let node = open(None);
    // More than are announced together.
    for number in 0..600 {
        node.write(UserId(Uuid::from_u128(0x1_0000 + number)), &available(minutes(60))).await;
    }
    node.fire().await;
    node.engine.clock().advance(minutes(4));
    let before = node.feed_cursor();
    assert_eq!(before.at, node.cursor().at, "nothing is due");
    node.engine.clock().advance(minutes(2));
    tokio::select! {
        biased;
        () = node.engine.run_timers() => {}
        () = std::future::ready(()) => {}
    }
    assert!(!node.engine.timers_overdue().is_zero(), "some are announced, and some are not");
    let within = node.feed_cursor();
    assert!(within.at >= before.at, "{within:?} {before:?}");
    assert!(within.at < node.cursor().at, "what is not announced yet is later");
}

#[tokio::test]
async fn a_cursor_does_not_fall_back_when_what_ends_soon_is_written() {
    let node = open(None);
    for _ in 0..10 {
        // By steps that come to every part of a period of the calendar.
        node.engine.clock().advance(Duration::from_secs(9));
        node.fire().await;
        node.engine.clock().advance(Duration::from_secs(2));
        assert_eq!(node.feed_cursor().at, node.cursor().at, "nothing is due");
        let expiry = Some(Expiry { at: node.engine.now().plus(Duration::from_secs(1)), ticks: 0 });
        let message = NewStatusMessage { content: "back soon".to_owned(), expiry };
        node.write(user(1), &Command::SetStatusMessage(Some(message))).await;
        assert_eq!(node.feed_cursor().at, node.cursor().at, "nothing is due yet");
        assert!(node.engine.timers_overdue().is_zero());
    }
}
