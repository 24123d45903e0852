//! Preferred presence: what the user wants shown.

use crate::{Pair, Timestamp};

/// What the user wants shown instead of what the sessions say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferred {
    pub(crate) pair: Pair,
    pub(crate) set_at: Timestamp,
    pub(crate) ends_at: Timestamp,
    /// Written by PATCH: it shows also while no session lives.
    pub(crate) standing: bool,
}

impl Preferred {
    /// Whether it still holds at `now`.
    pub(crate) fn lives(&self, now: Timestamp) -> bool {
        now < self.ends_at
    }
}
