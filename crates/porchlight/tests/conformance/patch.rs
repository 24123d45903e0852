//! PATCH of several parts, and DELETE: presence-api 13.

use porchlight_testkit::{ADA, APP_B, BEN, TestServer};
use serde_json::{Value, json};

use crate::support::{
    ANOTHER_USER, Application, ME, NOBODY, OUT_OF_RANGE, PRESENCES, STANDING_PAIRS, ada, ben, done,
    done_without_content, everything, not_supported, pair, presence_of, read, refused, sequence, state,
    unknown_user,
};

/// All four parts at once.
fn four_parts() -> Value {
    json!({
        "availability": "Away",
        "activity": "OutOfOffice",
        "expirationDuration": "PT8H",
        "statusMessage": {"message": {"content": "Off", "contentType": "text"}},
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"},
        "workLocation": {"workLocationType": "timeOff", "placeId": null},
    })
}

#[tokio::test]
async fn t60_deleting_twice_is_done_twice() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    ada.patch(ME, &four_parts()).await;
    done_without_content(&ada.delete(ME).await);
    done_without_content(&ada.delete(ME).await);
    let presence = read(&server).await;
    assert_eq!(presence["availability"], "Offline");
    assert_eq!(presence["activity"], "Offline");
    assert_eq!(presence["outOfOfficeSettings"], json!({"message": null, "isOutOfOffice": false}));
    assert_eq!((&presence["statusMessage"], &presence["workLocation"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn t66_a_patch_of_four_parts_is_one_append_and_one_step_of_the_sequence_number() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let before = ada.patch(ME, &state("Busy/Busy", "")).await.json();
    let appends = server.engine().log_stats().appends;
    let answer = ada.patch(ME, &four_parts()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(server.engine().log_stats().appends, appends + 1);
    let presence = answer.json();
    assert_eq!(presence, read(&server).await);
    assert_eq!(sequence(&presence), sequence(&before) + 1);
    assert_eq!(answer.pair(), "Away/OutOfOffice");
    assert_eq!(presence["statusMessage"]["message"]["content"], "Off");
    assert_eq!(presence["outOfOfficeSettings"], json!({"message": "Back on Monday", "isOutOfOffice": true}));
    let location = json!({"placeId": null, "source": "manual", "workLocationType": "timeOff"});
    assert_eq!(presence["workLocation"], location);
}

#[tokio::test]
async fn t67_one_bad_part_spoils_the_whole_patch() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    ada.patch(ME, &state("Busy/Busy", "")).await;
    let (before, appends) = (everything(&server).await, server.engine().log_stats().appends);
    let html = json!({"message": {"content": "x", "contentType": "html"}});
    let past = json!({
        "message": {"content": "x"}, "expiryDateTime": {"dateTime": "2026-11-20T08:59:59", "timeZone": "UTC"},
    });
    let table = [
        ("activity", json!("Busy"), not_supported("Away/Busy", "PATCH", &STANDING_PAIRS)),
        ("availability", json!("Nowhere"), unknown_value("Availability", "Nowhere")),
        ("expirationDuration", json!("P366D"), OUT_OF_RANGE.to_owned()),
        ("statusMessage", html, argument("The provided [ContentType] is not supported; use 'text'.")),
        ("statusMessage", past, argument("The provided [ExpiryDateTime] is in the past.")),
        (
            "workLocation",
            json!({"workLocationType": "moon"}),
            argument("The provided [WorkLocationType] is invalid."),
        ),
        (
            "workLocation",
            json!("office"),
            "400 BadRequest Property 'workLocation' must be an object.".to_owned(),
        ),
        ("id", json!(BEN), argument("The provided [Id] is not the id of this presence.")),
    ];
    for (member, value, expected) in table {
        let mut body = four_parts();
        body[member] = value;
        refused(&ada.patch(ME, &body).await, &expected);
        assert_eq!(everything(&server).await, before, "{body}");
    }
    let mut body = four_parts();
    body["outOfOfficeSettings"]["message"] = "x".repeat(2049).into();
    let answer = ada.patch(ME, &body).await;
    assert!(answer.error().starts_with("400 InvalidArgument "), "{answer:?}");
    assert_eq!(everything(&server).await, before);
    assert_eq!(server.engine().log_stats().appends, appends);
}

fn argument(message: &str) -> String {
    format!("400 InvalidArgument {message}")
}

fn unknown_value(member: &str, value: &str) -> String {
    argument(&format!("The provided [{member}] value '{value}' is invalid."))
}

#[tokio::test]
async fn t68_out_of_office_is_written_by_patch() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    done(&Application::a(&server).set("Available/Available", "PT4H").await);
    let away = json!({"outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"}});
    for clearing in
        [json!(null), json!({"isOutOfOffice": false}), json!({"isOutOfOffice": false, "message": "x"})]
    {
        let answer = ada.patch(ME, &away).await;
        assert_eq!(answer.pair(), "Available/OutOfOffice");
        assert_eq!(
            answer.json()["outOfOfficeSettings"],
            json!({"message": "Back on Monday", "isOutOfOffice": true})
        );
        let other = ben(&server).get(&presence_of(ADA)).await;
        assert_eq!(other.pair(), "Available/OutOfOffice");
        assert_eq!(other.json()["outOfOfficeSettings"]["message"], "Back on Monday");
        let answer = ada.patch(ME, &json!({"outOfOfficeSettings": clearing})).await;
        assert_eq!(answer.pair(), "Available/Available");
        assert_eq!(answer.json()["outOfOfficeSettings"], json!({"message": null, "isOutOfOffice": false}));
        assert_eq!(answer.json(), read(&server).await);
    }
}

