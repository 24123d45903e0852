//! A log that dawdles: the line of a request that was slow for it says so, and where the time went.

use std::io;
use std::sync::{Mutex, Once};
use std::time::Duration;

use porchlight_store::Fault;
use porchlight_testkit::{Answer, TestServer};
use serde_json::{Value, json};

/// How long a write waits for the log of a test's server.
const APPEND: Duration = Duration::from_millis(200);

/// A request is slow from here on: one that has waited so long is, and no other.
const SLOW: Duration = Duration::from_millis(190);

/// The log of all servers of this process.
static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LINES.lock().expect("nobody panics while they hold it").extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn keep_lines() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::fmt().json().flatten_event(true).with_writer(|| Lines).init());
}

/// The line of the request with this answer, if there is one.
fn line_of(answer: &Answer) -> Option<Value> {
    let lines = LINES.lock().expect("nobody panics while they hold it").clone();
    let lines =
        lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut own = lines.filter(|line| line["request"] == answer.header("request-id"));
    own.find(|line| line["target"] == "porchlight::request")
}

/// That many milliseconds were waited for this, and not much longer.
fn waited(line: &Value, part: &str) -> bool {
    let millis = line[part].as_f64().unwrap_or_default();
    (APPEND.as_secs_f64() * 1000.0..5_000.0).contains(&millis)
}

#[tokio::test]
async fn the_line_of_a_slow_request_says_where_the_time_went_and_names_nobody() {
    keep_lines();
    let server = TestServer::builder().settings(|settings| settings.slow_request = SLOW).start().await;
    let path = "/v1.0/users/ada@porchlight.example/presence";
    let (ada, busy) = (server.client("ada:"), json!({"availability": "Busy", "activity": "Busy"}));
    let quick = ada.patch(path, &busy).await;
    assert_eq!(quick.status, 200, "{quick:?}");
    server.memory().inject(Fault::Late);
    let late = ada.patch(path, &busy).await;
    assert_eq!(late.status, 503, "{late:?}");
    let behind = ada.patch(path, &busy).await;
    assert_eq!(behind.status, 503, "{behind:?}");
    server.memory().resolve();

    assert_eq!(line_of(&quick), None, "what is quick has no line");
    for (answer, part, other) in [(&late, "append_ms", "endpoint_ms"), (&behind, "lane_ms", "append_ms")] {
        let line = line_of(answer).expect("what is slow has a line");
        assert_eq!(
            (&line["level"], &line["slow"], &line["status"]),
            (&json!("WARN"), &json!(true), &json!(503))
        );
        assert_eq!((&line["method"], &line["route"]), (&json!("PATCH"), &json!("presence")), "{line}");
        assert_eq!(line["path"], "/v1.0/users/{name}/presence", "{line}");
        assert!(waited(&line, part) && waited(&line, "took_ms"), "{line}");
        assert_eq!(line[other], Value::Null, "what was not waited for is left out: {line}");
    }
}
