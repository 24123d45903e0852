//! The `resource` of a subscription.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::world::World;

/// A resource: a subscription to it is made and shown as it was asked for, and can be ended, or there is none.
///
/// # Panics
///
/// When a law is broken.
pub fn resource(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let world = World::development();
    let body = json!({
        "changeType": "updated", "notificationUrl": "https://hooks.example.net/presence",
        "resource": text, "expirationDateTime": "2026-11-20T09:30:00Z",
    });
    let ask = |method: &str, path: &str, body: &[u8]| {
        world.ask(method, path, body).map(Answer::checked).expect("a subscription can be asked for")
    };
    let made = ask("POST", "/v1.0/subscriptions", body.to_string().as_bytes());
    if made.status != 201 {
        assert!(made.status.is_client_error(), "a subscription is made or refused: {made:?}");
        let all = ask("GET", "/v1.0/subscriptions", b"").json();
        assert_eq!(all["value"], json!([]), "what is refused is not there: {text:?}");
        return;
    }
    let made = made.json();
    assert_eq!(made["resource"], Value::from(text), "a resource is shown as it was written");
    let path = format!("/v1.0/subscriptions/{}", made["id"].as_str().unwrap_or_default());
    assert_eq!(ask("GET", &path, b"").json()["resource"], made["resource"], "and so it is later: {text:?}");
    assert_eq!(ask("DELETE", &path, b"").status, 204, "whoever has made it ends it: {text:?}");
    assert_eq!(ask("GET", &path, b"").status, 404, "what was ended is gone: {text:?}");
    assert_eq!(world.connects(), 0, "no input makes this program open a connection");
}
