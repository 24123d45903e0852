//! `serve` without `--dev`: nobody gets in yet, and none of development's levers is there.

use http::{Method, StatusCode};
use porchlight_testkit::{ADA, Answer, Client, DEMO};
use serde_json::Value;

use crate::support::{Program, in_folder, porchlight, serve, text};

async fn ask(client: &Client, method: &str, path: &str) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    client.call(method, path, None::<&[u8]>).await
}

#[tokio::test]
async fn every_call_of_graph_is_answered_with_401_whatever_the_token() {
    let server = Program::start(&mut serve(&["--ephemeral"]));
    let user = format!("/v1.0/users/{ADA}/presence");
    let calls = [
        ("GET", "/v1.0/me".to_owned()),
        ("GET", "/v1.0/users".to_owned()),
        ("GET", format!("/v1.0/users/{ADA}")),
        ("GET", "/beta/me/presence".to_owned()),
        ("GET", user.clone()),
        ("PATCH", user.clone()),
        ("DELETE", user.clone()),
        ("POST", format!("{user}/setPresence")),
        ("POST", format!("{user}/microsoft.graph.setStatusMessage")),
        ("GET", format!("{user}/porchlight.explain")),
        ("GET", "/v1.0/communications/presences".to_owned()),
        ("GET", "/v1.0/communications/presences/$count".to_owned()),
        ("POST", "/v1.0/communications/getPresencesByUserId".to_owned()),
        ("POST", "/v1.0/$batch".to_owned()),
        ("GET", "/v1.0/nonsense".to_owned()),
    ];
    let nobody = server.anonymous();
    let tokens = ["ada:", &format!("{DEMO}:"), &format!("ada@{DEMO}:Presence.ReadWrite")]
        .map(|token| nobody.token(token));
    for (method, path) in calls {
        let answer = ask(&nobody, method, &path).await;
        assert_eq!(
            answer.error(),
            "401 InvalidAuthenticationToken Access token is empty.",
            "{method} {path}"
        );
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{answer:?}");
        for client in &tokens {
            let answer = ask(client, method, &path).await;
            let expected =
                "401 InvalidAuthenticationToken CompactToken parsing failed with error code: 80049217";
            assert_eq!(answer.error(), expected, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_levers_of_development_are_not_there() {
    let server = Program::start(&mut serve(&["--ephemeral"]));
    let nobody = server.anonymous();
    for (method, path) in [
        ("GET", "/porchlight/dev/clock"),
        ("POST", "/porchlight/dev/clock"),
        ("POST", "/porchlight/dev/reset"),
        ("GET", "/porchlight/dev/"),
        ("GET", "/porchlight/nonsense"),
    ] {
        assert_eq!(ask(&nobody, method, path).await.error(), "404 NotFound There is nothing here.", "{path}");
    }
}

#[tokio::test]
async fn what_needs_no_token_is_answered() {
    let server = Program::start(&mut serve(&["--ephemeral"]));
    let nobody = server.anonymous();
    let table = [
        ("/porchlight/health", "application/json"),
        ("/porchlight/limits", "application/json"),
        ("/porchlight/metrics", "text/plain"),
        ("/v1.0/$metadata", "application/xml"),
        ("/beta/$metadata", "application/xml"),
        ("/v1.0/", "application/json"),
    ];
    for (path, kind) in table {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        assert!(answer.header("content-type").starts_with(kind), "{path}: {answer:?}");
    }
    let health = nobody.get("/porchlight/health").await.json();
    assert_eq!((&health["live"], &health["ready"]), (&Value::Bool(true), &Value::Bool(true)));
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
}

/// Browsers are let in by a setting only, requests are logged by a setting only, and the log is for machines.
#[tokio::test]
async fn the_defaults_are_those_of_production() {
    let place = tempfile::tempdir().expect("a folder");
    let mut command = porchlight(&["serve", "--listen", "127.0.0.1:0"]);
    let server = Program::start(command.current_dir(place.path()));
    let browser = server.anonymous().header("origin", "https://one.example");
    for method in ["OPTIONS", "GET"] {
        let answer = ask(&browser, method, "/porchlight/health").await;
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{answer:?}");
    }
    let ended = server.stop();
    let greeting = format!("porchlight {}; data in porchlight-data", env!("CARGO_PKG_VERSION"));
    assert_eq!(ended.out.first(), Some(&greeting), "{ended:?}");
    assert_eq!(ended.out.len(), 2, "and where it listens: {ended:?}");
    assert!(place.path().join("porchlight-data/porchlight.log").is_file());
    let log: Vec<Value> = ended.err.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let messages: Vec<&str> = log.iter().filter_map(|line| line["message"].as_str()).collect();
    let nobody = "nobody can call: the configuration names no [[auth.issuer]] and no [[auth.api_key]]";
    assert_eq!(messages, [nobody, "stopping", "no requests are left", "everything is on disk"]);
}

/// Each error has the time that the server goes by, next to the real one in the header `Date`.
#[tokio::test]
async fn how_far_development_has_moved_the_clock_is_no_concern_of_production() {
    let folder = tempfile::tempdir().expect("a folder");
    let development = Program::start(&mut in_folder(folder.path()));
    development.advance("P800D").await;
    let answer = development.anonymous().get("/v1.0/me").await;
    assert_ne!(year_by_the_server(&answer), year(&answer), "{answer:?}");
    development.stop();
    let server = Program::start(&mut serve(&["--data", text(folder.path())]));
    let answer = server.anonymous().get("/v1.0/me").await;
    assert_eq!(year_by_the_server(&answer), year(&answer), "{answer:?}");
}

fn year_by_the_server(answer: &Answer) -> String {
    let error = answer.json();
    error["error"]["innerError"]["date"]
        .as_str()
        .and_then(|date| date.get(..4))
        .unwrap_or_default()
        .to_owned()
}

/// `Date: Fri, 20 Nov 2026 09:14:22 GMT`
fn year(answer: &Answer) -> String {
    answer.header("date").split(' ').nth(3).unwrap_or_default().to_owned()
}
