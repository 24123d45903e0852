//! What is wrong with flags, configuration files and seed files: exit code 64, and a message that names the place.

use std::path::Path;

use crate::support::{porchlight, refusal, run, text};

const WRONG: i32 = 64;

const COMMANDS: [&str; 10] =
    ["serve", "healthcheck", "status", "doctor", "backup", "restore", "token", "api-key", "trust", "version"];

/// What a server says that is started with this configuration file: every line.
fn with_config(folder: &Path, config: &str) -> Vec<String> {
    let file = folder.join("porchlight.toml");
    std::fs::write(&file, config).expect("the file can be written");
    run(&mut porchlight(&["serve", "--config", text(&file)])).complaint(WRONG).to_vec()
}

/// The same, in one line and without the place of the file.
fn rule_broken_by(config: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let said = with_config(folder.path(), config);
    let [line] = said.as_slice() else { panic!("more than one line: {said:?}") };
    line.replace(text(folder.path()), "")
}

#[test]
fn a_wrong_command_line_is_refused_with_what_is_wrong() {
    let table: [(&[&str], &str); 20] = [
        (&["nonsense"], "unrecognized subcommand 'nonsense'"),
        (&["serve", "--nonsense"], "unexpected argument '--nonsense' found"),
        (&["serve", "nonsense"], "unexpected argument 'nonsense' found"),
        (
            &["serve", "--listen", "here"],
            "invalid value 'here' for '--listen <LISTEN>': invalid socket address syntax",
        ),
        (&["serve", "--durability", "some"], "invalid value 'some' for '--durability <DURABILITY>'"),
        (&["serve", "--profile", "some"], "invalid value 'some' for '--profile <PROFILE>'"),
        (&["serve", "--log-format", "some"], "invalid value 'some' for '--log-format <LOG_FORMAT>'"),
        (
            &["serve", "--dev", "perhaps"],
            "invalid value 'perhaps' for '--dev [<BOOL>]': value was not a boolean",
        ),
        (
            &["serve", "--threads", "many"],
            "invalid value 'many' for '--threads <THREADS>': invalid digit found in string",
        ),
        (&["doctor", "--nonsense"], "unexpected argument '--nonsense' found"),
        (&["backup"], "the following required arguments were not provided:"),
        (&["restore", "--data", "x"], "the following required arguments were not provided:"),
        (&["restore", "x", "--data", "x", "--log", "jetstream://x"], "the argument '--"),
        (&["healthcheck", "--url"], "a value is required for '--url <URL>' but none was supplied"),
        (&["token"], "the following required arguments were not provided:"),
        (&["token", "--scp", "Presence.Read"], "the following required arguments were not provided:"),
        (&["token", "--user", "ada", "--role", "x"], "the argument '--"),
        (&["token", "--app", "porchlight"], "invalid value 'porchlight' for '--app <GUID>'"),
        (
            &["token", "--user", "ada", "--ttl", "25h"],
            "invalid value '25h' for '--ttl <DURATION>': it must be from 1s to 24h",
        ),
        (
            &["token", "--user", "ada", "--ttl", "long"],
            "invalid value 'long' for '--ttl <DURATION>': the text is not an ISO 8601 duration",
        ),
    ];
    for (arguments, expected) in table {
        let ended = run(&mut porchlight(arguments));
        let said = ended.complaint(WRONG);
        let first = said.first().and_then(|line| line.split_once(": "));
        assert!(first.is_some_and(|(_, message)| message.starts_with(expected)), "{expected}: {ended:?}");
        assert!(said.iter().any(|line| line.contains("--help")), "where to read on: {ended:?}");
    }
}

#[test]
fn without_a_command_the_program_says_what_there_is() {
    let ended = run(&mut porchlight(&[]));
    let said = ended.complaint(WRONG);
    for command in COMMANDS {
        assert!(said.iter().any(|line| line.trim_start().starts_with(command)), "{command}: {ended:?}");
    }
}

#[test]
fn development_mode_does_not_listen_where_others_can_reach_it() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.7:8080"] {
        let ended = run(&mut porchlight(&["serve", "--dev", "--ephemeral", "--listen", address]));
        let expected = format!(
            "development mode takes any token, and {address} can be reached by others: listen on 127.0.0.1, or give \
             --dev-allow-remote"
        );
        assert_eq!(refusal(&ended, WRONG), expected);
    }
}

