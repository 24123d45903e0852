//! Complaints about the original, and what is answered to them here: presence-api 20, row by row.

use porchlight_testkit::{ADA, APP_A, BEN, TestServer};
use serde_json::{Value, json};

use crate::support::{
    ANOTHER_USER, Application, BULK, ME, OUT_OF_RANGE, PRESENCES, SESSION_PAIRS, ada, ben, done, everything,
    hint, hours, lacks, minutes, not_supported, pair, presence_of, read, refused, session, state, status,
};

const EFFECTIVE: &str = "porchlight-effective";

#[tokio::test]
async fn a_user_principal_name_is_accepted_for_presence() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    let path = presence_of("ada@porchlight.example");
    done(&a.client.post(&format!("{path}/setPresence"), &session(a.id, "Busy/InACall", "")).await);
    assert_eq!(a.client.get(&path).await.pair(), "Busy/InACall");
    assert_eq!(pair(&server).await, "Busy/InACall");
}

#[tokio::test]
async fn select_works() {
    let server = TestServer::start().await;
    let presence =
        ben(&server).get(&format!("{}?$select=activity,availability", presence_of(ADA))).await.json();
    assert_eq!((&presence["availability"], &presence["activity"]), (&json!("Offline"), &json!("Offline")));
    assert_eq!(presence.get("sequenceNumber"), None);
}

#[tokio::test]
async fn a_403_is_not_empty_and_names_the_rights_that_would_do() {
    let server = TestServer::start().await;
    let answer =
        server.client("ada:Presence.Read").post(&format!("{ME}/setStatusMessage"), &status("Off")).await;
    refused(&answer, &lacks("Presence.ReadWrite"));
    let porchlight = &answer.json()["error"]["innerError"]["porchlight"];
    assert_eq!(porchlight["required"], json!(["Presence.ReadWrite"]));
    assert_eq!(porchlight["present"], json!(["Presence.Read"]));
}

#[tokio::test]
async fn writing_for_another_user_is_403_and_naming_oneself_is_no_fault() {
    let server = TestServer::start().await;
    let (ada, body) = (ada(&server), session(APP_A, "Busy/InACall", ""));
    refused(
        &ada.post(&format!("{}/setPresence", presence_of("ben@porchlight.example")), &body).await,
        ANOTHER_USER,
    );
    done(&ada.post(&format!("{}/setPresence", presence_of("Ada@Porchlight.Example")), &body).await);
}

#[tokio::test]
async fn an_error_says_what_a_session_id_is() {
    let server = TestServer::start().await;
    for body in
        [json!({"availability": "Busy", "activity": "InACall"}), session("my session", "Busy/InACall", "")]
    {
        let answer = Application::a(&server).act("setPresence", &body).await;
        assert!(hint(&answer).contains("application (client) id"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_write_says_what_came_of_it() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    let alone = a.prefer("Away/Away", "").await;
    assert!(alone.header(EFFECTIVE).starts_with("Offline/Offline; by="), "{alone:?}");
    let outranked = a.set("Busy/InACall", "").await;
    assert_eq!(outranked.header(EFFECTIVE), "Away/Away; by=preferred", "200, but nothing changes");
    let preferred = a.prefer("Busy/Busy", "").await;
    assert_eq!(preferred.header(EFFECTIVE), "Busy/Busy; by=preferred");
    done(&a.act("clearUserPreferredPresence", &json!({})).await);
    let shown = a.set("Busy/InACall", "").await;
    assert!(shown.header(EFFECTIVE).starts_with("Busy/InACall; by=session"), "{shown:?}");
}

#[tokio::test]
async fn away_over_an_active_client_is_outranked_and_says_so() {
    let server = TestServer::start().await;
    let (a, b) = (Application::a(&server), Application::b(&server));
    done(&b.set("Available/Available", "").await);
    let away = a.set("Away/Away", "").await;
    assert!(away.header(EFFECTIVE).starts_with("Available/Available; by="), "{away:?}");
    assert_eq!(pair(&server).await, "Available/Available");
}

#[tokio::test]
async fn an_application_returns_a_user_from_a_chosen_busy_to_available() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Available/Available", "").await);
    done(&ada(&server).post(&format!("{ME}/setUserPreferredPresence"), &state("Busy/Busy", "")).await);
    assert_eq!(pair(&server).await, "Busy/Busy");
    done(&Application::b(&server).act("clearUserPreferredPresence", &json!({})).await);
    assert_eq!(pair(&server).await, "Available/Available");
}

#[tokio::test]
async fn the_range_of_durations_is_named_and_configurable() {
    let server = TestServer::builder().limits(|limits| limits.session_duration_max = hours(8)).start().await;
    let a = Application::a(&server);
    done(&a.set("Busy/InACall", "PT8H").await);
    let answer = a.set("Busy/InACall", "PT8H1S").await;
    refused(&answer, OUT_OF_RANGE);
    assert!(hint(&answer).contains("PT5M") && hint(&answer).contains("PT8H"), "{answer:?}");
}

#[tokio::test]
async fn the_fade_can_be_turned_off() {
    let server = TestServer::builder().limits(|limits| limits.fade = None).start().await;
    done(&Application::a(&server).set("Available/Available", "PT1H").await);
    for at in [5, 10, 59] {
        server.advance_to(minutes(at));
        assert_eq!(pair(&server).await, "Available/Available", "{at} min");
    }
    server.advance_to(minutes(60));
    assert_eq!(pair(&server).await, "Offline/Offline");
}

#[tokio::test]
async fn an_unsupported_pair_is_answered_with_those_that_are() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    refused(&a.set("Busy/Busy", "").await, &not_supported("Busy/Busy", "setPresence", &SESSION_PAIRS));
    for elsewhere in ["Available/OutOfOffice", "Busy/InAMeeting"] {
        let answer = a.set(elsewhere, "").await;
        refused(&answer, &not_supported(elsewhere, "setPresence", &SESSION_PAIRS));
        assert!(hint(&answer).contains("PATCH"), "where the state comes from is told: {answer:?}");
    }
}

#[tokio::test]
async fn too_many_ids_are_counted() {
    let server = TestServer::start().await;
    let answer = ben(&server).post(BULK, &json!({"ids": vec![ADA; 700]})).await;
    refused(&answer, "400 InvalidArgument The provided [Ids] has 700 entries; at most 650 are allowed.");
}

#[tokio::test]
async fn ids_in_a_filter_may_be_quoted_or_not() {
    let server = TestServer::start().await;
    for list in [format!("'{ADA}','{BEN}'"), format!("{ADA},{BEN}")] {
        let answer = ben(&server).get(&format!("{PRESENCES}?$filter=id%20in%20({list})")).await;
        assert_eq!(answer.json()["value"].as_array().map(Vec::len), Some(2), "{list}");
    }
}

#[tokio::test]
async fn out_of_office_is_shown() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Available/Available", "").await);
    let body = json!({"outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"}});
    assert_eq!(ada(&server).patch(ME, &body).await.status, 200);
    assert_eq!(ben(&server).get(&presence_of(ADA)).await.pair(), "Available/OutOfOffice");
}

