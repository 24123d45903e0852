//! The steps of a batch: presence-api 17, client-quirks.

use porchlight_testkit::{ADA, APP_A, TestServer};
use serde_json::{Value, json};

use crate::support::{BATCH, NOBODY, ada, members, pair, session, state, status};

/// The answer to one step, sent by Ada to this batch path.
async fn run_at(server: &TestServer, path: &str, step: &Value) -> Value {
    let answer = ada(server).post(path, &json!({"requests": [step]})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["responses"][0].clone()
}

async fn run(server: &TestServer, step: &Value) -> Value {
    run_at(server, BATCH, step).await
}

fn get(url: &str) -> Value {
    json!({"id": "1", "method": "GET", "url": url})
}

fn patch(body: &Value) -> Value {
    json!({"id": "1", "method": "PATCH", "url": "/me/presence", "body": body})
}

#[tokio::test]
async fn an_answer_without_a_body_has_no_such_member() {
    let server = TestServer::start().await;
    let step = |action: &str, body: Value| json!({"id": "1", "method": "POST", "url": format!("/me/presence/{action}"), "body": body});
    let table = [
        (step("setPresence", session(APP_A, "Busy/InACall", "")), 200),
        (step("setManualLocation", json!({"workLocationType": "office"})), 204),
        (json!({"id": "1", "method": "DELETE", "url": "/me/presence"}), 204),
    ];
    for (step, status) in table {
        let response = run(&server, &step).await;
        assert_eq!(members(&response), ["id", "status", "headers"], "{step}");
        assert_eq!(response["status"], status);
        assert_eq!(response["headers"]["Cache-Control"], "no-cache");
        assert!(response["headers"].get("Content-Type").is_none(), "{response}");
    }
}

#[tokio::test]
async fn a_step_with_head_is_answered_as_one_with_get_is_but_without_the_body() {
    let server = TestServer::start().await;
    let step = |id: &str, url: &str| json!({"id": id, "method": "HEAD", "url": url});
    let mut steps = [step("1", "/me/presence"), step("2", "/nowhere"), step("3", "/me/presence")];
    steps[2]["dependsOn"] = json!(["2"]);
    let answer = ada(&server).post(BATCH, &json!({"requests": steps})).await.json();
    for (at, status) in [(0, 200), (1, 400), (2, 424)] {
        let response = &answer["responses"][at];
        assert_eq!(members(response), ["id", "status", "headers"], "{response}");
        assert_eq!(response["status"], status);
        assert!(response["headers"]["Content-Type"].is_string(), "{response}");
    }
}

#[tokio::test]
async fn an_answer_with_a_body_names_its_type() {
    let server = TestServer::start().await;
    let json =
        "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
    for (url, kind) in [("/me/presence", json), ("/nowhere", "application/json")] {
        let response = run(&server, &get(url)).await;
        assert_eq!(response["headers"]["Content-Type"], kind, "{url}");
        assert_eq!(response["headers"]["OData-Version"], "4.0");
        assert_eq!(response["headers"]["Cache-Control"], "no-cache");
        assert!(response["body"].is_object(), "{response}");
    }
}

#[tokio::test]
async fn a_url_is_relative_to_the_version() {
    let server = TestServer::start().await;
    let urls = [
        "/me/presence",
        "me/presence",
        "/me/presence?$select=id,activity",
        "/me/presence?%24select=id%2Cactivity",
        "/users/ada%40porchlight.example/presence",
        "/communications/presences/8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01",
    ];
    for url in urls {
        let response = run(&server, &get(url)).await;
        assert_eq!(response["status"], 200, "{url}: {response}");
        assert_eq!(response["body"]["id"], ADA, "{url}");
    }
}

#[tokio::test]
async fn an_absolute_url_must_be_one_of_this_server() {
    let server = TestServer::start().await;
    let host = server.address().to_string();
    let port = server.address().port();
    for url in
        [format!("http://{host}/v1.0/me/presence"), format!("https://{host}/v1.0/me/presence?$select=id")]
    {
        assert_eq!(run(&server, &get(&url)).await["body"]["id"], ADA, "{url}");
    }
    let foreign = [
        "https://graph.microsoft.com/v1.0/me/presence".to_owned(),
        format!("http://localhost:{port}/v1.0/me/presence"),
        "http://127.0.0.1:1/v1.0/me/presence".to_owned(),
        format!("http://{host}/beta/me/presence"),
        format!("http://{host}/me/presence"),
        format!("http://{host}"),
    ];
    for url in foreign {
        let response = run(&server, &get(&url)).await;
        assert_eq!(response["status"], 400, "{url}: {response}");
        assert_eq!(response["body"]["error"]["code"], "BadRequest");
    }
    let beta = format!("http://{host}/beta/me/presence");
    assert_eq!(run_at(&server, "/beta/$batch", &get(&beta)).await["status"], 200);
}

/// presence-api 17: Host or :authority, or the configured public URL.
#[tokio::test]
async fn an_absolute_url_may_name_the_host_or_the_public_url() {
    let public = |settings: &mut porchlight_http::Settings| {
        settings.public_url = Some("https://presence.example.org".to_owned());
    };
    let server = TestServer::builder().settings(public).start().await;
    let public = run(&server, &get("http://presence.example.org/v1.0/me/presence")).await;
    assert_eq!(public["status"], 200, "{public}");
    let host = run(&server, &get(&format!("http://{}/v1.0/me/presence", server.address()))).await;
    assert_eq!(host["status"], 200, "{host}");
}

#[tokio::test]
async fn a_batch_is_no_step_of_a_batch() {
    let server = TestServer::start().await;
    let step = json!({"id": "1", "method": "POST", "url": "/$batch", "body": {"requests": []}});
    let response = run(&server, &step).await;
    assert_eq!(
        (&response["status"], &response["body"]["error"]["code"]),
        (&json!(400), &json!("BadRequest"))
    );
}

#[tokio::test]
async fn the_authorization_of_a_step_is_ignored() {
    let server = TestServer::start().await;
    for token in ["Bearer dev:ben:", "Bearer nonsense", ""] {
        let mut step = get("/me/presence");
        step["headers"] =
            json!({"Authorization": token, "SdkVersion": "PnPCoreJs/4.0", "X-PnPjs-RequestId": "x"});
        assert_eq!(run(&server, &step).await["body"]["id"], ADA, "{token}");
    }
}

#[tokio::test]
async fn a_body_needs_no_content_type_and_takes_no_other() {
    let server = TestServer::start().await;
    let mut step = patch(&state("Busy/InAMeeting", ""));
    assert_eq!(run(&server, &step).await["body"]["activity"], "InAMeeting");
    step["headers"] = json!({"content-type": "application/json"});
    assert_eq!(run(&server, &step).await["status"], 200);
    step["headers"] = json!({"Content-Type": "text/plain"});
    assert_eq!(run(&server, &step).await["status"], 415);
}

/// The JSON in the strings is `{"availability":"Busy","activity":"InAMeeting","comment":"ûÿ~?>"}`.
#[tokio::test]
async fn a_body_that_is_a_string_is_base64_of_json() {
    let bodies = [
        "eyJhdmFpbGFiaWxpdHkiOiJCdXN5IiwiYWN0aXZpdHkiOiJJbkFNZWV0aW5nIiwiY29tbWVudCI6IsO7w79+Pz4ifQ==",
        "eyJhdmFpbGFiaWxpdHkiOiJCdXN5IiwiYWN0aXZpdHkiOiJJbkFNZWV0aW5nIiwiY29tbWVudCI6IsO7w79+Pz4ifQ",
        "eyJhdmFpbGFiaWxpdHkiOiJCdXN5IiwiYWN0aXZpdHkiOiJJbkFNZWV0aW5nIiwiY29tbWVudCI6IsO7w79-Pz4ifQ==",
        "eyJhdmFpbGFiaWxpdHkiOiJCdXN5IiwiYWN0aXZpdHkiOiJJbkFNZWV0aW5nIiwiY29tbWVudCI6IsO7w79-Pz4ifQ",
    ];
    for body in bodies {
        let server = TestServer::start().await;
        let response = run(&server, &patch(&json!(body))).await;
        assert_eq!(response["body"]["activity"], "InAMeeting", "{body}: {response}");
        assert_eq!(pair(&server).await, "Busy/InAMeeting");
    }
    let server = TestServer::start().await;
    for body in ["not base64!", "bm8ganNvbg=="] {
        let response = run(&server, &patch(&json!(body))).await;
        assert_eq!(response["status"], 400, "{body}: {response}");
        assert_eq!(pair(&server).await, "Offline/Offline");
    }
}

#[tokio::test]
async fn a_step_is_held_to_the_same_rules_as_a_call() {
    let server = TestServer::start().await;
    let post = |url: &str, body: Value| json!({"id": "1", "method": "POST", "url": url, "body": body});
    let table = [
        (patch(&json!({})), 400, "InvalidArgument"),
        (json!({"id": "1", "method": "PATCH", "url": "/me/presence"}), 400, "BadRequest"),
        (post("/me/presence/setPresence", session(APP_A, "Busy/Busy", "")), 400, "InvalidArgument"),
        (post("/me/presence/setPresence", json!({"expirationDuration": 300})), 400, "BadRequest"),
        (post(&format!("/users/{NOBODY}/presence/setStatusMessage"), status("x")), 403, "Forbidden"),
        (post("/communications/presences", json!({})), 405, "Request_BadRequest"),
        (get("/me/presence?$select=nope"), 400, "BadRequest"),
    ];
    for (step, status, code) in table {
        let response = run(&server, &step).await;
        assert_eq!(
            (&response["status"], &response["body"]["error"]["code"]),
            (&json!(status), &json!(code)),
            "{step}"
        );
    }
}

#[tokio::test]
async fn headers_of_a_step_count() {
    let server = TestServer::start().await;
    let mut step = get("/me/presence");
    step["headers"] = json!({"accept": "application/json;odata.metadata=full"});
    assert_eq!(run(&server, &step).await["body"]["@odata.type"], "#microsoft.graph.presence");
    step["headers"] = json!({"accept": "text/html"});
    assert_eq!(run(&server, &step).await["status"], 406);
}

#[tokio::test]
async fn a_count_in_a_batch_is_a_plain_number() {
    let server = TestServer::start().await;
    let response = run(&server, &get("/communications/presences/$count")).await;
    assert_eq!(
        (&response["status"], &response["headers"]["Content-Type"]),
        (&json!(200), &json!("text/plain"))
    );
    assert_eq!(response["body"].as_str(), Some("12"));
}
