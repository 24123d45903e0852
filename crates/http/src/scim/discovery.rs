//! What the server says of itself: `ServiceProviderConfig`, `ResourceTypes` and `Schemas`.
//!
//! Source: RFC 7643 5 to 8, RFC 7644 4. Whoever has a token may read them.

use serde_json::{Value, json};

use super::call::{self, ScimCall};
use super::list::{self, COUNT_MAX};
use super::parameters::Parameters;
use super::{ENTERPRISE_USER, ScimError, USER};
use crate::reply::Reply;

/// The schemas of a user, as RFC 7643 7 has them; without `meta`.
const SCHEMAS: &str = include_str!("schemas.json");

/// GET `/ServiceProviderConfig`
pub(super) fn service_provider_config(call: &ScimCall<'_>) -> Result<Reply, ScimError> {
    check_parameters(call)?;
    let unsupported = json!({"supported": false});
    Ok(call::reply(&json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": COUNT_MAX},
        "changePassword": unsupported,
        "sort": unsupported,
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "OAuth Bearer Token",
            "description": "A token in the header Authorization.",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": call.url("/ServiceProviderConfig"),
        },
    })))
}

/// GET `/ResourceTypes`
pub(super) fn resource_types(call: &ScimCall<'_>) -> Result<Reply, ScimError> {
    check_parameters(call)?;
    Ok(call::reply(&list::response(1, 1, &[user_type(call)])))
}

/// GET `/ResourceTypes/{id}`
pub(super) fn resource_type(call: &ScimCall<'_>, id: &str) -> Result<Reply, ScimError> {
    check_parameters(call)?;
    if id == "User" {
        Ok(call::reply(&user_type(call)))
    } else {
        Err(ScimError::DocumentNotFound(id.to_owned()))
    }
}

/// GET `/Schemas`
pub(super) fn schemas(call: &ScimCall<'_>) -> Result<Reply, ScimError> {
    check_parameters(call)?;
    let schemas = all_schemas(call);
    Ok(call::reply(&list::response(schemas.len(), 1, &schemas)))
}

/// GET `/Schemas/{id}`
pub(super) fn schema(call: &ScimCall<'_>, id: &str) -> Result<Reply, ScimError> {
    check_parameters(call)?;
    let is_wanted =
        |schema: &Value| schema["id"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(id));
    let schema = all_schemas(call).into_iter().find(is_wanted);
    let schema = schema.ok_or_else(|| ScimError::DocumentNotFound(id.to_owned()))?;
    Ok(call::reply(&schema))
}

fn check_parameters(call: &ScimCall<'_>) -> Result<(), ScimError> {
    let has_filter = Parameters::parse(call.query)?.get("filter").is_some();
    if has_filter { Err(ScimError::FilterOfDiscovery) } else { Ok(()) }
}

fn user_type(call: &ScimCall<'_>) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": "People whose presence is known",
        "schema": USER,
        "schemaExtensions": [{"schema": ENTERPRISE_USER, "required": false}],
        "meta": {"resourceType": "ResourceType", "location": call.url("/ResourceTypes/User")},
    })
}

fn all_schemas(call: &ScimCall<'_>) -> Vec<Value> {
    let mut schemas: Vec<Value> = serde_json::from_str(SCHEMAS).expect("the file is a list in JSON");
    for schema in &mut schemas {
        let path = ["/Schemas/", schema["id"].as_str().unwrap_or_default()].concat();
        schema["meta"] = json!({"resourceType": "Schema", "location": call.url(&path)});
    }
    schemas
}
