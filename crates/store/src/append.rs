//! One append, from the request to what became of it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::{Key, Revision, Value};

/// A request to write one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The key to write.
    pub key: Key,
    /// The revision that the key must have for the append to happen; [`Revision::NONE`] for a key without an entry.
    /// A tombstone is an entry: what comes after it expects the tombstone's revision.
    pub expected: Revision,
    /// What to leave there.
    pub value: Value,
}

/// Whatever the caller wants kept until the outcome of its append is known: the log drops it then, after the
/// [`Replica`](crate::Replica) has the entry and not before. A caller's lane and its claim on engine time ride here,
/// so that neither depends on the caller still being there.
pub type Hold = Box<dyn Send>;

/// Why an append did not happen, or may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The key has moved on; nothing was written.
    #[error("the key is at revision {newest}, not at the one expected")]
    Conflict {
        /// The revision that the key has now.
        newest: Revision,
    },
    /// Too many appends are waiting; nothing was written.
    #[error("too many writes are waiting")]
    Busy,
    /// The log is closed by a fault or by a stop; nothing was written.
    #[error("the log takes no writes")]
    Unavailable,
    /// The log failed while writing: the append may or may not be durable. The log finds out and keeps the hold
    /// until it has; if the append turns out durable, the replica gets it like any other.
    #[error("the log failed while writing; whether the write is kept is not known yet")]
    Unknown,
}

/// The answer to an append, as soon as there is one.
///
/// Dropping it changes nothing: the log finishes what was asked of it.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<Revision, AppendError>>);

/// What a log keeps of an append until its outcome is known: the caller's hold and the way to answer it. For whoever
/// implements [`Log`](crate::Log).
pub struct Owner {
    hold: Hold,
    answer: oneshot::Sender<Result<Revision, AppendError>>,
}

impl Owner {
    /// The log's end and the caller's end of one append.
    pub fn new(hold: Hold) -> (Owner, Receipt) {
        let (answer, receiver) = oneshot::channel();
        (Owner { hold, answer }, Receipt(receiver))
    }

    /// Drops the hold, then answers: whoever sees the answer finds the hold gone.
    pub fn settle(self, outcome: Result<Revision, AppendError>) {
        drop(self.hold);
        // Nobody listens any more when the receipt was dropped, which is the caller's good right.
        let _ = self.answer.send(outcome);
    }

    /// Answers that the outcome is unknown, and hands back the hold, to be dropped when it is known.
    pub fn unknown(self) -> Hold {
        let _ = self.answer.send(Err(AppendError::Unknown));
        self.hold
    }
}

impl Future for Receipt {
    type Output = Result<Revision, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // A log that went away without answering can only have been writing: the outcome is unknown.
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(AppendError::Unknown)))
    }
}
