//! Development mode: presence-api 21.1, subscriptions-and-auth 25.

use http::Method;
use porchlight_testkit::{ADA, APP_A, APP_B, BEN, DEMO, TestServer};
use serde_json::json;

use crate::support::{
    Application, ME, NOBODY, ada, add_person, ben, change_ada, done, done_without_content, lacks, pair,
    presence_of, read, refused, session, status,
};

const CLOCK: &str = "/porchlight/dev/clock";
const FAULTS: &str = "/porchlight/dev/faults";
const RESET: &str = "/porchlight/dev/reset";

/// Who a development token is for, and through which application; or the status that it is refused with.
async fn identity(server: &TestServer, token: &str) -> String {
    let client = server.client(token);
    let me = client.get("/v1.0/me").await;
    let (who, path) = match me.status.as_u16() {
        200 => (me.json()["id"].as_str().unwrap_or_default().to_owned(), ME.to_owned()),
        400 => ("nobody".to_owned(), presence_of(ADA)),
        status => return status.to_string(),
    };
    done(&client.post(&format!("{path}/setPresence"), &session(NOBODY, "DoNotDisturb/Presenting", "")).await);
    let explanation = client.get(&format!("{path}/porchlight.explain")).await.json();
    let application = explanation["layers"][0]["applicationId"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        client.post(&format!("{path}/clearPresence"), &json!({"sessionId": NOBODY})).await.status,
        200
    );
    format!("{who} by {application}")
}

#[tokio::test]
async fn a_development_token_names_a_person_an_application_or_both() {
    let server = TestServer::start().await;
    let by = |who: &str, application: &str| format!("{who} by {application}");
    let unknown = "401".to_owned();
    let table = [
        ("ada:".to_owned(), by(ADA, DEMO)),
        ("ADA:".to_owned(), by(ADA, DEMO)),
        ("ben:".to_owned(), by(BEN, DEMO)),
        ("ada@porchlight.example:".to_owned(), by(ADA, DEMO)),
        ("Ada@Porchlight.Example:".to_owned(), by(ADA, DEMO)),
        (format!("{ADA}:"), by(ADA, DEMO)),
        (format!("{}:", ADA.to_uppercase()), by(ADA, DEMO)),
        (format!("ada@{APP_A}:"), by(ADA, APP_A)),
        (format!("ada@porchlight.example@{APP_A}:"), by(ADA, APP_A)),
        (format!("{ADA}@{APP_A}:"), by(ADA, APP_A)),
        (format!("ada@{}:", APP_A.to_uppercase()), by(ADA, APP_A)),
        (format!("{APP_A}:"), by("nobody", APP_A)),
        (format!("{APP_B}:"), by("nobody", APP_B)),
        ("nobody:".to_owned(), unknown.clone()),
        ("nobody@porchlight.example:".to_owned(), unknown.clone()),
        (format!("nobody@{APP_A}:"), unknown.clone()),
        (format!("{APP_B}@{APP_A}:"), unknown.clone()),
        ("lovelace:".to_owned(), unknown),
    ];
    for (token, expected) in table {
        assert_eq!(identity(&server, &token).await, expected, "{token}");
    }
}

#[tokio::test]
async fn an_empty_list_grants_all_of_its_kind_and_an_unknown_name_nothing() {
    let server = TestServer::start().await;
    assert_eq!(server.client("ada:").get(&presence_of(BEN)).await.status, 200);
    assert_eq!(server.client(&format!("{APP_A}:")).get("/v1.0/users").await.status, 200);
    for list in ["Nothing", "Nothing.At.All,presence", "Presence.ReadWrite.All", "Mail.Read"] {
        let answer = server.client(&format!("ada:{list}")).get(ME).await;
        refused(&answer, &lacks("Presence.Read, Presence.Read.All, Presence.ReadWrite"));
        assert_eq!(answer.json()["error"]["innerError"]["porchlight"]["present"], json!([]), "{list}");
    }
    let both = server.client("ada:Mail.Read, Presence.Read").get(ME).await;
    assert_eq!(both.status, 200, "names that are known count beside those that are not");
}

