//! Small rules that an implementer meets early: presence-api 21.1. Those about paths, people, pairs, bulk reads and
//! development are in the files of these subjects.

use porchlight_testkit::{ADA, APP_A, Answer, TestServer};
use serde_json::{Value, json};

use crate::support::{
    Application, BULK, ME, PRESENCES, ada, ben, change_ada, done, everything, members, presence_of, read,
    refused, sequence, session, state, status, status_until,
};

/// Ada with something in every part, and then with her account disabled.
async fn with_ada_disabled() -> TestServer {
    let server = TestServer::start().await;
    let body = json!({
        "availability": "Busy",
        "activity": "InAMeeting",
        "statusMessage": {"message": {"content": "Off"}},
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"},
        "workLocation": {"workLocationType": "office"},
    });
    assert_eq!(ada(&server).patch(ME, &body).await.status, 200);
    done(&Application::a(&server).set("Busy/InACall", "PT4H").await);
    change_ada(&server, |person| person.account_enabled = false).await;
    server
}

#[tokio::test]
async fn a_disabled_person_shows_nothing_to_anybody() {
    let server = with_ada_disabled().await;
    let (ben, application) = (ben(&server), Application::a(&server).client);
    for client in [&ben, &application] {
        let bulk = client.post(BULK, &json!({"ids": [ADA]})).await.json()["value"][0].clone();
        let single = client.get(&presence_of(ADA)).await;
        let other = client.get(&format!("{PRESENCES}/{ADA}")).await;
        let list =
            client.get(&format!("{PRESENCES}?$filter=id%20eq%20'{ADA}'")).await.json()["value"][0].clone();
        for seen in [bulk, single.json(), other.json(), list] {
            assert_eq!((&seen["id"], &seen["availability"]), (&json!(ADA), &json!("Offline")), "{seen}");
            assert_eq!(seen["activity"], "Offline");
            assert_eq!(seen["outOfOfficeSettings"], json!({"message": null, "isOutOfOffice": false}));
            assert_eq!((&seen["statusMessage"], &seen["workLocation"]), (&Value::Null, &Value::Null));
        }
    }
    let offline = format!("{PRESENCES}/$count?$filter=availability%20eq%20'Offline'");
    assert_eq!(ben.get(&offline).await.body, "12");
}

#[tokio::test]
async fn a_disabled_person_cannot_be_written() {
    let server = with_ada_disabled().await;
    let a = Application::a(&server);
    let answers = [
        a.set("Busy/InACall", "").await,
        a.clear().await,
        a.prefer("Busy/Busy", "").await,
        a.act("clearUserPreferredPresence", &json!({})).await,
        a.act("setStatusMessage", &status("Off")).await,
        a.client.patch(&presence_of(ADA), &state("Busy/Busy", "")).await,
        a.client.delete(&presence_of(ADA)).await,
    ];
    for answer in answers {
        assert!(answer.error().starts_with("403 Forbidden "), "{answer:?}");
        refused(&answer, &answer.error());
    }
}

#[tokio::test]
async fn the_tokens_of_a_disabled_person_are_refused() {
    let server = with_ada_disabled().await;
    let answers: [Answer; 3] = [
        ada(&server).get(ME).await,
        server.client("ada:").get("/v1.0/me").await,
        ada(&server).post(&format!("{ME}/setPresence"), &session(APP_A, "Busy/InACall", "")).await,
    ];
    for answer in answers {
        assert!(answer.error().starts_with("401 InvalidAuthenticationToken "), "{answer:?}");
        refused(&answer, &answer.error());
    }
}

/// design 5.8: disabling a person moves the stamps.
#[tokio::test]
async fn disabling_a_person_is_a_visible_change() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
    let before = sequence(&read(&server).await);
    change_ada(&server, |person| person.account_enabled = false).await;
    let hidden = sequence(&ben(&server).get(&presence_of(ADA)).await.json());
    assert!(hidden > before);
    change_ada(&server, |person| person.account_enabled = true).await;
    assert!(sequence(&read(&server).await) > hidden);
}

#[tokio::test]
async fn health_and_metrics_need_no_token() {
    let server = TestServer::start().await;
    for path in ["/porchlight/health", "/porchlight/cluster", "/porchlight/metrics", "/porchlight/limits"] {
        assert_eq!(server.anonymous().get(path).await.status, 200, "{path}");
    }
}

/// The members that CSDL declares on a type of this block, and on the types it is based on.
fn declared(metadata: &str, kind: &str) -> Vec<String> {
    let block = ["EntityType", "ComplexType"].into_iter().find_map(|element| {
        let (_, rest) = metadata.split_once(&format!("<{element} Name=\"{kind}\""))?;
        rest.split_once(&format!("</{element}>")).map(|(block, _)| block)
    });
    let block = block.unwrap_or_else(|| panic!("{kind} is declared"));
    let (opening, properties) = block.split_once('>').expect("the element opens");
    let name = |part: &str| {
        part.split_once("Name=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name.to_owned())
    };
    let mut found: Vec<String> = properties.split("<Property ").skip(1).filter_map(name).collect();
    if let Some((_, base)) = opening.split_once("BaseType=\"graph.") {
        found.extend(declared(metadata, base.split('"').next().unwrap_or_default()));
    }
    found
}

#[tokio::test]
async fn every_member_that_is_sent_is_declared() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let body = json!({
        "statusMessage": status_until("Off", "2026-11-20T17:00:00", "UTC")["statusMessage"],
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"},
        "workLocation": {"workLocationType": "office", "placeId": "desk 7"},
    });
    assert_eq!(ada.patch(ME, &body).await.status, 200);
    done(&Application::a(&server).set("Available/Available", "PT1H").await);
    done(&Application::a(&server).prefer("Busy/Busy", "").await);
    let (presence, explanation) = everything(&server).await;
    let every =
        "$select=id,displayName,givenName,surname,userPrincipalName,mail,jobTitle,department,accountEnabled";
    let mut sent = vec![
        ("user", ada.get(&format!("/v1.0/me?{every}")).await.json()),
        ("outOfOfficeSettings", presence["outOfOfficeSettings"].clone()),
        ("presenceStatusMessage", presence["statusMessage"].clone()),
        ("itemBody", presence["statusMessage"]["message"].clone()),
        ("dateTimeTimeZone", presence["statusMessage"]["expiryDateTime"].clone()),
        ("userWorkLocation", presence["workLocation"].clone()),
        ("presence", presence),
    ];
    let layers = explanation["layers"].as_array().expect("layers").clone();
    assert_eq!(layers.len(), 5, "a preference, a session, out of office, a status message and a location");
    sent.extend(layers.into_iter().map(|layer| ("layer", layer)));
    sent.push(("explanation", explanation));
    let metadata = server.anonymous().get("/v1.0/$metadata").await;
    let metadata = String::from_utf8_lossy(&metadata.body);
    for (kind, object) in sent {
        let declared = declared(&metadata, kind);
        for member in members(&object).into_iter().filter(|name| !name.starts_with('@')) {
            assert!(declared.iter().any(|name| name == member), "{kind} declares {member}: {declared:?}");
        }
    }
}
