//! SCIM: what every call can be answered with has SCIM's form under its paths. RFC 7644 3.12.

use http::Method;
use porchlight_store::Fault;
use porchlight_testkit::{ADA, TestServer};
use serde_json::json;

use crate::scim_support::{SCIM, USERS, create, jensen, patch, provider, refused, user, user_of};
use crate::support::NOBODY;

#[tokio::test]
async fn whoever_has_no_token_is_told_so_in_scims_words() {
    let server = TestServer::start().await;
    let nobody = server.anonymous();
    for path in
        [USERS.to_owned(), user(ADA), user(NOBODY), format!("{SCIM}/Schemas"), format!("{SCIM}/nowhere")]
    {
        let answer = nobody.get(&path).await;
        refused(&answer, 401, "", "Access token is empty. (send the header Authorization: Bearer {token})");
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{answer:?}");
    }
    let foreign = nobody.header("authorization", "Basic eDp5");
    assert_eq!(foreign.get(USERS).await.json()["status"], "401");
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    for path in ["", "/", "/Groups/x", "/users", "/Users/x/y", "/Schemas/urn:x", "/ResourceTypes/Group"] {
        let answer = provider.get(&format!("{SCIM}{path}")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["status"]),
            (404, &json!("404")),
            "{path}: {answer:?}"
        );
    }
    refused(&provider.get(&format!("{SCIM}/Groups/x")).await, 404, "", "There is nothing here.");
    refused(
        &provider.get(&user("ada@porchlight.example")).await,
        404,
        "",
        "There is no user 'ada@porchlight.example'.",
    );
    for path in ["/Me", "/Bulk"] {
        let answer = provider.post(&format!("{SCIM}{path}"), &json!({})).await;
        refused(&answer, 501, "", &format!("{path} is not supported."));
    }
    let filtered = provider.get(&format!("{SCIM}/Schemas?filter=name%20pr")).await;
    refused(&filtered, 403, "", "What describes the server cannot be filtered.");
}

#[tokio::test]
async fn other_methods_are_refused_with_those_that_would_do() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let detail = "Specified HTTP method is not allowed for the request target.";
    let table = [
        (Method::DELETE, USERS.to_owned(), "GET, HEAD, POST"),
        (Method::POST, user(ADA), "GET, HEAD, PUT, PATCH, DELETE"),
        (Method::GET, format!("{USERS}/.search"), "POST"),
        (Method::PUT, format!("{SCIM}/Schemas"), "GET, HEAD"),
    ];
    for (method, path, allow) in table {
        let answer = provider.call(method, &path, None::<&[u8]>).await;
        refused(&answer, 405, "", detail);
        assert_eq!(answer.header("allow"), allow, "{path}");
    }
    let head = provider.call(Method::HEAD, &user(ADA), None::<&[u8]>).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{head:?}");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_says_what_is_wrong_with_it() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let send = async |kind: &str, body: String| {
        provider.header("content-type", kind).call(Method::POST, USERS, Some(body)).await
    };
    let kinds = "The request content type must be application/scim+json or application/json.";
    refused(&send("text/plain", jensen().to_string()).await, 415, "", kinds);
    let payload = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of \
                   valid JSON format.";
    refused(&send("application/scim+json", "{".to_owned()).await, 400, "invalidSyntax", payload);
    let empty = "Empty Payload. JSON content expected.";
    refused(&send("application/json", " ".to_owned()).await, 400, "invalidSyntax", empty);
    let object = "The request body must be a JSON object.";
    refused(&send("application/json", "[]".to_owned()).await, 400, "invalidSyntax", object);
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "x"});
    let user =
        "The request body must be a user, whose schemas name urn:ietf:params:scim:schemas:core:2.0:User.";
    refused(&provider.post(USERS, &group).await, 400, "invalidSyntax", user);
    let missing = "The value of 'userName' must be there, and no empty text.";
    refused(&provider.post(USERS, &json!({"title": "x"})).await, 400, "invalidValue", missing);
    let text = "The value of 'title' must be a text of at most 256 characters without control characters.";
    for title in [json!(5), json!("x".repeat(257)), json!("a\nb")] {
        let body = json!({"userName": "mia@example.com", "title": title});
        refused(&provider.post(USERS, &body).await, 400, "invalidValue", text);
    }
}

#[tokio::test]
async fn the_limits_of_every_request_are_told_in_scims_words() {
    let server = TestServer::builder().settings(|settings| settings.limits.body_bytes_max = 64).start().await;
    let large = provider(&server).post(USERS, &jensen()).await;
    refused(&large, 413, "", "The request body is larger than 64 bytes.");
    let headers = provider(&server).header("x-large", &"x".repeat(8192)).get(USERS).await;
    refused(&headers, 431, "", "The request headers are larger than 8192 bytes.");
}

#[tokio::test]
async fn a_write_is_refused_while_the_storage_fails() {
    let server = TestServer::start().await;
    let (provider, path) = (provider(&server), user_of(&create(&server, &jensen()).await));
    let promote = patch(&json!([{"op": "replace", "path": "title", "value": "Guide"}]));
    server.memory().inject(Fault::FailedNotWritten);
    let unknown = provider.patch(&path, &promote).await;
    let detail = unknown.json()["detail"].as_str().unwrap_or_default().to_owned();
    refused(&unknown, 503, "", &detail);
    let after: u64 = unknown.header("retry-after").parse().expect("whole seconds");
    assert!(after >= 1);
    assert_eq!(provider.get(&path).await.json()["title"], "Tour Guide", "reads go on");
    server.memory().resolve();
    assert_eq!(provider.patch(&path, &promote).await.json()["title"], "Guide");
}
