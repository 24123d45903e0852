//! The sweeper: keeps a stream about as wide as what lives in it.
//!
//! A stream keeps the newest message of each subject. What was overwritten leaves a hole, and NATS remembers
//! every hole between the first message and the last. One user who has not been heard of for months pins the
//! first message, and the holes behind it grow without bound. So the oldest messages are appended again as
//! they are, which moves the first one on.
//!
//! A message that was moved says in [`WRITTEN`] which append has written it: nothing has changed, so nobody
//! is told.
//!
//! Why this is right whatever happens, also when several nodes do it at once: a message is moved by
//! compare-and-set on its own sequence. If somebody has written its key meanwhile, or moved it already, NATS
//! refuses, and there is nothing left to move. If the answer is lost, or the node dies, the message was
//! either moved or not; both are states of the stream that mean the same, and the next look begins with
//! whatever is oldest then.
//!
//! Heartbeats are not moved. The last one of a node that is gone is removed when it is old enough.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::State;
use async_nats::jetstream::{Context, Message};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use tokio::time::{sleep, timeout};

use super::JetStreamError;
use super::leases::is_refusal;

/// The header that names the append which has written a message, if that was moved since: its sequence.
pub(super) const WRITTEN: &str = "Porchlight-Written";

/// How often the stream is looked at.
const EVERY: Duration = Duration::from_secs(5);

/// A stream is too wide when there is more room from its first message to its last than this for each
/// message…
const WIDTH_PER_MESSAGE: u64 = 4;

/// …and this besides, so that a small stream is left alone.
const WIDTH_SPARE: u64 = 10_000;

/// How many messages are read before the stream is looked at again.
const BATCH: usize = 1_000;

/// How many messages are moved at the same time. Few beside the appends that may be underway, which are not
/// to wait.
const UNDERWAY: usize = 256;

/// How long reading a batch may take.
const READ: Duration = Duration::from_secs(10);

/// How long NATS keeps a reader that asks for nothing.
const READER_IDLE: Duration = Duration::from_secs(30);

/// How old, in seconds, a heartbeat is that is removed.
const BEAT_AGE: i64 = 600;

/// Sweeps one stream for ever, as long as `is_mine` says that this node is the one to do it.
pub(super) async fn run(context: Context, stream: String, is_mine: impl Fn() -> bool) {
    let mut sweeper = Sweeper { context, stream, reader: None, end: 0, moved: 0 };
    loop {
        let goes_on = is_mine() && sweeper.goes_on().await;
        if !goes_on {
            sweeper.rest();
            sleep(EVERY).await;
        }
    }
}

struct Sweeper {
    context: Context,
    /// The name of the stream.
    stream: String,
    /// Reads the stream from its oldest message on; `None` between two sweeps.
    reader: Option<PullConsumer>,
    /// Where the stream ended when this sweep began. What comes after that was moved there by it, or is new.
    end: u64,
    /// How many messages were moved in this sweep.
    moved: usize,
}

impl Sweeper {
    /// Moves one batch, if the stream is too wide; whether there may be more to do.
    async fn goes_on(&mut self) -> bool {
        self.sweep().await.unwrap_or_else(|error| {
            tracing::info!(stream = self.stream, %error, "sweeping is put off");
            false
        })
    }

    async fn sweep(&mut self) -> Result<bool, JetStreamError> {
        let stream = self.context.get_stream(&self.stream).await.map_err(JetStreamError::nats)?;
        let state = &stream.cached_info().state;
        if !is_too_wide(state.first_sequence, state.last_sequence, state.messages) {
            return Ok(false);
        }
        let batch = self.read(state).await?;
        let mut read_to = self.end;
        let now = state.last_timestamp.unix_timestamp();
        let mut entries = Vec::with_capacity(batch.len());
        for message in &batch {
            let info = message.info().map_err(JetStreamError::nats)?;
            read_to = info.stream_sequence;
            if !is_heartbeat(&message.subject) {
                entries.push((message, info.stream_sequence));
            } else if now - info.published.unix_timestamp() > BEAT_AGE {
                // It may be gone already, since another node has removed it.
                stream.delete_message(info.stream_sequence).await.ok();
            }
        }
        for some in entries.chunks(UNDERWAY) {
            let moves = some.iter().map(|(message, sequence)| move_on(&self.context, message, *sequence));
            self.moved += try_join_all(moves).await?.into_iter().filter(|moved| *moved).count();
        }
        Ok(read_to < self.end)
    }

