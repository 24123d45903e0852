//! The description as clients get it.

use http::StatusCode;
use http::header::{ETAG, HeaderValue};
use porchlight_engine::Engine;
use rapidhash::v3::rapidhash_v3;
use serde_json::Value;

use super::document::{self, ORIGIN};
use super::facts::Facts;
use crate::etag;
use crate::headers::Headers;
use crate::reply::{Reply, header_value};
use crate::settings::Settings;

/// What a server says of itself.
pub(crate) struct Description {
    /// JSON, cut wherever the server's own origin stands in it.
    pieces: Vec<String>,
}

impl Description {
    /// The description of a server with these settings.
    pub(crate) fn of(
        engine: &Engine,
        notify: &porchlight_notify::Settings,
        settings: &Settings,
    ) -> Description {
        let text = document::document(&Facts::of(engine, notify, settings)).to_string();
        Description { pieces: text.split(ORIGIN).map(str::to_owned).collect() }
    }

    /// GET `/porchlight/openapi.json`, for a client that sees the server at `origin`.
    pub(crate) fn reply(&self, origin: &str, headers: &Headers<'_>) -> Reply {
        let quoted = Value::from(origin).to_string();
        let text = self.pieces.join(&quoted[1..quoted.len() - 1]);
        let opaque = format!("\"{:016x}\"", rapidhash_v3(text.as_bytes()));
        let reply = if etag::is_known(opaque.as_bytes(), headers) {
            Reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            Reply::ok(HeaderValue::from_static("application/json"), text)
        };
        // Weak, as every tag here: what is compressed has the same one.
        reply.with(ETAG, header_value(&format!("W/{opaque}")))
    }
}
