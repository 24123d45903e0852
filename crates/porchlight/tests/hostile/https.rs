//! https: certificates that are replaced, what is agreed on, and clients that are slow, many, or speak something else.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use porchlight_http::Settings;
use porchlight_testkit::{Authority, TestServer};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Connection, ME, Message, ask, pair, presence, within};

/// A time-out short enough to wait for.
const SHORT: Duration = Duration::from_millis(300);

const HSTS: &str = "strict-transport-security";

type Secure = TlsStream<TcpStream>;

/// A server that speaks https and waits no longer than [`SHORT`] for a handshake, a head and a body.
async fn impatient() -> TestServer {
    let settings = |settings: &mut Settings| {
        settings.limits.header_timeout = SHORT;
        settings.limits.body_timeout = SHORT;
    };
    TestServer::builder().https().settings(settings).start().await
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

/// Shakes hands.
async fn shake_hands(address: SocketAddr, config: Arc<ClientConfig>) -> io::Result<Secure> {
    let stream = TcpStream::connect(address).await?;
    within("a handshake", TlsConnector::from(config).connect(localhost(), stream)).await
}

/// A connection of somebody who trusts this authority.
async fn connect(server: &TestServer, trusted: &Authority) -> io::Result<Connection<Secure>> {
    shake_hands(server.https_address(), trusted.trusting(&[])).await.map(Connection::over)
}

/// A connection of somebody who offers these protocols.
async fn offering(server: &TestServer, protocols: &[&str]) -> io::Result<Secure> {
    shake_hands(server.https_address(), server.authority().trusting(protocols)).await
}

fn get_me() -> Vec<u8> {
    Message::by("ada", "GET", ME).bytes()
}

/// What a server has shown.
fn shown(connection: &Connection<Secure>) -> Option<CertificateDer<'static>> {
    let (_, tls) = connection.stream().get_ref();
    tls.peer_certificates().and_then(|chain| chain.first().cloned())
}

/// What still comes on a connection that the server is to end, as text.
async fn end_of<S: AsyncRead + AsyncWrite + Unpin>(connection: &mut Connection<S>) -> String {
    let rest = within("the end of the connection", connection.rest()).await;
    String::from_utf8_lossy(&rest).into_owned()
}

/// The beginning of a handshake, as a client sends it.
fn hello(server: &TestServer) -> Vec<u8> {
    let config = server.authority().trusting(&[]);
    let mut client = ClientConnection::new(config, localhost()).expect("a client");
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).expect("a vector takes everything");
    bytes
}

#[tokio::test]
async fn another_certificate_is_shown_to_those_who_come_later_and_disturbs_nobody() {
    let server = TestServer::builder().https().start().await;
    let (first, other) = (server.authority(), Authority::default());
    let mut old = connect(&server, first).await.expect("the first is shown");
    let before = shown(&old);
    assert_eq!(within("an answer", old.exchange(&get_me())).await.expect("an answer").status, 200);

    let certified = other.certify(&["localhost"], 2100);
    let (chain, key) = certified.der();
    server.tls().replace(chain.clone(), key).expect("they fit");
    assert!(connect(&server, first).await.is_err(), "who trusts only the first is shown the other");
    let mut new = connect(&server, &other).await.expect("the other is shown");
    assert_eq!(shown(&new).as_ref(), chain.first());
    for connection in [&mut old, &mut new] {
        let answer = within("an answer", connection.exchange(&get_me())).await.expect("an answer");
        assert_eq!(answer.status, 200);
    }
    assert_eq!(shown(&old), before);

    let (_, another_key) = other.certify(&["localhost"], 2100).der();
    assert!(server.tls().replace(chain.clone(), another_key).is_err(), "a key of another certificate");
    let still = connect(&server, &other).await.expect("the other is still shown");
    assert_eq!(shown(&still).as_ref(), chain.first());
}

