//! `porchlight status`: who is in the cluster of a server; here of one that is alone.

use porchlight_store::Fault;
use porchlight_testkit::TestServer;
use serde_json::{Value, json};

use crate::support::{ME, Program, in_memory, porchlight, refusal, run};

const UNHEALTHY: i32 = 1;

/// The columns of a line.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn a_server_that_is_alone_is_the_only_node_and_does_everything() {
    let server = Program::start(in_memory().args(["--node-name", "lone"]));
    let said = run(&mut porchlight(&["status", "--url", &server.url()])).answer();
    let lines: Vec<&str> = said.lines().collect();
    let [head, node, asked, ready] = lines.as_slice() else { panic!("{said}") };
    assert_eq!(cells(head), ["node", "id", "version", "skew", "lag", "slots"]);
    assert_eq!(cells(node), ["lone *", "00000000", env!("CARGO_PKG_VERSION"), "0 ms", "0 ms", "all"]);
    assert_eq!((*asked, *ready), ("* was asked", "ready"));
    let by_variable = run(porchlight(&["status"]).env("PORCHLIGHT_URL", server.url()));
    assert_eq!(by_variable.answer(), said);
}

#[tokio::test]
async fn with_json_it_prints_what_the_server_answers() {
    let server = Program::start(&mut in_memory());
    let said = run(&mut porchlight(&["status", "--json", "--url", &server.url()])).answer();
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said, server.anonymous().get("/porchlight/cluster").await.json());
    assert_eq!(said["ready"], true);
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_shown_and_is_not_ready() {
    let server = TestServer::start().await;
    server.memory().inject(Fault::FailedNotWritten);
    assert_eq!(server.client("ada:").patch(ME, &json!({"availability": "Busy"})).await.status, 503);
    let ended = run(&mut porchlight(&["status", "--url", &server.url()]));
    assert_eq!(ended.code, Some(UNHEALTHY), "{ended:?}");
    assert_eq!(ended.out.first().map(|head| cells(head).len()), Some(6), "{ended:?}");
    assert!(!ended.out.contains(&"ready".to_owned()), "{ended:?}");
    let [complaint] = ended.err.as_slice() else { panic!("{ended:?}") };
    let why =
        complaint.strip_prefix(&format!("porchlight: the server on {} is not ready: ", server.address()));
    assert!(why.is_some_and(|why| why.contains("a fault was injected")), "{ended:?}");
}

#[test]
fn whoever_is_no_porchlight_is_named() {
    // A port that programs do not take unless they are told to.
    let ended = run(&mut porchlight(&["status", "--url", "http://127.0.0.1:1"]));
    let expected = "no server answers on 127.0.0.1:1: Connection refused (os error 111)";
    assert_eq!(refusal(&ended, UNHEALTHY), expected);
}
