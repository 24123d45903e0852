//! Several nodes over one log: design 4. What a client has seen on one node it does not miss on another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use porchlight_http::Development;
use porchlight_store::{Cluster, Fault, Key, Leases, Node};
use porchlight_testkit::{ADA, APP_A, Answer, BEN, Client, Event, TestServer};
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::subscriptions_support::{NOT_FOUND, SUBSCRIPTIONS};
use crate::support::{
    Application, BATCH, BULK, ME, PRESENCES, ada, below, ben, done, hint, members, minutes, presence_of, raw,
    read, redacted, refused, seconds, session,
};

pub(crate) const CLUSTER: &str = "/porchlight/cluster";
const DELTA: &str = "/v1.0/communications/presences/delta";
pub(crate) const HEALTH: &str = "/porchlight/health";
const REVISION: &str = "porchlight-revision";
const SCIM: &str = "/porchlight/scim/v2/Users";

/// More writes than any test makes.
const FAR: u64 = 1_000_000;

const BAD_REVISION: &str =
    "400 BadRequest The header porchlight-revision must be one number, as the answer to a write has it.";

fn not_seen(revision: impl std::fmt::Display) -> String {
    format!("503 ServiceUnavailable This node has not seen revision {revision} yet; nothing was done.")
}

/// The revision that a write was answered with.
fn revision(written: &Answer) -> &str {
    let revision = written.header(REVISION);
    assert!(revision.parse::<u64>().is_ok_and(|revision| revision > 0), "{written:?}");
    revision
}

/// The node has not come to a revision in time.
#[track_caller]
fn too_far(answer: &Answer, revision: impl std::fmt::Display) {
    refused(answer, &not_seen(revision));
    assert_eq!(answer.header("retry-after"), "1");
    assert!(hint(answer).contains("another node"), "{answer:?}");
}

async fn set_ben(server: &TestServer, pair: &str) -> Answer {
    let path = format!("{}/setPresence", presence_of(BEN));
    let answer = Application::a(server).client.post(&path, &session(APP_A, pair, "PT1H")).await;
    done(&answer);
    answer
}

async fn set_ada(server: &TestServer, pair: &str) -> Answer {
    let answer = Application::a(server).set(pair, "PT1H").await;
    done(&answer);
    answer
}

#[tokio::test]
async fn a_revision_that_is_there_is_not_waited_for() {
    let server = TestServer::start().await;
    let written = set_ada(&server, "Busy/InACall").await;
    let client = ada(&server).header(REVISION, revision(&written));
    assert_eq!(client.get(ME).await.pair(), "Busy/InACall");
    done(&client.post(&format!("{ME}/clearUserPreferredPresence"), &json!({})).await);
    assert_eq!(client.header(REVISION, "0").get(ME).await.pair(), "Busy/InACall");
}

#[tokio::test]
async fn a_revision_that_does_not_come_is_a_503_and_nothing_is_done() {
    let server = TestServer::start().await;
    set_ada(&server, "Busy/InACall").await;
    let far = FAR.to_string();
    let client = ada(&server).header(REVISION, &far);
    let stream = client.header("accept", "text/event-stream");
    let answers = [
        client.get(ME).await,
        client.get(&presence_of("nobody")).await,
        client.get("/v1.0/users").await,
        client.get(DELTA).await,
        client.post(BULK, &json!({"ids": [ADA]})).await,
        client.post(&format!("{ME}/setPresence"), &session(APP_A, "Away/Away", "")).await,
        client.delete(ME).await,
        client.post(BATCH, &json!({"requests": []})).await,
        stream.get(PRESENCES).await,
    ];
    for answer in answers {
        too_far(&answer, FAR);
    }
    let scim = Application::a(&server).client.header(REVISION, &far).get(SCIM).await;
    assert_eq!((scim.status.as_u16(), scim.header("retry-after")), (503, "1"));
    let detail = scim.json()["detail"].clone();
    assert!(detail.as_str().is_some_and(|detail| detail.starts_with("This node has not seen")), "{detail}");
    assert_eq!(ada(&server).get(ME).await.pair(), "Busy/InACall");
}

