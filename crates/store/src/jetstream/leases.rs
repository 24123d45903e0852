//! The leases of a cluster: who does what only one may do at a time, kept in a key-value bucket of JetStream.
//!
//! | module | what is in it |
//! |---|---|
//! | `table` | all decisions: what to renew, take and release, and until when work may begin |
//! | `simulation` | several tables over one bucket that loses, delays and stalls |
//!
//! This file is what is around them: the bucket, the watch on it, the attempts, and [`Leases`]. A slot's key
//! is `slot.{number}`; its value says who holds it. Each renewal writes the same value again, which gives the
//! key a new revision; that is what the others look for.

#[cfg(test)]
mod simulation;
mod table;

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::kv::{Config, Entry, Operation, Store, Watch};
use async_nats::jetstream::stream::{self, StorageType};
use async_nats::jetstream::{self, Context, ErrorCode};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::JetStreamError;
use crate::{Leases, Node};
use table::{Answer, Mark, SLOTS, Step, Table};

/// How long an attempt may take; after that its outcome counts as unknown. The next one is to come before the
/// lease is of no more use.
const ANSWER: Duration = Duration::from_secs(1);

/// How long NATS may take to answer anything else: to make the bucket, or to begin a watch.
const QUESTION: Duration = Duration::from_secs(5);

/// How often the table is looked at when nothing happens.
const PASS: Duration = Duration::from_millis(250);

/// How long to wait before the bucket is followed anew.
const ANEW: Duration = Duration::from_secs(1);

/// How long whoever stops waits for its releases to be written.
const RELEASE: Duration = Duration::from_secs(2);

/// Leases in a key-value bucket.
pub(super) struct KvLeases {
    store: Store,
    nodes: watch::Receiver<Arc<[Node]>>,
    start: Instant,
    /// Until when work for each slot may begin, in milliseconds since the start; read without a lock.
    work_until: [AtomicU64; SLOTS as usize],
    state: Mutex<State>,
    held: watch::Sender<BTreeSet<u16>>,
    /// Rung when there may be something to attempt.
    wake: Notify,
}

struct State {
    table: Table,
    /// Those who wait for all releases to be written.
    leaving: Vec<mpsc::Sender<()>>,
}

impl KvLeases {
    /// Opens the bucket, which is made if need be and never changed. To be called on the runtime that is to
    /// [run](KvLeases::run) it.
    ///
    /// # Errors
    ///
    /// [`JetStreamError::WrongShape`] for a bucket that is there and cannot be used; [`JetStreamError::Nats`]
    /// when NATS answers something else.
    pub(super) async fn open(
        context: &Context,
        bucket: &str,
        replicas: usize,
        me: Uuid,
        nodes: watch::Receiver<Arc<[Node]>>,
    ) -> Result<Arc<KvLeases>, JetStreamError> {
        // A context of its own, since a renewal must not wait behind the log's appends.
        let context = ContextBuilder::new().timeout(QUESTION).build(context.client());
        let store = open_bucket(&context, bucket, replicas).await?;
        let start = Instant::now();
        let state = State { table: Table::new(me, start), leaving: Vec::new() };
        Ok(Arc::new(KvLeases {
            store,
            nodes,
            start,
            work_until: [const { AtomicU64::new(0) }; SLOTS as usize],
            state: Mutex::new(state),
            held: watch::Sender::default(),
            wake: Notify::new(),
        }))
    }

    /// Follows the bucket, and renews, takes and releases slots, for ever.
    pub(super) async fn run(self: Arc<Self>) {
        tokio::join!(self.follow(), self.keep());
    }

    /// Sees every change of the bucket. The watch itself goes on after a disconnect; when it fails all the
    /// same, a new one begins with the newest revision of each key.
    async fn follow(&self) {
        loop {
            let cause = match self.store.watch_with_history(">").await {
                Ok(watch) => self.see_all(watch).await,
                Err(error) => error.to_string(),
            };
            tracing::warn!(cause, "the leases are followed anew");
            sleep(ANEW).await;
        }
    }

