//! What every file here needs: raw requests, raw connections, and patience with an end.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything may take before it counts as hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The host that raw requests name.
pub(crate) const HOST: &str = "porchlight.localhost";

/// Where most requests here go.
pub(crate) const ME: &str = "/v1.0/me/presence";

/// What `future` gives, unless it takes longer than [`PATIENCE`].
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("{what}: still nothing after {PATIENCE:?}"))
}

/// Returns when `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let polling = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(what, polling).await;
}

/// A request as it goes over the wire: nothing checks it, and nothing is added to it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Message {
    /// A request line, and nothing else yet.
    pub(crate) fn line(line: impl AsRef<[u8]>) -> Message {
        Message { head: Vec::new(), tail: Vec::new() }.header_line(line)
    }

    /// A request without a token.
    pub(crate) fn anonymous(method: &str, target: &str) -> Message {
        Message::line(format!("{method} {target} HTTP/1.1")).header("Host", HOST)
    }

    /// A request of this person, with every permission that a user can have.
    pub(crate) fn by(who: &str, method: &str, target: &str) -> Message {
        Message::anonymous(method, target).header("Authorization", format!("Bearer dev:{who}:"))
    }

    /// The same with one more header.
    pub(crate) fn header(self, name: &str, value: impl AsRef<[u8]>) -> Message {
        let mut line = format!("{name}: ").into_bytes();
        line.extend_from_slice(value.as_ref());
        self.header_line(line)
    }

    /// The same with one more line in the head, whatever it is.
    pub(crate) fn header_line(mut self, line: impl AsRef<[u8]>) -> Message {
        self.head.extend_from_slice(line.as_ref());
        self.head.extend_from_slice(b"\r\n");
        self
    }

    /// The same with this body and its length.
    pub(crate) fn body(self, body: impl AsRef<[u8]>) -> Message {
        let length = body.as_ref().len().to_string();
        self.header("Content-Length", length).tail(body)
    }

    /// The same with this body, which is said to be JSON.
    pub(crate) fn json(self, body: impl AsRef<[u8]>) -> Message {
        self.header("Content-Type", "application/json").body(body)
    }

    /// The same with these bytes after the head, announced by nothing.
    pub(crate) fn tail(mut self, bytes: impl AsRef<[u8]>) -> Message {
        self.tail.extend_from_slice(bytes.as_ref());
        self
    }

    /// What goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&self.head[..], &b"\r\n"[..], &self.tail[..]].concat()
    }
}

