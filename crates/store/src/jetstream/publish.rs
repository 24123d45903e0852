//! The way of an append.
//!
//! It goes out with the revision that it expects and an id of its own. When no answer comes, the very same goes out
//! again: NATS knows the id for two minutes and answers as it should have; after that the revision refuses it, if the
//! first one was kept. So an append is never kept twice, and what became of it is never guessed.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::shared::Shared;
use super::{message, subject};
use crate::{Append, AppendError, Revision, record};

/// An append that has waited for longer than this is not sent for the first time: whoever asked for it was told by now
/// that nobody knows. Source: design 3.
const FRESH: Duration = Duration::from_secs(10);

/// How long to wait before an append is sent again: the first time and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// An append that waits to be sent.
pub(super) struct Queued {
    pub(super) append: Append,
    /// Its number in its cell.
    pub(super) number: u64,
    pub(super) since: Instant,
}

/// An append on its way.
struct Underway {
    queued: Queued,
    subject: String,
    payload: Bytes,
    /// Some attempt was not answered: it may have been kept.
    is_unsure: bool,
}

/// What NATS has answered.
enum Answer {
    Kept(Revision),
    /// The key is elsewhere; `None`: NATS did not say where.
    Conflict(Option<Revision>),
    /// It was not kept, for this reason.
    Refused(String),
    /// None came.
    Nothing(String),
}

/// Sends appends in the order in which they come, for ever.
pub(super) async fn run(shared: Arc<Shared>, mut queue: mpsc::UnboundedReceiver<Queued>) {
    while let Some(queued) = queue.recv().await {
        if !is_connected_in_time(&shared, &queued).await {
            give_up(&shared, &queued);
            continue;
        }
        let subject = {
            let key = &queued.append.key;
            subject::of(&shared.options.prefix, shared.cell(key).number, key)
        };
        let payload = Bytes::from(record::encode_value(&queued.append.value));
        let underway = Underway { queued, subject, payload, is_unsure: false };
        // Sent here, one after another, so that of two appends to a key the first one comes first.
        let sent = underway.send(&shared).await;
        tokio::spawn(underway.finish(Arc::clone(&shared), sent));
    }
}

