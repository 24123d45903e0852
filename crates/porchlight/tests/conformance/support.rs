//! What the tests share: who calls, how to say a write in one line, and how an answer is judged.

use std::time::Duration;

use porchlight_engine::Person;
use porchlight_http::Development;
use porchlight_presence::UserId;
use porchlight_testkit::{ADA, APP_A, APP_B, Answer, Client, TestServer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

pub(crate) const ME: &str = "/v1.0/me/presence";
pub(crate) const EXPLAIN: &str = "/v1.0/me/presence/porchlight.explain";
pub(crate) const PRESENCES: &str = "/v1.0/communications/presences";
pub(crate) const BULK: &str = "/v1.0/communications/getPresencesByUserId";
pub(crate) const BATCH: &str = "/v1.0/$batch";

/// An id that nobody has.
pub(crate) const NOBODY: &str = "99999999-0000-4000-8000-000000000009";

/// presence-api 2.1
pub(crate) const AVAILABILITIES: [&str; 9] = [
    "Available",
    "AvailableIdle",
    "Away",
    "BeRightBack",
    "Busy",
    "BusyIdle",
    "DoNotDisturb",
    "Offline",
    "PresenceUnknown",
];

/// presence-api 2.2
pub(crate) const ACTIVITIES: [&str; 16] = [
    "Available",
    "AvailableInactive",
    "Away",
    "BeRightBack",
    "Busy",
    "DoNotDisturb",
    "InACall",
    "InAConferenceCall",
    "Inactive",
    "InAMeeting",
    "Offline",
    "OffWork",
    "OutOfOffice",
    "PresenceUnknown",
    "Presenting",
    "UrgentInterruptionsOnly",
];

/// presence-api 7.2
pub(crate) const SESSION_PAIRS: [&str; 5] =
    ["Available/Available", "Busy/InACall", "Busy/InAConferenceCall", "Away/Away", "DoNotDisturb/Presenting"];

/// presence-api 9.1
pub(crate) const PREFERRED_PAIRS: [&str; 6] = [
    "Available/Available",
    "Busy/Busy",
    "DoNotDisturb/DoNotDisturb",
    "BeRightBack/BeRightBack",
    "Away/Away",
    "Offline/OffWork",
];

/// presence-api 13
pub(crate) const STANDING_PAIRS: [&str; 18] = [
    "Available/Available",
    "Available/OutOfOffice",
    "AvailableIdle/Inactive",
    "Away/Away",
    "Away/BeRightBack",
    "Away/OutOfOffice",
    "BeRightBack/BeRightBack",
    "Busy/Busy",
    "Busy/InACall",
    "Busy/InAConferenceCall",
    "Busy/InAMeeting",
    "BusyIdle/Inactive",
    "DoNotDisturb/DoNotDisturb",
    "DoNotDisturb/Presenting",
    "DoNotDisturb/UrgentInterruptionsOnly",
    "Offline/Offline",
    "Offline/OffWork",
    "Offline/OutOfOffice",
];

/// Every availability with every activity, but for these pairs.
pub(crate) fn pairs_other_than(known: &[&str]) -> Vec<String> {
    let all = AVAILABILITIES
        .into_iter()
        .flat_map(|one| ACTIVITIES.into_iter().map(move |other| format!("{one}/{other}")));
    all.filter(|pair| !known.contains(&pair.as_str())).collect()
}

/// The line of E16 for a pair that `method` does not take.
pub(crate) fn not_supported(pair: &str, method: &str, supported: &[&str]) -> String {
    format!(
        "400 InvalidArgument The provided [Availability] and [Activity] combination '{pair}' is not supported by \
         {method}. Supported: {}.",
        supported.join(", ")
    )
}

/// The line of E4.
pub(crate) fn lacks(required: &str) -> String {
    format!("403 Forbidden The token lacks a permission this call needs. Any one of: {required}.")
}

/// The line of E7.
pub(crate) fn unknown_user(key: &str) -> String {
    format!(
        "404 Request_ResourceNotFound Resource '{key}' does not exist or one of its queried reference-property \
         objects are not present."
    )
}

pub(crate) const ANOTHER_USER: &str = "403 Forbidden Cannot set the presence of another user.";
pub(crate) const ME_NEEDS_A_USER: &str =
    "400 Request_BadRequest /me request is only valid with delegated authentication flow.";
pub(crate) const OUT_OF_RANGE: &str =
    "400 InvalidArgument The provided [ExpirationDuration] is out of range.";
pub(crate) const NO_SESSION: &str = "404 NotFound The presence session does not exist or has already ended.";

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn minutes(n: u64) -> Duration {
    seconds(n * 60)
}

pub(crate) fn hours(n: u64) -> Duration {
    minutes(n * 60)
}

pub(crate) fn days(n: u64) -> Duration {
    hours(n * 24)
}

/// `/v1.0/users/{user}/presence`
pub(crate) fn presence_of(user: &str) -> String {
    format!("/v1.0/users/{user}/presence")
}

/// Ada with every delegated permission, through application A.
pub(crate) fn ada(server: &TestServer) -> Client {
    server.client(&format!("ada@{APP_A}:"))
}

/// Ben with every delegated permission.
pub(crate) fn ben(server: &TestServer) -> Client {
    server.client("ben:")
}

/// An application with every permission of its own right, and what it does to Ada.
pub(crate) struct Application {
    pub(crate) client: Client,
    pub(crate) id: &'static str,
}

impl Application {
    pub(crate) fn a(server: &TestServer) -> Application {
        Application { client: server.client(&format!("{APP_A}:")), id: APP_A }
    }

    pub(crate) fn b(server: &TestServer) -> Application {
        Application { client: server.client(&format!("{APP_B}:")), id: APP_B }
    }

    /// setPresence; an empty duration is left out.
    pub(crate) async fn set(&self, pair: &str, duration: &str) -> Answer {
        self.act("setPresence", &session(self.id, pair, duration)).await
    }

    /// clearPresence of its session.
    pub(crate) async fn clear(&self) -> Answer {
        self.act("clearPresence", &json!({"sessionId": self.id})).await
    }

    /// setUserPreferredPresence; an empty duration is left out.
    pub(crate) async fn prefer(&self, pair: &str, duration: &str) -> Answer {
        self.act("setUserPreferredPresence", &state(pair, duration)).await
    }

    /// Any action.
    pub(crate) async fn act(&self, action: &str, body: &Value) -> Answer {
        self.client.post(&format!("{}/{action}", presence_of(ADA)), body).await
    }
}

/// A body with a pair, and a duration unless that is empty.
pub(crate) fn state(pair: &str, duration: &str) -> Value {
    let (availability, activity) = pair.split_once('/').expect("a pair has a slash");
    let mut body = json!({"availability": availability, "activity": activity});
    if !duration.is_empty() {
        body["expirationDuration"] = duration.into();
    }
    body
}

/// A body of setPresence.
pub(crate) fn session(id: &str, pair: &str, duration: &str) -> Value {
    let mut body = state(pair, duration);
    body["sessionId"] = id.into();
    body
}

/// A body of setStatusMessage with this text and no end.
pub(crate) fn status(content: &str) -> Value {
    json!({"statusMessage": {"message": {"content": content, "contentType": "text"}}})
}

/// A body of setStatusMessage with this end.
pub(crate) fn status_until(content: &str, date_time: &str, time_zone: &str) -> Value {
    let mut body = status(content);
    body["statusMessage"]["expiryDateTime"] = json!({"dateTime": date_time, "timeZone": time_zone});
    body
}

/// Ada's presence as she reads it.
pub(crate) async fn read(server: &TestServer) -> Value {
    let answer = ada(server).get(ME).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Ada's availability and activity.
pub(crate) async fn pair(server: &TestServer) -> String {
    ada(server).get(ME).await.pair()
}

/// All that there is of Ada: what is seen, every layer beneath it and every deadline.
pub(crate) async fn everything(server: &TestServer) -> (Value, Value) {
    let explanation = ada(server).get(EXPLAIN).await;
    assert_eq!(explanation.status, 200, "{explanation:?}");
    (read(server).await, explanation.json())
}

/// The number in a sequenceNumber.
pub(crate) fn sequence(presence: &Value) -> i64 {
    let text = presence["sequenceNumber"].as_str().expect("sequenceNumber is a string");
    let digits = text.strip_prefix('A').expect("sequenceNumber begins with a letter");
    assert_eq!(digits.len(), 14, "{text}");
    digits.parse().expect("sequenceNumber goes on with digits")
}

/// The names of an object's members, in the order sent.
pub(crate) fn members(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// An action was done: 200 and no body at all. Source: presence-api 4.2.
#[track_caller]
pub(crate) fn done(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-length"), "0", "{answer:?}");
    assert!(answer.headers.get("content-type").is_none(), "{answer:?}");
    assert!(answer.body.is_empty(), "{answer:?}");
}

/// 204 and no body at all.
#[track_caller]
pub(crate) fn done_without_content(answer: &Answer) {
    assert_eq!(answer.status, 204, "{answer:?}");
    assert!(answer.headers.get("content-type").is_none(), "{answer:?}");
    assert!(answer.body.is_empty(), "{answer:?}");
}

/// An error with this status, code and message, in the shape of presence-api 16.1.
#[track_caller]
pub(crate) fn refused(answer: &Answer, expected: &str) {
    assert_eq!(answer.error(), expected, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    assert_eq!(members(&body), ["error"]);
    let error = &body["error"];
    assert!(error["code"].is_string() && error["message"].is_string(), "{error}");
    let inner = &error["innerError"];
    let date = inner["date"].as_str().expect("a date");
    assert_eq!(date.len(), "2026-11-20T09:14:22".len(), "UTC without zone letter or fraction: {date}");
    assert_eq!(inner["request-id"], answer.header("request-id"));
    assert_eq!(inner["client-request-id"], answer.header("client-request-id"));
    Uuid::try_parse(answer.header("request-id")).expect("request-id is a GUID");
}

/// The hint of an error; nothing when there is none.
pub(crate) fn hint(answer: &Answer) -> String {
    answer.json()["error"]["innerError"]["hint"].as_str().unwrap_or_default().to_owned()
}

/// A body without what differs from run to run: the port, the ids of requests, revisions, and tags, which depend on
/// the port.
pub(crate) fn redacted(server: &TestServer, value: &Value) -> Value {
    const CHANGING: [&str; 4] = ["request-id", "client-request-id", "porchlight-revision", "ETag"];
    match value {
        Value::String(text) => text.replace(&server.url(), "http://porchlight.test").into(),
        Value::Array(items) => items.iter().map(|item| redacted(server, item)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let changing = CHANGING.contains(&name.as_str());
                (
                    name.clone(),
                    if changing { Value::from(format!("[{name}]")) } else { redacted(server, value) },
                )
            })
            .collect(),
        other => other.clone(),
    }
}

/// Makes Ada's entry in the directory another one.
pub(crate) async fn change_ada(server: &TestServer, change: impl FnOnce(&mut Person)) {
    let tenant = server.engine().tenant(Development::TENANT).expect("the demo tenant is there");
    let id = UserId(Uuid::try_parse(ADA).expect("Ada's id is a GUID"));
    let mut person = tenant.directory().person(id).expect("Ada is in the directory");
    change(&mut person);
    server.engine().put_person(Development::TENANT, &person).await.expect("the entry is written");
}

/// Takes a server's link apart from what every link begins with.
pub(crate) fn below(server: &TestServer, link: &str) -> String {
    link.strip_prefix(&server.url()).unwrap_or_else(|| panic!("{link} leads to this server")).to_owned()
}

/// Puts another person into the directory.
pub(crate) async fn add_person(server: &TestServer, id: &str, name: &str, mail: Option<&str>) {
    let id = UserId(Uuid::try_parse(id).expect("a GUID"));
    let mail = mail.map(str::to_owned);
    let person = Person { display_name: name.to_owned(), mail, ..Person::new(id, name) };
    server.engine().put_person(Development::TENANT, &person).await.expect("the entry is written");
}

/// The answer to a request that is sent as it stands, byte for byte: head and body.
pub(crate) async fn raw(server: &TestServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.expect("the server listens");
    raw_on(&mut stream, request).await
}

/// The same over a connection that is there already.
pub(crate) async fn raw_on(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = Vec::new();
    while !is_whole(&answer) {
        let read = tokio::time::timeout(seconds(10), stream.read_buf(&mut answer)).await;
        if read.expect("the server answers in time").expect("the connection holds") == 0 {
            break;
        }
    }
    String::from_utf8(answer).expect("the answer is text")
}

/// Whether an answer has as many bytes as its head announces.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok();
    head.lines().find_map(length).is_some_and(|length| body.len() >= length)
}
