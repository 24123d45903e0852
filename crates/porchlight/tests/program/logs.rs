//! The log: one line for each write, and never a token or what people write about themselves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use http::Method;
use porchlight_http::Development;
use porchlight_testkit::{ADA, APP_A, Answer, Receiver};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::http_2;
use crate::support::{CLOCK, ME, Program, in_memory, presence_of};

const STATUS: &str = "gone to the dentist";
const OUT_OF_OFFICE: &str = "my sister stands in for me";
const PLACE: &str = "behind the boiler room";
const PERSON: &str = "Esmeralda";
const PASSWORD: &str = "correct horse battery staple";

/// The lines of the log that come from this part of the program.
fn lines<'l>(log: &'l [Value], target: &str) -> Vec<&'l Value> {
    log.iter().filter(|line| line["target"] == target).collect()
}

/// A body with everything that people write about themselves.
fn private() -> Value {
    json!({
        "availability": "Busy",
        "statusMessage": {"message": {"content": STATUS}},
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": OUT_OF_OFFICE},
        "workLocation": {"workLocationType": "office", "placeId": PLACE},
    })
}

/// A body that puts somebody in.
fn person() -> Value {
    json!({
        "userPrincipalName": format!("{PERSON}@x.example"),
        "displayName": format!("{PERSON} of Paris"),
        "passwordProfile": {"password": PASSWORD},
    })
}

