//! A connection of HTTP/1.1 that is kept for many requests, and broken at will.

use std::io;
use std::net::SocketAddr;

use porchlight_testkit::DEMO;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::PATIENCE;

/// A connection of the demo application, which may do everything.
pub(crate) struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    /// What has been read and not been taken yet.
    read: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, address, read: Vec::new() })
    }

    /// Sends a request and waits for the answer.
    pub(crate) async fn call(&mut self, method: &str, path: &str, body: &str) -> io::Result<Response> {
        self.send(method, path, body).await?;
        self.receive().await
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &str) -> io::Result<()> {
        let head = self.head(method, path, body, "");
        self.write(&format!("{head}{body}")).await
    }

    /// Sends a request without its body, and returns when the server has begun to answer it and asks for the body.
    pub(crate) async fn announce(&mut self, method: &str, path: &str, body: &str) -> io::Result<()> {
        let head = self.head(method, path, body, "Expect: 100-continue\r\n");
        self.write(&head).await?;
        let asked = self.receive().await?;
        assert_eq!(asked.status, 100, "{asked:?}");
        Ok(())
    }

    /// Sends part of what belongs to a request.
    pub(crate) async fn write(&mut self, part: &str) -> io::Result<()> {
        self.stream.write_all(part.as_bytes()).await
    }

    /// Waits for an answer.
    pub(crate) async fn receive(&mut self) -> io::Result<Response> {
        let received = timeout(PATIENCE, self.read_answer()).await;
        received.expect("the server answers in time, or closes the connection")
    }

    async fn read_answer(&mut self) -> io::Result<Response> {
        loop {
            if let Some((response, bytes)) = parse(&self.read) {
                self.read.drain(..bytes);
                return Ok(response);
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Goes away, as a client does that is no longer interested, and returns when the server has let go: what it does
    /// about the request after that, it does without us. An answer that was on its way already is one.
    pub(crate) async fn leave(mut self) -> Option<Response> {
        self.stream.shutdown().await.ok()?;
        self.receive().await.ok()
    }

    fn head(&self, method: &str, path: &str, body: &str, more: &str) -> String {
        let (address, length) = (self.address, body.len());
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer dev:{DEMO}:\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n"
        )
    }
}

/// The answer that these bytes begin with, and how many of them it has; nothing when it is not whole yet.
fn parse(bytes: &[u8]) -> Option<(Response, usize)> {
    let head_bytes = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_bytes]).expect("a head is ASCII");
    let status = head.get(9..12).and_then(|status| status.parse().ok()).expect("a status line has a status");
    let length =
        |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok();
    let end = head_bytes + head.lines().find_map(length).unwrap_or(0);
    let body = String::from_utf8(bytes.get(head_bytes..end)?.to_vec()).expect("a body is UTF-8");
    Some((Response { status, body }, end))
}