    /// The oldest messages that were not read yet in this sweep.
    async fn read(&mut self, state: &State) -> Result<Vec<Message>, JetStreamError> {
        let reader = if let Some(reader) = self.reader.take() {
            reader
        } else {
            self.end = state.last_sequence;
            open_reader(&self.context, &self.stream, state.first_sequence).await?
        };
        let reading = async {
            let mut messages =
                reader.fetch().max_messages(BATCH).messages().await.map_err(JetStreamError::nats)?;
            let mut batch = Vec::with_capacity(BATCH);
            while let Some(message) = messages.next().await {
                batch.push(message.map_err(JetStreamError::nats)?);
            }
            Ok::<_, JetStreamError>(batch)
        };
        let batch = timeout(READ, reading).await.map_err(JetStreamError::nats)??;
        self.reader = Some(reader);
        Ok(batch)
    }

    /// A sweep is over. NATS forgets the reader by itself.
    fn rest(&mut self) {
        self.reader = None;
        let moved = std::mem::take(&mut self.moved);
        if moved > 0 {
            tracing::info!(stream = self.stream, moved, "the oldest entries were moved to the end");
        }
    }
}

/// Nothing is acknowledged, and a message that gets lost is found by the next sweep.
async fn open_reader(context: &Context, stream: &str, first: u64) -> Result<PullConsumer, JetStreamError> {
    let config = pull::Config {
        description: Some("Porchlight's sweeper".to_owned()),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: first },
        ack_policy: AckPolicy::None,
        inactive_threshold: READER_IDLE,
        num_replicas: 1,
        memory_storage: true,
        ..pull::Config::default()
    };
    context.create_consumer_on_stream(config, stream).await.map_err(JetStreamError::nats)
}

/// Appends a message again; whether that was done. It is not if the key was written or moved meanwhile.
async fn move_on(context: &Context, message: &Message, sequence: u64) -> Result<bool, JetStreamError> {
    let headers = headers(message.headers.as_ref(), sequence);
    let sent = context.publish_with_headers(message.subject.clone(), headers, message.payload.clone()).await;
    let answer = match sent {
        Ok(answer) => answer.await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(_) => Ok(true),
        Err(error) if is_refusal(&error) => Ok(false),
        Err(error) => Err(JetStreamError::nats(error)),
    }
}

/// The headers of a message that is moved away from this sequence, where it had those.
fn headers(old: Option<&HeaderMap>, sequence: u64) -> HeaderMap {
    let written = old.and_then(|headers| headers.get(WRITTEN));
    let written = written.map_or_else(|| sequence.to_string(), |written| written.as_str().to_owned());
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Expected-Last-Subject-Sequence", sequence.to_string());
    headers.insert("Nats-Msg-Id", format!("sweep-{sequence}"));
    headers.insert(WRITTEN, written);
    headers
}

/// Whether a stream with these first and last sequences, and so many messages, is to be swept.
fn is_too_wide(first: u64, last: u64, messages: u64) -> bool {
    let width = (last + 1).saturating_sub(first);
    width > WIDTH_PER_MESSAGE * messages + WIDTH_SPARE
}

/// Whether a subject of a log is that of a node's heartbeat: `{prefix}.{cell}.node.{id}`. No prefix has a
/// dot.
fn is_heartbeat(subject: &str) -> bool {
    subject.split('.').nth(2) == Some("node")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_too_wide_when_most_of_it_is_holes() {
        assert!(!is_too_wide(0, 0, 0), "an empty one");
        assert!(!is_too_wide(5_000_001, 5_000_000, 0), "one that was purged");
        assert!(!is_too_wide(1, 9_000, 1), "a small one");
        assert!(!is_too_wide(1, 1_000_000, 1_000_000), "one without holes");
        assert!(!is_too_wide(1, 4_010_000, 1_000_000), "as wide as may be");
        assert!(is_too_wide(1, 4_010_001, 1_000_000), "wider than may be");
        assert!(is_too_wide(1, 1_800_000, 2), "one cold key beside a hot one");
    }

    #[test]
    fn only_heartbeats_are_heartbeats() {
        assert!(is_heartbeat("porchlight.3.node.8c6f"));
        assert!(!is_heartbeat("porchlight.3.key.node.8c6f"));
        assert!(!is_heartbeat("node.node"));
    }

    #[test]
    fn a_message_that_is_moved_says_who_has_written_it_however_often_it_is_moved() {
        let once = headers(None, 7);
        let twice = headers(Some(&once), 900);
        let get = |headers: &HeaderMap, name: &str| headers.get(name).unwrap().as_str().to_owned();
        assert_eq!((get(&once, WRITTEN), get(&twice, WRITTEN)), ("7".to_owned(), "7".to_owned()));
        assert_eq!(get(&twice, "Nats-Expected-Last-Subject-Sequence"), "900");
        assert_eq!(get(&twice, "Nats-Msg-Id"), "sweep-900");
        assert_eq!(twice.len(), 3, "other headers are dropped");
    }
}
