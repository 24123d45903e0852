//! Traces: a request, its append and the webhook that tells of it, as a collector gets them.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Fact;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use porchlight_testkit::{ADA, Receiver, Validation};
use prost::Message;
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::support::{CLOCK, ME, PATIENCE, Program, in_memory, presence_of, refusal, run, serve, text};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

/// What a collector was sent.
struct Collected {
    spans: Vec<Span>,
    /// As it came.
    bytes: Vec<u8>,
}

impl Collected {
    /// Everything, of a server that has stopped.
    fn of(collector: &Receiver) -> Collected {
        let mut collected = Collected { spans: Vec::new(), bytes: Vec::new() };
        for request in collector.take_all() {
            assert_eq!(request.target, "/v1/traces");
            assert_eq!(request.header("content-type"), "application/x-protobuf");
            let sent = ExportTraceServiceRequest::decode(request.body.clone()).expect("it is protobuf");
            for resource in sent.resource_spans {
                let names = resource.resource.expect("it says who sends it").attributes;
                assert!(names.iter().any(|name| name.key == "service.name"), "{names:?}");
                collected.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
            collected.bytes.extend_from_slice(&request.body);
        }
        collected
    }

    /// The one span of this name.
    fn the(&self, name: &str) -> &Span {
        let mut found = self.spans.iter().filter(|span| span.name == name);
        let first = found.next().unwrap_or_else(|| panic!("no {name}: {:#?}", self.spans));
        assert!(found.next().is_none(), "more than one {name}: {:#?}", self.spans);
        first
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// What a span says of itself.
fn facts(span: &Span) -> BTreeMap<&str, String> {
    let fact = |value: &Fact| match value {
        Fact::StringValue(text) => text.clone(),
        Fact::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let facts = span.attributes.iter().filter_map(|attribute| {
        let value = attribute.value.as_ref()?.value.as_ref()?;
        Some((attribute.key.as_str(), fact(value)))
    });
    facts.collect()
}

/// A development server that traces this share of requests.
fn traced(collector: &Receiver, sample: &str, folder: &std::path::Path) -> Program {
    let config = folder.join("porchlight.toml");
    std::fs::write(&config, format!("[traces]\nsample = {sample}\n")).expect("the file can be written");
    let endpoint = collector.url("/v1/traces");
    Program::start(in_memory().args(["--config", text(&config), "--traces-endpoint", &endpoint]))
}

/// A subscription to Ada that the server takes.
async fn order(server: &Program, receiver: &Receiver) -> Value {
    let clock = server.anonymous().get(CLOCK).await.json();
    let now: jiff::Timestamp = clock["now"].as_str().and_then(|now| now.parse().ok()).expect("an instant");
    json!({
        "changeType": "updated",
        "notificationUrl": receiver.url("/"),
        "resource": format!("communications/presences/{ADA}"),
        "expirationDateTime": (now + std::time::Duration::from_secs(50 * 60)).to_string(),
    })
}

async fn subscribe(server: &Program, receiver: &Receiver) {
    let made = server.client("ada:").post("/v1.0/subscriptions", &order(server, receiver).await).await;
    assert_eq!(made.status, 201, "{made:?}");
}

fn pair(availability: &str) -> Value {
    json!({"availability": availability, "activity": availability})
}

#[tokio::test]
async fn a_trace_spans_the_request_its_append_and_the_webhook_that_tells_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (collector, receiver) = (Receiver::start().await, Receiver::start().await);
    let server = traced(&collector, "0.0", folder.path());
    subscribe(&server, &receiver).await;
    let path = presence_of("ada@porchlight.example");
    let unsampled = server.client("ada:").header("traceparent", &format!("00-{TRACE}-{CLIENT}-00"));
    assert_eq!(unsampled.patch(&path, &pair("Busy")).await.status, 200);
    assert_eq!(receiver.next().await.header("traceparent"), "", "what is not traced is not handed on");
    let sampled = server.client("ada:").header("traceparent", &format!("00-{TRACE}-{CLIENT}-01"));
    let written = sampled.patch(&path, &pair("Away")).await;
    assert_eq!(written.status, 200, "{written:?}");
    let told = receiver.next().await;
    // What waits goes out before the server ends.
    server.stop();

    let collected = Collected::of(&collector);
    for span in &collected.spans {
        assert_eq!(hexadecimal(&span.trace_id), TRACE, "nothing else is traced: {span:#?}");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:#?}");
    }
    let request = collected.the("presence");
    assert_eq!(hexadecimal(&request.parent_span_id), CLIENT);
    assert_eq!(request.kind, SpanKind::Server as i32);
    let said = facts(request);
    let expected = [
        ("http.request.method", "PATCH"),
        ("http.route", "presence"),
        ("http.response.status_code", "200"),
        ("porchlight.request", written.header("request-id")),
    ];
    assert_eq!(said, BTreeMap::from(expected.map(|(name, value)| (name, value.to_owned()))));
    let append = collected.the("append");
    for part in [append, collected.the("lane"), collected.the("body")] {
        assert_eq!(part.parent_span_id, request.span_id, "{part:#?}");
        assert_eq!(part.kind, SpanKind::Internal as i32);
        assert!(part.start_time_unix_nano >= request.start_time_unix_nano, "{part:#?}");
    }
    let webhook = collected.the("webhook");
    assert_eq!(webhook.parent_span_id, append.span_id);
    assert_eq!(webhook.kind, SpanKind::Client as i32);
    assert_eq!(facts(webhook)["server.address"], "127.0.0.1");
    assert_eq!(facts(webhook)["http.response.status_code"], "202");
    assert_eq!(told.header("traceparent"), format!("00-{TRACE}-{}-01", hexadecimal(&webhook.span_id)));
    assert_eq!(collected.spans.len(), 5, "{:#?}", collected.spans);
    let all = String::from_utf8_lossy(&collected.bytes).to_lowercase();
    assert!(!all.contains(ADA) && !all.contains("ada@"), "nobody is named");
}

#[tokio::test]
async fn what_no_client_traces_is_traced_by_chance_under_the_requests_own_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Receiver::start().await;
    let server = traced(&collector, "1.0", folder.path());
    let read = server.client("ada:").get(ME).await;
    assert_eq!(read.status, 200, "{read:?}");
    let request = read.header("request-id").replace('-', "");
    server.stop();
    let collected = Collected::of(&collector);
    let span = collected.the("presence");
    assert_eq!(hexadecimal(&span.trace_id), request);
    assert!(span.parent_span_id.is_empty(), "{span:#?}");
}

#[tokio::test]
async fn a_request_whose_client_goes_away_has_failed_and_a_method_that_nobody_knows_has_no_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (collector, receiver) = (Receiver::start().await, Receiver::start().await);
    let server = traced(&collector, "1.0", folder.path());
    // As long as nobody waits for it.
    receiver.validate_with(Validation::Late(PATIENCE));
    let order = order(&server, &receiver).await.to_string();
    let mut client = Connection::open(server.address()).await.expect("the server listens");
    client.send("POST", "/v1.0/subscriptions", &order).await.expect("the server reads");
    let asked = async {
        while receiver.validations().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("the endpoint is asked in time");
    assert!(client.leave().await.is_none(), "it has no answer yet");
    let mut client = Connection::open(server.address()).await.expect("the server listens");
    let refused = client.call("BREW", ME, "").await.expect("it is answered");
    assert_eq!(refused.status, 405, "{refused:?}");
    server.stop();

    let collected = Collected::of(&collector);
    let left = collected.the("subscriptions");
    let is_failed =
        |span: &Span| span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
    assert!(is_failed(left), "{left:#?}");
    assert_eq!(facts(left).get("http.response.status_code"), None);
    assert_eq!(collected.the("endpoint").parent_span_id, left.span_id);
    let brewed = collected.the("presence");
    assert_eq!(facts(brewed)["http.request.method"], "_OTHER");
    assert!(!is_failed(brewed), "{brewed:#?}");
}

#[tokio::test]
async fn a_collector_that_does_not_answer_costs_spans_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("porchlight.toml");
    let nobody = "[traces]\nendpoint = \"http://127.0.0.1:1/v1/traces\"\nsample = 1.0\n";
    std::fs::write(&config, nobody).expect("the file can be written");
    let server = Program::start(in_memory().args(["--config", text(&config)]));
    assert_eq!(server.client("ada:").patch(ME, &pair("Busy")).await.status, 200);
    let complaint = "spans of traces cannot be sent";
    let said = server.err().find(|lines| lines.iter().find(|line| line.contains(complaint)).cloned());
    assert!(said.is_some(), "{:?}", server.err().lines());
    assert!(server.metrics().await.of("porchlight_spans_lost_total") > 0);
    server.stop();
}

#[test]
fn an_endpoint_that_is_none_is_refused() {
    let ended = run(&mut serve(&["--dev", "--ephemeral", "--traces-endpoint", "collector:4318"]));
    let message = refusal(&ended, 64);
    assert!(message.starts_with("traces.endpoint must be a URL such as http"), "{message}");
}
