//! How many requests an application has made lately, and when it may make the next one. Source: presence-api 18.

use std::time::Duration;

use parking_lot::Mutex;
use porchlight_engine::Clock;
use porchlight_presence::Timestamp;

/// How many requests an application may make in one tenant, and in how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// At least 1.
    requests_max: u32,
    window_ms: i64,
}

/// The buckets of a window: time moves on by one of them.
const BUCKETS: i64 = 30;

impl Rate {
    /// The range of a window's length.
    const WINDOW_MIN: Duration = Duration::from_secs(1);
    const WINDOW_MAX: Duration = Duration::from_secs(24 * 60 * 60);

    /// The original's. Source: presence-api 18.
    pub(crate) const STRICT: Rate = Rate { requests_max: 1500, window_ms: 30_000 };

    /// So many requests, at least one, in so long: a second to a day, what lies outside is taken for as much.
    pub(crate) fn new(requests_max: u32, window: Duration) -> Rate {
        let window = window.clamp(Rate::WINDOW_MIN, Rate::WINDOW_MAX);
        Rate { requests_max: requests_max.max(1), window_ms: window.as_millis() as i64 }
    }

    pub(crate) fn requests_max(self) -> u32 {
        self.requests_max
    }

    pub(crate) fn window(self) -> Duration {
        Duration::from_millis(self.window_ms.unsigned_abs())
    }

    /// The bucket of an instant; they are counted from the epoch, so that they are the same for everybody.
    fn bucket(self, at: Timestamp) -> i64 {
        at.as_millis() * BUCKETS / self.window_ms
    }

    /// The first millisecond of a bucket.
    fn begin(self, bucket: i64) -> i64 {
        (bucket * self.window_ms + BUCKETS - 1) / BUCKETS
    }
}

/// The requests of one application in one tenant within its newest 30 buckets.
#[derive(Debug)]
pub(crate) struct Window {
    rate: Rate,
    /// A mutex, held for a few additions: whether a request is let in and that it counts must be one step.
    counts: Mutex<Counts>,
}

impl Window {
    pub(crate) fn new(rate: Rate) -> Window {
        Window { rate, counts: Mutex::default() }
    }

    /// Counts a request that is made now.
    ///
    /// # Errors
    ///
    /// When there were as many as may be: this one does not count, and a client that waits so many seconds gets in,
    /// unless others of the same application come before it. It is the least such number, and at least one.
    pub(crate) fn take(&self, clock: &Clock) -> Result<(), Duration> {
        let mut counts = self.counts.lock();
        // The time after the lock: what is counted later is never earlier.
        counts.take(clock.now(), self.rate)
    }

    /// Whether no request counts any more.
    pub(crate) fn is_empty(&self, now: Timestamp) -> bool {
        let mut counts = self.counts.lock();
        counts.turn_to(self.rate.bucket(now));
        counts.total == 0
    }
}

/// What was counted, by bucket.
#[derive(Debug, Default)]
struct Counts {
    newest: i64,
    /// The newest buckets, each at its number's remainder.
    by_bucket: [u32; BUCKETS as usize],
    /// Their sum.
    total: u32,
}

impl Counts {
    fn take(&mut self, now: Timestamp, rate: Rate) -> Result<(), Duration> {
        let bucket = rate.bucket(now);
        self.turn_to(bucket);
        if self.total < rate.requests_max {
            *self.of(bucket) += 1;
            self.total += 1;
            return Ok(());
        }
        // There are as many as may be and never more, so one bucket that leaves makes room.
        let first = bucket - (BUCKETS - 1);
        let oldest = (first..bucket).find(|bucket| *self.of(*bucket) > 0).unwrap_or(bucket);
        let wait_ms = rate.begin(oldest + BUCKETS) - now.as_millis();
        Err(Duration::from_secs(wait_ms.unsigned_abs().div_ceil(1000).max(1)))
    }

    /// Lets go what lies more than a window back.
    fn turn_to(&mut self, bucket: i64) {
        // Development can reset the clock: what was counted at a time that is still to come counts no more.
        if !(0..BUCKETS).contains(&(bucket - self.newest)) {
            *self = Counts { newest: bucket, ..Counts::default() };
        }
        while self.newest < bucket {
            self.newest += 1;
            let left = std::mem::take(self.of(self.newest));
            self.total -= left;
        }
    }

