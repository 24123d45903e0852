//! A log in NATS JetStream, which any number of processes share.
//!
//! The log is spread over a fixed number of streams, its cells, which only spread NATS's load: everybody follows all of
//! them. A key lives in the cell of its [part](crate::Key::part); its newest entry is the one message of its subject; its
//! revision is that message's place in the stream. Replication, order, compare-and-set, leases and following are
//! JetStream's own.
//!
//! | module | what is in it |
//! |---|---|
//! | `handle` | [`JetStream`], what the rest of the program holds, and the log's thread |
//! | `options`, `error` | how it is to be run, and why it was not opened |
//! | `connection`, `stream` | the way to NATS, and the streams: made or checked, never changed |
//! | `subject`, `message` | keys as subjects, entries as messages |
//! | `cell` | how far a stream was followed, and who waits for what |
//! | `publish`, `tail` | the way of an append, out and back |
//! | `heart`, `peers` | the proof of being current, and who else lives |
//! | `purge`, `sweeper` | what keeps the streams small |
//! | `leases` | who does what only one may do |
//! | `look` | the checks of opening, without opening |

mod cell;
mod connection;
mod error;
mod handle;
mod heart;
mod leases;
mod look;
mod message;
mod options;
mod peers;
mod publish;
mod purge;
mod shared;
mod stream;
mod subject;
mod sweeper;
mod tail;

pub use error::JetStreamError;
pub use handle::JetStream;
pub use look::JetStreamFound;
pub use options::JetStreamOptions;
