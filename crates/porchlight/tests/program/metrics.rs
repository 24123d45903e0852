//! `/porchlight/metrics`: the numbers that operators watch are there, and move with what they count.

use porchlight_testkit::DEMO;
use serde_json::json;

use crate::support::{CLOCK, ME, Metrics, Program, in_folder, until};

const LATENESS: &str = "porchlight_timer_lateness_seconds_count";

/// A timer fires on its own thread's time: until this many have.
async fn until_fired(server: &Program, timers: u64) {
    until("the timer fires", async || server.metrics().await.of(LATENESS) >= timers).await;
}

#[tokio::test]
async fn the_metrics_are_there_from_the_start_and_move() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(folder.path()));
    let ada = server.client("ada:");
    until("the timers run", async || server.metrics().await.get(LATENESS).is_some()).await;
    let start = server.metrics().await;
    // Two entries for each of the dozen people, and the key of the cursors.
    assert_eq!(start.of("porchlight_log_appends_total"), 25);
    assert!((1..=25).contains(&start.of("porchlight_log_syncs_total")), "{start:?}");
    for (name, value) in [
        ("porchlight_people", 12),
        ("porchlight_users", 0),
        ("porchlight_timers_armed", 0),
        ("porchlight_timers_overdue_seconds", 0),
        ("porchlight_log_faults_total", 0),
        ("porchlight_log_writable", 1),
        (LATENESS, 0),
    ] {
        assert_eq!(start.of(name), value, "{name}");
    }

    let session = json!({
        "sessionId": DEMO, "availability": "Available", "activity": "Available", "expirationDuration": "PT1H",
    });
    assert_eq!(ada.post(&format!("{ME}/setPresence"), &session).await.status, 200);
    let set = server.metrics().await;
    let moved = |name: &str, from: &Metrics, to: &Metrics| to.of(name) - from.of(name);
    assert_eq!(moved("porchlight_log_appends_total", &start, &set), 1);
    assert_eq!(moved("porchlight_log_syncs_total", &start, &set), 1);
    assert_eq!((set.of("porchlight_users"), set.of("porchlight_timers_armed")), (1, 1));

    // Two fades and an end: after that there is nothing left to wait for.
    for (timers, by) in [(1, "PT5M"), (2, "PT5M"), (3, "PT50M")] {
        server.advance(by).await;
        until_fired(&server, timers).await;
    }
    let over = server.metrics().await;
    assert_eq!((over.of(LATENESS), over.of("porchlight_timers_armed")), (3, 0));
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(folder.path()));
    let ada = server.client("ada:");
    for _ in 0..3 {
        assert_eq!(ada.get(ME).await.status, 200);
    }
    assert_eq!(server.anonymous().get(ME).await.status, 401);
    assert_eq!(ada.get("/v1.0/nonsense").await.status, 400);
    assert_eq!(server.anonymous().get(CLOCK).await.status, 200);
    let metrics = server.metrics().await;
    let table = [("presence", 200, 3), ("presence", 401, 1), ("unknown", 400, 1), ("operations", 200, 1)];
    for (route, status, count) in table {
        let name = format!("porchlight_requests_total{{route=\"{route}\",status=\"{status}\"");
        assert_eq!(metrics.of(&name), count, "{name}");
    }
    assert_eq!(metrics.of("porchlight_requests_total"), 6, "{metrics:?}");
}
