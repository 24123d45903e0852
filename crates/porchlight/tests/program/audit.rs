//! The audit: a line for every call that is to change something, in a file of its own that no filter silences.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use porchlight_http::Development;
use porchlight_testkit::{ADA, APP_A, Answer, BEN, Client, DEMO, Receiver, Validation};
use serde_json::{Value, json};

use crate::connection::Connection;
use crate::support::{
    CLOCK, ME, Program, RESET, in_memory, porchlight, presence_of, refusal, run, serve, text, until,
};

const STATUS: &str = "gone to the dentist";
const OUT_OF_OFFICE: &str = "my sister stands in for me";
const PLACE: &str = "behind the boiler room";
const SUBSCRIPTIONS: &str = "/v1.0/subscriptions";
const NOBODY: &str = "99999999-0000-4000-8000-000000000009";

/// A folder with a configuration file, and the audit's file beside it.
struct Place {
    folder: tempfile::TempDir,
    config: PathBuf,
    file: PathBuf,
}

impl Place {
    /// With these keys in `[audit]` beside `file`.
    fn new(keys: &str) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("porchlight.toml");
        let logs = folder.path().join("logs");
        std::fs::create_dir(&logs).expect("it can be made");
        let file = logs.join("audit.jsonl");
        let text = format!("[audit]\nfile = \"{}\"\n{keys}\n", file.display());
        std::fs::write(&config, text).expect("the file can be written");
        Place { folder, config, file }
    }

    fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    fn start(&self) -> Program {
        Program::start(in_memory().args(["--config", text(&self.config)]))
    }

    /// Every line of the file.
    fn lines(&self) -> Vec<Value> {
        lines(&self.file)
    }

    /// Returns when the file has so many lines.
    async fn has(&self, count: usize) {
        let lines = || std::fs::read_to_string(&self.file).unwrap_or_default().matches('\n').count();
        until("the lines are there", async || lines() == count).await;
    }
}

/// Every line of a file, each of which is an object.
fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("the file is there");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole: {text:?}");
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(read).collect()
}

/// A body with everything that people write about themselves.
fn private() -> Value {
    json!({
        "availability": "Busy",
        "statusMessage": {"message": {"content": STATUS}},
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": OUT_OF_OFFICE},
        "workLocation": {"workLocationType": "office", "placeId": PLACE},
    })
}

/// A subscription of changes of Ada.
async fn order(server: &Program, receiver: &Receiver, minutes: u64) -> Value {
    let clock = server.anonymous().get(CLOCK).await.json();
    let now: jiff::Timestamp = clock["now"].as_str().and_then(|now| now.parse().ok()).expect("an instant");
    json!({
        "changeType": "updated",
        "notificationUrl": receiver.url("/"),
        "resource": format!("communications/presences/{ADA}"),
        "expirationDateTime": (now + Duration::from_secs(60 * minutes)).to_string(),
    })
}

