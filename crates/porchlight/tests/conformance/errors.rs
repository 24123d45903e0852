//! The rows of presence-api 16.3 that any call can meet, and the order of checks of 5.4.

use http::Method;
use porchlight_store::Fault;
use porchlight_testkit::{ADA, APP_A, BEN, TestServer};
use serde_json::json;

use crate::support::{
    ANOTHER_USER, Application, BATCH, BULK, EXPLAIN, ME, ME_NEEDS_A_USER, NOBODY, PRESENCES, ada, done,
    everything, lacks, pair, presence_of, raw, refused, session, state, unknown_user,
};

const EMPTY_TOKEN: &str = "401 InvalidAuthenticationToken Access token is empty.";
const MALFORMED_TOKEN: &str =
    "401 InvalidAuthenticationToken CompactToken parsing failed with error code: 80049217";
const WRONG_METHOD: &str =
    "405 Request_BadRequest Specified HTTP method is not allowed for the request target.";
const EMPTY: &str = "400 BadRequest Empty Payload. JSON content expected.";
const UNREADABLE: &str = "400 BadRequest Unable to read JSON request payload. Please ensure Content-Type header is \
                          set and payload is of valid JSON format.";
const MEDIA_TYPE: &str = "415 UnsupportedMediaType The request content type must be application/json.";
const NOT_ACCEPTABLE: &str = "406 NotAcceptable Only application/json can be produced.";

#[tokio::test]
async fn e01_to_e03_a_call_without_a_valid_token_is_401() {
    let server = TestServer::start().await;
    refused(&server.anonymous().get(ME).await, EMPTY_TOKEN);
    let table = [
        ("Bearer", EMPTY_TOKEN),
        ("Bearer  ", EMPTY_TOKEN),
        ("Bearer nonsense", MALFORMED_TOKEN),
        ("Bearer eyJhbGciOi.nonsense", MALFORMED_TOKEN),
        ("Basic YWRhOng=", MALFORMED_TOKEN),
    ];
    for (authorization, expected) in table {
        let answer = server.anonymous().header("authorization", authorization).get(ME).await;
        refused(&answer, expected);
    }
    let sent = server.client("nobody:").get(ME).await;
    assert!(sent.error().starts_with("401 InvalidAuthenticationToken "), "{sent:?}");
    assert!(sent.header("www-authenticate").contains("error=\"invalid_token\""), "{sent:?}");
    assert!(!server.anonymous().get(ME).await.header("www-authenticate").contains("error="), "none was sent");
    let scheme = server.anonymous().header("authorization", "bEARER dev:ada:").get(ME).await;
    assert_eq!(scheme.status, 200, "the name of the scheme has no case");
}

#[tokio::test]
async fn e04_a_missing_right_is_named() {
    let server = TestServer::start().await;
    let own = server.client("ada:User.Read.All").get(ME).await;
    refused(&own, &lacks("Presence.Read, Presence.Read.All, Presence.ReadWrite"));
    let application = server.client(&format!("{APP_A}:User.Read.All")).get(&presence_of(ADA)).await;
    refused(&application, &lacks("Presence.Read.All, Presence.ReadWrite.All"));
    let porchlight = &application.json()["error"]["innerError"]["porchlight"];
    assert_eq!(porchlight["required"], json!(["Presence.Read.All", "Presence.ReadWrite.All"]));
    assert_eq!(porchlight["present"], json!(["User.Read.All"]));
    for path in [PRESENCES.to_owned(), format!("{PRESENCES}/$count")] {
        refused(&server.client("ada:Presence.Read").get(&path).await, &lacks("Presence.Read.All"));
    }
}

#[tokio::test]
async fn e05_a_user_writes_nobody_else() {
    let server = TestServer::start().await;
    for key in [BEN, NOBODY] {
        refused(&ada(&server).patch(&presence_of(key), &state("Busy/Busy", "")).await, ANOTHER_USER);
        refused(&ada(&server).delete(&presence_of(key)).await, ANOTHER_USER);
    }
}

#[tokio::test]
async fn e06_an_application_is_nobody() {
    let server = TestServer::start().await;
    refused(&Application::a(&server).client.get(ME).await, ME_NEEDS_A_USER);
}

