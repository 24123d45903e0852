//! Instants.

use std::time::Duration;

/// An instant: milliseconds since 1970-01-01T00:00:00Z, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The beginning of time: what a user nobody has written anything for was last changed at.
    pub const ZERO: Timestamp = Timestamp(0);

    /// The last instant of the year 9999, the end of what RFC 3339 can write. Arithmetic stops here.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999);

    /// The instant this many milliseconds after the epoch, brought into the range from `ZERO` to `MAX`.
    pub const fn from_millis(millis: i64) -> Timestamp {
        if millis <= 0 {
            Timestamp::ZERO
        } else if millis as u64 > Timestamp::MAX.0 {
            Timestamp::MAX
        } else {
            Timestamp(millis as u64)
        }
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0.cast_signed()
    }

    /// This instant and `duration` (its whole milliseconds), at most `MAX`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Timestamp {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_add(millis).min(Timestamp::MAX.0))
    }

    /// This instant less `duration` (its whole milliseconds), at least `ZERO`.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Timestamp {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_sub(millis))
    }

    /// The next millisecond.
    #[must_use]
    pub fn next(self) -> Timestamp {
        self.plus(Duration::from_millis(1))
    }

    /// The time from `earlier` to this instant; nothing when `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
