//! Entries and heartbeats as messages of a stream.

use async_nats::HeaderMap;
use async_nats::jetstream::Message;
use bytes::Bytes;
use uuid::Uuid;

use super::subject::{self, Subject};
use super::{JetStreamError, sweeper};
use crate::{Append, Entry, Revision, record};

/// Which append a message is.
const ID: &str = "Nats-Msg-Id";

/// Where its key must be for an append to happen.
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

/// What a message of a stream is.
pub(super) enum Read {
    /// An entry; and which of this node's appends it is, if it is one.
    Entry(Entry, Option<u64>),
    /// A heartbeat of the node with this id: what it says, and when NATS took it, in Unix milliseconds.
    Beat { node: String, beat: Bytes, taken_at: i64 },
    /// Nothing of ours.
    Foreign,
}

/// The headers of this node's append of this number.
pub(super) fn headers(me: Uuid, number: u64, append: &Append) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ID, format!("{}.{number}", me.simple()));
    headers.insert(EXPECTED, append.expected.0.to_string());
    headers
}

/// Reads a message; with its place in the stream, and how many came after it when it was sent.
pub(super) fn read(
    message: &Message,
    prefix: &str,
    me: &str,
) -> Result<(Revision, u64, Read), JetStreamError> {
    let info = message.info().map_err(JetStreamError::nats)?;
    let revision = Revision(info.stream_sequence);
    let read = match subject::parse(prefix, &message.subject) {
        Some(Subject::Key(key)) => {
            let value = record::decode_value(&message.payload)
                .map_err(|error| JetStreamError::unreadable(&key, error))?;
            let header = |name: &str| Some(message.headers.as_ref()?.get(name)?.as_str());
            let number = header(ID).and_then(|id| id.strip_prefix(me)?.strip_prefix('.')?.parse().ok());
            let moved = header(sweeper::WRITTEN).and_then(|written| written.parse().ok());
            Read::Entry(Entry { key, revision, written: moved.map_or(revision, Revision), value }, number)
        }
        Some(Subject::Node(node)) => {
            let taken_at =
                i64::try_from(info.published.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
            Read::Beat { node, beat: message.payload.clone(), taken_at }
        }
        None => Read::Foreign,
    };
    Ok((revision, info.pending, read))
}
