//! What all of these tests need.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use porchlight_store::contract::Recorder;
use porchlight_store::{Append, Health, JetStream, JetStreamOptions, Key, Log, Receipt, Revision, Value};
use porchlight_testkit::Nats;

/// How long anything that must happen may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A log of one cell on this server.
pub(crate) fn options(nats: &Nats) -> JetStreamOptions {
    options_at([nats.address().to_string()])
}

/// A log of one cell on whichever servers are reached by these addresses.
pub(crate) fn options_at(servers: impl IntoIterator<Item = String>) -> JetStreamOptions {
    JetStreamOptions { servers: servers.into_iter().collect(), cells: 1, ..JetStreamOptions::default() }
}

/// Opens the log, and keeps what it hands on.
pub(crate) fn open(options: &JetStreamOptions) -> (Arc<Recorder>, JetStream) {
    let replica = Recorder::new();
    let log = JetStream::open(options.clone(), replica.clone()).unwrap();
    (replica, log)
}

/// A key of the one part that these tests write to.
pub(crate) fn key(name: impl std::fmt::Display) -> Key {
    Key::new(format!("test/part/{name}"))
}

/// Hands over an append without waiting for the answer.
pub(crate) fn submit(log: &dyn Log, key: &Key, expected: Revision, value: Value) -> Receipt {
    log.append(Append { key: key.clone(), expected, value }, Box::new(())).unwrap()
}

/// Waits until the log's health is such.
pub(crate) async fn until_health(log: &dyn Log, is_such: impl FnMut(&Health) -> bool) {
    let mut health = log.health();
    tokio::time::timeout(PATIENCE, health.wait_for(is_such)).await.unwrap().unwrap();
}

/// JetStream as it is seen beside Porchlight.
pub(crate) async fn beside(nats: &Nats) -> jetstream::Context {
    jetstream::new(async_nats::connect(nats.address().to_string()).await.unwrap())
}

/// How a stream is now.
pub(crate) async fn stream(context: &jetstream::Context, name: &str) -> stream::Info {
    context.get_stream(name).await.unwrap().cached_info().clone()
}
