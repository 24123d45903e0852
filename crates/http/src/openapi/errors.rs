//! What goes wrong, as OpenAPI says it: a response for each status, from the table of codes.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::CODES;

/// Which form errors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Form {
    /// Graph's.
    Graph,
    /// SCIM's.
    Scim,
}

/// The statuses of SCIM's errors, but for 405 and 501: what is described has the methods that are described.
const OF_SCIM: [u16; 12] = [400, 401, 403, 404, 408, 409, 412, 413, 415, 431, 500, 503];

/// Adds the response of every status, in every form that it has, and the schemas of Graph's.
pub(super) fn describe(components: &mut Value) {
    for (status, codes) in CODES {
        let name = format!("Error{status}");
        components["schemas"][&name] = schema(codes);
        components["responses"][&name] = response(status, "application/json", &name);
    }
    for status in OF_SCIM {
        let name = format!("ScimError{status}");
        components["responses"][name] = response(status, "application/scim+json", "ScimError");
    }
}

/// The response of this status.
pub(super) fn reference(form: Form, status: u16) -> Value {
    let form = match form {
        Form::Graph => "",
        Form::Scim => "Scim",
    };
    json!({"$ref": format!("#/components/responses/{form}Error{status}")})
}

/// Headers that every answer has.
pub(super) fn usual_headers() -> Map<String, Value> {
    let names = [("request-id", "RequestId"), ("client-request-id", "ClientRequestId")];
    names.into_iter().map(|(name, header)| (name.to_owned(), header_reference(header))).collect()
}

fn header_reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

fn schema(codes: &[&str]) -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "innerError"],
                "properties": {
                    "code": {"enum": codes},
                    "message": {"type": "string"},
                    "innerError": {"$ref": "#/components/schemas/InnerError"},
                },
            },
        },
    })
}

fn response(status: u16, content_type: &str, schema: &str) -> Value {
    let known = StatusCode::from_u16(status).ok();
    let mut headers = usual_headers();
    let more = match status {
        401 => Some(("WWW-Authenticate", "Challenge")),
        410 => Some(("Location", "Location")),
        429 | 503 => Some(("Retry-After", "RetryAfter")),
        _ => None,
    };
    headers.extend(more.map(|(name, header)| (name.to_owned(), header_reference(header))));
    let mut content = Map::new();
    let schema = format!("#/components/schemas/{schema}");
    content.insert(content_type.to_owned(), json!({"schema": {"$ref": schema}}));
    json!({
        "description": known.and_then(|known| known.canonical_reason()).unwrap_or_default(),
        "headers": headers,
        "content": content,
    })
}
