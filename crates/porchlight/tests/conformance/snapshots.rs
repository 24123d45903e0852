//! Whole bodies, as clients see them.

use insta::assert_json_snapshot;
use porchlight_testkit::{ADA, APP_A, Answer, BEN, TestServer};
use serde_json::{Value, json};

use crate::support::{
    Application, BATCH, BULK, EXPLAIN, ME, NOBODY, PRESENCES, ada, ben, done, done_without_content,
    presence_of, redacted, session, status_until,
};

/// A body without what differs from run to run.
fn body(server: &TestServer, answer: &Answer) -> Value {
    redacted(server, &answer.json())
}

/// A server on which Ada is in a call, in an office, and says so.
async fn with_ada_in_a_call() -> TestServer {
    let server = TestServer::start().await;
    let ada = ada(&server);
    done(&ada.post(&format!("{ME}/setPresence"), &session(APP_A, "Busy/InACall", "PT1H")).await);
    let message = status_until("Reviewing the release", "2026-11-20T18:00:00", "W. Europe Standard Time");
    done(&ada.post(&format!("{ME}/setStatusMessage"), &message).await);
    let place = json!({"workLocationType": "office", "placeId": "c2a4d0f3-0b56-4e1d-9a2c-6f2d0c1b7e55"});
    done_without_content(&ada.post(&format!("{ME}/setManualLocation"), &place).await);
    server
}

