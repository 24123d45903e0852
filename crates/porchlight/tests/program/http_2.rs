//! A client that speaks HTTP/2 without TLS, and knows beforehand that the server does too.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use http_body_util::Full;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::support::{ME, Program};

/// A connection, which lasts as long as the value or a clone of it.
pub(crate) async fn connect(server: &Program) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(server.address()).await.expect("the server listens");
    let shaken = handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (sender, connection) = shaken.expect("the server speaks HTTP/2");
    // How it ends is learned from requests.
    tokio::spawn(connection);
    sender
}

/// A request about Ada's own presence.
pub(crate) fn request(server: &Program, method: Method, body: String) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(format!("{}{ME}", server.url()));
    let request = request.header(AUTHORIZATION, "Bearer dev:ada:").header(CONTENT_TYPE, "application/json");
    request.body(Full::new(Bytes::from(body))).expect("a request")
}
