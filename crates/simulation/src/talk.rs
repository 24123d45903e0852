//! Asking a node over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use porchlight_store::Revision;
use serde_json::Value;

use crate::tagged::Operation;
use crate::town::Town;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answer did not come: whatever was asked may have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) method: Method,
    /// The path and the query.
    pub(crate) path: String,
    pub(crate) token: String,
    pub(crate) body: Option<Value>,
    /// Headers of its own.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Question {
    /// GET
    pub(crate) fn get(path: impl Into<String>, token: &str) -> Question {
        let (path, token) = (path.into(), token.to_owned());
        Question { method: Method::GET, path, token, body: None, headers: Vec::new() }
    }

    /// Another method, with a body.
    pub(crate) fn send(method: Method, path: impl Into<String>, token: &str, body: Value) -> Question {
        Question { method, body: Some(body), ..Question::get(path, token) }
    }

    /// The same with one header more.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Question {
        self.headers.push((name, value.into()));
        self
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(HOST, "porchlight.example")
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let body = self.body.as_ref().map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        request.body(Full::new(body)).expect("clients ask for what can be asked for")
    }
}

impl Answer {
    /// The body in JSON; null when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text, for whoever looks why.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The revision that a write has left.
    pub(crate) fn revision(&self) -> Option<Revision> {
        self.header("porchlight-revision")?.parse().ok().map(Revision)
    }
}

impl Town {
    /// Asks a node, and waits for the whole answer.
    pub(crate) async fn ask(
        &self,
        node: usize,
        operation: Option<Operation>,
        question: &Question,
    ) -> Result<Answer, Lost> {
        let whole = self.begin(node, operation, question, |response| async move {
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        });
        tokio::time::timeout(PATIENCE, whole).await.unwrap_or(Err(Lost))
    }

    /// Asks a node, and reads the answer as it comes.
    pub(crate) async fn begin<T, R: Future<Output = Result<T, Lost>>>(
        &self,
        node: usize,
        operation: Option<Operation>,
        question: &Question,
        read: impl FnOnce(Response<Incoming>) -> R,
    ) -> Result<T, Lost> {
        let stream = self.knock(node, operation).ok_or(Lost)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Lost)?;
        let exchange = async {
            let response = sender.send_request(question.request()).await.map_err(|_| Lost)?;
            read(response).await
        };
        // Together, so that whoever goes away takes the connection along.
        tokio::pin!(connection);
        tokio::select! {
            biased;
            outcome = exchange => outcome,
            _ = &mut connection => Err(Lost),
        }
    }
}
