//! Several nodes over one NATS: what is written on one is read on another, slots move at once when a node stops, and a
//! backup moves everything from a folder into a cluster and back.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use porchlight_testkit::{ADA, Nats, NatsCluster};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::backup::{assert_furnished, furnish, keys};
use crate::support::{Ended, ME, Process, Program, porchlight, presence_of, run, serve, text, until};

const DATA: i32 = 65;
const CANNOT_CREATE: i32 = 73;

/// After this long without a word of its holder, a slot is taken over. What moves sooner was handed over.
const LEASE: Duration = Duration::from_secs(6);

/// The log at this server of NATS, with what else the URL is to say.
pub(crate) fn url(nats: &Nats, more: &str) -> String {
    format!("jetstream://{}/?cells=4{more}", nats.address())
}

/// A node of this name over this log.
pub(crate) fn node(log: &str, name: &str) -> Command {
    serve(&["--dev", "--log", log, "--node-name", name])
}

/// Who holds which slots, by the name of the node, as this node sees it; and the slots that nobody holds.
async fn slots(asked: &Program) -> (BTreeMap<String, Vec<u64>>, usize) {
    let document = asked.anonymous().get("/porchlight/cluster").await.json();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let nodes = list(&document["nodes"]).into_iter().map(|node| {
        let name = node["name"].as_str().expect("a node has a name").to_owned();
        (name, list(&node["slots"]).iter().filter_map(Value::as_u64).collect())
    });
    (nodes.collect(), list(&document["unheldSlots"]).len())
}

/// The last thing that a program has said before it gave up with this code.
pub(crate) fn last_words(ended: &Ended, code: i32) -> String {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    let last = ended.err.last().and_then(|line| line.strip_prefix("porchlight: "));
    last.unwrap_or_else(|| panic!("it did not say why: {ended:?}")).to_owned()
}

#[tokio::test]
async fn three_nodes_are_one_server_and_status_shows_them() {
    let nats = Nats::start();
    let log = url(&nats, "");
    let nodes = ["one", "two", "three"].map(|name| Program::start(&mut node(&log, name)));
    let place =
        format!("data in NATS JetStream at {} (prefix porchlight, 4 cells, 1 replica)", nats.address());
    assert!(nodes[0].out().lines().iter().any(|line| line.contains(&place)), "{:?}", nodes[0].out());
    for (number, writer) in nodes.iter().enumerate() {
        let message = format!("written on {number}");
        let body = json!({"statusMessage": {"message": {"content": message}}});
        let written = writer.client("ada:").patch(ME, &body).await;
        assert_eq!(written.status, 200, "{written:?}");
        let revision = written.header("porchlight-revision").to_owned();
        for reader in &nodes {
            let reader = reader.client("ben:").header("porchlight-revision", &revision);
            let presence = reader.get(&presence_of(ADA)).await;
            assert_eq!(presence.json()["statusMessage"]["message"]["content"], message, "{presence:?}");
        }
    }
    for asked in &nodes {
        until("every slot is held and every node is known", async || {
            let (held, unheld) = slots(asked).await;
            let count: usize = held.values().map(Vec::len).sum();
            held.len() == 3 && unheld == 0 && count == 32
        })
        .await;
    }
    let status = || run(&mut porchlight(&["status", "--url", &nodes[1].url()])).answer();
    // Slots go on from node to node until everybody has as many.
    let said = std::iter::repeat_with(status).take(100).find(|said| !said.contains("nobody holds"));
    let said = said.expect("every slot is held at some time");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines.len(), lines.last()), (6, Some(&"ready")), "{said}");
    for name in ["one ", "two * ", "three "] {
        assert!(lines.iter().any(|line| line.starts_with(name)), "{name}: {said}");
    }
}

