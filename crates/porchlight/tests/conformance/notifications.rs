//! What is told, to whom and when: subscriptions-and-auth 13.1 to 13.4 and 17.

use std::collections::HashSet;

use http::Method;
use porchlight_http::{ODataTypeCase, Profile};
use porchlight_testkit::{ADA, APP_A, BEN, Reaction, Receiver, START, TestServer, Validation};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::subscriptions_support::{
    TENANT, THUMBPRINT, attempts, from_now, id_of, listed, made, many, millis, noted, opened, order, pair_in,
    path_of, plain, rich, set, single, subscribe, whose, with, witness,
};
use crate::support::{
    Application, ME, NOBODY, ada, add_person, ben, done, hours, members, minutes, seconds, status,
};

/// Puts this many people into the directory.
async fn add_people(server: &TestServer, count: usize) -> Vec<String> {
    let users: Vec<_> = (0..count).map(|number| format!("00000000-0000-4000-8000-{number:012}")).collect();
    for (number, id) in users.iter().enumerate() {
        add_person(server, id, &format!("person{number}@porchlight.example"), None).await;
    }
    users
}

/// Whom items tell of, in their order.
fn people(items: &[Value]) -> Vec<&str> {
    items.iter().map(whose).collect()
}

#[tokio::test]
async fn s30_t5_a_change_is_told_at_once_and_the_same_state_again_is_not() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    subscribe(&ada(&server), &order(&server, &receiver.url("/"), &many(&[ADA, BEN]))).await;
    set(&server, ADA, "Busy/InACall").await;
    let told = tokio::time::timeout(seconds(1), receiver.items(1)).await.expect("within a second");
    assert_eq!(people(&told), [ADA]);
    set(&server, ADA, "Busy/InACall").await;
    done(&Application::b(&server).set("Busy/InACall", "PT4H").await);
    set(&server, BEN, "Busy/InACall").await;
    assert_eq!(people(&receiver.next().await.items()), [BEN], "a keep-alive is no change");
    set(&server, ADA, "DoNotDisturb/Presenting").await;
    assert_eq!(people(&receiver.next().await.items()), [ADA]);
    assert_eq!(receiver.seen(), 3);
}

/// subscriptions-and-auth 13.4, 17.1
#[tokio::test]
async fn a_plain_notification_says_who_has_changed_and_nothing_of_how() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url("/hook?src=porch&x=%20y"), &many(&[ADA, BEN]));
    let order = with(order, "clientState", "b2c9-not-a-real-secret");
    let shown = subscribe(&ada(&server), &order).await;
    set(&server, ADA, "Busy/InACall").await;
    let delivery = receiver.next().await;
    let body = delivery.json();
    let expected = json!({"value": [{
        "id": body["value"][0]["id"],
        "subscriptionId": shown["id"],
        "subscriptionExpirationDateTime": shown["expirationDateTime"],
        "clientState": "b2c9-not-a-real-secret",
        "changeType": "updated",
        "tenantId": TENANT,
        "organizationId": TENANT,
        "resource": format!("communications/presences('{ADA}')"),
        "resourceData": {
            "@odata.type": "#microsoft.graph.presence",
            "@odata.id": format!("users/{ADA}/presence"),
            "id": ADA,
        },
    }]});
    assert_eq!(body, expected);
    let id = body["value"][0]["id"].as_str().expect("an id");
    Uuid::try_parse(id).expect("a GUID");

    assert_eq!((delivery.method.clone(), delivery.target.as_str()), (Method::POST, "/hook?src=porch&x=%20y"));
    assert_eq!(delivery.header("content-type"), "application/json; charset=utf-8");
    assert!(delivery.header("user-agent").starts_with("Porchlight/"), "{delivery:?}");
    assert_eq!(delivery.header("porchlight-attempt"), "1");
    Uuid::try_parse(delivery.header("client-request-id")).expect("a GUID");
    for name in ["cookie", "expect", "authorization"] {
        assert_eq!(delivery.header(name), "", "{name}");
    }
}

#[tokio::test]
async fn without_a_client_state_it_is_null() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    subscribe(&ada(&server), &order(&server, &receiver.url("/"), &single(ADA))).await;
    set(&server, ADA, "Busy/InACall").await;
    let item = receiver.items(1).await.remove(0);
    assert_eq!(item.get("clientState"), Some(&Value::Null));
}

