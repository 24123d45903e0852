//! Headers of requests and responses: presence-api 4.1, 4.2, 16.1.

use std::collections::HashSet;

use http::Method;
use porchlight_testkit::{ADA, APP_A, Answer, BEN, TestServer};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    BATCH, BULK, ME, NOBODY, PRESENCES, ada, done, everything, members, pair, presence_of, raw_on, read,
    refused, session, state,
};

const JSON: &str =
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// Failures of every kind.
async fn failures(server: &TestServer) -> Vec<Answer> {
    let (ada, path) = (ada(server), format!("{ME}/setPresence"));
    let plain = ada.header("content-type", "text/plain");
    vec![
        server.anonymous().get(ME).await,
        server.client("nobody:").get(ME).await,
        server.client("ada:Presence.Read").get(&presence_of(BEN)).await,
        ada.get(&presence_of(NOBODY)).await,
        ada.get("/v1.0/nowhere").await,
        ada.get("/v9.9/me/presence").await,
        ada.call(Method::PUT, ME, None::<&[u8]>).await,
        ada.header("accept", "text/html").get(ME).await,
        plain.call(Method::POST, &path, Some("x")).await,
        ada.call(Method::POST, &path, Some("{")).await,
        ada.call(Method::POST, &path, None::<&[u8]>).await,
        ada.post(&path, &json!({})).await,
        ada.post(&path, &session(APP_A, "Busy/Busy", "")).await,
        ada.post(&format!("{ME}/clearPresence"), &json!({"sessionId": APP_A})).await,
        ada.get(&format!("{ME}?$select=nope")).await,
        ada.post(BATCH, &json!({})).await,
        ada.header("x-large", &"x".repeat(9000)).get(ME).await,
        server.anonymous().get("/porchlight/nowhere").await,
    ]
}

#[tokio::test]
async fn t44_nothing_can_be_posted_to_the_collection() {
    let server = TestServer::start().await;
    let answer = ada(&server).post(PRESENCES, &state("Busy/Busy", "")).await;
    refused(&answer, "405 Request_BadRequest Specified HTTP method is not allowed for the request target.");
    let allowed: Vec<&str> = answer.header("allow").split(", ").collect();
    assert!(allowed.contains(&"GET") && !allowed.contains(&"POST"), "{allowed:?}");
}

#[tokio::test]
async fn t54_every_error_has_one_shape() {
    let server = TestServer::start().await;
    for answer in failures(&server).await {
        assert!(answer.status.is_client_error(), "{answer:?}");
        refused(&answer, &answer.error());
        let error = &answer.json()["error"];
        assert!(error["code"].as_str().is_some_and(|code| !code.is_empty()), "{error}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        assert_eq!(error["innerError"]["date"], "2026-11-20T09:00:00");
    }
}

#[tokio::test]
async fn t55_the_request_id_of_the_client_is_echoed() {
    let server = TestServer::start().await;
    let ada = ada(&server).header("client-request-id", "the-clients-own-id");
    let read = ada.get(ME).await;
    assert_eq!((read.status.as_u16(), read.header("client-request-id")), (200, "the-clients-own-id"));
    assert_ne!(read.header("request-id"), "the-clients-own-id");
    let failed = ada.get("/v1.0/nowhere").await;
    assert_eq!(failed.header("client-request-id"), "the-clients-own-id");
    assert_eq!(failed.json()["error"]["innerError"]["client-request-id"], "the-clients-own-id");
}

#[tokio::test]
async fn t59_a_write_needs_no_content_type_but_takes_no_other() {
    let server = TestServer::start().await;
    let (ada, path) = (ada(&server), format!("{ME}/setPresence"));
    let body = session(APP_A, "Busy/InACall", "").to_string();
    done(&ada.call(Method::POST, &path, Some(&body)).await);
    assert_eq!(pair(&server).await, "Busy/InACall");
    let before = everything(&server).await;
    let other = session(APP_A, "Away/Away", "").to_string();
    for kind in
        ["text/plain", "text/json", "application/xml", "application/jsonp", "multipart/form-data; boundary=x"]
    {
        let answer = ada.header("content-type", kind).call(Method::POST, &path, Some(&other)).await;
        refused(&answer, "415 UnsupportedMediaType The request content type must be application/json.");
        assert_eq!(everything(&server).await, before, "{kind}");
    }
    for kind in [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/json;odata.metadata=minimal;odata.streaming=true;charset=utf-8",
    ] {
        done(&ada.header("content-type", kind).call(Method::POST, &path, Some(&body)).await);
    }
}

#[tokio::test]
async fn a_success_has_the_headers_of_the_original() {
    let server = TestServer::start().await;
    let answer = ada(&server).get(ME).await;
    assert_eq!(answer.header("content-type"), JSON);
    for answer in [answer, ada(&server).post(&format!("{ME}/clearUserPreferredPresence"), &json!({})).await] {
        assert_eq!(answer.header("odata-version"), "4.0");
        assert_eq!(answer.header("cache-control"), "no-cache");
        Uuid::try_parse(answer.header("request-id")).expect("a GUID");
        assert_eq!(answer.header("client-request-id"), answer.header("request-id"), "the client named none");
        assert!(answer.header("date").ends_with(" GMT"), "{answer:?}");
        let diagnostic: Value =
            serde_json::from_str(answer.header("x-ms-ags-diagnostic")).expect("one line of JSON");
        for member in ["DataCenter", "Slice", "Ring", "ScaleUnit", "RoleInstance"] {
            assert!(diagnostic["ServerInfo"][member].is_string(), "{diagnostic}");
        }
    }
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own() {
    let server = TestServer::start().await;
    let mut seen = HashSet::new();
    for answer in failures(&server).await {
        assert!(seen.insert(answer.header("request-id").to_owned()), "{answer:?}");
    }
}

/// presence-api 4.2: `WWW-Authenticate` goes with every 401, and with nothing else.
#[tokio::test]
async fn only_a_401_asks_for_a_token() {
    let server = TestServer::start().await;
    for answer in failures(&server).await {
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge.starts_with("Bearer realm=\"\""), answer.status == 401, "{answer:?}");
    }
}

/// presence-api 4.1
#[tokio::test]
async fn json_is_accepted_however_a_client_says_so() {
    let server = TestServer::start().await;
    let accepted = [
        "application/json",
        "*/*",
        "application/*",
        "application/json, application/json",
        "text/html, application/json;q=0.5",
        "application/json;odata.metadata=minimal;odata.streaming=true",
    ];
    for accept in accepted {
        let answer = ada(&server).header("accept", accept).get(ME).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, JSON), "{accept}");
    }
}