#[tokio::test]
async fn what_is_no_revision_is_refused_by_the_headers_name() {
    let server = TestServer::start().await;
    for text in ["x", "", "-1", "1.5", "1, 2", "18446744073709551616"] {
        refused(&ada(&server).header(REVISION, text).get(ME).await, BAD_REVISION);
    }
    let head = format!("GET {ME} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dev:ada:\r\n");
    let twice = format!("{head}{REVISION}: 1\r\n{REVISION}: 1\r\n\r\n");
    let answer = raw(&server, &twice).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(REVISION), "{answer}");
    // What needs no token is nobody's data.
    let anybody = server.anonymous().header(REVISION, "x");
    assert_eq!(anybody.get("/v1.0/$metadata").await.status, 200);
    assert_eq!(anybody.get(ME).await.status, 401);
}

#[tokio::test]
async fn a_step_of_a_batch_waits_for_a_revision_of_its_own() {
    let server = TestServer::start().await;
    let revision = revision(&set_ada(&server, "Busy/InACall").await).to_owned();
    let step = |id: &str, revision: &str| {
        let headers = json!({"porchlight-revision": revision});
        json!({"id": id, "method": "GET", "url": "/me/presence", "headers": headers})
    };
    let steps = [step("1", &revision), step("2", &FAR.to_string()), step("3", "x")];
    let batch = json!({"requests": steps});
    let answer = ada(&server).header(REVISION, &revision).post(BATCH, &batch).await.json();
    let outcome = |step: &Value| (step["status"].clone(), step["headers"]["Retry-After"].clone());
    let outcomes: Vec<_> = answer["responses"].as_array().expect("answers").iter().map(outcome).collect();
    assert_eq!(outcomes, [(json!(200), Value::Null), (json!(503), json!("1")), (json!(400), Value::Null)]);
}

#[tokio::test]
async fn writes_of_people_answer_with_a_revision_too() {
    let server = TestServer::start().await;
    let administrator = Application::a(&server).client;
    let person = json!({
        "accountEnabled": true, "displayName": "New", "mailNickname": "new",
        "userPrincipalName": "new@porchlight.example", "passwordProfile": {"password": "x"},
    });
    let made = administrator.post("/v1.0/users", &person).await;
    assert_eq!(made.status, 201, "{made:?}");
    let path = format!("/v1.0/users/{}", made.json()["id"].as_str().expect("an id"));
    let changed = administrator.patch(&path, &json!({"displayName": "Newer"})).await;
    let deleted = administrator.delete(&path).await;
    let user = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "s@x.example"});
    let by_scim = administrator.post(SCIM, &user).await;
    let number = |answer: &Answer| revision(answer).parse::<u64>().expect("a number");
    let numbers = [&made, &changed, &deleted, &by_scim].map(number);
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