#[tokio::test]
async fn client_and_server_agree_on_what_is_spoken() {
    let server = TestServer::builder().https().start().await;
    let table: [(&[&str], Option<&str>); 4] = [
        (&[], None),
        (&["http/1.1"], Some("http/1.1")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["spdy/3", "http/1.1"], Some("http/1.1")),
    ];
    for (offered, agreed) in table {
        let stream = offering(&server, offered).await.expect("a handshake");
        let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        assert_eq!(protocol.as_deref(), agreed.map(str::as_bytes), "{offered:?}");
        if agreed != Some("h2") {
            let answer = within("an answer", Connection::over(stream).exchange(&get_me())).await;
            assert_eq!(answer.expect("an answer").status, 200, "{offered:?}");
        }
    }
    assert!(offering(&server, &["spdy/3"]).await.is_err(), "there is nothing that both speak");
}

#[tokio::test]
async fn http_2_is_spoken_with_whoever_offers_it() {
    let server = TestServer::builder().https().start().await;
    let stream = offering(&server, &["h2", "http/1.1"]).await.expect("a handshake");
    let shaken = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.expect("the server speaks HTTP/2");
    tokio::spawn(connection);
    let url = format!("https://localhost:{}{ME}", server.https_address().port());
    for _ in 0..3 {
        let request = Request::get(&url).header("authorization", "Bearer dev:ada:");
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let answer = within("an answer", sender.send_request(request)).await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
        let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
        let presence: Value = serde_json::from_slice(&body).expect("a presence");
        let context = presence["@odata.context"].as_str().unwrap_or_default();
        assert!(context.starts_with(url.trim_end_matches("/me/presence")), "{context}");
    }
}

/// A hello without extensions but the algorithms for signatures, as of old.
#[tokio::test]
async fn tls_1_1_is_refused() {
    const HELLO: [u8; 60] = *b"\x16\x03\x01\x00\x37\x01\x00\x00\x33\x03\x02\
        0123456789abcdef0123456789abcdef\x00\x00\x02\xc0\x13\x01\x00\
        \x00\x08\x00\x0d\x00\x04\x00\x02\x04\x01";
    let server = TestServer::builder().https().start().await;
    let mut old = Connection::open(server.https_address()).await;
    old.send(&HELLO).await.expect("the server listens");
    let answer = within("the end of the connection", old.rest()).await;
    // An alert: fatal, protocol version. Source: RFC 5246, 7.2.
    assert_eq!((answer.first(), answer.get(5..7)), (Some(&0x15), Some(&[2, 70][..])), "{answer:?}");
}

