//! The one clock.

#![expect(clippy::disallowed_methods, reason = "the one place that reads the system's time")]

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use porchlight_presence::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the system's clock is looked at for jumps.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How much further than the time that was waited the system's clock has to have moved between two looks to have
/// jumped. Clocks that are being set right little by little move less.
const JUMP_MIN: Duration = Duration::from_millis(50);

/// Says what time it is, for meaning; waiting is tokio's business.
///
/// Made once, in `main`, and handed down. It never goes back, except when development resets it together with all
/// data.
#[derive(Debug)]
pub struct Clock {
    source: Source,
    /// Milliseconds that development has moved the clock ahead.
    offset: AtomicI64,
    /// The newest instant ever told, in Unix milliseconds.
    floor: AtomicI64,
    /// How often development has begun anew.
    resets: AtomicU64,
    /// Counts the jumps, so that whoever waits for an instant looks again.
    jumps: watch::Sender<u64>,
}

enum Source {
    System,
    /// Stands still but for [`Clock::advance`].
    Manual(i64),
    /// Somebody else's time, at the pace of tokio's.
    Given(Box<dyn Fn() -> Timestamp + Send + Sync>),
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::System => formatter.write_str("System"),
            Source::Manual(start) => formatter.debug_tuple("Manual").field(start).finish(),
            Source::Given(_) => formatter.write_str("Given"),
        }
    }
}

impl Clock {
    /// The system's wall clock.
    pub fn system() -> Clock {
        Clock::new(Source::System)
    }

    /// A clock that stands at `start` until it is advanced.
    pub fn manual(start: Timestamp) -> Clock {
        Clock::new(Source::Manual(start.as_millis()))
    }

    /// A clock that shows what `source` says, which goes at the pace of tokio's time: for simulations, where both are
    /// virtual and a machine's clock may be off.
    pub fn given(source: impl Fn() -> Timestamp + Send + Sync + 'static) -> Clock {
        Clock::new(Source::Given(Box::new(source)))
    }

    fn new(source: Source) -> Clock {
        Clock {
            source,
            offset: AtomicI64::new(0),
            floor: AtomicI64::new(0),
            resets: AtomicU64::new(0),
            jumps: watch::Sender::new(0),
        }
    }

    /// The time: the source's and the offset, never less than what was told before.
    pub fn now(&self) -> Timestamp {
        let now = self.source_millis() + self.offset.load(Ordering::SeqCst);
        let floor = self.floor.load(Ordering::SeqCst);
        if now <= floor {
            return Timestamp::from_millis(floor);
        }
        Timestamp::from_millis(self.floor.fetch_max(now, Ordering::SeqCst).max(now))
    }

    /// How far the clock has been moved ahead of its source.
    pub fn offset(&self) -> Duration {
        Duration::from_millis(self.offset.load(Ordering::SeqCst).unsigned_abs())
    }

    /// Moves the clock ahead and wakes everything that waits for an instant.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let ahead = |offset: i64| Some(offset.saturating_add(millis).min(Timestamp::MAX.as_millis()));
        self.offset.fetch_update(Ordering::SeqCst, Ordering::SeqCst, ahead).ok();
        self.jumped();
    }

    /// The clock tells no earlier time than this from now on.
    pub fn not_before(&self, floor: Timestamp) {
        self.floor.fetch_max(floor.as_millis(), Ordering::SeqCst);
        self.jumped();
    }

    /// Back to the source's own time. Only for a development server that has thrown all its records away.
    pub fn reset(&self) {
        self.offset.store(0, Ordering::SeqCst);
        self.floor.store(0, Ordering::SeqCst);
        self.resets.fetch_add(1, Ordering::SeqCst);
        self.jumped();
    }

    /// How often it was reset: whoever remembers something from before the last time forgets it. A jump tells of each.
    pub fn resets(&self) -> u64 {
        self.resets.load(Ordering::SeqCst)
    }

    /// Returns when the clock shows `at` or later, or when it jumps, whichever is first. `None`: when it jumps.
    pub async fn wait(&self, at: Option<Timestamp>, jumps: &mut watch::Receiver<u64>) {
        let sleep = match (&self.source, at) {
            (_, Some(at)) if at <= self.now() => return,
            (Source::System | Source::Given(_), Some(at)) => Some(at.since(self.now())),
            (Source::System | Source::Given(_), None) | (Source::Manual(_), _) => None,
        };
        let elapsed = async {
            match sleep {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = elapsed => {}
            _ = jumps.changed() => {}
        }
    }

    /// Wakes everything that waits for an instant when the system's clock is set ahead. Never returns.
    ///
    /// Waiting goes by a clock that nobody sets: whoever waits would sleep on past their instant. Time through which the
    /// whole machine slept is such a jump, too. A clock that is set back wakes nobody: here time stands still.
    pub async fn notice_jumps(&self) {
        if matches!(self.source, Source::Manual(_)) {
            return std::future::pending().await;
        }
        let (mut wall, mut waited) = (self.source_millis(), Instant::now());
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let before = (wall, waited);
            (wall, waited) = (self.source_millis(), Instant::now());
            if has_jumped(wall - before.0, waited - before.1) {
                self.jumped();
            }
        }
    }

    /// Word of every jump, for [`Clock::wait`].
    pub fn jumps(&self) -> watch::Receiver<u64> {
        self.jumps.subscribe()
    }

    fn jumped(&self) {
        self.jumps.send_modify(|count| *count += 1);
    }

    fn source_millis(&self) -> i64 {
        match &self.source {
            Source::Manual(start) => *start,
            Source::Given(now) => now().as_millis(),
            Source::System => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
            }
        }
    }
}

/// Whether a clock that has moved by so many milliseconds has been set ahead meanwhile.
fn has_jumped(moved_millis: i64, waited: Duration) -> bool {
    u64::try_from(moved_millis).is_ok_and(|moved| Duration::from_millis(moved) > waited + JUMP_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_never_goes_back() {
        let clock = Clock::manual(Timestamp::from_millis(1_000));
        clock.not_before(Timestamp::from_millis(5_000));
        assert_eq!(clock.now(), Timestamp::from_millis(5_000));
        clock.advance(Duration::from_millis(4_500));
        assert_eq!(clock.now(), Timestamp::from_millis(5_500));
    }

    #[tokio::test(start_paused = true)]
    async fn a_given_clock_is_waited_for_by_tokios_time() {
        let begun = tokio::time::Instant::now();
        let clock = Clock::given(move || Timestamp::from_millis(1_000).plus(begun.elapsed()));
        clock.wait(Some(Timestamp::from_millis(3_000)), &mut clock.jumps()).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
    }

    #[test]
    fn a_clock_that_is_set_ahead_has_jumped_and_one_that_is_late_or_set_back_has_not() {
        let second = Duration::from_secs(1);
        assert!(has_jumped(3_601_000, second) && has_jumped(1_100, second));
        // Looked at late, by both clocks; set right little by little; set back.
        let late = Duration::from_secs(5);
        assert!(!has_jumped(5_000, late) && !has_jumped(1_010, second) && !has_jumped(-3_600_000, second));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_a_jump() {
        let clock = Clock::manual(Timestamp::from_millis(1_000));
        let mut jumps = clock.jumps();
        let wait = clock.wait(Some(Timestamp::from_millis(2_000)), &mut jumps);
        let ((), ()) = tokio::join!(wait, async { clock.advance(Duration::from_secs(1)) });
        assert_eq!(clock.now(), Timestamp::from_millis(2_000));
    }
}
