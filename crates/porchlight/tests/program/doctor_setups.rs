//! `porchlight doctor` on whole set-ups: one that is sound, and many that are broken, each in one way.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use porchlight_testkit::{Authority, Issuer, Nats, Receiver, TestServer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::node;
use crate::doctor::{FAR_AHEAD, folder_with_writes, lose};
use crate::support::{CLOCK, Ended, ME, Program, in_folder, in_memory, porchlight, run, text};

/// A port that programs do not take unless they are told to.
const NOBODY: &str = "127.0.0.1:1";

/// A place with a configuration file and whatever that names.
struct SetUp {
    place: TempDir,
    general: String,
    sections: String,
}

impl SetUp {
    /// One that listens on a free port, and keeps its data in a folder that is not there yet.
    fn new() -> SetUp {
        SetUp::of_data(None)
    }

    /// The same over these data.
    fn of_data(data: Option<&Path>) -> SetUp {
        let place = tempfile::tempdir().expect("a folder");
        let data = data.map_or_else(|| place.path().join("data"), Path::to_owned);
        let general = format!("listen = \"127.0.0.1:0\"\ndata = {:?}\n", text(&data));
        SetUp { place, general, sections: String::new() }
    }

    /// One whose log is at this URL.
    fn of_log(url: &str) -> SetUp {
        let general = format!("listen = \"127.0.0.1:0\"\nlog = \"{url}\"\n");
        SetUp { general, ..SetUp::new() }
    }

    /// With more of these keys, which are in no section.
    fn keys(mut self, keys: &str) -> SetUp {
        writeln!(self.general, "{keys}").expect("it is a text");
        self
    }

    /// With these sections.
    fn sections(mut self, sections: &str) -> SetUp {
        writeln!(self.sections, "{sections}").expect("it is a text");
        self
    }

    /// With https by a certificate and a key, both in PEM, which nobody else can read.
    fn https(self, certificate: &str, key: &str) -> SetUp {
        let files = self.file("server.pem", certificate, 0o600);
        let key = self.file("server.key", key, 0o600);
        self.sections(&format!(
            "[https]\nlisten = \"127.0.0.1:0\"\ncertificate = {:?}\nkey = {:?}",
            text(&files),
            text(&key)
        ))
    }

    fn file(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let file = self.place.path().join(name);
        fs::write(&file, content).expect("it can be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("it is this test's own");
        file
    }

    /// What doctor says of it.
    fn examine(&self) -> Examined {
        self.examine_with(&[])
    }

    fn examine_with(&self, arguments: &[&str]) -> Examined {
        let file = self.file("porchlight.toml", &format!("{}{}", self.general, self.sections), 0o600);
        Examined(run(porchlight(&["doctor", "--config", text(&file)]).args(arguments)))
    }
}

/// What doctor has said.
struct Examined(Ended);

impl Examined {
    /// The mark of the line with this in it, and what stands below it.
    fn told(&self, about: &str) -> (char, &str) {
        let lines = &self.0.out;
        let place = lines.iter().position(|line| line.contains(about));
        let place = place.unwrap_or_else(|| panic!("nothing tells of '{about}': {:#?}", self.0));
        let advice =
            lines.get(place + 1).filter(|line| line.starts_with("    ")).map_or("", |line| line.trim());
        (lines[place].chars().next().expect("a line has a mark"), advice)
    }

    /// This is wrong, and that is what to do.
    #[track_caller]
    fn assert_wrong(&self, about: &str, advice: &str) {
        assert_eq!(self.0.code, Some(1), "{:#?}", self.0);
        let (mark, told) = self.told(about);
        assert_eq!(mark, '✗', "{:#?}", self.0);
        assert!(told.contains(advice), "'{advice}': {:#?}", self.0);
        let last = self.0.err.last().map(String::as_str);
        assert!(last.is_some_and(|line| line.ends_with(" wrong")), "{:#?}", self.0);
    }

    /// This is to be known, and that is what to do about it.
    #[track_caller]
    fn assert_warned(&self, about: &str, advice: &str) {
        let (mark, told) = self.told(about);
        assert_eq!(mark, '!', "{:#?}", self.0);
        assert!(told.contains(advice), "'{advice}': {:#?}", self.0);
    }

