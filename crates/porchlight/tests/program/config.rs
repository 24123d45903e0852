//! `porchlight config`: a file to begin with, and what is said of one.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{Program, porchlight, refusal, run, text};

const WRONG: i32 = 64;
const CANNOT_CREATE: i32 = 73;

#[tokio::test]
async fn a_file_to_begin_with_is_one_that_serve_takes() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("porchlight.toml");
    let said = run(&mut porchlight(&["config", "init", text(&file)])).answer();
    assert!(said.starts_with(&format!("{}: every key with its default", file.display())), "{said}");
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let template = run(&mut porchlight(&["config", "init"])).answer();
    assert_eq!(fs::read_to_string(&file).expect("it is there").trim_end(), template);

    let checked = run(&mut porchlight(&["config", "check", text(&file)])).answer();
    assert_eq!(checked, format!("{}: serve would take it", file.display()));
    let serve = ["serve", "--ephemeral", "--listen", "127.0.0.1:0", "--config", text(&file)];
    let server = Program::start(&mut porchlight(&serve));
    assert_eq!(server.anonymous().get("/porchlight/health").await.status, 200);

    let again = refusal(&run(&mut porchlight(&["config", "init", text(&file)])), WRONG);
    assert_eq!(again, format!("{} is there already: remove it, or name another file", file.display()));
    let nowhere =
        refusal(&run(&mut porchlight(&["config", "init", "/nowhere/porchlight.toml"])), CANNOT_CREATE);
    assert!(nowhere.starts_with("/nowhere/porchlight.toml cannot be written: No such file"), "{nowhere}");
}

#[test]
fn what_serve_would_not_take_is_told_with_its_line() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("porchlight.toml");
    fs::write(&file, "threads = 2\n\n[limits]\nstreams = 5\nrequests = 0\n").expect("it can be written");
    let refused = refusal(&run(&mut porchlight(&["config", "check", text(&file)])), WRONG);
    assert_eq!(refused, format!("{}, line 5: limits.requests must be at least 1", file.display()));
    fs::write(&file, "threads = 2\ncolour = 1\n").expect("it can be written");
    let ended = run(&mut porchlight(&["config", "check", text(&file)]));
    let said = ended.complaint(WRONG);
    assert!(said[0].ends_with("TOML parse error at line 2, column 1"), "{said:#?}");
}

#[test]
fn the_settings_in_force_are_those_of_file_and_environment_without_secrets() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("porchlight.toml");
    let config = "log = \"jetstream://me:hunter2@nats/?replicas=3\"\nthreads = 2\n[traces]\n\
                  endpoint = \"https://traces.example/v1/traces?key=hunter2\"\n[[auth.api_key]]\nhash = \
                  \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"\n\
                  tenant = \"9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77\"\n\
                  application = \"5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21\"\npermissions = [\"Presence.Read.All\"]\n";
    fs::write(&file, config).expect("it can be written");
    let effective = |json: &[&str]| {
        let mut command = porchlight(&["config", "check", "--effective", text(&file)]);
        run(command.args(json).env("PORCHLIGHT_LISTEN", "127.0.0.1:9999")).answer()
    };
    let said = effective(&[]);
    for line in [
        "listen = \"127.0.0.1:9999\"",
        "threads = 2",
        "log = \"jetstream://me:(hidden)@nats:4222/?replicas=3\"",
        "[[auth.api_key]]",
        "hash = \"(hidden)\"",
        "sessions = 32",
        "enabled = true",
        "endpoint = \"https://traces.example/v1/traces?(hidden)\"",
    ] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    let settings: Value = serde_json::from_str(&effective(&["--json"])).expect("one document");
    assert_eq!(settings["limits"]["body_time"], "PT30S");
    for secret in ["hunter2", "00112233"] {
        assert!(!said.contains(secret) && !settings.to_string().contains(secret), "{secret}");
    }
}
