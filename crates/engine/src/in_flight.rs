//! The writes on their way to the log, which hold back engine time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;
use porchlight_presence::Timestamp;

use crate::Clock;

/// The instants of the writes that were begun and whose outcome is not known yet.
///
/// Nobody may evaluate past the oldest of them: a keep-alive on its way to the disk must not un-happen a fade that
/// somebody was told of meanwhile.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    /// How many writes were begun at each instant. A mutex, since beginning a write must read the clock and make its
    /// claim seen in one step; held for some tens of nanoseconds.
    begun: Mutex<BTreeMap<Timestamp, u32>>,
    /// The oldest instant in `begun` in Unix milliseconds, or [`NONE`]; what readers look at.
    oldest: Oldest,
}

#[derive(Debug)]
struct Oldest(AtomicI64);

const NONE: i64 = i64::MAX;

impl Default for Oldest {
    fn default() -> Oldest {
        Oldest(AtomicI64::new(NONE))
    }
}

impl InFlight {
    /// Begins a write now: until the claim is dropped, engine time does not pass its instant.
    pub(crate) fn begin(self: &Arc<InFlight>, clock: &Clock) -> Claim {
        let mut begun = self.begun.lock();
        if begun.is_empty() {
            // Seen by readers before the clock is read again below: a reader that misses it has read the clock
            // earlier than we do, so this write is not older than what that reader evaluates.
            self.oldest.0.store(clock.now().as_millis(), Ordering::SeqCst);
        }
        let at = clock.now();
        *begun.entry(at).or_insert(0) += 1;
        Claim { in_flight: Arc::clone(self), at }
    }

    /// The time that a reader may evaluate at.
    pub(crate) fn engine_time(&self, clock: &Clock) -> Timestamp {
        let now = clock.now();
        let oldest = self.oldest.0.load(Ordering::SeqCst);
        if oldest == NONE { now } else { now.min(Timestamp::from_millis(oldest)) }
    }

    fn end(&self, at: Timestamp) {
        let mut begun = self.begun.lock();
        if let Some(count) = begun.get_mut(&at) {
            *count -= 1;
            if *count == 0 {
                begun.remove(&at);
            }
        }
        let oldest = begun.keys().next().map_or(NONE, |oldest| oldest.as_millis());
        self.oldest.0.store(oldest, Ordering::SeqCst);
    }
}

/// A write's claim on engine time.
#[derive(Debug)]
pub(crate) struct Claim {
    in_flight: Arc<InFlight>,
    at: Timestamp,
}

impl Claim {
    /// The instant of the write.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.in_flight.end(self.at);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn engine_time_waits_for_the_oldest_write() {
        let clock = Clock::manual(Timestamp::from_millis(1_000));
        let in_flight = Arc::new(InFlight::default());
        let first = in_flight.begin(&clock);
        clock.advance(Duration::from_millis(10));
        let second = in_flight.begin(&clock);
        clock.advance(Duration::from_millis(10));
        assert_eq!(in_flight.engine_time(&clock), first.at());
        drop(first);
        assert_eq!(in_flight.engine_time(&clock), second.at());
        drop(second);
        assert_eq!(in_flight.engine_time(&clock), clock.now());
    }
}
