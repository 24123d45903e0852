//! PATCH of availability and activity: presence-api 13.

use porchlight_testkit::{ADA, Answer, TestServer};
use serde_json::json;

use crate::support::{
    Application, ME, NOBODY, OUT_OF_RANGE, STANDING_PAIRS, ada, done, everything, hours, minutes,
    not_supported, pair, pairs_other_than, read, refused, seconds, state,
};

#[tokio::test]
async fn t42_patch_stands_with_and_without_a_session() {
    for with_session in [false, true] {
        let server = TestServer::start().await;
        if with_session {
            done(&Application::a(&server).set("Available/Available", "PT4H").await);
        }
        let answer = ada(&server).patch(ME, &state("DoNotDisturb/DoNotDisturb", "")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.pair(), "DoNotDisturb/DoNotDisturb");
        assert_eq!(answer.json(), read(&server).await, "it answers what a GET reads, context and all");
        server.advance_to(hours(3));
        assert_eq!(pair(&server).await, "DoNotDisturb/DoNotDisturb", "it does not fade");
    }
}

#[tokio::test]
async fn t43_one_half_of_a_pair_implies_the_other() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    assert_eq!(ada.patch(ME, &json!({"availability": "Busy"})).await.pair(), "Busy/Busy");
    assert_eq!(pair(&server).await, "Busy/Busy");
    assert_eq!(ada.patch(ME, &json!({"activity": "InAMeeting"})).await.pair(), "Busy/InAMeeting");
    assert_eq!(pair(&server).await, "Busy/InAMeeting");
    let answer = ada.patch(ME, &state("Busy/Presenting", "")).await;
    refused(&answer, &not_supported("Busy/Presenting", "PATCH", &STANDING_PAIRS));
    assert_eq!(pair(&server).await, "Busy/InAMeeting");
}

#[tokio::test]
async fn t61_each_standing_pair_is_taken_without_a_session() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    for standing in STANDING_PAIRS {
        let plain = state(standing, "");
        let mut as_seeded = plain.clone();
        as_seeded["@odata.type"] = "#microsoft.graph.presence".into();
        as_seeded["id"] = ADA.into();
        for body in [plain, as_seeded] {
            assert_eq!(ada.patch(ME, &json!({"availability": null})).await.pair(), "Offline/Offline");
            let answer = ada.patch(ME, &body).await;
            assert_eq!(answer.status, 200, "{body}: {answer:?}");
            assert_eq!(answer.pair(), standing);
            assert_eq!(pair(&server).await, standing);
        }
    }
}

#[tokio::test]
async fn t62_every_other_pair_is_refused_by_patch() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    ada.patch(ME, &state("Busy/InAMeeting", "")).await;
    let before = everything(&server).await;
    let others = pairs_other_than(&STANDING_PAIRS);
    assert_eq!(others.len(), 9 * 16 - 18);
    for other in others {
        refused(&ada.patch(ME, &state(&other, "")).await, &not_supported(&other, "PATCH", &STANDING_PAIRS));
    }
    assert_eq!(everything(&server).await, before);
}

#[tokio::test]
async fn t63_every_value_alone_implies_its_partner() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let activities = [
        "Available/Available",
        "Away/Away",
        "BeRightBack/BeRightBack",
        "Busy/Busy",
        "DoNotDisturb/DoNotDisturb",
        "Busy/InACall",
        "Busy/InAConferenceCall",
        "AvailableIdle/Inactive",
        "Busy/InAMeeting",
        "Offline/Offline",
        "Offline/OffWork",
        "Available/OutOfOffice",
        "DoNotDisturb/Presenting",
        "DoNotDisturb/UrgentInterruptionsOnly",
    ];
    for expected in activities {
        let (_, activity) = expected.split_once('/').expect("a pair");
        assert_eq!(ada.patch(ME, &json!({"activity": activity})).await.pair(), expected);
        assert_eq!(pair(&server).await, expected);
    }
    let availabilities = [
        "Available/Available",
        "AvailableIdle/Inactive",
        "Away/Away",
        "BeRightBack/BeRightBack",
        "Busy/Busy",
        "BusyIdle/Inactive",
        "DoNotDisturb/DoNotDisturb",
        "Offline/Offline",
    ];
    for expected in availabilities {
        let (availability, _) = expected.split_once('/').expect("a pair");
        let body = json!({"availability": availability, "activity": null});
        assert_eq!(ada.patch(ME, &json!({"availability": availability})).await.pair(), expected);
        assert_eq!(
            ada.patch(ME, &body).await.pair(),
            expected,
            "null counts as absent beside an availability"
        );
        assert_eq!(pair(&server).await, expected);
    }
    let before = everything(&server).await;
    let nobody_writes = [
        json!({"activity": "AvailableInactive"}),
        json!({"activity": "PresenceUnknown"}),
        json!({"availability": "PresenceUnknown"}),
    ];
    for body in nobody_writes {
        refused_pair(&ada.patch(ME, &body).await);
    }
    assert_eq!(everything(&server).await, before);
}

