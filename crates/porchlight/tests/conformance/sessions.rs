//! setPresence and clearPresence, and sessions over time: presence-api 7, 8, 10, 11.

use porchlight_testkit::{ADA, APP_A, APP_B, DEMO, TestServer};
use serde_json::{Value, json};

use crate::support::{
    Application, ME, NO_SESSION, OUT_OF_RANGE, SESSION_PAIRS, ada, done, everything, hint, hours, minutes,
    not_supported, pair, pairs_other_than, presence_of, read, refused, seconds, session, state,
};

const OUT_OF_RANGE_HINT: [&str; 2] = ["PT5M", "PT4H"];

#[tokio::test]
async fn t01_nobody_has_written_for_a_user_who_reads_offline() {
    let server = TestServer::start().await;
    let answer = ada(&server).get(ME).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.pair(), "Offline/Offline");
    let presence = answer.json();
    assert_eq!(presence.get("statusMessage"), Some(&Value::Null), "null, and present");
    assert_eq!(presence["sequenceNumber"], "A00000000000000");
}

#[tokio::test]
async fn t02_a_session_without_a_duration_lives_five_minutes() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Available/Available", "").await);
    server.advance_to(minutes(4) + seconds(59));
    assert_eq!(pair(&server).await, "Available/Available");
    server.advance_to(minutes(5));
    assert_eq!(pair(&server).await, "Offline/Offline", "expiry wins over the fade at the same instant");
}

#[tokio::test]
async fn t03_an_available_session_fades_twice_before_it_ends() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Available/Available", "PT1H").await);
    let table = [
        (minutes(4) + seconds(59), "Available/Available"),
        (minutes(5), "Available/AvailableInactive"),
        (minutes(10), "Away/Away"),
        (minutes(59) + seconds(59), "Away/Away"),
        (minutes(60), "Offline/Offline"),
    ];
    for (at, expected) in table {
        server.advance_to(at);
        assert_eq!(pair(&server).await, expected, "{at:?}");
    }
}

#[tokio::test]
async fn t04_a_repeat_restarts_the_fade() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Available/Available", "PT1H").await);
    server.advance_to(minutes(4));
    done(&a.set("Available/Available", "PT1H").await);
    server.advance_to(minutes(8) + seconds(59));
    assert_eq!(pair(&server).await, "Available/Available");
    server.advance_to(minutes(9));
    assert_eq!(pair(&server).await, "Available/AvailableInactive");
}

#[tokio::test]
async fn t05_a_busy_session_of_four_hours_does_not_fade() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "PT4H").await);
    for at in [seconds(0), minutes(5), minutes(10), minutes(239) + seconds(59)] {
        server.advance_to(at);
        assert_eq!(pair(&server).await, "Busy/InACall", "{at:?}");
    }
    server.advance_to(hours(4));
    assert_eq!(pair(&server).await, "Offline/Offline");
}

#[tokio::test]
async fn t06_durations_beyond_the_range_are_refused_and_change_nothing() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Busy/InACall", "PT1H").await);
    let before = everything(&server).await;
    for duration in ["PT4M59S", "PT4H0M1S"] {
        let answer = a.set("Away/Away", duration).await;
        refused(&answer, OUT_OF_RANGE);
        assert!(OUT_OF_RANGE_HINT.iter().all(|end| hint(&answer).contains(end)), "{}", hint(&answer));
        assert_eq!(everything(&server).await, before, "{duration}");
    }
}

#[tokio::test]
async fn t07_durations_are_read_in_every_spelling() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    let table = [
        ("PT5M", "09:05:00"),
        ("PT240M", "13:00:00"),
        ("P0DT1H", "10:00:00"),
        ("1:00:00", "10:00:00"),
        ("pt1h", "10:00:00"),
        ("PT5M0.5S", "09:05:00.5"),
        ("P0Y0M0DT1H0M0S", "10:00:00"),
        ("+PT1H", "10:00:00"),
        ("0:05:00", "09:05:00"),
        ("0 days, 1:00:00", "10:00:00"),
    ];
    for (duration, end) in table {
        done(&a.set("Busy/InACall", duration).await);
        let (_, explanation) = everything(&server).await;
        let ends = explanation["layers"][0]["endDateTime"].as_str().expect("a session ends");
        let expected = format!("2026-11-20T{end}");
        assert!(ends.starts_with(&expected), "{duration}: {ends}");
    }
}

