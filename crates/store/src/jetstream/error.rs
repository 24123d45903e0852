//! What can go wrong when a log in JetStream is opened.

use crate::{Key, Revision};

/// Why a log in JetStream was not opened. Nothing was changed in NATS, but that streams that were missing may have been
/// made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JetStreamError {
    /// No server could be reached for as long as the options say.
    #[error("no NATS server answers at {servers}: {cause}; start it, or name others in the log's URL")]
    Unreachable {
        /// Who was asked.
        servers: String,
        /// What was wrong the last time.
        cause: String,
    },
    /// The servers do not want us, or we do not trust them.
    #[error("NATS refuses the connection: {0}")]
    Refused(String),
    /// A file that the options name cannot be used.
    #[error("{0}")]
    File(String),
    /// The servers are older than what the log relies on.
    #[error("the NATS server has version {version}, and 2.12 or newer is needed")]
    TooOld {
        /// The version of the server that was reached.
        version: String,
    },
    /// The servers do not offer JetStream to us.
    #[error("NATS offers no JetStream: {0}; start nats-server with -js, or enable it for this account")]
    NoJetStream(String),
    /// A stream is not as it must be. It is left as it is.
    #[error("the stream {stream} cannot be used: {}", .problems.join("; "))]
    WrongShape {
        /// Its name.
        stream: String,
        /// What is, what must be, and how to mend it; one each.
        problems: Vec<String>,
    },
    /// The log is spread over another number of streams, which stays as it is for good.
    #[error("the log has {found} cells, not {wanted}: say cells={found}, or move it with backup and restore")]
    OtherCells {
        /// How many it has.
        found: String,
        /// How many were asked for.
        wanted: u16,
    },
    /// There is no such log, and none was to be made.
    #[error("there is no log with the prefix {prefix}; another one is named by prefix= in the log's URL")]
    Missing {
        /// The prefix.
        prefix: String,
    },
    /// An entry cannot be read.
    #[error("the entry '{key}' cannot be read: {cause}")]
    Unreadable {
        /// Its key, or its subject if that is none.
        key: String,
        /// What is wrong.
        cause: String,
    },
    /// NATS has lost entries that were read from it already.
    #[error(
        "the stream {stream} ends at {last}, and {read} was read from it: NATS has lost acknowledged entries; \
         restart every node"
    )]
    Lost {
        /// The name of the stream.
        stream: String,
        /// Where it ends.
        last: u64,
        /// How far it was read.
        read: Revision,
    },
    /// NATS has answered something else.
    #[error("NATS: {0}")]
    Nats(String),
    /// The log's thread could not be started.
    #[error("the log's thread cannot be started: {0}")]
    Thread(String),
}

impl JetStreamError {
    /// The error for whatever the client of NATS says went wrong.
    pub(super) fn nats(error: impl std::fmt::Display) -> JetStreamError {
        JetStreamError::Nats(error.to_string())
    }

    /// The error for an entry that cannot be read.
    pub(super) fn unreadable(key: &Key, cause: impl std::fmt::Display) -> JetStreamError {
        JetStreamError::Unreadable { key: key.to_string(), cause: cause.to_string() }
    }
}