/// Stops the server, and takes its log apart, which is JSON.
fn log_of(server: Program) -> Vec<Value> {
    let log = server.stop().err;
    log.iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[tokio::test]
async fn a_write_leaves_one_line_that_says_who_did_what_to_whom() {
    let server = Program::start(in_memory().args(["--log-format", "json"]));
    let ada = server.client(&format!("ada@{APP_A}:"));
    let session = json!({"sessionId": APP_A, "availability": "Busy", "activity": "InACall"});
    let cleared = json!({"sessionId": APP_A});
    let writes: [(&str, Answer); 5] = [
        ("setPresence", ada.post(&format!("{ME}/setPresence"), &session).await),
        ("patch", ada.patch(ME, &private()).await),
        ("clearPresence", ada.post(&format!("{ME}/clearPresence"), &cleared).await),
        ("clearPresence", ada.post(&format!("{ME}/clearPresence"), &cleared).await),
        ("delete", ada.delete(ME).await),
    ];
    let read = ada.get(ME).await;
    let log = log_of(server);

    let lines_of_writes = lines(&log, "porchlight::write");
    assert_eq!(
        lines_of_writes.len(),
        writes.len(),
        "one line for each, and none for a read: {lines_of_writes:#?}"
    );
    for ((action, answer), line) in writes.iter().zip(lines_of_writes) {
        assert_eq!(line["level"], "INFO", "{line}");
        assert_eq!(line["request"], answer.header("request-id"), "{line}");
        assert_eq!(line["tenant"], Development::TENANT.to_string(), "{line}");
        assert_eq!(line["user"], ADA, "{line}");
        assert_eq!(line["application"], APP_A, "{line}");
        assert_eq!(line["action"], *action, "{line}");
        if answer.status == 404 {
            assert_eq!((&line["outcome"], &line["status"]), (&json!("refused"), &json!(404)), "{line}");
            assert_eq!(line["code"], "NotFound", "{line}");
            assert_eq!(line["reason"], "the session does not exist or has ended", "{line}");
            assert_eq!(line["revision"], Value::Null, "{line}");
        } else {
            assert!(answer.status.is_success(), "{answer:?}");
            assert_eq!(line["outcome"], "written", "{line}");
            assert_eq!(line["revision"].to_string(), answer.header("porchlight-revision"), "{line}");
        }
    }
    let lines_of_requests = lines(&log, "porchlight::request");
    assert_eq!(lines_of_requests.len(), writes.len() + 1, "{lines_of_requests:#?}");
    let last = lines_of_requests.last().expect("there are some");
    assert_eq!(last["request"], read.header("request-id"), "{last}");
    assert_eq!((&last["method"], &last["path"], &last["status"]), (&json!("GET"), &json!(ME), &json!(200)));
    assert!(last["took_ms"].is_number(), "{last}");
}

#[tokio::test]
async fn a_change_of_people_leaves_a_line_that_names_nobody() {
    let server = Program::start(in_memory().args(["--log-format", "json"]));
    let ada = server.client(&format!("ada@{APP_A}:"));
    let made = ada.post("/v1.0/users", &person()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let taken = ada.post("/v1.0/users", &person()).await;
    assert_eq!(taken.status, 400, "{taken:?}");
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let changed = ada.patch(&format!("/v1.0/users/{id}"), &json!({"surname": PERSON})).await;
    let deleted = ada.delete(&format!("/v1.0/users/{id}")).await;
    let log = log_of(server);
    let lines = lines(&log, "porchlight::write");
    let expected = [
        ("user.create", &made, "written"),
        ("user.create", &taken, "refused"),
        ("user.update", &changed, "written"),
        ("user.delete", &deleted, "written"),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for ((action, answer, outcome), line) in expected.into_iter().zip(lines) {
        assert_eq!((&line["action"], &line["outcome"]), (&json!(action), &json!(outcome)), "{line}");
        assert_eq!(line["request"], answer.header("request-id"), "{line}");
        assert_eq!(line["application"], APP_A, "{line}");
        assert_eq!(line["user"] == *id, outcome == "written", "{line}");
    }
    assert!(!log.iter().any(|line| line.to_string().contains(PERSON)), "{log:#?}");
}

/// Whoever asks for an endpoint's proof has a connection made for it: its lines are the request's too.
#[tokio::test]
async fn whatever_is_written_in_the_course_of_a_request_has_its_id() {
    let server = Program::start(in_memory().args(["--log-format", "json"]).env("PORCHLIGHT_LOG", "trace"));
    let receiver = Receiver::start().await;
    let clock = server.anonymous().get(CLOCK).await.json();
    let now: jiff::Timestamp = clock["now"].as_str().and_then(|now| now.parse().ok()).expect("an instant");
    let subscription = json!({
        "changeType": "updated",
        "notificationUrl": receiver.url("/"),
        "resource": format!("communications/presences/{ADA}"),
        "expirationDateTime": (now + Duration::from_secs(50 * 60)).to_string(),
    });
    let made = server.client("ada:").post("/v1.0/subscriptions", &subscription).await;
    assert_eq!(made.status, 201, "{made:?}");
    let log = log_of(server);
    let of_client =
        |line: &&Value| line["target"].as_str().is_some_and(|name| name.starts_with("hyper_util::client"));
    let of_client: Vec<&Value> = log.iter().filter(of_client).collect();
    let id = made.header("request-id");
    assert!(of_client.iter().any(|line| line["span"]["request"] == id), "{of_client:#?}");
    for line in lines(&log, "porchlight::write").into_iter().chain(lines(&log, "porchlight::request")) {
        assert!(line["request"].is_string() && line["span"].is_null(), "once is enough: {line}");
    }
}

/// What a server answers to these bytes, until it closes the connection.
fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.write_all(request).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Neither a path nor a header passes for a member of a line, or moves the cursor of who reads the log in a terminal.
#[test]
fn nobody_writes_into_the_log_what_it_does_not_say() {
    let server = Program::start(&mut in_memory());
    let path = "/v1.0/users/\u{9b}31m\u{202e}\"outcome=\"written\"/presence";
    let read = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let write = "POST /v1.0/me/presence/clearPresence HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                 Authorization: Bearer dev:ada:\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
                 client-request-id: x\"\toutcome=\"written\" \r\n\r\n{}";
    for request in [read.as_str(), write] {
        let answer = exchange(server.address(), request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    let log = server.stop().err;
    for named in ["31m", "clearPresence"] {
        assert!(log.iter().any(|line| line.contains(named)), "{named}: {log:#?}");
    }
    for line in &log {
        assert!(!line.contains(|letter: char| letter.is_control() || letter == '\u{202e}'), "{line:?}");
        assert!(!line.contains(" outcome=\"written\""), "{line}");
    }
}

/// Not even when everything is logged, over either protocol, in requests that are done and in those that are refused.
#[tokio::test]
async fn no_token_and_nothing_that_people_write_is_ever_logged() {
    let server = Program::start(in_memory().args(["--log-format", "json"]).env("PORCHLIGHT_LOG", "trace"));
    let path = presence_of("ada@porchlight.example");
    let ada = server.client("ada:Presence.ReadWrite");
    assert_eq!(ada.patch(ME, &private()).await.status, 200);
    assert_eq!(ada.get(ME).await.status, 200);
    assert_eq!(server.client("ben:Presence.Read.All").get(&path).await.status, 200);
    assert_eq!(server.client("nobody:Presence.Read").get(&path).await.status, 401);
    let refused = json!({"statusMessage": {"message": {"content": STATUS, "contentType": "html"}}});
    assert_eq!(ada.patch(ME, &refused).await.status, 400);
    let too_long = json!({"statusMessage": {"message": {"content": STATUS.repeat(100)}}});
    assert_eq!(ada.patch(ME, &too_long).await.status, 400);
    let administrator = server.client("ada:User.ReadWrite.All");
    assert_eq!(administrator.post("/v1.0/users", &person()).await.status, 201);
    assert_eq!(administrator.post("/v1.0/users", &person()).await.status, 400);
    assert_eq!(
        administrator.patch("/v1.0/me", &json!({"displayName": PERSON.repeat(100)})).await.status,
        400
    );
    let batch = json!({"requests": [{
        "id": "1", "method": "PATCH", "url": "/me/presence", "headers": {"Content-Type": "application/json"},
        "body": private(),
    }]});
    assert_eq!(ada.post("/v1.0/$batch", &batch).await.json()["responses"][0]["status"], 200);

    let mut broken = Connection::open(server.address()).await.expect("the server listens");
    let body = private().to_string();
    let answer = broken.call("PATCH", &path, &body[..body.len() - 1]).await.expect("it is answered");
    assert_eq!(answer.status, 400, "{answer:?}");
    let patch = http_2::request(&server, Method::PATCH, private().to_string());
    let answer = http_2::connect(&server).await.send_request(patch).await.expect("it is answered");
    assert_eq!(answer.status(), 200, "{answer:?}");

    let log = server.stop().err;
    assert!(log.iter().any(|line| line.contains(r#""level":"TRACE""#)), "everything is logged");
    for secret in
        [STATUS, OUT_OF_OFFICE, PLACE, PERSON, PASSWORD, "dev:", "Bearer", "Presence.Read", "User.ReadWrite"]
    {
        let told: Vec<&String> = log.iter().filter(|line| line.contains(secret)).collect();
        assert!(told.is_empty(), "{secret}: {told:#?}");
    }
}
