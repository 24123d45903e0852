//! The rows of presence-api 16.3 that a body or a query can meet.

use porchlight_testkit::{ADA, APP_A, Answer, Client, TestServer};
use serde_json::{Value, json};

use crate::support::{
    Application, BULK, ME, NO_SESSION, NOBODY, OUT_OF_RANGE, PREFERRED_PAIRS, PRESENCES, SESSION_PAIRS,
    STANDING_PAIRS, ada, done, everything, hint, minutes, not_supported, refused, session, state, status,
    status_until,
};

/// Sends each body to Ada's `action` and holds the answer against the line beside it; nothing may change.
async fn each_is_refused(server: &TestServer, action: &str, table: Vec<(Value, String)>) {
    let before = everything(server).await;
    for (body, expected) in table {
        let answer = post(&ada(server), action, &body).await;
        assert_eq!(answer.error(), expected, "{action} {body}");
        refused(&answer, &expected);
        assert_eq!(everything(server).await, before, "{action} {body}");
    }
}

/// PATCH for the action `PATCH`, POST for any other.
async fn post(client: &Client, action: &str, body: &Value) -> Answer {
    if action == "PATCH" {
        client.patch(ME, body).await
    } else {
        client.post(&format!("{ME}/{action}"), body).await
    }
}

fn argument(message: &str) -> String {
    format!("400 InvalidArgument {message}")
}

#[tokio::test]
async fn e12_a_member_of_the_wrong_type_is_named() {
    let server = TestServer::start().await;
    let wrong =
        |member: &str, expected: &str| format!("400 BadRequest Property '{member}' must be {expected}.");
    for member in ["sessionId", "availability", "activity", "expirationDuration"] {
        for value in [json!(7), json!(true), json!([]), json!({})] {
            let mut body = session(APP_A, "Busy/InACall", "PT1H");
            body[member] = value;
            each_is_refused(&server, "setPresence", vec![(body, wrong(member, "a string"))]).await;
        }
    }
    let status = [
        (json!({"statusMessage": "Off"}), wrong("statusMessage", "an object")),
        (json!({"statusMessage": {"message": "Off"}}), wrong("message", "an object")),
        (json!({"statusMessage": {"message": {"content": 7}}}), wrong("content", "a string")),
        (
            json!({"statusMessage": {"message": {"content": "x"}, "expiryDateTime": "2026-11-20"}}),
            wrong("expiryDateTime", "an object"),
        ),
    ];
    each_is_refused(&server, "setStatusMessage", status.to_vec()).await;
    let place = (json!({"workLocationType": "office", "placeId": 7}), wrong("placeId", "a string"));
    each_is_refused(&server, "setManualLocation", vec![place]).await;
    let patches = [
        (json!({"availability": 7}), wrong("availability", "a string")),
        (json!({"statusMessage": []}), wrong("statusMessage", "an object")),
        (json!({"outOfOfficeSettings": true}), wrong("outOfOfficeSettings", "an object")),
        (json!({"outOfOfficeSettings": {"isOutOfOffice": "true"}}), wrong("isOutOfOffice", "true or false")),
        (json!({"outOfOfficeSettings": {"isOutOfOffice": true, "message": 7}}), wrong("message", "a string")),
        (json!({"workLocation": "office"}), wrong("workLocation", "an object")),
    ];
    each_is_refused(&server, "PATCH", patches.to_vec()).await;
    let ids = ada(&server).post(BULK, &json!({"ids": ADA})).await;
    refused(&ids, &wrong("ids", "an array"));
}

#[tokio::test]
async fn e13_the_session_id_is_missing() {
    let server = TestServer::start().await;
    let answer = post(&ada(&server), "clearPresence", &json!({})).await;
    refused(&answer, "400 InvalidArgument [SessionId]: The SessionId field is required.");
    assert!(hint(&answer).contains("application (client) id"), "{answer:?}");
}

