//! Publishing to JetStream as fast as it goes: many messages on their way, each with an id and the sequence that
//! its subject must have, as a log in JetStream needs them.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_nats::jetstream::context::{ContextBuilder, PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use uuid::Uuid;

/// How long NATS may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A subject, what is published to it, and where it is.
pub(crate) struct Place {
    pub(crate) subject: Subject,
    pub(crate) payload: Bytes,
    /// The sequence of its newest message; 0: it has none.
    pub(crate) sequence: u64,
}

/// How it is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Messages that are on their way at once.
    pub(crate) in_flight: usize,
    /// How many are published as one atomic batch; `None`: each by itself.
    pub(crate) batch: Option<usize>,
}

/// When it is over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// So long after the first message.
    Elapsed(Duration),
    /// With so many messages.
    Count(u64),
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Messages that were kept.
    pub(crate) messages: u64,
    /// Messages that were refused, since their subjects were elsewhere.
    pub(crate) conflicts: u64,
    /// From the first message to the last answer.
    pub(crate) took: Duration,
    /// How long each answer took, in milliseconds.
    pub(crate) millis: Vec<f64>,
}

/// Connects to NATS.
pub(crate) async fn connect(servers: &[String]) -> Result<Context> {
    let client = async_nats::connect(servers).await.context("failed to connect to NATS")?;
    Ok(ContextBuilder::new().timeout(PATIENCE).build(client))
}

/// Publishes to all places in turn, as often as there is time for. A place that was elsewhere than it says is left
/// alone from then on; any other failure is an error.
pub(crate) async fn publish(
    context: &Context,
    places: &mut [Place],
    manner: Manner,
    until: Until,
) -> Result<Published> {
    let size = manner.batch.unwrap_or(1);
    let run = Uuid::new_v4().simple().to_string();
    let mut idle: VecDeque<usize> = (0..places.len() / size).collect();
    let mut underway = FuturesUnordered::new();
    let mut published = Published::default();
    let (begun, mut number) = (Instant::now(), 0);
    loop {
        while (underway.len() + 1) * size <= manner.in_flight && !until.is_over(begun, number * size as u64) {
            let Some(group) = idle.pop_front() else { break };
            number += 1;
            let sent = Instant::now();
            let id = format!("{run}.{number}");
            let ack = send(context, &places[group * size..][..size], manner.batch.is_some(), &id).await?;
            underway.push(async move { (group, sent, ack.await) });
        }
        let Some((group, sent, ack)) = underway.next().await else { break };
        match ack {
            Ok(ack) => {
                ensure!(!ack.duplicate, "a new message was taken for an old one");
                published.messages += size as u64;
                published.millis.push(sent.elapsed().as_secs_f64() * 1e3);
                // The sequence in the answer is that of the last one.
                for (place, sequence) in places[group * size..][..size].iter_mut().rev().zip(0..) {
                    place.sequence = ack.sequence - sequence;
                }
                idle.push_back(group);
            }
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                published.conflicts += size as u64;
            }
            // Of several servers the leader may not have forgotten yet that the last message was on its way.
            Err(error) if is_still_underway(&error) => idle.push_back(group),
            Err(error) => return Err(error).context("failed to publish"),
        }
    }
    published.took = begun.elapsed();
    Ok(published)
}

/// Whether NATS refuses a message only because another one to its subject was on its way a moment ago.
fn is_still_underway(error: &PublishError) -> bool {
    let refusal = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<jetstream::Error>());
    refusal.is_some_and(|refusal| refusal.error_code() == ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT)
}

impl Until {
    fn is_over(self, begun: Instant, messages: u64) -> bool {
        match self {
            Until::Elapsed(duration) => begun.elapsed() >= duration,
            Until::Count(count) => messages >= count,
        }
    }
}

/// Sends one message, or a batch of them, of which only the last one is answered.
///
/// Ids and expected sequences are allowed in a batch: nats-server 2.15 takes both, and refuses all of the batch for
/// one conflict. Source: NATS's ADR-50, whose `Nats-Batch-Seq` the server calls `Nats-Batch-Sequence`.
async fn send(context: &Context, places: &[Place], is_batch: bool, id: &str) -> Result<PublishAckFuture> {
    let (last, others) = places.split_last().context("there is nothing to send")?;
    for (index, place) in others.iter().enumerate() {
        let headers = headers(place, is_batch, id, index);
        let (client, subject) = (context.client(), place.subject.clone());
        let sent = client.publish_with_headers(subject, headers, place.payload.clone()).await;
        sent.context("failed to send a message of a batch")?;
    }
    let mut headers = headers(last, is_batch, id, others.len());
    if is_batch {
        headers.insert("Nats-Batch-Commit", "1");
    }
    let message = PublishMessage::build().headers(headers).payload(last.payload.clone());
    context.send_publish(last.subject.clone(), message).await.context("failed to send a message")
}

fn headers(place: &Place, is_batch: bool, id: &str, index: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Expected-Last-Subject-Sequence", place.sequence.to_string());
    if is_batch {
        headers.insert("Nats-Msg-Id", format!("{id}.{index}"));
        headers.insert("Nats-Batch-Id", id);
        headers.insert("Nats-Batch-Sequence", (index + 1).to_string());
    } else {
        headers.insert("Nats-Msg-Id", id);
    }
    headers
}
