//! subscriptions-and-auth 24.2: each call with each permission, for a user's delegate and for an application.

use http::Method;
use porchlight_testkit::{ADA, APP_A, BEN, Receiver, TestServer};
use serde_json::{Value, json};

use crate::support::{ME, presence_of, session};

const PERMISSIONS: [&str; 9] = [
    "Presence.Read",
    "Presence.Read.All",
    "Presence.ReadWrite",
    "Presence.ReadWrite.All",
    "User.ReadBasic.All",
    "User.Read.All",
    "User.ReadWrite.All",
    "Subscription.Read.All",
    "Subscription.ReadWrite.All",
];

/// A call, and what will do for it: for a delegate of Ada's, for an application.
struct Row {
    method: Method,
    path: String,
    body: Value,
    delegate: &'static [&'static str],
    application: &'static [&'static str],
}

const READ_OWN: &[&str] = &["Presence.Read", "Presence.Read.All", "Presence.ReadWrite"];
const READ_ALL: &[&str] = &["Presence.Read.All"];
const READ_APP: &[&str] = &["Presence.Read.All", "Presence.ReadWrite.All"];
const WRITE: &[&str] = &["Presence.ReadWrite"];
const WRITE_APP: &[&str] = &["Presence.ReadWrite.All"];
const PEOPLE: &[&str] = &["Presence.Read.All", "User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All"];
const NOTHING: &[&str] = &[];

fn table(receiver: &Receiver) -> Vec<Row> {
    let row = |method: Method, path: &str, body: Value, delegate, application| Row {
        method,
        path: path.to_owned(),
        body,
        delegate,
        application,
    };
    let communications = |id: &str| format!("/v1.0/communications/presences/{id}");
    let get = |path: &str, delegate, application| row(Method::GET, path, Value::Null, delegate, application);
    let mut rows = vec![
        get(&presence_of(ADA), READ_OWN, READ_APP),
        get(&communications(ADA), READ_OWN, READ_APP),
        get(&format!("{}/porchlight.explain", presence_of(ADA)), READ_OWN, READ_APP),
        get(&presence_of(BEN), READ_ALL, READ_APP),
        get(&communications(BEN), READ_ALL, READ_APP),
        get("/v1.0/communications/presences", READ_ALL, READ_APP),
        get("/v1.0/communications/presences/$count", READ_ALL, READ_APP),
        get("/v1.0/communications/presences/delta", READ_ALL, READ_APP),
        get(&format!("/v1.0/users/{BEN}"), PEOPLE, PEOPLE),
        get("/v1.0/users", PEOPLE, PEOPLE),
    ];
    for (ids, delegate) in [(json!([ADA]), READ_OWN), (json!([ADA, BEN]), READ_ALL)] {
        let path = "/v1.0/communications/getPresencesByUserId";
        rows.push(row(Method::POST, path, json!({"ids": ids}), delegate, READ_APP));
    }
    let writes = [
        ("setPresence", session(APP_A, "Busy/InACall", "PT1H")),
        ("setUserPreferredPresence", json!({"availability": "Away", "activity": "Away"})),
        ("clearUserPreferredPresence", json!({})),
        ("setStatusMessage", json!({"statusMessage": {"message": {"content": "x", "contentType": "text"}}})),
    ];
    for (action, body) in writes {
        let path = format!("{}/{action}", presence_of(ADA));
        rows.push(row(Method::POST, &path, body, WRITE, WRITE_APP));
    }
    rows.push(row(Method::PATCH, &presence_of(ADA), json!({"availability": "Busy"}), WRITE, WRITE_APP));
    rows.push(row(Method::DELETE, &presence_of(ADA), Value::Null, WRITE, WRITE_APP));
    let office = json!({"workLocationType": "office"});
    for (action, body) in [("setManualLocation", office), ("clearLocation", json!({}))] {
        let path = format!("{}/{action}", presence_of(ADA));
        rows.push(row(Method::POST, &path, body, WRITE, NOTHING));
    }
    for (id, delegate) in [(ADA, READ_OWN), (BEN, READ_ALL)] {
        let body = json!({
            "changeType": "updated", "resource": format!("communications/presences/{id}"),
            "notificationUrl": receiver.url("/"), "expirationDateTime": "2026-11-20T09:50:00Z",
        });
        rows.push(row(Method::POST, "/v1.0/subscriptions", body, delegate, READ_APP));
    }
    rows
}

/// Whether a call with no permission but this one is let through.
async fn may(server: &TestServer, row: &Row, token: &str) -> bool {
    let body = (!row.body.is_null()).then(|| row.body.to_string());
    let client = server.client(token).header("content-type", "application/json");
    let answer = client.call(row.method.clone(), &row.path, body).await;
    if answer.status == 201 {
        // A second one to the same would be another error.
        let made = format!("/v1.0/subscriptions/{}", answer.json()["id"].as_str().expect("an id"));
        assert_eq!(server.client(token).delete(&made).await.status, 204);
    }
    assert!(answer.status.is_success() || answer.status == 403, "{token} {} {answer:?}", row.path);
    answer.status != 403
}

#[tokio::test]
async fn each_call_takes_the_permissions_of_its_row_and_no_other() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    for row in table(&receiver) {
        for permission in PERMISSIONS {
            let (user, application) = (format!("ada:{permission}"), format!("{APP_A}:{permission}"));
            let what = format!("{} {} with {permission}", row.method, row.path);
            assert_eq!(
                may(&server, &row, &user).await,
                row.delegate.contains(&permission),
                "{what}, a delegate"
            );
            let expected = row.application.contains(&permission);
            assert_eq!(may(&server, &row, &application).await, expected, "{what}, an application");
        }
    }
}

/// 24.2 and presence-api 5.2: no permission lets a delegate write for somebody else, or an application be somebody.
#[tokio::test]
async fn no_permission_makes_a_delegate_another_or_an_application_somebody() {
    let server = TestServer::start().await;
    let body = session(APP_A, "Busy/InACall", "PT1H");
    let other = server.client("ada:").post(&format!("{}/setPresence", presence_of(BEN)), &body).await;
    assert_eq!(other.error(), "403 Forbidden Cannot set the presence of another user.");
    let me = server.client(&format!("{APP_A}:")).get(ME).await;
    let message = "/me request is only valid with delegated authentication flow.";
    assert_eq!(me.error(), format!("400 Request_BadRequest {message}"));
}
