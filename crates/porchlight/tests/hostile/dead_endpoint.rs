//! An endpoint that is dead for hours costs a cursor, and on its return hears the newest state of everybody once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use porchlight_engine::Person;
use porchlight_http::Development;
use porchlight_presence::{Activity, Availability, Change, Command, Pair, Patch, StandingPair, UserId};
use porchlight_testkit::{Reaction, Receiver, TestServer};
use serde_json::json;
use uuid::Uuid;

const PEOPLE: u128 = 20_000;
const CHANGES: u128 = 100_000;
/// How many users a subscription keeps in mind, whatever happens.
const REMEMBERED_MAX: usize = 10_000;

fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(0xdead << 64 | number))
}

fn person(number: u128) -> Person {
    Person::new(user(number), format!("p{number}@x.example"))
}

/// What change number so and so makes of its user.
fn command(number: u128) -> (Availability, Command) {
    let (availability, activity) = [
        (Availability::Available, Activity::Available),
        (Availability::Busy, Activity::Busy),
        (Availability::Away, Activity::Away),
    ][(number / PEOPLE + number) as usize % 3];
    let pair = StandingPair::new(Pair { availability, activity }).expect("it is coherent");
    (availability, Command::Patch(Patch { preferred: Change::Set((pair, None)), ..Patch::default() }))
}

#[tokio::test]
async fn four_hours_and_a_hundred_thousand_changes_behind_a_dead_endpoint() {
    let receiver = Receiver::start().await;
    let server = TestServer::builder()
        .notify(|settings| {
            settings.lifetime_max = Duration::from_secs(4320 * 60);
            settings.plain_presence = true;
        })
        .start()
        .await;
    for number in 0..PEOPLE {
        server.engine().put_person(Development::TENANT, &person(number)).await.expect("they are put in");
    }
    let subscription = json!({
        "changeType": "updated",
        "notificationUrl": receiver.url("/"),
        "lifecycleNotificationUrl": receiver.url("/lifecycle"),
        "resource": "communications/presences",
        "expirationDateTime": "2026-11-23T08:59:00Z",
    });
    let app = server.client("5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21:");
    assert_eq!(app.post("/v1.0/subscriptions", &subscription).await.status, 201);

    // It is told until then, so that it dies with nothing left to look up.
    for number in 0..2 {
        server.advance(Duration::from_secs(1));
        let (_, command) = command(number);
        server.engine().write(Development::TENANT, user(0), &command).await.expect("it is written");
        receiver.next().await;
    }
    receiver.always(Some(Reaction::Status(500)));
    let step = Duration::from_secs(4 * 60 * 60) / CHANGES as u32;
    let mut newest = HashMap::new();
    for number in 0..CHANGES {
        let (availability, command) = command(number);
        server
            .engine()
            .write(Development::TENANT, user(number % PEOPLE), &command)
            .await
            .expect("it is written");
        newest.insert(user(number % PEOPLE).to_string(), availability.to_string());
        server.advance(step);
        if number % 1000 == 0 {
            let remembered = server.notifier().remembered().await;
            assert!(remembered <= REMEMBERED_MAX, "{remembered} users are kept in mind");
        }
    }
    let attempts = receiver.take_all().len();
    assert!((2..200).contains(&attempts), "it was tried {attempts} times in four hours");

    receiver.always(None);
    server.advance(Duration::from_secs(40 * 60));
    let mut told = HashSet::new();
    while told.len() < newest.len() {
        for item in receiver.next().await.items() {
            let data = &item["resourceData"];
            let id = data["id"].as_str().expect("an id").to_owned();
            assert_eq!(data["availability"], newest[&id], "the newest state");
            assert!(told.insert(id), "each user once");
        }
    }
    assert!(server.notifier().remembered().await <= REMEMBERED_MAX);
}