    /// Nothing is wrong, and all of this is good.
    #[track_caller]
    fn assert_good(&self, lines: &[&str]) {
        assert_eq!(self.0.code, Some(0), "{:#?}", self.0);
        assert!(self.0.err.is_empty(), "{:#?}", self.0);
        for about in lines {
            assert_eq!(self.told(about).0, '✓', "{about}: {:#?}", self.0);
        }
    }
}

/// What doctor says of a set-up while those answer who are on this test's own thread.
async fn examined_meanwhile(set_up: SetUp, arguments: &'static [&'static str]) -> (SetUp, Examined) {
    let examine = move || {
        let examined = set_up.examine_with(arguments);
        (set_up, examined)
    };
    tokio::task::spawn_blocking(examine).await.expect("looking does not fail")
}

/// An `[[auth.issuer]]` of this name whose document is at this URL.
fn issuer(name: &str, metadata: &str) -> String {
    format!(
        "[[auth.issuer]]\nissuer = \"{name}\"\nmetadata = \"{metadata}\"\naudiences = [\"api://porchlight\"]"
    )
}

#[tokio::test]
async fn a_set_up_with_nothing_wrong_is_told_so_in_lines_and_in_json() {
    let trusted = Issuer::start().await;
    let (name, metadata) = (trusted.trusted().issuer, trusted.trusted().metadata);
    let certified = Authority::default().certify(&["*.example.org"], 2100);
    let set_up = SetUp::new()
        .keys("public_url = \"https://presence.example.org\"")
        .https(&certified.pem(), &certified.key_pem())
        .sections(&issuer(&name, &metadata));
    let (set_up, examined) = examined_meanwhile(set_up, &[]).await;
    examined.assert_good(&[
        "porchlight.toml: serve takes it",
        "public_url 'https://presence.example.org' is what clients are told",
        "127.0.0.1:0 is free",
        "server.pem and its key can be used, until 2100-12-31T",
        "server.pem is for presence.example.org, as public_url has it",
        "nobody else can read the keys",
        "data is not there yet; serve makes it",
        "has 1 key to check tokens with",
        "it is the same time here as at http://127.0.0.1:",
    ]);
    assert!(!set_up.place.path().join("data").exists(), "looking makes nothing");

    let ended = examined_meanwhile(set_up, &["--json"]).await.1.0;
    let document: Value = serde_json::from_str(&ended.answer()).expect("one document");
    assert_eq!(document["sound"], true);
    let findings = document["findings"].as_array().expect("a list");
    assert!(findings.len() > 8 && findings.iter().all(|finding| finding["found"].is_string()), "{document}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_wrong() {
    let place = tempfile::tempdir().expect("a folder");
    let missing = place.path().join("missing.toml");
    let examined = Examined(run(&mut porchlight(&["doctor", "--config", text(&missing)])));
    examined.assert_wrong("missing.toml: No such file or directory", "serve does not start with this");
}

#[test]
fn an_unknown_key_is_told_with_its_line() {
    let examined = SetUp::new().keys("colour = \"blue\"").examine();
    assert_eq!(examined.0.code, Some(1));
    assert_eq!(examined.told("TOML parse error at line 3, column 1").0, '✗');
    assert!(examined.0.out.iter().any(|line| line.contains("unknown field `colour`")), "{:#?}", examined.0);
}

#[test]
fn a_rule_that_is_broken_is_told_with_its_line() {
    let examined = SetUp::new().sections("[presence]\nsessions = 0").examine();
    examined.assert_wrong(
        "porchlight.toml, line 4: presence.sessions must be at least 1",
        "serve does not start",
    );
}

#[test]
fn a_variable_of_the_environment_counts() {
    let mut command = porchlight(&["doctor"]);
    let ended = run(command.env("PORCHLIGHT_DATA", "/nowhere/data").env("PORCHLIGHT_THREADS", "many"));
    let about =
        "the environment: invalid value 'many' for '--threads <THREADS>': invalid digit found in string";
    Examined(ended).assert_wrong(about, "serve does not start with this");
}

#[test]
fn a_port_that_is_taken_is_told_with_who_has_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has an address");
    let set_up = SetUp { general: format!("listen = \"{address}\"\nephemeral = true\n"), ..SetUp::new() };
    let examined = set_up.examine();
    examined.assert_wrong(&format!("{address} is listened on by "), "choose another address by listen");
    let holder = format!("(process {})", std::process::id());
    assert!(examined.0.out.iter().any(|line| line.contains(&holder)), "{holder}: {:#?}", examined.0);
}

