//! What a maker can ask for beside the original, and word of the subscriptions themselves: subscriptions-and-auth 10.5,
//! 13.7 and 18.

use porchlight_http::Profile;
use porchlight_testkit::{ADA, APP_A, APP_B, BEN, Reaction, Receiver, TestServer};
use serde_json::{Value, json};

use crate::subscriptions_support::{
    NOT_FOUND, TENANT, from_now, many, noted, opened, order, pair_in, path_of, plain, rich, set, single,
    subscribe, whose, with, witness,
};
use crate::support::{
    Application, ME, NOBODY, ada, ben, change_ada, done, done_without_content, hours, minutes, refused,
    seconds, status,
};

/// An order with these `notificationQueryOptions`.
fn order_with(server: &TestServer, receiver: &Receiver, resource: &str, options: &str) -> Value {
    with(order(server, &receiver.url("/"), resource), "notificationQueryOptions", options)
}

/// An order that is told of its own end, too.
fn order_with_lifecycle(server: &TestServer, receiver: &Receiver, user: &str) -> Value {
    let order = order(server, &receiver.url("/"), &single(user));
    with(order, "lifecycleNotificationUrl", receiver.url("/lifecycle"))
}

/// Whom items tell of and in which state, in the order of the ids.
fn states(items: &[Value]) -> Vec<(String, String)> {
    let mut states: Vec<_> = items.iter().map(|item| (whose(item).to_owned(), pair_in(item))).collect();
    states.sort_unstable();
    states
}

fn state_of(user: &str, pair: &str) -> (String, String) {
    (user.to_owned(), pair.to_owned())
}

#[tokio::test]
async fn options_are_shown_as_they_were_given() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let options =
        "$select=availability,activity,statusMessage&coalesce=5&excludeSelf=true&initialSnapshot=false";
    let shown = subscribe(&ada(&server), &order_with(&server, &receiver, &single(ADA), options)).await;
    assert_eq!(shown["notificationQueryOptions"], options);
    let read = ada(&server).get(&path_of(&shown)).await.json();
    assert_eq!(read["notificationQueryOptions"], options);
}

#[tokio::test]
async fn what_is_selected_is_shown_and_told_when_it_changes() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let options = "$select=availability,activity,statusMessage";
    subscribe(&ada(&server), &rich(order_with(&server, &receiver, &single(BEN), options))).await;
    done(&ben(&server).post(&format!("{ME}/setStatusMessage"), &status("hello")).await);
    let item = receiver.items(1).await.remove(0);
    assert_eq!(whose(&item), BEN);
    let shown = opened(&item);
    assert_eq!((&shown["availability"], &shown["activity"]), (&json!("Offline"), &json!("Offline")));
    assert_eq!(shown["statusMessage"]["message"]["content"], "hello");
    assert_eq!(shown["statusMessage"].get("publishedDateTime"), None, "that is for Ben alone");
    assert_eq!(shown.get("workLocation"), None, "nobody asked for it");
    set(&server, BEN, "Busy/InACall").await;
    let shown = opened(&receiver.items(1).await[0]);
    assert_eq!((&shown["availability"], &shown["activity"]), (&json!("Busy"), &json!("InACall")));
    assert_eq!(shown["statusMessage"]["message"]["content"], "hello");
}

#[tokio::test]
async fn every_member_can_be_selected() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let options = "$select=outOfOfficeSettings,workLocation";
    subscribe(&ada(&server), &rich(order_with(&server, &receiver, &single(BEN), options))).await;
    let location = json!({"workLocationType": "office", "placeId": "desk 7"});
    done_without_content(&ben(&server).post(&format!("{ME}/setManualLocation"), &location).await);
    let shown = opened(&receiver.items(1).await[0]);
    assert_eq!(shown["workLocation"]["workLocationType"], "office");
    assert_eq!(shown.get("activity"), None, "nobody asked for it");
    let away = json!({"outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"}});
    assert_eq!(ben(&server).patch(ME, &away).await.status, 200);
    let shown = opened(&receiver.items(1).await[0]);
    assert_eq!(shown["outOfOfficeSettings"]["message"], "Back on Monday");
    assert_eq!(shown["workLocation"]["workLocationType"], "office");
}

/// subscriptions-and-auth 6.7
#[tokio::test]
async fn a_snapshot_tells_of_everybody_once_and_then_what_changes() {
    let server = plain().await;
    let receiver = Receiver::start().await;
    set(&server, ADA, "Busy/InACall").await;
    server.advance(seconds(1));
    let order = order_with(&server, &receiver, &many(&[ADA, BEN, NOBODY]), "initialSnapshot=true");
    subscribe(&ada(&server), &order).await;
    let items = receiver.items(2).await;
    assert_eq!(states(&items), [state_of(BEN, "Offline/Offline"), state_of(ADA, "Busy/InACall")]);
    for (user, pair) in [(BEN, "Away/Away"), (ADA, "DoNotDisturb/Presenting")] {
        set(&server, user, pair).await;
        assert_eq!(states(&receiver.next().await.items()), [state_of(user, pair)]);
    }
}

