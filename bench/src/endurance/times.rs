//! How long things took: many of them, in little room.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::report::Figure;

/// The longest time that is told apart from longer ones, in microseconds.
const MICROS_MAX: u64 = 120_000_000;

/// Digits of a time that count.
const DIGITS: u8 = 3;

/// How long things took, since the beginning and since the last look.
#[derive(Clone, Debug)]
pub(super) struct Times {
    /// Without those since the last look.
    earlier: Histogram<u64>,
    lately: Histogram<u64>,
}

/// What is said of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) count: u64,
    /// NaN when there are none; so are the other two.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Times {
    /// None yet.
    pub(super) fn new() -> Times {
        let empty = Histogram::new_with_max(MICROS_MAX, DIGITS).expect("these bounds are good ones");
        Times { earlier: empty.clone(), lately: empty }
    }

    /// One more.
    pub(super) fn note(&mut self, took: Duration) {
        self.lately.saturating_record(u64::try_from(took.as_micros()).unwrap_or(MICROS_MAX));
    }

    /// Those since the last look.
    pub(super) fn look(&mut self) -> Summary {
        let summary = Summary::of(&self.lately);
        self.earlier.add(&self.lately).expect("both have the same bounds");
        self.lately.reset();
        summary
    }

    /// All of them.
    pub(super) fn all(&self) -> Summary {
        let mut all = self.earlier.clone();
        all.add(&self.lately).expect("both have the same bounds");
        Summary::of(&all)
    }
}

impl Summary {
    /// As lines of the table of this row.
    pub(super) fn figures(self, row: &'static str, what: &str) -> [Figure; 3] {
        let figure = |share: &str, value| Figure::new(row, format!("{what}, {share}"), value, "ms");
        [
            figure("p50", self.p50_ms).note(format!("{} of them", self.count)),
            figure("p99", self.p99_ms),
            figure("slowest", self.max_ms),
        ]
    }

    fn of(times: &Histogram<u64>) -> Summary {
        let count = times.len();
        let millis = |micros: u64| if count == 0 { f64::NAN } else { micros as f64 / 1e3 };
        Summary {
            count,
            p50_ms: millis(times.value_at_quantile(0.5)),
            p99_ms: millis(times.value_at_quantile(0.99)),
            max_ms: millis(times.max()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_at_what_came_since_the_last_one() {
        let mut times = Times::new();
        times.note(Duration::from_millis(1));
        assert!((times.look().max_ms - 1.0).abs() < 0.01);
        times.note(Duration::from_millis(20));
        times.note(Duration::from_secs(3600));
        let lately = times.look();
        assert_eq!(lately.count, 2);
        assert!((lately.p50_ms - 20.0).abs() < 0.1 && lately.max_ms > 100_000.0);
        assert_eq!((times.look().count, times.all().count), (0, 3));
        assert!(times.look().p99_ms.is_nan());
    }
}
