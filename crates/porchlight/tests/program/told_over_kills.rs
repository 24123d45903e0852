//! Whoever follows a server that is killed again and again ends up knowing what it knows.

use std::collections::BTreeMap;
use std::time::Duration;

use porchlight_testkit::{Client, Event, Events};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::support::{Program, in_folder, presence_of};

const PRESENCES: &str = "/v1.0/communications/presences";

/// How often the server is killed.
const ROUNDS: u64 = 8;

/// What is known of everybody, by id.
type Known = BTreeMap<String, Value>;

/// Somebody who reads a stream, for as long as there is one, and comes back with the last id.
#[derive(Default)]
struct Reader {
    known: Known,
    last_id: Option<String>,
}

impl Reader {
    fn take(&mut self, event: &Event, events: &Events) {
        let id = event.data["id"].as_str().unwrap_or_default().to_owned();
        match event.event.as_str() {
            "snapshot" => self.known.clear(),
            "presence" => drop(self.known.insert(id, event.data.clone())),
            "removed" => drop(self.known.remove(&id)),
            _ => {}
        }
        self.last_id = events.last_id().map(str::to_owned);
    }

    /// Reads until the stream ends.
    async fn read_to_the_end(mut self, mut events: Events) -> Reader {
        while let Some(event) = events.next_or_end().await {
            self.take(&event, &events);
        }
        self
    }

    /// Reads until everything has been told.
    async fn catch_up(&mut self, client: &Client) {
        let mut events = client.follow(PRESENCES, self.last_id.as_deref()).await;
        loop {
            let event = events.next().await;
            self.take(&event, &events);
            if event.event == "current" {
                return;
            }
        }
    }
}

/// Follows links from this one to the end of the round. Returns the link to go on from.
async fn ask(server: &Program, known: &mut Known, link: String) -> String {
    let mut link = link;
    loop {
        let answer = server.client("ben:").get(&link).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let page = answer.json();
        for one in page["value"].as_array().expect("a list") {
            let id = one["id"].as_str().expect("an id").to_owned();
            if one.get("@removed").is_some() {
                known.remove(&id);
            } else {
                known.insert(id, one.clone());
            }
        }
        let next = page["@odata.nextLink"].as_str().or(page["@odata.deltaLink"].as_str()).expect("a link");
        // The next server listens on another port.
        let (_, path) = next.split_once("/v1.0").expect("a link of this API");
        link = format!("/v1.0{path}");
        if page.get("@odata.deltaLink").is_some() {
            return link;
        }
    }
}

/// Changes one person after another until the server is gone.
fn write(server: &Program, people: Vec<String>, mut number: usize) -> JoinHandle<()> {
    let client = server.client(&format!("{}:", porchlight_testkit::APP_A));
    tokio::spawn(async move {
        loop {
            let pair = ["Busy", "Away", "Available"][number % 3];
            let body = json!({"availability": pair, "activity": pair}).to_string();
            let path = presence_of(&people[number % people.len()]);
            let client = client.header("content-type", "application/json");
            if client.try_call(http::Method::PATCH, &path, Some(body)).await.is_err() {
                return;
            }
            number += 5;
        }
    })
}

#[tokio::test]
async fn nothing_is_missed_over_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut reader = Reader::default();
    let (mut by_delta, mut link) = (Known::new(), format!("{PRESENCES}/delta?$top=5"));
    for round in 0..ROUNDS {
        let server = Program::start(&mut in_folder(folder.path()));
        let listed = server.client("ben:").get(PRESENCES).await.json();
        let people = listed["value"].as_array().expect("a list").iter();
        let people: Vec<String> = people.map(|one| one["id"].as_str().expect("an id").to_owned()).collect();
        let writers: Vec<_> = (0..4).map(|number| write(&server, people.clone(), number)).collect();
        // It has begun before the server is killed; how far it comes is another matter.
        let events = server.client("ben:").follow(PRESENCES, reader.last_id.as_deref()).await;
        let reading = tokio::spawn(std::mem::take(&mut reader).read_to_the_end(events));
        link = ask(&server, &mut by_delta, link).await;
        // For more to be written; when it ends is anybody's guess.
        sleep(Duration::from_millis(40 * (round % 4))).await;
        server.kill();
        reader = reading.await.expect("it reads to the end");
        for writer in writers {
            writer.await.expect("it ends with the server");
        }
    }
    let server = Program::start(&mut in_folder(folder.path()));
    let ben = server.client("ben:");
    reader.catch_up(&ben).await;
    ask(&server, &mut by_delta, link).await;
    let listed = ben.get(PRESENCES).await.json();
    let truth: Known = listed["value"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["id"].as_str().expect("an id").to_owned(), one.clone()))
        .collect();
    assert!(
        truth.values().all(|one| one["sequenceNumber"] != "A00000000000000"),
        "everybody was written for"
    );
    assert_eq!(reader.known, truth);
    assert_eq!(by_delta, truth);
}