#[tokio::test]
async fn t08_what_is_no_duration_is_refused() {
    const UNREADABLE: &str =
        "400 InvalidArgument The provided [ExpirationDuration] is not a valid ISO 8601 duration.";
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Busy/InACall", "PT1H").await);
    let before = everything(&server).await;
    let table = [
        (json!("1h"), UNREADABLE),
        (json!("PT"), UNREADABLE),
        (json!("P"), UNREADABLE),
        (json!("-PT5M"), OUT_OF_RANGE),
        (json!("PT0S"), OUT_OF_RANGE),
        (json!(300), "400 BadRequest Property 'expirationDuration' must be a string."),
    ];
    for (duration, expected) in table {
        let mut body = session(APP_A, "Away/Away", "");
        body["expirationDuration"] = duration;
        refused(&a.act("setPresence", &body).await, expected);
        assert_eq!(everything(&server).await, before, "{body}");
    }
}

#[tokio::test]
async fn t09_each_pair_of_set_presence_is_taken() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    for expected in SESSION_PAIRS {
        done(&a.set(expected, "PT1H").await);
        assert_eq!(pair(&server).await, expected);
    }
}

#[tokio::test]
async fn t10_every_other_pair_is_refused_by_set_presence() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Busy/InACall", "PT1H").await);
    let before = everything(&server).await;
    let others = pairs_other_than(&SESSION_PAIRS);
    assert_eq!(others.len(), 9 * 16 - 5);
    for other in others {
        refused(&a.set(&other, "PT1H").await, &not_supported(&other, "setPresence", &SESSION_PAIRS));
    }
    assert_eq!(everything(&server).await, before);
}

#[tokio::test]
async fn t11_values_are_compared_without_case_and_kept_in_the_canonical_spelling() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("busy/inacall", "").await);
    assert_eq!(pair(&server).await, "Busy/InACall");
}

#[tokio::test]
async fn t12_a_session_id_is_required() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    let before = everything(&server).await;
    for action in ["setPresence", "clearPresence"] {
        for id in [None, Some(json!("")), Some(json!(null))] {
            let mut body = state("Busy/InACall", "");
            if let Some(id) = id {
                body["sessionId"] = id;
            }
            let answer = a.act(action, &body).await;
            refused(&answer, "400 InvalidArgument [SessionId]: The SessionId field is required.");
            assert!(hint(&answer).contains("application (client) id"), "{action} {body}: {}", hint(&answer));
        }
    }
    assert_eq!(everything(&server).await, before);
}

#[tokio::test]
async fn t13_what_lies_beneath_shows_again_when_a_session_is_cleared() {
    let server = TestServer::start().await;
    let (a, b) = (Application::a(&server), Application::b(&server));
    done(&a.set("Available/Available", "").await);
    done(&b.set("Busy/InACall", "").await);
    assert_eq!(pair(&server).await, "Busy/InACall");
    done(&b.clear().await);
    assert_eq!(pair(&server).await, "Available/Available");
}

#[tokio::test]
async fn t14_clearing_again_finds_no_session() {
    let server = TestServer::start().await;
    let (a, b) = (Application::a(&server), Application::b(&server));
    done(&a.set("Available/Available", "PT1H").await);
    done(&b.set("Busy/InACall", "PT5M").await);
    done(&b.clear().await);
    let before = everything(&server).await;
    refused(&b.clear().await, NO_SESSION);
    assert_eq!(everything(&server).await, before);
    done(&b.set("Busy/InACall", "PT5M").await);
    server.advance_to(minutes(5));
    refused(&b.clear().await, NO_SESSION);
}

#[tokio::test]
async fn t15_an_application_cannot_clear_the_session_of_another() {
    let server = TestServer::start().await;
    let (a, b) = (Application::a(&server), Application::b(&server));
    done(&b.set("Busy/InACall", "PT1H").await);
    let before = everything(&server).await;
    refused(&a.act("clearPresence", &json!({"sessionId": APP_B})).await, NO_SESSION);
    assert_eq!(everything(&server).await, before);
}

