//! What the strict profile does otherwise: presence-api, wherever it says strict.

use http::Method;
use porchlight_http::Profile;
use porchlight_testkit::{ADA, APP_A, APP_B, BEN, TestServer};
use serde_json::json;

use crate::support::{
    Application, BULK, ME, ME_NEEDS_A_USER, NOBODY, PRESENCES, SESSION_PAIRS, ada, done, members,
    not_supported, pair, presence_of, refused, session, state,
};

async fn strict() -> TestServer {
    TestServer::builder().profile(Profile::Strict).start().await
}

/// presence-api 16.3, E5
#[tokio::test]
async fn writing_for_another_is_401() {
    let server = strict().await;
    for answer in [
        ada(&server).patch(&presence_of(BEN), &state("Busy/Busy", "")).await,
        ada(&server)
            .post(&format!("{}/setPresence", presence_of(NOBODY)), &session(APP_A, "Busy/InACall", ""))
            .await,
    ] {
        refused(&answer, "401 Unauthorized Cannot set the presence of another user.");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "every 401 carries it: {answer:?}");
    }
}

/// presence-api 16.1: neither `hint` nor `porchlight`.
#[tokio::test]
async fn errors_say_no_more_than_the_original() {
    let server = strict().await;
    let path = format!("{ME}/setPresence");
    let answers = [
        server.client("ada:User.Read.All").get(ME).await,
        ada(&server).post(&path, &json!({})).await,
        ada(&server).post(&path, &session(APP_A, "Busy/InACall", "PT1M")).await,
        ada(&server).post(&format!("{ME}/clearPresence"), &json!({"sessionId": APP_A})).await,
        server.client(&format!("{APP_A}:")).get(ME).await,
    ];
    for answer in answers {
        let body = answer.json();
        assert_eq!(members(&body["error"]["innerError"]), ["date", "request-id", "client-request-id"]);
    }
}

/// presence-api 7.4
#[tokio::test]
async fn a_session_id_is_the_id_of_the_calling_application() {
    let server = strict().await;
    let ada = ada(&server);
    done(&ada.post(&format!("{ME}/setPresence"), &session(&APP_A.to_uppercase(), "Busy/InACall", "")).await);
    for action in ["setPresence", "clearPresence"] {
        let answer = ada.post(&format!("{ME}/{action}"), &session(APP_B, "Busy/InACall", "")).await;
        refused(
            &answer,
            "400 InvalidArgument The provided [SessionId] must be the ID of the calling application.",
        );
    }
    assert_eq!(pair(&server).await, "Busy/InACall");
}

/// presence-api 6.2
#[tokio::test]
async fn a_bulk_read_takes_guids_and_known_names_only() {
    let server = strict().await;
    let ben = server.client("ben:Presence.Read.All");
    let ids = json!({"ids": [NOBODY, ADA, "ben@porchlight.example"]});
    assert_eq!(ben.post(BULK, &ids).await.json()["value"][0]["activity"], "PresenceUnknown");
    let answer = ben.post(BULK, &json!({"ids": [ADA, "nobody@porchlight.example"]})).await;
    refused(&answer, "400 InvalidArgument The provided [Ids] entry at index 1 is invalid.");
}

/// presence-api 6.2 with 21.1: a GUID has the 8-4-4-4-12 form.
#[tokio::test]
async fn a_bulk_read_takes_no_other_form_of_a_guid() {
    let server = strict().await;
    let ben = server.client("ben:Presence.Read.All");
    for id in [ADA.replace('-', ""), format!("{{{ADA}}}"), format!("urn:uuid:{ADA}")] {
        let answer = ben.post(BULK, &json!({"ids": [id]})).await;
        refused(&answer, "400 InvalidArgument The provided [Ids] entry at index 0 is invalid.");
    }
}

/// presence-api 13
#[tokio::test]
async fn a_presence_cannot_be_deleted() {
    let server = strict().await;
    for path in [ME.to_owned(), presence_of(ADA), format!("{PRESENCES}/{ADA}")] {
        let answer = ada(&server).delete(&path).await;
        refused(
            &answer,
            "405 Request_BadRequest Specified HTTP method is not allowed for the request target.",
        );
        let allowed: Vec<&str> = answer.header("allow").split(", ").collect();
        assert!(allowed.contains(&"PATCH") && !allowed.contains(&"DELETE"), "{allowed:?}");
    }
}

/// presence-api 6.1
#[tokio::test]
async fn options_that_nobody_knows_are_refused() {
    let server = strict().await;
    let ada = ada(&server);
    for option in ["$top=1", "$filter=id%20eq%20'x'", "$format=json"] {
        for path in [ME.to_owned(), presence_of(ADA), format!("{PRESENCES}/{ADA}")] {
            let answer = ada.get(&format!("{path}?{option}")).await;
            assert!(answer.error().starts_with("400 BadRequest "), "{path} {option}: {answer:?}");
        }
    }
    assert_eq!(ada.get(&format!("{ME}?$select=id&custom=1")).await.status, 200, "others have no dollar sign");
}

/// presence-api 4 to 14 without the word strict holds here too.
#[tokio::test]
async fn all_the_rest_is_as_ever() {
    let server = strict().await;
    let (ada, a) = (ada(&server), Application::a(&server));
    done(&a.set("Available/Available", "").await);
    assert_eq!(pair(&server).await, "Available/Available");
    assert_eq!(ada.patch(ME, &state("Busy/InAMeeting", "")).await.pair(), "Busy/InAMeeting");
    assert_eq!(ada.get(&presence_of("ada@porchlight.example")).await.json()["id"], ADA);
    done(&ada.call(Method::POST, &format!("{ME}/clearUserPreferredPresence"), None::<&[u8]>).await);
    refused(&a.client.get(ME).await, ME_NEEDS_A_USER);
    refused(&a.set("Busy/Busy", "").await, &not_supported("Busy/Busy", "setPresence", &SESSION_PAIRS));
}
