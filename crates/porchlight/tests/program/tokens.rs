//! The program in production mode, with an issuer and API keys in its configuration.

use std::path::PathBuf;

use futures_util::future::join_all;
use porchlight_engine::Clock;
use porchlight_testkit::{ADA, DEMO, Issuer, TENANT};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{ME, Program, porchlight, presence_of, refusal, run, text};

/// A configuration file in a folder of its own.
struct Configured {
    folder: TempDir,
    file: PathBuf,
}

fn configured(lines: &str) -> Configured {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("porchlight.toml");
    std::fs::write(&file, lines).expect("it can be written");
    Configured { folder, file }
}

impl Configured {
    fn serve(&self) -> Program {
        let mut command =
            porchlight(&["serve", "--listen", "127.0.0.1:0", "--ephemeral", "--config", text(&self.file)]);
        Program::start(command.current_dir(self.folder.path()))
    }
}

fn trusting(issuer: &Issuer) -> Configured {
    let trusted = issuer.trusted();
    configured(&format!(
        "[[auth.issuer]]\nissuer = \"{}\"\nmetadata = \"{}\"\naudiences = [\"api://porchlight\"]\n",
        trusted.issuer, trusted.metadata
    ))
}

/// A good token on the machine's clock.
fn token(issuer: &Issuer) -> String {
    let now = Clock::system().now().as_millis() / 1000;
    issuer.token_with(&json!({"iat": now, "nbf": now, "exp": now + 600}))
}

/// subscriptions-and-auth 22: a token costs one signature check, however many come with it at once.
#[tokio::test]
async fn a_crowd_with_one_token_is_verified_once() {
    let issuer = Issuer::start().await;
    let configured = trusting(&issuer);
    let server = configured.serve();
    let client = server.anonymous().bearer(&token(&issuer));
    let answers = join_all((0..100).map(|_| client.get(ME))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(server.metrics().await.of("porchlight_tokens_verified_total"), 1);
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn an_api_key_is_made_configured_and_used_and_written_nowhere() {
    let printed = run(&mut porchlight(&["api-key"])).answer();
    let key =
        printed.split_whitespace().find(|word| word.starts_with("plk_")).expect("it prints a key").to_owned();
    let lines: String = printed.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    assert!(!lines.contains("plk_"), "the configuration knows a hash of it: {lines}");
    let lines = lines
        .replace("tenant = \"\"", &format!("tenant = \"{TENANT}\""))
        .replace("application = \"\"", &format!("application = \"{DEMO}\""));
    let seed = format!(
        "tenants:\n  - id: {TENANT}\n    users:\n      - {{id: {ADA}, userPrincipalName: ada@x.example, displayName: Ada}}\n"
    );
    let configured = configured(&format!("seed = \"seed.yaml\"\n{lines}"));
    std::fs::write(configured.folder.path().join("seed.yaml"), seed).expect("it can be written");
    let server = configured.serve();
    let script = server.anonymous().bearer(&key);
    assert_eq!(script.get(&presence_of(ADA)).await.status, 200);
    let ended = server.stop();
    let said = format!("{ended:?}");
    assert!(!said.contains(&key[4..]), "{said}");
}

/// One that may name any tenant could name that of the other. By itself it can do no harm to anybody else's people.
#[test]
fn an_issuer_that_may_name_any_tenant_is_warned_of_beside_another() {
    let issuer = |name: &str, more: &str| {
        format!(
            "[[auth.issuer]]\nissuer = \"http://127.0.0.1:9/{name}\"\nmetadata = \"http://127.0.0.1:9/\"\n\
             audiences = [\"api://porchlight\"]\n{more}\n"
        )
    };
    let held = format!("tenant = \"{TENANT}\"");
    let table = [
        (issuer("a", ""), None),
        (issuer("a", "") + &issuer("b", &held), Some("http://127.0.0.1:9/a")),
        (issuer("a", &held) + &issuer("b", &format!("tenants = [\"{TENANT}\"]")), None),
        (issuer("a", &held) + &issuer("{tenantid}/b", ""), None),
    ];
    for (lines, warned) in table {
        let log = configured(&lines).serve().stop().err;
        let log: Vec<Value> =
            log.iter().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        let is_ours = |line: &&Value| line["message"].to_string().contains("may name any tenant");
        let found: Vec<_> = log.iter().filter(is_ours).map(|line| line["issuer"].as_str()).collect();
        assert_eq!(found, warned.map(Some).into_iter().collect::<Vec<_>>(), "{lines}: {log:#?}");
    }
}

/// Each mistake names the key of the file, and what to write instead.
#[test]
fn a_mistake_in_the_configuration_of_tokens_is_named() {
    let issuer = |more: &str| {
        format!(
            "[[auth.issuer]]\nissuer = \"https://id.example/\"\naudiences = [\"api://porchlight\"]\n{more}"
        )
    };
    let key =
        |more: &str| format!("[[auth.api_key]]\ntenant = \"{TENANT}\"\napplication = \"{DEMO}\"\n{more}");
    let hash = "0".repeat(64);
    let table = [
        (issuer("metadata = \"http://id.example/\""), "must begin with https://"),
        (issuer("algorithms = [\"HS256\"]"), "'HS256' is none of RS256"),
        (issuer("algorithms = []"), "algorithms must not be empty"),
        (issuer("surprise = 1"), "surprise"),
        (issuer("").repeat(2), "stands twice"),
        (
            issuer("").replace("api://porchlight", "https://graph.microsoft.com"),
            "nobody but Microsoft can verify",
        ),
        (issuer("").replace("[\"api://porchlight\"]", "[]"), "audiences must name"),
        (key("hash = \"x\"\npermissions = []"), "64 hexadecimal digits"),
        (
            key(&format!("hash = \"{hash}\"\npermissions = [\"Presence.Wrote\"]")),
            "'Presence.Wrote' is none of",
        ),
        (
            key(&format!("hash = \"{hash}\"\npermissions = [\"Presence.ReadWrite\"]")),
            "an application's key can only have",
        ),
    ];
    for (lines, message) in table {
        let configured = configured(&lines);
        let ended = run(&mut porchlight(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--ephemeral",
            "--config",
            text(&configured.file),
        ]));
        assert_eq!(ended.code, Some(64), "{lines}: {ended:?}");
        assert!(ended.err.join("\n").contains(message), "{lines}: {ended:?}");
    }
    let configured = configured(&format!("auth.ca = \"nowhere.pem\"\n{}", issuer("")));
    let ended = run(&mut porchlight(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--ephemeral",
        "--config",
        text(&configured.file),
    ]));
    assert!(refusal(&ended, 64).contains("cannot read nowhere.pem"), "{ended:?}");
}