/// subscriptions-and-auth 13.3
#[tokio::test]
async fn the_presence_can_be_shown_in_plain_notifications() {
    let server = plain().await;
    let receiver = Receiver::start().await;
    subscribe(&ada(&server), &order(&server, &receiver.url("/"), &single(BEN))).await;
    set(&server, BEN, "Busy/InACall").await;
    let item = receiver.items(1).await.remove(0);
    let expected = json!({
        "@odata.type": "#microsoft.graph.presence",
        "@odata.id": format!("users/{BEN}/presence"),
        "id": BEN,
        "availability": "Busy",
        "activity": "InACall",
    });
    assert_eq!(item["resourceData"], expected);
}

/// subscriptions-and-auth 13.3
#[tokio::test]
async fn the_type_can_be_named_as_the_original_was_seen_to() {
    let builder =
        TestServer::builder().settings(|settings| settings.odata_type_case = ODataTypeCase::Observed);
    let server = builder.start().await;
    let receiver = Receiver::start().await;
    subscribe(&ada(&server), &order(&server, &receiver.url("/"), &single(BEN))).await;
    set(&server, BEN, "Busy/InACall").await;
    let item = receiver.items(1).await.remove(0);
    assert_eq!(item["resourceData"]["@odata.type"], "#Microsoft.Graph.presence");
}

/// subscriptions-and-auth 13.5, 13.6
#[tokio::test]
async fn a_rich_notification_holds_the_presence_for_its_receiver_alone() {
    for (profile, path, is_numbered) in [
        (Profile::Open, "/v1.0/subscriptions", false),
        (Profile::Open, "/beta/subscriptions", true),
        (Profile::Strict, "/beta/subscriptions", false),
    ] {
        let server = TestServer::builder().profile(profile).start().await;
        let receiver = Receiver::start().await;
        let order = order(&server, &receiver.url("/"), &single(BEN));
        made(&ada(&server).post(path, &rich(order)).await);
        let mut keys = HashSet::new();
        for pair in ["Busy/InACall", "Away/Away"] {
            set(&server, BEN, pair).await;
            let delivery = receiver.next().await;
            let items = delivery.items();
            let item = &items[0];
            assert_eq!(members(&item["resourceData"]), ["@odata.type", "@odata.id", "id"]);
            let content = &item["encryptedContent"];
            assert_eq!(content["encryptionCertificateId"], "the certificate");
            assert_eq!(content["encryptionCertificateThumbprint"], THUMBPRINT);
            keys.insert(content["dataKey"].to_string());
            let opened = opened(item);
            let mut expected = json!({
                "@odata.id": format!("users/{BEN}/presence"),
                "@odata.type": "#microsoft.graph.presence",
                "id": BEN,
            });
            let (availability, activity) = pair.split_once('/').expect("a pair");
            expected["availability"] = availability.into();
            expected["activity"] = activity.into();
            if is_numbered {
                let sequence = opened["sequenceNumber"].as_str().expect("a beta property");
                assert!(sequence.starts_with("A0"), "{sequence}");
                expected["sequenceNumber"] = sequence.into();
            }
            assert_eq!(opened, expected, "{profile:?} {path}");
            let tokens = delivery.json()["validationTokens"].clone();
            assert_eq!(tokens.as_array().map(Vec::len), Some(1), "{tokens}");
        }
        assert_eq!(keys.len(), 2, "no key is used twice");
    }
}

#[tokio::test]
async fn who_is_not_asked_for_is_not_told_of() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    subscribe(&ada(&server), &order(&server, &receiver.url("/"), &single(ADA))).await;
    set(&server, BEN, "Busy/InACall").await;
    done(&ada(&server).post(&format!("{ME}/setStatusMessage"), &status("nor is a text a state")).await);
    set(&server, ADA, "Busy/InACall").await;
    assert_eq!(people(&receiver.next().await.items()), [ADA]);
    assert_eq!(receiver.seen(), 1);
}

