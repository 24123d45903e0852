//! Users in memory, writes, engine time, timers, the feed of changes and the directory of people.
//!
//! [`Engine`] is what the rest of the program talks to. It answers reads from memory by evaluating records at engine
//! time, sends writes to the log, which finishes them, and tells the feed what has changed. It knows nothing of HTTP.
//!
//! # In a cluster
//!
//! When the log says that others write to it too ([`Engine::cluster`]), every one of them holds all records and answers
//! every read from memory. What that adds:
//!
//! - Their entries come like one's own, and are told like one's own.
//! - Revisions are those of a tenant: entries of two tenants come in no common order.
//! - A write that meets another's waits until reads show that one, and is begun anew (`attempts.rs`).
//! - Engine time does not go on for more than three seconds without proof that everything has come ([`Engine::is_frozen`]).
//! - A change may come after a cursor although its stamp lies before it; `changes_since` looks back for it, and a write
//!   that comes too late for that is stamped anew (`late.rs`).
//! - A write whose record would have changed by itself within ten seconds is stamped after that change, since others may
//!   have told of it.

mod arena;
mod attempts;
mod census;
mod changes;
mod clock;
mod directory;
mod engine;
mod errand;
mod feed;
mod in_flight;
mod kept;
mod keys;
mod lanes;
mod late;
mod origin;
mod packer;
mod people;
mod person;
mod ready;
mod records;
mod slab;
mod slot;
mod state;
mod table;
mod tenant;
mod timers;
mod trace;
mod view;
mod write;

pub use census::Census;
pub use changes::{Changed, Changes, Cursor, DELETED_KNOWN_FOR, Stamp, Whom};
pub use clock::Clock;
pub use directory::Directory;
pub use engine::{Engine, OpenError, Options};
pub use errand::{Errand, Part, Wait};
pub use feed::{Change, Feed, Recent};
pub use kept::Keeper;
pub use origin::{Cause, Origin};
pub use people::{Introduction, PersonError, Seed};
pub use person::Person;
pub use ready::Unready;
pub use tenant::Tenant;
pub use trace::{Fact, Side, Span, Spans, TraceContext, Traced};
pub use view::View;
pub use write::{WriteError, Written};
