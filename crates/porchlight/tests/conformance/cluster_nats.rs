//! Nodes over a log in NATS whose clock is off, or whose network is cut: design 4.
//!
//! Their clocks are the system's: what has to pass here, passes.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use porchlight_presence::Fade;
use porchlight_store::JetStreamOptions;
use porchlight_testkit::{Answer, BEN, Nats, Receiver, TestServer};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::cluster::{CLUSTER, HEALTH};
use crate::subscriptions_support::{id_of, order, path_of, set, single, subscribe, whose};
use crate::support::{
    Application, ME, ada, done, done_without_content, minutes, read, redacted, refused, seconds,
};

/// How long it may take until a node is ready, or ready again. Source: issue 5.
const READY_MAX: Duration = Duration::from_secs(10);

/// How long it may take until somebody else tells what a node told. Source: issue 5.
const TAKEOVER_MAX: Duration = Duration::from_secs(10);

/// After this long who is available turns inactive: by then a node that was cut off meanwhile stands still.
const INACTIVE_AFTER: Duration = Duration::from_secs(8);

/// How far off a clock may be. Source: design 4.
const SKEW_MAX_MS: i64 = 5_000;

/// How often it is looked whether something is so.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A node of this name that reaches NATS by this address.
async fn node(name: &str, nats: SocketAddr) -> TestServer {
    let options = JetStreamOptions {
        servers: vec![nats.to_string()],
        cells: 2,
        node: name.to_owned(),
        ..JetStreamOptions::default()
    };
    let fade = Fade { inactive_after: INACTIVE_AFTER, away_after: minutes(10) };
    TestServer::builder().jetstream(options).limits(|limits| limits.fade = Some(fade)).start().await
}

/// Asks until the answer is such, and returns it.
async fn until<T: Debug>(
    what: &str,
    within: Duration,
    ask: impl AsyncFn() -> T,
    is_such: impl Fn(&T) -> bool,
) -> T {
    let begun = Instant::now();
    loop {
        let answer = ask().await;
        if is_such(&answer) {
            return answer;
        }
        assert!(begun.elapsed() < within, "waited in vain: {what}: {answer:?}");
        sleep(LOOK_EVERY).await;
    }
}

async fn health(node: &TestServer) -> Answer {
    node.anonymous().get(HEALTH).await
}

/// Ada's presence, as she reads it on this node.
async fn read_ada(node: &TestServer) -> Answer {
    ada(node).get(ME).await
}

async fn until_ready(node: &TestServer) {
    until("it is ready", READY_MAX, async || health(node).await, |health| health.status == 200).await;
}

/// Why a node says that it is not ready; nothing when it is.
fn reason(health: &Answer) -> String {
    health.json()["reason"].as_str().unwrap_or_default().to_owned()
}

/// How far ahead a node's clock is, in milliseconds, if it says that it is not ready because of that.
fn ahead(health: &Answer) -> Option<i64> {
    let reason = reason(health);
    let rest = reason.strip_prefix("set this machine's clock right: it is ")?;
    rest.split(' ').next()?.parse().ok()
}

/// How far ahead the clock of every node is, in milliseconds, as one of them knows; by name.
async fn skews(asked: &TestServer) -> BTreeMap<String, i64> {
    let cluster = asked.anonymous().get(CLUSTER).await.json();
    let skew = |node: &Value| {
        let name = node["name"].as_str().expect("a node has a name").to_owned();
        (name, node["skewMilliseconds"].as_i64().expect("a number of milliseconds"))
    };
    cluster["nodes"].as_array().expect("nodes").iter().map(skew).collect()
}

/// Returns when a node knows these nodes and no others, and takes the clocks of these for those that are off.
async fn until_known(asked: &TestServer, nodes: &[&str], off: &[&str]) {
    let is_known = |skews: &BTreeMap<String, i64>| {
        let is_off = |(_, skew): &(&String, &i64)| skew.abs() > SKEW_MAX_MS;
        skews.keys().eq(nodes) && skews.iter().filter(is_off).map(|(name, _)| name).eq(off)
    };
    let what = format!("of the nodes {nodes:?} these are off: {off:?}");
    until(&what, READY_MAX, async || skews(asked).await, is_known).await;
}

