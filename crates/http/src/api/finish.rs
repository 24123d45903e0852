//! What every response gets: its headers, and compression.

use bytes::Bytes;
use flate2::Compression;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
    STRICT_TRANSPORT_SECURITY, VARY, WARNING,
};
use http::{HeaderMap, Method, Response, StatusCode};

use super::Api;
use crate::connection::Connection;
use crate::gzip;
use crate::headers::Headers;
use crate::reply::{CLIENT_REQUEST_ID, Reply, RequestIds, Sent, header_id};
use crate::route::Route;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const DIAGNOSTIC: HeaderName = HeaderName::from_static("x-ms-ags-diagnostic");
const FOUR: HeaderValue = HeaderValue::from_static("4.0");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
/// For a year a browser asks this host by https alone. Source: RFC 6797.
const A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// What was read may have changed since: this node is cut off from the others. Source: RFC 7234 5.5.1.
const STALE: HeaderValue = HeaderValue::from_static("110 porchlight \"Response is Stale\"");

impl Api {
    pub(super) fn finish(
        &self,
        reply: Reply,
        route: Route,
        method: &Method,
        asked: &Headers<'_>,
        ids: RequestIds,
        connection: &Connection,
    ) -> Response<Sent> {
        let Reply { status, mut headers, mut body, stream, until_sent, held: _ } = reply;
        headers.insert(REQUEST_ID, header_id(ids.request));
        headers.insert(CLIENT_REQUEST_ID, ids.client);
        headers.insert(ODATA_VERSION, FOUR);
        headers.entry(CACHE_CONTROL).or_insert(NO_CACHE);
        headers.insert(DIAGNOSTIC, self.diagnostic.clone());
        // Not in development: a browser would refuse http://localhost from then on, whichever program listens there.
        if connection.secure && self.settings.development.is_none() {
            headers.insert(STRICT_TRANSPORT_SECURITY, A_YEAR);
        }
        let is_answered = status.is_success() || status == StatusCode::NOT_MODIFIED;
        if self.engine.is_frozen() && is_answered && route.is_read(method) {
            headers.insert(WARNING, STALE);
        }
        if !self.settings.cors_origins.is_empty() {
            self.allow_origin(asked, &mut headers);
        }
        // What is compressed already has been so on purpose. The length comes first: most answers are short.
        if body.len() >= self.settings.limits.compress_bytes_min
            && headers.contains_key(CONTENT_TYPE)
            && !headers.contains_key(CONTENT_ENCODING)
        {
            headers.entry(VARY).or_insert(HeaderValue::from_static("Accept-Encoding"));
            if gzip::is_accepted(asked) {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                body = gzip::compress(&body, Compression::fast());
            }
        }
        if *method == Method::HEAD {
            headers.insert(CONTENT_LENGTH, body.len().into());
            body = Bytes::new();
        }
        let mut response = Response::new(Sent::new(body, stream, until_sent));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// OPTIONS: needs no token, since browsers send none with it. It has no `Allow`: which methods there are depends on
    /// the path, which nobody has looked at.
    pub(super) fn preflight(&self, asked: &Headers<'_>) -> Reply {
        const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
        let mut reply = Reply::empty(StatusCode::NO_CONTENT);
        if !self.settings.cors_origins.is_empty() && asked.origin.first.is_some() {
            let headers = asked.all.get("access-control-request-headers").cloned();
            let headers = headers.unwrap_or(HeaderValue::from_static("authorization, content-type"));
            reply.headers.insert("access-control-allow-methods", METHODS);
            reply.headers.insert("access-control-allow-headers", headers);
            reply.headers.insert("access-control-max-age", HeaderValue::from_static("600"));
        }
        reply
    }

    fn allow_origin(&self, asked: &Headers<'_>, headers: &mut HeaderMap) {
        const EXPOSED: HeaderValue = HeaderValue::from_static(
            "request-id, client-request-id, Retry-After, Location, ETag, Warning, porchlight-revision, \
             porchlight-effective",
        );
        let allowed = &self.settings.cors_origins;
        let everybody = allowed.iter().any(|allowed| allowed == "*");
        if !everybody {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        let Some(origin) = asked.origin.first else { return };
        let allowed = if everybody {
            HeaderValue::from_static("*")
        } else if allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
            origin.clone()
        } else {
            return;
        };
        headers.insert("access-control-allow-origin", allowed);
        headers.insert("access-control-expose-headers", EXPOSED);
    }
}