#[tokio::test]
async fn a_node_that_stops_hands_its_slots_over_at_once() {
    let nats = Nats::start();
    let log = url(&nats, "");
    let [leaving, staying] = ["leaving", "staying"].map(|name| Program::start(&mut node(&log, name)));
    until("each of the two holds some", async || {
        let (held, unheld) = slots(&staying).await;
        held.len() == 2 && unheld == 0 && held.values().all(|slots| !slots.is_empty())
    })
    .await;
    let ended = leaving.stop();
    assert!(ended.err.iter().any(|line| line.contains("stopping")), "{ended:?}");
    let stopped = Instant::now();
    until("the other has them all", async || {
        slots(&staying).await.0.get("staying").is_some_and(|slots| slots.len() == 32)
    })
    .await;
    assert!(stopped.elapsed() < LEASE / 2, "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn a_backup_moves_everything_into_a_cluster_and_back() {
    let nats = NatsCluster::start(3);
    let log = format!("jetstream://{}/?cells=4&replicas=3&prefix=moved", nats.addresses().join(","));
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    furnish(&at("data")).await;
    let files = [at("one"), at("two"), at("three")];
    let [one, two, three] = [text(&files[0]), text(&files[1]), text(&files[2])];
    let data = at("data");
    let count = keys(&run(&mut porchlight(&["backup", "--data", text(&data), one])));

    let missing = run(&mut porchlight(&["backup", "--log", &log, two]));
    assert_eq!(
        last_words(&missing, CANNOT_CREATE),
        "there is no log with the prefix moved; another one is named by prefix= in the log's URL"
    );
    assert_eq!(keys(&run(&mut porchlight(&["restore", "--log", &log, one]))), count);
    assert_eq!(keys(&run(&mut porchlight(&["backup", "--log", &log, two]))), count);
    let again = last_words(&run(&mut porchlight(&["restore", "--log", &log, one])), CANNOT_CREATE);
    assert!(
        again.ends_with(" is not empty: restore into another prefix, or remove these streams"),
        "{again}"
    );
    let back = at("back");
    assert_eq!(keys(&run(&mut porchlight(&["restore", "--data", text(&back), two]))), count);
    assert_eq!(keys(&run(&mut porchlight(&["backup", "--data", text(&back), three]))), count);
    let bytes = files.each_ref().map(|file| fs::read(file).expect("it is there"));
    assert!(bytes[0] == bytes[1] && bytes[1] == bytes[2], "the bytes differ");

    let server = Program::start(&mut node(&log, "moved"));
    assert_furnished(&server).await;
    // It may run meanwhile.
    let running = at("running");
    assert!(keys(&run(&mut porchlight(&["backup", "--log", &log, text(&running)]))) >= count);
}

#[test]
fn streams_that_are_not_as_they_must_be_are_named_with_what_is_wrong() {
    let nats = Nats::start();
    Program::start(&mut node(&url(&nats, ""), "first")).stop();
    let three = last_words(&run(&mut node(&url(&nats, "&replicas=3"), "second")), DATA);
    let expected = "the stream porchlight-0 cannot be used: replicas is 1 and must be 3; mend it with \
                    'nats stream edit porchlight-0 --replicas=3'";
    assert_eq!(three, expected);
    let other = format!("jetstream://{}/?cells=8", nats.address());
    let cells = last_words(&run(&mut node(&other, "third")), DATA);
    assert!(cells.starts_with("the log has 4 cells, not 8: say cells=4"), "{cells}");
    Program::start(&mut node(&url(&nats, ""), "fourth")).stop();
}

#[test]
fn what_acknowledged_writes_may_be_lost_by_is_said_at_the_start() {
    let (synced, unsynced) = (Nats::start(), Nats::builder().sync(false).start());
    let ask = |nats: &Nats| url(nats, &format!("&monitoring={}", nats.monitoring()));
    let one_machine = "may be lost with the one machine of NATS that keeps them";
    let table = [
        (ask(&synced), [one_machine, "NATS syncs every write before it acknowledges it"]),
        (ask(&unsynced), [one_machine, "sync_interval is 120s, not always"]),
        (url(&synced, ""), [one_machine, "that is unverified, since the log's URL has no monitoring"]),
        (url(&synced, "&monitoring=http://127.0.0.1:1"), [one_machine, "sync_interval is unverified"]),
    ];
    for (log, expected) in table {
        let server = Program::start(&mut node(&log, "careful"));
        for text in expected {
            let found = server.err().find(|lines| lines.iter().find(|line| line.contains(text)).cloned());
            assert!(found.is_some(), "{text}: {:?}", server.err().lines());
        }
    }
}

#[test]
fn whoever_waits_for_nats_can_be_stopped() {
    let log = "jetstream://127.0.0.1:1/?patience=PT1M";
    let waiting = Process::spawn(&mut node(log, "patient"));
    let said = waiting.err.find(|lines| lines.iter().find(|line| line.contains("waiting for NATS")).cloned());
    assert!(said.is_some(), "{:?}", waiting.err.lines());
    waiting.signal(Signal::TERM);
    let ended = waiting.end(Duration::from_secs(10));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.iter().any(|line| line.contains("stopping before the log is open")), "{ended:?}");
}
