//! Clients that are slow, fall silent, hang up, push ahead, or never read what they asked for.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use porchlight_http::converse;
use porchlight_testkit::TestServer;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

use crate::support::{Connection, ME, Message, ask, pair, presence, within};

/// A time-out short enough to wait for.
const SHORT: Duration = Duration::from_millis(200);

/// A server that waits no longer than [`SHORT`] for a head, and for a body.
async fn impatient() -> TestServer {
    let settings = |settings: &mut porchlight_http::Settings| {
        settings.limits.header_timeout = SHORT;
        settings.limits.body_timeout = SHORT;
    };
    TestServer::builder().settings(settings).start().await
}

fn busy() -> Message {
    Message::by("ada", "PATCH", ME).json(json!({"availability": "Busy", "activity": "InACall"}).to_string())
}

/// What still comes on a connection that the server is to end, as text.
async fn end_of(connection: &mut Connection) -> String {
    let rest = within("the end of the connection", connection.rest()).await;
    String::from_utf8_lossy(&rest).into_owned()
}

#[tokio::test]
async fn half_a_head_and_then_silence_ends_the_connection() {
    let server = impatient().await;
    let whole = Message::by("ada", "GET", ME).bytes();
    for length in [1, 10, whole.len() / 2, whole.len() - 1] {
        let mut slow = Connection::open(server.address()).await;
        slow.send(&whole[..length]).await.expect("the server listens");
        // Nobody else waits for it.
        assert_eq!(pair(&presence(server.address(), "ada").await), "Offline/Offline");
        let rest = end_of(&mut slow).await;
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408"), "{length} bytes: {rest}");
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_does_not_stay_open() {
    let server = impatient().await;
    // The second is the beginning of HTTP/2, whose rest never comes.
    for beginning in ["", "PRI * HTTP/2.0\r\n\r\nSM"] {
        let mut silent = Connection::open(server.address()).await;
        silent.send(beginning.as_bytes()).await.expect("the server listens");
        end_of(&mut silent).await;
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_stay_open() {
    let server = impatient().await;
    let mut idle = Connection::open(server.address()).await;
    let answer = within("an answer", idle.exchange(&Message::by("ada", "GET", ME).bytes())).await;
    assert_eq!(answer.expect("an answer").status, 200);
    assert_eq!(end_of(&mut idle).await, "");
}

#[tokio::test]
async fn half_a_body_and_then_silence_is_answered_408() {
    let server = impatient().await;
    let whole = busy().bytes();
    let mut slow = Connection::open(server.address()).await;
    let answer = within("an answer", slow.exchange(&whole[..whole.len() - 1])).await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (408, "RequestTimeout"), "{answer:?}");
    assert_eq!(answer.flaw(), None);
    assert_eq!(end_of(&mut slow).await, "");
    assert_eq!(pair(&presence(server.address(), "ada").await), "Offline/Offline");
}

#[tokio::test]
async fn chunks_without_an_end_are_answered_408() {
    let server = impatient().await;
    let endless = Message::by("ada", "PATCH", ME).header("Transfer-Encoding", "chunked").tail("2\r\n{}\r\n");
    let answer = ask(server.address(), &endless).await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "RequestTimeout"), "{answer:?}");
}

#[tokio::test]
async fn hanging_up_in_the_middle_of_a_request_writes_nothing() {
    let server = TestServer::start().await;
    let whole = busy().bytes();
    for length in 1..whole.len() {
        let mut gone = Connection::open(server.address()).await;
        gone.send(&whole[..length]).await.expect("the server listens");
        if length % 2 == 0 {
            continue;
        }
        // Says that nothing more comes, and looks what is made of it.
        gone.finish().await.ok();
        let rest = end_of(&mut gone).await;
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 400"), "{length} bytes: {rest}");
    }
    assert_eq!(pair(&presence(server.address(), "ada").await), "Offline/Offline");
    // The whole of it would have.
    assert_eq!(ask(server.address(), &busy()).await.status, 200);
    assert_eq!(pair(&presence(server.address(), "ada").await), "Busy/InACall");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::start().await;
    let mut requests = Vec::new();
    for number in 0..10 {
        let message = match number {
            4 => busy(),
            7 => Message::by("ada", "GET", "/v1.0/users/nobody/presence"),
            _ => Message::by("ada", "GET", ME),
        };
        requests.extend(message.bytes());
    }
    let mut connection = Connection::open(server.address()).await;
    connection.send(&requests).await.expect("the server listens");
    for number in 0..10 {
        let answer = within("an answer", connection.answer()).await.expect("an answer");
        match number {
            0..=3 => assert_eq!(answer.pair(), "Offline/Offline", "{number}"),
            7 => assert_eq!(answer.status, 404, "{number}"),
            _ => assert_eq!(answer.pair(), "Busy/InACall", "{number}"),
        }
    }
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let server = TestServer::start().await;
    let request = Message::by("ada", "GET", ME).bytes();
    let mut connection = Connection::open(server.address()).await;
    connection.send(&[&request[..], &request[..20]].concat()).await.expect("the server listens");
    let answer = within("the answer to the first", connection.answer()).await.expect("an answer");
    assert_eq!(answer.status, 200);
    connection.send(&request[20..]).await.expect("the server listens");
    let answer = within("the answer to the second", connection.answer()).await.expect("an answer");
    assert_eq!(answer.status, 200);
}

/// Whom connections come from that are served on a test's own thread.
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn who_sends_one_request_waits_for_a_few_of_those_that_were_sent_together() {
    const FLOOD: usize = 2_000;
    let server = TestServer::start().await;
    let request = Message::by("ada", "GET", ME).bytes();
    // Room for all of them and for all answers.
    let (mut flood, theirs) = duplex(16 * 1024 * 1024);
    flood.write_all(&request.repeat(FLOOD)).await.expect("there is room");
    let listener = TcpListener::bind((PEER, 0)).await.expect("a free port");
    let mut single = Connection::open(listener.local_addr().expect("it listens")).await;
    let (accepted, _) = within("the connection", listener.accept()).await.expect("it has come");
    single.send(&request).await.expect("there is room");

    // All on this thread, so how much of the one is done before the other does not hang on how fast it is.
    tokio::spawn(converse(Arc::clone(server.api()), PEER, theirs));
    tokio::spawn(converse(Arc::clone(server.api()), PEER, accepted));
    let answer = within("an answer", single.answer()).await.expect("an answer");
    assert_eq!(answer.status, 200);
    let mut answers = Vec::with_capacity(16 * 1024 * 1024);
    let read = flood.read_buf(&mut answers).now_or_never();
    read.expect("some were answered").expect("the connection holds");
    let before = String::from_utf8_lossy(&answers).matches("HTTP/1.1 200").count();
    assert!(before <= 64, "{before} of {FLOOD} were answered first");
}

#[tokio::test]
async fn a_head_without_an_end_is_read_to_its_limit_and_no_further() {
    let server = TestServer::start().await;
    // The pipe holds nearly nothing, so what it takes the server has read.
    let (mut bomb, theirs) = duplex(1024);
    tokio::spawn(converse(Arc::clone(server.api()), PEER, theirs));
    let beginning = Message::by("ada", "GET", ME).bytes();
    bomb.write_all(&beginning[..beginning.len() - 2]).await.expect("it is read");
    bomb.write_all(b"X-Long: ").await.expect("it is read");
    let mut taken = 0;
    while let Ok(bytes) = within("the end of the connection", bomb.write(&[b'x'; 1024])).await {
        taken += bytes;
        assert!(taken < 80 * 1024, "{taken} bytes of a head were read");
    }
    assert!(taken > 8 * 1024, "{taken} bytes of a head are too few to refuse it");
    let mut rest = Vec::new();
    within("the answer", bomb.read_to_end(&mut rest)).await.expect("the connection ends");
    assert!(rest.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&rest));
}