/// E16, whatever it names as the other half of the pair.
#[track_caller]
fn refused_pair(answer: &Answer) {
    let (error, supported) = (answer.error(), STANDING_PAIRS.join(", "));
    assert!(
        error.starts_with("400 InvalidArgument The provided [Availability] and [Activity] combination '"),
        "{error}"
    );
    assert!(error.ends_with(&format!("' is not supported by PATCH. Supported: {supported}.")), "{error}");
    refused(answer, &error);
}

#[tokio::test]
async fn t64_null_clears_and_what_says_nothing_is_refused() {
    const NOTHING: &str = "400 InvalidArgument Supply at least one of: availability, activity, statusMessage, \
                           outOfOfficeSettings, workLocation.";
    let server = TestServer::start().await;
    let ada = ada(&server);
    for body in [json!({"availability": null}), json!({"availability": null, "activity": null})] {
        ada.patch(ME, &state("Busy/InAMeeting", "")).await;
        let answer = ada.patch(ME, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.pair(), "Offline/Offline");
        assert_eq!(pair(&server).await, "Offline/Offline");
    }
    ada.patch(ME, &state("Busy/InAMeeting", "")).await;
    let before = everything(&server).await;
    refused_pair(&ada.patch(ME, &json!({"availability": null, "activity": "Busy"})).await);
    let nothing = [
        json!({"activity": null}),
        json!({}),
        json!({"expirationDuration": "PT1H"}),
        json!({"id": ADA, "sequenceNumber": "A1", "publishedDateTime": "x", "source": 7, "@odata.type": "x", "y": 1}),
    ];
    for body in nothing {
        refused(&ada.patch(ME, &body).await, NOTHING);
    }
    let mut body = state("Away/Away", "");
    body["id"] = NOBODY.into();
    refused(
        &ada.patch(ME, &body).await,
        "400 InvalidArgument The provided [Id] is not the id of this presence.",
    );
    assert_eq!(everything(&server).await, before);
}

#[tokio::test]
async fn t65_a_patched_pair_holds_as_long_as_it_says() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
    assert_eq!(ada.patch(ME, &state("Away/BeRightBack", "PT10M")).await.status, 200);
    server.advance_to(minutes(9) + seconds(59));
    assert_eq!(pair(&server).await, "Away/BeRightBack");
    server.advance_to(minutes(10));
    assert_eq!(pair(&server).await, "Busy/InACall", "what lies beneath");
}

#[tokio::test]
async fn t70_a_preference_replaces_what_patch_wrote() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    assert_eq!(ada.patch(ME, &state("Busy/InAMeeting", "")).await.pair(), "Busy/InAMeeting");
    done(&ada.post(&format!("{ME}/setUserPreferredPresence"), &state("Busy/Busy", "")).await);
    assert_eq!(pair(&server).await, "Offline/Offline");
    done(&ada.post(&format!("{ME}/clearUserPreferredPresence"), &json!({})).await);
    assert_eq!(pair(&server).await, "Offline/Offline");
    assert_eq!(ada.patch(ME, &state("Busy/InAMeeting", "")).await.pair(), "Busy/InAMeeting");
    done(&ada.post(&format!("{ME}/clearUserPreferredPresence"), &json!({})).await);
    assert_eq!(pair(&server).await, "Offline/Offline", "it clears what PATCH wrote as well");
}

/// presence-api 13: defaults by availability as in 9.1, others P1D, and the range of 9.1.
#[tokio::test]
async fn a_patched_pair_has_the_default_life_of_its_availability() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let week = ["Available/OutOfOffice", "Away/Away", "BeRightBack/BeRightBack", "Offline/Offline"];
    let day = ["AvailableIdle/Inactive", "Busy/InACall", "BusyIdle/Inactive", "DoNotDisturb/Presenting"];
    let table = week.map(|pair| (pair, "2026-11-27T09:00:00")).into_iter();
    for (standing, end) in table.chain(day.map(|pair| (pair, "2026-11-21T09:00:00"))) {
        ada.patch(ME, &state(standing, "")).await;
        let (_, explanation) = everything(&server).await;
        let ends = explanation["layers"][0]["endDateTime"].as_str().expect("a preference ends");
        assert!(ends.starts_with(end), "{standing}: {ends}");
    }
    let before = everything(&server).await;
    for duration in ["PT0S", "P366D"] {
        refused(&ada.patch(ME, &state("Away/Away", duration)).await, OUT_OF_RANGE);
    }
    assert_eq!(everything(&server).await, before);
}
