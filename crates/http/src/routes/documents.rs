//! The documents that describe the service.

use http::HeaderValue;
use serde_json::json;

use crate::metadata::CSDL;
use crate::reply::{MetadataLevel, Reply};

/// GET `/`: the service document.
pub(crate) fn service_document(base: &str) -> Reply {
    let document = json!({
        "@odata.context": format!("{base}/$metadata"),
        "value": [
            {"name": "users", "kind": "EntitySet", "url": "users"},
            {"name": "me", "kind": "Singleton", "url": "me"},
            {"name": "communications", "kind": "Singleton", "url": "communications"},
            {"name": "subscriptions", "kind": "EntitySet", "url": "subscriptions"},
        ],
    });
    Reply::odata(document.to_string(), MetadataLevel::Minimal)
}

/// GET `/$metadata`
pub(crate) fn metadata() -> Reply {
    Reply::ok(HeaderValue::from_static("application/xml"), CSDL)
}