#[tokio::test]
async fn e14_a_half_of_the_pair_is_missing() {
    let server = TestServer::start().await;
    let missing = |member: &str| argument(&format!("[{member}]: The {member} field is required."));
    let table = vec![
        (json!({"sessionId": APP_A, "activity": "Busy"}), missing("Availability")),
        (json!({"sessionId": APP_A, "availability": null, "activity": "Busy"}), missing("Availability")),
        (json!({"sessionId": APP_A}), missing("Availability")),
        (json!({"sessionId": APP_A, "availability": "Busy"}), missing("Activity")),
        (json!({"sessionId": APP_A, "availability": "Busy", "activity": null}), missing("Activity")),
    ];
    each_is_refused(&server, "setPresence", table.clone()).await;
    each_is_refused(&server, "setUserPreferredPresence", table).await;
}

#[tokio::test]
async fn e15_a_value_is_unknown() {
    let server = TestServer::start().await;
    let unknown =
        |member: &str, value: &str| argument(&format!("The provided [{member}] value '{value}' is invalid."));
    let table = vec![
        (session(APP_A, "Focusing/InACall", ""), unknown("Availability", "Focusing")),
        (session(APP_A, "Busy/OnThePhone", ""), unknown("Activity", "OnThePhone")),
        (session(APP_A, " Busy/InACall", ""), unknown("Availability", " Busy")),
    ];
    each_is_refused(&server, "setPresence", table.clone()).await;
    each_is_refused(&server, "setUserPreferredPresence", table.clone()).await;
    each_is_refused(&server, "PATCH", table).await;
    let alone = vec![
        (json!({"availability": "Focusing"}), unknown("Availability", "Focusing")),
        (json!({"activity": "OnThePhone"}), unknown("Activity", "OnThePhone")),
    ];
    each_is_refused(&server, "PATCH", alone).await;
}

#[tokio::test]
async fn e16_a_pair_is_not_supported_by_the_method() {
    let server = TestServer::start().await;
    let table = [
        ("setPresence", &SESSION_PAIRS[..]),
        ("setUserPreferredPresence", &PREFERRED_PAIRS[..]),
        ("PATCH", &STANDING_PAIRS[..]),
    ];
    for (method, supported) in table {
        let expected = not_supported("Offline/Busy", method, supported);
        each_is_refused(&server, method, vec![(session(APP_A, "offline/BUSY", ""), expected)]).await;
    }
}

/// presence-api 16.3 wants the range in the hint, of whatever lies outside it.
#[tokio::test]
async fn e17_a_duration_out_of_range_is_answered_with_the_range() {
    let server = TestServer::start().await;
    for duration in ["PT4M59S", "PT4H0M1S", "PT0S", "-PT5M", "P99999999999Y"] {
        let answer = post(&ada(&server), "setPresence", &session(APP_A, "Busy/InACall", duration)).await;
        refused(&answer, OUT_OF_RANGE);
        let hint = hint(&answer);
        assert!(hint.contains("PT5M") && hint.contains("PT4H"), "{duration}: {hint}");
    }
    let answer = post(&ada(&server), "setUserPreferredPresence", &state("Busy/Busy", "P366D")).await;
    refused(&answer, OUT_OF_RANGE);
    assert!(hint(&answer).contains("P365D"), "{answer:?}");
}

#[tokio::test]
async fn e18_a_duration_is_unreadable() {
    let server = TestServer::start().await;
    let unreadable = argument("The provided [ExpirationDuration] is not a valid ISO 8601 duration.");
    for duration in ["1h", "PT", "P", "", "PT5", "P5M5", "PT5M5M", "5:00", "1:60:00", "PT1.5H", "one hour"] {
        for (action, named) in [
            ("setPresence", "Busy/InACall"),
            ("setUserPreferredPresence", "Busy/Busy"),
            ("PATCH", "Busy/Busy"),
        ] {
            let mut body = session(APP_A, named, "");
            body["expirationDuration"] = duration.into();
            each_is_refused(&server, action, vec![(body, unreadable.clone())]).await;
        }
    }
}

#[tokio::test]
async fn e19_there_is_no_session_to_clear() {
    let server = TestServer::start().await;
    let answer = post(&ada(&server), "clearPresence", &json!({"sessionId": APP_A})).await;
    refused(&answer, NO_SESSION);
    assert!(
        hint(&answer).contains("success"),
        "clients treat it as one, and the message says so: {answer:?}"
    );
}