#[tokio::test]
async fn e07_an_unknown_user_is_named() {
    let server = TestServer::start().await;
    let a = Application::a(&server).client;
    let root = presence_of(NOBODY);
    let paths = [
        root.clone(),
        format!("{PRESENCES}/{NOBODY}"),
        format!("{root}/porchlight.explain"),
        format!("/v1.0/users/{NOBODY}"),
    ];
    for path in paths {
        refused(&a.get(&path).await, &unknown_user(NOBODY));
        refused(&ada(&server).get(&path).await, &unknown_user(NOBODY));
    }
    refused(
        &a.post(&format!("{root}/setPresence"), &session(APP_A, "Busy/InACall", "")).await,
        &unknown_user(NOBODY),
    );
    refused(&a.patch(&root, &state("Busy/Busy", "")).await, &unknown_user(NOBODY));
    refused(&a.delete(&root).await, &unknown_user(NOBODY));
    let named = a.get(&presence_of("no%20body%40Porchlight.example")).await;
    refused(&named, &unknown_user("no body@Porchlight.example"));
}

#[tokio::test]
async fn e08_an_unknown_segment_is_named() {
    let server = TestServer::start().await;
    let table = [
        ("/v1.0/nowhere".to_owned(), "nowhere"),
        ("/v1.0/me/people".to_owned(), "people"),
        ("/v1.0/me/presence/setNothing".to_owned(), "setNothing"),
        ("/v1.0/me/presence/setPresence/more".to_owned(), "more"),
        (format!("/v1.0/users/{ADA}/manager"), "manager"),
        ("/v1.0/communications/calls".to_owned(), "calls"),
        ("/v1.0/$metadata/more".to_owned(), "more"),
    ];
    for (path, segment) in table {
        let expected = format!("400 BadRequest Resource not found for the segment '{segment}'.");
        refused(&ada(&server).get(&path).await, &expected);
    }
}

#[tokio::test]
async fn e09_a_wrong_method_is_answered_with_the_right_ones() {
    let server = TestServer::start().await;
    let table = [
        (Method::POST, ME.to_owned(), "DELETE, GET, HEAD, PATCH"),
        (Method::PUT, presence_of(ADA), "DELETE, GET, HEAD, PATCH"),
        (Method::GET, format!("{ME}/setPresence"), "POST"),
        (Method::DELETE, format!("{ME}/clearLocation"), "POST"),
        (Method::GET, BULK.to_owned(), "POST"),
        (Method::GET, BATCH.to_owned(), "POST"),
        (Method::PATCH, PRESENCES.to_owned(), "GET, HEAD"),
        (Method::POST, format!("{PRESENCES}/$count"), "GET, HEAD"),
        (Method::POST, EXPLAIN.to_owned(), "GET, HEAD"),
        (Method::PUT, "/v1.0/me".to_owned(), "DELETE, GET, HEAD, PATCH"),
        (Method::POST, format!("/v1.0/users/{ADA}"), "DELETE, GET, HEAD, PATCH"),
        (Method::DELETE, "/v1.0/users".to_owned(), "GET, HEAD, POST"),
        (Method::POST, "/v1.0/$metadata".to_owned(), "GET, HEAD"),
    ];
    for (method, path, expected) in table {
        let answer = ada(&server).call(method.clone(), &path, None::<&[u8]>).await;
        refused(&answer, WRONG_METHOD);
        let mut allowed: Vec<&str> = answer.header("allow").split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(", "), expected, "{method} {path}");
    }
}

/// Every call that needs a body.
fn with_body() -> Vec<(Method, String)> {
    let actions = [
        "setPresence",
        "clearPresence",
        "setUserPreferredPresence",
        "setStatusMessage",
        "setManualLocation",
        "setAutomaticLocation",
    ];
    let mut calls: Vec<(Method, String)> =
        actions.into_iter().map(|action| (Method::POST, format!("{ME}/{action}"))).collect();
    calls.extend([
        (Method::PATCH, ME.to_owned()),
        (Method::POST, BULK.to_owned()),
        (Method::POST, BATCH.to_owned()),
    ]);
    calls
}

#[tokio::test]
async fn e10_a_body_is_needed_where_there_are_parameters() {
    let server = TestServer::start().await;
    for (method, path) in with_body() {
        for body in ["", " \r\n"] {
            refused(&ada(&server).call(method.clone(), &path, Some(body)).await, EMPTY);
        }
    }
}

#[tokio::test]
async fn e11_a_body_is_json_with_each_member_once() {
    let server = TestServer::start().await;
    let before = everything(&server).await;
    let bad = [
        "{",
        "nonsense",
        "{'availability': 'Busy'}",
        r#"{"availability":"Busy","activity":"Busy"} x"#,
        r#"{"availability":"Busy","activity":"Busy","activity":"Busy"}"#,
        r#"{"availability":"Busy","activity":"Busy","x":{"y":1,"y":2}}"#,
    ];
    for (method, path) in with_body() {
        for body in bad {
            refused(&ada(&server).call(method.clone(), &path, Some(body)).await, UNREADABLE);
        }
    }
    for action in ["clearUserPreferredPresence", "clearLocation", "clearAutomaticLocation"] {
        let answer = ada(&server).call(Method::POST, &format!("{ME}/{action}"), Some("{")).await;
        refused(&answer, UNREADABLE);
    }
    assert_eq!(everything(&server).await, before);
}

