//! An answer before it is put on the wire: the same for a request and for a step of a batch.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use http_body_util::{Full, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use porchlight_notify::Held;
use serde_json::{Map, Value, json};

use crate::auth::Permissions;
use crate::error::{Error, Row};
use crate::headers::Headers;
use crate::settings::Profile;
use crate::subscription_error::SubscriptionError;
use crate::wire::guid;

/// How much metadata goes with the data. Source: presence-api 4.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MetadataLevel {
    None,
    #[default]
    Minimal,
    Full,
}

impl MetadataLevel {
    fn content_type(self) -> HeaderValue {
        // Constants: a value made at run time would be checked byte by byte.
        const NONE: HeaderValue = HeaderValue::from_static(
            "application/json;odata.metadata=none;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
        );
        const MINIMAL: HeaderValue = HeaderValue::from_static(
            "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
        );
        const FULL: HeaderValue = HeaderValue::from_static(
            "application/json;odata.metadata=full;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
        );
        match self {
            MetadataLevel::None => NONE,
            MetadataLevel::Minimal => MINIMAL,
            MetadataLevel::Full => FULL,
        }
    }
}

/// A status, headers of its own and a body.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// It was held back as the client wished, and is not slow for that.
    pub(crate) held: bool,
    /// What is sent instead of the body, piece by piece, as it comes.
    pub(crate) stream: Option<Pieces>,
    /// Subscriptions that were made: nothing is told to them before this has been sent.
    pub(crate) until_sent: Vec<Held>,
}

/// The pieces of a stream.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;

/// What goes over the wire behind the head of an answer.
pub(crate) struct Sent {
    content: Content,
    /// Let go when the content has been handed over, or never will be.
    _until_sent: Vec<Held>,
}

enum Content {
    Whole(Full<Bytes>),
    Stream(StreamBody<Pieces>),
}

impl Sent {
    /// The stream if there is one, else the body.
    pub(crate) fn new(body: Bytes, stream: Option<Pieces>, until_sent: Vec<Held>) -> Sent {
        let content = match stream {
            None => Content::Whole(Full::new(body)),
            Some(pieces) => Content::Stream(StreamBody::new(pieces)),
        };
        Sent { content, _until_sent: until_sent }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.get_mut().content {
            Content::Whole(whole) => Pin::new(whole).poll_frame(context),
            Content::Stream(stream) => Pin::new(stream).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(whole) => whole.is_end_stream(),
            Content::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(whole) => whole.size_hint(),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

/// What the client named its request.
pub(crate) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
/// The revision that a write has left; of a request, one that its caller has seen.
pub(crate) const PORCHLIGHT_REVISION: HeaderName = HeaderName::from_static("porchlight-revision");
/// The pair that results from a write, and what decided it.
pub(crate) const PORCHLIGHT_EFFECTIVE: HeaderName = HeaderName::from_static("porchlight-effective");

/// Headers that an answer has room for without growing.
const HEADERS: usize = 12;

impl Reply {
    /// No body.
    pub(crate) fn empty(status: StatusCode) -> Reply {
        Reply {
            status,
            headers: HeaderMap::with_capacity(HEADERS),
            body: Bytes::new(),
            held: false,
            stream: None,
            until_sent: Vec::new(),
        }
    }

    /// OData's JSON.
    pub(crate) fn odata(body: impl Into<Bytes>, level: MetadataLevel) -> Reply {
        Reply::ok(level.content_type(), body)
    }

    /// JSON that is not OData's.
    pub(crate) fn json(value: &Value) -> Reply {
        Reply::ok(HeaderValue::from_static("application/json"), value.to_string())
    }

    /// Any other body.
    pub(crate) fn ok(content_type: HeaderValue, body: impl Into<Bytes>) -> Reply {
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.insert(CONTENT_TYPE, content_type);
        Reply {
            status: StatusCode::OK,
            headers,
            body: body.into(),
            held: false,
            stream: None,
            until_sent: Vec::new(),
        }
    }

    /// A body that is sent as it comes.
    pub(crate) fn stream(
        content_type: HeaderValue,
        pieces: impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + 'static,
    ) -> Reply {
        Reply { stream: Some(Box::pin(pieces)), ..Reply::ok(content_type, Bytes::new()) }
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Reply {
        self.headers.insert(name, value);
        self
    }
}

/// What names one request in answers and logs.
#[derive(Clone, Debug)]
pub(crate) struct RequestIds {
    pub(crate) request: uuid::Uuid,
    /// What the client named it, else the same.
    pub(crate) client: HeaderValue,
}

impl RequestIds {
    /// Ids for a request with these headers; a client's id of more than 128 bytes is not taken.
    pub(crate) fn new(headers: &Headers<'_>) -> RequestIds {
        let request = uuid::Uuid::new_v4();
        let named = headers.client_request_id.first.filter(|id| id.len() <= 128 && id.to_str().is_ok());
        let client = named.cloned().unwrap_or_else(|| header_id(request));
        RequestIds { request, client }
    }
}

/// An id as a header value.
pub(crate) fn header_id(id: uuid::Uuid) -> HeaderValue {
    HeaderValue::from_bytes(&guid::text(id)).expect("a GUID is digits and hyphens")
}

/// A header value of text that the program made.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// An error as a reply. Source: presence-api 16.1.
pub(crate) fn error(error: &Error, ids: &RequestIds, date: &str, profile: Profile) -> Reply {
    let row = error.row(profile);
    // Clients are told that there are no others. Every test of an error comes by here.
    debug_assert!(row.is_listed(), "{row:?} is not in the list of codes");
    let mut inner = Map::new();
    inner.insert("date".to_owned(), date.into());
    inner.insert("request-id".to_owned(), ids.request.to_string().into());
    inner.insert("client-request-id".to_owned(), ids.client.to_str().unwrap_or_default().into());
    if profile == Profile::Open {
        inner.extend(row.hint.as_ref().map(|hint| ("hint".to_owned(), hint.as_ref().into())));
        inner.extend(particulars(error).map(|particulars| ("porchlight".to_owned(), particulars)));
    }
    let body = json!({
        "error": {"code": row.code, "message": row.message, "innerError": inner}
    });
    let mut reply = Reply { status: row.status, ..Reply::json(&body) };
    add_headers(&mut reply, &row);
    if let Error::SyncStateNotFound(again) = error {
        reply.headers.insert(LOCATION, header_value(again));
    }
    reply
}

/// The headers that go with a row of the table of errors.
pub(crate) fn add_headers(reply: &mut Reply, row: &Row) {
    reply.headers.extend(row.allow.map(|allow| (ALLOW, header_value(&allow.join(", ")))));
    reply.headers.extend(row.retry_after.map(|after| (RETRY_AFTER, after.as_secs().max(1).into())));
}

/// What a program can learn of an error beyond its code. Source: presence-api 16.1.
fn particulars(error: &Error) -> Option<Value> {
    match error {
        Error::MissingPermission { required, present }
        | Error::Subscription(SubscriptionError::Forbidden { required, present, .. }) => {
            let names = |set: &Permissions| set.names().collect::<Vec<_>>();
            Some(json!({"required": names(required), "present": names(present)}))
        }
        // Nothing of what the endpoint said. Source: subscriptions-and-auth 8.4.
        Error::Subscription(SubscriptionError::Endpoint(error)) => {
            let (check, url, status) = (error.check.name(), error.url.as_str(), error.status);
            let elapsed = u64::try_from(error.elapsed.as_millis()).unwrap_or(u64::MAX);
            Some(json!({"check": check, "url": url, "status": status, "elapsedMs": elapsed}))
        }
        _ => None,
    }
}
