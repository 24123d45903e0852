//! One file of the board, in the forms in which it is sent.

use bytes::Bytes;
use flate2::Compression;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, ETAG, HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS};
use rapidhash::v3::rapidhash_v3;

use crate::etag;
use crate::gzip;
use crate::headers::Headers;
use crate::reply::{Reply, header_value};

/// A file that is ready to be sent.
pub(crate) struct Asset {
    pub(super) name: &'static str,
    content_type: HeaderValue,
    plain: Form,
    /// As gzip.
    small: Form,
}

/// Bytes, and the tag that a browser remembers them by: a strong one, so each form has its own.
struct Form {
    body: Bytes,
    tag: HeaderValue,
}

impl Asset {
    /// Makes every form of these bytes, which takes a moment: once, not with each request.
    pub(super) fn new(name: &'static str, content_type: &'static str, body: Bytes) -> Asset {
        let digest = rapidhash_v3(&body);
        let small = gzip::compress(&body, Compression::best());
        Asset {
            name,
            content_type: HeaderValue::from_static(content_type),
            plain: Form { body, tag: header_value(&format!("\"{digest:016x}\"")) },
            small: Form { body: small, tag: header_value(&format!("\"{digest:016x}-gzip\"")) },
        }
    }

    /// The file in the form that the client takes, or 304 if it has that already.
    pub(super) fn reply(&self, headers: &Headers<'_>) -> Reply {
        const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
        // The address may have a code of the identity provider in it.
        const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
        const BY_ENCODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");
        let is_small = gzip::is_accepted(headers);
        let form = if is_small { &self.small } else { &self.plain };
        let reply = if etag::is_known(form.tag.as_bytes(), headers) {
            Reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            let reply = Reply::ok(self.content_type.clone(), form.body.clone());
            if is_small { reply.with(CONTENT_ENCODING, HeaderValue::from_static("gzip")) } else { reply }
        };
        let reply = reply.with(ETAG, form.tag.clone()).with(VARY, BY_ENCODING);
        reply.with(X_CONTENT_TYPE_OPTIONS, NO_SNIFF).with(REFERRER_POLICY, NO_REFERRER)
    }
}
