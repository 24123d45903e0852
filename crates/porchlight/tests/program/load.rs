//! Many people who are written to by many clients at once, and what of that must be there afterwards.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use porchlight_http::Development;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::connection::{Connection, Response};
use crate::support::presence_of;

/// How many clients write, each over a connection of its own.
const CLIENTS: usize = 64;
/// How many people each of them writes to, all by itself.
const PEOPLE_EACH: usize = 4;

/// How long a write may take that nothing stands in the way of.
const AT_ONCE: Duration = Duration::from_secs(5);

/// What a write says beside its number: which is told from the number, so that half a write shows.
const AVAILABILITIES: [&str; 5] = ["Available", "Busy", "DoNotDisturb", "Away", "BeRightBack"];

/// The people of one client.
pub(crate) type Group = Vec<Somebody>;

/// Somebody, and the writes to them, which are numbered from 1.
#[derive(Clone, Debug)]
pub(crate) struct Somebody {
    id: String,
    /// The newest write that was answered.
    acknowledged: u32,
    /// The newest write that was sent.
    sent: u32,
}

/// Everybody, nobody of whom was ever written to.
pub(crate) fn everybody() -> Vec<Group> {
    let somebody = |n: usize| Somebody { id: id(n), acknowledged: 0, sent: 0 };
    let people: Vec<Somebody> = (0..CLIENTS * PEOPLE_EACH).map(somebody).collect();
    people.chunks(PEOPLE_EACH).map(<[Somebody]>::to_vec).collect()
}

fn id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// Writes a seed file with everybody.
pub(crate) fn seed_file(folder: &Path) -> PathBuf {
    let mut seed = format!("tenants:\n  - id: {}\n    users:\n", Development::TENANT);
    for n in 0..CLIENTS * PEOPLE_EACH {
        let id = id(n);
        writeln!(seed, "      - {{id: {id}, userPrincipalName: person{n}@porchlight.example}}")
            .expect("a string takes any text");
    }
    let file = folder.join("everybody.yaml");
    std::fs::write(&file, seed).expect("the file can be written");
    file
}

impl Somebody {
    pub(crate) fn path(&self) -> String {
        presence_of(&self.id)
    }

    /// The body of the next write, which counts as sent.
    pub(crate) fn next_write(&mut self) -> String {
        self.sent += 1;
        let (availability, content) = (availability(self.sent), format!("write {}", self.sent));
        json!({"availability": availability, "statusMessage": {"message": {"content": content}}}).to_string()
    }

    /// The newest write was answered like this.
    pub(crate) fn answered(&mut self, answer: &Response) {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(number(answer), self.sent, "a write is answered with what it wrote");
        self.acknowledged = self.sent;
    }

    /// What a reader is shown: the newest answered write, or one that was sent after it.
    pub(crate) fn is_read(&mut self, answer: &Response) {
        assert_eq!(answer.status, 200, "{answer:?}");
        let (number, oldest, newest) = (number(answer), self.acknowledged, self.sent);
        assert!((oldest..=newest).contains(&number), "{number} is not of {oldest}..={newest}: {answer:?}");
        // Whoever has read it must not read an older one later.
        self.acknowledged = number;
    }
}

fn availability(number: u32) -> &'static str {
    AVAILABILITIES[number as usize % AVAILABILITIES.len()]
}

/// The number of the write that a presence shows; all of it must be of one write.
fn number(answer: &Response) -> u32 {
    let presence: Value = serde_json::from_str(&answer.body).expect("a presence is JSON");
    let Some(content) = presence["statusMessage"]["message"]["content"].as_str() else {
        assert_eq!(presence["availability"], "Offline", "{presence}");
        return 0;
    };
    let number = content.strip_prefix("write ").and_then(|number| number.parse().ok());
    let number = number.unwrap_or_else(|| panic!("not a write of ours: {presence}"));
    assert_eq!(presence["availability"], availability(number), "half a write: {presence}");
    number
}

/// The numbers of everybody's newest answered writes, added up: it grows with every answered write.
pub(crate) fn progress(groups: &[Group]) -> u32 {
    groups.iter().flatten().map(|somebody| somebody.acknowledged).sum()
}

/// Every group, in the hands of a client of its own.
pub(crate) fn each<F: Future<Output = Group> + Send + 'static>(
    groups: Vec<Group>,
    client: impl Fn(Group) -> F,
) -> JoinSet<Group> {
    groups.into_iter().map(client).collect()
}

/// Writes, one after the other and over one connection, until the server is gone.
pub(crate) async fn write_until_gone(address: SocketAddr, mut group: Group) -> Group {
    let Ok(mut connection) = Connection::open(address).await else { return group };
    for turn in 0_usize.. {
        let somebody = &mut group[turn % PEOPLE_EACH];
        let body = somebody.next_write();
        let Ok(answer) = connection.call("PATCH", &somebody.path(), &body).await else { break };
        somebody.answered(&answer);
    }
    group
}

/// Every answered write is there, nothing older shows, and everybody can be written to at once.
pub(crate) async fn check(address: SocketAddr, groups: Vec<Group>) -> Vec<Group> {
    each(groups, |group| check_group(address, group)).join_all().await
}

async fn check_group(address: SocketAddr, mut group: Group) -> Group {
    let mut connection = Connection::open(address).await.expect("the server listens");
    for somebody in &mut group {
        let path = somebody.path();
        let read = connection.call("GET", &path, "").await.expect("a read is answered");
        somebody.is_read(&read);
        let body = somebody.next_write();
        let written = tokio::time::timeout(AT_ONCE, connection.call("PATCH", &path, &body)).await;
        let written = written.unwrap_or_else(|_| panic!("a write to {path} takes more than {AT_ONCE:?}"));
        somebody.answered(&written.expect("a write is answered"));
        let read = connection.call("GET", &path, "").await.expect("a read is answered");
        somebody.is_read(&read);
    }
    group
}

/// Numbers that look random and follow from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

/// The seed of this run: from the environment, or else a new one.
pub(crate) fn seed() -> u64 {
    match std::env::var("PORCHLIGHT_TEST_SEED") {
        Ok(seed) => seed.parse().expect("PORCHLIGHT_TEST_SEED is a number"),
        Err(_) => uuid::Uuid::new_v4().as_u64_pair().0,
    }
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        // Never zero, which this generator would not get away from.
        Dice((seed ^ 0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Dice for somebody else, whose numbers follow from these.
    pub(crate) fn another(&mut self) -> Dice {
        Dice::new(self.roll())
    }

    /// Marsaglia's xorshift64.
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number less than `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The upper bits: the lower ones of this generator repeat soonest.
        (self.roll() >> 16) % end
    }

    /// Milliseconds from `least` to just under `end`.
    pub(crate) fn millis(&mut self, least: u64, end: u64) -> Duration {
        Duration::from_millis(least + self.below(end - least))
    }
}