#[tokio::test]
async fn t69_an_application_patches_anybody_and_a_user_nobody_else() {
    let server = TestServer::start().await;
    let a = Application::a(&server).client;
    for path in [presence_of(ADA), format!("{PRESENCES}/{ADA}")] {
        let answer = a.patch(&path, &four_parts()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json(), a.get(&path).await.json(), "it shows what the caller may see");
        assert_eq!(
            answer.json()["workLocation"]["source"],
            "manual",
            "PATCH is open to applications, locations too"
        );
    }
    let before = everything(&server).await;
    refused(&ben(&server).patch(&presence_of(ADA), &four_parts()).await, ANOTHER_USER);
    refused(&ben(&server).delete(&presence_of(ADA)).await, ANOTHER_USER);
    assert_eq!(everything(&server).await, before);
}

/// presence-api 13: DELETE clears all but other applications' sessions.
#[tokio::test]
async fn delete_leaves_the_sessions_of_others() {
    let server = TestServer::start().await;
    let (a, b) = (Application::a(&server), Application::b(&server));
    done(&b.set("Busy/InACall", "PT1H").await);
    done(&a.set("DoNotDisturb/Presenting", "PT1H").await);
    ada(&server).patch(ME, &four_parts()).await;
    done_without_content(&ada(&server).delete(ME).await);
    assert_eq!(pair(&server).await, "Busy/InACall");
    let (presence, explanation) = everything(&server).await;
    assert_eq!(presence["statusMessage"], Value::Null);
    let layers = explanation["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 1, "{layers:?}");
    assert_eq!(layers[0]["applicationId"], APP_B);
}

/// presence-api 13: an application may clear everything of anybody.
#[tokio::test]
async fn an_application_deletes_what_it_wrote_by_patch() {
    let server = TestServer::start().await;
    let a = Application::a(&server).client;
    a.patch(&presence_of(ADA), &four_parts()).await;
    done_without_content(&a.delete(&format!("{PRESENCES}/{ADA}")).await);
    assert_eq!(read(&server).await["workLocation"], Value::Null);
    refused(&a.delete(&presence_of(NOBODY)).await, &unknown_user(NOBODY));
    refused(&a.patch(&presence_of(NOBODY), &four_parts()).await, &unknown_user(NOBODY));
}

/// presence-api 13: null clears a part, and a part that is not mentioned stays.
#[tokio::test]
async fn each_part_is_cleared_by_null_and_kept_by_silence() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    ada.patch(ME, &four_parts()).await;
    let full = read(&server).await;
    for (part, empty) in [
        ("statusMessage", Value::Null),
        ("outOfOfficeSettings", json!({"message": null, "isOutOfOffice": false})),
        ("workLocation", Value::Null),
    ] {
        ada.patch(ME, &four_parts()).await;
        let presence = ada.patch(ME, &json!({part: null})).await.json();
        assert_eq!(presence[part], empty);
        for other in ["availability", "activity", "statusMessage", "outOfOfficeSettings", "workLocation"] {
            assert!(other == part || presence[other] == full[other], "{part}, {other}: {presence}");
        }
    }
}

/// presence-api 13: the empty message is none, and its limit is 2,048 characters.
#[tokio::test]
async fn an_out_of_office_message_may_be_empty_and_long() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    for (given, expected) in [
        (json!(""), Value::Null),
        (json!(null), Value::Null),
        (json!("é".repeat(2048)), json!("é".repeat(2048))),
    ] {
        let answer =
            ada.patch(ME, &json!({"outOfOfficeSettings": {"isOutOfOffice": true, "message": given}})).await;
        let expected = json!({"message": expected, "isOutOfOffice": true});
        assert_eq!(answer.json()["outOfOfficeSettings"], expected);
    }
}