#[tokio::test]
async fn a_snapshot_of_everybody_tells_of_everybody() {
    let server = plain().await;
    let receiver = Receiver::start().await;
    let app = Application::a(&server).client;
    subscribe(&app, &order_with(&server, &receiver, "communications/presences", "initialSnapshot=true"))
        .await;
    let mut states = states(&receiver.items(12).await);
    states.dedup();
    assert_eq!(states.len(), 12, "each once");
    assert!(states.iter().all(|(_, pair)| pair == "Offline/Offline"), "{states:?}");
    set(&server, ADA, "Busy/InACall").await;
    assert_eq!(self::states(&receiver.next().await.items()), [state_of(ADA, "Busy/InACall")]);
}

#[tokio::test]
async fn states_that_follow_each_other_closely_are_told_as_the_last_of_them() {
    let server = plain().await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    subscribe(&ada(&server), &order_with(&server, &receiver, &single(ADA), "coalesce=10")).await;
    witness(&server, &other.url("/"), ADA).await;
    for pair in ["Busy/InACall", "Away/Away"] {
        set(&server, ADA, pair).await;
        assert_eq!(pair_in(&other.items(1).await[0]), pair);
        assert_eq!(receiver.seen(), 0, "not yet");
        server.advance(seconds(5));
    }
    assert_eq!(states(&receiver.next().await.items()), [state_of(ADA, "Away/Away")]);
}

#[tokio::test]
async fn who_does_not_want_to_hear_of_themselves_does_not() {
    let server = plain().await;
    let receiver = Receiver::start().await;
    subscribe(&ada(&server), &order_with(&server, &receiver, &single(ADA), "excludeSelf=true")).await;
    let (own, other) = (Application::a(&server), Application::b(&server));
    done(&own.set("Busy/InACall", "PT4H").await);
    done(&other.set("DoNotDisturb/Presenting", "PT4H").await);
    assert_eq!(states(&receiver.next().await.items()), [state_of(ADA, "DoNotDisturb/Presenting")]);
    done(&own.set("Available/Available", "PT4H").await);
    done(&other.clear().await);
    assert_eq!(states(&receiver.next().await.items()), [state_of(ADA, "Available/Available")]);
}

#[tokio::test]
async fn what_has_caused_a_change_is_named_to_who_asks_for_more() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let order = order_with(&server, &receiver, &single(ADA), "$select=availability,activity,statusMessage");
    subscribe(&ben(&server), &rich(order)).await;
    done(&Application::b(&server).set("Busy/InACall", "PT5M").await);
    let cause = opened(&receiver.items(1).await[0])["@porchlight.triggeredBy"].clone();
    assert_eq!(cause, json!({"applicationId": APP_B, "cause": "session"}));
    done(&ada(&server).post(&format!("{ME}/setStatusMessage"), &status("hello")).await);
    let cause = opened(&receiver.items(1).await[0])["@porchlight.triggeredBy"].clone();
    assert_eq!(cause, json!({"applicationId": APP_A, "cause": "statusMessage"}));
    server.advance(minutes(5));
    let cause = opened(&receiver.items(1).await[0])["@porchlight.triggeredBy"].clone();
    assert_eq!(cause["cause"], "expiry");
}

#[tokio::test]
async fn a_gap_is_told_as_the_newest_state_of_each_who_has_changed() {
    let server = plain().await;
    let receiver = Receiver::start().await;
    let app = server.client(&format!("{APP_A}:"));
    let shown = subscribe(&app, &order(&server, &receiver.url("/"), &many(&[ADA, BEN, NOBODY]))).await;
    set(&server, ADA, "Busy/InACall").await;
    receiver.items(1).await;
    server.advance(hours(1));
    for pair in ["Away/Away", "DoNotDisturb/Presenting"] {
        set(&server, ADA, pair).await;
        server.advance(minutes(1));
    }
    refused(&app.get(&path_of(&shown)).await, NOT_FOUND);
    let end = from_now(&server, hours(1));
    let back = app.patch(&path_of(&shown), &json!({"expirationDateTime": end})).await;
    assert_eq!(back.status, 200, "{back:?}");
    let items = receiver.next().await.items();
    assert_eq!(states(&items), [state_of(ADA, "DoNotDisturb/Presenting")]);
    assert_eq!(items[0]["subscriptionExpirationDateTime"], end);
    set(&server, BEN, "Busy/InACall").await;
    assert_eq!(states(&receiver.next().await.items()), [state_of(BEN, "Busy/InACall")]);
}

