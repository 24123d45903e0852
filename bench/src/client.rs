//! A client for the few requests that the benchmark makes itself.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::requests::{Ask, TENANT};

/// How long an answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection to a server.
pub(crate) struct Client {
    address: SocketAddr,
    requests: SendRequest<Full<Bytes>>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Sends one request over a connection of its own and refuses any answer but 2xx.
pub(crate) async fn fetch(address: SocketAddr, ask: &Ask) -> Result<Answer> {
    Client::connect(address).await?.send(ask).await
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Client> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("failed to connect to {address}"))?;
        stream.set_nodelay(true).context("failed to turn off Nagle's algorithm")?;
        let (requests, connection) =
            http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.context("failed to speak HTTP")?;
        // It ends with the connection, and why it ended is learned from the next request.
        tokio::spawn(connection);
        Ok(Client { address, requests })
    }

    /// Sends a request and refuses any answer but 2xx.
    pub(crate) async fn send(&mut self, ask: &Ask) -> Result<Answer> {
        let answer = self.try_send(ask).await?;
        ensure!(
            answer.status.is_success(),
            "{ask} was answered with {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(answer)
    }

    /// Sends a request and takes any answer.
    pub(crate) async fn try_send(&mut self, ask: &Ask) -> Result<Answer> {
        timeout(PATIENCE, self.exchange(ask))
            .await
            .with_context(|| format!("no answer to {ask} within {PATIENCE:?}"))?
            .with_context(|| format!("failed to get an answer to {ask}"))
    }

    async fn exchange(&mut self, ask: &Ask) -> Result<Answer> {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(ask.path.as_str())
            .header(HOST, self.address.to_string())
            // Any GUID will do, as long as it is as long as those of the load script.
            .header("client-request-id", TENANT);
        if let Some(authorization) = &ask.authorization {
            request = request.header(AUTHORIZATION, &**authorization);
        }
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        if !ask.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(ask.body.clone()))?;
        self.requests.ready().await?;
        let (head, body) = self.requests.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

impl Answer {
    /// How many bytes it was on the wire: status line, header lines and body.
    pub(crate) fn wire_bytes(&self) -> usize {
        let reason = self.status.canonical_reason().unwrap_or_default();
        let status_line = "HTTP/1.1 200 \r\n".len() + reason.len();
        let header_lines: usize =
            self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
        status_line + header_lines + "\r\n".len() + self.body.len()
    }
}