    fn of(&mut self, bucket: i64) -> &mut u32 {
        &mut self.by_bucket[bucket.rem_euclid(BUCKETS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Keeps the instant of every request that was let in.
    struct Model {
        rate: Rate,
        taken: Vec<i64>,
    }

    impl Model {
        /// Whether a request at this instant would be let in: there are too few in the bucket that it lies in
        /// and the 29 before. A bucket is the thirtieth part of a window, counted from the epoch.
        fn has_room(&self, at: i64) -> bool {
            let bucket = |at: i64| i128::from(at) * 30 / i128::from(self.rate.window_ms);
            let counted = self.taken.iter().filter(|taken| bucket(**taken) > bucket(at) - 30).count();
            counted < self.rate.requests_max as usize
        }

        /// The least whole number of seconds after which one would be let in.
        fn wait(&self, at: i64) -> i64 {
            let longest = self.rate.window_ms / 1000 + 2;
            (1..=longest).find(|seconds| self.has_room(at + seconds * 1000)).expect("the window turns")
        }
    }

    /// What has come of a request: whether it was let in, or how long it is to wait.
    fn outcome(taken: Result<(), Duration>) -> Option<i64> {
        taken.err().map(|wait| i64::try_from(wait.as_secs()).expect("it is short"))
    }

    proptest! {
        #[test]
        fn a_window_counts_as_one_that_keeps_every_instant(
            requests_max in 1..20_u32,
            window_ms in 1_000..90_000_i64,
            start in 0..4_000_000_000_000_i64,
            steps in vec(prop_oneof![8 => 0..200_i64, 4 => 0..3_000_i64, 1 => 0..200_000_i64], 1..200),
        ) {
            let rate = Rate { requests_max, window_ms };
            let (mut counts, mut model) = (Counts::default(), Model { rate, taken: Vec::new() });
            let mut now = start;
            for step in steps {
                now += step;
                let expected = if model.has_room(now) { None } else { Some(model.wait(now)) };
                let taken = outcome(counts.take(Timestamp::from_millis(now), rate));
                prop_assert_eq!(taken, expected, "at {} of {:?}", now, model.taken);
                if taken.is_none() {
                    model.taken.push(now);
                }
            }
        }

        #[test]
        fn who_waits_as_long_as_told_gets_in_and_who_waits_less_does_not(
            requests_max in 1..20_u32,
            window_ms in 1_000..90_000_i64,
            start in 0..4_000_000_000_000_i64,
            gap in 0..5_000_i64,
        ) {
            let rate = Rate { requests_max, window_ms };
            let mut counts = Counts::default();
            let mut now = start;
            let told = loop {
                match outcome(counts.take(Timestamp::from_millis(now), rate)) {
                    Some(told) => break told,
                    None if now > start + 1_000_000 => return Ok(()),
                    None => now += gap,
                }
            };
            for waited in 1..told {
                let later = Timestamp::from_millis(now + waited * 1000);
                prop_assert_eq!(outcome(counts.take(later, rate)), Some(told - waited));
            }
            let later = Timestamp::from_millis(now + told * 1000);
            prop_assert_eq!(outcome(counts.take(later, rate)), None);
        }
    }

    #[test]
    fn a_clock_that_was_reset_leaves_nothing_behind() {
        let rate = Rate::new(1, Duration::from_secs(30));
        let mut counts = Counts::default();
        let late = Timestamp::from_millis(1_795_165_200_000);
        assert_eq!(outcome(counts.take(late, rate)), None);
        assert_eq!(outcome(counts.take(late, rate)), Some(30));
        let early = late.minus(Duration::from_secs(5));
        assert_eq!(outcome(counts.take(early, rate)), None);
        assert_eq!(outcome(counts.take(early, rate)), Some(30));
    }

    #[test]
    fn a_window_is_empty_when_its_last_request_has_left() {
        let (clock, rate) = (Clock::manual(Timestamp::from_millis(60_000)), Rate::STRICT);
        let window = Window::new(rate);
        assert!(window.is_empty(clock.now()));
        assert_eq!(window.take(&clock), Ok(()));
        clock.advance(Duration::from_millis(29_999));
        assert!(!window.is_empty(clock.now()));
        clock.advance(Duration::from_millis(1));
        assert!(window.is_empty(clock.now()));
    }

    #[test]
    fn a_rate_is_never_less_than_a_request_and_never_longer_than_a_day() {
        let table = [
            ((0, Duration::ZERO), (1, 1)),
            ((7, Duration::from_secs(30)), (7, 30)),
            ((7, Duration::MAX), (7, 86_400)),
        ];
        for ((requests_max, window), (requests, seconds)) in table {
            let rate = Rate::new(requests_max, window);
            assert_eq!((rate.requests_max(), rate.window()), (requests, Duration::from_secs(seconds)));
        }
    }
}
