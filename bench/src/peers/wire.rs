//! Text over TCP: as much of HTTP and of XMPP as those need who come and go, change and watch.
//!
//! Both sides are spoken to by the same few lines, so that neither pays for the other's client.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the other end may take to say what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, and how it is spoken to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Porchlight(SocketAddr),
    Ejabberd(SocketAddr),
}

/// A connection.
pub(super) struct Wire {
    stream: TcpStream,
    /// What has come and was not asked for yet.
    unread: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub(super) async fn connect(address: SocketAddr) -> Result<Wire> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("failed to connect to {address}"))?;
        stream.set_nodelay(true).context("failed to turn off Nagle's algorithm")?;
        Ok(Wire { stream, unread: Vec::new() })
    }

    /// Sends this.
    pub(super) async fn say(&mut self, text: &str) -> Result<()> {
        self.stream.write_all(text.as_bytes()).await.context("failed to send")
    }

    /// Reads up to this text and with it, however long that takes.
    pub(super) async fn hear(&mut self, end: &str) -> Result<String> {
        let mut searched = 0;
        loop {
            if let Some(at) = find(&self.unread[searched..], end.as_bytes()) {
                let heard: Vec<u8> = self.unread.drain(..searched + at + end.len()).collect();
                return String::from_utf8(heard).context("what came is not text");
            }
            searched = self.unread.len().saturating_sub(end.len() - 1);
            let read = self.stream.read_buf(&mut self.unread).await.context("failed to read")?;
            ensure!(
                read > 0,
                "the connection was closed after {:?}, before {end:?}",
                String::from_utf8_lossy(&self.unread)
            );
        }
    }

    /// Sends this, and reads up to that text, which has to come soon.
    pub(super) async fn ask(&mut self, text: &str, end: &str) -> Result<String> {
        self.say(text).await?;
        timeout(PATIENCE, self.hear(end))
            .await
            .with_context(|| format!("no {end:?} came within {PATIENCE:?}"))?
    }

    /// Sends a request over HTTP that is to be answered with 2xx and no body.
    pub(super) async fn request(&mut self, request: &str) -> Result<()> {
        let head = self.ask(request, "\r\n\r\n").await?;
        ensure!(
            head.starts_with("HTTP/1.1 2") && head.to_ascii_lowercase().contains("\r\ncontent-length: 0\r\n"),
            "a request was answered with {head}"
        );
        Ok(())
    }

    /// Forgets what has come so far and nobody has asked for.
    pub(super) fn forget(&mut self) {
        self.unread.clear();
        let mut forgotten = [0; 4096];
        while self.stream.try_read(&mut forgotten).is_ok_and(|read| read > 0) {}
    }

    /// Waits until the other end closes the connection.
    pub(super) async fn closed(mut self) -> Result<()> {
        let ending = async {
            while self.stream.read_buf(&mut self.unread).await? > 0 {}
            Ok::<(), std::io::Error>(())
        };
        timeout(PATIENCE, ending)
            .await
            .context("the other end does not close")?
            .context("failed to read to the end")
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|at| at == wanted)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn an_end_is_found_wherever_the_text_is_cut() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut wire = Wire::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut other, _) = listener.accept().await.unwrap();
            let sending = async {
                for piece in ["<a><", "/a", "><b></a>"] {
                    other.write_all(piece.as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
                other
            };
            let hearing = async {
                let first = wire.hear("</a>").await.unwrap();
                (first, wire.hear("</a>").await.unwrap(), wire)
            };
            let (other, (first, second, wire)) = tokio::join!(sending, hearing);
            assert_eq!((first.as_str(), second.as_str()), ("<a></a>", "<b></a>"));
            drop(other);
            wire.closed().await.unwrap();
        });
    }
}
