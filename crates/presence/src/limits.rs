//! The settings that enter a write. None of them enters the evaluation.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::Timestamp;

/// After how long an available session fades, counted from when it was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fade {
    /// Available turns inactive. Default 5 min.
    pub inactive_after: Duration,
    /// Inactive turns away. Default 10 min.
    pub away_after: Duration,
}

/// What a write may be, and the deadlines that it gets.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A session's shortest life. Default 5 min.
    pub session_duration_min: Duration,
    /// A session's longest life. Default 4 h.
    pub session_duration_max: Duration,
    /// A session's life when nothing is said. Default 5 min.
    pub session_duration_default: Duration,
    /// When an available session fades; `None`: it does not.
    pub fade: Option<Fade>,
    /// Added to a session's end, for clients that renew at the very last moment. Default 0.
    pub expiry_grace: Duration,
    /// Live sessions of one user. Default 32.
    pub sessions_max: usize,
    /// A preference's longest life. Default 365 days.
    pub preferred_duration_max: Duration,
    /// A status message's length in Unicode scalar values, after trimming. Default 280.
    pub status_chars_max: usize,
    /// A place id's length in Unicode scalar values. Default 256.
    pub place_chars_max: usize,
    /// An out-of-office message's length in Unicode scalar values. Default 2,048.
    pub out_of_office_chars_max: usize,
    /// For how many days a work location holds, to midnight: 1 is the end of today. 0: until cleared. Default 1.
    pub location_days: u16,
    /// The zone whose midnight that is. Default UTC.
    pub zone: TimeZone,
    /// How far ahead a write looks for what it may prevent. Default 0, which is right for a node by itself.
    ///
    /// In a cluster other nodes may have told of a change that a record makes by itself before they learn of
    /// a write that prevents it. A write to a record that would have changed by itself within this time
    /// counts as a change, and is stamped after that.
    pub foresight: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Limits {
            session_duration_min: minutes(5),
            session_duration_max: minutes(4 * 60),
            session_duration_default: minutes(5),
            fade: Some(Fade { inactive_after: minutes(5), away_after: minutes(10) }),
            expiry_grace: Duration::ZERO,
            sessions_max: 32,
            preferred_duration_max: minutes(365 * 24 * 60),
            status_chars_max: 280,
            place_chars_max: 256,
            out_of_office_chars_max: 2048,
            location_days: 1,
            zone: TimeZone::UTC,
            foresight: Duration::ZERO,
        }
    }
}

impl Limits {
    /// When a work location set now ends: a midnight in the zone, or never.
    pub(crate) fn location_end(&self, now: Timestamp) -> Option<Timestamp> {
        if self.location_days == 0 {
            return None;
        }
        let today =
            jiff::Timestamp::from_millisecond(now.as_millis()).ok()?.to_zoned(self.zone.clone()).date();
        let day = today.checked_add(jiff::Span::new().days(i64::from(self.location_days))).ok()?;
        let midnight = day.to_datetime(Time::midnight()).to_zoned(self.zone.clone()).ok()?;
        Some(Timestamp::from_millis(midnight.timestamp().as_millisecond()))
    }
}
