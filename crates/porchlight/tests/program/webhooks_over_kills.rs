//! Whoever is told by a server that is killed again and again ends up having been told its newest state.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use porchlight_testkit::{ADA, BEN, Reaction, Receiver};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use uuid::Uuid;

use crate::support::{CLOCK, Program, in_folder, presence_of, until};

/// How often the server is killed.
const ROUNDS: u64 = 20;

const PRESENCES: &str = "/v1.0/communications/presences";

/// Every sequence number that anybody has been shown, by user.
type Shown = Arc<Mutex<BTreeMap<String, Vec<i64>>>>;

fn note(shown: &Shown, presence: &Value) {
    let id = presence["id"].as_str().expect("an id").to_owned();
    let number = presence["sequenceNumber"].as_str().and_then(|number| number.strip_prefix('A'));
    let number = number.expect("a number").parse().expect("a number");
    shown.lock().expect("nobody panics").entry(id).or_default().push(number);
}

/// The id of the item that tells a subscription of a user's state.
fn item(subscription: Uuid, user: &str, number: i64) -> Uuid {
    let user = Uuid::parse_str(user).expect("a GUID");
    Uuid::new_v5(&subscription, &[user.as_bytes().as_slice(), &number.to_be_bytes()].concat())
}

async fn subscribe(server: &Program, receiver: &Receiver, application: u128, resource: &str) -> Uuid {
    let clock = server.anonymous().get(CLOCK).await.json();
    let now: jiff::Timestamp = clock["now"].as_str().and_then(|now| now.parse().ok()).expect("an instant");
    let subscription = json!({
        "changeType": "updated",
        "notificationUrl": receiver.url("/"),
        "resource": resource,
        "expirationDateTime": (now + Duration::from_secs(50 * 60)).to_string(),
    });
    let client = server.client(&format!("{}:", Uuid::from_u128(application)));
    let made = client.post("/v1.0/subscriptions", &subscription).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["id"].as_str().and_then(|id| Uuid::parse_str(id).ok()).expect("an id")
}

/// Changes one person after another until the server is gone. Each person has one writer.
fn write(server: &Program, people: Vec<String>, shown: Shown) -> JoinHandle<()> {
    let client = server.client(&format!("{}:", porchlight_testkit::APP_A));
    let client = client.header("content-type", "application/json");
    tokio::spawn(async move {
        for number in 0_usize.. {
            let pair = ["Busy", "Away", "Available"][number / people.len() % 3];
            let body = json!({"availability": pair, "activity": pair}).to_string();
            let path = presence_of(&people[number % people.len()]);
            let Ok(answer) = client.try_call(http::Method::PATCH, &path, Some(body)).await else { return };
            if answer.status == 200 {
                note(&shown, &answer.json());
            }
        }
    })
}

/// Everybody's present state.
async fn look(server: &Program, shown: &Shown) -> Vec<Value> {
    let listed = server.client("ben:").get(PRESENCES).await.json();
    let people = listed["value"].as_array().expect("a list").clone();
    for presence in &people {
        note(shown, presence);
    }
    people
}

