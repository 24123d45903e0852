//! What a restart keeps.

use porchlight_testkit::{ADA, APP_A};
use serde_json::{Value, json};

use crate::support::{ME, Program, in_folder, presence_of, text};

/// All that there is of Ada: what she sees and every layer beneath it. But for the port in it.
async fn everything(server: &Program) -> (Value, Value) {
    let ada = server.client("ada:");
    let mut seen = [ada.get(ME).await.json(), ada.get(&format!("{ME}/porchlight.explain")).await.json()];
    for value in &mut seen {
        value.as_object_mut().expect("an object").remove("@odata.context");
    }
    let [presence, explanation] = seen;
    (presence, explanation)
}

/// presence-api 21, case T53; and everything else of a record with it.
#[tokio::test]
async fn t53_state_and_expiry_survive_a_restart_between_the_two() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Program::start(&mut in_folder(folder.path()));
    let session = json!({
        "sessionId": APP_A, "availability": "Busy", "activity": "InACall", "expirationDuration": "PT1H",
    });
    let application = server.client(&format!("{APP_A}:"));
    assert_eq!(application.post(&format!("{}/setPresence", presence_of(ADA)), &session).await.status, 200);
    let body = json!({
        "statusMessage": {
            "message": {"content": "Back soon"},
            "expiryDateTime": {"dateTime": "2100-01-01T00:00:00.1234567", "timeZone": "Europe/Berlin"},
        },
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": "Ask Ben"},
        "workLocation": {"workLocationType": "office", "placeId": "desk 7"},
    });
    assert_eq!(server.client("ada:").patch(ME, &body).await.status, 200);
    let before = everything(&server).await;
    assert_eq!((&before.0["availability"], &before.0["activity"]), (&json!("Busy"), &json!("InACall")));
    for stopped in [true, false] {
        if stopped {
            server.stop();
        } else {
            server.kill();
        }
        server = Program::start(&mut in_folder(folder.path()));
        assert_eq!(everything(&server).await, before, "stopped, not killed: {stopped}");
    }
    server.advance("PT59M").await;
    assert_eq!(server.client("ada:").get(ME).await.pair(), "Busy/InACall");
    server.advance("PT1M").await;
    let after = server.client("ada:").get(ME).await;
    assert_eq!(after.pair(), "Offline/OutOfOffice", "the session has ended; out of office has no end");
    server.stop();
    let server = Program::start(&mut in_folder(folder.path()));
    assert_eq!(server.client("ada:").get(ME).await.json()["sequenceNumber"], after.json()["sequenceNumber"]);
}

/// A session that ends while no server runs has ended when the next one starts.
#[tokio::test]
async fn what_ends_while_the_server_is_down_has_ended_when_it_is_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(folder.path()));
    let session = json!({"sessionId": APP_A, "availability": "Available", "activity": "Available", "expirationDuration": "PT1H"});
    let ada = server.client(&format!("ada@{APP_A}:"));
    assert_eq!(ada.post(&format!("{ME}/setPresence"), &session).await.status, 200);
    // The clock is moved and the server killed at once: nobody has read, and no timer has been seen to fire.
    server.advance("PT6M").await;
    server.kill();
    let server = Program::start(&mut in_folder(folder.path()));
    let answer = server.client("ada:").get(ME).await;
    assert_eq!(answer.pair(), "Available/AvailableInactive");
    server.advance("PT54M").await;
    server.kill();
    let server = Program::start(&mut in_folder(folder.path()));
    assert_eq!(server.client("ada:").get(ME).await.pair(), "Offline/Offline");
}

#[tokio::test]
async fn the_people_of_a_seed_file_stay_without_it() {
    let place = tempfile::tempdir().expect("a folder");
    let (file, data) = (place.path().join("seed.yaml"), place.path().join("data"));
    let seed = "
tenants:
  - id: 9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77
    users:
      - id: 77777777-0000-4000-8000-000000000007
        userPrincipalName: Zoe@porchlight.example
        displayName: Zoe Adler
        mail: zoe.adler@porchlight.example
        givenName: Zoe
        surname: Adler
        jobTitle: Archivist
        department: Records
      - userPrincipalName: yann@porchlight.example
      - userPrincipalName: xenia@porchlight.example
        accountEnabled: false
";
    std::fs::write(&file, seed).expect("the file can be written");
    let zoe = json!({
        "id": "77777777-0000-4000-8000-000000000007", "displayName": "Zoe Adler", "givenName": "Zoe",
        "surname": "Adler", "userPrincipalName": "Zoe@porchlight.example", "mail": "zoe.adler@porchlight.example",
        "jobTitle": "Archivist", "department": "Records",
    });
    // The first start puts the people in, the second finds them, the third puts the demo people beside them.
    for (arguments, people) in
        [(vec!["--seed", text(&file)], 3), (vec!["--seed", text(&file)], 3), (vec![], 15)]
    {
        let server = Program::start(in_folder(&data).args(&arguments));
        let mut me = server.client("zoe:").get("/v1.0/me").await.json();
        me.as_object_mut().expect("an object").remove("@odata.context");
        assert_eq!(me, zoe);
        let yann = server.client("zoe:").get("/v1.0/users/yann@porchlight.example").await.json();
        assert_eq!(
            yann["displayName"], "yann@porchlight.example",
            "without a name to show, the one to sign in with"
        );
        assert_eq!(
            server.client("xenia:").get("/v1.0/me").await.status,
            401,
            "a disabled person has no token"
        );
        assert_eq!(server.metrics().await.of("porchlight_people"), people);
        let pair = if arguments.is_empty() { "Busy/Busy" } else { "Away/Away" };
        let availability = pair.split('/').next();
        assert_eq!(
            server.client("zoe:").patch(ME, &json!({"availability": availability})).await.pair(),
            pair
        );
        server.stop();
    }
}