/// Waits for a connection that is being made anew, as long as it makes sense to send the append.
async fn is_connected_in_time(shared: &Shared, queued: &Queued) -> bool {
    while !shared.is_connected() {
        if queued.since.elapsed() > FRESH {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    queued.since.elapsed() <= FRESH
}

/// Nothing was written.
pub(super) fn give_up(shared: &Shared, queued: &Queued) {
    shared.cell(&queued.append.key).learn(queued.number, Revision::NONE, Err(AppendError::Unavailable));
    shared.settled.notify_one();
}

impl Underway {
    async fn send(&self, shared: &Shared) -> Result<PublishAckFuture, PublishError> {
        let headers = message::headers(shared.me, self.queued.number, &self.queued.append);
        let publish = PublishMessage::build().headers(headers).payload(self.payload.clone());
        shared.context.send_publish(self.subject.clone(), publish).await
    }

    /// Sees to it that what becomes of the append is known, however long that takes.
    async fn finish(mut self, shared: Arc<Shared>, sent: Result<PublishAckFuture, PublishError>) {
        let cell = shared.cell(&self.queued.append.key);
        let number = self.queued.number;
        let mut answer = answer(sent).await;
        let mut wait = AGAIN.0;
        loop {
            match answer {
                Answer::Kept(revision) => {
                    cell.learn(number, revision, Ok(revision));
                    shared.append_seconds.record(self.queued.since.elapsed().as_secs_f64());
                    break;
                }
                Answer::Conflict(newest) => match self.newest(&shared, newest).await {
                    // Something else is on its way to the key, and NATS does not say yet where that will be.
                    Some(newest) if newest == self.queued.append.expected => wait = AGAIN.0,
                    // A server that has just come to lead the stream may not know everything yet.
                    Some(newest)
                        if self.is_set_back(&shared, newest) && self.queued.since.elapsed() <= FRESH => {}
                    Some(newest) => {
                        self.conflict(&shared, newest);
                        break;
                    }
                    None => {}
                },
                Answer::Refused(cause) => {
                    if !self.is_unsure && self.queued.since.elapsed() > FRESH {
                        tracing::warn!(key = %self.queued.append.key, %cause, "NATS does not take an append");
                        give_up(&shared, &self.queued);
                        break;
                    }
                }
                Answer::Nothing(cause) => {
                    self.is_unsure = true;
                    tracing::debug!(key = %self.queued.append.key, %cause, "an append was not answered");
                }
            }
            tokio::time::sleep(wait).await;
            wait = AGAIN.1.min(2 * wait);
            if !cell.is_open(number) {
                // The stream has brought it.
                break;
            }
            // What is sent without a connection would be kept to be sent later, once for each attempt.
            answer = if shared.is_connected() {
                self::answer(self.send(&shared).await).await
            } else {
                Answer::Nothing("there is no connection".to_owned())
            };
        }
        shared.settled.notify_one();
    }

    /// Where the key is.
    async fn newest(&self, shared: &Shared, said: Option<Revision>) -> Option<Revision> {
        if said.is_some() {
            return said;
        }
        let stream = &shared.cell(&self.queued.append.key).stream;
        let stream = shared.context.get_stream_no_info(stream).await.ok()?;
        match stream.get_last_raw_message_by_subject(&self.subject).await {
            Ok(message) => Some(Revision(message.sequence)),
            Err(error) => {
                let is_none =
                    matches!(error.kind(), jetstream::stream::LastRawMessageErrorKind::NoMessageFound);
                is_none.then_some(Revision::NONE)
            }
        }
    }

    /// Whether NATS says that the key is where it was before what was expected, which the replica holds: whoever applies
    /// the write to that again meets the same conflict, for ever.
    fn is_set_back(&self, shared: &Shared, newest: Revision) -> bool {
        let Append { key, expected, .. } = &self.queued.append;
        if newest == Revision::NONE {
            // What was expected was a tombstone, which somebody has purged.
            shared.replica.purge(key, *expected);
        }
        newest < *expected && shared.replica.revision(key) == *expected
    }

    fn conflict(&self, shared: &Shared, newest: Revision) {
        let Append { key, expected, .. } = &self.queued.append;
        if self.is_set_back(shared, newest) {
            let stream = &shared.cell(key).stream;
            shared.break_down(format!(
                "the stream {stream} has '{key}' at {newest}, and {expected} was read from it: NATS has lost \
                 acknowledged entries; restart every node"
            ));
        }
        let conflict = Err(AppendError::Conflict { newest });
        shared.cell(key).learn(self.queued.number, newest, conflict);
    }
}

async fn answer(sent: Result<PublishAckFuture, PublishError>) -> Answer {
    let error = match sent {
        Ok(ack) => match ack.await {
            Ok(ack) => return Answer::Kept(Revision(ack.sequence)),
            Err(error) => error,
        },
        Err(error) => error,
    };
    let refusal =
        std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<jetstream::Error>());
    match (error.kind(), refusal) {
        (PublishErrorKind::WrongLastSequence, refusal) => {
            Answer::Conflict(refusal.and_then(|refusal| newest_in(&refusal.to_string())))
        }
        (_, Some(refusal)) if refusal.error_code() == ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT => {
            Answer::Conflict(None)
        }
        (PublishErrorKind::StreamNotFound | PublishErrorKind::MaxPayloadExceeded, _) | (_, Some(_)) => {
            Answer::Refused(error.to_string())
        }
        _ => Answer::Nothing(error.to_string()),
    }
}

/// The number in `wrong last sequence: 17`, which is how NATS says where the key is.
fn newest_in(refusal: &str) -> Option<Revision> {
    let (_, after) = refusal.rsplit_once("wrong last sequence: ")?;
    let digits = after.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok().map(Revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_revision_is_read_from_what_nats_says() {
        assert_eq!(newest_in("wrong last sequence: 17 (10071)"), Some(Revision(17)));
        assert_eq!(newest_in("nats: error: wrong last sequence: 0"), Some(Revision::NONE));
        assert_eq!(newest_in("wrong last sequence"), None);
    }
}
