//! A client that shows everything that came back.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::Events;

/// Somebody who calls a server. Every call has a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    /// What TLS is spoken with; `None`: none is.
    tls: Option<Arc<ClientConfig>>,
    headers: HeaderMap,
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// A client of the server at `address`, without a token.
    pub fn new(address: SocketAddr) -> Client {
        Client { address, tls: None, headers: HeaderMap::new() }
    }

    /// A client of the server that speaks https at `address`, without a token.
    pub fn secure(address: SocketAddr, tls: Arc<ClientConfig>) -> Client {
        Client { tls: Some(tls), ..Client::new(address) }
    }

    /// The same client with this development token: `who:permission,permission`.
    #[must_use]
    pub fn token(&self, token: &str) -> Client {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer dev:{token}"))
    }

    /// The same client with this token, as it stands.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Client {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// The same client with one more header on every call.
    #[must_use]
    pub fn header(&self, name: &str, value: &str) -> Client {
        let name: HeaderName = name.parse().expect("a header's name");
        let mut client = self.clone();
        client.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
        client
    }

    /// GET
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None::<&[u8]>).await
    }

    /// POST of JSON
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::POST, path, body).await
    }

    /// POST of a form
    pub async fn post_form(&self, path: &str, members: &[(&str, &str)]) -> Answer {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs = members.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let client = self.header(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded");
        client.call(Method::POST, path, Some(body)).await
    }

    /// PATCH of JSON
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::PATCH, path, body).await
    }

    /// DELETE
    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None::<&[u8]>).await
    }

    /// A call with a JSON body.
    pub async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.header(CONTENT_TYPE.as_str(), "application/json")
            .call(method, path, Some(body.to_string()))
            .await
    }

    /// Any call: `path` is sent as it stands; without a body there is no Content-Length on methods without one.
    ///
    /// # Panics
    ///
    /// When the server does not answer; [`Client::try_call`] tells instead.
    pub async fn call(&self, method: Method, path: &str, body: Option<impl AsRef<[u8]>>) -> Answer {
        self.try_call(method, path, body).await.expect("the server answers")
    }

    /// Any call.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<impl AsRef<[u8]>>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let body = body.map(|body| Bytes::copy_from_slice(body.as_ref())).unwrap_or_default();
        let (response, running) = self.send(method, path, body).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        running.abort();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    /// GET of a stream of events, from where it was left if `last_id` says so.
    ///
    /// # Panics
    ///
    /// When the server does not answer; [`Client::try_follow`] tells instead.
    pub async fn follow(&self, path: &str, last_id: Option<&str>) -> Events {
        self.try_follow(path, last_id).await.expect("the server answers")
    }

    /// GET of a stream of events, from where it was left if `last_id` says so.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn try_follow(
        &self,
        path: &str,
        last_id: Option<&str>,
    ) -> Result<Events, Box<dyn std::error::Error + Send + Sync>> {
        let mut client = self.header(ACCEPT.as_str(), "text/event-stream");
        if let Some(last_id) = last_id {
            client = client.header("last-event-id", last_id);
        }
        let (response, running) = client.send(Method::GET, path, Bytes::new()).await?;
        let (parts, body) = response.into_parts();
        Ok(Events::new(parts.status, parts.headers, body, running))
    }

    /// Sends a request over a connection of its own, which the task drives.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(Response<Incoming>, JoinHandle<()>), Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, running) = match &self.tls {
            None => {
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                (sender, tokio::spawn(async move { drop(connection.await) }))
            }
            Some(tls) => {
                let name = ServerName::from(self.address.ip());
                let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                (sender, tokio::spawn(async move { drop(connection.await) }))
            }
        };
        let mut request = Request::builder().method(method).uri(path).body(Full::new(body))?;
        *request.headers_mut() = self.headers.clone();
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, HeaderValue::from_str(&self.address.to_string())?);
        }
        Ok((sender.send_request(request).await?, running))
    }
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// `availability/activity` of a presence.
    pub fn pair(&self) -> String {
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or("none").to_owned();
        format!("{}/{}", text("availability"), text("activity"))
    }

    /// Status, code and message of an error, in one line; the status alone of anything else.
    pub fn error(&self) -> String {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = |name: &str| json["error"][name].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", self.status.as_u16(), text("code"), text("message")).trim_end().to_owned()
    }
}