/// subscriptions-and-auth 3.7
#[tokio::test]
async fn who_asks_for_everybody_is_told_of_everybody() {
    let server = plain().await;
    let receiver = Receiver::start().await;
    let app = server.client(&format!("{APP_A}:"));
    subscribe(&app, &order(&server, &receiver.url("/"), "communications/presences")).await;
    for (user, pair) in [(ADA, "Busy/InACall"), (BEN, "Away/Away"), (ADA, "DoNotDisturb/Presenting")] {
        set(&server, user, pair).await;
        let item = receiver.items(1).await.remove(0);
        assert_eq!((whose(&item), pair_in(&item).as_str()), (user, pair));
    }
    add_person(&server, NOBODY, "new@porchlight.example", None).await;
    set(&server, NOBODY, "Away/Away").await;
    let item = receiver.items(1).await.remove(0);
    assert_eq!((whose(&item), pair_in(&item).as_str()), (NOBODY, "Away/Away"));
}

/// subscriptions-and-auth 3.9
#[tokio::test]
async fn who_is_not_there_yet_is_told_of_when_they_have_come() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    subscribe(&ada(&server), &order(&server, &receiver.url("/"), &many(&[NOBODY, BEN]))).await;
    set(&server, BEN, "Busy/InACall").await;
    assert_eq!(people(&receiver.next().await.items()), [BEN]);
    add_person(&server, NOBODY, "new@porchlight.example", None).await;
    set(&server, NOBODY, "Busy/InACall").await;
    assert_eq!(people(&receiver.next().await.items()), [NOBODY]);
}

#[tokio::test]
async fn what_time_alone_changes_is_told() {
    let server = plain().await;
    let receiver = Receiver::start().await;
    subscribe(&ada(&server), &order(&server, &receiver.url("/"), &single(ADA))).await;
    done(&Application::a(&server).set("Available/Available", "PT30M").await);
    let mut told = Vec::new();
    for wait in [0, 5, 5, 20] {
        server.advance(minutes(wait));
        told.push(pair_in(&receiver.items(1).await[0]));
    }
    assert_eq!(told, ["Available/Available", "Available/AvailableInactive", "Away/Away", "Offline/Offline"]);
}

/// subscriptions-and-auth 6.2, 17.8: nothing that happens after the making is lost, however soon it comes.
#[tokio::test]
async fn a_change_in_the_very_millisecond_of_the_making_is_told_and_one_before_it_is_not() {
    let server = plain().await;
    let receiver = Receiver::start().await;
    set(&server, ADA, "Busy/InACall").await;
    set(&server, BEN, "Busy/InACall").await;
    server.advance(seconds(1));
    subscribe(&ada(&server), &order(&server, &receiver.url("/"), &many(&[ADA, BEN]))).await;
    set(&server, ADA, "Away/Away").await;
    let items = receiver.next().await.items();
    assert_eq!((people(&items), pair_in(&items[0]).as_str()), (vec![ADA], "Away/Away"));
}

/// subscriptions-and-auth 17.6
#[tokio::test]
async fn the_states_of_one_user_come_in_order_and_the_last_one_comes() {
    let server = plain().await;
    let receiver = Receiver::start().await;
    subscribe(&ada(&server), &order(&server, &receiver.url("/"), &single(ADA))).await;
    receiver.react([Reaction::Late(millis(100), 202)]);
    let pairs = ["Busy/InACall", "Away/Away", "DoNotDisturb/Presenting", "Busy/InAConferenceCall"];
    for pair in pairs {
        set(&server, ADA, pair).await;
        server.advance(seconds(1));
    }
    let mut told: Vec<usize> = Vec::new();
    while told.last() != Some(&3) {
        let items = receiver.next().await.items();
        assert_eq!(items.len(), 1, "never two of one user together: {items:?}");
        let pair = pair_in(&items[0]);
        told.push(pairs.iter().position(|known| *known == pair).expect("a state that was set"));
    }
    assert!(told.is_sorted_by(|one, next| one < next), "{told:?}");
}

