//! Reading one presence and many: presence-api 1.3, 6.1, 6.2.

use std::collections::BTreeSet;

use porchlight_testkit::{ADA, BEN, TestServer};
use serde_json::{Value, json};

use crate::support::{
    ACTIVITIES, AVAILABILITIES, Application, BULK, ME, NOBODY, PRESENCES, STANDING_PAIRS, ada, ben, done,
    lacks, members, minutes, presence_of, refused, state,
};

/// As many ids as asked for: Ada's, and others that nobody has.
fn ids(count: usize) -> Vec<String> {
    let unknown = |n: usize| format!("99999999-0000-4000-8000-{n:012}");
    std::iter::once(ADA.to_owned()).chain((1..count).map(unknown)).collect()
}

#[tokio::test]
async fn t30_the_bulk_read_keeps_the_order_and_answers_for_unknown_ids() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "").await);
    let answer = ben(&server).post(BULK, &json!({"ids": [BEN, NOBODY, ADA]})).await;
    assert_eq!(answer.status, 200);
    let value = &answer.json()["value"];
    assert_eq!(value.as_array().map(Vec::len), Some(3));
    assert_eq!((&value[0]["id"], &value[0]["availability"]), (&json!(BEN), &json!("Offline")));
    let unknown = json!({
        "id": NOBODY, "availability": "PresenceUnknown", "activity": "PresenceUnknown",
        "outOfOfficeSettings": null, "sequenceNumber": null, "statusMessage": null, "workLocation": null,
    });
    assert_eq!(value[1], unknown);
    assert_eq!((&value[2]["id"], &value[2]["activity"]), (&json!(ADA), &json!("InACall")));
}

#[tokio::test]
async fn t31_the_bulk_read_takes_up_to_650_ids_and_answers_each_once() {
    let server = TestServer::start().await;
    let ben = ben(&server);
    let answer = ben.post(BULK, &json!({"ids": ids(650)})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["value"].as_array().map(Vec::len), Some(650));
    let too_many = "400 InvalidArgument The provided [Ids] has 651 entries; at most 650 are allowed.";
    refused(&ben.post(BULK, &json!({"ids": ids(651)})).await, too_many);
    refused(&ben.post(BULK, &json!({"ids": vec![ADA; 651]})).await, too_many);
    let none = ben.post(BULK, &json!({"ids": []})).await;
    assert_eq!((none.status.as_u16(), &none.json()["value"]), (200, &json!([])));
    for body in [json!({}), json!({"ids": null})] {
        refused(&ben.post(BULK, &body).await, "400 InvalidArgument [Ids]: The Ids field is required.");
    }
    let again = json!({"ids": [BEN, ADA, ADA.to_uppercase(), "ada@porchlight.example", BEN]});
    let value = ben.post(BULK, &again).await.json()["value"].clone();
    let found: Vec<&Value> =
        value.as_array().expect("a list").iter().map(|presence| &presence["id"]).collect();
    assert_eq!(found, [BEN, ADA], "each once, at its first position");
}

#[tokio::test]
async fn t32_the_bulk_read_needs_the_right_to_read_everybody_unless_it_names_oneself_alone() {
    let server = TestServer::start().await;
    let ben = server.client("ben:Presence.Read");
    for others in [json!([ADA]), json!([BEN, ADA]), json!([BEN, NOBODY]), json!([NOBODY])] {
        refused(&ben.post(BULK, &json!({"ids": others})).await, &lacks("Presence.Read.All"));
    }
    for own in [json!([BEN]), json!([BEN.to_uppercase(), "ben@porchlight.example"])] {
        let answer = ben.post(BULK, &json!({"ids": own})).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["value"][0]["id"]), (200, &json!(BEN)));
    }
}

#[tokio::test]
async fn t33_another_presence_needs_the_right_to_read_everybody() {
    let server = TestServer::start().await;
    let ben = server.client("ben:Presence.Read,Presence.ReadWrite,User.Read.All");
    for path in [presence_of(ADA), format!("{PRESENCES}/{ADA}"), presence_of("ada@porchlight.example")] {
        refused(&ben.get(&path).await, &lacks("Presence.Read.All"));
    }
}

#[tokio::test]
async fn t34_who_may_read_everybody_reads_another() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Busy/InACall", "").await);
    let tokens = [
        "ben:Presence.Read.All".to_owned(),
        format!("{}:Presence.Read.All", a.id),
        format!("{}:Presence.ReadWrite.All", a.id),
    ];
    for token in tokens {
        for path in [presence_of(ADA), format!("{PRESENCES}/{ADA}")] {
            let answer = server.client(&token).get(&path).await;
            assert_eq!(answer.status, 200, "{token}");
            assert_eq!(answer.pair(), "Busy/InACall");
        }
        assert_eq!(server.client(&token).post(BULK, &json!({"ids": [ADA]})).await.status, 200, "{token}");
        assert_eq!(server.client(&token).get(PRESENCES).await.status, 200, "{token}");
        assert_eq!(server.client(&token).get(&format!("{PRESENCES}/$count")).await.status, 200, "{token}");
    }
}

#[tokio::test]
async fn t39_a_key_may_stand_in_parentheses() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "").await);
    for path in [format!("/v1.0/users('{ADA}')/presence"), format!("{PRESENCES}('{ADA}')")] {
        let answer = ben(&server).get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json()["id"], ADA);
        assert_eq!(answer.pair(), "Busy/InACall");
    }
}

#[tokio::test]
async fn t40_only_what_is_selected_is_sent() {
    let server = TestServer::start().await;
    let answer = ada(&server).get(&format!("{ME}?$select=availability")).await;
    assert_eq!(answer.status, 200);
    let presence = answer.json();
    assert_eq!(members(&presence), ["@odata.context", "availability"]);
    assert_eq!(presence["availability"], "Offline");
}

