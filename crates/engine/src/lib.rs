//! Users in memory, writes, engine time, timers, the feed of changes and the directory of people.
//!
//! [`Engine`] is what the rest of the program talks to. It answers reads from memory by evaluating records at engine
//! time, sends writes to the log, which finishes them, and tells the feed what has changed. It knows nothing of HTTP.

mod changes;
mod clock;
mod directory;
mod engine;
mod feed;
mod in_flight;
mod kept;
mod keys;
mod lanes;
mod origin;
mod people;
mod person;
mod slab;
mod state;
mod table;
mod tenant;
mod timers;
mod view;
mod write;

pub use changes::{Changed, Changes, Cursor, DELETED_KNOWN_FOR, Stamp, Whom};
pub use clock::Clock;
pub use directory::Directory;
pub use engine::{Engine, OpenError, Options};
pub use feed::{Change, Feed, Recent};
pub use kept::Keeper;
pub use origin::{Cause, Origin};
pub use people::{Introduction, PersonError, Seed};
pub use person::Person;
pub use tenant::Tenant;
pub use view::View;
pub use write::{WriteError, Written};
