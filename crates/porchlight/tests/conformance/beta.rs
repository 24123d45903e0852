//! `/beta` beside `/v1.0`: presence-api 15. Only `@odata.context` differs.

use http::Method;
use porchlight_testkit::{ADA, APP_A, TestServer};
use serde_json::{Value, json};

use crate::support::{NOBODY, ada, redacted, session, state, status_until};

/// Calls of every kind, below the version.
fn calls() -> Vec<(Method, String, Option<Value>)> {
    let (get, post) = (Method::GET, Method::POST);
    let act = |action: &str, body: Value| (Method::POST, format!("/me/presence/{action}"), Some(body));
    vec![
        (get.clone(), "/me".to_owned(), None),
        (get.clone(), "/users?$top=2&$select=id".to_owned(), None),
        act("setPresence", session(APP_A, "Busy/InACall", "PT1H")),
        act("setPresence", session(APP_A, "Busy/Busy", "PT1H")),
        act("setPresence", session(APP_A, "Busy/InACall", "PT1M")),
        act("setUserPreferredPresence", state("Away/Away", "")),
        act("setStatusMessage", status_until("Off", "2026-11-20T17:00:00", "UTC")),
        act("setManualLocation", json!({"workLocationType": "office"})),
        (get.clone(), "/me/presence".to_owned(), None),
        (get.clone(), "/me/presence/porchlight.explain".to_owned(), None),
        (get.clone(), format!("/communications/presences/{ADA}?$select=id,activity"), None),
        (get.clone(), "/communications/presences?$top=2".to_owned(), None),
        (get.clone(), "/communications/presences/$count".to_owned(), None),
        (
            post.clone(),
            "/communications/getPresencesByUserId".to_owned(),
            Some(json!({"ids": [ADA, NOBODY]})),
        ),
        (Method::PATCH, "/me/presence".to_owned(), Some(state("Busy/InAMeeting", ""))),
        (
            post,
            "/$batch".to_owned(),
            Some(json!({"requests": [{"id": "1", "method": "GET", "url": "/me/presence"}]})),
        ),
        (Method::DELETE, "/me/presence".to_owned(), None),
        (get, "/nowhere".to_owned(), None),
    ]
}

/// What a version answers, call by call.
async fn conversation(version: &str) -> Vec<String> {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let mut heard = Vec::new();
    for (method, path, body) in calls() {
        let path = format!("/{version}{path}");
        let answer = match body {
            Some(body) => ada.json(method.clone(), &path, &body).await,
            None => ada.call(method.clone(), &path, None::<&[u8]>).await,
        };
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let kind = answer.header("content-type").to_owned();
        let said = redacted(&server, &json).to_string();
        heard.push(format!("{method} {path}: {} {kind} {said}", answer.status));
    }
    heard
}

#[tokio::test]
async fn both_versions_behave_alike() {
    let (v1, beta) = (conversation("v1.0").await, conversation("beta").await);
    for (one, other) in v1.iter().zip(&beta) {
        assert_eq!(*one, other.replace("/beta", "/v1.0"));
    }
    let own = |line: &&String| line.starts_with("GET /beta/me/presence: ");
    let line = beta.iter().find(own).expect("the call was made");
    assert!(line.contains("http://porchlight.test/beta/$metadata#users("), "{line}");
}