/// How many documents of metadata this process has sent; no other test here asks for any.
async fn documents(address: SocketAddr) -> usize {
    let answer = ask(address, &Message::anonymous("GET", "/porchlight/metrics")).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let wanted = |line: &&str| line.contains(r#"route="metadata""#) && line.contains(r#"status="200""#);
    let line = text.lines().find(wanted);
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

/// Far more than the sockets between a client and a server hold the answers of.
const REQUESTS: usize = 10_000;

/// Asks for something [`REQUESTS`] times over one connection and reads no answer. The task ends when the server has taken
/// all requests, or the connection has ended.
async fn ask_without_reading(
    address: SocketAddr,
    path: &str,
) -> (OwnedReadHalf, JoinHandle<(OwnedWriteHalf, io::Result<()>)>) {
    // So that what the sockets hold is a small part of all answers.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(64 * 1024).expect("a small buffer");
    let stream = within("a connection", socket.connect(address)).await.expect("the server listens");
    let (reader, mut writer) = stream.into_split();
    let requests = Message::anonymous("GET", path).bytes().repeat(REQUESTS);
    let writing = tokio::spawn(async move {
        let written = writer.write_all(&requests).await;
        // Kept, or the server would see that nothing more comes.
        (writer, written)
    });
    (reader, writing)
}

#[tokio::test]
async fn answers_that_nobody_reads_do_not_pile_up() {
    let server = TestServer::start().await;
    let address = server.address();
    let (_never_read, writing) = ask_without_reading(address, "/v1.0/$metadata").await;
    // Until the server has stopped working on it: the number stays the same for a while.
    let (mut sent, mut unchanged) = (0, 0);
    for _ in 0..2_000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = documents(address).await;
        unchanged = if now == sent { unchanged + 1 } else { 0 };
        sent = now;
        if sent > 0 && unchanged == 25 {
            break;
        }
    }
    assert!(sent > 0, "the server has begun to answer");
    writing.abort();
    writing.await.ok();
    assert!(sent < REQUESTS / 2, "{sent} answers of 8 KB were made, and nobody has read any");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answers_does_not_keep_its_connection() {
    let one = |settings: &mut porchlight_http::Settings| {
        settings.limits.answer_timeout = SHORT;
        settings.limits.connections_max = 1;
    };
    let server = TestServer::builder().settings(one).start().await;
    let (_never_read, writing) = ask_without_reading(server.address(), "/porchlight/limits").await;
    // The only place is free again.
    assert_eq!(pair(&presence(server.address(), "ada").await), "Offline/Offline");
    writing.abort();
    writing.await.ok();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_reads_slowly_keeps_its_connection() {
    let second = |settings: &mut porchlight_http::Settings| {
        settings.limits.answer_timeout = Duration::from_secs(1);
    };
    let server = TestServer::builder().settings(second).start().await;
    let (mut reader, writing) = ask_without_reading(server.address(), "/porchlight/limits").await;
    let mut piece = vec![0; 64 * 1024];
    // Three seconds, in which there is always more than the sockets hold.
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let bytes = within("more of the answers", reader.read(&mut piece)).await;
        assert_ne!(bytes.expect("the connection holds"), 0);
    }
    writing.abort();
    writing.await.ok();
}

#[tokio::test]
async fn connections_that_were_dropped_make_room_for_others() {
    let few = |settings: &mut porchlight_http::Settings| settings.limits.connections_max = 4;
    let server = TestServer::builder().settings(few).start().await;
    let whole = Message::by("ada", "GET", ME).bytes();
    for number in 0..100 {
        let mut dropped = Connection::open(server.address()).await;
        let length = [0, 10, whole.len() - 1, whole.len()][number % 4];
        dropped.send(&whole[..length]).await.expect("the server listens");
    }
    assert_eq!(pair(&presence(server.address(), "ada").await), "Offline/Offline");
}

#[tokio::test]
async fn one_connection_too_many_waits_for_its_turn() {
    let few = |settings: &mut porchlight_http::Settings| settings.limits.connections_max = 2;
    let server = TestServer::builder().settings(few).start().await;
    let request = Message::by("ada", "GET", ME).bytes();
    let mut first = Connection::open(server.address()).await;
    let mut second = Connection::open(server.address()).await;
    for connection in [&mut first, &mut second] {
        let answer = within("an answer", connection.exchange(&request)).await.expect("an answer");
        assert_eq!(answer.status, 200);
    }
    let mut third = Connection::open(server.address()).await;
    third.send(&request).await.expect("it is queued");
    // The two that are served go on being served.
    let answer = within("an answer", second.exchange(&request)).await.expect("an answer");
    assert_eq!(answer.status, 200);
    drop(first);
    let answer = within("its turn", third.answer()).await.expect("an answer");
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_crowd_that_comes_at_once_finds_room_to_wait() {
    let one = |settings: &mut porchlight_http::Settings| settings.limits.connections_max = 1;
    let server = TestServer::builder().settings(one).start().await;
    let request = Message::by("ada", "GET", ME).bytes();
    let mut first = Connection::open(server.address()).await;
    let answer = within("an answer", first.exchange(&request)).await.expect("an answer");
    assert_eq!(answer.status, 200);
    // Nobody is accepted meanwhile. Without room a connection would not come about.
    let mut waiting = Vec::new();
    for _ in 0..500 {
        waiting.push(Connection::open(server.address()).await);
    }
    drop(first);
    let answer = within("their turn", waiting[0].exchange(&request)).await.expect("an answer");
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn rubbish_after_the_beginning_of_http_2_ends_the_connection() {
    let server = TestServer::start().await;
    let rubbish: [&[u8]; 3] = [&[0xff; 100], &[0; 100], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"];
    for rubbish in rubbish {
        let mut connection = Connection::open(server.address()).await;
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("the server listens");
        connection.send(rubbish).await.ok();
        let rest = end_of(&mut connection).await;
        assert!(!rest.contains("HTTP/1.1"), "{rest}");
    }
    assert_eq!(pair(&presence(server.address(), "ada").await), "Offline/Offline");
}