    /// Returns why it does not go on.
    async fn see_all(&self, mut watch: Watch) -> String {
        while let Some(entry) = watch.next().await {
            match entry {
                Ok(entry) => self.see(&entry),
                Err(error) => return error.to_string(),
            }
        }
        "the watch has ended".to_owned()
    }

    fn see(&self, entry: &Entry) {
        let Some(slot) = slot_of(&entry.key) else { return };
        let mark = match entry.operation {
            Operation::Put => Mark::read(&entry.value),
            Operation::Delete | Operation::Purge => Mark::Free,
        };
        self.change(|table, now| table.observe(slot, entry.revision, mark, now));
        self.wake.notify_one();
    }

    /// Makes all attempts, at the same time.
    async fn keep(&self) {
        let mut attempts = FuturesUnordered::new();
        loop {
            let live: Vec<Uuid> = self.nodes.borrow().iter().map(|node| node.id).collect();
            for step in self.change(|table, now| table.plan(now, &live)) {
                attempts.push(self.attempt(step));
            }
            tokio::select! {
                Some((step, answer)) = attempts.next() => {
                    self.change(|table, now| table.answered(step, answer, now));
                }
                () = self.wake.notified() => {}
                () = sleep(PASS) => {}
            }
        }
    }

    async fn attempt(&self, step: Step) -> (Step, Answer) {
        let update = self.store.update(key_of(step.slot), step.mark.write().into(), step.expects);
        let answer = match timeout(ANSWER, update).await {
            Ok(Ok(revision)) => Answer::Written(revision),
            Ok(Err(error)) if is_refusal(&error) => Answer::Refused,
            Ok(Err(error)) => {
                tracing::debug!(slot = step.slot, %error, "nobody knows whether the lease was written");
                Answer::Unknown
            }
            Err(_) => Answer::Unknown,
        };
        (step, answer)
    }

    /// Changes the table, and shows what has become of it before anybody else can change it.
    fn change<T>(&self, act: impl FnOnce(&mut Table, Instant) -> T) -> T {
        let mut state = self.state.lock();
        let result = act(&mut state.table, Instant::now());
        self.show(&state.table);
        if state.table.has_left() {
            for waiting in state.leaving.drain(..) {
                // Whoever has waited long enough is gone.
                waiting.send(()).ok();
            }
        }
        result
    }

    /// Takes no more slots, and has those that are held given up.
    pub(super) fn leave(&self) {
        self.change(Table::leave);
        self.wake.notify_one();
    }

    fn show(&self, table: &Table) {
        for (shown, until) in self.work_until.iter().zip(table.work_until()) {
            let until = until.map_or(0, |until| self.since_start(until));
            shown.store(until, Ordering::Release);
        }
        let held = table.held();
        self.held.send_if_modified(|shown| {
            let is_new = *shown != held;
            if is_new {
                tracing::debug!(?held, "the slots that this node holds");
                *shown = held;
            }
            is_new
        });
    }

    fn since_start(&self, instant: Instant) -> u64 {
        instant.saturating_duration_since(self.start).as_millis() as u64
    }
}

impl Leases for KvLeases {
    fn slots(&self) -> u16 {
        SLOTS
    }

    fn take(&self) {
        self.change(|table, _| table.take());
        self.wake.notify_one();
    }

    fn may_begin(&self, slot: u16) -> bool {
        let until = self.work_until.get(usize::from(slot)).map_or(0, |until| until.load(Ordering::Acquire));
        self.since_start(Instant::now()) < until
    }

    fn held(&self) -> watch::Receiver<BTreeSet<u16>> {
        self.held.subscribe()
    }

    fn holders(&self) -> Vec<(u16, Uuid)> {
        self.state.lock().table.holders()
    }

    fn give_up(&self, slot: u16) {
        self.change(|table, now| table.give_up(slot, now));
        self.wake.notify_one();
    }

    fn release(&self) {
        let (sender, receiver) = mpsc::channel();
        self.state.lock().leaving.push(sender);
        self.leave();
        if receiver.recv_timeout(RELEASE).is_err() {
            tracing::warn!("the slots were not released in time; others take them when their leases expire");
        }
    }
}

