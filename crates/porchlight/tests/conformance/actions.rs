//! Actions by every path, and whose presence they may write: presence-api 3, 5.

use porchlight_testkit::{ADA, APP_A, BEN, TestServer};
use serde_json::{Value, json};

use crate::support::{
    ANOTHER_USER, Application, EXPLAIN, ME, ME_NEEDS_A_USER, NOBODY, PRESENCES, ada, ben, done,
    done_without_content, everything, lacks, presence_of, read, redacted, refused, session, state, status,
};

/// Every action with a body, in an order in which each succeeds, and the status that it answers.
fn every_action() -> [(&'static str, Value, u16); 9] {
    [
        ("setPresence", session(APP_A, "Busy/InACall", "PT1H"), 200),
        ("setUserPreferredPresence", state("Away/Away", "PT8H"), 200),
        ("setStatusMessage", status("Off"), 200),
        ("setManualLocation", json!({"workLocationType": "office", "placeId": "desk 7"}), 204),
        ("setAutomaticLocation", json!({"workLocationType": "remote"}), 204),
        ("clearAutomaticLocation", json!({}), 204),
        ("clearLocation", json!({}), 204),
        ("clearUserPreferredPresence", json!({}), 200),
        ("clearPresence", json!({"sessionId": APP_A}), 200),
    ]
}

/// What each action answers by this path, and what Ada reads after it.
async fn conversation(root: &str, name: impl Fn(&str) -> String) -> Vec<(String, Value)> {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let mut heard = Vec::new();
    for (action, body, status) in every_action() {
        let answer = ada.post(&format!("{root}/{}", name(action)), &body).await;
        assert_eq!(answer.status, status, "{root} {action}: {answer:?}");
        assert!(answer.body.is_empty(), "{root} {action}: {answer:?}");
        let said = format!("{action} {} {}", answer.status, answer.header("porchlight-effective"));
        heard.push((said, redacted(&server, &read(&server).await)));
    }
    heard
}

#[tokio::test]
async fn t35_a_user_cannot_write_the_presence_of_another() {
    let server = TestServer::start().await;
    let (ada, own) = (ada(&server), ben(&server));
    let before = own.get(ME).await.json();
    for key in [BEN, "ben@porchlight.example", "ben.okafor@porchlight.example", NOBODY] {
        for (action, body, _) in every_action() {
            refused(&ada.post(&format!("{}/{action}", presence_of(key)), &body).await, ANOTHER_USER);
            refused(&ada.post(&format!("{PRESENCES}/{key}/{action}"), &body).await, ANOTHER_USER);
        }
    }
    assert_eq!(own.get(ME).await.json(), before);
}

#[tokio::test]
async fn t36_a_user_may_name_themselves_in_any_way() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let keys =
        [ADA.to_uppercase(), "ada@porchlight.example".to_owned(), "ada%40porchlight.example".to_owned()];
    for (key, pair) in keys.iter().zip(["Busy/InACall", "Away/Away", "DoNotDisturb/Presenting"]) {
        for path in [presence_of(key), format!("{PRESENCES}/{key}")] {
            done(&ada.post(&format!("{path}/setPresence"), &session(APP_A, pair, "")).await);
            let answer = ada.get(&path).await;
            assert_eq!(answer.pair(), pair, "{path}");
            assert_eq!(answer.json()["id"], ADA, "in lower case");
        }
    }
}

#[tokio::test]
async fn t37_me_needs_the_token_of_a_user() {
    let server = TestServer::start().await;
    let a = Application::a(&server).client;
    for path in
        [ME, "/v1.0/me", EXPLAIN, "/v1.0/users/me/presence", "/v1.0/users/me-token-to-replace/presence"]
    {
        refused(&a.get(path).await, ME_NEEDS_A_USER);
    }
    refused(&a.patch(ME, &state("Busy/Busy", "")).await, ME_NEEDS_A_USER);
    refused(&a.delete(ME).await, ME_NEEDS_A_USER);
    for (action, body, _) in every_action() {
        refused(&a.post(&format!("{ME}/{action}"), &body).await, ME_NEEDS_A_USER);
    }
}