#[tokio::test]
async fn whoever_speaks_http_to_the_port_of_https_is_told_so() {
    let server = TestServer::builder().https().start().await;
    let large = Message::by("ada", "PATCH", ME).json(" ".repeat(500_000));
    for message in [Message::by("ada", "GET", ME), large] {
        let answer = ask(server.https_address(), &message).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("text/plain")));
        assert_eq!(answer.body, b"This port speaks https: ask it with https://\n");
    }
    let mut gone = Connection::open(server.https_address()).await;
    gone.send(b"GET ").await.expect("the server listens");
    gone.finish().await.expect("the connection is open");
    assert!(end_of(&mut gone).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn what_clients_are_told_begins_with_the_scheme_that_they_came_by() {
    let server = TestServer::builder().https().start().await;
    let context = |answer: &porchlight_testkit::Answer| answer.json()["@odata.context"].to_string();
    let by_https = context(&server.https_client("ada:").get(ME).await);
    let by_http = context(&server.client("ada:").get(ME).await);
    assert!(by_https.starts_with(&format!("\"https://{}/v1.0/", server.https_address())), "{by_https}");
    assert!(by_http.starts_with(&format!("\"{}/v1.0/", server.url())), "{by_http}");
    let keys = server.https_client("ada:").get("/common/.well-known/openid-configuration").await.json();
    let keys = keys["jwks_uri"].as_str().unwrap_or_default().to_owned();
    assert!(keys.starts_with(&format!("https://{}/", server.https_address())), "{keys}");

    let public = |settings: &mut Settings| settings.public_url = Some("http://presence.example".to_owned());
    let server = TestServer::builder().https().settings(public).start().await;
    let told = context(&server.https_client("ada:").get(ME).await);
    assert!(told.starts_with("\"http://presence.example/v1.0/"), "the setting wins: {told}");

    let forwarded = |settings: &mut Settings| settings.trust_forwarded = true;
    let server = TestServer::builder().https().settings(forwarded).start().await;
    let client = server.https_client("ada:");
    let told = context(&client.header("x-forwarded-proto", "http").get(ME).await);
    assert!(told.starts_with("\"http://"), "so does the proxy: {told}");
    let told = context(&client.header("x-forwarded-host", "presence.example").get(ME).await);
    assert!(told.starts_with("\"https://presence.example/"), "{told}");
}

#[tokio::test]
async fn browsers_are_told_to_stay_with_https_but_not_in_development() {
    let production = |settings: &mut Settings| settings.development = None;
    let server = TestServer::builder().https().settings(production).start().await;
    for path in ["/porchlight/health", ME, "/nowhere"] {
        let secure = server.https_client("ada:").get(path).await;
        assert_eq!(secure.header(HSTS), "max-age=31536000", "{path}: {secure:?}");
        assert_eq!(server.client("ada:").get(path).await.header(HSTS), "", "{path}: not without TLS");
    }
    let development = TestServer::builder().https().start().await;
    assert_eq!(development.https_client("ada:").get(ME).await.header(HSTS), "");
}

#[tokio::test]
async fn development_hands_out_its_authority_if_it_has_one() {
    const CA: &str = "/porchlight/dev/ca";
    let with = |settings: &mut Settings| {
        let development = settings.development.as_mut().expect("tests run in development mode");
        development.certificate_authority = Some("a certificate".to_owned());
    };
    let server = TestServer::builder().settings(with).start().await;
    let answer = server.anonymous().get(CA).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/x-pem-file"));
    assert_eq!(answer.body, "a certificate");
    let wrong = server.anonymous().delete(CA).await;
    assert_eq!((wrong.status.as_u16(), wrong.header("allow")), (405, "GET, HEAD"));
    let without = TestServer::start().await;
    assert_eq!(without.anonymous().get(CA).await.error(), "404 NotFound There is nothing here.");
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_the_connection() {
    let server = impatient().await;
    let hello = hello(&server);
    for length in [0, 1, 5, hello.len() / 2, hello.len() - 1, hello.len()] {
        let mut slow = Connection::open(server.https_address()).await;
        slow.send(&hello[..length]).await.expect("the server listens");
        // Nobody else waits for it.
        assert_eq!(server.https_client("ada:").get(ME).await.pair(), "Offline/Offline");
        let answer = end_of(&mut slow).await;
        assert_eq!(answer.is_empty(), length < hello.len(), "{length} bytes: only a whole hello is answered");
    }
}

#[tokio::test]
async fn rubbish_instead_of_a_handshake_ends_the_connection() {
    let server = TestServer::builder().https().start().await;
    let rubbish: [&[u8]; 4] = [&[0x16; 100], &[0; 100], &[0xff; 100], b"\r\n\r\n"];
    for rubbish in rubbish {
        let mut connection = Connection::open(server.https_address()).await;
        connection.send(rubbish).await.expect("the server listens");
        connection.finish().await.ok();
        end_of(&mut connection).await;
    }
    assert_eq!(server.https_client("ada:").get(ME).await.pair(), "Offline/Offline");
}

#[tokio::test]
async fn half_a_head_and_then_silence_ends_the_connection_over_tls_too() {
    let server = impatient().await;
    let whole = get_me();
    for length in [0, 1, whole.len() - 1] {
        let mut slow = connect(&server, server.authority()).await.expect("a handshake");
        slow.send(&whole[..length]).await.expect("the server listens");
        let rest = end_of(&mut slow).await;
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408"), "{length} bytes: {rest}");
    }
    let mut idle = connect(&server, server.authority()).await.expect("a handshake");
    assert_eq!(within("an answer", idle.exchange(&whole)).await.expect("an answer").status, 200);
    assert_eq!(end_of(&mut idle).await, "");
}

#[tokio::test]
async fn half_a_body_and_then_silence_is_answered_408_over_tls_too() {
    let server = impatient().await;
    let whole = Message::by("ada", "PATCH", ME).json(json!({"availability": "Busy"}).to_string()).bytes();
    let mut slow = connect(&server, server.authority()).await.expect("a handshake");
    let answer = within("an answer", slow.exchange(&whole[..whole.len() - 1])).await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (408, "RequestTimeout"), "{answer:?}");
    assert_eq!(end_of(&mut slow).await, "");
    assert_eq!(pair(&presence(server.address(), "ada").await), "Offline/Offline");
}

/// The preface, and then settings, a head that goes on in another frame, and that frame never comes.
/// Source: RFC 9113, 3.4, 6.2 and 6.10.
#[tokio::test]
async fn http_2_that_falls_silent_ends_the_connection() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    const HALF_A_HEAD: &[u8] = b"\x00\x00\x01\x01\x01\x00\x00\x00\x01\x82";
    let server = impatient().await;
    let parts = [PREFACE, SETTINGS, HALF_A_HEAD].concat();
    let (mut secure, mut plain) = (Vec::new(), Vec::new());
    for length in [0, 10, PREFACE.len(), PREFACE.len() + SETTINGS.len(), parts.len()] {
        let stream = offering(&server, &["h2"]).await.expect("a handshake");
        secure.push(Connection::over(stream));
        secure.last_mut().expect("one").send(&parts[..length]).await.expect("the server listens");
        plain.push(Connection::open(server.address()).await);
        plain.last_mut().expect("one").send(&parts[..length]).await.expect("the server listens");
    }
    for connection in &mut secure {
        end_of(connection).await;
    }
    for connection in &mut plain {
        end_of(connection).await;
    }
    let stream = offering(&server, &["h2"]).await.expect("a handshake");
    let mut wrong = Connection::over(stream);
    wrong.send(&get_me()).await.expect("the server listens");
    assert_eq!(end_of(&mut wrong).await, "", "what was agreed on is HTTP/2");
}

