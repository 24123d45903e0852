//! Whether it is the same time here as elsewhere.
//!
//! Nobody says by themselves whether their clock is right; but who is asked for something else says what time it is
//! there: issuers and servers in the `Date` of their answers, NATS in what it tells its operators.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use porchlight_engine::Clock;

use super::finding::Finding;

const CHECK: &str = "clock";

/// Clocks that are off by no more than this are the same: a `Date` has whole seconds, and answers take time. Nodes of a
/// cluster are not ready beyond it.
const SAME: Duration = Duration::from_secs(5);

/// Data that is no further ahead than this is served. Source: `engine`, which refuses more.
const AHEAD_MAX: Duration = Duration::from_secs(5 * 60);

/// What to do about a clock.
const SET: &str = "set the clock, and have it kept right: timedatectl says whether it is";

/// The clock of somebody who says what time it is, by this header.
pub(super) fn of_date(whose: &str, date: &str, tolerance: Duration) -> Option<Finding> {
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(of(whose, theirs, tolerance))
}

/// The clock of somebody who has just said what time it is; what is off by more than `tolerance` does not work.
pub(super) fn of(whose: &str, theirs: Timestamp, tolerance: Duration) -> Finding {
    let here =
        Timestamp::from_millisecond(Clock::system().now().as_millis()).unwrap_or(Timestamp::UNIX_EPOCH);
    compare(whose, here.duration_since(theirs), tolerance)
}

/// `ahead`: how far this machine's clock is ahead of theirs.
fn compare(whose: &str, ahead: SignedDuration, tolerance: Duration) -> Finding {
    let (off, seconds) = (ahead.unsigned_abs(), ahead.unsigned_abs().as_secs());
    if off <= SAME {
        return Finding::good(CHECK, format!("it is the same time here as at {whose}"));
    }
    let way = if ahead.is_negative() { "behind" } else { "ahead of" };
    let found = format!("this machine's clock is {seconds} s {way} that of {whose}");
    if off <= tolerance {
        Finding::warning(CHECK, found).advise(SET)
    } else {
        Finding::wrong(CHECK, found).advise(SET)
    }
}

/// The newest write, which is this far ahead of this machine's clock. `accepted`: it is served all the same.
pub(super) fn of_data(ahead: Duration, accepted: bool) -> Finding {
    let found =
        format!("the newest write in the data is {} s ahead of this machine's clock", ahead.as_secs());
    if ahead <= AHEAD_MAX {
        Finding::good(CHECK, "the newest write in the data is not ahead of this machine's clock")
    } else if accepted {
        Finding::warning(CHECK, found).advise("time stands still until the clock is there")
    } else {
        Finding::wrong(CHECK, found).advise("set the clock right, or start with --accept-clock")
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn what_is_off_is_told_and_beyond_the_tolerance_it_is_wrong() {
        let state =
            |seconds| compare("x", SignedDuration::from_secs(seconds), Duration::from_secs(300)).state;
        assert_eq!([state(0), state(5), state(-5)], [State::Good; 3]);
        assert_eq!([state(6), state(-300)], [State::Warning; 2]);
        assert_eq!([state(301), state(-301)], [State::Wrong; 2]);
        let behind = compare("x", SignedDuration::from_secs(-60), Duration::ZERO);
        assert_eq!(behind.found, "this machine's clock is 60 s behind that of x");
    }

    #[test]
    fn a_date_is_read_as_http_writes_it() {
        let finding = of_date("x", "Sun, 06 Nov 1994 08:49:37 GMT", Duration::ZERO).unwrap();
        assert_eq!(finding.state, State::Wrong);
        assert_eq!(of_date("x", "yesterday", Duration::ZERO), None);
    }
}