async fn patch(client: &Client, body: &Value) {
    let answer = client.patch(ME, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one kind after another")]
async fn every_kind_of_write_has_its_line() {
    let place = Place::new("");
    let (server, receiver) = (place.start(), Receiver::start().await);
    let ada = server.client(&format!("ada@{APP_A}:"));
    let act = async |action: &str, body: Value| ada.post(&format!("{ME}/{action}"), &body).await;
    let session = json!({"sessionId": APP_A, "availability": "Busy", "activity": "InACall"});
    let preferred = json!({"availability": "DoNotDisturb", "activity": "DoNotDisturb"});
    let message = json!({"statusMessage": {"message": {"content": STATUS}}});
    let (call, dnd, busy, off) =
        ("Busy/InACall", "DoNotDisturb/DoNotDisturb", "Busy/Busy", "Offline/Offline");
    let all = "preferred,statusMessage,outOfOffice,workLocation";
    // What was done, what was seen before and after, and which parts have changed.
    let writes: [(&str, Answer, &str, &str, &str); 11] = [
        ("setPresence", act("setPresence", session).await, off, call, "sessions"),
        (
            "setUserPreferredPresence",
            act("setUserPreferredPresence", preferred).await,
            call,
            dnd,
            "preferred",
        ),
        (
            "clearUserPreferredPresence",
            act("clearUserPreferredPresence", json!({})).await,
            dnd,
            call,
            "preferred",
        ),
        ("setStatusMessage", act("setStatusMessage", message).await, call, call, "statusMessage"),
        (
            "setAutomaticLocation",
            act("setAutomaticLocation", json!({"workLocationType": "remote"})).await,
            call,
            call,
            "workLocation",
        ),
        (
            "setManualLocation",
            act("setManualLocation", json!({"workLocationType": "office", "placeId": PLACE})).await,
            call,
            call,
            "workLocation",
        ),
        (
            "clearAutomaticLocation",
            act("clearAutomaticLocation", json!({})).await,
            call,
            call,
            "workLocation",
        ),
        ("clearLocation", act("clearLocation", json!({})).await, call, call, "workLocation"),
        ("patch", ada.patch(ME, &private()).await, call, busy, all),
        ("clearPresence", act("clearPresence", json!({"sessionId": APP_A})).await, busy, busy, "sessions"),
        ("delete", ada.delete(ME).await, busy, off, all),
    ];
    let made = ada.post(SUBSCRIPTIONS, &order(&server, &receiver, 30).await).await;
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let one = format!("{SUBSCRIPTIONS}/{id}");
    let later = json!({"expirationDateTime": order(&server, &receiver, 50).await["expirationDateTime"]});
    let subscription = [
        ("subscribe", made),
        ("renew", ada.patch(&one, &later).await),
        ("reauthorize", ada.post(&format!("{one}/reauthorize"), &json!({})).await),
        ("unsubscribe", ada.delete(&one).await),
    ];
    let nobody = server.anonymous();
    let levers = [
        ("clock", nobody.post(CLOCK, &json!({"advance": "PT1H"})).await),
        ("faults", nobody.post("/porchlight/dev/faults", &json!({"extraLatencyMs": 0})).await),
        ("reset", nobody.call(Method::POST, RESET, None::<&[u8]>).await),
    ];
    server.stop();

    let log = place.lines();
    assert_eq!(log.len(), writes.len() + subscription.len() + levers.len(), "one line for each: {log:#?}");
    let mut rest = log.iter();
    let mut next = |action: &str, answer: &Answer| {
        assert!(answer.status.is_success(), "{action}: {answer:?}");
        let line = rest.next().expect("there are enough").clone();
        assert_eq!((&line["action"], &line["outcome"]), (&json!(action), &json!("written")), "{line}");
        assert_eq!(line["request"], answer.header("request-id"), "{line}");
        assert!(line.get("status").is_none() && line.get("code").is_none(), "{line}");
        for time in ["timestamp", "at"] {
            assert!(
                line[time].as_str().is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok()),
                "{line}"
            );
        }
        line
    };
    for (action, answer, before, after, changed) in &writes {
        let line = next(action, answer);
        assert_eq!((&line["before"], &line["after"]), (&json!(before), &json!(after)), "{line}");
        assert_eq!(line["changed"], *changed, "{line}");
        assert_eq!(
            (&line["application"], &line["by"], &line["user"]),
            (&json!(APP_A), &json!(ADA), &json!(ADA))
        );
        assert_eq!(line["tenant"], Development::TENANT.to_string(), "{line}");
        assert_eq!(line["revision"].to_string(), answer.header("porchlight-revision"), "{line}");
    }
    for (action, answer) in &subscription {
        let line = next(action, answer);
        assert_eq!((&line["subscription"], &line["by"]), (&json!(id), &json!(ADA)), "{line}");
        match *action {
            "subscribe" => assert_eq!(line["user"], ADA, "whom it is about: {line}"),
            "renew" => assert_eq!(line["changed"], "expirationDateTime", "{line}"),
            _ => {}
        }
    }
    for (action, answer) in &levers {
        let line = next(action, answer);
        assert!(line.get("application").is_none() && line.get("tenant").is_none(), "{line}");
    }
    let hour = Duration::from_secs(60 * 60);
    let time = |name: &str| log[writes.len() + subscription.len()][name].as_str().expect("a time").to_owned();
    let (wall, engine) = (time("timestamp"), time("at"));
    let (wall, engine): (jiff::Timestamp, jiff::Timestamp) =
        (wall.parse().expect("an instant"), engine.parse().expect("an instant"));
    assert!(engine.duration_since(wall).unsigned_abs() > hour / 2, "the one is moved, the other is not");
}

#[tokio::test]
async fn what_is_refused_has_its_line_too_and_what_changes_nothing_has_none() {
    let place = Place::new("");
    let server = place.start();
    let (ada, a) = (server.client(&format!("ada@{APP_A}:")), server.client(&format!("{APP_A}:")));
    let busy = json!({"availability": "Busy", "activity": "Busy"});
    let set = format!("{ME}/setPresence");
    let clear = format!("{ME}/clearPresence");
    let wrong = json!({"sessionId": APP_A, "availability": "Busy", "activity": "Busy"});
    let short = json!({
        "sessionId": APP_A, "availability": "Busy", "activity": "InACall", "expirationDuration": "PT1M",
    });
    // What was done, by whom, for whom, and the code.
    let refused = [
        ("patch", ada.patch(&presence_of(BEN), &busy).await, json!(ADA), json!(BEN), "Forbidden"),
        (
            "patch",
            a.patch(&presence_of(NOBODY), &busy).await,
            Value::Null,
            Value::Null,
            "Request_ResourceNotFound",
        ),
        ("delete", a.delete(ME).await, Value::Null, Value::Null, "Request_BadRequest"),
        (
            "patch",
            server.client(&format!("ada@{APP_A}:Presence.Read")).patch(ME, &busy).await,
            json!(ADA),
            json!(ADA),
            "Forbidden",
        ),
        ("setPresence", ada.post(&set, &wrong).await, json!(ADA), json!(ADA), "InvalidArgument"),
        ("setPresence", ada.post(&set, &short).await, json!(ADA), json!(ADA), "InvalidArgument"),
        (
            "setPresence",
            ada.json(Method::POST, &set, &json!([STATUS])).await,
            json!(ADA),
            json!(ADA),
            "BadRequest",
        ),
        (
            "clearPresence",
            ada.post(&clear, &json!({"sessionId": APP_A})).await,
            json!(ADA),
            json!(ADA),
            "NotFound",
        ),
        (
            "unsubscribe",
            ada.delete(&format!("{SUBSCRIPTIONS}/{NOBODY}")).await,
            json!(ADA),
            Value::Null,
            "ResourceNotFound",
        ),
        ("subscribe", ada.post(SUBSCRIPTIONS, &json!({})).await, json!(ADA), Value::Null, "InvalidRequest"),
        (
            "clock",
            server.anonymous().post(CLOCK, &json!({"advance": "soon"})).await,
            Value::Null,
            Value::Null,
            "InvalidArgument",
        ),
    ];
    // Nobody who calls, nothing to change, or no such method.
    for answer in [
        server.anonymous().patch(ME, &busy).await,
        ada.get(ME).await,
        ada.post("/v1.0/communications/getPresencesByUserId", &json!({"ids": [ADA]})).await,
        ada.post("/v1.0/communications/presences", &json!({})).await,
        server.anonymous().get(CLOCK).await,
    ] {
        assert!(answer.status != 500, "{answer:?}");
    }
    server.stop();

    let log = place.lines();
    assert_eq!(log.len(), refused.len(), "{log:#?}");
    for ((action, answer, by, user, code), line) in refused.iter().zip(&log) {
        assert_eq!((&line["action"], &line["outcome"]), (&json!(action), &json!("refused")), "{line}");
        assert_eq!(line["request"], answer.header("request-id"), "{line}");
        assert_eq!((&line["by"], &line["user"]), (by, user), "{line}");
        assert_eq!(line["status"], answer.status.as_u16(), "{line}");
        assert_eq!((&line["code"], &answer.json()["error"]["code"]), (&json!(code), &json!(code)), "{line}");
        for member in ["revision", "before", "after", "changed"] {
            assert!(line.get(member).is_none(), "nothing has changed: {line}");
        }
    }
    assert_eq!(log[7]["reason"], "the session does not exist or has ended");
}

#[tokio::test]
async fn each_step_of_a_batch_has_its_line_with_the_clients_id_of_the_whole() {
    let place = Place::new("");
    let server = place.start();
    let step = |id: &str, method: &str| {
        json!({
            "id": id, "method": method, "url": "/me/presence", "body": {"availability": "Busy"},
            "headers": {"Content-Type": "application/json"},
        })
    };
    let steps = json!({"requests": [step("1", "PATCH"), step("2", "GET"), step("3", "PATCH")]});
    let client = server.client("ada:").header("client-request-id", "the-clients-own");
    let answer = client.post("/v1.0/$batch", &steps).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    patch(&server.client("ada:"), &json!({"availability": "Away"})).await;
    server.stop();
    let log = place.lines();
    let named: Vec<&Value> = log.iter().map(|line| &line["client_request"]).collect();
    assert_eq!(named, [&json!("the-clients-own"), &json!("the-clients-own"), &Value::Null]);
    assert_ne!(log[0]["request"], log[1]["request"]);
    assert_ne!(log[0]["request"], answer.header("request-id"));
    assert_eq!(log[0]["application"], DEMO);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_its_line() {
    let place = Place::new("");
    let (server, receiver) = (place.start(), Receiver::start().await);
    receiver.validate_with(Validation::Late(Duration::from_secs(60)));
    let order = order(&server, &receiver, 30).await.to_string();
    let mut connection = Connection::open(server.address()).await.expect("the server listens");
    connection.send("POST", SUBSCRIPTIONS, &order).await.expect("the server reads");
    until("the endpoint is asked", async || !receiver.validations().is_empty()).await;
    assert!(connection.leave().await.is_none(), "it has no answer yet");
    place.has(1).await;
    server.stop();
    let log = place.lines();
    assert_eq!(log.len(), 1, "{log:#?}");
    assert_eq!((&log[0]["action"], &log[0]["outcome"]), (&json!("subscribe"), &json!("unknown")));
    assert_eq!(log[0]["reason"], "nobody waited for the answer");
}

#[tokio::test]
async fn what_people_write_is_not_told_unless_it_is_asked_for() {
    let body = |text: &str| {
        let mut body = private();
        body["statusMessage"]["message"]["content"] = text.into();
        body
    };
    for texts in [false, true] {
        let place = Place::new(&format!("texts = {texts}"));
        let server = place.start();
        let ada = server.client("ada:Presence.ReadWrite");
        patch(&ada, &body("at lunch")).await;
        patch(&ada, &body(STATUS)).await;
        assert_eq!(ada.delete(ME).await.status, 204);
        let refused = json!({"statusMessage": {"message": {"content": STATUS, "contentType": "html"}}});
        assert_eq!(ada.patch(ME, &refused).await.status, 400);
        let err = server.stop().err.join("\n");
        let file = std::fs::read_to_string(&place.file).expect("the file is there");
        for (where_it_stands, told) in [("log", err), ("file", file)] {
            for text in [STATUS, "at lunch", OUT_OF_OFFICE, PLACE] {
                assert_eq!(told.contains(text), texts, "{text} in the {where_it_stands}: {told}");
            }
            for secret in ["dev:", "Bearer", "Presence.ReadWrite"] {
                assert!(!told.contains(secret), "{secret} in the {where_it_stands}: {told}");
            }
        }
        let log = place.lines();
        let shown = |text: &str| if texts { json!(text) } else { Value::Null };
        assert_eq!(log.len(), 4, "{log:#?}");
        let office = format!("office {PLACE}");
        assert_eq!(log[0]["status_message"], shown("at lunch"));
        assert_eq!(log[0]["status_message_before"], Value::Null);
        assert_eq!(
            (&log[0]["out_of_office"], &log[0]["work_location"]),
            (&shown(OUT_OF_OFFICE), &shown(&office))
        );
        assert_eq!(log[1]["status_message_before"], shown("at lunch"));
        assert_eq!(log[1]["status_message"], shown(STATUS));
        assert!(log[1].get("out_of_office").is_none(), "it has not changed: {}", log[1]);
        assert_eq!(log[2]["status_message_before"], shown(STATUS));
        assert_eq!(log[2]["status_message"], Value::Null);
        assert_eq!(log[2]["out_of_office_before"], shown(OUT_OF_OFFICE));
        assert_eq!(log[2]["work_location_before"], shown(&office));
    }
}

#[tokio::test]
async fn no_filter_of_the_log_silences_the_file_and_a_restart_appends() {
    let place = Place::new("");
    for filter in ["off", "porchlight::write=off", "error", "trace"] {
        let mut command = in_memory();
        command.args(["--config", text(&place.config)]).env("PORCHLIGHT_LOG", filter);
        let server = Program::start(&mut command);
        patch(&server.client("ada:"), &json!({"availability": "Busy"})).await;
        let log = server.stop().err;
        let is_logged = log.iter().any(|line| line.contains("porchlight::write"));
        assert_eq!(is_logged, filter == "trace", "{filter}: {log:#?}");
    }
    let log = place.lines();
    assert_eq!(log.len(), 4, "{log:#?}");
    assert!(log.iter().all(|line| line["action"] == "patch"), "and nothing else: {log:#?}");
}

#[tokio::test]
async fn a_server_that_is_killed_leaves_whole_lines() {
    let place = Place::new("");
    let server = place.start();
    let ada = server.client("ada:");
    for _ in 0..20 {
        patch(&ada, &json!({"availability": "Busy"})).await;
    }
    place.has(20).await;
    server.kill();
    let server = place.start();
    patch(&server.client("ada:"), &json!({"availability": "Away"})).await;
    server.stop();
    assert_eq!(place.lines().len(), 21);
}

#[tokio::test]
async fn full_files_are_put_aside_and_the_oldest_go() {
    let place = Place::new("rotate_bytes = 4096\nkeep = 3");
    let server = place.start();
    let ada = server.client("ada:");
    let mut last = String::new();
    for _ in 0..60 {
        let answer = ada.patch(ME, &json!({"availability": "Busy"})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        last = answer.header("porchlight-revision").to_owned();
    }
    server.stop();
    let aside = |number: usize| place.file.with_extension(format!("jsonl.{number}"));
    let mut revisions: Vec<u64> = Vec::new();
    for file in [aside(2), aside(1), place.file.clone()] {
        assert!(std::fs::metadata(&file).expect("it is there").len() <= 4096, "{}", file.display());
        revisions.extend(lines(&file).iter().map(|line| line["revision"].as_u64().expect("a revision")));
    }
    assert!(revisions.windows(2).all(|two| two[0] + 1 == two[1]), "none is missing: {revisions:?}");
    assert_eq!(revisions.last().map(ToString::to_string), Some(last));
    assert!(revisions.len() < 60, "the oldest are gone");
    assert_eq!(std::fs::read_dir(place.logs()).expect("a folder").count(), 3);
}

#[tokio::test]
async fn while_the_file_cannot_be_written_the_server_goes_on_and_says_so() {
    const LOST: &str = "porchlight_audit_lines_lost_total";
    let place = Place::new("");
    let server = place.start();
    let ada = server.client("ada:");
    patch(&ada, &json!({"availability": "Busy"})).await;
    place.has(1).await;
    assert_eq!(server.metrics().await.of(LOST), 0);
    // Not even root writes below a file.
    let moved = place.folder.path().join("moved");
    std::fs::rename(place.logs(), &moved).expect("it can be moved");
    std::fs::write(place.logs(), "").expect("it can be written");
    for _ in 0..3 {
        patch(&ada, &json!({"availability": "Away"})).await;
    }
    until("they are lost", async || server.metrics().await.of(LOST) == 3).await;
    std::fs::remove_file(place.logs()).expect("it is there");
    std::fs::rename(moved, place.logs()).expect("it can be moved");
    patch(&ada, &json!({"availability": "Busy"})).await;
    let log = server.stop().err;
    assert_eq!(place.lines().len(), 2, "the first and the last");
    let says = |text: &str| log.iter().filter(|line| line.contains(text)).count();
    assert_eq!(says("the audit file cannot be written"), 1, "once a minute: {log:#?}");
    assert_eq!(says("the audit file is written again"), 1, "{log:#?}");
    assert_eq!(says("porchlight::write"), 5, "the log has them all: {log:#?}");
}

#[test]
fn a_file_that_cannot_be_opened_stops_the_start() {
    let place = Place::new("");
    std::fs::remove_dir(place.logs()).expect("it is empty");
    let message = refusal(&run(serve(&["--ephemeral"]).args(["--config", text(&place.config)])), 73);
    let expected = format!(
        "cannot write the audit file {}: No such file or directory (os error 2)",
        place.file.display()
    );
    assert_eq!(message, expected);
}

#[test]
fn the_file_is_for_its_owner_and_their_group() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("");
    place.start().stop();
    let mode = std::fs::metadata(&place.file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
}

#[test]
fn keys_of_the_audit_have_their_ranges() {
    for (keys, expected) in [
        ("rotate_bytes = 4095", "audit.rotate_bytes must be at least 4096"),
        ("keep = 1", "audit.keep must be at least 2"),
    ] {
        let place = Place::new(keys);
        let ended = run(&mut porchlight(&["serve", "--config", text(&place.config)]));
        assert_eq!(refusal(&ended, 64), expected);
    }
}
