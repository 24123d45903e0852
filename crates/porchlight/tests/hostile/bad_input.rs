//! Whatever comes in: a 4xx, in the error shape wherever it was HTTP; never a panic, a hang or a change.

mod batches;
mod bodies;
mod compressed;
mod framing;
mod table;

use std::net::SocketAddr;

use porchlight_testkit::TestServer;
use serde_json::json;

use crate::support::{Connection, HOST, ME, Message, PATIENCE, ask, presence, within};

/// One bad request, and what it is answered with.
struct Case {
    name: String,
    request: Vec<u8>,
    expected: Expected,
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    /// An answer of the server's own: this status and code, in the error shape.
    Error(u16, &'static str),
    /// It was no HTTP: the library's bare status, and the end of the connection. Source: presence-api 16.3.
    Bare(u16),
    /// A limit was hit, the library's or the server's: this status, bare or in the error shape.
    Limit(u16),
}

impl Case {
    fn new(name: impl Into<String>, message: &Message, expected: Expected) -> Case {
        let name: String = name.into().chars().take(120).collect();
        Case { name, request: message.bytes(), expected }
    }

    /// What is wrong with the answer, if anything is.
    async fn flaw(&self, address: SocketAddr) -> Option<String> {
        let mut connection = Connection::open(address).await;
        let answer = match tokio::time::timeout(PATIENCE, connection.exchange(&self.request)).await {
            Err(_) => return Some("it hangs".to_owned()),
            Ok(None) => return Some("the connection ends without an answer".to_owned()),
            Ok(Some(answer)) => answer,
        };
        let expected = match self.expected {
            Expected::Error(status, code) => answer.status == status && answer.code() == code,
            Expected::Bare(status) => answer.status == status && answer.body.is_empty(),
            Expected::Limit(status) => answer.status == status,
        };
        if !expected {
            return Some(format!("expected {:?}, got {answer:?}", self.expected));
        }
        if !answer.body.is_empty() {
            return answer.flaw();
        }
        match tokio::time::timeout(PATIENCE, connection.rest()).await {
            Ok(rest) if rest.is_empty() => None,
            Ok(rest) => Some(format!("more came after the answer: {}", String::from_utf8_lossy(&rest))),
            Err(_) => Some("the connection stays open".to_owned()),
        }
    }
}

/// Every case.
fn cases() -> Vec<Case> {
    let tables = [include_str!("bad_input/targets.txt"), include_str!("bad_input/bodies.txt")];
    let mut cases: Vec<Case> = tables.into_iter().flat_map(table::read).collect();
    cases.extend(bodies::cases());
    cases.extend(compressed::cases());
    cases.extend(framing::cases());
    cases
}

/// Gives Ada a presence of which every part would show a change.
async fn furnish(address: SocketAddr) {
    let body = json!({
        "availability": "Busy",
        "activity": "InAMeeting",
        "statusMessage": {"message": {"content": "Nothing to see here", "contentType": "text"}},
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"},
        "workLocation": {"workLocationType": "office", "placeId": "here"},
    });
    let answer = ask(address, &Message::by("ada", "PATCH", ME).json(body.to_string())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn whatever_comes_in_is_refused_and_changes_nothing() {
    let server = TestServer::start().await;
    let address = server.address();
    furnish(address).await;
    let before = presence(address, "ada").await;
    let cases = cases();
    assert!(cases.len() >= 500, "the tables are read: {}", cases.len());
    let mut flaws = Vec::new();
    for case in &cases {
        let flaw = case.flaw(address).await;
        // Also a good request after each bad one: the server still answers.
        let changed = presence(address, "ada").await != before;
        let flaw = flaw.or(changed.then(|| "it has changed what Ada shows".to_owned()));
        flaws.extend(flaw.map(|flaw| format!("{}: {flaw}", case.name)));
    }
    assert!(flaws.is_empty(), "{} of {} cases:\n{}", flaws.len(), cases.len(), flaws.join("\n"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_stays_flat_however_often_it_comes() {
    const MEBIBYTE: u64 = 1 << 20;
    /// A field of `/proc/self/status`, in bytes.
    fn memory(field: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
        let line = status.lines().find(|line| line.starts_with(field)).expect("a known field");
        let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
        kilobytes.expect("a number of kB") * 1024
    }
    let server = TestServer::start().await;
    let cases = cases();
    let before = memory("VmRSS");
    let mut growth = Vec::new();
    for _ in 0..4 {
        let before = memory("VmRSS");
        for case in &cases {
            case.flaw(server.address()).await;
        }
        growth.push(memory("VmRSS").saturating_sub(before));
    }
    // Other tests of this process take and return memory meanwhile; what leaks here does so in every round.
    let least = growth.iter().min().expect("there were rounds");
    assert!(*least < 16 * MEBIBYTE, "every round takes more: {growth:?}");
    // One of the bombs inflates to almost a gibibyte.
    let peak = memory("VmHWM").saturating_sub(before);
    assert!(peak < 512 * MEBIBYTE, "it took {peak} bytes at some time");
}

#[tokio::test]
async fn content_length_beside_transfer_encoding_smuggles_nothing() {
    let server = TestServer::start().await;
    let address = server.address();
    furnish(address).await;
    let before = presence(address, "ada").await;
    let hidden = Message::by("ada", "DELETE", ME).bytes();
    // By its length one request; by its chunks two, of which the second deletes.
    for (first, second) in [("Content-Length", "Transfer-Encoding"), ("Transfer-Encoding", "Content-Length")]
    {
        let value = |name: &str| match name {
            "Content-Length" => (hidden.len() + 5).to_string(),
            _ => "chunked".to_owned(),
        };
        let message = Message::by("ada", "GET", ME).header(first, value(first)).header(second, value(second));
        let message = message.tail(b"0\r\n\r\n").tail(&hidden);
        let mut connection = Connection::open(address).await;
        within("an answer", connection.exchange(&message.bytes())).await;
        let rest = within("the end of the connection", connection.rest()).await;
        assert_eq!(String::from_utf8_lossy(&rest), "", "{first} before {second}: there was a second answer");
        assert_eq!(presence(address, "ada").await, before, "{first} before {second}");
    }
}

/// Source: RFC 9112, 3.2. Links in answers are made from the host.
#[tokio::test]
async fn a_request_without_one_clear_host_is_refused() {
    let server = TestServer::start().await;
    let hosts: [&[&str]; 4] = [&[], &[HOST, "evil.example"], &["a b"], &["evil.example/v1.0/\""]];
    for hosts in hosts {
        let message = Message::line(format!("GET {ME} HTTP/1.1")).header("Authorization", "Bearer dev:ada:");
        let message = hosts.iter().fold(message, |message, host| message.header("Host", host));
        let answer = ask(server.address(), &message).await;
        assert_eq!(answer.status, 400, "{hosts:?}: {answer:?}");
    }
}

/// What looks odd and is lawful: it must not be refused along with the rest.
#[tokio::test]
async fn what_is_odd_but_right_is_answered() {
    let server = TestServer::start().await;
    let get = |target: &str| Message::by("ada", "GET", target);
    let people = "/v1.0/communications/presences";
    let clear = "/v1.0/me/presence/clearUserPreferredPresence";
    let many = |part: &str, times: usize, between: &str| vec![part; times].join(between);
    let busy = |times| many("availability%20eq%20'Busy'", times, "%20or%20");
    let table = [
        ("an absolute target", 200, get(&format!("http://{HOST}{ME}"))),
        ("OPTIONS *", 204, Message::anonymous("OPTIONS", "*")),
        (
            "HTTP/1.0 without a host",
            200,
            Message::line(format!("GET {ME} HTTP/1.0")).header("Authorization", "Bearer dev:ada:"),
        ),
        ("a slash at the end", 200, get("/v1.0/me/presence/")),
        ("fixed segments in capitals", 200, get("/V1.0/ME/PRESENCE")),
        ("a fixed segment encoded", 200, get("/v1.0/%6de/presence")),
        ("a fragment", 200, get("/v1.0/me/presence#x")),
        ("an encoded option", 200, get("/v1.0/me/presence?%24select=id%2Cactivity")),
        ("options that are not OData's", 200, get("/v1.0/me/presence?x=%ff&x=1&x=1")),
        ("a hundred comparisons", 200, get(&format!("{people}?$filter={}", busy(100)))),
        ("30 KB of select", 200, get(&format!("{people}?$select={}", many("id", 10_000, ",")))),
        ("650 ids", 200, get(&format!("{people}?$filter=id%20in%20({})", many("'x'", 650, ",")))),
        ("skipping everybody", 200, get(&format!("{people}?$skip=1000000000"))),
        ("the same Accept twice", 200, get(ME).header("Accept", "application/json, application/json")),
        ("7,000 bytes of header", 200, get(ME).header("X", "x".repeat(7_000))),
        (
            "the same length twice",
            200,
            Message::by("ada", "POST", clear).header("Content-Length", "2").json("{}"),
        ),
        ("an action with {}", 200, Message::by("ada", "POST", clear).json("{}")),
        ("an action with an empty body", 200, Message::by("ada", "POST", clear).json("")),
        ("an action without a length", 200, Message::by("ada", "POST", clear)),
        (
            "chunks with extensions and trailers",
            200,
            Message::by("ada", "POST", clear)
                .header("Transfer-Encoding", "chunked")
                .tail("1;name=value\r\n{\r\n1\r\n}\r\n0\r\nX-Trailer: x\r\n\r\n"),
        ),
    ];
    for (name, status, message) in table {
        let answer = ask(server.address(), &message).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
    }
}
