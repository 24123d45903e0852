//! Tombstones that one process purges and another one still has.

use porchlight_store::contract::{live, put};
use porchlight_store::{AppendError, Log, Replica, Revision, Value};
use porchlight_testkit::Nats;

use crate::support::{key, open, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purge_is_seen_by_another_process_when_it_writes_to_the_key() {
    let nats = Nats::start();
    let ((near, one), (far, other)) = (open(&options(&nats)), open(&options(&nats)));
    let created = put(&one, &key("gone"), Revision::NONE, live("one")).await.unwrap();
    let tombstone = Value::Tombstone { at: 1_000 };
    let deleted = put(&one, &key("gone"), created, tombstone).await.unwrap();
    far.until(|far| far.revision(&key("gone")) == deleted).await;
    one.purge(1_001);
    near.until(|near| near.entry(&key("gone")).is_none()).await;

    let conflict = put(&other, &key("gone"), deleted, live("two")).await;
    assert_eq!(conflict, Err(AppendError::Conflict { newest: Revision::NONE }));
    assert_eq!(far.entry(&key("gone")), None);
    let again = put(&other, &key("gone"), Revision::NONE, live("two")).await.unwrap();
    assert!(again > deleted);
    near.until(|near| near.revision(&key("gone")) == again).await;
    one.close();
    other.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purge_leaves_what_another_process_has_written_since() {
    let nats = Nats::start();
    let ((near, one), (far, other)) = (open(&options(&nats)), open(&options(&nats)));
    let tombstone = Value::Tombstone { at: 1_000 };
    let deleted = put(&one, &key("back"), Revision::NONE, tombstone.clone()).await.unwrap();
    put(&one, &key("gone"), Revision::NONE, tombstone).await.unwrap();
    far.until(|far| far.revision(&key("back")) == deleted).await;
    let again = put(&other, &key("back"), deleted, live("two")).await.unwrap();
    one.purge(1_001);
    near.until(|near| near.entry(&key("gone")).is_none()).await;
    one.close();
    other.close();

    let (replica, log) = open(&options(&nats));
    assert_eq!(replica.installed(), [(key("back"), again)]);
    log.close();
}