#[tokio::test]
async fn a_server_that_runs_is_no_fault_of_its_set_up() {
    let place = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(place.path()));
    let general = format!("listen = \"{}\"\ndata = {:?}\n", server.address(), text(place.path()));
    let set_up = SetUp { general, ..SetUp::new() };
    let examined = set_up.examine_with(&["--url", &server.url()]);
    examined.assert_good(&[
        "is listened on by a porchlight that runs",
        "is used by a porchlight that runs, and was not looked into",
        " is ready",
        "has the version of this program, ",
        " limits are in force",
        "it is the same time here as at ",
    ]);
    assert_eq!(server.client("ada:").get(ME).await.status, 200);
}

#[tokio::test]
async fn a_server_by_itself_is_looked_at_or_told_to_be_missing() {
    let server = Program::start(&mut in_memory());
    let examined = Examined(run(&mut porchlight(&["doctor", "--url", &server.url()])));
    examined.assert_good(&[" is ready", "has the version of this program, "]);
    assert!(!examined.0.out.iter().any(|line| line.contains("ports")), "{:#?}", examined.0);
    let nobody = Examined(run(&mut porchlight(&["doctor", "--url", &format!("http://{NOBODY}")])));
    nobody.assert_wrong("no server answers on 127.0.0.1:1: Connection refused", "see whether it runs");
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let place = tempfile::tempdir().expect("a folder");
    fs::write(place.path().join("file"), "").expect("it can be written");
    // Not even root can make a folder there.
    let examined = SetUp::of_data(Some(&place.path().join("file/data"))).examine();
    examined.assert_wrong(
        "file/data cannot be written: Not a directory",
        "give it to the user that runs porchlight",
    );
}

#[test]
fn a_folder_with_something_else_in_it_is_told() {
    let place = tempfile::tempdir().expect("a folder");
    fs::write(place.path().join("thesis.tex"), "").expect("it can be written");
    let examined = SetUp::of_data(Some(place.path())).examine();
    examined.assert_wrong("it holds \"thesis.tex\"; choose an empty folder or an earlier data folder", "");
    assert_eq!(fs::read_dir(place.path()).expect("it is there").count(), 1);
}

#[tokio::test]
async fn a_torn_journal_is_told_with_what_mends_it() {
    let folder = folder_with_writes(2).await;
    lose(folder.path(), 1500);
    let set_up = SetUp::of_data(Some(folder.path()));
    set_up.examine().assert_wrong("run `porchlight doctor --repair --data ", "");
    run(&mut porchlight(&["doctor", "--repair", "--data", text(folder.path())])).answer();
    set_up.examine().assert_good(&["is sound; 12 people, 1 with a presence record"]);
}

#[tokio::test]
async fn data_ahead_of_the_clock_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let future = TestServer::builder().data(folder.path()).start_at(FAR_AHEAD).start().await;
    assert_eq!(future.client("ada:").patch(ME, &json!({"availability": "Busy"})).await.status, 200);
    future.stop();
    let set_up = SetUp::of_data(Some(folder.path()));
    let about = " s ahead of this machine's clock";
    set_up.examine().assert_wrong(about, "set the clock right, or start with --accept-clock");
    set_up
        .keys("accept_clock = true")
        .examine()
        .assert_warned(about, "time stands still until the clock is there");
}

#[test]
fn a_certificate_that_has_ended_is_told() {
    let certified = Authority::default().certify(&["localhost"], 2020);
    let examined = SetUp::new().https(&certified.pem(), &certified.key_pem()).examine();
    examined.assert_wrong("server.pem has ended on 2020-12-31T", "renew it");
}

#[test]
fn a_key_of_another_certificate_is_told() {
    let authority = Authority::default();
    let (one, other) = (authority.certify(&["localhost"], 2100), authority.certify(&["localhost"], 2100));
    let examined = SetUp::new().https(&one.pem(), &other.key_pem()).examine();
    examined
        .assert_wrong("the key does not belong to the certificate", "see to https.certificate and https.key");
}

#[test]
fn a_certificate_for_another_host_and_a_key_that_others_can_read_are_told() {
    let certified = Authority::default().certify(&["other.example.org"], 2100);
    let set_up = SetUp::new().keys("public_url = \"https://presence.example.org\"");
    let set_up = set_up.https(&certified.pem(), &certified.key_pem());
    set_up.file("server.key", &certified.key_pem(), 0o644);
    let examined = set_up.examine();
    assert_eq!(examined.0.code, Some(0), "warnings are no failures: {:#?}", examined.0);
    examined.assert_warned(
        "server.pem is for other.example.org, not for presence.example.org",
        "mend public_url",
    );
    let by_everybody = "server.key, can be read by everybody on this machine (mode 644)";
    examined.assert_warned(by_everybody, "chmod 600 ");
    assert!(!examined.told(by_everybody).1.contains("group"), "{:#?}", examined.0);
    set_up.file("server.key", &certified.key_pem(), 0o640);
    let examined = set_up.examine();
    examined.assert_warned("server.key, can be read by its whole group (mode 640)", "unless that group is");
}