#[tokio::test]
async fn t52_a_keep_alive_before_the_fade_leaves_the_sequence_number() {
    for state in ["Available/Available", "Busy/InACall"] {
        let server = TestServer::start().await;
        let a = Application::a(&server);
        done(&a.set(state, "PT5M").await);
        let before = read(&server).await;
        for at in [4, 8, 12] {
            server.advance_to(minutes(at));
            done(&a.set(state, "PT5M").await);
            assert_eq!(read(&server).await, before, "{state} at {at} min");
        }
    }
}

#[tokio::test]
async fn t57_two_devices_of_one_application_share_a_session_and_the_last_call_wins() {
    let server = TestServer::start().await;
    let (phone, desk) = (Application::a(&server), Application::a(&server));
    done(&phone.set("Busy/InACall", "PT4H").await);
    done(&desk.set("Away/Away", "PT5M").await);
    assert_eq!(pair(&server).await, "Away/Away");
    let (_, explanation) = everything(&server).await;
    assert_eq!(explanation["layers"].as_array().map(Vec::len), Some(1));
    server.advance_to(minutes(5));
    assert_eq!(pair(&server).await, "Offline/Offline", "the last call's end counts too");
}

/// presence-api 11.2 and 11.4
#[tokio::test]
async fn the_strongest_session_decides() {
    const AN_HOUR: &str = "PT1H";
    let table = [
        (["Available/Available", "Busy/InACall"], "Busy/InACall"),
        (["Busy/InACall", "DoNotDisturb/Presenting"], "DoNotDisturb/Presenting"),
        (["Away/Away", "Available/Available"], "Available/Available"),
        (["Busy/InACall", "Busy/InAConferenceCall"], "Busy/InAConferenceCall"),
        (["Busy/InAConferenceCall", "Busy/InACall"], "Busy/InAConferenceCall"),
    ];
    for ([one, other], expected) in table {
        let server = TestServer::start().await;
        done(&Application::a(&server).set(one, AN_HOUR).await);
        done(&Application::b(&server).set(other, AN_HOUR).await);
        assert_eq!(pair(&server).await, expected, "{one} and {other}");
    }
}

/// presence-api 11.4
#[tokio::test]
async fn a_faded_session_competes_as_what_it_has_faded_to() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Available/Available", "PT1H").await);
    server.advance_to(minutes(6));
    done(&Application::b(&server).set("Away/Away", "PT1H").await);
    assert_eq!(pair(&server).await, "Available/AvailableInactive");
    server.advance_to(minutes(12));
    assert_eq!(pair(&server).await, "Away/Away");
}

/// presence-api 7.4
#[tokio::test]
async fn another_guid_is_a_further_session_of_the_application() {
    const SECOND: &str = "{5F0D3B8A-1C2E-4B6F-8A9D-7E6C5B4A3F21}";
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Available/Available", "").await);
    done(&a.act("setPresence", &session(SECOND, "Busy/InACall", "")).await);
    assert_eq!(pair(&server).await, "Busy/InACall");
    done(&a.act("clearPresence", &json!({"sessionId": DEMO})).await);
    assert_eq!(pair(&server).await, "Available/Available", "letter case and braces do not matter");
}

/// presence-api 10.1: deadlines are fixed when a session is set, and a keep-alive every four minutes holds for ever.
#[tokio::test]
async fn a_session_that_is_kept_alive_never_fades() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    for round in 0..20 {
        server.advance_to(minutes(4 * round));
        done(&a.set("Available/Available", "PT5M").await);
        assert_eq!(pair(&server).await, "Available/Available", "round {round}");
    }
}

/// presence-api 1.4
#[tokio::test]
async fn the_sequence_number_is_the_instant_of_the_last_visible_change() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Available/Available", "PT1H").await);
    assert_eq!(read(&server).await["sequenceNumber"], "A01795165200000");
    done(&a.prefer("Busy/Busy", "").await);
    assert_eq!(
        read(&server).await["sequenceNumber"],
        "A01795165200001",
        "it grows within a millisecond as well"
    );
    done(&a.act("clearUserPreferredPresence", &json!({})).await);
    server.advance_to(minutes(7));
    assert_eq!(
        read(&server).await["sequenceNumber"],
        "A01795165500000",
        "the fade of five minutes has its instant"
    );
    let reader = server.client("ben:Presence.Read.All").get(&presence_of(ADA)).await.json();
    assert_eq!(reader["sequenceNumber"], "A01795165500000", "it is the same whoever reads");
}