#[tokio::test]
async fn s30_t8_an_item_is_sent_with_the_same_id_until_it_is_taken() {
    let server = TestServer::start().await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let shown = subscribe(&ada(&server), &order(&server, &receiver.url("/"), &single(ADA))).await;
    witness(&server, &other.url("/"), BEN).await;
    receiver.react([Reaction::Status(500), Reaction::Status(503)]);
    set(&server, ADA, "Busy/InACall").await;
    let mut bodies = Vec::new();
    // How many seconds it may take to the next attempt.
    for (attempt, least, most, pair) in [(1_usize, 4, 6, "Busy/InACall"), (2, 12, 18, "Away/Away")] {
        let delivery = receiver.next().await;
        assert_eq!(delivery.header("porchlight-attempt"), attempt.to_string());
        bodies.push(delivery.json());
        noted(&ada(&server), &shown, attempt).await;
        server.advance(millis(1000 * least - 1));
        set(&server, BEN, pair).await;
        assert_eq!(people(&other.next().await.items()), [BEN]);
        assert_eq!(receiver.seen(), attempt, "not yet");
        server.advance(seconds(most - least) + millis(1));
    }
    let third = receiver.next().await;
    assert_eq!(third.header("porchlight-attempt"), "3");
    assert_eq!(bodies, [third.json(), third.json()]);

    set(&server, ADA, "Away/Away").await;
    let next = receiver.next().await;
    assert_eq!(next.header("porchlight-attempt"), "1", "all is well again");
    assert_ne!(next.items()[0]["id"], third.items()[0]["id"]);
}

#[tokio::test]
async fn s30_t8_what_has_changed_meanwhile_is_told_in_its_newest_state() {
    let server = plain().await;
    let receiver = Receiver::start().await;
    let shown = subscribe(&ada(&server), &order(&server, &receiver.url("/"), &single(ADA))).await;
    receiver.react([Reaction::Status(500)]);
    set(&server, ADA, "Busy/InACall").await;
    let first = receiver.items(1).await.remove(0);
    assert_eq!(pair_in(&first), "Busy/InACall");
    noted(&ada(&server), &shown, 1).await;
    for pair in ["Away/Away", "DoNotDisturb/Presenting"] {
        server.advance(seconds(1));
        set(&server, ADA, pair).await;
    }
    server.advance(seconds(6));
    let items = receiver.next().await.items();
    assert_eq!((items.len(), pair_in(&items[0]).as_str()), (1, "DoNotDisturb/Presenting"));
    assert_ne!(items[0]["id"], first["id"], "it is another state");
    set(&server, ADA, "Away/Away").await;
    assert_eq!(pair_in(&receiver.items(1).await[0]), "Away/Away", "nothing else was left");
}

#[tokio::test]
async fn s30_t9_who_answers_too_late_at_first_is_given_more_time() {
    let server = TestServer::builder().notify(|settings| settings.first_timeout = millis(200)).start().await;
    let receiver = Receiver::start().await;
    let shown = subscribe(&ada(&server), &order(&server, &receiver.url("/"), &single(ADA))).await;
    receiver.react([Reaction::Late(millis(400), 202), Reaction::Late(millis(400), 202)]);
    set(&server, ADA, "Busy/InACall").await;
    let first = receiver.next().await;
    let attempt = noted(&ada(&server), &shown, 1).await;
    assert_eq!((&attempt["status"], &attempt["error"]), (&Value::Null, &json!("timeout")));
    assert!(attempt["latencyMs"].as_u64().is_some_and(|elapsed| elapsed >= 200), "{attempt}");
    server.advance(seconds(6));
    let second = receiver.next().await;
    assert_eq!(second.json(), first.json());
    let attempt = noted(&ada(&server), &shown, 2).await;
    assert_eq!((&attempt["status"], &attempt["error"]), (&json!(202), &Value::Null));
    assert!(attempt["latencyMs"].as_u64().is_some_and(|elapsed| elapsed >= 400), "{attempt}");
    set(&server, ADA, "Away/Away").await;
    assert_eq!(receiver.next().await.header("porchlight-attempt"), "1");
}

