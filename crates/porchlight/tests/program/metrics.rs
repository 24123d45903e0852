//! `/porchlight/metrics`: the numbers that operators watch are there, move with what they count, and are those that the
//! documents, the dashboard and the alert rules name.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use porchlight_testkit::{ADA, DEMO, Nats, Receiver};
use serde_json::{Value, json};

use crate::cluster::{node, url};
use crate::documents::document;
use crate::support::{CLOCK, ME, Metrics, Program, in_folder, presence_of, text, until};
use crate::tools::test_tools;

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

#[tokio::test]
async fn latencies_users_sessions_and_tokens_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(folder.path()));
    let start = server.metrics().await;
    let (ada, ben) = (server.client("ada:"), server.client("ben:"));
    let session = json!({"sessionId": DEMO, "availability": "Available", "activity": "Available"});
    assert_eq!(ada.post(&format!("{ME}/setPresence"), &session).await.status, 200);
    assert_eq!(ben.patch(ME, &json!({"availability": "Busy", "activity": "InACall"})).await.status, 200);
    assert_eq!(ben.post(&format!("{ME}/clearPresence"), &json!({"sessionId": DEMO})).await.status, 404);
    let count = |route: &str| format!("porchlight_request_duration_seconds_count{{route=\"{route}\"");
    let shows = |availability: &str| {
        let tenant = porchlight_http::Development::TENANT;
        format!("porchlight_users_by_availability{{tenant=\"{tenant}\",availability=\"{availability}\"")
    };
    let writes = |action: &str, outcome: &str| {
        format!("porchlight_writes_total{{action=\"{action}\",outcome=\"{outcome}\"")
    };
    let set = server.metrics().await;
    for (name, value) in [
        (count("action"), 2),
        (count("presence"), 1),
        (shows("Available"), 1),
        (shows("Busy"), 1),
        (shows("Away"), 0),
        (writes("setPresence", "written"), 1),
        (writes("clearPresence", "refused"), 1),
    ] {
        assert_eq!(set.of(&name), value, "{name}");
    }
    for (name, value) in [
        ("porchlight_sessions", 1),
        ("porchlight_ready", 1),
        ("porchlight_log_waiting_appends", 0),
        // Every call has a connection of its own here.
        ("porchlight_token_cache_misses_total", 3),
        ("porchlight_token_cache_hits_total", 0),
    ] {
        assert_eq!(set.of(name), value, "{name}");
    }
    let changes = "porchlight_feed_changes_total";
    assert_eq!(set.of(changes) - start.of(changes), 2);
    let within = |bound: &str| {
        set.of(&format!("porchlight_request_duration_seconds_bucket{{route=\"action\",le=\"{bound}\""))
    };
    assert_eq!((within("10"), within("+Inf")), (2, 2));
    let batches = set.of("porchlight_log_batch_entries_count");
    assert!(batches > 0 && batches == set.of("porchlight_log_sync_seconds_count"), "{set:?}");

    // To the end of the session.
    server.advance("PT5M").await;
    let faded = async || {
        let metrics = server.metrics().await;
        (metrics.of(&shows("Offline")), metrics.of("porchlight_sessions")) == (1, 0)
    };
    until("the session has ended", faded).await;
}

/// A folder of the repository with what is deployed.
fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

/// What `promtool` says, which it only does when something is wrong if it is to `check` metrics.
fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new(test_tools().join("prometheus/promtool"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The metrics of these names, as they stand in text of any kind.
fn named(text: &str, there_are: &BTreeSet<String>) -> BTreeSet<String> {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = text.split(|letter| !is_of_name(letter));
    let metrics = words.filter(|word| word.starts_with("porchlight_") || word.starts_with("process_"));
    let metrics = metrics.map(|word| {
        let mut parts = ["_bucket", "_sum", "_count"].into_iter().filter_map(|part| word.strip_suffix(part));
        parts.find(|whole| there_are.contains(*whole)).unwrap_or(word).to_owned()
    });
    metrics.collect()
}

/// A section of a document, to the next one of the same rank.
fn section<'p>(page: &'p str, title: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("\n{title}\n")).expect("the section is there");
    let rank = title.split(' ').next().expect("a title begins with its rank");
    rest.split(&format!("\n{rank} ")).next().expect("there is always a first")
}

