//! A connection that costs as little as may be: whoever loads a server here shares its cores.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use httparse::{EMPTY_HEADER, Response, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most header lines that an answer may have.
const HEADERS_MAX: usize = 64;

/// One connection to a server. It takes whole requests as bytes, one after another.
pub(super) struct Wire {
    stream: TcpStream,
    /// The newest answer, with its head.
    answer: Vec<u8>,
}

/// What the head of an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// How long it is itself.
    bytes: usize,
    body_bytes: usize,
}

impl Wire {
    /// Connects.
    pub(super) async fn connect(server: SocketAddr) -> Result<Wire> {
        let stream =
            TcpStream::connect(server).await.with_context(|| format!("failed to connect to {server}"))?;
        stream.set_nodelay(true).context("failed to turn off Nagle's algorithm")?;
        Ok(Wire { stream, answer: Vec::with_capacity(4096) })
    }

    /// Sends a request, and gives the body of its answer. Refuses any answer but 2xx.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        let exchange = timeout(PATIENCE, self.exchange(request)).await;
        let head = exchange.with_context(|| format!("no answer within {PATIENCE:?}"))??;
        let body = &self.answer[head.bytes..];
        let status = head.status;
        ensure!((200..300).contains(&status), "answered with {status}: {}", String::from_utf8_lossy(body));
        Ok(body)
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Head> {
        self.answer.clear();
        self.stream.write_all(request).await.context("failed to send")?;
        loop {
            let read = self.stream.read_buf(&mut self.answer).await.context("failed to read")?;
            ensure!(read > 0, "the server has closed the connection");
            let Some(head) = Head::parse(&self.answer)? else { continue };
            let whole = head.bytes + head.body_bytes;
            ensure!(self.answer.len() <= whole, "an answer has more bytes than it says");
            if self.answer.len() == whole {
                return Ok(head);
            }
        }
    }
}

impl Head {
    /// Reads it at the beginning of an answer. `None`: it has not come to its end.
    fn parse(answer: &[u8]) -> Result<Option<Head>> {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = Response::new(&mut headers);
        let Status::Complete(bytes) = response.parse(answer).context("an answer is not HTTP")? else {
            return Ok(None);
        };
        let status = response.code.context("an answer has no status")?;
        let length =
            response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let body_bytes = match length {
            Some(length) => std::str::from_utf8(length.value)?.parse().context("not a length")?,
            None if status == 204 => 0,
            None => bail!("an answer does not say how long it is"),
        };
        Ok(Some(Head { status, bytes, body_bytes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        let whole = Head { status: 200, bytes: answer.len() - 3, body_bytes: 3 };
        assert_eq!(Head::parse(answer.as_bytes()).unwrap(), Some(whole));
        assert_eq!(Head::parse(&answer.as_bytes()[..20]).unwrap(), None);
        let empty = "HTTP/1.1 204 No Content\r\n\r\n";
        let expected = Head { status: 204, bytes: empty.len(), body_bytes: 0 };
        assert_eq!(Head::parse(empty.as_bytes()).unwrap(), Some(expected));
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Head::parse(b"SMTP ready\r\n\r\n").is_err());
    }
}
