//! The receivers under `examples/`, each as it stands there, against the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use porchlight_testkit::{ADA, APP_A};
use rustix::process::Signal;
use serde_json::json;

use crate::support::{Process, Program, in_memory, presence_of, run};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// An example of Ben's.
fn command(name: &str) -> Command {
    let interpreter = if name.starts_with("python") { "python3" } else { "node" };
    let mut command = Command::new(interpreter);
    command.arg(example(name)).env("PORCHLIGHT_TOKEN", "dev:ben:");
    command
}

async fn set_ada(server: &Program, availability: &str, activity: &str) {
    let body = json!({
        "sessionId": APP_A, "availability": availability, "activity": activity, "expirationDuration": "PT1H",
    });
    let client = server.client(&format!("{APP_A}:"));
    let answer = client.post(&format!("{}/setPresence", presence_of(ADA)), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Waits until the process has said this line.
fn has_said(process: &Process, line: &str) {
    let found = process.out.find(|lines| lines.iter().any(|said| said == line).then_some(()));
    assert!(
        found.is_some(),
        "waited in vain for {line:?}: {:?} {:?}",
        process.out.lines(),
        process.err.lines()
    );
}

#[tokio::test]
async fn who_follows_is_told_as_it_happens() {
    let server = Program::start(&mut in_memory());
    for name in ["python/follow.py", "javascript/follow.mjs"] {
        let follower = Process::spawn(command(name).arg(server.url()));
        has_said(&follower, "up to date: 12 people");
        set_ada(&server, "Busy", "InACall").await;
        has_said(&follower, &format!("{ADA} Busy/InACall"));
        set_ada(&server, "Away", "Away").await;
        has_said(&follower, &format!("{ADA} Away/Away"));
    }
}

#[tokio::test]
async fn who_asks_by_delta_is_told_what_has_changed_since() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state.txt");
    let server = Program::start(&mut in_memory());
    let ask = || {
        let ended = run(command("python/delta.py").arg(server.url()).arg(&state));
        ended.answer().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ask().last().map(String::as_str), Some("12 told"));
    set_ada(&server, "Busy", "InACall").await;
    assert_eq!(ask(), [format!("{ADA} Busy/InACall"), "1 told".to_owned()]);
    std::fs::write(&state, format!("{}/v1.0/communications/presences/delta?$deltatoken=old", server.url()))
        .expect("it can be written");
    let told = ask();
    assert_eq!((told.first().map(String::as_str), told.len()), (Some("beginning anew"), 14));
}

#[tokio::test]
async fn a_light_changes_its_colour() {
    let server = Program::start(&mut in_memory());
    let light =
        Process::spawn(command("python/light.py").arg(format!("{}{}", server.url(), presence_of(ADA))));
    has_said(&light, "off");
    set_ada(&server, "Busy", "InACall").await;
    has_said(&light, "red");
    set_ada(&server, "Available", "Available").await;
    has_said(&light, "green");
    server.advance("PT10M").await;
    has_said(&light, "yellow");
}

/// Starts a receiver of webhooks, which is a server too.
fn receiver(name: &str, server: &Program, more: &[&Path]) -> Program {
    let receiver = Program::start(command(name).arg("--base").arg(server.url()).args(more));
    has_printed(&receiver, "subscribed until ", 1);
    receiver
}

/// Waits until a receiver has printed so many lines that begin like this.
fn has_printed(receiver: &Program, beginning: &str, count: usize) {
    let is_so = |lines: &[String]| lines.iter().filter(|line| line.starts_with(beginning)).count() >= count;
    let found = receiver.out().find(|lines| is_so(lines).then_some(()));
    assert!(found.is_some(), "waited in vain for {beginning:?}: {:?}", receiver.out().lines());
}

/// How many subscriptions Ben has.
async fn subscriptions(server: &Program) -> usize {
    let answer = server.client("ben:").get("/v1.0/subscriptions").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["value"].as_array().expect("a list").len()
}

/// Lets a receiver be told of two changes, then ends it: its subscription ends with it.
async fn is_told_until(signal: Signal, server: &Program, receiver: Program) {
    assert_eq!(subscriptions(server).await, 1);
    let told = [format!("{ADA} Busy/InACall"), format!("{ADA} Away/Away")];
    set_ada(server, "Busy", "InACall").await;
    has_printed(&receiver, &told[0], 1);
    set_ada(server, "Away", "Away").await;
    has_printed(&receiver, &told[1], 1);
    let ended = receiver.stop_by(signal);
    let lines: Vec<&String> = ended.out.iter().filter(|line| line.starts_with(ADA)).collect();
    assert_eq!(lines, [&told[0], &told[1]], "each once: {ended:?}");
    assert!(ended.err.is_empty(), "{ended:?}");
    assert_eq!(subscriptions(server).await, 0);
}

#[tokio::test]
async fn a_webhook_is_called_until_its_receiver_stops() {
    let server = Program::start(&mut in_memory());
    for signal in [Signal::INT, Signal::TERM] {
        is_told_until(signal, &server, receiver("python/webhook.py", &server, &[])).await;
    }
}

#[tokio::test]
async fn a_webhook_with_a_certificate_is_sent_what_it_alone_can_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
    // As the example says.
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=webhook"]);
    let made = run(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate));
    assert_eq!(made.code, Some(0), "{made:?}");

    let server = Program::start(&mut in_memory());
    let files = [Path::new("--key"), key.as_path(), Path::new("--certificate"), certificate.as_path()];
    for signal in [Signal::INT, Signal::TERM] {
        is_told_until(signal, &server, receiver("javascript/webhook.mjs", &server, &files)).await;
    }
}

#[tokio::test]
async fn a_webhook_goes_on_after_it_was_warned_of_its_end() {
    let server = Program::start(&mut in_memory());
    let receiver = receiver("python/webhook.py", &server, &[]);
    // Ten of its fifty minutes are left.
    server.advance("PT40M").await;
    has_printed(&receiver, "subscribed until ", 2);
    set_ada(&server, "Busy", "InACall").await;
    has_printed(&receiver, &format!("{ADA} Busy/InACall"), 1);
    let ended = receiver.stop();
    assert_eq!(ended.err, ["reauthorizationRequired"], "{ended:?}");
    assert_eq!(subscriptions(&server).await, 0);
}