#[test]
fn a_configuration_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("missing.toml");
    let ended = run(&mut porchlight(&["serve", "--config", text(&file)]));
    let expected = format!("cannot read {}: No such file or directory (os error 2)", file.display());
    assert_eq!(refusal(&ended, WRONG), expected);
}

#[test]
fn what_is_wrong_in_a_configuration_file_is_named_with_file_line_and_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = [
        ("colour = \"blue\"", "line 1, column 1", "unknown field `colour`"),
        ("dev = true\n[limits]\nbody_bites = 1", "line 3, column 1", "unknown field `body_bites`"),
        ("[presence]\nfading = true", "line 2, column 1", "unknown field `fading`"),
        ("[nonsense]", "line 1, column 2", "unknown field `nonsense`"),
        ("listen = \"here\"", "line 1, column 10", "invalid socket address syntax"),
        ("threads = \"many\"", "line 1, column 11", "invalid type: string \"many\""),
        ("profile = \"some\"", "line 1, column 11", "unknown variant `some`, expected `open` or `strict`"),
        ("slow_request = \"PT\"", "line 1, column 16", "'PT' is no duration such as PT5M"),
        (
            "[presence]\nexpiry_grace = \"5 minutes\"",
            "line 2, column 16",
            "'5 minutes' is no duration such as PT5M",
        ),
        ("[limits]\nbody_time = 30", "line 2, column 13", "invalid type: integer `30`"),
        ("dev =", "line 1, column", ""),
    ];
    for (config, place, wrong) in table {
        let said = with_config(folder.path(), config);
        let begin = format!("porchlight: {}/porchlight.toml: ", folder.path().display());
        let first = said.first().and_then(|line| line.strip_prefix(&begin));
        assert!(first.is_some_and(|line| line.contains(place)), "{place}: {said:#?}");
        assert!(said.iter().any(|line| line.contains(wrong)), "{wrong}: {said:#?}");
        // The line as it stands in the file: so the key shows also where the message says only what its value is.
        let line = config.lines().last().expect("the table has lines");
        assert!(said.iter().any(|said| said.contains(line)), "{line}: {said:#?}");
    }
}

#[test]
fn rules_over_several_keys_name_the_keys() {
    let table = [
        (
            "[presence]\nsession_duration_min = \"PT5H\"",
            "presence.session_duration_min must be more than zero and at most presence.session_duration_max",
        ),
        (
            "[presence]\nsession_duration_min = \"PT0S\"",
            "presence.session_duration_min must be more than zero and at most presence.session_duration_max",
        ),
        (
            "[presence]\nsession_duration_default = \"PT1M\"",
            "presence.session_duration_default must lie within presence.session_duration_min and \
             presence.session_duration_max",
        ),
        (
            "[presence]\nfade_inactive_after = \"PT20M\"",
            "presence.fade_inactive_after must be more than zero and at most presence.fade_away_after",
        ),
        (
            "[presence]\ntime_zone = \"Nowhere/None\"",
            "presence.time_zone: failed to find time zone `Nowhere/None` in time zone database",
        ),
        ("[presence]\nsessions = 0", "presence.sessions must be at least 1"),
        (
            "[limits]\nbody_time = \"PT0S\"",
            "limits.header_time, limits.body_time, limits.answer_time and limits.stream_heartbeat must be \
             more than zero",
        ),
        ("[limits]\nrequests = 0", "limits.requests must be at least 1"),
        ("[limits]\nrequests_window = \"PT0.5S\"", "limits.requests_window must be from PT1S to P1D"),
        ("[limits]\nrequests_window = \"P2D\"", "limits.requests_window must be from PT1S to P1D"),
        (
            "profile = \"strict\"\n[limits]\nrequests = 5000",
            "limits.requests and limits.requests_window are the original's in the profile strict",
        ),
        (
            "profile = \"strict\"\n[limits]\nrequests_window = \"PT30S\"",
            "limits.requests and limits.requests_window are the original's in the profile strict",
        ),
        (
            "[board]\nclient_id = \"board\"",
            "board.client_id: people sign in at an [[auth.issuer]], and there is none",
        ),
        (
            "[board]\nscopes = \"openid\"",
            "board.issuer, board.scopes, board.parameters and board.connect say nothing without board.client_id",
        ),
        (
            "[board]\nclient_id = \"board\"\nissuer = \"https://other.example\"\n[[auth.issuer]]\n\
             issuer = \"https://id.example\"\naudiences = [\"api://porchlight\"]",
            "board.issuer: 'https://other.example' is the issuer of no [[auth.issuer]]",
        ),
        (
            "[board]\nclient_id = \"board\"\nscopes = \"profile\"\n[[auth.issuer]]\n\
             issuer = \"https://id.example\"\naudiences = [\"api://porchlight\"]",
            "board.scopes must have openid among them",
        ),
        (
            "[board]\nclient_id = \"board\"\nconnect = [\"id.example\"]\n[[auth.issuer]]\n\
             issuer = \"https://id.example\"\naudiences = [\"api://porchlight\"]",
            "board.connect: 'id.example' is no origin such as https://login.example.org",
        ),
        (
            "[board]\nclient_id = \"board\"\nparameters = { client_secret = \"x\" }\n[[auth.issuer]]\n\
             issuer = \"https://id.example\"\naudiences = [\"api://porchlight\"]",
            "board.parameters: the page says itself what client_secret is, and no secret can be kept in it",
        ),
        ("public_url = \"presence.example\"", "public_url must begin with http:// or https://"),
        (
            "dev = true\nlisten = \"0.0.0.0:0\"",
            "development mode takes any token, and 0.0.0.0:0 can be reached by others: listen on 127.0.0.1, or give \
             --dev-allow-remote",
        ),
    ];
    for (config, expected) in table {
        assert_eq!(rule_broken_by(config), format!("porchlight: {expected}"));
    }
}

