//! A log that fails: reads go on, writes say that they may be lost, and nothing acknowledged ever is.

use std::time::Duration;

use porchlight_engine::Recent;
use porchlight_http::Development;
use porchlight_store::Fault;
use porchlight_testkit::{BEN, TestServer};
use serde_json::{Value, json};

use crate::support::{Answer, Connection, ME, Message, ask, eventually, pair, presence, within};

/// One write.
struct Step {
    who: &'static str,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    /// What its person shows after it.
    shows: &'static str,
}

const fn step(
    who: &'static str,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    shows: &'static str,
) -> Step {
    Step { who, method, path, body, shows }
}

const SESSION: &str = r#"{"sessionId":"5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21","availability":"Available","activity":"Available","expirationDuration":"PT1H"}"#;
const CALL: &str = r#"{"sessionId":"5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21","availability":"Busy","activity":"InACall","expirationDuration":"PT1H"}"#;
const DISTURB_NOT: &str = r#"{"availability":"DoNotDisturb","activity":"DoNotDisturb"}"#;

/// Writes of every kind. Two people take turns, so that the write after a failed one is always the other's.
static SCENARIO: [Step; 12] = [
    step("ada", "POST", "/setPresence", SESSION, "Available/Available"),
    step("ben", "PATCH", "", r#"{"availability":"Busy","activity":"InAMeeting"}"#, "Busy/InAMeeting"),
    step(
        "ada",
        "POST",
        "/setStatusMessage",
        r#"{"statusMessage":{"message":{"content":"x"}}}"#,
        "Available/Available",
    ),
    step("ben", "POST", "/setPresence", CALL, "Busy/InAMeeting"),
    // A keep-alive: only the end of the session moves.
    step("ada", "POST", "/setPresence", SESSION, "Available/Available"),
    step("ben", "POST", "/clearUserPreferredPresence", "{}", "Busy/InACall"),
    step("ada", "POST", "/setUserPreferredPresence", DISTURB_NOT, "DoNotDisturb/DoNotDisturb"),
    step("ben", "POST", "/setManualLocation", r#"{"workLocationType":"office"}"#, "Busy/InACall"),
    step(
        "ada",
        "PATCH",
        "",
        r#"{"outOfOfficeSettings":{"isOutOfOffice":true}}"#,
        "DoNotDisturb/DoNotDisturb",
    ),
    step(
        "ben",
        "POST",
        "/clearPresence",
        r#"{"sessionId":"5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21"}"#,
        "Offline/Offline",
    ),
    step("ada", "POST", "/clearUserPreferredPresence", "", "Available/OutOfOffice"),
    step("ben", "DELETE", "", "", "Offline/Offline"),
];

impl Step {
    async fn send(&self, server: &TestServer) -> Answer {
        let message = Message::by(self.who, self.method, &format!("{ME}{}", self.path));
        let message = if self.body.is_empty() { message } else { message.json(self.body) };
        ask(server.address(), &message).await
    }
}

/// Takes the `number`-th step of the scenario, at its second of the clock.
async fn take(server: &TestServer, number: usize) {
    server.advance_to(Duration::from_secs(number as u64));
    let answer = SCENARIO[number - 1].send(server).await;
    assert!(matches!(answer.status, 200 | 204), "step {number}: {answer:?}");
}

/// What both people show to themselves, and why: Ada's presence, Ada's layers, Ben's presence, Ben's layers.
async fn views(server: &TestServer) -> Vec<Value> {
    let mut views = Vec::new();
    for who in ["ada", "ben"] {
        for path in ["", "/porchlight.explain"] {
            let message = Message::by(who, "GET", &format!("{ME}{path}"));
            let message = message.header("Accept", "application/json;odata.metadata=none");
            let answer = ask(server.address(), &message).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            views.push(answer.json());
        }
    }
    views
}

/// The views before the first step and after each, on a server whose log does not fail.
async fn without_faults() -> Vec<Vec<Value>> {
    let server = TestServer::start().await;
    let mut all = vec![views(&server).await];
    for (number, step) in (1..).zip(&SCENARIO) {
        take(&server, number).await;
        let now = views(&server).await;
        let own = if step.who == "ada" { &now[0] } else { &now[2] };
        assert_eq!(pair(own), step.shows, "step {number}");
        assert_ne!(Some(&now), all.last(), "step {number} can be seen");
        all.push(now);
    }
    all
}

fn assert_unconfirmed(answer: &Answer, context: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (503, "ServiceUnavailable"), "{context}: {answer:?}");
    assert!(answer.message().contains("may have been written"), "{context}: {answer:?}");
    assert_eq!(answer.flaw(), None, "{context}");
}

async fn health(server: &TestServer) -> u16 {
    ask(server.address(), &Message::anonymous("GET", "/porchlight/health")).await.status
}

/// The scenario on a log that fails at the `n`-th append. Returns how many steps were there once it had recovered.
async fn survive(fault: Fault, n: usize, expected: &[Vec<Value>]) -> usize {
    let context = format!("{fault:?} at append {n}");
    let server = TestServer::start().await;
    server.memory().fail_at(n as u64, fault);
    for number in 1..n {
        take(&server, number).await;
    }
    server.advance_to(Duration::from_secs(n as u64));
    assert_unconfirmed(&SCENARIO[n - 1].send(&server).await, &context);
    assert_eq!(views(&server).await, expected[n - 1], "{context}: reads show what was acknowledged");

    // The log fails for everybody. A late one takes what comes, but does not confirm it.
    if let Some(other) = SCENARIO.get(n) {
        if fault == Fault::Late {
            server.advance_to(Duration::from_secs(n as u64 + 1));
        }
        let answer = other.send(&server).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (503, "ServiceUnavailable"),
            "{context}: {answer:?}"
        );
        assert_eq!(answer.flaw(), None, "{context}");
        assert_eq!(views(&server).await, expected[n - 1], "{context}: nor does the other write show");
    }
    assert_eq!(health(&server).await, if fault == Fault::Late { 200 } else { 503 }, "{context}");

    server.memory().resolve();
    assert_eq!(health(&server).await, 200, "{context}");
    let now = views(&server).await;
    let written = match fault {
        Fault::FailedNotWritten => n - 1,
        Fault::Late if expected.get(n + 1) == Some(&now) => n + 1,
        Fault::FailedAndWritten | Fault::Late => n,
    };
    assert_eq!(now, expected[written], "{context}: what is kept is exactly what was written");
    for number in written + 1..=SCENARIO.len() {
        take(&server, number).await;
    }
    assert_eq!(Some(&views(&server).await), expected.last(), "{context}: all goes on as if nothing had been");
    written
}

