//! What a user's presence is, as a pure function of what was last written and what time it is.
//!
//! A [`User`] is one small record of everything ever written that still matters. Four functions work on it:
//! [`User::apply`] makes the next record from a [`Command`], [`User::presence`] says what an observer sees,
//! [`User::next_change`] says when that changes by itself, and [`User::explain`] says why. Every deadline in a record
//! is an absolute instant, set when the write was made; no setting enters the evaluation.
//!
//! **The law.** For every `t` in `[now, next_change(now))`, `presence(t) == presence(now)`.
//!
//! This crate does no I/O and never reads a clock: the time is always an argument.

mod activity;
mod availability;
mod command;
mod explanation;
mod ids;
mod limits;
mod out_of_office;
mod pair;
mod part;
mod preferred;
mod record;
mod refusal;
mod session;
mod status_message;
mod time;
mod user;
mod view;
mod work_location;

pub use activity::Activity;
pub use availability::Availability;
pub use command::{Change, Command, NewLocation, NewStatusMessage, Patch, SetPreferred, SetPresence};
pub use explanation::{Decider, Explanation, Layer, LayerKind, Reason};
pub use ids::{ApplicationId, SessionId, SessionKey, TenantId, UserId};
pub use limits::{Fade, Limits};
pub use out_of_office::OutOfOffice;
pub use pair::{Pair, PreferredPair, SessionPair, StandingPair};
pub use part::Part;
pub use preferred::Preferred;
pub use record::RecordError;
pub use refusal::{Method, Refusal, Text};
pub use session::Session;
pub use status_message::{Expiry, StatusMessage};
pub use time::Timestamp;
pub use user::User;
pub use view::{Presence, Stamps, StatusView, WorkLocation};
pub use work_location::{Location, LocationSource, LocationType};
