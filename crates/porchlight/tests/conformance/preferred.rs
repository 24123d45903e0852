//! setUserPreferredPresence and clearUserPreferredPresence: presence-api 9.1, 9.2, 11.

use http::Method;
use porchlight_testkit::{ADA, TestServer};
use serde_json::json;

use crate::support::{
    Application, OUT_OF_RANGE, PREFERRED_PAIRS, days, done, everything, hours, minutes, not_supported, pair,
    pairs_other_than, presence_of, refused, seconds,
};

#[tokio::test]
async fn t16_a_preference_waits_for_a_session() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.prefer("DoNotDisturb/DoNotDisturb", "").await);
    assert_eq!(pair(&server).await, "Offline/Offline");
    done(&a.set("Available/Available", "").await);
    assert_eq!(pair(&server).await, "DoNotDisturb/DoNotDisturb");
}

#[tokio::test]
async fn t17_each_preferred_pair_is_taken() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Busy/InACall", "PT1H").await);
    for expected in PREFERRED_PAIRS {
        done(&a.prefer(expected, "").await);
        assert_eq!(pair(&server).await, expected);
    }
}

#[tokio::test]
async fn t18_other_pairs_are_refused_as_a_preference() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Available/Available", "PT1H").await);
    done(&a.prefer("Busy/Busy", "PT8H").await);
    let before = everything(&server).await;
    for other in pairs_other_than(&PREFERRED_PAIRS) {
        let expected = not_supported(&other, "setUserPreferredPresence", &PREFERRED_PAIRS);
        refused(&a.prefer(&other, "").await, &expected);
    }
    assert_eq!(everything(&server).await, before);
}

#[tokio::test]
async fn t19_busy_holds_for_a_day_by_default() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.prefer("Busy/Busy", "").await);
    for at in 0..8 {
        server.advance_to(hours(3 * at));
        done(&a.set("Busy/InACall", "PT4H").await);
        assert_eq!(pair(&server).await, "Busy/Busy", "{at}");
    }
    server.advance_to(hours(23) + minutes(59) + seconds(59));
    assert_eq!(pair(&server).await, "Busy/Busy");
    server.advance_to(hours(24));
    assert_eq!(pair(&server).await, "Busy/InACall", "the session shows again");
}

#[tokio::test]
async fn t20_away_holds_for_seven_days_by_default() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.prefer("Away/Away", "").await);
    server.advance_to(hours(7 * 24 - 1));
    done(&a.set("Busy/InACall", "PT4H").await);
    server.advance_to(hours(7 * 24 - 1) + minutes(59) + seconds(59));
    assert_eq!(pair(&server).await, "Away/Away");
    server.advance_to(days(7));
    assert_eq!(pair(&server).await, "Busy/InACall");
}

#[tokio::test]
async fn t21_clearing_the_preference_is_done_however_often() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    let path = format!("{}/clearUserPreferredPresence", presence_of(ADA));
    done(&a.set("Available/Available", "PT1H").await);
    done(&a.prefer("Busy/Busy", "").await);
    done(&a.client.post(&path, &json!({})).await);
    assert_eq!(pair(&server).await, "Available/Available");
    done(&a.client.post(&path, &json!({})).await);
    done(&a.prefer("Busy/Busy", "").await);
    done(&a.client.call(Method::POST, &path, None::<&[u8]>).await);
    assert_eq!(pair(&server).await, "Available/Available");
    done(&a.client.call(Method::POST, &path, None::<&[u8]>).await);
}

#[tokio::test]
async fn t22_appearing_offline_shows_while_a_session_lives() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Available/Available", "").await);
    done(&a.prefer("Offline/OffWork", "").await);
    assert_eq!(pair(&server).await, "Offline/OffWork");
}

#[tokio::test]
async fn t23_without_the_last_session_a_preference_shows_nothing() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Available/Available", "").await);
    done(&a.prefer("Busy/Busy", "").await);
    assert_eq!(pair(&server).await, "Busy/Busy");
    done(&a.clear().await);
    assert_eq!(pair(&server).await, "Offline/Offline");
    done(&a.set("Available/Available", "").await);
    assert_eq!(pair(&server).await, "Busy/Busy", "clearing a session does not remove the preference");
}

/// presence-api 9.1
#[tokio::test]
async fn each_preference_has_the_default_life_of_its_availability() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    let table = [
        ("Available/Available", "2026-11-27T09:00:00"),
        ("Busy/Busy", "2026-11-21T09:00:00"),
        ("DoNotDisturb/DoNotDisturb", "2026-11-21T09:00:00"),
        ("BeRightBack/BeRightBack", "2026-11-27T09:00:00"),
        ("Away/Away", "2026-11-27T09:00:00"),
        ("Offline/OffWork", "2026-11-27T09:00:00"),
    ];
    for (preferred, end) in table {
        done(&a.prefer(preferred, "").await);
        let (_, explanation) = everything(&server).await;
        let ends = explanation["layers"][0]["endDateTime"].as_str().expect("a preference ends");
        assert!(ends.starts_with(end), "{preferred}: {ends}");
    }
}

/// presence-api 9.1: more than zero, at most P365D.
#[tokio::test]
async fn a_preference_may_hold_for_up_to_a_year() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    for duration in ["PT1S", "PT8H", "P365D"] {
        done(&a.prefer("Busy/Busy", duration).await);
    }
    let before = everything(&server).await;
    for duration in ["PT0S", "-PT1H", "P365DT1S", "P2Y"] {
        refused(&a.prefer("Away/Away", duration).await, OUT_OF_RANGE);
    }
    assert_eq!(everything(&server).await, before);
}

/// presence-api 9.1: a second call replaces the first and restarts its life.
#[tokio::test]
async fn a_second_preference_replaces_the_first() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Available/Available", "PT4H").await);
    done(&a.prefer("Busy/Busy", "PT1H").await);
    server.advance_to(minutes(30));
    done(&a.prefer("BeRightBack/BeRightBack", "PT1H").await);
    server.advance_to(minutes(89));
    assert_eq!(pair(&server).await, "BeRightBack/BeRightBack");
    server.advance_to(minutes(90));
    assert_eq!(pair(&server).await, "Away/Away", "the session, faded by now");
}
