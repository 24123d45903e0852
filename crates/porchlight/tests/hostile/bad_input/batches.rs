//! Batches that can be read, with steps that are wrong.

use std::net::SocketAddr;

use porchlight_testkit::TestServer;
use serde_json::{Value, json};

use super::{Expected, furnish, table};
use crate::support::{Message, ask, presence};

/// The answers of a batch of these requests.
async fn run(address: SocketAddr, requests: &str) -> Vec<Value> {
    let body = format!(r#"{{"requests":[{requests}]}}"#);
    let answer = ask(address, &Message::by("ada", "POST", "/v1.0/$batch").json(body)).await;
    assert_eq!(answer.status, 200, "{requests}: {answer:?}");
    answer.json()["responses"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_bad_step_is_refused_by_itself_and_changes_nothing() {
    let server = TestServer::start().await;
    let address = server.address();
    furnish(address).await;
    let before = presence(address, "ada").await;
    let rows = include_str!("steps.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for row in rows {
        let (Expected::Error(status, code), step) = table::row(row) else {
            unreachable!("a row is an error")
        };
        for step in table::expand(step) {
            // A good step on either side: neither is harmed.
            let good = r#""method":"GET","url":"/me/presence""#;
            let step = step.replacen('{', r#"{"id":"bad","#, 1);
            let answers = run(address, &format!(r#"{{"id":"a",{good}}},{step},{{"id":"b",{good}}}"#)).await;
            let statuses: Vec<&Value> = answers.iter().map(|answer| &answer["status"]).collect();
            assert_eq!(statuses, [&json!(200), &json!(status), &json!(200)], "{row}: {answers:?}");
            let error = &answers[1]["body"]["error"];
            assert_eq!(error["code"], code, "{row}: {error}");
            for part in [&error["message"], &error["innerError"]["request-id"], &error["innerError"]["date"]]
            {
                assert!(part.as_str().is_some_and(|text| !text.is_empty()), "{row}: {error}");
            }
            assert_eq!(presence(address, "ada").await, before, "{row}");
        }
    }
}

#[tokio::test]
async fn what_depends_on_a_bad_step_is_not_run() {
    let server = TestServer::start().await;
    let answers = run(
        server.address(),
        r#"{"id":"3","method":"PATCH","url":"/me/presence","body":{"availability":"Busy"},"dependsOn":["2"]},
           {"id":"1","method":"G ET","url":"/me"},
           {"id":"2","method":"DELETE","url":"/me/presence","dependsOn":["1"]}"#,
    )
    .await;
    let statuses: Vec<&Value> = answers.iter().map(|answer| &answer["status"]).collect();
    assert_eq!(statuses, [&json!(424), &json!(400), &json!(424)], "{answers:?}");
}

#[tokio::test]
async fn header_values_that_are_no_text_are_left_out() {
    let server = TestServer::start().await;
    let step = r#"{"id":"1","method":"GET","url":"/me/presence",
        "headers":{"Accept":5,"Content-Type":[],"X":null,"a b":"x","Y":"a\r\nb","":"x"}}"#;
    let answers = run(server.address(), step).await;
    assert_eq!(answers[0]["status"], 200, "{answers:?}");
}