#[test]
fn an_issuer_that_does_not_answer_is_told() {
    let url = format!("http://{NOBODY}");
    let metadata = format!("{url}/.well-known/openid-configuration");
    let examined = SetUp::new().sections(&issuer(&url, &metadata)).examine();
    examined.assert_wrong(&format!("the keys of {url} cannot be had: {metadata}: "), "curl -v ");
}

#[tokio::test]
async fn an_issuer_whose_document_is_another_ones_is_told() {
    let other = Issuer::start().await;
    let set_up = SetUp::new().sections(&issuer("https://id.example.org", &other.trusted().metadata));
    let (_, examined) = examined_meanwhile(set_up, &[]).await;
    examined
        .assert_wrong("it is the document of the issuer '", "make auth.issuer.issuer what the document says");
}

#[test]
fn a_nats_that_is_not_there_is_told() {
    let examined = SetUp::of_log(&format!("jetstream://{NOBODY}/?patience=PT1S")).examine();
    examined.assert_wrong("no NATS server answers at 127.0.0.1:1: ", "");
    assert!(
        examined.0.out.iter().any(|line| line.ends_with("or name others in the log's URL")),
        "{:#?}",
        examined.0
    );
}

#[test]
fn a_nats_without_jetstream_is_told() {
    let nats = Nats::builder().without_jetstream().start();
    let url = format!("jetstream://{}/?patience=PT1S&monitoring={}", nats.address(), nats.monitoring());
    let examined = SetUp::of_log(&url).examine();
    examined.assert_wrong("NATS offers no JetStream: ", "");
    examined.assert_wrong(" has no JetStream", "start nats-server with -js");
}

#[test]
fn streams_of_a_wrong_shape_are_told_and_how_the_log_is_kept() {
    let nats = Nats::builder().sync(false).start();
    let url =
        format!("jetstream://{}/?cells=1&patience=PT2S&monitoring={}", nats.address(), nats.monitoring());
    let set_up = SetUp::of_log(&url);
    set_up.examine().assert_good(&[" with JetStream answers at ", "there is no log of porchlight yet"]);
    Program::start(&mut node(&url, "one")).stop();
    let examined = set_up.examine();
    examined.assert_good(&["the streams of porchlight (1) are as they must be"]);
    examined.assert_warned("one machine keeps all writes", "add replicas=3 to the log's URL");
    examined.assert_warned("syncs every 120s", "set sync_interval: always");
    let examined = SetUp::of_log(&format!("{url}&replicas=3")).examine();
    examined.assert_wrong("replicas is 1 and must be 3; mend it with 'nats stream edit ", "");
    let examined = SetUp::of_log(&url.replace("cells=1", "cells=2")).examine();
    examined.assert_wrong("the log has 1 cells, not 2: say cells=1", "");
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start().await;
    let server = Program::start(&mut in_folder(folder.path()));
    subscribe(&server, &receiver.url("/hook")).await;
    server.stop();
    let set_up = SetUp::of_data(Some(folder.path())).keys("dev = true");
    let set_up = set_up.sections("[https]\nlisten = \"none\"");
    // No more of its URL is shown: the rest may be a secret.
    let url = receiver.url("");
    set_up.examine().assert_good(&[&format!("{url} can be reached")]);
    drop(receiver);
    set_up
        .examine()
        .assert_wrong(&format!("{url} cannot be reached: no connection: "), "look at the endpoint");
    let production = SetUp::of_data(Some(folder.path())).examine();
    production.assert_wrong("the URL is not allowed: its scheme must be https", "allow http by egress.http");
}

/// Subscribes to everybody's presence.
async fn subscribe(server: &Program, url: &str) {
    let clock = server.anonymous().get(CLOCK).await.json();
    let now: jiff::Timestamp = clock["now"].as_str().and_then(|now| now.parse().ok()).expect("an instant");
    let body = json!({
        "changeType": "updated",
        "notificationUrl": url,
        "resource": "/communications/presences",
        "expirationDateTime": (now + Duration::from_secs(50 * 60)).to_string(),
    });
    let made =
        server.client(&format!("{}:", porchlight_testkit::APP_A)).post("/v1.0/subscriptions", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
}