/// Whether a write was refused for certain because its key, or subject, has another revision than it
/// expected. A stream with several replicas may say so with a code of its own.
pub(super) fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<jetstream::Error>() {
            let refusals =
                [ErrorCode::STREAM_WRONG_LAST_SEQUENCE, ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT];
            return refusals.contains(&error.error_code());
        }
        cause = error.source();
    }
    false
}

/// Opens the bucket if it is as it must be, and makes it if it is not there.
async fn open_bucket(context: &Context, bucket: &str, replicas: usize) -> Result<Store, JetStreamError> {
    let store = match context.get_key_value(bucket).await {
        Ok(store) => store,
        // It is not there, or making it tells what is wrong. Others may make it at the same time.
        Err(_) => context.create_key_value(config(bucket, replicas)).await.map_err(JetStreamError::nats)?,
    };
    let problems = problems(&store.stream.cached_info().config, replicas);
    if problems.is_empty() {
        Ok(store)
    } else {
        Err(JetStreamError::WrongShape { stream: store.stream_name, problems })
    }
}

fn config(bucket: &str, replicas: usize) -> Config {
    Config {
        bucket: bucket.to_owned(),
        description: "Porchlight's leases: which node does the work of each slot".to_owned(),
        history: 1,
        storage: StorageType::File,
        num_replicas: replicas,
        ..Config::default()
    }
}

/// What is not as it must be, and how to mend it.
fn problems(found: &stream::Config, replicas: usize) -> Vec<String> {
    let remove = "stop all nodes and remove it with 'nats stream rm', and it is made anew";
    let mut problems = Vec::new();
    if found.num_replicas < replicas {
        problems.push(format!(
            "replicas is {} and must be {replicas}; mend it with 'nats stream edit {} --replicas {replicas}'",
            found.num_replicas, found.name
        ));
    }
    if found.storage != StorageType::File {
        problems.push(format!("storage is {:?} and must be File; {remove}", found.storage));
    }
    if !found.max_age.is_zero() {
        problems.push(format!("max_age is {:?} and must be 0; {remove}", found.max_age));
    }
    problems
}

fn key_of(slot: u16) -> String {
    format!("slot.{slot}")
}

fn slot_of(key: &str) -> Option<u16> {
    key.strip_prefix("slot.")?.parse().ok().filter(|slot| *slot < SLOTS)
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::context::{PublishError, PublishErrorKind};
    use async_nats::jetstream::kv::{UpdateError, UpdateErrorKind};

    use super::*;

    #[test]
    fn a_slot_is_read_back_from_its_key() {
        for slot in 0..SLOTS {
            assert_eq!(slot_of(&key_of(slot)), Some(slot));
        }
        for key in ["slot.32", "slot.", "slot", "other.1"] {
            assert_eq!(slot_of(key), None, "{key}");
        }
    }

    #[test]
    fn a_refusal_is_told_from_an_unknown_outcome_whichever_server_says_it() {
        let said = |code: u64| -> jetstream::Error {
            let text = format!(r#"{{"code":400,"err_code":{code},"description":"wrong last sequence"}}"#);
            serde_json::from_str(&text).unwrap()
        };
        for (code, refused) in [(10071, true), (10164, true), (10077, false)] {
            let publish = PublishError::with_source(PublishErrorKind::Other, said(code));
            let update = UpdateError::with_source(UpdateErrorKind::Other, publish);
            assert_eq!(is_refusal(&update), refused, "{code}");
        }
        assert!(!is_refusal(&UpdateError::new(UpdateErrorKind::TimedOut)));
    }

    #[test]
    fn a_bucket_of_the_wrong_shape_is_told_with_what_mends_it() {
        let right =
            stream::Config { num_replicas: 3, storage: StorageType::File, ..stream::Config::default() };
        assert!(problems(&right, 3).is_empty());
        let wrong = stream::Config {
            name: "KV_porchlight-leases".to_owned(),
            num_replicas: 1,
            storage: StorageType::Memory,
            max_age: Duration::from_secs(1),
            ..right
        };
        let problems = problems(&wrong, 3);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].contains("nats stream edit KV_porchlight-leases --replicas 3"), "{problems:?}");
    }
}
