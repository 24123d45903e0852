//! Out of office: presence-api 12.

use porchlight_testkit::TestServer;
use serde_json::json;

use crate::support::{Application, ME, ada, days, done, minutes, pair, read};

async fn go_out_of_office(server: &TestServer) {
    let answer = ada(server).patch(ME, &json!({"outOfOfficeSettings": {"isOutOfOffice": true}})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn t51_out_of_office_shows_in_the_activity_of_an_available_person_alone() {
    let table = [
        ("Available/Available", "", "Available/OutOfOffice"),
        ("Busy/InACall", "", "Busy/InACall"),
        ("Available/Available", "Busy/Busy", "Busy/Busy"),
    ];
    for (session, preferred, expected) in table {
        let server = TestServer::start().await;
        let a = Application::a(&server);
        done(&a.set(session, "").await);
        if !preferred.is_empty() {
            done(&a.prefer(preferred, "").await);
        }
        go_out_of_office(&server).await;
        assert_eq!(pair(&server).await, expected, "{session} {preferred}");
        assert_eq!(read(&server).await["outOfOfficeSettings"]["isOutOfOffice"], true);
    }
}

#[tokio::test]
async fn out_of_office_changes_what_idles_and_not_what_is_busy() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    go_out_of_office(&server).await;
    assert_eq!(pair(&server).await, "Offline/OutOfOffice");
    done(&a.set("Away/Away", "").await);
    assert_eq!(pair(&server).await, "Away/OutOfOffice");
    for unchanged in ["Busy/InAConferenceCall", "DoNotDisturb/Presenting"] {
        done(&a.set(unchanged, "").await);
        assert_eq!(pair(&server).await, unchanged);
    }
    done(&a.set("Available/Available", "PT1H").await);
    server.advance_to(minutes(5));
    assert_eq!(pair(&server).await, "Available/OutOfOffice");
    server.advance_to(minutes(10));
    assert_eq!(pair(&server).await, "Away/OutOfOffice");
}

#[tokio::test]
async fn out_of_office_has_no_end_of_its_own() {
    let server = TestServer::start().await;
    go_out_of_office(&server).await;
    server.advance_to(days(1000));
    assert_eq!(pair(&server).await, "Offline/OutOfOffice");
}
