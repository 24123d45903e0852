//! Who may do what, and which of several faults is told: presence-api 5.

use http::Method;
use porchlight_testkit::{ADA, APP_A, BEN, Client, TestServer};
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::{
    ANOTHER_USER, EXPLAIN, ME, ME_NEEDS_A_USER, NOBODY, PRESENCES, ada, add_person, change_ada, lacks,
    presence_of, raw_on, refused, state,
};

/// presence-api 5.2 and 5.3
#[tokio::test]
async fn each_right_to_read_reads_ones_own() {
    let server = TestServer::start().await;
    for right in ["Presence.Read", "Presence.Read.All", "Presence.ReadWrite"] {
        let ada = server.client(&format!("ada:{right}"));
        let paths = [ME.to_owned(), presence_of(ADA), format!("{PRESENCES}/{ADA}"), EXPLAIN.to_owned()];
        for path in paths {
            assert_eq!(ada.get(&path).await.status, 200, "{right} {path}");
        }
    }
}

/// presence-api 5.1 and 5.3: rights of the other kind grant nothing.
#[tokio::test]
async fn a_right_of_the_other_kind_grants_nothing() {
    let server = TestServer::start().await;
    let user = server.client("ada:Presence.ReadWrite.All");
    refused(&user.get(ME).await, &lacks("Presence.Read, Presence.Read.All, Presence.ReadWrite"));
    refused(&user.patch(ME, &state("Busy/Busy", "")).await, &lacks("Presence.ReadWrite"));
    let application = server.client(&format!("{APP_A}:Presence.Read,Presence.ReadWrite"));
    refused(&application.get(&presence_of(ADA)).await, &lacks("Presence.Read.All, Presence.ReadWrite.All"));
}

/// subscriptions-and-auth 24.3
#[tokio::test]
async fn names_of_rights_have_no_case_and_may_have_a_prefix() {
    let server = TestServer::start().await;
    for right in ["presence.read", "PRESENCE.READ", "api://porchlight/Presence.Read"] {
        assert_eq!(server.client(&format!("ada:{right}")).get(ME).await.status, 200, "{right}");
    }
}

/// presence-api 5.4: every call here has at least two faults; the one that comes first is told.
#[tokio::test]
async fn the_checks_before_the_body_come_in_their_order() {
    let server = TestServer::start().await;
    let html = |client: Client| client.header("accept", "text/html");
    let large = server.anonymous().header("x-large", &"x".repeat(9000));
    let reader = server.client("ben:Presence.Read");
    let powerless = server.client(&format!("{APP_A}:User.Read.All"));
    let plain = ada(&server).header("content-type", "text/plain");
    let table = [
        ("headers before version", large.get("/v9/me").await, "431 "),
        ("version before token", server.anonymous().get("/v9/me").await, "400 BadRequest Invalid version"),
        ("form of the path before token", server.anonymous().get("/v1.0/users('x").await, "400 BadRequest "),
        ("token before segment", server.anonymous().get("/v1.0/nowhere").await, "401 "),
        (
            "segment before method",
            ada(&server).call(Method::PUT, "/v1.0/nowhere", None::<&[u8]>).await,
            "400 BadRequest Resource not found",
        ),
        ("method before Accept", html(ada(&server)).call(Method::PUT, ME, None::<&[u8]>).await, "405 "),
        ("Accept before /me", html(powerless.clone()).get(ME).await, "406 "),
        ("/me before the right", powerless.get(ME).await, ME_NEEDS_A_USER),
        (
            "the right before an unknown user",
            reader.get(&presence_of(NOBODY)).await,
            "403 Forbidden The token lacks",
        ),
        (
            "the right before another user",
            reader.patch(&presence_of(ADA), &json!({})).await,
            "403 Forbidden The token lacks",
        ),
        (
            "another user before the body",
            plain.call(Method::PATCH, &presence_of(BEN), Some("{")).await,
            ANOTHER_USER,
        ),
        (
            "an unknown user before options",
            ada(&server).get(&format!("{}?$select=nope", presence_of(NOBODY))).await,
            "404 ",
        ),
    ];
    for (what, answer, expected) in table {
        assert!(answer.error().starts_with(expected), "{what}: {answer:?}");
    }
}

/// presence-api 5.4
#[tokio::test]
async fn the_checks_of_the_body_come_in_their_order() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let plain = ada.header("content-type", "text/plain");
    let path = format!("{ME}/setPresence");
    let options = plain.call(Method::PATCH, &format!("{ME}?$select=nope"), Some("{")).await;
    assert!(options.error().starts_with("400 BadRequest Could not find a property"), "{options:?}");
    assert_eq!(plain.call(Method::PATCH, ME, Some("{")).await.status, 415);
    let table = [
        (json!({"activity": 7}), "400 BadRequest Property 'activity'"),
        (json!({"availability": "x", "activity": "y"}), "400 InvalidArgument [SessionId]: "),
        (json!({"sessionId": "no GUID"}), "400 InvalidArgument The provided [SessionId] is not a GUID."),
        (json!({"sessionId": APP_A, "activity": "y"}), "400 InvalidArgument [Availability]: "),
        (
            json!({"sessionId": APP_A, "availability": "x", "activity": "y"}),
            "400 InvalidArgument The provided [Availability] value 'x'",
        ),
        (
            json!({"sessionId": APP_A, "availability": "Busy", "activity": "y", "expirationDuration": "x"}),
            "400 InvalidArgument The provided [Activity] value 'y'",
        ),
        (
            json!({"sessionId": APP_A, "availability": "Busy", "activity": "Away", "expirationDuration": "x"}),
            "400 InvalidArgument The provided [Availability] and [Activity] combination",
        ),
    ];
    for (body, expected) in table {
        let error = ada.post(&path, &body).await.error();
        assert!(error.starts_with(expected), "{body}: {error}");
    }
}

/// presence-api 5.4: the order of checks leaks nothing.
#[tokio::test]
async fn an_unknown_caller_is_told_nothing() {
    let server = TestServer::start().await;
    for path in [presence_of(ADA), presence_of(NOBODY), "/v1.0/users".to_owned(), "/v1.0/nowhere".to_owned()]
    {
        let answer = server.anonymous().get(&path).await;
        refused(&answer, "401 InvalidAuthenticationToken Access token is empty.");
    }
}

/// A connection remembers whom its token named; what has changed since then counts all the same.
#[tokio::test]
async fn a_token_on_an_open_connection_means_whom_it_would_on_a_new_one() {
    let server = TestServer::start().await;
    let mut stream = TcpStream::connect(server.address()).await.expect("the server listens");
    let mut status = async |token: &str, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dev:{token}\r\n\r\n");
        raw_on(&mut stream, &request).await.split(' ').nth(1).expect("a status line").to_owned()
    };
    assert_eq!(status("ada:Presence.Read", ME).await, "200");
    assert_eq!(status("ada:User.Read.All", ME).await, "403", "another token has its own rights");
    assert_eq!(status("ada:Presence.Read", ME).await, "200");
    change_ada(&server, |ada| ada.account_enabled = false).await;
    assert_eq!(status("ada:Presence.Read", ME).await, "401", "Ada may not sign in any more");

    let application = format!("{NOBODY}:Presence.Read.All");
    assert_eq!(status(&application, ME).await, "400", "an application has no presence");
    add_person(&server, NOBODY, "new@porchlight.example", None).await;
    assert_eq!(status(&application, ME).await, "200", "by now the id is somebody's");
}