/// A connection from another address of this machine.
async fn from_elsewhere(address: SocketAddr) -> Connection {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).expect("an address of this machine");
    let stream = within("a connection", socket.connect(address)).await.expect("the server listens");
    Connection::over(stream)
}

/// A metric, as a client at another address sees it.
async fn metric(server: &TestServer, name: &str) -> Option<f64> {
    let message = Message::anonymous("GET", "/porchlight/metrics").bytes();
    let answer = within("an answer", from_elsewhere(server.address()).await.exchange(&message)).await;
    let text = String::from_utf8(answer.expect("an answer").body).expect("metrics are text");
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[tokio::test]
async fn an_address_that_has_enough_connections_gets_no_more_and_others_do() {
    let few = |settings: &mut Settings| settings.limits.connections_per_address = 3;
    let server = TestServer::builder().https().settings(few).start().await;
    let mut plain = Connection::open(server.address()).await;
    let answer = within("an answer", plain.exchange(&get_me())).await.expect("an answer");
    assert_eq!(answer.status, 200);
    let mut secure = connect(&server, server.authority()).await.expect("a handshake");
    // One that has not even begun to shake hands counts.
    let silent = Connection::open(server.https_address()).await;
    // First where the silent one came, and so behind it.
    for address in [server.https_address(), server.address()] {
        let mut one_too_many = Connection::open(address).await;
        assert_eq!(end_of(&mut one_too_many).await, "");
    }
    // What is there is served on, and so is everybody else.
    assert_eq!(within("an answer", secure.exchange(&get_me())).await.expect("an answer").status, 200);
    let answer = within("an answer", from_elsewhere(server.address()).await.exchange(&get_me())).await;
    assert_eq!(answer.expect("an answer").status, 200);
    let refused = metric(&server, "porchlight_connections_refused_total{reason=\"address\"}").await;
    assert!(refused >= Some(2.0), "{refused:?}");
    let open = metric(&server, "porchlight_connections").await;
    assert!(open >= Some(4.0), "three and the one that asks: {open:?}");

    drop(silent);
    let served = async {
        // Until the server has noticed.
        loop {
            let mut next = Connection::open(server.address()).await;
            if let Some(answer) = next.exchange(&get_me()).await {
                return answer.status;
            }
        }
    };
    assert_eq!(within("a place", served).await, 200);
}