#[tokio::test]
async fn a_write_that_failed_after_it_was_written_is_there_in_the_end() {
    let expected = without_faults().await;
    for n in 1..=SCENARIO.len() {
        survive(Fault::FailedAndWritten, n, &expected).await;
    }
}

#[tokio::test]
async fn a_write_that_failed_before_it_was_written_is_not_there_in_the_end() {
    let expected = without_faults().await;
    for n in 1..=SCENARIO.len() {
        survive(Fault::FailedNotWritten, n, &expected).await;
    }
}

#[tokio::test]
async fn a_write_that_is_late_is_there_in_the_end_with_those_behind_it() {
    let expected = without_faults().await;
    let mut followed = 0;
    for n in 1..=SCENARIO.len() {
        followed += survive(Fault::Late, n, &expected).await - n;
    }
    // Two people share a lane once in 4,096 times; then the second write is not taken, and not written.
    assert!(followed >= SCENARIO.len() - 3, "{followed} of the other writes were taken");
}

#[tokio::test]
async fn a_second_write_to_the_same_person_does_not_hang_while_the_first_is_unknown() {
    for fault in [Fault::FailedAndWritten, Fault::FailedNotWritten, Fault::Late] {
        let server = TestServer::start().await;
        let (first, second) = (&SCENARIO[0], &SCENARIO[2]);
        server.memory().inject(fault);
        assert_unconfirmed(&first.send(&server).await, &format!("{fault:?}"));
        let answer = second.send(&server).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (503, "ServiceUnavailable"),
            "{fault:?}: {answer:?}"
        );
        assert_eq!(answer.flaw(), None, "{fault:?}");
        server.memory().resolve();
        assert_eq!(second.send(&server).await.status, 200, "{fault:?}");
        let shown = presence(server.address(), "ada").await;
        assert_eq!(shown["statusMessage"]["message"]["content"], "x", "{fault:?}");
        let expected =
            if fault == Fault::FailedNotWritten { "Offline/Offline" } else { "Available/Available" };
        assert_eq!(pair(&shown), expected, "{fault:?}");
    }
}