#[tokio::test]
async fn t41_what_is_not_there_cannot_be_selected() {
    let server = TestServer::start().await;
    let expected =
        "400 BadRequest Could not find a property named 'nope' on type 'microsoft.graph.presence'.";
    for path in [ME, PRESENCES] {
        for list in ["nope", "availability,nope", "nope,availability"] {
            refused(&ada(&server).get(&format!("{path}?$select={list}")).await, expected);
        }
    }
    let answer = ada(&server).post(&format!("{BULK}?$select=nope"), &json!({"ids": [ADA]})).await;
    refused(&answer, expected);
}

#[tokio::test]
async fn t71_every_availability_and_activity_is_read_on_the_wire() {
    let server = TestServer::start().await;
    let (ada, a) = (ada(&server), Application::a(&server));
    let mut seen = BTreeSet::new();
    for standing in STANDING_PAIRS {
        assert_eq!(ada.patch(ME, &state(standing, "")).await.status, 200);
        seen.insert(ada.get(ME).await.pair());
    }
    done(&a.act("clearUserPreferredPresence", &json!({})).await);
    done(&a.set("Available/Available", "PT1H").await);
    server.advance_to(minutes(5));
    seen.insert(ada.get(ME).await.pair());
    let unknown = ada.post(BULK, &json!({"ids": [NOBODY]})).await.json()["value"][0].clone();
    let half = |name: &str| unknown[name].as_str().unwrap_or_default().to_owned();
    seen.insert(format!("{}/{}", half("availability"), half("activity")));
    let halves: Vec<(&str, &str)> = seen.iter().filter_map(|pair| pair.split_once('/')).collect();
    let availabilities: BTreeSet<&str> = halves.iter().map(|(availability, _)| *availability).collect();
    let activities: BTreeSet<&str> = halves.iter().map(|(_, activity)| *activity).collect();
    assert_eq!(availabilities, BTreeSet::from(AVAILABILITIES));
    assert_eq!(activities, BTreeSet::from(ACTIVITIES));
}

#[tokio::test]
async fn t72_full_metadata_names_type_and_id() {
    let server = TestServer::start().await;
    let full = ada(&server).header("accept", "application/json;odata.metadata=full");
    let answer = full.get(ME).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").contains("odata.metadata=full"), "{answer:?}");
    let presence = answer.json();
    assert_eq!(presence["@odata.type"], "#microsoft.graph.presence");
    let id = presence["@odata.id"].as_str().expect("an id");
    assert!(id.starts_with(&format!("{}/v1.0/", server.url())) && id.contains(ADA), "{id}");
    for element in [
        full.post(BULK, &json!({"ids": [ADA]})).await.json()["value"][0].clone(),
        full.get(PRESENCES).await.json()["value"][0].clone(),
    ] {
        assert_eq!(element["@odata.type"], "#microsoft.graph.presence");
        assert!(element["@odata.id"].is_string());
    }
}

/// presence-api 1.3
#[tokio::test]
async fn at_minimal_metadata_no_type_is_sent() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let bodies = [
        ada.get(ME).await.json(),
        ada.post(BULK, &json!({"ids": [ADA]})).await.json()["value"][0].clone(),
        ada.get(PRESENCES).await.json()["value"][0].clone(),
    ];
    for body in bodies {
        assert!(members(&body).iter().all(|name| *name == "@odata.context" || !name.contains('@')), "{body}");
        let sent: Vec<&str> = members(&body).into_iter().filter(|name| *name != "@odata.context").collect();
        let all = [
            "id",
            "availability",
            "activity",
            "outOfOfficeSettings",
            "sequenceNumber",
            "statusMessage",
            "workLocation",
        ];
        assert_eq!(sent, all);
    }
}

/// presence-api 6.2
#[tokio::test]
async fn a_bad_entry_of_a_bulk_read_is_named_by_its_index() {
    let server = TestServer::start().await;
    let table = [(json!([ADA, 7]), 1), (json!([null]), 0), (json!([ADA, BEN, ""]), 2), (json!([{}, ADA]), 0)];
    for (ids, index) in table {
        let expected = format!("400 InvalidArgument The provided [Ids] entry at index {index} is invalid.");
        refused(&ben(&server).post(BULK, &json!({"ids": ids})).await, &expected);
    }
}

/// presence-api 21.1
#[tokio::test]
async fn a_known_name_in_a_bulk_read_is_answered_by_its_id_and_an_unknown_entry_as_given() {
    let server = TestServer::start().await;
    let ids =
        ["ADA@porchlight.example", "nobody@porchlight.example", "99999999-0000-4000-8000-00000000ABCD", "x"];
    let answer = ben(&server).post(BULK, &json!({"ids": ids})).await;
    let value = answer.json()["value"].clone();
    assert_eq!(value[0]["id"], ADA);
    assert_eq!(value[0]["availability"], "Offline");
    for (at, given) in ids.into_iter().enumerate().skip(1) {
        assert_eq!(value[at]["id"], given);
        assert_eq!(value[at]["availability"], "PresenceUnknown");
    }
}

/// presence-api 6.2 and 21.1
#[tokio::test]
async fn select_works_in_a_bulk_read_and_leaves_its_context() {
    let server = TestServer::start().await;
    let answer =
        ben(&server).post(&format!("{BULK}?$select=id,activity"), &json!({"ids": [ADA, NOBODY]})).await;
    let expected = json!({
        "@odata.context": format!("{}/v1.0/$metadata#Collection(microsoft.graph.presence)", server.url()),
        "value": [{"id": ADA, "activity": "Offline"}, {"id": NOBODY, "activity": "PresenceUnknown"}],
    });
    assert_eq!(answer.json(), expected);
}
