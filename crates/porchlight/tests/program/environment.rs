//! Settings from flags, environment variables and a file: each of them works, and the first of the three wins.

use std::process::Command;

use porchlight_testkit::Client;
use serde_json::{Value, json};

use crate::load::seed_file;
use crate::support::{ME, Program, in_memory, porchlight, serve, text, until};

/// A limit as it is in force.
async fn limit(server: &Program, name: &str) -> Value {
    let limits = server.anonymous().get("/porchlight/limits").await.json();
    let found = limits["limits"].as_array().and_then(|list| list.iter().find(|limit| limit["name"] == name));
    found.unwrap_or_else(|| panic!("no limit {name}: {limits}"))["value"].clone()
}

async fn profile(server: &Program) -> String {
    let limits = server.anonymous().get("/porchlight/limits").await.json();
    limits["profile"].as_str().expect("a profile").to_owned()
}

/// What the server calls itself, in a header of the original's.
async fn node_name(server: &Program) -> String {
    let answer = server.anonymous().get("/v1.0/").await;
    let diagnostic: Value = serde_json::from_str(answer.header("x-ms-ags-diagnostic")).expect("JSON");
    diagnostic["ServerInfo"]["RoleInstance"].as_str().expect("a name").to_owned()
}

/// Scheme, host and port as the server tells them to a client.
async fn public_url(client: &Client) -> String {
    let document = client.get("/v1.0/").await.json();
    let context = document["@odata.context"].as_str().expect("a context");
    context.strip_suffix("/v1.0/$metadata").expect("it names the metadata").to_owned()
}

/// The origin that a browser on this page is allowed to read answers from.
async fn allowed(server: &Program, page: &str) -> String {
    let browser = server.anonymous().header("origin", page);
    browser.get("/porchlight/health").await.header("access-control-allow-origin").to_owned()
}

/// How many threads serve requests.
fn threads(server: &Program) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).expect("a process has threads");
    let names = tasks.map(|task| std::fs::read_to_string(task.expect("a thread").path().join("comm")));
    let is_one =
        |name: &String| name.strip_prefix("http-").is_some_and(|rest| rest.starts_with(char::is_numeric));
    names.map_while(Result::ok).filter(is_one).count()
}

/// How many times the disk was asked to confirm while so many writes were answered, one after the other.
async fn syncs(server: &Program, writes: u64) -> u64 {
    let before = server.metrics().await.of("porchlight_log_syncs_total");
    let client = server.client("person0:");
    for _ in 0..writes {
        assert_eq!(client.patch(ME, &json!({"availability": "Busy"})).await.status, 200);
    }
    server.metrics().await.of("porchlight_log_syncs_total") - before
}

fn has(lines: &[String], text: &str) -> bool {
    lines.iter().any(|line| line.contains(text))
}

/// A server with each of these settings as a flag, or as the variable that stands for it.
fn with(settings: &[(&str, &str)], as_variables: bool) -> Command {
    let mut command = porchlight(&["serve"]);
    for (flag, value) in settings {
        if as_variables {
            // The one flag that may be repeated has a variable that takes a list.
            let name = if *flag == "--cors-origin" { "--cors-origins" } else { *flag };
            let name = name.trim_start_matches('-').replace('-', "_").to_uppercase();
            command.env(format!("PORCHLIGHT_{name}"), value);
        } else {
            command.args([flag, value]);
        }
    }
    command
}