#[tokio::test]
async fn every_subscriber_is_told_the_newest_state_in_order_over_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start().await;
    let shown = Shown::default();
    let mut subscriptions = Vec::new();
    for round in 0..ROUNDS {
        let server = Program::start(&mut in_folder(folder.path()));
        // What was durable and not answered is shown now, before anything is written over it.
        let people: Vec<String> = look(&server, &shown)
            .await
            .iter()
            .map(|one| one["id"].as_str().expect("an id").to_owned())
            .collect();
        if subscriptions.is_empty() {
            let two = format!("communications/presences?$filter=id in ('{ADA}','{BEN}')");
            subscriptions.push(subscribe(&server, &receiver, 0xa, "communications/presences").await);
            subscriptions.push(subscribe(&server, &receiver, 0xb, &two).await);
        }
        let thirds = people.chunks(people.len().div_ceil(3));
        let writers: Vec<_> =
            thirds.map(|people| write(&server, people.to_vec(), Arc::clone(&shown))).collect();
        // When it ends is anybody's guess.
        sleep(Duration::from_millis(30 + 40 * (round % 5))).await;
        server.kill();
        for writer in writers {
            writer.await.expect("it ends with the server");
        }
    }
    let server = Program::start(&mut in_folder(folder.path()));
    let truth: BTreeMap<String, i64> = {
        look(&server, &shown).await;
        let shown = shown.lock().expect("nobody panics");
        shown.iter().map(|(user, numbers)| (user.clone(), *numbers.last().expect("one"))).collect()
    };

    // Which item is which state.
    let mut known: HashMap<Uuid, (Uuid, String, i64)> = HashMap::new();
    for (user, numbers) in shown.lock().expect("nobody panics").iter() {
        for (subscription, number) in subscriptions.iter().flat_map(|id| numbers.iter().map(move |n| (id, n)))
        {
            let of = (*subscription, user.clone(), *number);
            known.insert(item(*subscription, user, *number), of);
        }
    }
    let told: Mutex<HashMap<(Uuid, String), i64>> = Mutex::default();
    until("everybody is told of the newest state", async || {
        let mut told = told.lock().expect("nobody panics");
        for one in receiver.take_all().iter().flat_map(porchlight_testkit::Delivery::items) {
            let id = one["id"].as_str().and_then(|id| Uuid::parse_str(id).ok()).expect("an id");
            let (subscription, user, number) =
                known.get(&id).unwrap_or_else(|| panic!("{one} was never shown"));
            let before = told.insert((*subscription, user.clone()), *number).unwrap_or_default();
            assert!(before <= *number, "what is told of one user never goes back");
        }
        let newest =
            |subscription: &Uuid, user: &str| told.get(&(*subscription, user.to_owned())) == truth.get(user);
        truth.keys().all(|user| newest(&subscriptions[0], user))
            && [ADA, BEN].iter().all(|user| newest(&subscriptions[1], user))
    })
    .await;
}

#[tokio::test]
async fn s30_t16_a_hundred_users_are_told_once_each_after_receiver_and_server_were_down() {
    const PEOPLE: usize = 100;
    let folder = tempfile::tempdir().expect("a folder");
    let people: Vec<String> = (0..PEOPLE).map(|number| Uuid::from_u128(number as u128).to_string()).collect();
    let user = |(number, id): (usize, &String)| {
        format!("      - id: {id}\n        userPrincipalName: p{number}@porchlight.example\n")
    };
    let users: String = people.iter().enumerate().map(user).collect();
    let seed = folder.path().join("people.yaml");
    let tenant = "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77";
    std::fs::write(&seed, format!("tenants:\n  - id: {tenant}\n    users:\n{users}"))
        .expect("it can be written");
    let start = || {
        let mut command = in_folder(&folder.path().join("data"));
        Program::start(command.arg("--seed").arg(&seed))
    };

    let receiver = Receiver::start().await;
    let server = start();
    let app = server.client(&format!("{}:", Uuid::from_u128(0xa_0000)));
    let subscription = subscribe(&server, &receiver, 0xa_0000, "communications/presences").await;
    receiver.always(Some(Reaction::Status(503)));
    let mut newest = BTreeMap::new();
    for availability in ["Busy", "Away"] {
        for id in &people {
            let body = json!({"availability": availability, "activity": availability});
            let answer = app.patch(&presence_of(id), &body).await;
            let number =
                answer.json()["sequenceNumber"].as_str().expect("a number")[1..].parse().expect("a number");
            newest.insert(item(subscription, id, number), id.clone());
            // Only the last state counts.
            newest.retain(|known, of| of != id || *known == item(subscription, id, number));
        }
    }
    server.kill();
    receiver.take_all();
    receiver.always(None);

    let _server = start();
    let mut told = Vec::new();
    while told.len() < PEOPLE {
        let items = receiver.items(1).await;
        told.extend(
            items
                .iter()
                .map(|one| one["id"].as_str().and_then(|id| Uuid::parse_str(id).ok()).expect("an id")),
        );
    }
    told.sort_unstable();
    assert_eq!(told, newest.into_keys().collect::<Vec<_>>(), "the newest state of each, once");
}
