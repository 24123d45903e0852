//! A server that ends, or stands still, while appends are under way: what became of each is found out.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use porchlight_store::contract::{Recorder, live, put};
use porchlight_store::{Append, AppendError, Health, JetStream, Key, Log, Receipt, Replica, Revision};
use porchlight_testkit::Nats;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::support::{PATIENCE, beside, key, open, options, stream, until_health};

/// How many appends are under way when something happens.
const APPENDS: usize = 200;

/// The stream of the only cell.
const STREAM: &str = "porchlight-0";

/// Within this a log whose heartbeats come back takes writes again.
const RECOVERY: Duration = Duration::from_secs(6);

/// A hold that is counted when it is dropped.
struct Counted(watch::Sender<usize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|dropped| *dropped += 1);
    }
}

/// Appends that were handed over together, each to a key of its own.
struct Underway {
    receipts: Vec<(Key, Receipt)>,
    dropped: watch::Sender<usize>,
}

impl Underway {
    fn begin(log: &JetStream, round: usize) -> Underway {
        let dropped = watch::Sender::new(0);
        let submit = |number: usize| {
            let key = key(format!("{round}/{number}"));
            let (expected, value) = (Revision::NONE, live(number.to_string()));
            let append = Append { key: key.clone(), expected, value };
            let receipt = log.append(append, Box::new(Counted(dropped.clone()))).unwrap();
            (key, receipt)
        };
        Underway { receipts: (0..APPENDS).map(submit).collect(), dropped }
    }

    /// Lets `fault` happen once so many are answered; sees that every append is kept all the same, and every hold
    /// dropped.
    async fn end(self, replica: &Recorder, answered: usize, fault: impl AsyncFnOnce()) {
        let answer = |(key, receipt): (Key, Receipt)| async move { (key, receipt.await) };
        let mut receipts: FuturesUnordered<_> = self.receipts.into_iter().map(answer).collect();
        let first: Vec<_> = timeout(PATIENCE, receipts.by_ref().take(answered).collect()).await.unwrap();
        fault().await;
        let rest: Vec<_> = timeout(PATIENCE, receipts.collect()).await.expect("every receipt is answered");
        for (key, answer) in first.into_iter().chain(rest) {
            let revision = answer.expect("what was taken is sent until it is answered");
            assert_eq!(replica.revision(&key), revision, "{key}");
        }
        let mut dropped = self.dropped.subscribe();
        let all = dropped.wait_for(|dropped| *dropped == APPENDS);
        timeout(PATIENCE, all).await.expect("every hold is dropped").unwrap();
    }
}

/// Each entry came once and in order, and whoever opens the log now finds the same.
fn assert_is_whole(nats: &Nats, replica: &Recorder, log: &JetStream) {
    let installed = replica.installed();
    assert!(installed.is_sorted_by(|(_, one), (_, next)| one < next));
    let keys: BTreeSet<&Key> = installed.iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), installed.len(), "an append was kept twice");
    log.close();
    let (again, log) = open(&options(nats));
    assert_eq!(again.entries(), replica.entries());
    log.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_killed_between_append_and_answer_loses_nothing_and_keeps_nothing_twice() {
    let nats = Nats::start();
    let (replica, log) = open(&options(&nats));
    for (round, answered) in [1, 50, 150].into_iter().enumerate() {
        until_health(&log, |health| *health == Health::Writable).await;
        let restart = async || {
            nats.kill();
            nats.restart();
        };
        Underway::begin(&log, round).end(&replica, answered, restart).await;
    }
    assert_is_whole(&nats, &replica, &log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_stands_still_keeps_nothing_twice() {
    let nats = Nats::start();
    let (replica, log) = open(&options(&nats));
    let pause = async || {
        nats.pause();
        until_health(&log, |health| matches!(health, Health::Failed(_))).await;
        nats.resume();
    };
    Underway::begin(&log, 0).end(&replica, 1, pause).await;
    assert_is_whole(&nats, &replica, &log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_without_a_server_takes_nothing_until_there_is_one() {
    let nats = Nats::start();
    let (replica, log) = open(&options(&nats));
    let kept = put(&log, &key("a"), Revision::NONE, live("one")).await.unwrap();
    nats.stop();
    until_health(&log, |health| matches!(health, Health::Failed(_))).await;
    assert_eq!(put(&log, &key("a"), kept, live("two")).await, Err(AppendError::Unavailable));
    nats.restart();
    until_health(&log, |health| *health == Health::Writable).await;
    let next = timeout(PATIENCE, put(&log, &key("a"), kept, live("three"))).await.unwrap().unwrap();
    assert!(next > kept);
    assert_eq!(replica.installed(), [(key("a"), kept), (key("a"), next)]);
    log.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_whose_stream_has_lost_entries_takes_none_until_it_is_opened_again() {
    let nats = Nats::start();
    let (replica, log) = open(&options(&nats));
    // So many that what has beaten until the stream is looked at is fewer.
    for number in 0..50 {
        put(&log, &key(number), Revision::NONE, live("one")).await.unwrap();
    }
    let lost = put(&log, &key("a"), Revision::NONE, live("one")).await.unwrap();
    let context = beside(&nats).await;
    let made = stream(&context, STREAM).await.config;
    context.delete_stream(STREAM).await.unwrap();
    context.create_stream(made).await.unwrap();
    let is_lost = |health: &Health| matches!(health, Health::Failed(cause) if cause.contains("has lost"));
    until_health(&log, is_lost).await;

    // The stream grows beyond what was read of it before, which makes it no better.
    while stream(&context, STREAM).await.state.last_sequence <= lost.0 {
        context.publish("porchlight.0.other", "".into()).await.unwrap().await.unwrap();
    }
    let mut health = log.health();
    let stays = timeout(RECOVERY, health.wait_for(|health| !is_lost(health))).await.is_err();
    assert!(stays, "it goes on with entries that nobody else has");
    let refused = put(&log, &key("a"), lost, live("two")).await;
    assert_eq!(refused, Err(AppendError::Unavailable));
    assert_eq!(replica.revision(&key("a")), lost);
    log.close();

    let (replica, log) = open(&options(&nats));
    assert!(replica.entries().is_empty());
    put(&log, &key("a"), Revision::NONE, live("two")).await.unwrap();
    log.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_without_a_server_is_closed_in_time() {
    let nats = Nats::start();
    let (_, log) = open(&options(&nats));
    nats.stop();
    until_health(&log, |health| matches!(health, Health::Failed(_))).await;
    let mut health = log.health();
    // A thread of its own, which nobody waits for when it does not end.
    std::thread::spawn(move || log.close());
    let closed = timeout(PATIENCE, health.wait_for(|health| *health == Health::Closed)).await;
    assert!(closed.is_ok(), "it waits for a server that does not come");
}
