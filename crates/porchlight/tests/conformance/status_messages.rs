//! setStatusMessage: presence-api 4.5, 9.3 to 9.5.

use porchlight_testkit::{ADA, TestServer};
use serde_json::{Value, json};

use crate::support::{
    Application, BULK, ME, PRESENCES, ada, ben, days, done, everything, minutes, presence_of, read, refused,
    seconds, sequence, status, status_until,
};

/// 2026-10-20T00:00:00Z
const OCTOBER: i64 = 1_792_454_400_000;

/// The expiryDateTime that Ada reads.
async fn expiry(server: &TestServer) -> Value {
    read(server).await["statusMessage"]["expiryDateTime"].clone()
}

#[tokio::test]
async fn t24_only_the_user_sees_when_a_status_was_set_and_ends() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    done(&ada.post(&format!("{ME}/setStatusMessage"), &status("Back after lunch")).await);
    let message = json!({"content": "Back after lunch", "contentType": "text"});
    for own in [ME.to_owned(), presence_of(ADA), format!("{PRESENCES}/{ADA}")] {
        let seen = &ada.get(&own).await.json()["statusMessage"];
        let times = json!({
            "message": message, "publishedDateTime": "2026-11-20T09:00:00.0000000Z", "expiryDateTime": null,
        });
        assert_eq!(*seen, times, "{own}");
    }
    for another in [ben(&server), Application::a(&server).client] {
        let seen = &another.get(&presence_of(ADA)).await.json()["statusMessage"];
        assert_eq!(*seen, json!({"message": message}), "the times are left out, not null");
        let bulk = another.post(BULK, &json!({"ids": [ADA]})).await.json();
        assert_eq!(bulk["value"][0]["statusMessage"], json!({"message": message}));
    }
}

#[tokio::test]
async fn t25_an_end_in_a_windows_zone_is_read_back_in_utc() {
    let server = TestServer::builder().start_at(OCTOBER).start().await;
    let body = status_until("Off", "2026-10-21T17:05:33.2079781", "Pacific Standard Time");
    done(&ada(&server).post(&format!("{ME}/setStatusMessage"), &body).await);
    let expected = json!({"dateTime": "2026-10-22T00:05:33.2079781", "timeZone": "UTC"});
    assert_eq!(expiry(&server).await, expected);
}

#[tokio::test]
async fn t26_an_end_may_name_an_iana_zone() {
    let server = TestServer::start().await;
    let body = status_until("Off", "2026-11-20T17:00:00", "Europe/Berlin");
    done(&ada(&server).post(&format!("{ME}/setStatusMessage"), &body).await);
    let expected = json!({"dateTime": "2026-11-20T16:00:00.0000000", "timeZone": "UTC"});
    assert_eq!(expiry(&server).await, expected);
}

#[tokio::test]
async fn t27_a_bad_status_is_refused_and_changes_nothing() {
    let server = TestServer::start().await;
    let (ada, path) = (ada(&server), format!("{ME}/setStatusMessage"));
    done(&ada.post(&path, &status(&"é".repeat(280))).await);
    let before = everything(&server).await;
    let mut html = status("<b>Off</b>");
    html["statusMessage"]["message"]["contentType"] = "html".into();
    let table = [
        (
            status_until("Off", "2026-11-21T09:00:00", "Nowhere/None"),
            "400 InvalidArgument The provided [TimeZone] 'Nowhere/None' is not known.",
        ),
        (
            status_until("Off", "2026-11-20T09:00:00", "UTC"),
            "400 InvalidArgument The provided [ExpiryDateTime] is in the past.",
        ),
        (html, "400 InvalidArgument The provided [ContentType] is not supported; use 'text'."),
        (
            status(&"é".repeat(281)),
            "400 InvalidArgument The provided [StatusMessage] is longer than 280 characters.",
        ),
    ];
    for (body, expected) in table {
        refused(&ada.post(&path, &body).await, expected);
        assert_eq!(everything(&server).await, before, "{body}");
    }
}

#[tokio::test]
async fn t28_an_empty_status_clears() {
    let server = TestServer::start().await;
    let (ada, path) = (ada(&server), format!("{ME}/setStatusMessage"));
    let empty = [
        status(""),
        status(" \t\n"),
        status_until("", "1999-01-01T00:00:00", "Nowhere/None"),
        json!({"statusMessage": null}),
        json!({"statusMessage": {}}),
        json!({"statusMessage": {"message": null}}),
        json!({"statusMessage": {"message": {"contentType": "text"}}}),
    ];
    for body in empty {
        done(&ada.post(&path, &status("Off")).await);
        assert!(read(&server).await["statusMessage"].is_object());
        done(&ada.post(&path, &body).await);
        assert_eq!(read(&server).await["statusMessage"], Value::Null, "{body}");
    }
}

#[tokio::test]
async fn t29_a_status_is_gone_at_its_end() {
    let server = TestServer::start().await;
    let body = status_until("Off", "2026-11-20T09:10:00", "UTC");
    done(&ada(&server).post(&format!("{ME}/setStatusMessage"), &body).await);
    server.advance_to(minutes(9) + seconds(59));
    let before = read(&server).await;
    assert!(before["statusMessage"].is_object());
    server.advance_to(minutes(10));
    let after = read(&server).await;
    assert_eq!(after["statusMessage"], Value::Null);
    assert!(sequence(&after) > sequence(&before));
}