#[tokio::test]
async fn the_clock_moves_ahead_and_everything_with_it() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Available/Available", "PT1H").await);
    let before = server.anonymous().get(CLOCK).await.json();
    assert_eq!(before, json!({"now": "2026-11-20T09:00:00.0000000Z", "offset": "PT0S"}));
    let moved = server.anonymous().post(CLOCK, &json!({"advance": "PT5M"})).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    assert_eq!(pair(&server).await, "Available/AvailableInactive");
    let moved = server.anonymous().call(Method::POST, CLOCK, Some(r#"{"advance":"PT45M"}"#)).await;
    assert_eq!(moved.json(), json!({"now": "2026-11-20T09:50:00.0000000Z", "offset": "PT50M"}));
    assert_eq!(pair(&server).await, "Away/Away");
}

#[tokio::test]
async fn the_clock_only_grows() {
    let server = TestServer::start().await;
    for body in [json!({"advance": "-PT5M"}), json!({"advance": "soon"}), json!({"advance": 5}), json!({})] {
        let answer = server.anonymous().post(CLOCK, &body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
    assert_eq!(server.anonymous().get(CLOCK).await.json()["offset"], "PT0S");
}

#[tokio::test]
async fn the_clock_names_its_own_member_in_what_it_refuses() {
    let server = TestServer::start().await;
    for (advance, what) in [("soon", "not a valid ISO 8601 duration"), ("PT0S", "out of range")] {
        let answer = server.anonymous().post(CLOCK, &json!({"advance": advance})).await.json();
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with("The provided [Advance] is") && message.contains(what), "{message}");
    }
}

#[tokio::test]
async fn a_fault_of_the_wrong_type_is_named() {
    let server = TestServer::start().await;
    let whole = "a whole number, 0 or more";
    for (member, value, expected) in [
        ("deliveryFailureRate", json!("0.2"), "a number"),
        ("extraLatencyMs", json!(-1), whole),
        ("extraLatencyMs", json!(1.5), whole),
        ("dropSubscription", json!("x"), "a GUID"),
        ("dropSubscription", json!(7), "a GUID"),
    ] {
        let answer = server.anonymous().post(FAULTS, &json!({member: value})).await;
        refused(&answer, &format!("400 BadRequest Property '{member}' must be {expected}."));
    }
    let none = json!({"deliveryFailureRate": 0, "extraLatencyMs": 0, "dropSubscription": null});
    done_without_content(&server.anonymous().post(FAULTS, &none).await);
}

#[tokio::test]
async fn the_clock_is_kept_with_the_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = TestServer::builder().data(folder.path()).start().await;
    server.anonymous().post(CLOCK, &json!({"advance": "PT3H"})).await;
    server.stop();
    let server = TestServer::builder().data(folder.path()).start().await;
    let clock = server.anonymous().get(CLOCK).await.json();
    assert_eq!(clock, json!({"now": "2026-11-20T12:00:00.0000000Z", "offset": "PT3H"}));
}

#[tokio::test]
async fn a_reset_brings_everything_back_to_the_beginning() {
    let server = TestServer::start().await;
    let people = ben(&server).get("/v1.0/users").await.json();
    done(&Application::a(&server).set("Busy/InACall", "PT4H").await);
    assert_eq!(ada(&server).patch(ME, &status("Off")).await.status, 200);
    add_person(&server, NOBODY, "extra@porchlight.example", None).await;
    change_ada(&server, |person| person.display_name = "Somebody else".to_owned()).await;
    server.anonymous().post(CLOCK, &json!({"advance": "PT3H"})).await;
    let reset = server.anonymous().call(Method::POST, RESET, None::<&[u8]>).await;
    done_without_content(&reset);
    let presence = read(&server).await;
    assert_eq!((&presence["availability"], &presence["activity"]), (&json!("Offline"), &json!("Offline")));
    assert_eq!(presence["sequenceNumber"], "A00000000000000");
    assert_eq!(presence["statusMessage"], json!(null));
    assert_eq!(ben(&server).get("/v1.0/users").await.json(), people);
    let clock = server.anonymous().get(CLOCK).await.json();
    assert_eq!(clock, json!({"now": "2026-11-20T09:00:00.0000000Z", "offset": "PT0S"}));
    done(&Application::a(&server).set("Busy/InACall", "").await);
    assert_eq!(read(&server).await["sequenceNumber"], "A01795165200000", "as on the first day");
}

#[tokio::test]
async fn a_reset_brings_back_who_was_disabled() {
    let server = TestServer::start().await;
    change_ada(&server, |person| person.account_enabled = false).await;
    assert_eq!(ada(&server).get(ME).await.status, 401);
    done_without_content(&server.anonymous().call(Method::POST, RESET, None::<&[u8]>).await);
    assert_eq!(pair(&server).await, "Offline/Offline");
}

#[tokio::test]
async fn levers_are_not_there_outside_development_mode() {
    let server = TestServer::builder().settings(|settings| settings.development = None).start().await;
    for (method, path) in [(Method::GET, CLOCK), (Method::POST, CLOCK), (Method::POST, RESET)] {
        let answer = server.anonymous().call(method, path, None::<&[u8]>).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        refused(&answer, &answer.error());
    }
    let token = server.client("ada:").get(ME).await;
    refused(&token, "401 InvalidAuthenticationToken CompactToken parsing failed with error code: 80049217");
    assert_eq!(server.anonymous().get("/porchlight/health").await.status, 200);
}

#[tokio::test]
async fn levers_have_methods_like_everything_else() {
    let server = TestServer::start().await;
    let reset = server.anonymous().get(RESET).await;
    assert_eq!((reset.status.as_u16(), reset.header("allow")), (405, "POST"));
    let clock = server.anonymous().delete(CLOCK).await;
    assert_eq!(clock.status, 405);
    let unknown = server.anonymous().get("/porchlight/dev/nothing").await;
    assert_eq!(unknown.status, 404);
}

/// A page of somebody else's, open in a browser on this machine, cannot pull a lever; nor can a name of theirs that
/// leads here.
#[tokio::test]
async fn levers_are_for_this_machine_alone() {
    let server = TestServer::start().await;
    let from = |name: &str, value: &str| server.anonymous().header(name, value);
    for (name, value) in [
        ("origin", "https://elsewhere.example"),
        ("origin", "null"),
        ("origin", "http://localhost.elsewhere.example"),
        ("host", "elsewhere.example"),
        ("host", "127.0.0.1.elsewhere.example:8080"),
    ] {
        for lever in ["reset", "clock"] {
            let path = format!("/porchlight/dev/{lever}");
            let answer = from(name, value).post(&path, &json!({"advance": "PT1H"})).await;
            let refusal = "403 Forbidden The levers of development are for this machine alone.";
            assert_eq!(answer.error(), refusal, "{name}: {value}");
        }
    }
    for (name, value) in
        [("origin", "http://localhost:3000"), ("host", "[::1]:8080"), ("host", "app.localhost")]
    {
        let answer = from(name, value).get("/porchlight/dev/clock").await;
        assert_eq!(answer.status, 200, "{name}: {value}");
    }
}