#[tokio::test]
async fn every_flag_is_a_variable_too() {
    for as_variables in [false, true] {
        let settings = [
            ("--dev", "true"),
            ("--dev-allow-remote", "true"),
            ("--listen", "0.0.0.0:0"),
            ("--ephemeral", "true"),
            ("--profile", "strict"),
            ("--access-log", "false"),
            ("--log-format", "json"),
            ("--threads", "3"),
            ("--public-url", "https://presence.example/"),
            ("--node-name", "desk-7"),
            ("--cors-origin", "https://one.example,https://two.example"),
        ];
        let server = Program::start(&mut with(&settings, as_variables));
        assert!(has(&server.out().lines(), "development mode; data in memory"), "{:?}", server.out());
        assert!(server.url().starts_with("http://0.0.0.0:"), "{}", server.url());
        assert_eq!(profile(&server).await, "strict");
        until("three threads serve", async || threads(&server) == 3).await;
        assert_eq!(public_url(&server.anonymous()).await, "https://presence.example");
        assert_eq!(node_name(&server).await, "desk-7");
        assert_eq!(allowed(&server, "https://one.example").await, "https://one.example");
        assert_eq!(allowed(&server, "https://two.example").await, "https://two.example");
        assert_eq!(allowed(&server, "https://three.example").await, "");
        let log = server.stop().err;
        assert!(log.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log:#?}");
        assert!(has(&log, "development mode takes any token, and others can reach this server"), "{log:#?}");
        assert!(!has(&log, "porchlight::request"), "{log:#?}");
    }
}

#[tokio::test]
async fn folder_seed_and_durability_are_variables_too() {
    const WRITES: u64 = 30;
    let place = tempfile::tempdir().expect("a folder");
    let people = seed_file(place.path());
    for (durability, as_variables) in [("full", false), ("relaxed", false), ("full", true), ("relaxed", true)]
    {
        let data = place.path().join(format!("{durability}-{as_variables}"));
        let settings = [
            ("--dev", "true"),
            ("--listen", "127.0.0.1:0"),
            ("--data", text(&data)),
            ("--seed", text(&people)),
            ("--durability", durability),
        ];
        let server = Program::start(&mut with(&settings, as_variables));
        assert!(has(&server.out().lines(), &format!("data in {}", data.display())), "{:?}", server.out());
        assert!(data.join("porchlight.log").is_file());
        assert_eq!(server.metrics().await.of("porchlight_people"), 256);
        let syncs = syncs(&server, WRITES).await;
        // At full durability each of them is on the disk before it is answered; else the disk is asked every 100 ms.
        assert_eq!(syncs >= WRITES, durability == "full", "{durability}: {syncs} syncs for {WRITES} writes");
        server.stop();
    }
}

#[tokio::test]
async fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("porchlight.toml");
    let config =
        "dev = true\nephemeral = true\nprofile = \"strict\"\npublic_url = \"https://file.example\"\n";
    std::fs::write(&file, config).expect("the file can be written");
    let table = [
        (Some("https://flag.example"), Some("https://variable.example"), "https://flag.example"),
        (Some("https://flag.example"), None, "https://flag.example"),
        (None, Some("https://variable.example"), "https://variable.example"),
        (None, None, "https://file.example"),
    ];
    for (flag, variable, expected) in table {
        let mut command = serve(&[]);
        command.env("PORCHLIGHT_CONFIG", &file).env("PORCHLIGHT_PROFILE", "open");
        command.args(flag.into_iter().flat_map(|flag| ["--public-url", flag]));
        command.envs(variable.map(|variable| ("PORCHLIGHT_PUBLIC_URL", variable)));
        let server = Program::start(&mut command);
        assert_eq!(public_url(&server.anonymous()).await, expected, "{flag:?} {variable:?}");
        assert_eq!(profile(&server).await, "open", "what the variable says, and not the file");
        assert_eq!(server.client("ada:").get(ME).await.status, 200, "what only the file says holds too");
    }
}

#[test]
fn a_switch_is_set_by_the_words_that_people_use() {
    let table = [
        ("1", true),
        ("yes", true),
        ("on", true),
        ("0", false),
        ("no", false),
        ("off", false),
        ("false", false),
    ];
    for (word, on) in table {
        let server = Program::start(serve(&["--ephemeral"]).env("PORCHLIGHT_DEV", word));
        let greeting = server.out().lines().first().cloned().unwrap_or_default();
        assert_eq!(greeting.contains("development mode"), on, "{word}: {greeting}");
    }
}

#[tokio::test]
async fn what_the_file_or_a_variable_turns_on_a_flag_turns_off() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("porchlight.toml");
    std::fs::write(&file, "dev = true\nephemeral = true\naccess_log = true\n")
        .expect("the file can be written");
    let mut command = serve(&["--config", text(&file), "--dev", "false", "--access-log=false"]);
    let server = Program::start(command.env("PORCHLIGHT_DEV", "true").env("PORCHLIGHT_ACCESS_LOG", "true"));
    assert_eq!(server.client("ada:").get(ME).await.status, 401);
    let ended = server.stop();
    assert!(!has(&ended.out, "development mode"), "{ended:?}");
    assert!(!has(&ended.err, "porchlight::request"), "{ended:?}");
}