#[tokio::test]
async fn e30_a_body_is_json_by_its_type() {
    let server = TestServer::start().await;
    let plain = ada(&server).header("content-type", "text/plain");
    for (method, path) in with_body() {
        refused(&plain.call(method, &path, Some("{}")).await, MEDIA_TYPE);
    }
}

#[tokio::test]
async fn e31_only_json_can_be_produced() {
    let server = TestServer::start().await;
    let html = ada(&server).header("accept", "text/html, application/json;q=0");
    let before = everything(&server).await;
    for path in [ME, PRESENCES, EXPLAIN, "/v1.0/me", "/v1.0/users"] {
        refused(&html.get(path).await, NOT_ACCEPTABLE);
    }
    refused(&html.patch(ME, &state("Busy/Busy", "")).await, NOT_ACCEPTABLE);
    refused(&html.post(BULK, &json!({"ids": [ADA]})).await, NOT_ACCEPTABLE);
    assert_eq!(everything(&server).await, before);
    for path in ["/v1.0/$metadata".to_owned(), format!("{PRESENCES}/$count")] {
        assert_eq!(html.get(&path).await.status, 200, "{path} has one type, whatever is accepted");
    }
}

#[tokio::test]
async fn e31_holds_for_batches_and_the_service_document_as_well() {
    let server = TestServer::start().await;
    let html = ada(&server).header("accept", "text/html");
    refused(&html.post(BATCH, &json!({"requests": []})).await, NOT_ACCEPTABLE);
    refused(&html.get("/v1.0").await, NOT_ACCEPTABLE);
}

#[tokio::test]
async fn e32_a_body_has_a_limit() {
    const TOO_LARGE: &str = "413 RequestEntityTooLarge The request body is larger than 64 bytes.";
    let server = TestServer::builder().settings(|settings| settings.limits.body_bytes_max = 64).start().await;
    let body = session(APP_A, "Busy/InACall", "").to_string();
    refused(&ada(&server).call(Method::POST, &format!("{ME}/setPresence"), Some(&body)).await, TOO_LARGE);
    let chunked = format!(
        "POST {ME}/setPresence HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dev:ada:\r\nConnection: close\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let answer = raw(&server, &chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(pair(&server).await, "Offline/Offline");
    let usual = TestServer::start().await;
    let announced = format!(
        "POST {BULK} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        1024 * 1024 + 1
    );
    let answer = raw(&usual, &announced).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("The request body is larger than 1048576 bytes."), "{answer}");
}

#[tokio::test]
async fn e34_a_write_is_refused_while_the_storage_fails() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Available/Available", "").await);
    server.memory().inject(Fault::FailedNotWritten);
    let unknown = a.set("Busy/InACall", "").await;
    let later = server.anonymous().post("/porchlight/dev/clock", &json!({"advance": "PT1S"})).await;
    for answer in [unknown, later] {
        assert!(answer.error().starts_with("503 ServiceUnavailable "), "{answer:?}");
        refused(&answer, &answer.error());
        let after: u64 = answer.header("retry-after").parse().expect("whole seconds");
        assert!(after >= 1);
    }
    assert_eq!(pair(&server).await, "Available/Available", "reads go on");
    server.memory().resolve();
    done(&a.set("Busy/InACall", "").await);
    assert_eq!(pair(&server).await, "Busy/InACall");
}

#[tokio::test]
async fn e36_headers_have_a_limit() {
    let server = TestServer::start().await;
    let answer = ada(&server).header("x-large", &"x".repeat(8192)).get(ME).await;
    refused(&answer, "431 RequestHeaderFieldsTooLarge The request headers are larger than 8192 bytes.");
    assert_eq!(ada(&server).header("x-large", &"x".repeat(7000)).get(ME).await.status, 200);
}

#[tokio::test]
async fn e40_an_unknown_version_is_named() {
    let server = TestServer::start().await;
    for version in ["v2.0", "v1", "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77"] {
        let expected = format!("400 BadRequest Invalid version: {version}.");
        refused(&ada(&server).get(&format!("/{version}/me/presence")).await, &expected);
    }
}