#[tokio::test]
async fn a_server_that_shares_its_log_with_nobody_is_a_cluster_of_one() {
    let server =
        TestServer::builder().settings(|settings| settings.instance = "one".to_owned()).start().await;
    let answer = server.anonymous().get(CLUSTER).await;
    assert_eq!(answer.status, 200);
    let nil = "00000000-0000-0000-0000-000000000000";
    let health = server.anonymous().get(HEALTH).await.json();
    let node = json!({
        "id": nil, "name": "one", "version": health["version"], "me": true,
        "skewMilliseconds": 0, "lagMilliseconds": 0, "slots": [],
    });
    let expected = json!({
        "node": nil, "name": "one", "ready": true, "frozen": false, "log": health["log"],
        "nodes": [node], "slots": 0, "unheldSlots": [],
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(server.anonymous().post(CLUSTER, &json!({})).await.status, 405);
}

#[tokio::test]
async fn who_is_not_ready_says_why() {
    let server = TestServer::start().await;
    let health = async || server.anonymous().get(HEALTH).await;
    let sound = health().await;
    assert_eq!((sound.status.as_u16(), sound.json()["reason"].clone()), (200, Value::Null));
    server.memory().inject(Fault::FailedNotWritten);
    assert_eq!(Application::a(&server).set("Busy/InACall", "").await.status, 503);
    let broken = health().await;
    assert_eq!((broken.status.as_u16(), &broken.json()["ready"]), (503, &json!(false)));
    assert_eq!(members(&broken.json()).last(), Some(&"reason"));
    let reason = broken.json()["reason"].clone();
    assert!(reason.as_str().is_some_and(|reason| reason.contains("a fault was injected")), "{reason}");
    let cluster = server.anonymous().get(CLUSTER).await;
    assert_eq!((cluster.status.as_u16(), &cluster.json()["ready"]), (200, &json!(false)));
    assert_eq!(cluster.json()["reason"], reason);
    server.memory().resolve();
    assert_eq!(health().await.json(), sound.json());
    server.engine().close();
    let closed = health().await;
    assert_eq!(closed.status, 503);
    assert!(closed.json()["reason"].is_string() && closed.json()["reason"] != reason, "{closed:?}");
}

/// Two nodes; of the second, word from the first is held back.
async fn two_nodes() -> (TestServer, TestServer) {
    let here = TestServer::start().await;
    let there = here.beside().start().await;
    there.memory().hold_back();
    (here, there)
}

fn advance(nodes: &(TestServer, TestServer), by: Duration) {
    nodes.0.advance(by);
    nodes.1.advance(by);
}

#[tokio::test]
async fn a_read_on_another_node_waits_for_what_its_client_has_written() {
    let (here, there) = two_nodes().await;
    let written = set_ada(&here, "Busy/InACall").await;
    let revision = revision(&written);
    assert_eq!(ada(&there).get(ME).await.pair(), "Offline/Offline", "it has not heard of it");
    let client = ada(&there).header(REVISION, revision);
    too_far(&client.get(ME).await, revision);
    let (answer, ()) = tokio::join!(client.get(ME), async { there.memory().let_go() });
    assert_eq!(answer.pair(), "Busy/InACall");
    let seen = async |server: &TestServer| redacted(server, &read(server).await);
    assert_eq!(seen(&there).await, seen(&here).await);
}

/// The link that a round of a delta query ends with.
fn delta_link(server: &TestServer, answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    below(server, answer.json()["@odata.deltaLink"].as_str().expect("a link"))
}

#[tokio::test]
async fn a_delta_link_of_another_node_waits_for_what_that_had_told() {
    let nodes = two_nodes().await;
    let (here, there) = &nodes;
    let first = delta_link(here, &ben(here).get(DELTA).await);
    advance(&nodes, minutes(1));
    let written = set_ada(here, "Busy/InACall").await;
    // A link from before the write is one that both can go on from.
    assert_eq!(ben(there).get(&first).await.status, 200);
    let told = ben(here).get(&first).await;
    assert_eq!(told.json()["value"][0]["activity"], "InACall");
    let second = delta_link(here, &told);
    too_far(&ben(there).get(&second).await, revision(&written));
    there.memory().let_go();
    assert_eq!(ben(there).get(&second).await.status, 200);
    advance(&nodes, minutes(1));
    set_ben(here, "Away/Away").await;
    let told = ben(there).get(&second).await;
    let activities = |answer: &Answer| -> Vec<Value> {
        let value = answer.json()["value"].as_array().expect("a list").clone();
        value.iter().filter(|one| one["id"] == BEN).map(|one| one["activity"].clone()).collect()
    };
    assert_eq!(activities(&told), ["Away"]);
    // And back again.
    let third = delta_link(there, &told);
    advance(&nodes, minutes(1));
    set_ben(there, "Busy/InACall").await;
    assert_eq!(activities(&ben(here).get(&third).await), ["InACall"]);
}

/// Shows both that they are current, and waits until they have announced whatever is due.
async fn all_is_announced(nodes: &(TestServer, TestServer)) {
    nodes.0.memory().heartbeat();
    for server in [&nodes.0, &nodes.1] {
        while !server.engine().timers_overdue().is_zero() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_fade_between_the_clocks_of_two_nodes_that_give_the_pages_of_a_round_is_told_in_the_next() {
    let ((first, _first_nodes), (second, _second_nodes)) = (one_of_two(1), one_of_two(2));
    let here = TestServer::builder().cluster(first).start().await;
    let there = here.beside().cluster(second).start().await;
    let nodes = (here, there);
    let (here, there) = &nodes;
    done(&Application::a(here).set("Busy/InACall", "PT5M").await);
    // A second before its end there, and a second after it here.
    advance(&nodes, minutes(4) + seconds(59));
    here.advance(seconds(2));
    all_is_announced(&nodes).await;
    let of_ada = |answer: &Answer| -> Vec<Value> {
        let value = answer.json()["value"].as_array().expect("a list").clone();
        value.iter().filter(|one| one["id"] == ADA).map(|one| one["activity"].clone()).collect()
    };
    let (mut page, mut by) = (ben(here).get(&format!("{DELTA}?$top=1")).await, here);
    let mut told = of_ada(&page);
    while let Some(next) = page.json()["@odata.nextLink"].as_str() {
        page = ben(there).get(&below(by, next)).await;
        by = there;
        told.extend(of_ada(&page));
    }
    assert_eq!(told, ["InACall"], "she is not on the first page");
    let link = delta_link(there, &page);
    there.advance(seconds(2));
    all_is_announced(&nodes).await;
    for server in [here, there] {
        assert_eq!(of_ada(&ben(server).get(&link).await), ["Offline"]);
    }
}

/// Whose presence an event tells, and what it is.
fn gist(event: &Event) -> (Value, Value) {
    (event.data["id"].clone(), event.data["activity"].clone())
}

#[tokio::test]
async fn a_stream_that_was_cut_goes_on_at_another_node() {
    for path in [PRESENCES.to_owned(), presence_of(ADA)] {
        let nodes = two_nodes().await;
        let (here, there) = &nodes;
        let mut events = ben(here).follow(&path, None).await;
        events.until_current().await;
        advance(&nodes, minutes(1));
        let written = set_ada(here, "Busy/InACall").await;
        assert_eq!(gist(&events.next().await), (json!(ADA), json!("InACall")));
        let last_id = events.last_id().expect("events have ids").to_owned();
        drop(events);

        let back = ben(there).header("accept", "text/event-stream").header("last-event-id", &last_id);
        too_far(&back.get(&path).await, revision(&written));
        advance(&nodes, minutes(1));
        set_ada(here, "Away/Away").await;
        set_ben(here, "Away/Away").await;
        there.memory().let_go();
        let mut events = ben(there).follow(&path, Some(&last_id)).await;
        let told: Vec<_> = events.until_current().await.iter().map(gist).collect();
        let mut missed = vec![(json!(ADA), json!("Away"))];
        if path == PRESENCES {
            missed.insert(0, (json!(BEN), json!("Away")));
        }
        assert_eq!(told, missed, "the newest of each, once, and no snapshot");

        advance(&nodes, minutes(1));
        for (server, activity) in [(here, "InACall"), (there, "InAConferenceCall"), (here, "InACall")] {
            set_ada(server, &format!("Busy/{activity}")).await;
            assert_eq!(gist(&events.next().await), (json!(ADA), json!(activity)));
        }
    }
}

/// Leases whose slots are one node's from when it takes any: it has nobody to share them with.
struct AllSlots {
    held: watch::Sender<BTreeSet<u16>>,
    me: Uuid,
}

impl AllSlots {
    const SLOTS: u16 = 4;
}

impl Leases for AllSlots {
    fn slots(&self) -> u16 {
        AllSlots::SLOTS
    }

    fn take(&self) {
        self.held.send_replace((0..AllSlots::SLOTS).collect());
    }

    fn may_begin(&self, slot: u16) -> bool {
        self.held.borrow().contains(&slot)
    }

    fn held(&self) -> watch::Receiver<BTreeSet<u16>> {
        self.held.subscribe()
    }

    fn holders(&self) -> Vec<(u16, Uuid)> {
        self.held.borrow().iter().map(|slot| (*slot, self.me)).collect()
    }

    fn give_up(&self, slot: u16) {
        self.held.send_modify(|held| {
            held.remove(&slot);
        });
    }

    fn release(&self) {
        self.held.send_replace(BTreeSet::new());
    }
}

/// What makes a server take itself for one of two nodes, the first or the second, and by whom these are told.
fn one_of_two(number: u128) -> (Arc<Cluster>, watch::Sender<Arc<[Node]>>) {
    let first = Node {
        id: Uuid::from_u128(1),
        name: "first".to_owned(),
        version: "1.2.3".to_owned(),
        reads: 1,
        skew_ms: -40,
        lag: Duration::from_millis(3),
    };
    let second = Node { id: Uuid::from_u128(2), name: "second".to_owned(), ..first.clone() };
    let both: Arc<[Node]> = Arc::from([first, second]);
    let (nodes, known) = watch::channel(both);
    let me = Uuid::from_u128(number);
    let leases = Arc::new(AllSlots { held: watch::Sender::default(), me });
    (Arc::new(Cluster { me, nodes: known, leases }), nodes)
}

/// A server that takes itself for the first of two nodes, and by whom these are told.
async fn node() -> (TestServer, watch::Sender<Arc<[Node]>>) {
    let (cluster, nodes) = one_of_two(1);
    (TestServer::builder().cluster(cluster).start().await, nodes)
}

#[tokio::test]
async fn a_node_shows_who_shares_the_log_with_it() {
    let (server, _nodes) = node().await;
    let answer = server.anonymous().get(CLUSTER).await.json();
    let nodes = answer["nodes"].as_array().expect("nodes");
    let of = |name: &str| -> Vec<Value> { nodes.iter().map(|node| node[name].clone()).collect() };
    assert_eq!(of("name"), [json!("first"), json!("second")]);
    assert_eq!(of("me"), [json!(true), json!(false)]);
    assert_eq!(of("slots"), [json!([0, 1, 2, 3]), json!([])]);
    assert_eq!((&answer["name"], &answer["node"]), (&json!("first"), &answer["nodes"][0]["id"]));
    assert_eq!((&answer["slots"], &answer["unheldSlots"]), (&json!(4), &json!([])));
    let metrics = server.anonymous().get("/porchlight/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    for line in [
        "porchlight_cluster_nodes 2",
        "porchlight_clock_skew_seconds -0.04",
        "porchlight_log_lag_seconds 0.003",
        "porchlight_slots_held 4",
        "porchlight_frozen 0",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn what_is_read_while_time_stands_still_is_marked_as_stale() {
    let (server, _nodes) = node().await;
    let (reader, none) = (ben(&server), None::<&[u8]>);
    let bulk = json!({"ids": [ADA]});
    let batch = json!({"requests": [{"id": "1", "method": "GET", "url": "/me/presence"}]});
    let reads = async |client: &Client| {
        [
            client.get(ME).await,
            client.call(Method::HEAD, ME, none).await,
            client.get(PRESENCES).await,
            client.get(&format!("{PRESENCES}/$count")).await,
            client.get(DELTA).await,
            client.get("/v1.0/me").await,
            client.post(BULK, &bulk).await,
            client.post(BATCH, &batch).await,
        ]
    };
    let tag = reader.get(ME).await.header("etag").to_owned();
    for answer in reads(&reader).await {
        assert_eq!((answer.status.as_u16(), answer.header("warning")), (200, ""));
    }
    // Nothing is heard of the log any more.
    server.advance(seconds(4));
    let stale = "110 porchlight \"Response is Stale\"";
    for answer in reads(&reader).await {
        assert_eq!((answer.status.as_u16(), answer.header("warning")), (200, stale));
    }
    let known = reader.header("if-none-match", &tag).get(ME).await;
    assert_eq!((known.status.as_u16(), known.header("warning")), (304, stale));
    assert_eq!(reader.follow(PRESENCES, None).await.headers["warning"], stale);
    for answer in [
        reader.get("/v1.0/nonsense").await,
        server.anonymous().get("/v1.0/$metadata").await,
        server.anonymous().get(HEALTH).await,
    ] {
        assert_eq!(answer.header("warning"), "", "{answer:?}");
    }
}

#[tokio::test]
async fn a_node_that_is_cut_off_does_not_say_that_there_is_no_subscription() {
    let (server, _nodes) = node().await;
    let client = ben(&server);
    let answers = async |id: &str| {
        let path = format!("{SUBSCRIPTIONS}/{id}");
        [
            client.get(&path).await,
            client.get(&format!("{path}/porchlight.deliveries")).await,
            client.patch(&path, &json!({})).await,
            client.post(&format!("{path}/reauthorize"), &json!({})).await,
            client.delete(&path).await,
        ]
    };
    let id = Uuid::from_u128(7).to_string();
    for answer in answers(&id).await {
        refused(&answer, NOT_FOUND);
    }
    server.advance(seconds(4));
    let maybe = "503 ServiceUnavailable This node is cut off from the others, and knows no subscription with \
                 this id; it may have been made meanwhile.";
    for answer in answers(&id).await {
        refused(&answer, maybe);
        assert_eq!(answer.header("retry-after"), "1");
    }
    // What is no id was made by nobody.
    for answer in answers("x").await {
        refused(&answer, NOT_FOUND);
    }
    server.memory().heartbeat();
    for answer in answers(&id).await {
        refused(&answer, NOT_FOUND);
    }
}

/// Has the log write all of the demo tenant again without changing it, as JetStream's does in time.
fn sweep(server: &TestServer) {
    let id = Development::TENANT;
    let tenant = server.engine().tenant(id).expect("the demo tenant is there");
    let applied = tenant.applied();
    for person in tenant.directory().people_after(None, 100) {
        let (user, name) = (person.id, person.user_principal_name.to_ascii_lowercase());
        let keys = ["user", "directory"].map(|kind| format!("{kind}/{id}/{user}"));
        for key in keys.into_iter().chain([format!("name/{id}/{name}")]) {
            server.memory().sweep(&Key::new(key));
        }
    }
    // Of twelve people an entry and a name each, and Ada's record at least.
    assert!(tenant.applied().0 >= applied.0 + 25, "{:?}", tenant.applied());
}

#[tokio::test]
async fn what_the_log_moves_without_changing_it_is_told_to_nobody_again() {
    let ((first, _first_nodes), (second, _second_nodes)) = (one_of_two(1), one_of_two(2));
    let here = TestServer::builder().cluster(first).start().await;
    let there = here.beside().cluster(second).start().await;
    let nodes = (here, there);
    let (here, there) = &nodes;
    set_ada(here, "Busy/InACall").await;
    // Beyond what is looked back for because it may have been on its way.
    advance(&nodes, minutes(2));
    here.memory().heartbeat();
    let link = delta_link(here, &ben(here).get(DELTA).await);
    let mut events = ben(here).follow(PRESENCES, None).await;
    events.until_current().await;
    let last_id = events.last_id().expect("events have ids").to_owned();

    sweep(here);
    for server in [here, there] {
        let told = ben(server).get(&link).await;
        assert_eq!((told.status.as_u16(), &told.json()["value"]), (200, &json!([])), "{told:?}");
        let mut events = ben(server).follow(PRESENCES, Some(&last_id)).await;
        let told = events.until_current().await;
        assert!(told.is_empty(), "{told:?}");
    }
    // What was moved can be written, and that is told: it alone.
    set_ada(there, "Away/Away").await;
    assert_eq!(gist(&events.next().await), (json!(ADA), json!("Away")));
    for server in [here, there] {
        let told = ben(server).get(&link).await.json()["value"].as_array().expect("a list").clone();
        let told: Vec<_> = told.iter().map(|one| (one["id"].clone(), one["activity"].clone())).collect();
        assert_eq!(told, [(json!(ADA), json!("Away"))]);
    }
}
