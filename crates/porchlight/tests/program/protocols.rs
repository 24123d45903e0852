//! HTTP/2 without TLS, compression, and what browsers ask before they call.

use std::io::Read;

use flate2::read::GzDecoder;
use http::{Method, Version};
use http_body_util::BodyExt;
use porchlight_testkit::Answer;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http_2;
use crate::support::{ME, Program, in_memory, serve};

/// Every header of the answer as browsers compare them.
fn list(answer: &Answer, header: &str) -> Vec<String> {
    answer.header(header).split(',').map(|item| item.trim().to_ascii_lowercase()).collect()
}

#[tokio::test]
async fn http_2_is_spoken_without_tls_with_many_requests_at_once() {
    let server = Program::start(&mut in_memory());
    let mut sender = http_2::connect(&server).await;
    let patch = json!({"availability": "DoNotDisturb"}).to_string();
    let patch = http_2::request(&server, Method::PATCH, patch);
    let answer = sender.send_request(patch).await.expect("it answers");
    assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));

    let mut answers = JoinSet::new();
    for _ in 0..50 {
        let mut sender = sender.clone();
        let request = http_2::request(&server, Method::GET, String::new());
        answers.spawn(async move {
            let answer = sender.send_request(request).await.expect("it answers");
            answer.into_body().collect().await.expect("a whole body").to_bytes()
        });
    }
    for body in answers.join_all().await {
        let presence: Value = serde_json::from_slice(&body).expect("a presence");
        assert_eq!(presence["availability"], "DoNotDisturb");
        let context = presence["@odata.context"].as_str().expect("a context");
        assert!(context.starts_with(&format!("{}/v1.0/$metadata#", server.url())), "{context}");
    }
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_whoever_takes_that() {
    const MANY: &str = "/v1.0/communications/presences";
    let server = Program::start(&mut in_memory());
    let ada = server.client("ada:");
    let plain = ada.get(MANY).await;
    assert_eq!((plain.status.as_u16(), plain.header("content-encoding")), (200, ""));
    assert_eq!(plain.header("vary"), "Accept-Encoding");
    for accepted in ["gzip", "deflate, gzip;q=0.5, br", "GZIP"] {
        let packed = ada.header("accept-encoding", accepted).get(MANY).await;
        assert_eq!((packed.status.as_u16(), packed.header("content-encoding")), (200, "gzip"), "{accepted}");
        assert_eq!(packed.header("content-length"), packed.body.len().to_string());
        assert!(packed.body.len() < plain.body.len() / 2, "{} bytes", packed.body.len());
        let mut unpacked = Vec::new();
        GzDecoder::new(&packed.body[..]).read_to_end(&mut unpacked).expect("it is gzip");
        assert_eq!(unpacked, plain.body);
    }
    let refused = ada.header("accept-encoding", "gzip;q=0, br").get(MANY).await;
    assert_eq!(refused.header("content-encoding"), "");
    let short = ada.header("accept-encoding", "gzip").get(ME).await;
    assert_eq!(short.header("content-encoding"), "", "what is short is sent as it is");
}

#[tokio::test]
async fn a_browser_is_told_what_it_may_do() {
    let server = Program::start(&mut in_memory());
    let page = server.anonymous().header("origin", "https://one.example");
    let asking = page.header("access-control-request-method", "PATCH");
    let asking =
        asking.header("access-control-request-headers", "authorization,content-type,client-request-id");
    let preflight = asking.call(Method::OPTIONS, ME, None::<&[u8]>).await;
    assert_eq!((preflight.status.as_u16(), preflight.body.len()), (204, 0));
    assert_eq!(preflight.header("access-control-allow-origin"), "*");
    for method in ["get", "post", "patch", "delete"] {
        assert!(
            list(&preflight, "access-control-allow-methods").contains(&method.to_owned()),
            "{preflight:?}"
        );
    }
    for header in ["authorization", "content-type", "client-request-id"] {
        assert!(
            list(&preflight, "access-control-allow-headers").contains(&header.to_owned()),
            "{preflight:?}"
        );
    }
    // Refused or not: a page must be able to read why.
    for (client, status) in [(page.token("ada:"), 200), (page.clone(), 401)] {
        let answer = client.get(ME).await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (status, "*"));
        for header in ["request-id", "client-request-id", "retry-after"] {
            assert!(
                list(&answer, "access-control-expose-headers").contains(&header.to_owned()),
                "{answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn only_the_pages_that_were_named_are_let_in() {
    let server = Program::start(&mut serve(&[
        "--ephemeral",
        "--cors-origin",
        "https://one.example",
        "--cors-origin",
        "https://two.example",
    ]));
    for (origin, allowed) in [("https://two.example", "https://two.example"), ("https://three.example", "")] {
        let page = server.anonymous().header("origin", origin);
        let preflight = page.call(Method::OPTIONS, ME, None::<&[u8]>).await;
        assert_eq!(
            (preflight.status.as_u16(), preflight.header("access-control-allow-origin")),
            (204, allowed)
        );
        if !allowed.is_empty() {
            assert_eq!(preflight.header("vary"), "Origin", "or a cache would hand it to another page");
        }
    }
}