#[tokio::test]
async fn t38_each_action_works_by_both_names_under_three_roots() {
    let roots = [ME.to_owned(), presence_of(ADA), format!("{PRESENCES}/{ADA}")];
    let expected = conversation(ME, str::to_owned).await;
    assert_eq!(expected.len(), 9);
    for root in &roots {
        assert_eq!(conversation(root, str::to_owned).await, expected, "{root}");
        assert_eq!(
            conversation(root, |action| format!("microsoft.graph.{action}")).await,
            expected,
            "{root}"
        );
    }
}

/// presence-api 3: a trailing `()`, a trailing slash and the case of fixed segments do not matter.
#[tokio::test]
async fn actions_are_found_however_their_path_is_written() {
    let expected = conversation(ME, str::to_owned).await;
    assert_eq!(conversation(ME, |action| format!("{action}()")).await, expected);
    assert_eq!(conversation(ME, |action| format!("microsoft.graph.{action}()/")).await, expected);
    assert_eq!(conversation("/V1.0/Me/PRESENCE", str::to_ascii_uppercase).await, expected);
    assert_eq!(conversation(&format!("/v1.0/users('{ADA}')/presence"), str::to_owned).await, expected);
    assert_eq!(conversation(&format!("{PRESENCES}('{ADA}')"), str::to_owned).await, expected);
    assert_eq!(conversation("/v1.0/users/me/presence", str::to_owned).await, expected);
}

/// presence-api 4.2: an action answers without a body, and locations with 204.
#[tokio::test]
async fn t56_an_action_answers_nothing_at_all() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    for (action, body, status) in every_action() {
        let answer = ada.post(&format!("{ME}/{action}"), &body).await;
        match status {
            204 => done_without_content(&answer),
            _ => done(&answer),
        }
    }
}

#[tokio::test]
async fn t58_members_that_nobody_knows_and_annotations_are_ignored() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let extra = json!({
        "@odata.type": "#microsoft.graph.presence",
        "expirationDuration@odata.type": "#Duration",
        "expirationDutaion": "PT99H",
        "AVAILABILITY": 7,
        "nested": {"anything": [1, null]},
    });
    for (action, mut body, status) in every_action() {
        let body = body.as_object_mut().expect("an object");
        body.extend(extra.as_object().expect("an object").clone());
        let answer = ada.post(&format!("{ME}/{action}"), &Value::from(body.clone())).await;
        assert_eq!(answer.status, status, "{action}: {answer:?}");
    }
    let mut message = status("Off");
    message["statusMessage"]["@odata.type"] = "#microsoft.graph.presenceStatusMessage".into();
    message["statusMessage"]["message"]["@odata.type"] = "#microsoft.graph.itemBody".into();
    done(&ada.post(&format!("{ME}/setStatusMessage"), &message).await);
    let mut preferred = state("Busy/Busy", "");
    preferred["sessionId"] = "stray".into();
    done(&ada.post(&format!("{ME}/setUserPreferredPresence"), &preferred).await);
}

/// presence-api 5.2: delegated Presence.ReadWrite alone writes, and only Presence.ReadWrite.All of an application.
#[tokio::test]
async fn writing_needs_the_right_to_write() {
    let server = TestServer::start().await;
    let before = everything(&server).await;
    let reader =
        server.client("ada:Presence.Read,Presence.Read.All,User.ReadWrite.All,Presence.ReadWrite.All");
    let reading = server.client(&format!("{APP_A}:Presence.Read.All,Presence.ReadWrite"));
    for (action, body, status) in every_action() {
        refused(&reader.post(&format!("{ME}/{action}"), &body).await, &lacks("Presence.ReadWrite"));
        let application = reading.post(&format!("{}/{action}", presence_of(ADA)), &body).await;
        // Locations are nothing for applications, whatever rights they have.
        let required = if status == 204 { "Presence.ReadWrite" } else { "Presence.ReadWrite.All" };
        refused(&application, &lacks(required));
    }
    refused(&reader.patch(ME, &state("Busy/Busy", "")).await, &lacks("Presence.ReadWrite"));
    refused(&reader.delete(ME).await, &lacks("Presence.ReadWrite"));
    refused(
        &reading.patch(&presence_of(ADA), &state("Busy/Busy", "")).await,
        &lacks("Presence.ReadWrite.All"),
    );
    refused(&reading.delete(&presence_of(ADA)).await, &lacks("Presence.ReadWrite.All"));
    assert_eq!(everything(&server).await, before);
    let writer = server.client("ada:Presence.ReadWrite");
    done(&writer.post(&format!("{ME}/setStatusMessage"), &status("Off")).await);
}
