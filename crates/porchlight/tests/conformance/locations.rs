//! Work locations: presence-api 14.

use porchlight_testkit::{ADA, TestServer};
use serde_json::{Value, json};

use crate::support::{
    Application, ME, ada, ben, days, done_without_content, hours, lacks, minutes, presence_of, read, refused,
    seconds, sequence,
};

/// What Ada reads of where she works.
async fn location(server: &TestServer) -> Value {
    read(server).await["workLocation"].clone()
}

async fn act(server: &TestServer, action: &str, body: &Value) {
    done_without_content(&ada(server).post(&format!("{ME}/{action}"), body).await);
}

fn manual_office() -> Value {
    json!({"placeId": null, "source": "manual", "workLocationType": "office"})
}

/// The table says `none` after the last step; design 5.8 rules that workLocation is null when no layer is live.
#[tokio::test]
async fn t48_the_manual_location_outranks_the_automatic_one_until_both_are_cleared() {
    let server = TestServer::start().await;
    act(&server, "setManualLocation", &json!({"workLocationType": "office"})).await;
    assert_eq!(location(&server).await, manual_office());
    act(&server, "setAutomaticLocation", &json!({"workLocationType": "remote"})).await;
    assert_eq!(location(&server).await, manual_office());
    act(&server, "clearLocation", &json!({})).await;
    assert_eq!(location(&server).await, Value::Null);
}

#[tokio::test]
async fn t49_clearing_the_automatic_location_leaves_the_manual_one() {
    let server = TestServer::start().await;
    act(&server, "setAutomaticLocation", &json!({"workLocationType": "remote"})).await;
    act(&server, "setManualLocation", &json!({"workLocationType": "office"})).await;
    act(&server, "clearAutomaticLocation", &json!({})).await;
    assert_eq!(location(&server).await, manual_office());
}

#[tokio::test]
async fn t50_a_location_needs_a_known_type_and_a_user() {
    let server = TestServer::start().await;
    act(&server, "setManualLocation", &json!({"workLocationType": "office"})).await;
    let bad = [
        json!({"workLocationType": "unknownFutureValue"}),
        json!({"workLocationType": "moon"}),
        json!({"workLocationType": null}),
        json!({"workLocationType": 1}),
        json!({"placeId": "desk 7"}),
    ];
    for action in ["setManualLocation", "setAutomaticLocation"] {
        for body in &bad {
            let answer = ada(&server).post(&format!("{ME}/{action}"), body).await;
            refused(&answer, "400 InvalidArgument The provided [WorkLocationType] is invalid.");
        }
    }
    let a = Application::a(&server);
    for action in ["setManualLocation", "setAutomaticLocation", "clearAutomaticLocation", "clearLocation"] {
        let answer = a.act(action, &json!({"workLocationType": "remote"})).await;
        refused(&answer, &lacks("Presence.ReadWrite"));
    }
    assert_eq!(location(&server).await, manual_office());
}

#[tokio::test]
async fn the_automatic_location_shows_without_a_manual_one() {
    let server = TestServer::start().await;
    let body = json!({"workLocationType": "OFFICE", "placeId": "c2a4d0f3-0b56-4e1d-9a2c-6f2d0c1b7e55"});
    act(&server, "setAutomaticLocation", &body).await;
    let expected = json!({
        "placeId": "c2a4d0f3-0b56-4e1d-9a2c-6f2d0c1b7e55", "source": "automatic", "workLocationType": "office",
    });
    assert_eq!(location(&server).await, expected);
    assert_eq!(
        ben(&server).get(&presence_of(ADA)).await.json()["workLocation"],
        expected,
        "others see it too"
    );
    act(&server, "setManualLocation", &json!({"workLocationType": "timeOff", "placeId": "x".repeat(256)}))
        .await;
    assert_eq!(location(&server).await["workLocationType"], "timeOff");
    act(&server, "clearAutomaticLocation", &json!({})).await;
    act(&server, "clearLocation", &json!({})).await;
    assert_eq!(location(&server).await, Value::Null);
}

/// presence-api 14.2
#[tokio::test]
async fn a_location_lasts_until_midnight() {
    let server = TestServer::start().await;
    act(&server, "setManualLocation", &json!({"workLocationType": "office"})).await;
    server.advance_to(hours(14) + minutes(59) + seconds(59));
    let before = read(&server).await;
    assert_eq!(before["workLocation"], manual_office());
    server.advance_to(hours(15));
    let after = read(&server).await;
    assert_eq!(after["workLocation"], Value::Null);
    assert!(sequence(&after) > sequence(&before));
}

/// presence-api 14.2
#[tokio::test]
async fn a_location_may_be_made_to_last_until_it_is_cleared() {
    let server = TestServer::builder().limits(|limits| limits.location_days = 0).start().await;
    act(&server, "setManualLocation", &json!({"workLocationType": "office"})).await;
    server.advance_to(days(100));
    assert_eq!(location(&server).await, manual_office());
}

/// presence-api 14.2: a place id has at most 256 characters.
#[tokio::test]
async fn a_place_id_has_a_limit() {
    let server = TestServer::start().await;
    let body = json!({"workLocationType": "office", "placeId": "x".repeat(257)});
    let answer = ada(&server).post(&format!("{ME}/setManualLocation"), &body).await;
    let error = answer.error();
    assert!(error.starts_with("400 InvalidArgument "), "{error}");
    assert!(error.contains("PlaceId") && error.contains("256"), "{error}");
    assert_eq!(location(&server).await, Value::Null);
}
