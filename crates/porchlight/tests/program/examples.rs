//! The receivers under `examples/`, each as it stands there, against the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use porchlight_testkit::{ADA, APP_A};
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
