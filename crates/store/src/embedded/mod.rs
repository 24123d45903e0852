//! A log in a folder on the disk of one machine: group commit in front of an embedded storage engine.
//!
//! | module | what is in it |
//! |---|---|
//! | `handle` | [`Embedded`], what the rest of the program holds |
//! | `folder` | the data folder: marker, lock, whose it is |
//! | `journal` | how the storage engine's journal ends, and cutting a torn batch off |
//! | `database` | the storage engine: what was chosen and why |
//! | `head` | count and digest of all entries |
//! | `replay`, `load` | reading everything, and opening with the check that everything is there |
//! | `queue` | what waits |
//! | `committer` | writing in batches, and purging |
//! | `recovery` | what is done about a fault |
//! | `repair` | what is done about a torn batch when somebody asks for it |
//! | `compact` | writing everything anew, without what was deleted |

mod committer;
mod compact;
mod database;
mod error;
mod folder;
mod handle;
mod head;
mod journal;
mod load;
mod options;
mod queue;
mod recovery;
mod repair;
mod replay;
mod shared;
#[cfg(test)]
mod tests;

pub use compact::{Compacted, compact};
pub use error::{OpenError, RepairError};
pub use handle::Embedded;
pub use options::{Durability, Options};
pub use repair::{Repair, repair};