/// What a server shows that has done everything.
async fn of_a_busy_server() -> Metrics {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("porchlight.toml");
    let audit = folder.path().join("audit.jsonl");
    let settings = format!(
        r#"
        [audit]
        file = "{}"
        [traces]
        endpoint = "http://127.0.0.1:1/v1/traces"
        [[auth.issuer]]
        issuer = "https://127.0.0.1:1"
        audiences = ["porchlight"]
        "#,
        audit.display()
    );
    std::fs::write(&config, settings).expect("the file can be written");
    let mut command = in_folder(&folder.path().join("data"));
    let server = Program::start(command.args(["--config", text(&config)]));
    let (ada, receiver) = (server.client("ada:"), Receiver::start().await);
    let clock = server.anonymous().get(CLOCK).await.json();
    let now: jiff::Timestamp = clock["now"].as_str().and_then(|now| now.parse().ok()).expect("an instant");
    let subscription = json!({
        "changeType": "updated",
        "notificationUrl": receiver.url("/"),
        "resource": format!("communications/presences/{ADA}"),
        "expirationDateTime": (now + std::time::Duration::from_secs(50 * 60)).to_string(),
    });
    assert_eq!(ada.post("/v1.0/subscriptions", &subscription).await.status, 201);
    let session = json!({"sessionId": DEMO, "availability": "Busy", "activity": "InACall"});
    assert_eq!(ada.post(&format!("{ME}/setPresence"), &session).await.status, 200);
    receiver.items(1).await;
    assert_eq!(server.anonymous().get(ME).await.status, 401);
    assert_eq!(ada.follow(&presence_of(ADA), None).await.status, 200);
    let has_all = async || {
        let metrics = server.metrics().await;
        let slow = ["porchlight_deliveries_total", "porchlight_issuer_fetches_total", LATENESS];
        slow.iter().all(|name| metrics.get(name).is_some())
    };
    until("everything is done", has_all).await;
    server.metrics().await
}

/// What a node of a cluster shows.
async fn of_a_node() -> Metrics {
    let nats = Nats::start();
    let server = Program::start(&mut node(&url(&nats, ""), "one"));
    let busy = json!({"availability": "Busy", "activity": "InAMeeting"});
    assert_eq!(server.client("ada:").patch(ME, &busy).await.status, 200);
    server.metrics().await
}

#[tokio::test]
async fn what_is_shown_is_sound_and_is_what_documents_dashboard_and_rules_name() {
    let scrapes = [of_a_busy_server().await, of_a_node().await];
    for scrape in &scrapes {
        assert_eq!(promtool(&["check", "metrics"], scrape.text()), (true, String::new()), "{scrape:?}");
    }
    let shown: BTreeSet<String> = scrapes.iter().flat_map(Metrics::names).collect();
    let none = BTreeSet::new();

    let operating = document("OPERATING.md");
    let documented = named(section(&operating, "## Metrics"), &none);
    assert_eq!(
        documented.difference(&shown).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "documented, not shown"
    );
    assert_eq!(
        shown.difference(&documented).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "shown, not documented"
    );
    let clusters = document("CLUSTER.md");
    assert!(named(section(&clusters, "### Metrics"), &none).is_subset(&shown));

    let rules = std::fs::read_to_string(deploy("prometheus/alerts.yml")).expect("the rules are there");
    let ruled = named(&rules, &shown);
    assert!(ruled.len() > 15, "{ruled:?}");
    assert_eq!(ruled.difference(&shown).collect::<Vec<_>>(), Vec::<&String>::new(), "no rule could fire");

    let dashboard =
        std::fs::read_to_string(deploy("grafana/porchlight.json")).expect("the dashboard is there");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().expect("a query")).collect();
    let asked = named(&queries.join("\n"), &shown);
    assert_eq!(asked, shown, "the dashboard shows everything that there is, and nothing else");
    let sources: BTreeSet<&str> =
        panels.iter().filter_map(|panel| panel["datasource"]["uid"].as_str()).collect();
    assert_eq!(sources, BTreeSet::from(["${datasource}"]), "whose Prometheus it is, whoever imports it says");
}

#[test]
fn the_alert_rules_fire_when_they_are_to_and_only_then() {
    let path = |name: &str| text(&deploy("prometheus").join(name)).to_owned();
    let (is_sound, said) = promtool(&["check", "rules", &path("alerts.yml")], "");
    assert!(is_sound, "{said}");
    let (is_sound, said) = promtool(&["check", "config", &path("scrape.yml")], "");
    assert!(is_sound, "{said}");
    let (is_sound, said) = promtool(&["test", "rules", &path("alerts_test.yml")], "");
    assert!(is_sound, "{said}");
    // A rule without a case in the test would be held to nothing.
    let [rules, cases] = ["alerts.yml", "alerts_test.yml"]
        .map(|name| std::fs::read_to_string(path(name)).expect("the file is there"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 15, "{alerts:?}");
    for alert in alerts {
        assert!(cases.contains(&format!("alertname=\"{alert}\", instance=\"bad\"")), "{alert}");
    }
}
