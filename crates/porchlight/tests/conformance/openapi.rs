//! `/porchlight/openapi.json`: what the server says of its API is true.

use http::Method;
use porchlight_http::Profile;
use porchlight_testkit::{ADA, Answer, Receiver, TestServer};
use serde_json::{Map, Value, json};

const DESCRIPTION: &str = "/porchlight/openapi.json";

const METHODS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];

async fn description(server: &TestServer) -> Value {
    let answer = server.anonymous().get(DESCRIPTION).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    answer.json()
}

/// The paths, with what can be done there.
fn paths(description: &Value) -> &Map<String, Value> {
    description["paths"].as_object().expect("paths")
}

/// Where a path stands: below each of its servers.
fn places(server: &TestServer, description: &Value, path: &str, item: &Value) -> Vec<String> {
    let servers = item.get("servers").unwrap_or(&description["servers"]).as_array().expect("servers");
    let url = |place: &Value| place["url"].as_str().expect("a URL").to_owned();
    let below = |url: String| url.strip_prefix(&server.url()).expect("it is this server").to_owned();
    servers.iter().map(|place| below(url(place)) + path).collect()
}

/// A path with keys that lead somewhere.
fn with_keys(path: &str, subscription: &str) -> String {
    let keys = [
        ("{user}", ADA),
        ("{id}", ADA),
        ("{subscription}", subscription),
        ("{tenant}", "common"),
        ("{authority}", "common"),
        ("{account}", "ada"),
        ("{resourceType}", "User"),
        ("{schema}", "urn:ietf:params:scim:schemas:core:2.0:User"),
    ];
    keys.into_iter().fold(path.to_owned(), |path, (name, key)| path.replace(name, key))
}

