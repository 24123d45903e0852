//! Query options of a single presence: presence-api 4.3, 6.1.

use porchlight_testkit::{ADA, BEN, TestServer};
use serde_json::{Value, json};

use crate::support::{ME, PRESENCES, ada, ben, members, presence_of, read, state, status_until};

/// Ada with something in every part.
async fn filled(server: &TestServer) {
    let body = json!({
        "availability": "Busy",
        "activity": "InAMeeting",
        "statusMessage": status_until("Off", "2026-11-21T09:00:00", "UTC")["statusMessage"],
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"},
        "workLocation": {"workLocationType": "office", "placeId": "desk 7"},
    });
    let answer = ada(server).patch(ME, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// What Ada reads of herself with this list, without the context.
async fn selected(server: &TestServer, list: &str) -> Value {
    let answer = ada(server).get(&format!("{ME}?$select={list}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut presence = answer.json();
    presence.as_object_mut().expect("an object").remove("@odata.context");
    presence
}

#[tokio::test]
async fn members_and_paths_below_them_are_selected() {
    let server = TestServer::start().await;
    filled(&server).await;
    let message = json!({"content": "Off", "contentType": "text"});
    let table = [
        ("id,availability", json!({"id": ADA, "availability": "Busy"})),
        ("activity", json!({"activity": "InAMeeting"})),
        ("statusMessage/message", json!({"statusMessage": {"message": message}})),
        (
            "statusMessage/publishedDateTime",
            json!({"statusMessage": {"publishedDateTime": "2026-11-20T09:00:00.0000000Z"}}),
        ),
        (
            "outOfOfficeSettings",
            json!({"outOfOfficeSettings": {"message": "Back on Monday", "isOutOfOffice": true}}),
        ),
        ("outOfOfficeSettings/isOutOfOffice", json!({"outOfOfficeSettings": {"isOutOfOffice": true}})),
        ("workLocation/placeId", json!({"workLocation": {"placeId": "desk 7"}})),
        (
            "workLocation/source,workLocation/workLocationType",
            json!({"workLocation": {"source": "manual", "workLocationType": "office"}}),
        ),
        ("sequenceNumber", json!({"sequenceNumber": "A01795165200000"})),
    ];
    for (list, expected) in table {
        assert_eq!(selected(&server, list).await, expected, "{list}");
    }
}

#[tokio::test]
async fn a_star_selects_everything() {
    let server = TestServer::start().await;
    filled(&server).await;
    let mut whole = read(&server).await;
    whole.as_object_mut().expect("an object").remove("@odata.context");
    assert_eq!(selected(&server, "*").await, whole);
    assert_eq!(selected(&server, "id,*").await, whole);
}

#[tokio::test]
async fn select_shows_nobody_more_than_they_may_see() {
    let server = TestServer::start().await;
    filled(&server).await;
    let answer = ben(&server).get(&format!("{}?$select=statusMessage", presence_of(ADA))).await;
    assert_eq!(answer.json()["statusMessage"], json!({"message": {"content": "Off", "contentType": "text"}}));
}

#[tokio::test]
async fn select_enters_the_context() {
    let server = TestServer::start().await;
    let (ada, base) = (ada(&server), format!("{}/v1.0/$metadata", server.url()));
    let table = [
        (ME.to_owned(), format!("{base}#users('{ADA}')/presence/$entity")),
        (
            format!("{ME}?$select=id,availability"),
            format!("{base}#users('{ADA}')/presence(id,availability)/$entity"),
        ),
        (presence_of(BEN), format!("{base}#users('{BEN}')/presence/$entity")),
        (presence_of("ben@porchlight.example"), format!("{base}#users('{BEN}')/presence/$entity")),
        (format!("{PRESENCES}/{ADA}"), format!("{base}#communications/presences/$entity")),
        (
            format!("{PRESENCES}/{ADA}?$select=id,availability"),
            format!("{base}#communications/presences(id,availability)/$entity"),
        ),
        (PRESENCES.to_owned(), format!("{base}#communications/presences")),
        (
            format!("{PRESENCES}?$select=id,availability"),
            format!("{base}#communications/presences(id,availability)"),
        ),
    ];
    for (path, context) in table {
        let answer = ada.get(&path).await;
        assert_eq!(answer.json()["@odata.context"], context, "{path}");
    }
}

#[tokio::test]
async fn select_works_on_what_patch_answers() {
    let server = TestServer::start().await;
    let answer = ada(&server).patch(&format!("{ME}?$select=activity"), &state("Busy/Busy", "")).await;
    let expected = json!({
        "@odata.context": format!("{}/v1.0/$metadata#users('{ADA}')/presence(activity)/$entity", server.url()),
        "activity": "Busy",
    });
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn a_presence_has_nothing_to_expand() {
    let server = TestServer::start().await;
    for path in [ME.to_owned(), presence_of(ADA), format!("{PRESENCES}/{ADA}")] {
        let answer = ada(&server).get(&format!("{path}?$expand=user")).await;
        assert!(answer.error().starts_with("400 BadRequest "), "{answer:?}");
    }
}

#[tokio::test]
async fn other_options_are_ignored() {
    let server = TestServer::start().await;
    for option in ["$top=1", "$filter=nonsense", "$format=json", "api-version=7", "x"] {
        assert_eq!(ada(&server).get(&format!("{ME}?{option}")).await.status, 200, "{option}");
    }
}

#[tokio::test]
async fn names_of_options_may_be_encoded() {
    let server = TestServer::start().await;
    for query in ["$select=id,activity", "%24select=id%2Cactivity", "$select=id,%20activity"] {
        let presence = ada(&server).get(&format!("{ME}?{query}")).await.json();
        assert_eq!(members(&presence), ["@odata.context", "id", "activity"], "{query}");
    }
}