/// subscriptions-and-auth 18.2, 18.3, 18.5
#[tokio::test]
async fn a_subscription_that_has_ended_for_good_says_so() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let adas = subscribe(&ada(&server), &order_with_lifecycle(&server, &receiver, ADA)).await;
    server.advance_to(minutes(17));
    let bens = subscribe(&ben(&server), &order_with_lifecycle(&server, &receiver, ADA)).await;
    let timeline = [
        (45, &adas, "reauthorizationRequired"),
        (55, &adas, "reauthorizationRequired"),
        (62, &bens, "reauthorizationRequired"),
        (65, &adas, "subscriptionRemoved"),
        (72, &bens, "reauthorizationRequired"),
        (82, &bens, "subscriptionRemoved"),
    ];
    for (minute, subscription, event) in timeline {
        server.advance_to(minutes(minute));
        let delivery = receiver.next().await;
        assert_eq!(delivery.target, "/lifecycle");
        let said = delivery.json();
        let mut expected = json!({
            "id": said["value"][0]["id"],
            "subscriptionId": subscription["id"],
            "subscriptionExpirationDateTime": subscription["expirationDateTime"],
            "tenantId": TENANT,
            "clientState": null,
            "lifecycleEvent": event,
        });
        if event == "subscriptionRemoved" {
            expected["@porchlight.reason"] = "expired".into();
        }
        assert_eq!(said, json!({"value": [expected]}), "after {minute} min");
    }
}

/// subscriptions-and-auth 18.2, 18.3
#[tokio::test]
async fn under_strict_the_end_is_announced_every_quarter_of_an_hour_and_then_nothing_more_is_said() {
    let server = TestServer::builder().profile(Profile::Strict).start().await;
    let receiver = Receiver::start().await;
    let adas = subscribe(&ada(&server), &order_with_lifecycle(&server, &receiver, ADA)).await;
    server.advance_to(minutes(20));
    let bens = subscribe(&ben(&server), &order_with_lifecycle(&server, &receiver, ADA)).await;
    let timeline = [(15, &adas), (30, &adas), (35, &bens), (45, &adas), (50, &bens), (65, &bens)];
    for (minute, subscription) in timeline {
        if minute > 20 {
            server.advance_to(minutes(minute));
        }
        let item = receiver.items(1).await.remove(0);
        assert_eq!(item["lifecycleEvent"], "reauthorizationRequired", "after {minute} min");
        assert_eq!(item["subscriptionId"], subscription["id"], "after {minute} min");
    }
}

/// subscriptions-and-auth 17.11, design 5.4
#[tokio::test]
async fn who_may_not_read_any_more_is_told_that_and_nothing_else() {
    let server = TestServer::start().await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let shown = subscribe(&ada(&server), &order_with_lifecycle(&server, &receiver, BEN)).await;
    witness(&server, &other.url("/"), BEN).await;
    change_ada(&server, |ada| ada.account_enabled = false).await;
    let item = receiver.items(1).await.remove(0);
    assert_eq!(
        (&item["lifecycleEvent"], &item["subscriptionId"]),
        (&json!("subscriptionRemoved"), &shown["id"])
    );
    assert_eq!(item["@porchlight.reason"], "userDisabled");
    set(&server, BEN, "Busy/InACall").await;
    assert_eq!(whose(&other.items(1).await[0]), BEN);
    assert_eq!(receiver.seen(), 1);
    let app = Application::a(&server).client;
    refused(&app.get(&path_of(&shown)).await, NOT_FOUND);
}

/// subscriptions-and-auth 18.1
#[tokio::test]
async fn word_of_a_subscription_is_sent_until_it_is_taken() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let shown = subscribe(&ada(&server), &order_with_lifecycle(&server, &receiver, ADA)).await;
    receiver.react([Reaction::Status(500)]);
    server.advance(minutes(45));
    let first = receiver.next().await;
    assert_eq!(first.items()[0]["lifecycleEvent"], "reauthorizationRequired");
    noted(&ada(&server), &shown, 1).await;
    server.advance(seconds(6));
    let second = receiver.next().await;
    assert_eq!(second.json(), first.json());
    assert_eq!(second.header("porchlight-attempt"), "2");
}

/// subscriptions-and-auth 18.4
#[tokio::test]
async fn without_a_place_for_it_no_word_is_said() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    let shown = subscribe(&ada(&server), &order(&server, &receiver.url("/"), &single(ADA))).await;
    server.advance(minutes(57));
    set(&server, ADA, "Busy/InACall").await;
    let items = receiver.next().await.items();
    assert_eq!((items.len(), &items[0]["subscriptionId"]), (1, &shown["id"]));
    assert_eq!(items[0].get("lifecycleEvent"), None);
}