/// subscriptions-and-auth 17.2, 17.3
#[tokio::test]
async fn every_answer_but_2xx_is_a_failure() {
    let server = TestServer::start().await;
    let table = [
        (Reaction::Status(301), json!(301), "status"),
        (Reaction::Status(400), json!(400), "status"),
        (Reaction::Status(404), json!(404), "status"),
        (Reaction::Status(429), json!(429), "status"),
        (Reaction::Close, Value::Null, "connection"),
    ];
    for (at, (reaction, status, error)) in table.into_iter().enumerate() {
        let receiver = Receiver::start().await;
        let shown = subscribe(&ada(&server), &order(&server, &receiver.url("/"), &single(ADA))).await;
        receiver.react([reaction]);
        set(&server, ADA, ["Busy/InACall", "Away/Away"][at % 2]).await;
        let first = receiver.next().await;
        let attempt = noted(&ada(&server), &shown, 1).await;
        assert_eq!((&attempt["status"], &attempt["error"]), (&status, &json!(error)), "{reaction:?}");
        server.advance(seconds(6));
        let second = receiver.next().await;
        assert_eq!(second.json(), first.json(), "{reaction:?}");
        assert_eq!(second.header("porchlight-attempt"), "2", "{reaction:?}");
        assert_eq!(ada(&server).delete(&path_of(&shown)).await.status, 204);
    }
}

/// subscriptions-and-auth 27, row 12
#[tokio::test]
async fn whoever_waits_for_notifications_sees_what_became_of_them() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let shown = subscribe(&ada(&server), &order(&server, &receiver.url("/"), &many(&[ADA, BEN]))).await;
    assert_eq!(attempts(&ada(&server), &shown).await, Vec::<Value>::new());
    server.advance(seconds(1));
    receiver.react([Reaction::Status(502), Reaction::Status(200)]);
    set(&server, ADA, "Busy/InACall").await;
    let failed = noted(&ada(&server), &shown, 1).await;
    assert!(failed["latencyMs"].is_u64(), "{failed}");
    let expected = json!({
        "time": "2026-11-20T09:00:01.0000000Z",
        "attempt": 1,
        "status": 502,
        "error": "status",
        "latencyMs": failed["latencyMs"],
        "items": 1,
    });
    assert_eq!(failed, expected);
    set(&server, BEN, "Busy/InACall").await;
    server.advance(seconds(6));
    let told = noted(&ada(&server), &shown, 2).await;
    assert_eq!((&told["status"], &told["error"], &told["items"]), (&json!(200), &Value::Null, &json!(2)));
    assert_eq!(told["time"], "2026-11-20T09:00:07.0000000Z");
    assert_eq!(attempts(&ada(&server), &shown).await.len(), 2);
}

/// subscriptions-and-auth 17.5
#[tokio::test]
async fn what_waits_for_one_url_goes_together_up_to_a_limit() {
    let server = TestServer::builder().notify(|settings| settings.items_max = 3).start().await;
    let receiver = Receiver::start().await;
    let users = add_people(&server, 8).await;
    server.advance(seconds(1));
    let shown = subscribe(&ada(&server), &order(&server, &receiver.url("/"), &many(&users))).await;
    receiver.react([Reaction::Status(500)]);
    set(&server, &users[0], "Busy/InACall").await;
    receiver.next().await;
    noted(&ada(&server), &shown, 1).await;
    for user in &users[1..] {
        set(&server, user, "Busy/InACall").await;
    }
    server.advance(seconds(6));
    let mut told = Vec::new();
    let mut sizes = Vec::new();
    while told.len() < users.len() {
        let items = receiver.next().await.items();
        sizes.push(items.len());
        told.extend(items.iter().map(|item| whose(item).to_owned()));
    }
    assert_eq!(sizes[0], 3, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 3), "{sizes:?}");
    told.sort_unstable();
    assert_eq!(told, users, "each once");
}

/// subscriptions-and-auth 17.5
#[tokio::test]
async fn subscriptions_with_one_url_share_a_request() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order(&server, &receiver.url("/"), &many(&[ADA, BEN]));
    let first = subscribe(&ada(&server), &with(order.clone(), "clientState", "Ada's")).await;
    let second = subscribe(&ben(&server), &with(order, "clientState", "Ben's")).await;
    receiver.react([Reaction::Status(500)]);
    set(&server, ADA, "Busy/InACall").await;
    receiver.next().await;
    noted(&ada(&server), &first, 1).await;
    set(&server, BEN, "Busy/InACall").await;
    server.advance(seconds(6));
    let items = receiver.next().await.items();
    let text = |item: &Value, name: &str| item[name].as_str().expect("a text").to_owned();
    let told: HashSet<_> = items
        .iter()
        .map(|item| (text(item, "subscriptionId"), text(item, "clientState"), whose(item)))
        .collect();
    let expected =
        [(&first, "Ada's", ADA), (&first, "Ada's", BEN), (&second, "Ben's", ADA), (&second, "Ben's", BEN)]
            .map(|(subscription, state, user)| (id_of(subscription).to_owned(), state.to_owned(), user));
    let expected = HashSet::from(expected);
    assert_eq!(told, expected);
    assert_eq!(items.len(), 4);
}