#[tokio::test]
async fn a_node_whose_clock_is_off_is_not_ready_and_the_others_are() {
    let nats = Nats::start();
    let start = async |name: &str| node(name, nats.address()).await;
    let (one, two, wrong) = (start("one").await, start("two").await, start("wrong").await);
    wrong.advance(seconds(8));
    // Meanwhile nobody takes the clocks of the others for those that are off.
    let asked = async || {
        for right in [&one, &two] {
            let health = health(right).await;
            assert_eq!(ahead(&health), None, "{health:?}");
        }
        health(&wrong).await
    };
    let told = until("its clock is off", seconds(15), asked, |health| ahead(health).is_some()).await;
    assert_eq!(told.status, 503);
    assert!(ahead(&told) > Some(SKEW_MAX_MS), "{told:?}");
    until_ready(&one).await;
    until_ready(&two).await;
    until_known(&one, &["one", "two", "wrong"], &["wrong"]).await;

    // Of two clocks that do not agree NATS's says which one is right.
    two.stop();
    for asked in [&one, &wrong] {
        until_known(asked, &["one", "wrong"], &["wrong"]).await;
    }
    assert!(ahead(&health(&wrong).await) > Some(SKEW_MAX_MS));
    until_ready(&one).await;

    // The clock is set right.
    wrong.stop();
    let right = start("right").await;
    until_known(&right, &["one", "right"], &[]).await;
    until_ready(&right).await;
}

/// Ada's subscription of Ben, which the node goes on telling when there is another one. That one gets half of
/// the slots: the upper ones, since who has too many gives the last one up.
async fn subscribe_for_good(node: &TestServer, receiver: &Receiver) {
    let cluster = node.anonymous().get(CLUSTER).await.json();
    let slots = u128::from(cluster["slots"].as_u64().expect("a number of slots"));
    loop {
        let made = subscribe(&ada(node), &order(node, &receiver.url("/"), &single(BEN))).await;
        let id = Uuid::try_parse(id_of(&made)).expect("an id is a GUID");
        if id.as_u128() % slots < slots / 2 {
            return;
        }
        done_without_content(&ada(node).delete(&path_of(&made)).await);
    }
}

#[tokio::test]
async fn a_node_that_is_cut_off_stands_still_and_goes_on_when_it_is_not_any_more() {
    const ACTIVE: &str = "Available/Available";
    const INACTIVE: &str = "Available/AvailableInactive";
    const STALE: &str = "110 porchlight \"Response is Stale\"";
    const NOT_TAKEN: &str =
        "503 ServiceUnavailable The storage takes no writes at the moment; nothing was written.";
    let nats = Nats::start();
    let network = nats.proxied();
    let (far, receiver) = (node("far", network.address()).await, Receiver::start().await);
    subscribe_for_good(&far, &receiver).await;
    let near = node("near", nats.address()).await;
    set(&far, BEN, "Busy/InACall").await;
    let before = receiver.items(1).await;
    done(&Application::a(&far).set(ACTIVE, "PT1H").await);

    network.cut();
    let cut = Instant::now();
    set(&near, BEN, "Away/Away").await;
    let is_stale = |answer: &Answer| answer.header("warning") == STALE;
    let stale = until("what it shows is marked", seconds(5), async || read_ada(&far).await, is_stale).await;
    assert_eq!((stale.status.as_u16(), stale.pair().as_str()), (200, ACTIVE));
    let is_cut_off =
        |health: &Answer| reason(health).starts_with("the log takes no writes: cut off from NATS");
    let told = until("it is cut off", READY_MAX, async || health(&far).await, is_cut_off).await;
    assert_eq!(told.status, 503);
    let written = Application::a(&far).set("Busy/InACall", "").await;
    refused(&written, NOT_TAKEN);
    assert_eq!(written.header("retry-after"), "2");

    let told = receiver.items(1).await;
    assert!(cut.elapsed() < TAKEOVER_MAX, "{:?}", cut.elapsed());
    assert_eq!(whose(&told[0]), BEN);
    assert_ne!(told[0]["id"], before[0]["id"], "the other one tells what is new");
    let is_inactive = |answer: &Answer| answer.pair() == INACTIVE;
    until("the other one shows the fade", READY_MAX, async || read_ada(&near).await, is_inactive).await;
    let still = read_ada(&far).await;
    assert_eq!((still.pair().as_str(), still.header("warning")), (ACTIVE, STALE));

    network.mend();
    until_ready(&far).await;
    let is_fresh = |answer: &Answer| is_inactive(answer) && answer.header("warning").is_empty();
    until("it shows the fade", READY_MAX, async || read_ada(&far).await, is_fresh).await;
    assert_eq!(redacted(&far, &read(&far).await), redacted(&near, &read(&near).await));
    set(&far, BEN, "Busy/InACall").await;
    assert_eq!(whose(&receiver.items(1).await[0]), BEN);
}