/// An answer as it came over the wire.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        write!(formatter, "{} {body}", self.status)
    }
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// `availability/activity` of a presence.
    pub(crate) fn pair(&self) -> String {
        pair(&self.json())
    }

    /// An error's code; empty when the body is no error.
    pub(crate) fn code(&self) -> String {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// An error's message; empty when the body is no error.
    pub(crate) fn message(&self) -> String {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json["error"]["message"].as_str().unwrap_or_default().to_owned()
    }

    /// What an error lacks that every error must have. Source: presence-api 4.2 and 16.1.
    pub(crate) fn flaw(&self) -> Option<String> {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let (error, inner) = (&json["error"], &json["error"]["innerError"]);
        let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        let same = |name: &str| text(&inner[name]) && inner[name].as_str() == self.header(name);
        let retry_after = self.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
        let challenge = self.header("www-authenticate").unwrap_or_default();
        let checks = [
            (
                "error as its only member",
                json.as_object().is_some_and(|top| top.len() == 1) && error.is_object(),
            ),
            ("a code", text(&error["code"])),
            ("a message", text(&error["message"])),
            ("a date", inner["date"].as_str().is_some_and(|date| date.len() == "2026-11-20T09:14:22".len())),
            ("the request-id of its header", same("request-id")),
            ("the client-request-id of its header", same("client-request-id")),
            ("its Content-Type", self.header("content-type") == Some("application/json")),
            ("Allow", self.status != 405 || self.header("allow").is_some_and(|allow| !allow.is_empty())),
            ("WWW-Authenticate", self.status != 401 || challenge.starts_with(r#"Bearer realm="""#)),
            ("Retry-After", self.status != 503 || retry_after.is_some_and(|seconds| seconds >= 1)),
        ];
        checks.into_iter().find(|(_, holds)| !holds).map(|(what, _)| format!("lacks {what}: {self:?}"))
    }
}

/// `availability/activity` of a presence.
pub(crate) fn pair(presence: &Value) -> String {
    let text = |name: &str| presence[name].as_str().unwrap_or("none").to_owned();
    format!("{}/{}", text("availability"), text("activity"))
}

/// A connection that shows what is sent on it and what comes back.
pub(crate) struct Connection<S = TcpStream> {
    stream: S,
    /// What has come and was not asked for yet.
    unread: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Connection {
        let stream = within("a connection", TcpStream::connect(address)).await.expect("the server listens");
        Connection::over(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection that somebody else has opened.
    pub(crate) fn over(stream: S) -> Connection<S> {
        Connection { stream, unread: Vec::new() }
    }

    /// What it goes over.
    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    /// Sends bytes.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// The next answer; `None` when the connection ends before it has come.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        read_answer(&mut self.stream, &mut self.unread, true).await
    }

    /// Sends a request and reads its answer, both at the same time: a server may answer and hang up before it has
    /// read everything.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Option<Answer> {
        let has_body = !request.starts_with(b"HEAD ");
        let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
        let sending = async {
            // Should it hang up, then its answer says why.
            writer.write_all(request).await.ok();
            writer.flush().await.ok();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = sending => unreachable!("it never ends"),
            answer = read_answer(&mut reader, &mut self.unread, has_body) => answer,
        }
    }

    /// Reads until `text` has come, and leaves it unread.
    pub(crate) async fn wait_for(&mut self, text: &[u8]) {
        while find(&self.unread, text).is_none() {
            assert!(read_more(&mut self.stream, &mut self.unread).await, "the connection ended");
        }
    }

    /// Everything that still comes until the connection ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while read_more(&mut self.stream, &mut self.unread).await {}
        std::mem::take(&mut self.unread)
    }
}

/// Whether there was more.
async fn read_more(reader: &mut (impl AsyncRead + Unpin), unread: &mut Vec<u8>) -> bool {
    unread.reserve(16 * 1024);
    matches!(reader.read_buf(unread).await, Ok(bytes) if bytes > 0)
}

async fn read_answer(
    reader: &mut (impl AsyncRead + Unpin),
    unread: &mut Vec<u8>,
    has_body: bool,
) -> Option<Answer> {
    loop {
        let end = loop {
            if let Some(at) = find(unread, b"\r\n\r\n") {
                break at + 4;
            }
            if !read_more(reader, unread).await {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&unread[..end]).into_owned();
        unread.drain(..end);
        let mut lines = head.lines();
        let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        if status < 200 {
            continue;
        }
        let split = |line: &str| {
            line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        };
        let headers: Vec<(String, String)> = lines.filter_map(split).collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = match answer.header("content-length") {
            _ if !has_body || status == 204 => Some(0),
            Some(length) => Some(length.parse::<usize>().ok()?),
            None => None,
        };
        while length.is_none_or(|length| unread.len() < length) {
            if !read_more(reader, unread).await {
                break;
            }
        }
        let length = length.unwrap_or(unread.len());
        if unread.len() < length {
            return None;
        }
        answer.body = unread.drain(..length).collect();
        return Some(answer);
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// One request on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, message: &Message) -> Answer {
    let mut connection = Connection::open(address).await;
    let answer = within("an answer", connection.exchange(&message.bytes())).await;
    answer.expect("an answer before the connection ends")
}

/// What a person shows to themselves.
pub(crate) async fn presence(address: SocketAddr, who: &str) -> Value {
    let message = Message::by(who, "GET", ME).header("Accept", "application/json;odata.metadata=none");
    let answer = ask(address, &message).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// One member of a gzip file.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

/// What a gzip file holds.
pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut inflated = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut inflated).expect("it is gzip");
    inflated
}

/// Numbers that look random and are the same on every run. Source: Steele, Lea and Flood, `SplitMix64`.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// The next number, from 0 up to but not including `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % limit
    }
}
