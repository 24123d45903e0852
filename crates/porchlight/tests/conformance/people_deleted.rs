//! Somebody is deleted: nothing of them is left, and whoever follows them hears of it.

use porchlight_testkit::{ADA, APP_A, APP_B, Answer, BEN, Events, Receiver, TestServer};
use serde_json::{Value, json};

use crate::subscriptions_support::{
    NOT_FOUND, listed, order, path_of, set, single, subscribe, whose, with, witness,
};
use crate::support::{
    Application, BULK, ME, NOBODY, PRESENCES, ada, add_person, below, ben, done, done_without_content, hours,
    minutes, pair, presence_of, refused, session, status, unknown_user,
};

const DELTA: &str = "/v1.0/communications/presences/delta";
const NOT_VALID: &str = "401 InvalidAuthenticationToken Access token validation failure.";

/// Deletes Ada, as Ben may.
async fn delete_ada(server: &TestServer) {
    done_without_content(&ben(server).delete(&format!("/v1.0/users/{ADA}")).await);
}

/// A server on which Ada has said whatever can be said.
async fn with_ada_furnished() -> TestServer {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "PT4H").await);
    done(&ada(&server).post(&format!("{ME}/setStatusMessage"), &status("hello")).await);
    let body = json!({"workLocation": {"workLocationType": "office"}, "outOfOfficeSettings": {"isOutOfOffice": true}});
    assert_eq!(ada(&server).patch(ME, &body).await.status, 200);
    server
}