/// presence-api 4.1
#[tokio::test]
async fn without_metadata_there_is_no_context() {
    let server = TestServer::start().await;
    let bare = ada(&server).header("accept", "application/json;odata.metadata=none");
    let bulk = bare.post(BULK, &json!({"ids": [ADA]})).await;
    for answer in [bare.get(ME).await, bare.get(PRESENCES).await, bare.get("/v1.0/me").await, bulk] {
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        assert!(members(&body).iter().all(|name| *name != "@odata.context"), "{body}");
        assert!(answer.header("content-type").contains("odata.metadata=none"), "{answer:?}");
    }
}

/// presence-api 4.1
#[tokio::test]
async fn preferences_and_telemetry_change_nothing() {
    let server = TestServer::start().await;
    let expected = read(&server).await;
    let headers = [
        ("prefer", "return=minimal"),
        ("consistencylevel", "eventual"),
        ("sdkversion", "graph-python/1.0"),
        ("if-match", "W/\"nothing\""),
        ("feature-flag", "00000047"),
    ];
    for (name, value) in headers {
        let answer = ada(&server).header(name, value).get(ME).await;
        assert_eq!(answer.json(), expected, "{name}");
    }
}

/// presence-api 4.3: the base follows the host that the client used.
#[tokio::test]
async fn the_context_names_the_host_that_was_asked() {
    let server = TestServer::start().await;
    let forwarded =
        ada(&server).header("host", "presence.example.org").header("x-forwarded-host", "evil.example");
    let context = format!("http://presence.example.org/v1.0/$metadata#users('{ADA}')/presence/$entity");
    assert_eq!(forwarded.get(ME).await.json()["@odata.context"], context);
    let trusting = TestServer::builder().settings(|settings| settings.trust_forwarded = true).start().await;
    let forwarded = ada(&trusting)
        .header("x-forwarded-host", "presence.example.org")
        .header("x-forwarded-proto", "https");
    let context = format!("https://presence.example.org/v1.0/$metadata#users('{ADA}')/presence/$entity");
    assert_eq!(forwarded.get(ME).await.json()["@odata.context"], context);
}

#[tokio::test]
async fn links_of_one_connection_follow_the_host_and_the_version_of_each_request() {
    let server = TestServer::start().await;
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.expect("the server listens");
    let asked = [
        ("one.example", "v1.0"),
        ("one.example", "beta"),
        ("two.example:8080", "beta"),
        ("one.example", "v1.0"),
    ];
    for (host, version) in asked {
        let request = format!(
            "GET /{version}/me/presence HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer dev:ada:\r\n\r\n"
        );
        let answer = raw_on(&mut stream, &request).await;
        assert!(
            answer.contains(&format!("\"@odata.context\":\"http://{host}/{version}/$metadata#")),
            "{answer}"
        );
    }
    let bad = "GET /v1.0/me/presence HTTP/1.1\r\nHost: one example\r\nAuthorization: Bearer dev:ada:\r\n\r\n";
    assert!(raw_on(&mut stream, bad).await.starts_with("HTTP/1.1 400 "));
}
