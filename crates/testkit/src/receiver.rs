//! A receiver of webhooks that keeps everything it is sent.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};

/// How long a receiver waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A real receiver, on a thread of its own, so that it answers while a test waits for something else. It stops when
/// dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Dropped: the thread ends.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// One request, whole.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its method.
    pub method: Method,
    /// Path and query, as sent.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Whether it is a notification that is answered with a status of success.
    pub is_accepted: bool,
}

/// How the receiver answers when it is asked to prove itself.
#[derive(Clone, Debug, Default)]
pub enum Validation {
    /// As it should: 200, `text/plain`, the decoded token.
    #[default]
    Echo,
    /// With another status, and the token all the same.
    Status(u16),
    /// With the token as it stands in the query.
    Encoded,
    /// As it should, but only after this long.
    Late(Duration),
    /// With the token as another media type.
    Type(&'static str),
    /// With the token and something behind it.
    Suffix(&'static str),
    /// By sending the asker elsewhere.
    Redirect(String),
}

/// How the receiver answers a notification.
#[derive(Clone, Copy, Debug)]
pub enum Reaction {
    /// With this status.
    Status(u16),
    /// With this status, after this long.
    Late(Duration, u16),
    /// Not at all; the connection stays open.
    Hang,
    /// Not at all; the connection is closed.
    Close,
}

#[derive(Default)]
struct Shared {
    record: Mutex<Record>,
    /// Rung when a notification has come.
    arrived: Notify,
}

/// What has come, and what is answered next.
#[derive(Default)]
struct Record {
    validations: Vec<Delivery>,
    notifications: Vec<Delivery>,
    /// How many of the notifications the test has taken.
    taken: usize,
    validation: Validation,
    reactions: VecDeque<Reaction>,
    always: Option<Reaction>,
}

impl Receiver {
    /// A receiver on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let listener = listener.into_std().expect("the listener is nobody else's");
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let serving = serve(listener, Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = serving => {}
                    _ = stopped => {}
                }
            });
        });
        Receiver { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// `http://127.0.0.1:port` and this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on the receiver proves itself like this.
    pub fn validate_with(&self, validation: Validation) {
        self.shared.record().validation = validation;
    }

    /// Answers the next notifications like this, one after another.
    pub fn react(&self, reactions: impl IntoIterator<Item = Reaction>) {
        self.shared.record().reactions.extend(reactions);
    }

    /// Answers every notification like this that [`Receiver::react`] says nothing of; `None`: 202.
    pub fn always(&self, reaction: Option<Reaction>) {
        self.shared.record().always = reaction;
    }

    /// The requests to prove itself, in the order of their coming.
    pub fn validations(&self) -> Vec<Delivery> {
        self.shared.record().validations.clone()
    }

    /// How many notifications have come.
    pub fn seen(&self) -> usize {
        self.shared.record().notifications.len()
    }

    /// The next notification that was not taken yet.
    ///
    /// # Panics
    ///
    /// When none comes.
    pub async fn next(&self) -> Delivery {
        let next = tokio::time::timeout(PATIENCE, self.shared.next()).await;
        next.expect("a notification comes in time")
    }

    /// The items of the next notifications, until there are this many.
    ///
    /// # Panics
    ///
    /// When they do not come.
    pub async fn items(&self, count: usize) -> Vec<Value> {
        let mut items = Vec::new();
        while items.len() < count {
            items.extend(self.next().await.items());
        }
        items
    }

    /// Takes the notifications that have come and were not taken yet.
    pub fn take_all(&self) -> Vec<Delivery> {
        let mut record = self.shared.record();
        let taken = record.taken;
        record.taken = record.notifications.len();
        record.notifications[taken..].to_vec()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Delivery {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The items of a notification.
    ///
    /// # Panics
    ///
    /// When it has none.
    pub fn items(&self) -> Vec<Value> {
        match self.json().get_mut("value").map(Value::take) {
            Some(Value::Array(items)) if !items.is_empty() => items,
            _ => panic!("no items: {self:?}"),
        }
    }

    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Shared {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().expect("nobody panics while holding it")
    }

    async fn next(&self) -> Delivery {
        loop {
            // Armed before looking, so that nothing comes unnoticed between the two.
            let arrived = self.arrived.notified();
            let next = self.record().next();
            if let Some(next) = next {
                return next;
            }
            arrived.await;
        }
    }
}

impl Record {
    fn next(&mut self) -> Option<Delivery> {
        let next = self.notifications.get(self.taken).cloned()?;
        self.taken += 1;
        Some(next)
    }
}

/// Accepts connections for ever.
async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("the listener does not block");
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
            // An error is what closes the connection of a receiver that does not answer.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let token = validation_token(parts.uri.query().unwrap_or_default()).map(str::to_owned);
    let target = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    let mut delivery =
        Delivery { method: parts.method, target, headers: parts.headers, body, is_accepted: false };
    if let Some(token) = token {
        let validation = {
            let mut record = shared.record();
            record.validations.push(delivery);
            record.validation.clone()
        };
        return Ok(prove(&validation, &token).await);
    }
    let reaction = {
        let mut record = shared.record();
        let reaction = record.reactions.pop_front().or(record.always).unwrap_or(Reaction::Status(202));
        delivery.is_accepted = matches!(reaction, Reaction::Status(200..=299) | Reaction::Late(_, 200..=299));
        record.notifications.push(delivery);
        reaction
    };
    shared.arrived.notify_waiters();
    match reaction {
        Reaction::Status(status) => Ok(response(status, "text/plain", "")),
        Reaction::Late(after, status) => {
            tokio::time::sleep(after).await;
            Ok(response(status, "text/plain", ""))
        }
        Reaction::Hang => std::future::pending().await,
        Reaction::Close => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

/// The token that a receiver has to send back, as it stands in the query.
fn validation_token(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("validationToken="))
}

async fn prove(validation: &Validation, encoded: &str) -> Response<Full<Bytes>> {
    let token = percent_decode_str(encoded).decode_utf8_lossy().into_owned();
    match validation {
        Validation::Echo => response(200, "text/plain", token),
        Validation::Status(status) => response(*status, "text/plain", token),
        Validation::Encoded => response(200, "text/plain", encoded.to_owned()),
        Validation::Late(after) => {
            tokio::time::sleep(*after).await;
            response(200, "text/plain", token)
        }
        Validation::Type(media_type) => response(200, media_type, token),
        Validation::Suffix(suffix) => response(200, "text/plain", format!("{token}{suffix}")),
        Validation::Redirect(to) => {
            let mut response = response(307, "text/plain", token);
            response.headers_mut().insert(LOCATION, to.parse().expect("a URL is a header's value"));
            response
        }
    }
}

fn response(status: u16, media_type: &str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status).header(CONTENT_TYPE, media_type);
    response.body(Full::new(body.into())).expect("status and media type are valid")
}