#[tokio::test]
async fn a_fault_in_a_batch_fails_its_step_and_what_depends_on_it() {
    let server = TestServer::start().await;
    server.memory().inject(Fault::FailedNotWritten);
    let batch = json!({"requests": [
        {"id": "write", "method": "PATCH", "url": "/me/presence", "body": {"availability": "Busy"}},
        {"id": "next", "method": "GET", "url": "/me/presence", "dependsOn": ["write"]},
        {"id": "read", "method": "GET", "url": "/me/presence"},
    ]});
    let answer =
        ask(server.address(), &Message::by("ada", "POST", "/v1.0/$batch").json(batch.to_string())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answers = answer.json()["responses"].clone();
    let statuses = [0, 1, 2].map(|at: usize| answers[at]["status"].as_u64().unwrap_or_default());
    assert_eq!(statuses, [503, 424, 200], "{answers}");
    assert_eq!(answers[0]["body"]["error"]["code"], "ServiceUnavailable");
    let seconds =
        answers[0]["headers"]["Retry-After"].as_str().and_then(|seconds| seconds.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds >= 1), "{answers}");
    assert_eq!(pair(&answers[2]["body"]), "Offline/Offline");
}

#[tokio::test]
async fn time_stands_still_for_everybody_while_a_write_hangs_and_nothing_is_lost() {
    let server = TestServer::start().await;
    let available = |who| Step { who, ..step("", "POST", "/setPresence", SESSION, "") };
    assert_eq!(available("ada").send(&server).await.status, 200);
    assert_eq!(available("ben").send(&server).await.status, 200);
    let before = presence(server.address(), "ada").await;

    // A keep-alive one second before the fade that it prevents; it hangs until a second after it.
    server.advance_to(Duration::from_secs(299));
    server.memory().inject(Fault::Late);
    assert_unconfirmed(&available("ada").send(&server).await, "the keep-alive");
    server.advance_to(Duration::from_secs(301));
    assert_eq!(pair(&presence(server.address(), "ben").await), "Available/Available", "his fade has to wait");
    assert_eq!(presence(server.address(), "ada").await, before);

    let tenant = server.engine().tenant(Development::TENANT).expect("the demo tenant");
    let mut told = tenant.feed().follow();
    let from = *told.borrow_and_update();
    server.memory().resolve();
    assert_eq!(pair(&presence(server.address(), "ben").await), "Available/AvailableInactive");
    assert_eq!(presence(server.address(), "ada").await, before, "hers never was");
    within("word of Ben's fade", told.changed()).await.expect("the feed goes on");
    let Recent::Changes(changes, _) = tenant.feed().since_number(from, usize::MAX) else {
        panic!("there were few changes")
    };
    let users: Vec<String> = changes.iter().map(|change| change.user.to_string()).collect();
    assert_eq!(users, [BEN], "and nobody is told of any other");
}

#[tokio::test]
async fn a_write_whose_client_has_gone_is_finished_all_the_same() {
    for fault in [Fault::Late, Fault::FailedAndWritten] {
        let server = TestServer::start().await;
        let before = server.engine().log_stats().appends;
        server.memory().inject(fault);
        let message = Message::by("ada", "PATCH", ME).json(r#"{"availability":"Busy"}"#);
        let mut gone = Connection::open(server.address()).await;
        gone.send(&message.bytes()).await.expect("the server listens");
        eventually("the write", || server.engine().log_stats().appends > before).await;
        drop(gone);
        assert_eq!(pair(&presence(server.address(), "ada").await), "Offline/Offline", "{fault:?}");
        server.memory().resolve();
        assert_eq!(pair(&presence(server.address(), "ada").await), "Busy/Busy", "{fault:?}");
        // And nothing stands in the way of the next.
        let message = Message::by("ada", "PATCH", ME).json(r#"{"availability":"Away"}"#);
        assert_eq!(ask(server.address(), &message).await.pair(), "Away/Away", "{fault:?}");
    }
}