#[tokio::test]
async fn e20_to_e22_the_ids_of_a_bulk_read_are_checked() {
    let server = TestServer::start().await;
    let table = [
        (json!({}), argument("[Ids]: The Ids field is required.")),
        (
            json!({"ids": vec![ADA; 1000]}),
            argument("The provided [Ids] has 1000 entries; at most 650 are allowed."),
        ),
        (json!({"ids": [ADA, ""]}), argument("The provided [Ids] entry at index 1 is invalid.")),
    ];
    for (body, expected) in table {
        refused(&ada(&server).post(BULK, &body).await, &expected);
    }
}

#[tokio::test]
async fn e23_to_e26_a_status_message_is_checked() {
    let server = TestServer::start().await;
    let mut html = status("x");
    html["statusMessage"]["message"]["contentType"] = "html".into();
    let mut nothing = status("x");
    nothing["statusMessage"]["expiryDateTime"] = json!({"timeZone": "UTC"});
    let bad_expiry = argument("The provided [ExpiryDateTime] is invalid.");
    let mut table = vec![
        (status(&"x".repeat(281)), argument("The provided [StatusMessage] is longer than 280 characters.")),
        (html, argument("The provided [ContentType] is not supported; use 'text'.")),
        (
            status_until("x", "2026-11-21T09:00:00", "Mars Standard Time"),
            argument("The provided [TimeZone] 'Mars Standard Time' is not known."),
        ),
        (
            status_until("x", "2026-11-20T09:00:00.0000000", "UTC"),
            argument("The provided [ExpiryDateTime] is in the past."),
        ),
        (nothing, bad_expiry.clone()),
    ];
    for unreadable in ["", "tomorrow", "2026-11-20", "2026-13-20T09:00:00", "2026-11-21T25:00:00"] {
        table.push((status_until("x", unreadable, "UTC"), bad_expiry.clone()));
    }
    each_is_refused(&server, "setStatusMessage", table.clone()).await;
    each_is_refused(&server, "PATCH", table).await;
}

#[tokio::test]
async fn e27_a_location_type_is_bad() {
    let server = TestServer::start().await;
    let bad = argument("The provided [WorkLocationType] is invalid.");
    for kind in [json!("unknownFutureValue"), json!("home"), json!(""), json!(null), json!(2)] {
        let body = json!({"workLocationType": kind});
        for action in ["setManualLocation", "setAutomaticLocation"] {
            each_is_refused(&server, action, vec![(body.clone(), bad.clone())]).await;
        }
        each_is_refused(&server, "PATCH", vec![(json!({"workLocation": body}), bad.clone())]).await;
    }
    each_is_refused(&server, "PATCH", vec![(json!({"workLocation": {}}), bad)]).await;
}

#[tokio::test]
async fn e28_a_query_is_bad() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let property = |name: &str, kind: &str| {
        format!("400 BadRequest Could not find a property named '{name}' on type '{kind}'.")
    };
    refused(&ada.get(&format!("{ME}?$select=nope")).await, &property("nope", "microsoft.graph.presence"));
    refused(&ada.get("/v1.0/me?$select=nope").await, &property("nope", "microsoft.graph.user"));
    refused(&ada.get("/v1.0/users?$select=nope").await, &property("nope", "microsoft.graph.user"));
    let clause = ada.get(&format!("{PRESENCES}?$filter=nope")).await;
    refused(&clause, "400 BadRequest Invalid filter clause");
    let count = ada.get(&format!("{PRESENCES}/$count?$filter=nope")).await;
    refused(&count, "400 BadRequest Invalid filter clause");
}

#[tokio::test]
async fn e35_a_session_id_is_no_guid() {
    let server = TestServer::start().await;
    let expected = argument("The provided [SessionId] is not a GUID.");
    for id in [
        "me",
        "5f0d3b8a1c2e4b6f8a9d7e6c5b4a3f21",
        "{5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21",
        "x".repeat(36).as_str(),
    ] {
        let body = session(id, "Busy/InACall", "");
        each_is_refused(&server, "setPresence", vec![(body.clone(), expected.clone())]).await;
        each_is_refused(&server, "clearPresence", vec![(body, expected.clone())]).await;
    }
}

