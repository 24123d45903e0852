//! The sweeper: an entry that nobody writes does not make its stream ever wider.

use std::sync::Arc;

use porchlight_store::contract::{live, put};
use porchlight_store::{AppendError, Entry, JetStream, Log, Replica, Revision};
use porchlight_testkit::Nats;

use crate::support::{beside, key, open, options, stream};

/// Keys that are written again and again.
const BUSY: usize = 10;
/// How often each of them is.
const OVERWRITES: usize = 2_000;

/// How wide a stream of so many messages may be: from its first to its last, with all that are gone in between.
fn width_max(messages: u64) -> u64 {
    4 * messages + 10_000
}

/// Writes again and again under one key; returns the revision of the last append.
async fn overwrite(log: &JetStream, number: usize) -> Revision {
    let (key, mut expected, mut round) = (key(number), Revision::NONE, 0);
    while round < OVERWRITES {
        match put(log, &key, expected, live(round.to_string())).await {
            Ok(revision) => (expected, round) = (revision, round + 1),
            // The sweeper has moved it.
            Err(AppendError::Conflict { newest }) => expected = newest,
            Err(error) => panic!("{error}"),
        }
    }
    expected
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cold_entry_moves_unchanged_so_that_the_stream_stays_narrow() {
    let nats = Nats::builder().sync(false).start();
    let (replica, log) = open(&options(&nats));
    let log = Arc::new(log);
    let cold = put(&*log, &key("cold"), Revision::NONE, live("cold")).await.unwrap();
    let writers: Vec<_> = (0..BUSY)
        .map(|number| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { overwrite(&log, number).await })
        })
        .collect();
    let mut written = Vec::new();
    for writer in writers {
        written.push(writer.await.unwrap());
    }
    replica.until(|replica| replica.revision(&key("cold")) > cold).await;

    let state = stream(&beside(&nats).await, "porchlight-0").await.state;
    let width = state.last_sequence - state.first_sequence + 1;
    assert!(width <= width_max(state.messages), "{width} for {} messages", state.messages);
    let moved = replica.entry(&key("cold")).unwrap();
    let entry = Entry { key: key("cold"), revision: moved.revision, written: cold, value: live("cold") };
    assert_eq!(moved, entry);
    for (number, &written) in written.iter().enumerate() {
        let entry = replica.entry(&key(number)).unwrap();
        assert_eq!((entry.written, entry.value), (written, live((OVERWRITES - 1).to_string())));
    }
    let conflict = put(&*log, &key("cold"), cold, live("new")).await;
    assert_eq!(conflict, Err(AppendError::Conflict { newest: moved.revision }));
    let next = put(&*log, &key("cold"), moved.revision, live("new")).await.unwrap();
    assert_eq!(replica.entry(&key("cold")).unwrap().written, next);
    log.close();

    let (again, log) = open(&options(&nats));
    assert_eq!(again.entries(), replica.entries());
    log.close();
}