#[tokio::test]
async fn an_application_reads_by_its_own_right() {
    let server = TestServer::start().await;
    let reader = server.client(&format!("{APP_A}:Presence.Read.All"));
    assert_eq!(reader.get(&presence_of(ADA)).await.status, 200);
    assert_eq!(reader.post(BULK, &json!({"ids": [ADA, BEN]})).await.status, 200);
}

#[tokio::test]
async fn there_are_no_new_states_but_a_status_message() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    let answer = a.prefer("Lunch/Lunch", "").await;
    refused(&answer, "400 InvalidArgument The provided [Availability] value 'Lunch' is invalid.");
    done(&a.act("setStatusMessage", &status("Lunch")).await);
    assert_eq!(read(&server).await["statusMessage"]["message"]["content"], "Lunch");
}

#[tokio::test]
async fn the_response_has_status_and_out_of_office() {
    let server = TestServer::start().await;
    let body = json!({
        "statusMessage": {"message": {"content": "Off"}},
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"},
    });
    assert_eq!(ada(&server).patch(ME, &body).await.status, 200);
    let seen = Application::a(&server).client.get(&presence_of(ADA)).await.json();
    assert_eq!(seen["statusMessage"]["message"]["content"], "Off");
    assert_eq!(seen["outOfOfficeSettings"]["message"], "Back on Monday");
}

#[tokio::test]
async fn a_preference_has_a_known_life_and_the_sessions_follow_it() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.prefer("Busy/Busy", "").await);
    done(&a.set("Busy/InACall", "PT4H").await);
    let (_, explanation) = everything(&server).await;
    assert_eq!(explanation["layers"][0]["endDateTime"], "2026-11-21T09:00:00.0000000Z");
    assert_eq!(explanation["layers"][1]["wins"], Value::Bool(false));
    server.advance_to(hours(23));
    done(&a.set("Busy/InACall", "PT4H").await);
    server.advance_to(hours(24));
    assert_eq!(pair(&server).await, "Busy/InACall");
}

/// "Focusing" of the desktop product is shown as the original shows it.
#[tokio::test]
async fn focusing_is_do_not_disturb() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    refused(
        &a.prefer("DoNotDisturb/Focusing", "").await,
        "400 InvalidArgument The provided [Activity] value 'Focusing' is invalid.",
    );
    done(&a.set("Available/Available", "").await);
    done(&a.prefer("DoNotDisturb/DoNotDisturb", "").await);
    assert_eq!(pair(&server).await, "DoNotDisturb/DoNotDisturb");
}
