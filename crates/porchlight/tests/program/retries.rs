//! What an SDK does when it comes too often: it obeys `Retry-After`, on the real clock.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Program, in_memory, run, text};
use crate::tools::test_tools;

#[tokio::test]
async fn microsofts_client_for_javascript_waits_as_long_as_it_is_told_and_succeeds() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("porchlight.toml");
    std::fs::write(&config, "[limits]\nrequests = 3\nrequests_window = \"PT2S\"\n")
        .expect("the file can be written");
    let server = Program::start(in_memory().args(["--config", text(&config)]));
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/retry.mjs"));
    node.args([&server.url(), "dev:ada:", "4"]).env("NODE_PATH", test_tools().join("node_modules"));
    let ended = run(&mut node);
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let told: Value = serde_json::from_str(&ended.answer()).expect("it is JSON");
    assert_eq!(told["availabilities"], json!(["Offline", "Offline", "Offline", "Offline"]));
    let answers = told["answers"].as_array().expect("a list");
    let statuses: Vec<&Value> = answers.iter().map(|answer| &answer["status"]).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 200], "it came back once: {told}");
    let told_to_wait = answers[3]["retryAfter"].as_str().and_then(|seconds| seconds.parse::<f64>().ok());
    let told_to_wait = told_to_wait.expect("Retry-After is a number of seconds");
    assert!((1.0..=2.0).contains(&told_to_wait), "{told}");
    let at = |number: usize| answers[number]["at"].as_f64().expect("a time");
    // Timers of Node.js are early by a millisecond at most.
    assert!(at(4) - at(3) >= told_to_wait * 1000.0 - 1.0, "{told}");
    assert_eq!(server.metrics().await.of("porchlight_requests_limited_total"), 1);
}