#[test]
fn what_is_wrong_in_a_seed_file_is_named_with_file_and_place() {
    const TENANT: &str = "tenants:\n  - id: 9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77\n    users:\n";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("seed.yaml");
    let table = [
        (
            format!("{TENANT}      - userPrincipalName: ada@porchlight.example\n        colour: blue\n"),
            "line 5 column 9: unknown field `colour`",
        ),
        (format!("{TENANT}      - displayName: Ada\n"), "line 4 column 9: missing field `userPrincipalName`"),
        ("tenants:\n  - id: 7\n    users: []\n".to_owned(), "line 2 column 9: UUID parsing failed"),
        ("tenants:\n  - id: [\n".to_owned(), "line 2 column 9: "),
        ("people: []\n".to_owned(), "line 1 column 1: unknown field `people`"),
        (String::new(), "line 1, column 1"),
    ];
    for (seed, wrong) in table {
        std::fs::write(&file, &seed).expect("the file can be written");
        let ended = run(&mut porchlight(&["serve", "--dev", "--ephemeral", "--seed", text(&file)]));
        let first = ended.complaint(WRONG).first().cloned().unwrap_or_default();
        assert!(first.starts_with(&format!("porchlight: {}: ", file.display())), "{ended:#?}");
        assert!(first.contains(wrong), "{wrong}: {ended:#?}");
    }
    let missing = folder.path().join("missing.yaml");
    let ended = run(&mut porchlight(&["serve", "--dev", "--ephemeral", "--seed", text(&missing)]));
    let expected = format!("{}: No such file or directory (os error 2)", missing.display());
    assert_eq!(refusal(&ended, WRONG), expected);
}

#[test]
fn names_in_a_seed_file_are_names_and_each_belongs_to_one_person() {
    const TENANT: &str = "tenants:\n  - id: 9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77\n    users:\n";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("seed.yaml");
    let ada = "      - userPrincipalName: ada@porchlight.example\n";
    let another = format!("{ada}        id: 77777777-0000-4000-8000-000000000007\n");
    let table = [
        (
            format!("{TENANT}{ada}{another}"),
            "the user principal name 'ada@porchlight.example' belongs to somebody else",
        ),
        (
            format!("{TENANT}      - userPrincipalName: ''\n"),
            "the userPrincipalName '' must have 1 to 256 characters",
        ),
        (
            format!("{TENANT}      - userPrincipalName: '{}'\n", "𝔸".repeat(250)),
            "' must have at most 960 bytes",
        ),
    ];
    for (seed, expected) in table {
        std::fs::write(&file, &seed).expect("the file can be written");
        let serve = ["serve", "--dev", "--ephemeral", "--listen", "127.0.0.1:0", "--seed", text(&file)];
        let message = refusal(&run(&mut porchlight(&serve)), WRONG);
        assert!(message.ends_with(expected), "{message}");
    }
}
