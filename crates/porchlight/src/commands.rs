//! The commands that ask a server on somebody's behalf. They know nothing but the public API, so they work with the
//! original as well, as far as that goes.

pub(crate) mod change;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod limits;
mod look;
pub(crate) mod pair;
mod people;
pub(crate) mod subscriptions;
pub(crate) mod users;
pub(crate) mod watch;
pub(crate) mod when;

use serde_json::Value;

use crate::say;

/// Prints JSON as it is meant to be read by programs, and can be by people.
fn say_json(value: &Value) {
    say(&format!("{value:#}"));
}
