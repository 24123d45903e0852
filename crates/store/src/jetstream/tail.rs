//! Following a cell: what is in its stream, and then whatever comes, goes to the replica in order.
//!
//! The consumer of async-nats goes on by itself after most faults. When the heartbeats of this node fail to come back all
//! the same, it is made anew, from behind the last message that the replica was given: so there is neither a gap nor a
//! repeat.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig, OrderedError};
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::JetStreamError;
use super::cell::Cell;
use super::heart::Heart;
use super::message::{self, Read};
use super::shared::Shared;
use super::subject;
use crate::tombstones::Tombstone;
use crate::{Entry, Revision};

/// How many messages go to the replica together.
const TOGETHER: usize = 512;

/// How long to wait before a consumer that could not be made is asked for again.
const AGAIN: Duration = Duration::from_millis(200);

/// Follows one cell for ever; says so once everything that was there has been given to the replica, or why that is not to
/// be had.
pub(super) async fn run(
    shared: Arc<Shared>,
    heart: Arc<Heart>,
    cell: usize,
    caught_up: oneshot::Sender<Result<(), JetStreamError>>,
) {
    let mut tail =
        Tail { me: shared.me.simple().to_string(), shared, heart, cell, caught_up: Some(caught_up) };
    loop {
        match tail.open().await {
            Ok(messages) => {
                if let Err(error) = tail.follow(messages).await {
                    tail.end(error);
                    return;
                }
            }
            // Not even when the stream has grown beyond that again: what it has in between was not read.
            Err(error @ JetStreamError::Lost { .. }) => {
                tail.end(error);
                return;
            }
            Err(error) => {
                tracing::debug!(stream = tail.cell().stream, %error, "the stream cannot be followed now");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

struct Tail {
    me: String,
    shared: Arc<Shared>,
    heart: Arc<Heart>,
    cell: usize,
    caught_up: Option<oneshot::Sender<Result<(), JetStreamError>>>,
}

/// Some messages, as the replica and the cell want them.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    /// This node's own appends among them.
    own: Vec<(u64, Revision)>,
    at: Revision,
    /// The stream has no more.
    is_last: bool,
}

impl Tail {
    fn cell(&self) -> &Cell {
        &self.shared.cells[self.cell]
    }

    /// A consumer of whatever comes after what the replica has.
    async fn open(&mut self) -> Result<Ordered, JetStreamError> {
        let context = &self.shared.context;
        let at = self.cell().at();
        let stream = context.get_stream(&self.cell().stream).await.map_err(JetStreamError::nats)?;
        let last = stream.cached_info().state.last_sequence;
        if last < at.0 && self.next_place().await? <= at {
            // Nothing that was acknowledged may be lost; when it is, whoever goes on would differ from who starts now.
            return Err(JetStreamError::Lost { stream: self.cell().stream.clone(), last, read: at });
        }
        let from = match at {
            Revision::NONE => DeliverPolicy::All,
            Revision(at) => DeliverPolicy::ByStartSequence { start_sequence: at + 1 },
        };
        let config = OrderedConfig {
            deliver_subject: self.shared.client.new_inbox(),
            deliver_policy: from,
            replay_policy: ReplayPolicy::Instant,
            ..OrderedConfig::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(JetStreamError::nats)?;
        if consumer.cached_info().num_pending == 0 {
            self.say_caught_up();
        }
        consumer.messages().await.map_err(JetStreamError::nats)
    }

    /// The place of what is written now. A server that has just come to lead a stream may not know yet where that ends; what
    /// it writes comes after everything all the same.
    async fn next_place(&self) -> Result<Revision, JetStreamError> {
        let node = self.shared.me.to_string();
        let subject = subject::node(&self.shared.options.prefix, self.cell().number, &node);
        // No heartbeat: nobody makes anything of it.
        let sent = self.shared.context.publish(subject, Bytes::new()).await.map_err(JetStreamError::nats)?;
        sent.await.map(|ack| Revision(ack.sequence)).map_err(JetStreamError::nats)
    }

    /// Hands on what comes, until the consumer is to be made anew.
    ///
    /// # Errors
    ///
    /// When an entry cannot be read: it is never skipped, so nothing after it is read, either.
    async fn follow(&mut self, messages: Ordered) -> Result<(), JetStreamError> {
        let mut messages = pin!(messages.ready_chunks(TOGETHER));
        while let Some(chunk) = next(&self.shared.cells[self.cell], &mut messages).await {
            let mut batch = Batch::default();
            for message in chunk {
                match message {
                    Ok(message) => {
                        if let Err(error) = self.read(&message, &mut batch) {
                            self.hand_on(batch);
                            return Err(error);
                        }
                    }
                    Err(error) => {
                        tracing::debug!(stream = self.cell().stream, %error, "the stream is followed anew");
                        self.hand_on(batch);
                        return Ok(());
                    }
                }
            }
            self.hand_on(batch);
            // Others have their turn, however much there is to read.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    fn read(&self, message: &Message, batch: &mut Batch) -> Result<(), JetStreamError> {
        let (revision, after, read) = message::read(message, &self.shared.options.prefix, &self.me)?;
        if revision <= self.cell().at().max(batch.at) {
            return Ok(());
        }
        match read {
            Read::Entry(entry, number) => {
                batch.own.extend(number.map(|number| (number, entry.revision)));
                batch.entries.push(entry);
            }
            // What was said before this node began says nothing of who lives.
            Read::Beat { node, beat, taken_at } if self.caught_up.is_none() => {
                self.heart.hear(self.cell(), &node, &beat, taken_at, Instant::now());
            }
            Read::Beat { .. } | Read::Foreign => {}
        }
        (batch.at, batch.is_last) = (revision, after == 0);
        Ok(())
    }

    fn hand_on(&mut self, batch: Batch) {
        if batch.at == Revision::NONE {
            return;
        }
        if !batch.entries.is_empty() {
            self.shared.tombstones.lock().extend(batch.entries.iter().filter_map(Tombstone::of));
            self.shared.replica.install(batch.entries);
        }
        self.cell().followed(batch.at, &batch.own);
        self.shared.settled.notify_one();
        self.heart.look(&self.shared);
        if batch.is_last {
            self.say_caught_up();
        }
    }

    fn say_caught_up(&mut self) {
        if let Some(caught_up) = self.caught_up.take() {
            // Whoever opens the log may have given up.
            let _ = caught_up.send(Ok(()));
        }
    }

    fn end(&mut self, error: JetStreamError) {
        tracing::error!(stream = self.cell().stream, %error, "the stream is not followed any more");
        self.shared.break_down(error.to_string());
        if let Some(caught_up) = self.caught_up.take() {
            let _ = caught_up.send(Err(error));
        }
    }
}

/// The next messages; `None` when the consumer is to be made anew.
async fn next(
    cell: &Cell,
    messages: &mut (impl Stream<Item = Vec<Result<Message, OrderedError>>> + Unpin),
) -> Option<Vec<Result<Message, OrderedError>>> {
    tokio::select! {
        chunk = messages.next() => chunk,
        () = cell.anew.notified() => None,
    }
}
