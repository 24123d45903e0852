//! The log: keyed records with revisions, and the only thing in Porchlight that outlives the process.
//!
//! A log keeps the newest value of every key. Each append gets a [`Revision`], one increasing number for the
//! whole log, and is durable when it is answered. What a log has made durable it hands, in revision order, to the
//! one [`Replica`] it was opened with; that, not the answer to whoever asked, is what finishes a write.
//!
//! Three logs: [`Memory`] for tests and throw-away servers, with faults that a test can inject; [`Embedded`], a folder
//! on disk; and [`JetStream`], which several processes share. All pass the one suite in [`contract`].
//!
//! This crate never looks inside a value: what the bytes mean is its callers' business.

mod append;
mod cluster;
#[doc(hidden)]
pub mod contract;
pub mod dump;
mod embedded;
mod entry;
mod jetstream;
mod log;
mod memory;
mod record;
mod tombstones;

pub use append::{Append, AppendError, Hold, Owner, Receipt};
pub use cluster::{Cluster, Leases, Node};
pub use embedded::{
    Compacted, Durability, Embedded, OpenError, Options, Repair, RepairError, compact, repair,
};
pub use entry::{Entry, Key, LogId, Revision, Value};
pub use jetstream::{JetStream, JetStreamError, JetStreamFound, JetStreamOptions};
pub use log::{Health, Log, Replica, Stats};
pub use memory::{Fault, Memory};
pub use record::RecordError;