#[tokio::test]
async fn ones_own_presence() {
    let server = with_ada_in_a_call().await;
    assert_json_snapshot!(body(&server, &ada(&server).get(ME).await), @r#"
    {
      "@odata.context": "http://porchlight.test/v1.0/$metadata#users('8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01')/presence/$entity",
      "id": "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01",
      "availability": "Busy",
      "activity": "InACall",
      "outOfOfficeSettings": {
        "message": null,
        "isOutOfOffice": false
      },
      "sequenceNumber": "A01795165200002",
      "statusMessage": {
        "message": {
          "content": "Reviewing the release",
          "contentType": "text"
        },
        "publishedDateTime": "2026-11-20T09:00:00.0000000Z",
        "expiryDateTime": {
          "dateTime": "2026-11-20T17:00:00.0000000",
          "timeZone": "UTC"
        }
      },
      "workLocation": {
        "placeId": "c2a4d0f3-0b56-4e1d-9a2c-6f2d0c1b7e55",
        "source": "manual",
        "workLocationType": "office"
      }
    }
    "#);
}

#[tokio::test]
async fn the_presence_of_another() {
    let server = with_ada_in_a_call().await;
    assert_json_snapshot!(body(&server, &ben(&server).get(&format!("{PRESENCES}/{ADA}")).await), @r#"
    {
      "@odata.context": "http://porchlight.test/v1.0/$metadata#communications/presences/$entity",
      "id": "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01",
      "availability": "Busy",
      "activity": "InACall",
      "outOfOfficeSettings": {
        "message": null,
        "isOutOfOffice": false
      },
      "sequenceNumber": "A01795165200002",
      "statusMessage": {
        "message": {
          "content": "Reviewing the release",
          "contentType": "text"
        }
      },
      "workLocation": {
        "placeId": "c2a4d0f3-0b56-4e1d-9a2c-6f2d0c1b7e55",
        "source": "manual",
        "workLocationType": "office"
      }
    }
    "#);
}

#[tokio::test]
async fn the_presence_of_somebody_nobody_has_written_for() {
    let server = TestServer::start().await;
    assert_json_snapshot!(body(&server, &ada(&server).get(&presence_of(BEN)).await), @r#"
    {
      "@odata.context": "http://porchlight.test/v1.0/$metadata#users('3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02')/presence/$entity",
      "id": "3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02",
      "availability": "Offline",
      "activity": "Offline",
      "outOfOfficeSettings": {
        "message": null,
        "isOutOfOffice": false
      },
      "sequenceNumber": "A00000000000000",
      "statusMessage": null,
      "workLocation": null
    }
    "#);
}

#[tokio::test]
async fn a_presence_with_full_metadata() {
    let server = TestServer::start().await;
    let full = ada(&server).header("accept", "application/json;odata.metadata=full");
    let answer = full.get(&format!("{ME}?$select=id,availability")).await;
    assert_json_snapshot!(body(&server, &answer), @r##"
    {
      "@odata.context": "http://porchlight.test/v1.0/$metadata#users('8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01')/presence(id,availability)/$entity",
      "@odata.type": "#microsoft.graph.presence",
      "@odata.id": "http://porchlight.test/v1.0/users('8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01')/presence",
      "id": "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01",
      "availability": "Offline"
    }
    "##);
}

#[tokio::test]
async fn a_bulk_read_with_an_unknown_id() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Available/Available", "").await);
    assert_json_snapshot!(body(&server, &ben(&server).post(BULK, &json!({"ids": [ADA, NOBODY]})).await), @r#"
    {
      "@odata.context": "http://porchlight.test/v1.0/$metadata#Collection(microsoft.graph.presence)",
      "value": [
        {
          "id": "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01",
          "availability": "Available",
          "activity": "Available",
          "outOfOfficeSettings": {
            "message": null,
            "isOutOfOffice": false
          },
          "sequenceNumber": "A01795165200000",
          "statusMessage": null,
          "workLocation": null
        },
        {
          "id": "99999999-0000-4000-8000-000000000009",
          "availability": "PresenceUnknown",
          "activity": "PresenceUnknown",
          "outOfOfficeSettings": null,
          "sequenceNumber": null,
          "statusMessage": null,
          "workLocation": null
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_page_of_the_collection() {
    let server = TestServer::start().await;
    let query = format!("$filter=id%20in%20('{ADA}','{BEN}')&$select=id,activity&$count=true&$top=1");
    assert_json_snapshot!(body(&server, &ben(&server).get(&format!("{PRESENCES}?{query}")).await), @r#"
    {
      "@odata.context": "http://porchlight.test/v1.0/$metadata#communications/presences(id,activity)",
      "@odata.count": 2,
      "@odata.nextLink": "http://porchlight.test/v1.0/communications/presences?$top=1&$filter=id%20in%20%28%278d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01%27%2C%273c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02%27%29&$select=id%2Cactivity&$count=true&$skiptoken=3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02",
      "value": [
        {
          "id": "3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02",
          "activity": "Offline"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn what_patch_answers_an_application() {
    let server = TestServer::start().await;
    let patch = json!({
        "availability": "Away",
        "activity": "OutOfOffice",
        "statusMessage": {"message": {"content": "Off", "contentType": "text"}},
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"},
        "workLocation": {"workLocationType": "timeOff"},
    });
    let answer = Application::a(&server).client.patch(&presence_of(ADA), &patch).await;
    assert_json_snapshot!(body(&server, &answer), @r#"
    {
      "@odata.context": "http://porchlight.test/v1.0/$metadata#users('8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01')/presence/$entity",
      "id": "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01",
      "availability": "Away",
      "activity": "OutOfOffice",
      "outOfOfficeSettings": {
        "message": "Back on Monday",
        "isOutOfOffice": true
      },
      "sequenceNumber": "A01795165200000",
      "statusMessage": {
        "message": {
          "content": "Off",
          "contentType": "text"
        }
      },
      "workLocation": {
        "placeId": null,
        "source": "manual",
        "workLocationType": "timeOff"
      }
    }
    "#);
}

#[tokio::test]
async fn an_explanation() {
    let server = TestServer::start().await;
    let a = Application::a(&server);
    done(&a.set("Busy/InACall", "PT1H").await);
    done(&a.prefer("Away/Away", "").await);
    assert_json_snapshot!(body(&server, &ada(&server).get(EXPLAIN).await), @r#"
    {
      "@odata.context": "http://porchlight.test/v1.0/$metadata#porchlight.explanation",
      "availability": "Away",
      "activity": "Away",
      "decidedBy": "preferred",
      "reason": "A preferred presence outranks every session.",
      "changedDateTime": "2026-11-20T09:00:00.0010000Z",
      "stateSinceDateTime": "2026-11-20T09:00:00.0010000Z",
      "nextChangeDateTime": "2026-11-20T10:00:00.0000000Z",
      "layers": [
        {
          "kind": "preferred",
          "applicationId": null,
          "sessionId": null,
          "availability": "Away",
          "activity": "Away",
          "wins": true,
          "reason": "A preferred presence outranks every session.",
          "setDateTime": "2026-11-20T09:00:00.0000000Z",
          "nextChangeDateTime": "2026-11-27T09:00:00.0000000Z",
          "endDateTime": "2026-11-27T09:00:00.0000000Z",
          "renewedLate": null
        },
        {
          "kind": "session",
          "applicationId": "aaaaaaaa-0000-4000-8000-00000000000a",
          "sessionId": "aaaaaaaa-0000-4000-8000-00000000000a",
          "availability": "Busy",
          "activity": "InACall",
          "wins": false,
          "reason": "The preferred presence outranks it.",
          "setDateTime": "2026-11-20T09:00:00.0000000Z",
          "nextChangeDateTime": "2026-11-20T10:00:00.0000000Z",
          "endDateTime": "2026-11-20T10:00:00.0000000Z",
          "renewedLate": false
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn an_explanation_of_nothing() {
    let server = TestServer::start().await;
    assert_json_snapshot!(body(&server, &ada(&server).get(EXPLAIN).await), @r#"
    {
      "@odata.context": "http://porchlight.test/v1.0/$metadata#porchlight.explanation",
      "availability": "Offline",
      "activity": "Offline",
      "decidedBy": "nothing",
      "reason": "No application has a session.",
      "changedDateTime": null,
      "stateSinceDateTime": null,
      "nextChangeDateTime": null,
      "layers": []
    }
    "#);
}

#[tokio::test]
async fn a_batch() {
    let server = TestServer::start().await;
    let batch = json!({"requests": [
        {
            "id": "set", "method": "POST", "url": "/me/presence/setPresence",
            "headers": {"Content-Type": "application/json"}, "body": session(APP_A, "Busy/InACall", ""),
        },
        {"id": "get", "method": "GET", "url": "/me/presence?$select=id,activity", "dependsOn": ["set"]},
        {"id": "bad", "method": "GET", "url": "/nowhere"},
    ]});
    assert_json_snapshot!(body(&server, &ada(&server).post(BATCH, &batch).await), @r#"
    {
      "responses": [
        {
          "id": "set",
          "status": 200,
          "headers": {
            "Cache-Control": "no-cache",
            "porchlight-revision": "[porchlight-revision]",
            "porchlight-effective": "Busy/InACall; by=sessions"
          }
        },
        {
          "id": "get",
          "status": 200,
          "headers": {
            "Cache-Control": "no-cache",
            "Content-Type": "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
            "ETag": "[ETag]",
            "Vary": "Authorization, Accept, Accept-Encoding",
            "OData-Version": "4.0"
          },
          "body": {
            "@odata.context": "http://porchlight.test/v1.0/$metadata#users('8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01')/presence(id,activity)/$entity",
            "id": "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01",
            "activity": "InACall"
          }
        },
        {
          "id": "bad",
          "status": 400,
          "headers": {
            "Cache-Control": "no-cache",
            "Content-Type": "application/json",
            "OData-Version": "4.0"
          },
          "body": {
            "error": {
              "code": "BadRequest",
              "message": "Resource not found for the segment 'nowhere'.",
              "innerError": {
                "date": "2026-11-20T09:00:00",
                "request-id": "[request-id]",
                "client-request-id": "[client-request-id]"
              }
            }
          }
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn an_error_with_a_hint() {
    let server = TestServer::start().await;
    assert_json_snapshot!(body(&server, &ada(&server).post(&format!("{ME}/clearPresence"), &json!({})).await), @r#"
    {
      "error": {
        "code": "InvalidArgument",
        "message": "[SessionId]: The SessionId field is required.",
        "innerError": {
          "date": "2026-11-20T09:00:00",
          "request-id": "[request-id]",
          "client-request-id": "[client-request-id]",
          "hint": "use your application (client) id as sessionId"
        }
      }
    }
    "#);
}

#[tokio::test]
async fn an_error_that_names_the_missing_right() {
    let server = TestServer::start().await;
    let answer = server.client("ben:Presence.Read,User.Read.All").get(&presence_of(ADA)).await;
    assert_json_snapshot!(body(&server, &answer), @r#"
    {
      "error": {
        "code": "Forbidden",
        "message": "The token lacks a permission this call needs. Any one of: Presence.Read.All.",
        "innerError": {
          "date": "2026-11-20T09:00:00",
          "request-id": "[request-id]",
          "client-request-id": "[client-request-id]",
          "porchlight": {
            "required": [
              "Presence.Read.All"
            ],
            "present": [
              "Presence.Read",
              "User.Read.All"
            ]
          }
        }
      }
    }
    "#);
}

#[tokio::test]
async fn an_error_without_a_token() {
    let server = TestServer::start().await;
    assert_json_snapshot!(body(&server, &server.anonymous().get(ME).await), @r#"
    {
      "error": {
        "code": "InvalidAuthenticationToken",
        "message": "Access token is empty.",
        "innerError": {
          "date": "2026-11-20T09:00:00",
          "request-id": "[request-id]",
          "client-request-id": "[client-request-id]",
          "hint": "send the header Authorization: Bearer {token}"
        }
      }
    }
    "#);
}

#[tokio::test]
async fn a_profile() {
    let server = TestServer::start().await;
    assert_json_snapshot!(body(&server, &ada(&server).get("/v1.0/me").await), @r#"
    {
      "@odata.context": "http://porchlight.test/v1.0/$metadata#users/$entity",
      "id": "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01",
      "displayName": "Ada Lovelace",
      "givenName": "Ada",
      "surname": "Lovelace",
      "userPrincipalName": "ada@porchlight.example",
      "mail": "ada.lovelace@porchlight.example",
      "jobTitle": "Principal Engineer",
      "department": "Engineering"
    }
    "#);
}

#[tokio::test]
async fn the_service_document() {
    let server = TestServer::start().await;
    assert_json_snapshot!(body(&server, &server.anonymous().get("/v1.0").await), @r#"
    {
      "@odata.context": "http://porchlight.test/v1.0/$metadata",
      "value": [
        {
          "name": "users",
          "kind": "EntitySet",
          "url": "users"
        },
        {
          "name": "me",
          "kind": "Singleton",
          "url": "me"
        },
        {
          "name": "communications",
          "kind": "Singleton",
          "url": "communications"
        },
        {
          "name": "subscriptions",
          "kind": "EntitySet",
          "url": "subscriptions"
        }
      ]
    }
    "#);
}
