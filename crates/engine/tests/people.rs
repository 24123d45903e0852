//! Putting people in, changing and deleting them, over a log in memory that is slow or fails on purpose.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::{
    Clock, DELETED_KNOWN_FOR, Engine, Introduction, Options, Person, PersonError, Recent, Seed, Stamp,
    Tenant, Whom, WriteError,
};
use porchlight_presence::{Command, NewStatusMessage, TenantId, Timestamp, UserId};
use porchlight_store::{AppendError, Fault, Log, Memory, Replica};
use uuid::Uuid;

const START: i64 = 1_795_165_200_000;
const TENANT: TenantId = TenantId(Uuid::from_u128(1));

struct Node {
    engine: Engine,
    memory: Arc<Memory>,
}

/// An engine over a new log, or over what `before` has left.
fn open(before: Option<&Memory>) -> Node {
    let mut memory = None;
    let clock = Arc::new(Clock::manual(Timestamp::from_millis(START)));
    let options =
        Options { append_timeout: Duration::from_millis(50), development: true, ..Options::default() };
    let engine = Engine::open(clock, options, |replica: Arc<dyn Replica>| {
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

impl Node {
    fn tenant(&self) -> Arc<Tenant> {
        self.engine.tenant(TENANT).expect("it is known")
    }

    async fn create(&self, person: &Person) -> Result<(), PersonError> {
        self.engine.create_person(TENANT, person).await
    }

    async fn delete(&self, number: u8) -> Result<(), PersonError> {
        self.engine.delete_person(TENANT, user(number)).await
    }

    /// Gives somebody another name.
    async fn rename(&self, number: u8, name: &str) -> Result<Person, PersonError> {
        let rename = |person| Ok(Person { user_principal_name: name.to_owned(), ..person });
        self.engine.change_person::<PersonError>(TENANT, user(number), rename).await
    }

    async fn enable(&self, number: u8, account_enabled: bool) -> Person {
        let change = |person| Ok(Person { account_enabled, ..person });
        let changed = self.engine.change_person::<PersonError>(TENANT, user(number), change).await;
        changed.expect("the log takes it")
    }

    async fn say(&self, number: u8, text: &str) -> Result<(), WriteError> {
        let message = NewStatusMessage { content: text.to_owned(), expiry: None };
        let command = Command::SetStatusMessage(Some(message));
        self.engine.write(TENANT, user(number), &command).await.map(drop)
    }

    /// What everybody reads of somebody.
    fn message(&self, number: u8) -> Option<String> {
        let now = self.engine.now();
        let view = self.tenant().view(user(number), now);
        view.show(now, |seen| seen.status_message.map(|message| message.content.to_owned()))
    }
}

fn user(number: u8) -> UserId {
    UserId(Uuid::from_u128(0x100 + u128::from(number)))
}

fn person(number: u8, name: &str) -> Person {
    Person { display_name: name.to_owned(), ..Person::new(user(number), name) }
}

const UNKNOWN: Result<(), PersonError> = Err(PersonError::Write(WriteError::Log(AppendError::Unknown)));

/// Lets whatever can go on go on.
async fn others_go_on() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_new_person_takes_nobodys_id_and_nobodys_name() {
    let node = open(None);
    let ada = Person { external_id: Some("hr-7".to_owned()), ..person(1, "ada@x") };
    node.create(&ada).await.expect("nobody has it");
    assert_eq!(node.create(&person(1, "other@x")).await, Err(PersonError::IdTaken));
    assert_eq!(node.create(&person(2, "Ada@X")).await, Err(PersonError::NameTaken("Ada@X".to_owned())));
    for node in [&node, &open(Some(&node.memory))] {
        let tenant = node.tenant();
        assert_eq!(tenant.directory().person(user(1)), Some(ada.clone()));
        assert_eq!((tenant.resolve("ada@x"), tenant.directory().len()), (Some(user(1)), 1));
    }
}

#[tokio::test]
async fn of_two_who_claim_a_name_at_once_one_gets_it() {
    let node = open(None);
    // The first has claimed it, but is not in the directory yet.
    node.memory.fail_at(2, Fault::Late);
    let (ada, twin) = (person(1, "ada@x"), person(2, "ADA@x"));
    let (first, second, ()) = tokio::join!(node.create(&ada), node.create(&twin), async {
        others_go_on().await;
        node.memory.resolve();
    });
    assert_eq!((first, second), (Ok(()), Err(PersonError::NameTaken("ADA@x".to_owned()))));
    assert_eq!(node.tenant().directory().len(), 1);
}

#[tokio::test]
async fn a_name_that_was_changed_is_free_and_the_new_one_is_taken() {
    let node = open(None);
    node.create(&person(1, "ada@x")).await.expect("nobody has it");
    node.create(&person(2, "ben@x")).await.expect("nobody has it");
    assert_eq!(node.rename(1, "ben@x").await, Err(PersonError::NameTaken("ben@x".to_owned())));
    let renamed = node.rename(1, "lovelace@x").await.expect("nobody has it");
    assert_eq!(renamed.user_principal_name, "lovelace@x");
    node.create(&person(3, "ada@x")).await.expect("it was given up");
    assert_eq!(node.rename(9, "nobody@x").await, Err(PersonError::NotFound));
    let tenant = open(Some(&node.memory)).tenant();
    let names = ["ada@x", "ben@x", "lovelace@x"].map(|name| tenant.resolve(name));
    assert_eq!(names, [Some(user(3)), Some(user(2)), Some(user(1))]);
}

#[tokio::test]
async fn who_takes_a_name_this_moment_keeps_it() {
    let node = open(None);
    node.create(&person(1, "ada@x")).await.expect("nobody has it");
    // The entry with the new name is there, and the old name is not given up yet.
    node.memory.fail_at(3, Fault::Late);
    let newcomer = person(2, "ada@x");
    let (renamed, created, ()) = tokio::join!(node.rename(1, "lovelace@x"), node.create(&newcomer), async {
        others_go_on().await;
        node.memory.resolve();
    });
    assert!(renamed.is_ok() && created.is_ok(), "{renamed:?} {created:?}");
    let taken = node.create(&person(3, "ada@x")).await;
    assert_eq!(taken, Err(PersonError::NameTaken("ada@x".to_owned())));
}

#[tokio::test]
async fn a_change_that_changes_nothing_writes_nothing() {
    let node = open(None);
    node.create(&person(1, "ada@x")).await.expect("nobody has it");
    let before = node.tenant().applied();
    assert_eq!(node.rename(1, "ada@x").await, Ok(person(1, "ada@x")));
    assert_eq!(node.tenant().applied(), before);
    let refused = |_| Err(PersonError::IdTaken);
    assert_eq!(
        node.engine.change_person::<PersonError>(TENANT, user(1), refused).await,
        Err(PersonError::IdTaken),
        "what the caller answers is the answer"
    );
    let another_id = |person| Ok(Person { id: user(2), ..person });
    let kept = node.engine.change_person::<PersonError>(TENANT, user(1), another_id).await;
    assert_eq!(kept, Ok(person(1, "ada@x")), "an id is for ever");
}

#[tokio::test]
async fn changes_of_one_person_see_each_other() {
    let node = open(None);
    node.create(&person(1, "ada@x")).await.expect("nobody has it");
    let longer = |person: Person| {
        Ok::<_, PersonError>(Person { display_name: person.display_name.clone() + "!", ..person })
    };
    node.memory.inject(Fault::Late);
    let change = || node.engine.change_person(TENANT, user(1), longer);
    let (one, other, ()) = tokio::join!(change(), change(), async {
        others_go_on().await;
        node.memory.resolve();
    });
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    let found = node.tenant().directory().person(user(1));
    assert_eq!(found.map(|person| person.display_name), Some("ada@x!!".to_owned()));
}

#[tokio::test]
async fn a_disabled_person_shows_nothing_until_they_are_enabled_again() {
    let node = open(None);
    node.create(&person(1, "ada@x")).await.expect("nobody has it");
    node.say(1, "hello").await.expect("nothing is wrong with it");
    assert!(!node.enable(1, false).await.account_enabled);
    for node in [&node, &open(Some(&node.memory))] {
        assert_eq!((node.message(1), node.tenant().may_sign_in(user(1))), (None, false));
        assert!(node.tenant().is_somebody(user(1)));
    }
    let again = open(Some(&node.memory));
    again.enable(1, true).await;
    assert_eq!((again.message(1), again.tenant().may_sign_in(user(1))), (Some("hello".to_owned()), true));
}

#[tokio::test]
async fn of_a_deleted_person_nothing_is_left_and_who_follows_hears_of_it() {
    let node = open(None);
    node.create(&person(1, "ada@x")).await.expect("nobody has it");
    node.say(1, "hello").await.expect("nothing is wrong with it");
    node.engine.clock().advance(Duration::from_secs(1));
    let cursor = node.engine.cursor(&node.tenant());
    let tenant = node.tenant();
    let number = tenant.feed().pushed();
    node.delete(1).await.expect("she is there");
    assert_eq!(node.delete(1).await, Err(PersonError::NotFound));
    let Recent::Changes(changes, _) = tenant.feed().since_number(number, usize::MAX) else {
        panic!("all is remembered")
    };
    assert_eq!(changes.iter().map(|change| change.user).collect::<Vec<_>>(), [user(1)], "once");
    for whom in [Whom::Everybody, Whom::Users(&[user(1)])] {
        let changes = node.engine.changes_since(&tenant, cursor, whom, Stamp::ChangedAt);
        let changed: Vec<UserId> = changes.changed.iter().map(|changed| changed.user).collect();
        assert_eq!(changed, [user(1)]);
    }
    for node in [&node, &open(Some(&node.memory))] {
        let tenant = node.tenant();
        assert_eq!((tenant.directory().len(), tenant.users_len(), node.message(1)), (0, 0, None));
        assert_eq!((tenant.resolve("ada@x"), tenant.is_somebody(user(1))), (None, false));
        assert!(tenant.was_deleted(user(1)) && !tenant.was_deleted(user(2)));
        assert_eq!(node.say(1, "from beyond").await, Err(WriteError::Deleted(user(1))));
        assert_eq!(node.engine.timers_armed(), 0);
    }
    let again = open(Some(&node.memory));
    again.create(&person(2, "ada@x")).await.expect("the name is free");
    again.engine.put_person(TENANT, &person(1, "lovelace@x")).await.expect("a seed brings her back");
    assert_eq!(again.message(1), None, "but nothing of before");
    again.say(1, "hello again").await.expect("she is there");
}

#[tokio::test]
async fn a_write_that_waited_for_a_deletion_brings_nobody_back() {
    let node = open(None);
    node.create(&person(1, "ada@x")).await.expect("nobody has it");
    node.memory.inject(Fault::Late);
    let engine = node.engine.clone();
    let deletion = tokio::spawn(async move { engine.delete_person(TENANT, user(1)).await });
    others_go_on().await;
    let newcomer = person(2, "ada@x");
    let (written, changed, created, ()) =
        tokio::join!(node.say(1, "too late"), node.rename(1, "b@x"), node.create(&newcomer), async {
            others_go_on().await;
            node.memory.resolve();
        });
    assert_eq!(deletion.await.expect("it does not panic"), Ok(()));
    assert_eq!(written, Err(WriteError::Deleted(user(1))));
    assert_eq!(changed, Err(PersonError::NotFound));
    assert_eq!(created, Err(PersonError::NameTaken("ada@x".to_owned())), "it was hers when it was asked for");
    assert_eq!(node.tenant().directory().len(), 0);
    assert_eq!(node.tenant().users_len(), 0);
}

#[tokio::test]
async fn a_deletion_that_failed_at_any_step_can_be_repeated() {
    for (step, fault, is_done) in [
        (1, Fault::FailedNotWritten, false),
        (1, Fault::FailedAndWritten, false),
        (2, Fault::FailedNotWritten, false),
        (2, Fault::FailedAndWritten, false),
        (3, Fault::FailedNotWritten, false),
        (3, Fault::FailedAndWritten, true),
    ] {
        let node = open(None);
        node.create(&person(1, "ada@x")).await.expect("nobody has it");
        node.say(1, "hello").await.expect("nothing is wrong with it");
        assert!(!node.enable(1, false).await.account_enabled);
        node.memory.fail_at(step, fault);
        assert_eq!(node.delete(1).await, UNKNOWN, "{step} {fault:?}");
        node.memory.resolve();
        assert_eq!(node.tenant().is_somebody(user(1)), !is_done, "{step} {fault:?}");
        assert_eq!(node.tenant().is_disabled(user(1)), !is_done, "nobody comes back by half a deletion");
        let repeated = node.delete(1).await;
        let expected = if is_done { Err(PersonError::NotFound) } else { Ok(()) };
        assert_eq!(repeated, expected, "{step} {fault:?}");
        let again = open(Some(&node.memory));
        let tenant = again.tenant();
        assert_eq!((tenant.directory().len(), tenant.users_len()), (0, 0), "{step} {fault:?}");
        again.create(&person(2, "ada@x")).await.expect("the name is free");
    }
}

#[tokio::test]
async fn a_deletion_goes_on_when_nobody_waits_for_it() {
    let node = open(None);
    node.create(&person(1, "ada@x")).await.expect("nobody has it");
    node.memory.inject(Fault::Late);
    tokio::select! {
        biased;
        _ = node.delete(1) => panic!("the log is slow"),
        () = others_go_on() => {}
    }
    node.memory.resolve();
    others_go_on().await;
    assert_eq!(node.tenant().directory().len(), 0);
}

fn introduction(name: &str) -> Introduction {
    Introduction {
        user_principal_name: Some(name.to_owned()),
        display_name: Some("Ada Lovelace".to_owned()),
        mail: Some("ada@y.example".to_owned()),
    }
}

#[tokio::test]
async fn who_signs_in_for_the_first_time_is_put_in_once() {
    let node = open(None);
    node.memory.inject(Fault::Late);
    let introduced = introduction("ada@x.example");
    let sign_in = || node.engine.sign_in(TENANT, user(1), &introduced);
    let (one, other, ()) = tokio::join!(sign_in(), sign_in(), async {
        others_go_on().await;
        node.memory.resolve();
    });
    assert_eq!((one, other), (Ok(()), Ok(())));
    let put_in = node.tenant().applied();
    assert_eq!(sign_in().await, Ok(()));
    assert_eq!(node.tenant().applied(), put_in, "who is there already is left alone");
    let found = node.tenant().directory().person(user(1)).expect("she is there");
    assert_eq!((found.display_name.as_str(), found.mail.as_deref()), ("Ada Lovelace", Some("ada@y.example")));
    assert_eq!(node.tenant().resolve("ada@x.example"), Some(user(1)));
}

#[tokio::test]
async fn who_signs_in_without_a_name_of_their_own_gets_one() {
    let node = open(None);
    node.create(&person(1, "ada@x.example")).await.expect("nobody has it");
    let long = "x".repeat(300) + "@x.example";
    let nobody = Introduction::default();
    let table = [
        (2, introduction("Ada@x.example")),
        (3, nobody),
        (4, introduction("no name")),
        (5, introduction(&long)),
    ];
    for (number, introduced) in table {
        node.engine.sign_in(TENANT, user(number), &introduced).await.expect("the log takes it");
        let found = node.tenant().directory().person(user(number)).expect("they are there");
        assert_eq!(found.user_principal_name, format!("{}@{TENANT}", user(number)));
        let shown = introduced.display_name.unwrap_or(found.user_principal_name);
        assert_eq!(found.display_name, shown);
    }
}

#[tokio::test]
async fn who_was_deleted_does_not_come_back_by_signing_in_as_long_as_that_is_known() {
    let node = open(None);
    let introduced = introduction("ada@x.example");
    node.engine.sign_in(TENANT, user(1), &introduced).await.expect("the log takes it");
    node.delete(1).await.expect("she is there");
    let again = open(Some(&node.memory));
    for node in [&node, &again] {
        assert_eq!(node.engine.sign_in(TENANT, user(1), &introduced).await, Err(PersonError::Deleted));
    }
    again.engine.clock().advance(DELETED_KNOWN_FOR + Duration::from_secs(1));
    again.engine.purge(DELETED_KNOWN_FOR);
    assert!(!again.tenant().was_deleted(user(1)));
    assert_eq!(again.engine.sign_in(TENANT, user(1), &introduced).await, Ok(()));
    assert_eq!(again.tenant().resolve("ada@x.example"), Some(user(1)));
}

#[tokio::test]
async fn a_reset_forgets_who_was_deleted() {
    let node = open(None);
    node.create(&person(1, "ada@x")).await.expect("nobody has it");
    node.delete(1).await.expect("she is there");
    node.create(&person(2, "ben@x")).await.expect("nobody has it");
    node.engine.reset(&[]).await.expect("the log takes it");
    for number in [1, 2] {
        assert!(!node.tenant().was_deleted(user(number)));
        node.engine.sign_in(TENANT, user(number), &Introduction::default()).await.expect("nobody is there");
    }
}

/// Two people of a seed, who have each other's names, and one who has the name of a third, who was deleted.
async fn mixed_up() -> (Node, Seed) {
    let node = open(None);
    let people = [(1, "ada@x"), (2, "ben@x"), (3, "cleo@x"), (4, "dan@x")];
    let people = people.map(|(number, name)| person(number, name)).to_vec();
    let seed = Seed { tenant: TENANT, people };
    node.engine.seed(&seed).await.expect("nobody is there");
    node.delete(4).await.expect("he is there");
    for (number, name) in [(1, "eve@x"), (2, "ada@x"), (1, "ben@x"), (3, "Dan@x")] {
        node.rename(number, name).await.expect("nobody has it");
    }
    (node, seed)
}

#[track_caller]
fn assert_named(node: &Node, seed: &Seed) {
    let found = seed.people.iter().map(|person| node.tenant().directory().person(person.id));
    assert_eq!(found.collect::<Vec<_>>(), seed.people.iter().cloned().map(Some).collect::<Vec<_>>());
    for person in &seed.people {
        let name = &person.user_principal_name;
        assert_eq!(node.tenant().directory().named(name), Some(person.id), "{name}");
    }
}

#[tokio::test]
async fn a_seed_gives_those_their_names_back_who_have_each_others_and_leaves_the_rest() {
    let (node, seed) = mixed_up().await;
    node.say(1, "still there").await.expect("the log takes it");
    let again = open(Some(&node.memory));
    again.engine.seed(&seed).await.expect("whoever has the name of another gives it up");
    assert_named(&again, &seed);
    assert_eq!(again.message(1).as_deref(), Some("still there"));
    let put_in = again.tenant().applied();
    again.engine.seed(&seed).await.expect("they are there");
    assert_eq!(again.tenant().applied(), put_in, "who is there as given is left alone");
    // The name of somebody who is none of them stays theirs.
    again.rename(1, "eve@x").await.expect("nobody has it");
    again.create(&person(5, "ada@x")).await.expect("it was given up");
    let taken = again.engine.seed(&seed).await.expect_err("somebody else has it");
    assert_eq!(taken, PersonError::NameTaken("ada@x".to_owned()));
}

#[tokio::test]
async fn a_reset_gives_those_their_names_back_who_have_each_others() {
    let (node, seed) = mixed_up().await;
    node.engine
        .reset(std::slice::from_ref(&seed))
        .await
        .expect("whoever has the name of another gives it up");
    assert_named(&node, &seed);
}
