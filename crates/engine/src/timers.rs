//! Who may have to be told of a change that time alone makes.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use porchlight_presence::Timestamp;

use crate::table::SlotId;

/// At most one deadline per user, the soonest first.
///
/// A deadline is a hint, never an order: it lies no later than the user's next change, and whoever takes it looks at
/// the record again. So a keep-alive, which only moves a deadline later, touches nothing here.
///
/// An ordered set rather than a wheel of slots: it is quick enough by the benchmark's rows on fades, has no
/// resolution to choose, and a jump of the clock over a year costs what is due and no more.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// A mutex: the thread that installs and the one that fires come here, and a request only for the metrics.
    deadlines: Mutex<BTreeSet<(Timestamp, SlotId)>>,
}

impl Timers {
    /// Moves a user's deadline from `armed` to `at`; `Timestamp::MAX` stands for none.
    pub(crate) fn arm(&self, slot: SlotId, armed: Timestamp, at: Timestamp) {
        let mut deadlines = self.deadlines.lock();
        if armed != Timestamp::MAX {
            deadlines.remove(&(armed, slot));
        }
        if at != Timestamp::MAX {
            deadlines.insert((at, slot));
        }
    }

    /// Takes these deadlines instead of all there were: sorted and packed at once, they take half the room.
    pub(crate) fn arm_all(&self, mut armed: Vec<(Timestamp, SlotId)>) {
        armed.sort_unstable();
        *self.deadlines.lock() = armed.into_iter().collect();
    }

    /// Takes up to `most` deadlines that have come, the oldest first.
    pub(crate) fn due(&self, now: Timestamp, most: usize) -> Vec<(Timestamp, SlotId)> {
        let mut deadlines = self.deadlines.lock();
        let mut due = Vec::new();
        while due.len() < most && deadlines.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(deadlines.pop_first());
        }
        due
    }

    /// The soonest deadline.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.deadlines.lock().first().map(|(at, _)| *at)
    }

    /// How many users have a deadline.
    pub(crate) fn len(&self) -> usize {
        self.deadlines.lock().len()
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        self.deadlines.lock().clear();
    }
}