/// presence-api 9.3: a new call replaces the message whole.
#[tokio::test]
async fn a_new_status_without_an_end_has_none() {
    let server = TestServer::start().await;
    let (ada, path) = (ada(&server), format!("{ME}/setStatusMessage"));
    done(&ada.post(&path, &status_until("Off", "2026-11-20T09:10:00", "UTC")).await);
    done(&ada.post(&path, &status("Back")).await);
    assert_eq!(expiry(&server).await, Value::Null);
    server.advance_to(days(400));
    assert_eq!(read(&server).await["statusMessage"]["message"]["content"], "Back");
}

/// presence-api 1.4: setting the same text again moves publishedDateTime, which is visible.
#[tokio::test]
async fn the_same_status_again_is_published_again() {
    let server = TestServer::start().await;
    let (ada, path) = (ada(&server), format!("{ME}/setStatusMessage"));
    done(&ada.post(&path, &status("Off")).await);
    let before = read(&server).await;
    server.advance_to(minutes(1));
    done(&ada.post(&path, &status("Off")).await);
    let after = read(&server).await;
    assert_eq!(after["statusMessage"]["publishedDateTime"], "2026-11-20T09:01:00.0000000Z");
    assert!(sequence(&after) > sequence(&before));
}

/// presence-api 9.3
#[tokio::test]
async fn what_a_client_says_of_publishing_is_ignored_and_the_type_may_be_left_out_or_written_in_any_case() {
    let server = TestServer::start().await;
    let (ada, path) = (ada(&server), format!("{ME}/setStatusMessage"));
    let mut body = status("Off");
    body["statusMessage"]["publishedDateTime"] = "1999-01-01T00:00:00Z".into();
    for content_type in [json!("TEXT"), Value::Null] {
        body["statusMessage"]["message"]["contentType"] = content_type;
        done(&ada.post(&path, &body).await);
        let seen = &read(&server).await["statusMessage"];
        assert_eq!(seen["message"]["contentType"], "text");
        assert_eq!(seen["publishedDateTime"], "2026-11-20T09:00:00.0000000Z");
    }
}

/// presence-api 9.3: the text is stored unchanged and never interpreted.
#[tokio::test]
async fn markup_in_a_status_is_only_text() {
    let server = TestServer::start().await;
    let text = "<script>alert(\"x\")</script> &amp; \u{1F3D6} \\ tab\tline\nend";
    done(&ada(&server).post(&format!("{ME}/setStatusMessage"), &status(text)).await);
    assert_eq!(read(&server).await["statusMessage"]["message"]["content"], text);
}

/// presence-api 9.3: the text is stored unchanged; only what counts against the limit is trimmed.
#[tokio::test]
async fn white_space_around_a_status_is_kept_and_not_counted() {
    let server = TestServer::start().await;
    let text = format!("  {}\n", "x".repeat(280));
    done(&ada(&server).post(&format!("{ME}/setStatusMessage"), &status(&text)).await);
    assert_eq!(read(&server).await["statusMessage"]["message"]["content"], text);
}

/// presence-api 4.5 and 9.3: seconds are optional, no zone is UTC, and an offset wins over the zone.
#[tokio::test]
async fn ends_are_read_as_clients_write_them() {
    let server = TestServer::start().await;
    let (ada, path) = (ada(&server), format!("{ME}/setStatusMessage"));
    let table = [
        ("2026-11-20T17:00", Some("UTC"), "2026-11-20T17:00:00.0000000"),
        ("2026-11-20T17:00:00.5", None, "2026-11-20T17:00:00.5000000"),
        ("2026-11-20T17:00:00Z", Some("Pacific Standard Time"), "2026-11-20T17:00:00.0000000"),
        ("2026-11-20T17:00:00+02:00", Some("Pacific Standard Time"), "2026-11-20T15:00:00.0000000"),
        ("2026-11-20T17:00:00", Some("US/Pacific"), "2026-11-21T01:00:00.0000000"),
        ("2026-11-20T17:00:00", Some("W. Europe Standard Time"), "2026-11-20T16:00:00.0000000"),
        ("2026-11-20T17:00:00", Some("India Standard Time"), "2026-11-20T11:30:00.0000000"),
    ];
    for (date_time, zone, expected) in table {
        let mut body = status("Off");
        body["statusMessage"]["expiryDateTime"] = json!({"dateTime": date_time, "timeZone": zone});
        done(&ada.post(&path, &body).await);
        let expected = json!({"dateTime": expected, "timeZone": "UTC"});
        assert_eq!(expiry(&server).await, expected, "{date_time} {zone:?}");
    }
}

/// presence-api 9.4
#[tokio::test]
async fn a_skipped_time_moves_forward_and_of_a_time_that_comes_twice_the_first_is_meant() {
    let server = TestServer::builder().start_at(OCTOBER).start().await;
    let (ada, path) = (ada(&server), format!("{ME}/setStatusMessage"));
    let table = [
        ("2027-03-28T02:30:00", "2027-03-28T01:30:00.0000000"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00.0000000"),
    ];
    for (date_time, expected) in table {
        done(&ada.post(&path, &status_until("Off", date_time, "Europe/Berlin")).await);
        assert_eq!(expiry(&server).await["dateTime"], expected, "{date_time}");
    }
}

/// presence-api 9.3: the limit is a setting.
#[tokio::test]
async fn the_length_of_a_status_can_be_limited_otherwise() {
    let server = TestServer::builder().limits(|limits| limits.status_chars_max = 5).start().await;
    let (ada, path) = (ada(&server), format!("{ME}/setStatusMessage"));
    done(&ada.post(&path, &status("12345")).await);
    let answer = ada.post(&path, &status("123456")).await;
    refused(&answer, "400 InvalidArgument The provided [StatusMessage] is longer than 5 characters.");
}