#[tokio::test]
async fn every_key_of_the_file_is_in_force() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("porchlight.toml");
    let data = place.path().join("data");
    let config = format!(
        r#"
        dev = true
        dev_allow_remote = false
        dev_skip_validation = false
        listen = "127.0.0.1:0"
        data = "{}"
        ephemeral = false
        durability = "relaxed"
        seed = "{}"
        profile = "strict"
        access_log = false
        log_format = "json"
        threads = 2
        node_name = "desk-8"
        cors_origins = ["https://one.example"]
        accept_clock = true
        trust_forwarded = true
        slow_request = "PT0S"
        [limits]
        body_bytes = 2048
        header_bytes = 4096
        header_time = "PT5S"
        body_time = "PT6S"
        answer_time = "PT9S"
        connections = 100
        connections_per_address = 50
        wait = "PT7S"
        streams = 200
        stream_heartbeat = "PT8S"
        waiting_writes = 2000
        cache_bytes = 1048576
        [presence]
        fade = true
        fade_inactive_after = "PT1M"
        fade_away_after = "PT2M"
        expiry_grace = "PT3S"
        session_duration_min = "PT1M"
        session_duration_max = "PT8H"
        session_duration_default = "PT10M"
        sessions = 4
        status_message_characters = 50
        location_days = 3
        time_zone = "Europe/Berlin"
        "#,
        data.display(),
        seed_file(place.path()).display(),
    );
    std::fs::write(&file, config).expect("the file can be written");
    let server = Program::start(&mut porchlight(&["serve", "--config", text(&file)]));
    assert!(data.join("porchlight.log").is_file());
    assert_eq!(server.metrics().await.of("porchlight_people"), 256);
    assert_eq!(profile(&server).await, "strict");
    until("two threads serve", async || threads(&server) == 2).await;
    assert_eq!(node_name(&server).await, "desk-8");
    assert_eq!(allowed(&server, "https://one.example").await, "https://one.example");
    assert_eq!(allowed(&server, "https://two.example").await, "");
    let proxy = server.anonymous().header("x-forwarded-proto", "https");
    let proxy = proxy.header("x-forwarded-host", "presence.example");
    assert_eq!(public_url(&proxy).await, "https://presence.example");
    let limits = [
        ("bodyBytes", json!(2048)),
        ("headerBytes", json!(4096)),
        ("headerTime", json!("PT5S")),
        ("bodyTime", json!("PT6S")),
        ("answerTime", json!("PT9S")),
        ("connections", json!(100)),
        ("connectionsPerAddress", json!(50)),
        ("wait", json!("PT7S")),
        ("openStreams", json!(200)),
        ("streamHeartbeat", json!("PT8S")),
        ("waitingWrites", json!(2000)),
        ("fadeInactiveAfter", json!("PT1M")),
        ("fadeAwayAfter", json!("PT2M")),
        ("expiryGrace", json!("PT3S")),
        ("sessionDurationMin", json!("PT1M")),
        ("sessionDurationMax", json!("PT8H")),
        ("sessionDurationDefault", json!("PT10M")),
        ("sessionsPerUser", json!(4)),
        ("statusMessageCharacters", json!(50)),
        ("workLocationDays", json!(3)),
    ];
    for (name, value) in limits {
        assert_eq!(limit(&server, name).await, value, "{name}");
    }
    let client = server.client("person0:");
    let body = json!({"workLocation": {"workLocationType": "office"}});
    assert_eq!(client.patch(ME, &body).await.status, 200);
    let explanation = client.get(&format!("{ME}/porchlight.explain")).await.json();
    let end = explanation["layers"][0]["endDateTime"].as_str().expect("a location ends").to_owned();
    assert!(end.contains("T22:00:00.") || end.contains("T23:00:00."), "midnight in Berlin: {end}");
    let log = server.stop().err;
    assert!(has(&log, r#""slow":true"#), "every request is slower than nothing: {log:#?}");
}

#[tokio::test]
async fn the_fade_can_be_turned_off_and_forwarded_headers_are_not_believed_unless_told_to() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("porchlight.toml");
    std::fs::write(&file, "[presence]\nfade = false\n").expect("the file can be written");
    let server = Program::start(in_memory().args(["--config", text(&file)]));
    assert_eq!(limit(&server, "fadeInactiveAfter").await, Value::Null);
    assert_eq!(limit(&server, "fadeAwayAfter").await, Value::Null);
    let client = server.anonymous().header("x-forwarded-host", "elsewhere.example");
    assert_eq!(public_url(&client).await, server.url());
}

#[tokio::test]
async fn requests_are_limited_by_the_file_and_by_the_profile_strict_only() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("porchlight.toml");
    let table = [
        ("", Value::Null, Value::Null),
        ("[limits]\nrequests_window = \"PT10S\"\n", Value::Null, Value::Null),
        ("[limits]\nrequests = 7\n", json!(7), json!("PT30S")),
        ("[limits]\nrequests = 7\nrequests_window = \"PT10S\"\n", json!(7), json!("PT10S")),
        ("profile = \"strict\"\n", json!(1500), json!("PT30S")),
    ];
    for (config, requests, window) in table {
        std::fs::write(&file, config).expect("the file can be written");
        let server = Program::start(in_memory().args(["--config", text(&file)]));
        assert_eq!(limit(&server, "requests").await, requests, "{config}");
        assert_eq!(limit(&server, "requestsWindow").await, window, "{config}");
    }
}
