//! What real clients send, and what they need back: client-quirks.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::Method;
use porchlight_testkit::{ADA, APP_A, TestServer};
use serde_json::{Value, json};

use crate::support::{
    BATCH, BULK, ME, PRESENCES, ada, done, minutes, pair, presence_of, raw, refused, session, state,
};

/// A body as a client's compression middleware sends it.
fn zipped(body: &Value) -> Vec<u8> {
    let mut zipping = GzEncoder::new(Vec::new(), Compression::default());
    zipping.write_all(body.to_string().as_bytes()).expect("a vector takes any number of bytes");
    zipping.finish().expect("a vector takes any number of bytes")
}

/// A request as it stands on the wire, but for its last headers and body.
fn head(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer dev:ada:\r\n")
}

#[tokio::test]
async fn a_toolkit_signs_in_by_me_and_survives_what_is_not_there() {
    let server = TestServer::start().await;
    let browser = server.client("ada:User.Read").header("origin", "https://app.example");
    let me = browser.get("/v1.0/me").await;
    assert_eq!((me.status.as_u16(), me.header("access-control-allow-origin")), (200, "*"));
    for path in ["/v1.0/me/people", "/v1.0/me/photo/$value", "/beta/me/people?$top=9"] {
        let answer = browser.get(path).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
        refused(&answer, &answer.error());
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
}

#[tokio::test]
async fn bodies_may_be_compressed() {
    let server = TestServer::start().await;
    let zipping = ada(&server).header("content-encoding", "gzip").header("content-type", "application/json");
    let answer = zipping.call(Method::PATCH, ME, Some(zipped(&state("Busy/Busy", "")))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(pair(&server).await, "Busy/Busy");
    let preferred = zipping
        .call(Method::POST, &format!("{ME}/setUserPreferredPresence"), Some(zipped(&state("Busy/Busy", ""))))
        .await;
    done(&preferred);
    let empty = zipping.call(Method::POST, &format!("{ME}/clearUserPreferredPresence"), None::<&[u8]>).await;
    done(&empty);
}

#[tokio::test]
async fn another_compression_is_415_so_that_clients_repeat_without_it() {
    let server = TestServer::start().await;
    for encoding in ["br", "deflate", "gzip, br"] {
        let client = ada(&server).header("content-encoding", encoding);
        assert_eq!(client.call(Method::PATCH, ME, Some("x")).await.status, 415, "{encoding}");
    }
    let identity = ada(&server).header("content-encoding", "identity");
    assert_eq!(identity.patch(ME, &state("Busy/Busy", "")).await.status, 200);
}

/// presence-api 21.1
#[tokio::test]
async fn the_limit_of_a_body_counts_inflated_bytes() {
    let mut body = state("Busy/Busy", "");
    body["padding"] = "x".repeat(2000).into();
    let length = body.to_string().len();
    for (max, status) in [(length - 1, 413), (length, 200)] {
        let builder = TestServer::builder().settings(|settings| settings.limits.body_bytes_max = max);
        let server = builder.start().await;
        let zipping = ada(&server).header("content-encoding", "gzip");
        let answer = zipping.call(Method::PATCH, ME, Some(zipped(&body))).await;
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        if status == 413 {
            let expected = format!("413 RequestEntityTooLarge The request body is larger than {max} bytes.");
            refused(&answer, &expected);
        }
    }
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_ask() {
    let server = TestServer::start().await;
    let plain = ada(&server).get(PRESENCES).await;
    let asking = ada(&server).header("accept-encoding", "br, gzip, deflate");
    let large = asking.get(PRESENCES).await;
    assert_eq!((plain.header("content-encoding"), large.header("content-encoding")), ("", "gzip"));
    assert!(large.header("vary").contains("Accept-Encoding"), "{large:?}");
    let mut inflated = Vec::new();
    GzDecoder::new(&large.body[..]).read_to_end(&mut inflated).expect("the answer is gzip");
    assert_eq!(inflated, plain.body);
    let small = asking.get(ME).await;
    assert_eq!((small.header("content-encoding"), small.pair().as_str()), ("", "Offline/Offline"));
}

#[tokio::test]
async fn clearing_the_preference_comes_in_four_forms() {
    let server = TestServer::start().await;
    let path = format!("{ME}/clearUserPreferredPresence");
    let forms = [
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 0\r\n\r\n",
        "\r\n",
    ];
    for form in forms {
        assert_eq!(ada(&server).patch(ME, &state("Busy/Busy", "")).await.pair(), "Busy/Busy");
        let answer = raw(&server, &format!("{}{form}", head("POST", &path))).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{form}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("content-type: application/json"), "{form}: {answer}");
        assert_eq!(pair(&server).await, "Offline/Offline", "{form}");
    }
}

#[tokio::test]
async fn an_o365_client_misspells_the_duration() {
    let server = TestServer::start().await;
    let mut body = session(APP_A, "Available/Available", "");
    body["expirationDutaion"] = "PT1H".into();
    done(&ada(&server).post(&format!("{ME}/setPresence"), &body).await);
    server.advance_to(minutes(5));
    assert_eq!(pair(&server).await, "Offline/Offline", "the default holds");
}

#[tokio::test]
async fn a_python_client_writes_durations_as_python_does() {
    let server = TestServer::start().await;
    let path = format!("{ME}/setPresence");
    done(&ada(&server).post(&path, &session(APP_A, "Busy/InACall", "1:00:00")).await);
    server.advance_to(minutes(59));
    assert_eq!(pair(&server).await, "Busy/InACall");
    let path = format!("{ME}/setUserPreferredPresence");
    done(&ada(&server).post(&path, &state("Away/Away", "1 day, 0:00:00")).await);
}

#[tokio::test]
async fn a_python_batch_has_absolute_urls_and_a_misspelt_member() {
    let server = TestServer::start().await;
    let id = "6f1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01";
    let step = json!({
        "id": id, "method": "PATCH", "url": format!("{}/v1.0/me/presence", server.url()), "depends_on": [],
        "headers": {"content-type": "application/json", "accept": "application/json, application/json"},
        "body": state("Busy/InAMeeting", ""),
    });
    let answer = ada(&server).post(BATCH, &json!({"requests": [step]})).await;
    let response = &answer.json()["responses"][0];
    assert_eq!((&response["id"], &response["status"]), (&json!(id), &json!(200)));
    assert_eq!(response["body"]["activity"], "InAMeeting");
}

/// The string is `{"availability":"Busy","activity":"InAMeeting","comment":"ûÿ~?>"}` in base64.
#[tokio::test]
async fn a_javascript_batch_has_bodies_in_base64_and_no_headers() {
    let server = TestServer::start().await;
    let body = "eyJhdmFpbGFiaWxpdHkiOiJCdXN5IiwiYWN0aXZpdHkiOiJJbkFNZWV0aW5nIiwiY29tbWVudCI6IsO7w79+Pz4ifQ==";
    let step = json!({"id": "1", "method": "PATCH", "url": "/me/presence", "body": body});
    let answer = ada(&server).post(BATCH, &json!({"requests": [step]})).await;
    assert_eq!(answer.json()["responses"][0]["status"], 200);
    assert_eq!(pair(&server).await, "Busy/InAMeeting");
}

#[tokio::test]
async fn a_pnpjs_batch_finds_every_answer_by_its_id() {
    let server = TestServer::start().await;
    let steps: Vec<Value> = (0..5)
        .map(|n| {
            json!({
                "id": format!("{n}"), "method": "GET", "url": if n == 3 { "/nowhere" } else { "/me/presence" },
                "headers": {"Authorization": "Bearer stale", "SdkVersion": "PnPCoreJs", "X-PnPjs-RequestId": "r"},
            })
        })
        .collect();
    let answer = ada(&server).post(BATCH, &json!({"requests": steps})).await.json();
    let responses = answer["responses"].as_array().expect("a list");
    let mut ids: Vec<&str> = responses.iter().map(|one| one["id"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["0", "1", "2", "3", "4"]);
    for response in responses {
        assert_eq!(response["status"], if response["id"] == "3" { 400 } else { 200 });
        let kind = response["headers"]["Content-Type"].as_str().expect("a body has a type");
        assert!(kind.starts_with("application/json"), "{response}");
    }
}

#[tokio::test]
async fn a_browser_may_ask_before_it_calls() {
    let server = TestServer::start().await;
    let browser = server
        .anonymous()
        .header("origin", "https://app.example")
        .header("access-control-request-method", "PATCH")
        .header(
            "access-control-request-headers",
            "authorization, client-request-id, content-type, sdkversion",
        );
    for path in [ME, BATCH, "/v1.0/me", BULK] {
        let answer = browser.call(Method::OPTIONS, path, None::<&[u8]>).await;
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        for method in ["GET", "POST", "PATCH", "DELETE"] {
            assert!(answer.header("access-control-allow-methods").contains(method), "{method}: {answer:?}");
        }
        for header in ["authorization", "client-request-id", "content-type", "sdkversion"] {
            assert!(answer.header("access-control-allow-headers").contains(header), "{header}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_browser_may_read_every_answer() {
    let server = TestServer::start().await;
    let anonymous = server.anonymous().header("origin", "https://app.example");
    let known = ada(&server).header("origin", "https://app.example");
    for answer in [anonymous.get(ME).await, known.get(ME).await, known.get("/v1.0/nowhere").await] {
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{answer:?}");
        for header in ["request-id", "client-request-id", "Retry-After"] {
            assert!(answer.header("access-control-expose-headers").contains(header), "{header}: {answer:?}");
        }
    }
    assert_eq!(ada(&server).get(ME).await.header("access-control-allow-origin"), "", "nobody asked");
}

#[tokio::test]
async fn ids_may_be_percent_encoded() {
    let server = TestServer::start().await;
    let encoded = ADA.replace('-', "%2D");
    assert_eq!(ada(&server).get(&presence_of(&encoded)).await.json()["id"], ADA);
    done(&ada(&server).post("/v1.0/%6De/presence/clearUserPreferred%50resence", &json!({})).await);
}

#[tokio::test]
async fn a_batch_path_may_be_encoded_or_not() {
    let server = TestServer::start().await;
    for path in [BATCH, "/v1.0/%24batch"] {
        let answer = ada(&server).post(path, &json!({"requests": []})).await;
        assert_eq!(answer.json(), json!({"responses": []}), "{path}");
    }
}
