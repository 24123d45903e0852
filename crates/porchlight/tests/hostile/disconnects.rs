//! Clients that hang up while their writes are under way: no conflict stays behind, and nobody reads what is old.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use porchlight_testkit::TestServer;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Answer, Connection, ME, Message, Numbers, ask, presence, within};

const PEOPLE: [&str; 4] = ["ada", "ben", "cleo", "dan"];
const WRITERS: usize = 32;
const ROUNDS: usize = 12;

/// A write that was acknowledged.
#[derive(Debug)]
struct Acknowledged {
    person: &'static str,
    revision: u64,
    sequence: String,
}

/// A write that everybody can tell from all others.
fn say(person: &str, text: &str) -> Message {
    let body = json!({"availability": "Busy", "statusMessage": {"message": {"content": text}}});
    Message::by(person, "PATCH", ME).json(body.to_string())
}

fn said(presence: &Value) -> &str {
    presence["statusMessage"]["message"]["content"].as_str().unwrap_or_default()
}

fn sequence(presence: &Value) -> String {
    presence["sequenceNumber"].as_str().expect("a sequence number").to_owned()
}

fn revision(answer: &Answer) -> u64 {
    answer.header("porchlight-revision").and_then(|revision| revision.parse().ok()).expect("a revision")
}

/// Writes for one person, and half of the time hangs up before it knows what became of it.
async fn write_and_vanish(address: SocketAddr, number: usize) -> Vec<Acknowledged> {
    let person = PEOPLE[number % PEOPLE.len()];
    let mut numbers = Numbers(number as u64);
    let mut acknowledged: Vec<Acknowledged> = Vec::new();
    for round in 0..ROUNDS {
        let text = format!("writer {number}, round {round}");
        let request = say(person, &text).bytes();
        let mut connection = Connection::open(address).await;
        if numbers.below(2) == 0 {
            let part = numbers.below(request.len() as u64) as usize;
            let sent = if numbers.below(4) == 0 { part } else { request.len() };
            connection.send(&request[..sent]).await.ok();
            // The moment varies: before the request is read, while it waits, when its answer is on the way.
            for _ in 0..numbers.below(40) {
                tokio::task::yield_now().await;
            }
            continue;
        }
        let answer = within(&text, connection.exchange(&request)).await.expect("an answer");
        if answer.status == 503 {
            // A slow disk: whether it was written is not known, and not claimed.
            continue;
        }
        assert_eq!(answer.status, 200, "{text}: {answer:?}");
        let written = answer.json();
        assert_eq!(said(&written), text, "an answer shows what was written");
        let read = presence(address, person).await;
        assert!(sequence(&read) >= sequence(&written), "{text} was acknowledged, then {read} was read");
        if sequence(&read) == sequence(&written) {
            assert_eq!(said(&read), text, "one number, one state");
        }
        acknowledged.push(Acknowledged { person, revision: revision(&answer), sequence: sequence(&written) });
    }
    acknowledged
}

/// Reads one person until the end; whatever is read is never older than what was.
async fn read_on(address: SocketAddr, person: &'static str, end: Arc<AtomicBool>) {
    let mut connection = Connection::open(address).await;
    let request = Message::by(person, "GET", ME).bytes();
    let mut newest = String::new();
    while !end.load(Ordering::SeqCst) {
        let answer = within("an answer", connection.exchange(&request)).await.expect("an answer");
        let read = sequence(&answer.json());
        assert!(read >= newest, "{person}: {read} was read after {newest}");
        newest = read;
    }
}

/// Writes for a person. A slow disk may need a second attempt; a conflict that stays would fail every one.
async fn write(address: SocketAddr, person: &str, text: &str) -> Answer {
    let written = async {
        loop {
            let answer = ask(address, &say(person, text)).await;
            if answer.status != 503 {
                return answer;
            }
        }
    };
    within("a write", written).await
}

#[tokio::test]
async fn clients_that_vanish_leave_no_conflict_behind_and_nobody_reads_what_is_old() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = TestServer::builder().data(folder.path()).start().await;
    let address = server.address();
    let end = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for person in PEOPLE {
        readers.spawn(read_on(address, person, Arc::clone(&end)));
    }
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        writers.spawn(write_and_vanish(address, number));
    }
    let mut acknowledged = Vec::new();
    while let Some(done) = writers.join_next().await {
        acknowledged.extend(done.expect("a writer finds all in order"));
    }
    end.store(true, Ordering::SeqCst);
    while let Some(done) = readers.join_next().await {
        done.expect("a reader finds all in order");
    }

    let mut last = Vec::new();
    for person in PEOPLE {
        // The order of the log is the order of what was seen.
        let mut own: Vec<&Acknowledged> = acknowledged.iter().filter(|one| one.person == person).collect();
        own.sort_by_key(|one| one.revision);
        assert!(own.len() > ROUNDS, "{person}: some writes were acknowledged: {own:?}");
        assert!(own.windows(2).all(|two| two[0].sequence < two[1].sequence), "{person}: {own:?}");
        let answer = write(address, person, "the last word").await;
        assert_eq!(answer.status, 200, "{person} can be written at once: {answer:?}");
        assert!(own.iter().all(|one| one.revision < revision(&answer)), "{person}");
        let shown = presence(address, person).await;
        assert_eq!(said(&shown), "the last word");
        last.push(shown);
    }

    // All of it is on the disk as well.
    server.stop();
    let server = TestServer::builder().data(folder.path()).start().await;
    for (person, shown) in PEOPLE.into_iter().zip(last) {
        assert_eq!(presence(server.address(), person).await, shown, "{person}");
    }
}
