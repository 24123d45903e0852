//! Batches as a whole: presence-api 17.

use http::Method;
use porchlight_testkit::{APP_A, TestServer};
use serde_json::{Value, json};

use crate::support::{BATCH, NOBODY, ada, members, pair, refused, session};

/// A step that reads Ada's presence.
fn read_step(id: &str) -> Value {
    json!({"id": id, "method": "GET", "url": "/me/presence"})
}

/// A step that sets Ada's presence.
fn set_step(id: &str, pair: &str) -> Value {
    json!({"id": id, "method": "POST", "url": "/me/presence/setPresence", "body": session(APP_A, pair, "")})
}

/// The answers to these steps, sent by Ada.
async fn run(server: &TestServer, steps: &[Value]) -> Vec<Value> {
    let answer = ada(server).post(BATCH, &json!({"requests": steps})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(members(&answer.json()), ["responses"]);
    answer.json()["responses"].as_array().expect("a list").clone()
}

/// id and status of each answer.
fn outcomes(responses: &[Value]) -> Vec<(String, u64)> {
    let outcome = |one: &Value| {
        (one["id"].as_str().unwrap_or_default().to_owned(), one["status"].as_u64().unwrap_or(0))
    };
    responses.iter().map(outcome).collect()
}

/// What [`outcomes`] gives for these.
fn expected<const N: usize>(outcomes: [(&str, u64); N]) -> Vec<(String, u64)> {
    outcomes.map(|(id, status)| (id.to_owned(), status)).to_vec()
}

#[tokio::test]
async fn t45_a_batch_has_up_to_twenty_steps_that_may_depend_on_each_other() {
    let server = TestServer::start().await;
    let steps = |count: usize| (0..count).map(|n| read_step(&format!("step {n}"))).collect::<Vec<_>>();
    let responses = run(&server, &steps(20)).await;
    assert_eq!(responses.len(), 20);
    assert!(responses.iter().all(|one| one["status"] == 200 && one["body"]["availability"] == "Offline"));
    let more = ada(&server).post(BATCH, &json!({"requests": steps(21)})).await;
    refused(&more, "400 MaximumValueExceeded Number of batch request steps exceeds the maximum value of 20.");
    let twice = ada(&server).post(BATCH, &json!({"requests": [read_step("a"), read_step("A")]})).await;
    assert!(twice.error().starts_with("400 BadRequest "), "ids are unique regardless of case: {twice:?}");
    let mut chain = vec![
        set_step("fails", "Busy/Busy"),
        set_step("second", "Busy/InACall"),
        set_step("third", "Busy/InACall"),
        set_step("free", "Away/Away"),
    ];
    chain[1]["dependsOn"] = json!(["fails"]);
    chain[2]["dependsOn"] = json!(["second"]);
    let responses = run(&server, &chain).await;
    let statuses = expected([("fails", 400), ("second", 424), ("third", 424), ("free", 200)]);
    assert_eq!(outcomes(&responses), statuses);
    for failed in &responses[1..3] {
        assert_eq!(failed["body"]["error"]["code"], "FailedDependency");
        assert_eq!(failed["body"]["error"]["message"], "A request this one depends on failed.");
    }
    assert_eq!(pair(&server).await, "Away/Away");
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_is_refused_whole() {
    let server = TestServer::start().await;
    let bad = [
        json!({}),
        json!({"requests": null}),
        json!({"requests": {}}),
        json!({"requests": ["x"]}),
        json!({"requests": [{"method": "GET", "url": "/me/presence"}]}),
        json!({"requests": [{"id": 1, "method": "GET", "url": "/me/presence"}]}),
    ];
    for body in bad {
        let answer = ada(&server).post(BATCH, &body).await;
        refused(&answer, "400 BadRequest Invalid batch payload format.");
    }
}

#[tokio::test]
async fn a_batch_without_steps_has_no_answers() {
    let server = TestServer::start().await;
    assert_eq!(run(&server, &[]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_batch_needs_a_token() {
    let server = TestServer::start().await;
    let answer = server.anonymous().post(BATCH, &json!({"requests": [read_step("1")]})).await;
    refused(&answer, "401 InvalidAuthenticationToken Access token is empty.");
}

#[tokio::test]
async fn dependencies_must_exist_and_have_an_order() {
    let server = TestServer::start().await;
    let depending = |id: &str, on: &[&str]| {
        let mut step = set_step(id, "Busy/InACall");
        step["dependsOn"] = json!(on);
        step
    };
    let bad = [
        vec![depending("a", &["nobody"])],
        vec![depending("a", &["a"])],
        vec![depending("a", &["b"]), depending("b", &["a"])],
        vec![depending("a", &["c"]), depending("b", &["a"]), depending("c", &["b"])],
    ];
    for steps in bad {
        let answer = ada(&server).post(BATCH, &json!({"requests": steps})).await;
        assert!(answer.error().starts_with("400 BadRequest "), "{answer:?}");
    }
    assert_eq!(pair(&server).await, "Offline/Offline", "nothing was done");
}

#[tokio::test]
async fn a_step_may_depend_on_a_later_one_and_sees_what_it_did() {
    let server = TestServer::start().await;
    let mut first = read_step("get");
    first["dependsOn"] = json!(["SET"]);
    let responses = run(&server, &[first, set_step("set", "Busy/InACall")]).await;
    assert_eq!(outcomes(&responses), expected([("get", 200), ("set", 200)]), "in the order of the requests");
    assert_eq!(responses[0]["body"]["activity"], "InACall");
}

#[tokio::test]
async fn a_chain_is_run_one_after_another() {
    let server = TestServer::start().await;
    let mut steps = Vec::new();
    for (at, pair) in
        ["Busy/InACall", "Away/Away", "DoNotDisturb/Presenting", "Available/Available"].iter().enumerate()
    {
        let mut set = set_step(&format!("set {at}"), pair);
        let mut get = read_step(&format!("get {at}"));
        get["dependsOn"] = json!([format!("set {at}")]);
        if at > 0 {
            set["dependsOn"] = json!([format!("get {}", at - 1)]);
        }
        steps.extend([set, get]);
    }
    let responses = run(&server, &steps).await;
    let seen: Vec<&Value> = responses.iter().skip(1).step_by(2).map(|one| &one["body"]["activity"]).collect();
    assert_eq!(seen, ["InACall", "Away", "Presenting", "Available"]);
}

#[tokio::test]
async fn a_failed_step_fails_none_but_its_dependants() {
    let server = TestServer::start().await;
    let steps = vec![
        json!({"id": "1", "method": "GET", "url": "/nowhere"}),
        read_step("2"),
        json!({"id": "3", "method": "PUT", "url": "/me/presence"}),
        json!({"id": "4", "method": "GET", "url": format!("/users/{NOBODY}/presence")}),
    ];
    let responses = run(&server, &steps).await;
    assert_eq!(outcomes(&responses), expected([("1", 400), ("2", 200), ("3", 405), ("4", 404)]));
    assert_eq!(responses[0]["body"]["error"]["message"], "Resource not found for the segment 'nowhere'.");
    assert_eq!(responses[2]["headers"]["Allow"], "GET, HEAD, PATCH, DELETE");
}

#[tokio::test]
async fn each_step_has_a_request_id_of_its_own_and_the_clients_of_the_batch() {
    let server = TestServer::start().await;
    let steps: Vec<Value> =
        ["1", "2"].iter().map(|id| json!({"id": id, "method": "GET", "url": "/nowhere"})).collect();
    let client = ada(&server).header("client-request-id", "the-clients-own-id");
    let answer = client.post(BATCH, &json!({"requests": steps})).await;
    let responses = answer.json()["responses"].clone();
    let inner = |at: usize| responses[at]["body"]["error"]["innerError"].clone();
    assert_ne!(inner(0)["request-id"], inner(1)["request-id"]);
    assert_ne!(inner(0)["request-id"], answer.header("request-id"));
    for at in [0, 1] {
        assert_eq!(inner(at)["client-request-id"], "the-clients-own-id");
        assert_eq!(inner(at)["date"], "2026-11-20T09:00:00");
    }
}

#[tokio::test]
async fn a_batch_is_posted() {
    let server = TestServer::start().await;
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let answer = ada(&server).call(method, BATCH, None::<&[u8]>).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
    }
}
