//! What the tests of SCIM share: who pushes, how a user is put in, and how an error is judged.

use http::Method;
use porchlight_testkit::{APP_A, Answer, Client, TestServer};
use serde_json::{Value, json};

use crate::support::members;

pub(crate) const SCIM: &str = "/porchlight/scim/v2";
pub(crate) const USERS: &str = "/porchlight/scim/v2/Users";

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// An identity provider: an application of its own right that may write people and nothing else.
pub(crate) fn provider(server: &TestServer) -> Client {
    server.client(&format!("{APP_A}:User.ReadWrite.All"))
}

/// The path of a user.
pub(crate) fn user(id: &str) -> String {
    format!("{USERS}/{id}")
}

/// The path of a user in an answer.
pub(crate) fn user_of(answer: &Answer) -> String {
    user(answer.json()["id"].as_str().expect("a user has an id"))
}

/// A user as RFC 7643 8.2 has one, as far as it is kept.
pub(crate) fn jensen() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": "701984",
        "userName": "bjensen@example.com",
        "name": {"familyName": "Jensen", "givenName": "Barbara"},
        "displayName": "Babs Jensen",
        "emails": [{"value": "bjensen@example.com", "type": "work"}],
        "title": "Tour Guide",
        "active": true,
        ENTERPRISE: {"department": "Tour Operations"},
    })
}

/// Puts a user in.
pub(crate) async fn create(server: &TestServer, user: &Value) -> Answer {
    let answer = provider(server).post(USERS, user).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

/// A patch with these operations.
pub(crate) fn patch(operations: &Value) -> Value {
    json!({"schemas": [PATCH_OP], "Operations": operations})
}

/// PUT of JSON
pub(crate) async fn put(client: &Client, path: &str, body: &Value) -> Answer {
    client.json(Method::PUT, path, body).await
}

/// The query that asks for whom a filter matches.
pub(crate) fn filter(text: &str) -> String {
    let encoded = text.bytes().fold(String::new(), |all, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => all + &char::from(byte).to_string(),
        _ => all + &format!("%{byte:02X}"),
    });
    format!("filter={encoded}")
}

/// A list whose form is SCIM's: how many there are in all, and the names of those that were sent.
#[track_caller]
pub(crate) fn listed(answer: &Answer) -> (u64, Vec<String>) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/scim+json");
    let list = answer.json();
    assert_eq!(list["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    let resources = list["Resources"].as_array().expect("a list of resources");
    assert_eq!(list["itemsPerPage"], resources.len());
    let names = resources.iter().map(|user| user["userName"].as_str().unwrap_or_default().to_owned());
    (list["totalResults"].as_u64().expect("a number"), names.collect())
}

/// An error in the form of RFC 7644 3.12, with this status, `scimType` (empty for none) and detail.
#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, kind: &str, detail: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/scim+json", "{answer:?}");
    let error = answer.json();
    assert_eq!(error["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(error["status"], status.to_string());
    assert_eq!(error["detail"], detail);
    assert_eq!(error["scimType"].as_str().unwrap_or_default(), kind);
    assert_eq!(members(&error).len(), if kind.is_empty() { 3 } else { 4 }, "{error}");
}
