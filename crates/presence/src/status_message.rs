//! The status message.

use crate::Timestamp;

/// When a status message ends.
///
/// Graph's clients send hundreds of nanoseconds and expect them back; only whole milliseconds enter the evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The instant, to the millisecond.
    pub at: Timestamp,
    /// What was given beyond it, in hundreds of nanoseconds: 0 to 9,999.
    pub ticks: u16,
}

/// A text that the user shows beside the presence, also while offline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusMessage {
    pub(crate) content: String,
    pub(crate) published_at: Timestamp,
    pub(crate) expiry: Option<Expiry>,
}

impl StatusMessage {
    /// Whether it still shows at `now`.
    pub(crate) fn lives(&self, now: Timestamp) -> bool {
        self.expiry.is_none_or(|expiry| now < expiry.at)
    }
}