#[tokio::test]
async fn e37_and_e38_a_patch_says_nothing_or_names_another() {
    let server = TestServer::start().await;
    let nothing = argument(
        "Supply at least one of: availability, activity, statusMessage, outOfOfficeSettings, workLocation.",
    );
    let another = argument("The provided [Id] is not the id of this presence.");
    let table = vec![
        (json!({}), nothing.clone()),
        (json!({"id": ADA}), nothing),
        (json!({"id": NOBODY, "availability": "Busy"}), another.clone()),
        (json!({"id": "x", "availability": "Busy"}), another),
    ];
    each_is_refused(&server, "PATCH", table).await;
}

#[tokio::test]
async fn e39_a_user_has_at_most_32_sessions() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let id = |n: usize| format!("{n:08}-0000-4000-8000-000000000000");
    done(&post(&ada, "setPresence", &session(&id(0), "Busy/InACall", "PT5M")).await);
    for n in 1..32 {
        done(&post(&ada, "setPresence", &session(&id(n), "Busy/InACall", "PT1H")).await);
    }
    let one_more = session(&id(32), "Busy/InACall", "PT1H");
    let expected = argument("A user can have at most 32 presence sessions.");
    each_is_refused(&server, "setPresence", vec![(one_more.clone(), expected.clone())]).await;
    let by_another = Application::b(&server).set("Busy/InACall", "PT1H").await;
    refused(&by_another, &expected);
    done(&post(&ada, "setPresence", &session(&id(31), "Away/Away", "PT1H")).await);
    server.advance_to(minutes(5));
    done(&post(&ada, "setPresence", &one_more).await);
}

#[tokio::test]
async fn e41_the_status_message_is_missing() {
    let server = TestServer::start().await;
    let expected = argument("[StatusMessage]: The StatusMessage field is required.");
    for body in [json!({}), json!({"message": {"content": "Off"}})] {
        each_is_refused(&server, "setStatusMessage", vec![(body, expected.clone())]).await;
    }
}

/// presence-api 16.3: the message names the member and the limit.
#[tokio::test]
async fn e42_texts_and_pages_have_limits() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let before = everything(&server).await;
    let long_message = json!({"outOfOfficeSettings": {"isOutOfOffice": true, "message": "x".repeat(2049)}});
    let long_place = json!({"workLocationType": "office", "placeId": "x".repeat(257)});
    let control = json!({"outOfOfficeSettings": {"isOutOfOffice": true, "message": "a\u{0}b"}});
    let table = [
        (post(&ada, "setStatusMessage", &status("a\u{7}b")).await, "StatusMessage", "control characters"),
        (post(&ada, "setStatusMessage", &status("a\u{1b}[0m")).await, "StatusMessage", "control characters"),
        (post(&ada, "PATCH", &control).await, "OutOfOffice", "control characters"),
        (post(&ada, "PATCH", &long_message).await, "OutOfOffice", "2048"),
        (post(&ada, "setManualLocation", &long_place).await, "PlaceId", "256"),
        (post(&ada, "PATCH", &json!({"workLocation": long_place})).await, "PlaceId", "256"),
        (ada.get(&format!("{PRESENCES}?$top=651")).await, "$top", "650"),
        (ada.get(&format!("{PRESENCES}?$top=0")).await, "$top", "650"),
        (ada.get(&format!("{PRESENCES}?$top=-1")).await, "$top", "650"),
        (ada.get(&format!("{PRESENCES}?$top=x")).await, "$top", "650"),
        (ada.get(&format!("{PRESENCES}?$skip=-1")).await, "$skip", "0"),
        (ada.get("/v1.0/users?$top=1000").await, "$top", "999"),
    ];
    for (answer, member, limit) in table {
        let error = answer.error();
        assert!(error.starts_with("400 InvalidArgument "), "{error}");
        assert!(error.contains(member) && error.contains(limit), "{error}");
        refused(&answer, &error);
    }
    assert_eq!(everything(&server).await, before);
}
