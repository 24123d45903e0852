//! A server for tests that answers what the test says.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpListener;

use super::remote::Remote;

/// A server that answers one request after the other, each over a connection of its own.
pub(super) struct Scripted(TcpListener);

impl Scripted {
    pub(super) async fn start() -> Scripted {
        Scripted(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    /// Whoever asks it.
    pub(super) fn remote(&self) -> Remote {
        let address = self.0.local_addr().expect("it has an address");
        Remote::at(&format!("http://{address}"), None).expect("it is a URL")
    }

    /// Waits for a request without a body, and answers it with this.
    pub(super) async fn answer(&self, kind: &str, body: &str) {
        let (stream, _) = self.0.accept().await.expect("it listens");
        let (mut stream, mut line) = (BufStream::new(stream), String::new());
        while line != "\r\n" {
            line.clear();
            assert_ne!(stream.read_line(&mut line).await.expect("it can be read"), 0, "a request is whole");
        }
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("it can be written");
        stream.flush().await.expect("it can be written");
    }
}
