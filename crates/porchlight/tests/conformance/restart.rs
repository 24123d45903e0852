//! What a restart keeps: presence-api 10.1, design 6.

use porchlight_testkit::{START, TestServer};
use serde_json::json;

use crate::support::{
    Application, ME, NO_SESSION, ada, done, everything, pair, read, redacted, refused, sequence, status_until,
};

/// This many minutes after the start, in Unix milliseconds.
fn after(minutes: i64) -> i64 {
    START + minutes * 60_000
}

#[tokio::test]
async fn t53_a_session_survives_a_restart_with_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let builder = || TestServer::builder().data(folder.path());
    let server = builder().start().await;
    done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
    let (presence, explanation) = everything(&server).await;
    let before = (redacted(&server, &presence), redacted(&server, &explanation));
    server.stop();
    let server = builder().start_at(after(1)).start().await;
    let (presence, explanation) = everything(&server).await;
    assert_eq!((redacted(&server, &presence), redacted(&server, &explanation)), before, "start and end too");
    server.stop();
    let server = builder().start_at(after(60) - 1).start().await;
    assert_eq!(pair(&server).await, "Busy/InACall");
    server.stop();
    let server = builder().start_at(after(60)).start().await;
    assert_eq!(pair(&server).await, "Offline/Offline");
    refused(&Application::a(&server).clear().await, NO_SESSION);
}

#[tokio::test]
async fn a_stage_that_was_missed_is_entered_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let builder = || TestServer::builder().data(folder.path());
    let server = builder().start().await;
    done(&Application::a(&server).set("Available/Available", "PT1H").await);
    server.stop();
    let table = [
        (4, "Available/Available", START),
        (5, "Available/AvailableInactive", after(5)),
        (10, "Away/Away", after(10)),
        (60, "Offline/Offline", after(60)),
    ];
    for (at, expected, changed) in table {
        let server = builder().start_at(after(at) + 1).start().await;
        assert_eq!(pair(&server).await, expected, "{at} min");
        assert_eq!(sequence(&read(&server).await), changed, "since the instant at which it would have come");
        server.stop();
    }
}

#[tokio::test]
async fn every_part_survives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let builder = || TestServer::builder().data(folder.path());
    let server = builder().start().await;
    let body = json!({
        "availability": "Away",
        "activity": "BeRightBack",
        "statusMessage": status_until("Off \u{1F3D6}", "2026-11-20T17:05:33.2079781", "UTC")["statusMessage"],
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"},
        "workLocation": {"workLocationType": "office", "placeId": "desk 7"},
    });
    assert_eq!(ada(&server).patch(ME, &body).await.status, 200);
    let before = redacted(&server, &read(&server).await);
    server.stop();
    let server = builder().start_at(after(1)).start().await;
    assert_eq!(redacted(&server, &read(&server).await), before);
}