/// The only subscription of Ada's, made anew: whoever was here before may have ended it.
async fn subscription(server: &TestServer, receiver: &Receiver) -> String {
    let ada = server.client("ada:");
    let before = ada.get("/v1.0/subscriptions").await.json();
    for one in before["value"].as_array().expect("a list") {
        let path = format!("/v1.0/subscriptions/{}", one["id"].as_str().expect("an id"));
        assert_eq!(ada.delete(&path).await.status, 204);
    }
    let body = json!({
        "changeType": "updated", "resource": "me/presence",
        "notificationUrl": receiver.url("/"), "expirationDateTime": "2026-11-20T09:50:00Z",
    });
    let made = ada.post("/v1.0/subscriptions", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["id"].as_str().expect("an id").to_owned()
}

/// That there is something where an answer comes from, and that it answers as it is described to.
fn check(answer: &Answer, what: &str, operation: &Value) {
    assert!(answer.status != 404 && answer.status != 405, "{what}: {answer:?}");
    // A path that leads nowhere is a bad request.
    let error = answer.error();
    assert!(!error.contains("for the segment") && !error.contains("Invalid version"), "{what}: {answer:?}");
    let described = operation["responses"].get(answer.status.as_str());
    assert!(described.is_some(), "{what} is not described to answer {answer:?}");
}

/// Whoever calls may read themselves alone, so nothing is changed but their subscription, and what levers change.
#[tokio::test]
async fn whatever_is_described_is_there_and_answers_as_described() {
    let change = |settings: &mut porchlight_http::Settings| {
        let development = settings.development.as_mut().expect("it is a development server");
        development.certificate_authority = Some("a certificate".to_owned());
    };
    let server = TestServer::builder().settings(change).start().await;
    let receiver = Receiver::start().await;
    let description = description(&server).await;
    let client = server.client("ada:Presence.Read");
    let mut operations = 0;
    for (path, item) in paths(&description) {
        for place in places(&server, &description, path, item) {
            for method in METHODS.into_iter().filter(|method| item.get(method).is_some()) {
                let is_of_one = path.contains("{subscription}");
                let subscription =
                    if is_of_one { subscription(&server, &receiver).await } else { String::new() };
                let place = with_keys(&place, &subscription);
                let name: Method = method.to_ascii_uppercase().parse().expect("a method");
                let answer = client.call(name, &place, None::<&[u8]>).await;
                check(&answer, &format!("{method} {place}"), &item[method]);
                operations += 1;
            }
        }
    }
    assert!(operations > 200, "{operations}");
}

/// What OPTIONS says goes for every path, so it names no methods but to browsers, which ask for one of them.
#[tokio::test]
async fn no_method_is_promised_that_is_not_there() {
    let server = TestServer::start().await;
    let description = description(&server).await;
    for (path, item) in paths(&description) {
        let place = with_keys(&places(&server, &description, path, item)[0], ADA);
        let answer = server.anonymous().call(Method::OPTIONS, &place, None::<&[u8]>).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (204, ""), "{path}");
        let browser = server.anonymous().header("origin", "https://app.example");
        let answer = browser.call(Method::OPTIONS, &place, None::<&[u8]>).await;
        let allowed: Vec<&str> = answer.header("access-control-allow-methods").split(", ").collect();
        for method in METHODS.into_iter().filter(|method| item.get(method).is_some()) {
            assert!(allowed.contains(&method.to_ascii_uppercase().as_str()), "{method} {path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_server_is_where_the_client_sees_it() {
    let server = TestServer::start().await;
    let seen = server.anonymous().header("host", "presence.example").get(DESCRIPTION).await.json();
    assert_eq!(seen["servers"][0]["url"], "http://presence.example/v1.0");
    assert_eq!(seen["servers"][1]["url"], "http://presence.example/beta");
    assert_eq!(seen["paths"]["/porchlight/health"]["servers"][0]["url"], "http://presence.example");
    assert!(!seen.to_string().contains("origin.invalid"), "{seen}");
    let change = |settings: &mut porchlight_http::Settings| {
        settings.public_url = Some("https://presence.example.org".to_owned());
    };
    let server = TestServer::builder().settings(change).start().await;
    let seen = description(&server).await;
    assert_eq!(seen["servers"][0]["url"], "https://presence.example.org/v1.0");
}

#[tokio::test]
async fn who_has_the_description_already_is_told_so() {
    let server = TestServer::start().await;
    let first = server.anonymous().get(DESCRIPTION).await;
    let tag = first.header("etag");
    assert!(tag.starts_with("W/\"") && first.header("vary").contains("Accept-Encoding"), "{first:?}");
    let again = server.anonymous().header("if-none-match", tag).get(DESCRIPTION).await;
    assert_eq!((again.status.as_u16(), again.header("etag"), again.body.len()), (304, tag, 0));
    let other = server.anonymous().header("host", "presence.example").header("if-none-match", tag);
    assert_eq!(other.get(DESCRIPTION).await.status, 200, "it names another server");
    let small = server.anonymous().header("accept-encoding", "gzip").get(DESCRIPTION).await;
    assert_eq!(small.header("content-encoding"), "gzip");
    assert!(small.body.len() * 4 < first.body.len(), "{} and {}", small.body.len(), first.body.len());
}

/// Every number that a schema bounds something by.
fn bounds<'v>(value: &'v Value, found: &mut Vec<(&'v str, &'v Value)>) {
    const NAMES: [&str; 6] = ["maxLength", "maxItems", "maximum", "minLength", "minItems", "minimum"];
    match value {
        Value::Array(items) => items.iter().for_each(|item| bounds(item, found)),
        Value::Object(members) => {
            for (name, member) in members {
                found.extend(NAMES.contains(&name.as_str()).then_some((name.as_str(), member)));
                bounds(member, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn bounds_are_the_limits_in_force() {
    let change = |settings: &mut porchlight_http::Settings| settings.limits.ids_max = 3;
    let builder = TestServer::builder().settings(change).limits(|limits| limits.status_chars_max = 7);
    let description = description(&builder.start().await).await;
    let bulk = &description["paths"]["/communications/getPresencesByUserId"]["post"];
    let schema = &bulk["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["properties"]["ids"]["maxItems"], 3);
    let status = &description["components"]["schemas"]["NewStatusMessage"]["properties"]["message"];
    assert_eq!(status["anyOf"][0]["properties"]["content"]["maxLength"], 7);
    let mut found = Vec::new();
    bounds(&description, &mut found);
    assert!(found.len() > 30, "{found:?}");
    assert!(found.iter().all(|(_, bound)| bound.is_i64()), "{found:?}");
}

/// The permissions of which any one will do, for a delegate and for an application.
fn permissions(operation: &Value) -> [Vec<&str>; 2] {
    let requirements = operation["security"].as_array().expect("a list");
    ["delegate", "application"].map(|kind| {
        let lists = requirements.iter().filter_map(|requirement| requirement[kind].as_array());
        lists.flatten().filter_map(Value::as_str).collect()
    })
}

#[tokio::test]
async fn permissions_are_those_of_the_profile() {
    let server = TestServer::start().await;
    let open = description(&server).await;
    let operation =
        |description: &Value, path: &str, method: &str| description["paths"][path][method].clone();
    let read = operation(&open, "/users/{user}/presence", "get");
    assert_eq!(
        permissions(&read),
        [
            vec!["Presence.Read", "Presence.Read.All", "Presence.ReadWrite"],
            vec!["Presence.Read.All", "Presence.ReadWrite.All"],
        ]
    );
    let me = operation(&open, "/me/presence", "patch");
    assert_eq!(permissions(&me), [vec!["Presence.ReadWrite"], Vec::new()], "/me is for delegates");
    assert_eq!(operation(&open, "/me", "get")["security"], json!([{"delegate": []}]));
    assert_eq!(operation(&open, "/porchlight/health", "get")["security"], json!([]));
    let subscribe = operation(&open, "/subscriptions", "post");
    assert_eq!(permissions(&subscribe)[1], ["Presence.Read.All", "Presence.ReadWrite.All"]);
    let strict = TestServer::builder().profile(Profile::Strict).start().await;
    let strict = description(&strict).await;
    let subscribe = operation(&strict, "/subscriptions", "post");
    assert_eq!(permissions(&subscribe), [vec!["Presence.Read.All"], Vec::new()]);
    assert_eq!(operation(&strict, "/me/presence", "delete"), Value::Null, "strict does not have it");
    assert_ne!(operation(&open, "/me/presence", "delete"), Value::Null);
}

#[tokio::test]
async fn outside_of_development_nobody_hears_of_levers() {
    let server = TestServer::builder().production().start().await;
    let description = description(&server).await;
    let levers =
        paths(&description).keys().filter(|path| path.contains("/dev/") || path.contains("/oauth2/"));
    assert_eq!(levers.count(), 0);
}
