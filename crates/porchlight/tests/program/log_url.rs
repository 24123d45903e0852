//! `--log` and `--node-name`: what is wrong in them is told with the part and what is allowed, and without a password.

use tokio::time::Instant;

use crate::support::{PATIENCE, porchlight, refusal, run, text};

const WRONG: i32 = 64;
const UNAVAILABLE: i32 = 69;

/// Nobody listens there: a port that programs do not take unless they are told to.
const NOBODY: &str = "jetstream://127.0.0.1:1/?patience=PT1S";

#[test]
fn what_is_wrong_in_the_url_is_named_with_what_is_allowed() {
    let table = [
        ("nats://a", "log: it must begin with jetstream://, as in jetstream://127.0.0.1:4222"),
        ("jetstream://a/?replicas=2", "log: replicas must be 1, 3 or 5, not '2'"),
        ("jetstream://a/?cells=0", "log: cells must be 1 to 256, not '0'"),
        (
            "jetstream://me:secret?@a",
            "log: what stands before the @ must be USER:PASSWORD, each percent-encoded where it has a /, ?, @ or :",
        ),
        (
            "jetstream://a/?user=me",
            "log: there is no parameter 'user'; there are ca, cells, certificate, credentials, key, monitoring, \
             patience, prefix, replicas, tls",
        ),
    ];
    let place = tempfile::tempdir().expect("a folder");
    let config = place.path().join("porchlight.toml");
    for (url, expected) in table {
        std::fs::write(&config, format!("log = \"{url}\"\n")).expect("the file can be written");
        let mut by_variable = porchlight(&["serve"]);
        by_variable.env("PORCHLIGHT_LOG_URL", url);
        let commands = [
            porchlight(&["serve", "--log", url]),
            by_variable,
            porchlight(&["serve", "--config", text(&config)]),
            porchlight(&["backup", "--log", url, "never-written"]),
            porchlight(&["restore", "--log", url, "never-read"]),
        ];
        for mut command in commands {
            assert_eq!(refusal(&run(&mut command), WRONG), expected, "{command:?}");
        }
    }
}

#[test]
fn what_makes_no_sense_beside_it_is_refused_with_the_reason() {
    let ephemeral = "log and ephemeral exclude each other: what is in NATS outlives this process";
    let durability = "log and durability exclude each other: what an answered write survives is up to replicas and to the \
                      sync_interval of NATS";
    for (more, expected) in [(["--ephemeral", "true"], ephemeral), (["--durability", "full"], durability)] {
        let mut command = porchlight(&["serve", "--log", NOBODY]);
        assert_eq!(refusal(&run(command.args(more)), WRONG), expected);
    }
}

#[test]
fn a_node_has_a_name_that_fits_into_a_header_and_a_table() {
    let long = "n".repeat(65);
    for name in ["", "two words", "näme", &long] {
        let ended = run(&mut porchlight(&["serve", "--ephemeral", "--node-name", name]));
        let expected = "node_name must have 1 to 64 characters of A-Z, a-z, 0-9, -, . and _";
        assert_eq!(refusal(&ended, WRONG), expected, "{name}");
    }
}

#[test]
fn help_does_not_show_the_password_that_a_variable_holds() {
    for command in ["serve", "backup", "restore"] {
        let help =
            run(porchlight(&[command, "--help"]).env("PORCHLIGHT_LOG_URL", "jetstream://me:hunter2@a"));
        assert!(!help.answer().contains("hunter2"), "{command}");
    }
}

#[test]
fn servers_that_are_not_there_are_waited_for_as_long_as_the_url_says() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("file");
    let commands = [
        porchlight(&["serve", "--listen", "127.0.0.1:0", "--log", NOBODY]),
        porchlight(&["backup", "--log", NOBODY, text(&file)]),
    ];
    for mut command in commands {
        let begun = Instant::now();
        let ended = run(&mut command);
        assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
        assert_eq!(ended.code, Some(UNAVAILABLE), "{ended:?}");
        assert!(ended.out.is_empty(), "{ended:?}");
        let last = ended.err.last().map(String::as_str).unwrap_or_default();
        assert!(last.starts_with("porchlight: no NATS server answers at 127.0.0.1:1: "), "{ended:?}");
    }
    assert!(!file.exists());
}