#[tokio::test]
async fn whoever_was_deleted_is_nobody_on_every_path() {
    let server = with_ada_furnished().await;
    delete_ada(&server).await;
    let (reader, application) = (ben(&server), Application::a(&server));
    for key in [ADA, "ada@porchlight.example", "ada.lovelace@porchlight.example"] {
        for path in [
            format!("/v1.0/users/{key}"),
            presence_of(key),
            format!("{}/porchlight.explain", presence_of(key)),
            format!("{PRESENCES}/{key}"),
        ] {
            for client in [&reader, &application.client] {
                refused(&client.get(&path).await, &unknown_user(key));
            }
        }
        let writes: [Answer; 5] = [
            application
                .client
                .post(&format!("{}/setPresence", presence_of(key)), &session(APP_A, "Busy/InACall", ""))
                .await,
            application.client.patch(&presence_of(key), &json!({"availability": "Busy"})).await,
            application.client.delete(&presence_of(key)).await,
            application.client.patch(&format!("/v1.0/users/{key}"), &json!({"surname": "Byron"})).await,
            application.client.delete(&format!("/v1.0/users/{key}")).await,
        ];
        for answer in writes {
            refused(&answer, &unknown_user(key));
        }
    }
    let bulk = reader.post(BULK, &json!({"ids": [ADA, NOBODY]})).await.json()["value"].clone();
    let unknown = |id: &str| {
        let mut element = bulk[1].clone();
        element["id"] = id.into();
        element
    };
    assert_eq!(bulk[0], unknown(ADA), "as somebody who never was");
    assert_eq!(
        (&bulk[0]["availability"], bulk.as_array().map(Vec::len)),
        (&json!("PresenceUnknown"), Some(2))
    );
    let list =
        reader.get(&format!("{PRESENCES}?$filter=id%20in%20('{ADA}','{BEN}')&$count=true")).await.json();
    assert_eq!((&list["@odata.count"], list["value"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    assert_eq!(reader.get(&format!("{PRESENCES}/$count")).await.body, "11");
    let people = reader.get("/v1.0/users?$count=true&$search=%22displayName:ada%22").await.json();
    assert_eq!((&people["@odata.count"], &people["value"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn the_tokens_of_whoever_was_deleted_are_refused() {
    let server = TestServer::start().await;
    let tokens = ["ada:".to_owned(), format!("{ADA}:"), format!("ada@{APP_A}:"), format!("{ADA}@{APP_A}:")];
    for token in &tokens {
        assert_eq!(server.client(token).get(ME).await.status, 200, "{token}");
    }
    delete_ada(&server).await;
    for token in &tokens {
        refused(&server.client(token).get(ME).await, NOT_VALID);
        refused(&server.client(token).get(PRESENCES).await, NOT_VALID);
    }
}

async fn next(events: &mut Events) -> (String, Value) {
    let event = events.next().await;
    (event.event, event.data)
}

#[tokio::test]
async fn streams_tell_of_a_removal_once_and_those_of_the_deleted_end() {
    let server = with_ada_furnished().await;
    let mut own = Vec::new();
    for path in [ME.to_owned(), PRESENCES.to_owned(), presence_of(BEN)] {
        let mut events = ada(&server).follow(&path, None).await;
        events.until_current().await;
        own.push(events);
    }
    let busy = format!("{PRESENCES}?$filter=availability%20eq%20'Busy'");
    let mut others = Vec::new();
    for path in
        [PRESENCES.to_owned(), presence_of(ADA), format!("{PRESENCES}?$filter=id%20eq%20'{ADA}'"), busy]
    {
        let mut events = ben(&server).follow(&path, None).await;
        assert!(!events.until_current().await.is_empty(), "{path}");
        others.push((path, events));
    }
    server.advance(minutes(1));
    delete_ada(&server).await;
    for (path, events) in &mut others {
        let removed = json!({"id": ADA, "@removed": {"reason": "deleted"}});
        assert_eq!(next(events).await, ("removed".to_owned(), removed), "{path}");
    }
    for mut events in own {
        assert_eq!(events.next().await.event, "expired");
        assert_eq!(events.next_or_end().await, None);
    }
    // The next thing that comes is about somebody else.
    add_person(&server, NOBODY, "new@porchlight.example", None).await;
    let (event, data) = next(&mut others[0].1).await;
    assert_eq!((event.as_str(), &data["id"]), ("presence", &json!(NOBODY)));
}

#[tokio::test]
async fn delta_tells_of_a_removal_also_to_who_asks_for_one_user() {
    let server = with_ada_furnished().await;
    let queries =
        ["", "?$filter=availability%20eq%20'Busy'", &format!("?$filter=id%20in%20('{ADA}','{BEN}')")];
    let mut links = Vec::new();
    for query in queries {
        let round = ben(&server).get(&format!("{DELTA}{query}")).await.json();
        let told = round["value"].as_array().expect("a list");
        assert!(told.iter().any(|one| one["id"] == ADA), "{query}: {round}");
        links.push(below(&server, round["@odata.deltaLink"].as_str().expect("a link")));
    }
    server.advance(minutes(1));
    delete_ada(&server).await;
    server.advance(minutes(1));
    for link in links {
        let round = ben(&server).get(&link).await.json();
        let removed = json!([{"id": ADA, "@removed": {"reason": "deleted"}}]);
        assert_eq!(round["value"], removed, "{link}");
        let link = below(&server, round["@odata.deltaLink"].as_str().expect("a link"));
        assert_eq!(ben(&server).get(&link).await.json()["value"], json!([]), "once");
    }
    for query in queries {
        let round = ben(&server).get(&format!("{DELTA}{query}")).await.json();
        let told = round["value"].as_array().expect("a list");
        assert!(!told.iter().any(|one| one["id"] == ADA), "who begins now has never heard of her: {round}");
    }
}

#[tokio::test]
async fn who_waits_for_a_change_is_answered_that_there_is_nobody() {
    let server = TestServer::start().await;
    let waiting = ben(&server).header("prefer", "wait=60");
    let held = tokio::spawn(async move { waiting.get(&presence_of(ADA)).await });
    let line = b"porchlight_held_requests 1";
    while !server.anonymous().get("/porchlight/metrics").await.body.windows(line.len()).any(|at| at == line) {
    }
    delete_ada(&server).await;
    refused(&held.await.expect("it is answered"), &unknown_user(ADA));
}

#[tokio::test]
async fn the_subscriptions_of_whoever_was_deleted_end() {
    let server = TestServer::start().await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let of_ada = order(&server, &receiver.url("/"), &single(BEN));
    let of_ada = with(of_ada, "lifecycleNotificationUrl", receiver.url("/lifecycle"));
    let shown = subscribe(&ada(&server), &of_ada).await;
    let kept = witness(&server, &other.url("/"), BEN).await;
    delete_ada(&server).await;
    let item = receiver.items(1).await.remove(0);
    assert_eq!(
        (&item["lifecycleEvent"], &item["subscriptionId"]),
        (&json!("subscriptionRemoved"), &shown["id"])
    );
    assert_eq!(item["@porchlight.reason"], "userDisabled");
    set(&server, BEN, "Busy/InACall").await;
    assert_eq!(whose(&other.items(1).await[0]), BEN);
    assert_eq!(receiver.seen(), 1, "nothing else is told");
    refused(&Application::a(&server).client.get(&path_of(&shown)).await, NOT_FOUND);
    assert_eq!(listed(&ben(&server)).await, [kept["id"].as_str().expect("an id")]);
}

#[tokio::test]
async fn a_deletion_holds_over_a_restart_and_the_name_is_free() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = |server: &mut porchlight_http::Settings| {
        let development = server.development.as_mut().expect("it is in development mode");
        development.seeds[0].people.retain(|person| person.id.to_string() != ADA);
    };
    let server = TestServer::builder().data(folder.path()).start().await;
    done(&Application::a(&server).set("Busy/InACall", "PT4H").await);
    delete_ada(&server).await;
    server.stop();
    let server = TestServer::builder().data(folder.path()).settings(empty).start().await;
    refused(&ben(&server).get(&presence_of(ADA)).await, &unknown_user(ADA));
    let heir = json!({"userPrincipalName": "ada@porchlight.example", "displayName": "Ada the Second"});
    let made = ben(&server).post("/v1.0/users", &heir).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(server.client("ada:").get(ME).await.json()["id"], made.json()["id"]);
    server.stop();
}

#[tokio::test]
async fn a_seed_brings_somebody_back_and_nothing_of_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = TestServer::builder().data(folder.path()).start().await;
    done(&Application::a(&server).set("Busy/InACall", "PT4H").await);
    done(&Application::b(&server).set("Busy/InACall", "PT4H").await);
    delete_ada(&server).await;
    server.stop();
    let server = TestServer::builder().data(folder.path()).start().await;
    assert_eq!(pair(&server).await, "Offline/Offline");
    server.advance(hours(1));
    let b = Application::b(&server);
    done(&b.set("Away/Away", "PT1H").await);
    let layers = ada(&server).get(&format!("{ME}/porchlight.explain")).await.json()["layers"].clone();
    assert_eq!((layers.as_array().map(Vec::len), &layers[0]["applicationId"]), (Some(1), &json!(APP_B)));
    server.stop();
}