/// subscriptions-and-auth 17.10, design 5.3
#[tokio::test]
async fn s30_t16_what_a_hundred_users_did_while_nobody_listened_is_told_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let builder =
        || TestServer::builder().data(folder.path()).notify(|settings| settings.plain_presence = true);
    let receiver = Receiver::start().await;
    let server = builder().start().await;
    let users = add_people(&server, 100).await;
    server.advance(seconds(1));
    let app = Application::a(&server).client;
    subscribe(&app, &order(&server, &receiver.url("/"), &many(&users))).await;
    receiver.always(Some(Reaction::Status(500)));
    for pair in ["Busy/InACall", "Away/Away"] {
        server.advance(seconds(1));
        for user in &users {
            set(&server, user, pair).await;
        }
    }
    server.stop();
    assert!(!receiver.take_all().is_empty(), "it was tried");
    receiver.always(None);

    let server = builder().start_at(START + 60_000).start().await;
    let items = receiver.items(100).await;
    let mut told = people(&items);
    told.sort_unstable();
    assert_eq!(told, users, "each once");
    assert!(items.iter().all(|item| pair_in(item) == "Away/Away"), "in their newest states");
    for pair in ["Busy/InACall", "DoNotDisturb/Presenting"] {
        server.advance(seconds(1));
        set(&server, &users[7], pair).await;
        let items = receiver.next().await.items();
        assert_eq!((people(&items), pair_in(&items[0])), (vec![users[7].as_str()], pair.to_owned()));
    }
}

/// subscriptions-and-auth 17.10
#[tokio::test]
async fn a_subscription_that_ended_while_the_server_was_down_is_gone_and_its_maker_told_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let builder = || TestServer::builder().data(folder.path());
    let receiver = Receiver::start().await;
    let server = builder().start().await;
    let order = order(&server, &receiver.url("/"), &single(ADA));
    let order = with(order, "lifecycleNotificationUrl", receiver.url("/lifecycle"));
    let shown = subscribe(&ada(&server), &order).await;
    receiver.always(Some(Reaction::Status(500)));
    set(&server, ADA, "Busy/InACall").await;
    receiver.next().await;
    server.stop();
    receiver.take_all();
    receiver.always(None);
    let server = builder().start_at(START + 2 * 60 * 60_000).start().await;
    let item = receiver.items(1).await.remove(0);
    assert_eq!(
        (&item["lifecycleEvent"], &item["subscriptionId"]),
        (&json!("subscriptionRemoved"), &shown["id"])
    );
    assert_eq!(item["@porchlight.reason"], "expired");
    assert_eq!(listed(&ada(&server)).await, Vec::<String>::new());
}

