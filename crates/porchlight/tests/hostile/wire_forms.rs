//! The forms that HTTP takes: versions, connections, compression, calls from browsers, answers without a body.

use bytes::Bytes;
use http::{Method, Request, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use porchlight_testkit::{ADA, Answer, BEN, DEMO, TestServer};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{Connection, ME, Message, ask, gunzip, gzip, presence, within};

const PEOPLE: &str = "/v1.0/communications/presences";
const NO_BODY: Option<&[u8]> = None;

/// A request over HTTP/2.
fn request(server: &TestServer, method: Method, target: &str, body: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(server.url() + target)
        .header("Authorization", "Bearer dev:ada:")
        .header("Content-Type", "application/json")
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .expect("a request")
}

#[tokio::test]
async fn http_2_is_spoken_without_tls_by_those_who_know() {
    let server = TestServer::start().await;
    let stream = TcpStream::connect(server.address()).await.expect("the server listens");
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut first, connection) = within("a handshake", handshake).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut second = first.clone();

    let patch = request(&server, Method::PATCH, ME, r#"{"availability":"Busy","activity":"InACall"}"#);
    let patched = within("an answer", first.send_request(patch)).await.expect("an answer");
    assert_eq!((patched.status().as_u16(), patched.version()), (200, Version::HTTP_2));

    // Two at a time on one connection, and both as they are over HTTP/1.1.
    let ones = first.send_request(request(&server, Method::GET, ME, ""));
    let others = second.send_request(request(&server, Method::GET, PEOPLE, ""));
    let (own, all) = within("two answers", async { tokio::join!(ones, others) }).await;
    for (target, answer) in [(ME, own), (PEOPLE, all)] {
        let body = within("a body", answer.expect("an answer").into_body().collect()).await.expect("a body");
        let body: Value = serde_json::from_slice(&body.to_bytes()).expect("JSON");
        assert_eq!(body, server.client("ada:").get(target).await.json(), "{target}");
    }

    let wrong = request(&server, Method::POST, PEOPLE, "");
    let wrong = within("an answer", first.send_request(wrong)).await.expect("an answer");
    assert_eq!(wrong.status().as_u16(), 405);
    connection.abort();
}

#[tokio::test]
async fn answers_are_compressed_when_asked_for_and_only_then() {
    let server = TestServer::start().await;
    let ada = server.client("ada:");
    let plain = ada.get(PEOPLE).await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"));
    for asked in ["gzip", "GZIP", "br, gzip, deflate", "br;q=1.0, gzip;q=0.8", "gzip;q=0.001"] {
        let packed = ada.header("Accept-Encoding", asked).get(PEOPLE).await;
        assert_eq!(
            (packed.header("content-encoding"), packed.header("vary")),
            ("gzip", "Accept-Encoding"),
            "{asked}"
        );
        assert_eq!(packed.header("content-length"), packed.body.len().to_string(), "{asked}");
        assert!(packed.body.len() < plain.body.len(), "{asked}");
        assert_eq!(gunzip(&packed.body), plain.body, "{asked}");
    }
    for asked in ["", "identity", "br, deflate", "gzip;q=0", "br, gzip; q=0.0", "gzipped"] {
        let answer = ada.header("Accept-Encoding", asked).get(PEOPLE).await;
        assert_eq!((answer.header("content-encoding"), &answer.body), ("", &plain.body), "{asked}");
    }
    // What is small stays as it is.
    let small = ada.header("Accept-Encoding", "gzip").get(ME).await;
    assert_eq!(small.header("content-encoding"), "");
    assert_eq!(small.pair(), "Offline/Offline");
}

#[tokio::test]
async fn bodies_may_come_compressed() {
    let server = TestServer::start().await;
    let bodies = [
        (r#"{"availability":"Busy","activity":"InACall"}"#, "gzip", "Busy/InACall"),
        (r#"{"availability":"Away"}"#, "GZIP", "Away/Away"),
        (r#"{"availability":"DoNotDisturb"}"#, "x-gzip", "DoNotDisturb/DoNotDisturb"),
    ];
    for (body, encoding, expected) in bodies {
        let message = Message::by("ada", "PATCH", ME).header("Content-Encoding", encoding);
        let answer = ask(server.address(), &message.json(gzip(body.as_bytes()))).await;
        assert_eq!((answer.status, answer.pair().as_str()), (200, expected), "{answer:?}");
    }
    // Two members one after the other are one body.
    let parts = [gzip(br#"{"availability":"#), gzip(br#""Busy"}"#)].concat();
    let message = Message::by("ada", "PATCH", ME).header("Content-Encoding", "gzip").json(parts);
    assert_eq!(ask(server.address(), &message).await.pair(), "Busy/Busy");
    // Compression middleware marks a body as compressed also where there is none.
    let clear = Message::by("ada", "POST", "/v1.0/me/presence/clearUserPreferredPresence");
    let answer = ask(server.address(), &clear.header("Content-Encoding", "gzip").json("")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_body_can_be_asked_for_before_it_is_sent() {
    let server = TestServer::start().await;
    let body = r#"{"availability":"Busy","activity":"InACall"}"#;
    let head = Message::by("ada", "PATCH", ME)
        .header("Expect", "100-continue")
        .header("Content-Length", body.len().to_string());
    let mut connection = Connection::open(server.address()).await;
    connection.send(&head.bytes()).await.expect("the server listens");
    within("a word to go on", connection.wait_for(b"HTTP/1.1 100 Continue\r\n\r\n")).await;
    let answer = within("an answer", connection.exchange(body.as_bytes())).await.expect("an answer");
    assert_eq!(answer.pair(), "Busy/InACall");
    // One that is too large is not asked for.
    let large = Message::by("ada", "PATCH", ME).header("Expect", "100-continue");
    let mut connection = Connection::open(server.address()).await;
    connection.send(&large.header("Content-Length", "99999999").bytes()).await.expect("the server listens");
    let rest = String::from_utf8(within("the end", connection.rest()).await).expect("text");
    assert!(rest.starts_with("HTTP/1.1 413"), "{rest}");
}

fn allowed(answer: &Answer) -> (&str, bool) {
    let exposed = answer.header("access-control-expose-headers");
    let ours = ["request-id", "Retry-After", "porchlight-revision"];
    (answer.header("access-control-allow-origin"), ours.into_iter().all(|name| exposed.contains(name)))
}

#[tokio::test]
async fn browsers_are_told_that_they_may_call() {
    let server = TestServer::start().await;
    let browser = server.anonymous().header("Origin", "https://app.example");
    let asked = "authorization, client-request-id, content-type, sdkversion";
    for target in [ME, "/v1.0/$batch", "/v1.0/me/presence/setPresence", "/v1.0/nothing"] {
        let preflight = browser
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", asked)
            .call(Method::OPTIONS, target, NO_BODY)
            .await;
        assert_eq!((preflight.status.as_u16(), preflight.body.len()), (204, 0), "{target}");
        assert_eq!(allowed(&preflight), ("*", true), "{target}");
        assert_eq!(preflight.header("access-control-allow-headers"), asked, "{target}");
        let methods = preflight.header("access-control-allow-methods");
        for method in ["GET", "POST", "PATCH", "DELETE"] {
            assert!(methods.split(", ").any(|known| known == method), "{target}: {methods}");
        }
    }
    let answers = [
        (200, browser.token("ada:").get(ME).await),
        (401, browser.get(ME).await),
        (403, browser.token("ada:Presence.Read").delete(ME).await),
        (404, browser.token("ada:").get("/v1.0/users/nobody/presence").await),
        (405, browser.token("ada:").delete(PEOPLE).await),
        (431, browser.header("X", &"x".repeat(10_000)).get(ME).await),
    ];
    for (status, answer) in answers {
        assert_eq!((answer.status.as_u16(), allowed(&answer)), (status, ("*", true)));
    }
    // Whoever is no browser is told nothing of it.
    let preflight = server.anonymous().call(Method::OPTIONS, ME, NO_BODY).await;
    assert_eq!(preflight.status.as_u16(), 204);
    for answer in [preflight, server.client("ada:").get(ME).await] {
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{answer:?}");
    }
}

#[tokio::test]
async fn only_listed_origins_may_call() {
    let origins = vec!["https://app.example".to_owned(), "http://localhost:5173".to_owned()];
    let server =
        TestServer::builder().settings(|settings| settings.cors_origins = origins.clone()).start().await;
    for origin in &origins {
        let answer = server.client("ada:").header("Origin", origin).get(ME).await;
        assert_eq!(allowed(&answer), (origin.as_str(), true));
        assert!(answer.headers.get_all("vary").iter().any(|varies| varies == "Origin"), "{answer:?}");
    }
    for origin in
        ["https://evil.example", "https://app.example.evil.example", "http://app.example", "null", "*"]
    {
        let foreign = server.client("ada:").header("Origin", origin);
        let answers = [foreign.get(ME).await, foreign.call(Method::OPTIONS, ME, NO_BODY).await];
        for answer in answers {
            assert_eq!(allowed(&answer), ("", false), "{origin}");
        }
    }
    let closed = TestServer::builder().settings(|settings| settings.cors_origins.clear()).start().await;
    let answer = closed.client("ada:").header("Origin", "https://app.example").get(ME).await;
    assert_eq!((answer.status.as_u16(), allowed(&answer)), (200, ("", false)));
}

#[tokio::test]
async fn a_connection_is_kept_until_somebody_closes_it() {
    let server = TestServer::start().await;
    let mut connection = Connection::open(server.address()).await;
    let get = || Message::by("ada", "GET", ME);
    let wrong = Message::by("ada", "GET", "/v1.0/nothing");
    let clear = Message::by("ada", "POST", "/v1.0/me/presence/clearUserPreferredPresence");
    for (message, status) in
        [(get(), 200), (wrong, 400), (clear, 200), (Message::anonymous("GET", ME), 401), (get(), 200)]
    {
        let answer = within("an answer", connection.exchange(&message.bytes())).await.expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (status, None));
    }
    let last = get().header("Connection", "close");
    let old = Message::line(format!("GET {ME} HTTP/1.0")).header("Authorization", "Bearer dev:ada:");
    let mut another = Connection::open(server.address()).await;
    for (connection, message) in [(&mut connection, last), (&mut another, old)] {
        let answer = within("an answer", connection.exchange(&message.bytes())).await.expect("an answer");
        assert_eq!((answer.status, answer.pair().as_str()), (200, "Offline/Offline"));
        assert_eq!(within("the end of the connection", connection.rest()).await, b"");
    }
}

#[tokio::test]
async fn a_connection_that_is_kept_does_not_keep_somebody_in_who_was_disabled() {
    let server = TestServer::start().await;
    let mut connection = Connection::open(server.address()).await;
    let get = Message::by("ada", "GET", ME).bytes();
    for (enabled, status) in [(true, 200), (false, 401), (true, 200), (false, 401)] {
        let body = json!({ "accountEnabled": enabled }).to_string();
        let change = Message::by("ben", "PATCH", &format!("/v1.0/users/{ADA}")).json(body);
        assert_eq!(ask(server.address(), &change).await.status, 204);
        let answer = within("an answer", connection.exchange(&get)).await.expect("an answer");
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[tokio::test]
async fn what_somebody_goes_on_sending_after_they_were_disabled_changes_nothing() {
    let server = TestServer::start().await;
    let enable = async |enabled: bool| {
        let body = json!({ "accountEnabled": enabled }).to_string();
        let change = Message::by("ada", "PATCH", &format!("/v1.0/users/{BEN}")).json(body);
        assert_eq!(ask(server.address(), &change).await.status, 204);
    };
    let zoe = json!({"userPrincipalName": "zoe@x.example", "displayName": "Zoe"});
    let headers = json!({"Content-Type": "application/json"});
    let step = json!({"id": "1", "method": "POST", "url": "/users", "headers": headers, "body": zoe});
    let user =
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "zoe@x.example"});
    for (target, body) in [
        ("/v1.0/users", zoe),
        ("/v1.0/$batch", json!({"requests": [step]})),
        ("/porchlight/scim/v2/Users", user),
    ] {
        let body = body.to_string();
        let head = Message::by("ben", "POST", target)
            .header("Content-Type", "application/json")
            .header("Expect", "100-continue")
            .header("Content-Length", body.len().to_string());
        let mut connection = Connection::open(server.address()).await;
        connection.send(&head.bytes()).await.expect("the server listens");
        // By then it has been looked at who sends it.
        within("a word to go on", connection.wait_for(b"HTTP/1.1 100 Continue\r\n\r\n")).await;
        enable(false).await;
        let answer = within("an answer", connection.exchange(body.as_bytes())).await.expect("an answer");
        assert_eq!(answer.status, 401, "{target}: {answer:?}");
        assert!(answer.header("www-authenticate").is_some(), "{target}: {answer:?}");
        enable(true).await;
        let found = ask(server.address(), &Message::by("ada", "GET", "/v1.0/users/zoe@x.example")).await;
        assert_eq!(found.status, 404, "{target}: {found:?}");
    }
}

#[tokio::test]
async fn head_is_answered_as_get_is_but_without_the_body() {
    let server = TestServer::start().await;
    let mut connection = Connection::open(server.address()).await;
    for (target, status) in [(ME, 200), (PEOPLE, 200), ("/porchlight/health", 200), ("/v1.0/nothing", 400)] {
        let get = ask(server.address(), &Message::by("ada", "GET", target)).await;
        let head = Message::by("ada", "HEAD", target).bytes();
        // One connection for all: a body would be taken for the next answer.
        let head = within("an answer", connection.exchange(&head)).await.expect("an answer");
        assert_eq!((get.status, head.status), (status, status), "{target}");
        for name in ["content-type", "content-length", "odata-version", "cache-control", "vary"] {
            assert_eq!(head.header(name), get.header(name), "{target}: {name}");
        }
    }
    let answer = within("an answer", connection.exchange(&Message::by("ada", "GET", ME).bytes())).await;
    assert_eq!(answer.expect("an answer").pair(), "Offline/Offline");
}

#[tokio::test]
async fn a_successful_action_is_answered_with_nothing() {
    let server = TestServer::start().await;
    let session = json!({"sessionId": DEMO, "availability": "Busy", "activity": "InACall"});
    let calls = [
        ("setPresence", 200, session),
        ("setUserPreferredPresence", 200, json!({"availability": "Away", "activity": "Away"})),
        ("clearUserPreferredPresence", 200, json!({})),
        ("setStatusMessage", 200, json!({"statusMessage": {"message": {"content": "here"}}})),
        ("clearPresence", 200, json!({"sessionId": DEMO})),
        ("setManualLocation", 204, json!({"workLocationType": "office"})),
        ("setAutomaticLocation", 204, json!({"workLocationType": "remote"})),
        ("clearAutomaticLocation", 204, json!({})),
        ("clearLocation", 204, json!({})),
    ];
    let mut revision = 0;
    for (action, status, body) in calls {
        let message = Message::by("ada", "POST", &format!("{ME}/{action}")).json(body.to_string());
        let answer = ask(server.address(), &message).await;
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{action}: {answer:?}");
        // A client that is told of JSON tries to read it.
        assert_eq!(answer.header("content-type"), None, "{action}");
        let length = if status == 200 { Some("0") } else { None };
        assert_eq!(
            (answer.header("content-length"), answer.header("transfer-encoding")),
            (length, None),
            "{action}"
        );
        let written = answer.header("porchlight-revision").and_then(|revision| revision.parse::<u64>().ok());
        assert!(written > Some(revision), "{action}: {written:?} after {revision}");
        revision = written.unwrap_or_default();
    }
    assert_eq!(presence(server.address(), "ada").await["statusMessage"]["message"]["content"], "here");
}