/// subscriptions-and-auth 17.4: what is slow or dead is nobody else's business.
#[tokio::test]
async fn an_endpoint_that_hangs_delays_no_other() {
    let server = TestServer::start().await;
    let (hanging, other) = (Receiver::start().await, Receiver::start().await);
    hanging.always(Some(Reaction::Hang));
    subscribe(&ada(&server), &order(&server, &hanging.url("/"), &many(&[ADA, BEN]))).await;
    witness(&server, &other.url("/"), ADA).await;
    for pair in ["Busy/InACall", "Away/Away", "DoNotDisturb/Presenting"] {
        set(&server, BEN, pair).await;
        set(&server, ADA, pair).await;
        let told = tokio::time::timeout(seconds(1), other.items(1)).await.expect("within a second");
        assert_eq!(people(&told), [ADA]);
    }
    assert!(hanging.seen() > 0);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_delays_no_other() {
    let server = TestServer::start().await;
    let (gone, other) = (Receiver::start().await, Receiver::start().await);
    let shown = subscribe(&ada(&server), &order(&server, &gone.url("/"), &single(ADA))).await;
    witness(&server, &other.url("/"), ADA).await;
    drop(gone);
    for pair in ["Busy/InACall", "Away/Away"] {
        set(&server, ADA, pair).await;
        assert_eq!(people(&other.next().await.items()), [ADA]);
    }
    assert_eq!(noted(&ada(&server), &shown, 1).await["error"], "connection");
}

/// subscriptions-and-auth 17.3
#[tokio::test]
async fn an_endpoint_that_says_ten_times_that_nobody_is_there_loses_its_subscriptions() {
    let server = TestServer::builder().notify(|settings| settings.lifetime_max = hours(72)).start().await;
    let (receiver, lifecycle) = (Receiver::start().await, Receiver::start().await);
    let order = order(&server, &receiver.url("/"), &single(ADA));
    let order = with(order, "lifecycleNotificationUrl", lifecycle.url("/"));
    let order = with(order, "expirationDateTime", from_now(&server, hours(72)));
    let shown = subscribe(&ada(&server), &order).await;
    receiver.always(Some(Reaction::Status(410)));
    set(&server, ADA, "Busy/InACall").await;
    // How many seconds it takes to the next attempt.
    let waits = [5, 15, 45, 120, 300, 600, 1200, 1800, 1800];
    for (number, wait) in (1_usize..).zip(waits) {
        assert_eq!(receiver.next().await.header("porchlight-attempt"), number.to_string());
        noted(&ada(&server), &shown, number).await;
        server.advance(seconds(wait * 6 / 5));
    }
    assert_eq!(receiver.next().await.header("porchlight-attempt"), "10");
    let item = lifecycle.items(1).await.remove(0);
    assert_eq!(item["lifecycleEvent"], "subscriptionRemoved");
    assert_eq!(item["@porchlight.reason"], "endpointGone");
    assert_eq!(listed(&ada(&server)).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_told_is_not_told_again_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start().await;
    let server = TestServer::builder().data(folder.path()).start().await;
    let shown = subscribe(&ada(&server), &order(&server, &receiver.url("/"), &many(&[ADA, BEN]))).await;
    set(&server, ADA, "Busy/InACall").await;
    assert_eq!(whose(&receiver.items(1).await[0]), ADA);
    noted(&ada(&server), &shown, 1).await;
    // What was told of this very millisecond may be told again.
    server.advance(seconds(1));
    server.stop();
    let server = TestServer::builder().data(folder.path()).start_at(START + 2_000).start().await;
    set(&server, BEN, "Busy/InACall").await;
    assert_eq!(whose(&receiver.items(1).await[0]), BEN);
    assert_eq!(receiver.seen(), 2);
}

#[tokio::test]
async fn what_an_endpoint_did_not_take_is_told_at_the_new_place() {
    let server = TestServer::start().await;
    let (dead, new) = (Receiver::start().await, Receiver::start().await);
    let shown = subscribe(&ada(&server), &order(&server, &dead.url("/"), &many(&[ADA, BEN]))).await;
    dead.always(Some(Reaction::Status(500)));
    set(&server, ADA, "Busy/InACall").await;
    noted(&ada(&server), &shown, 1).await;
    set(&server, BEN, "Away/Away").await;
    let moved = json!({"notificationUrl": new.url("/")});
    assert_eq!(ada(&server).patch(&path_of(&shown), &moved).await.status, 200);
    let items = new.items(2).await;
    assert_eq!(items.iter().map(whose).collect::<Vec<_>>(), [ADA, BEN]);
    assert_eq!(dead.seen(), 1);
}

/// subscriptions-and-auth 25.1
#[tokio::test]
async fn development_may_do_without_the_proof_of_an_endpoint() {
    let server = TestServer::builder().notify(|notify| notify.skip_validation = true).start().await;
    let receiver = Receiver::start().await;
    receiver.validate_with(Validation::Status(500));
    let body = json!({
        "changeType": "updated", "resource": format!("communications/presences/{ADA}"),
        "notificationUrl": receiver.url("/"), "expirationDateTime": "2026-11-20T09:50:00Z",
    });
    let made = server.client("ada:").post("/v1.0/subscriptions", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(receiver.validations().is_empty());
    let session = json!({"sessionId": APP_A, "availability": "Busy", "activity": "InACall"});
    assert_eq!(server.client("ada:").post("/v1.0/me/presence/setPresence", &session).await.status, 200);
    assert_eq!(receiver.items(1).await.len(), 1);
}
