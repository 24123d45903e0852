//! Who may have to be told of a change that time alone makes.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use porchlight_presence::Timestamp;

use crate::table::SlotId;

/// One deadline per user that has any, the soonest first; one that was armed anew while its user was being woken may
/// stay and come for nothing.
///
/// A deadline is a hint, never an order: it lies no later than the user's next change, and whoever takes it looks at
/// the record again. So a keep-alive, which only moves a deadline later, touches nothing here.
///
/// An ordered set rather than a wheel of slots: it is quick enough by the benchmark's rows on fades, has no
/// resolution to choose, and a jump of the clock over a year costs what is due and no more.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// A mutex: the thread that installs and the one that fires come here, and a request only for the metrics.
    deadlines: Mutex<Deadlines>,
}

#[derive(Debug, Default)]
struct Deadlines {
    ordered: BTreeSet<(Timestamp, SlotId)>,
    /// Those of users that were just woken, until they are put in order together.
    rearmed: Vec<(Timestamp, SlotId)>,
}

/// How many users that were woken may wait for their next deadline to be put in order.
const REARM_TOGETHER: usize = 65_536;

impl Timers {
    /// Moves a user's deadline from `armed` to `at`; `Timestamp::MAX` stands for none.
    pub(crate) fn arm(&self, slot: SlotId, armed: Timestamp, at: Timestamp) {
        let ordered = &mut self.deadlines.lock().ordered;
        if armed != Timestamp::MAX {
            // It may be among the rearmed still; then it comes for nothing, which whoever takes it sees.
            ordered.remove(&(armed, slot));
        }
        if at != Timestamp::MAX {
            ordered.insert((at, slot));
        }
    }

    /// Takes these deadlines to those there are: sorted and packed at once, they take half the room.
    pub(crate) fn arm_all(&self, mut armed: Vec<(Timestamp, SlotId)>) {
        armed.sort_unstable();
        let mut armed = armed.into_iter().collect();
        self.deadlines.lock().ordered.append(&mut armed);
    }

    /// Takes the next deadlines of users who were woken; `Timestamp::MAX` stands for none. While `more` are being woken
    /// they gather, so that a jump of the clock over everybody puts them in order a few times rather than one by one.
    pub(crate) fn rearm(&self, woken: impl IntoIterator<Item = (Timestamp, SlotId)>, more: bool) {
        let mut deadlines = self.deadlines.lock();
        deadlines.rearmed.extend(woken.into_iter().filter(|(at, _)| *at != Timestamp::MAX));
        if more && deadlines.rearmed.len() < REARM_TOGETHER {
            return;
        }
        let mut rearmed = std::mem::take(&mut deadlines.rearmed);
        rearmed.sort_unstable();
        if rearmed.len() > deadlines.ordered.len() / 8 {
            // Built anew, which takes one pass over both.
            deadlines.ordered.append(&mut rearmed.into_iter().collect());
        } else {
            deadlines.ordered.extend(rearmed);
        }
    }

    /// Takes up to `most` deadlines that have come, the oldest first.
    pub(crate) fn due(&self, now: Timestamp, most: usize) -> Vec<(Timestamp, SlotId)> {
        let ordered = &mut self.deadlines.lock().ordered;
        let mut due = Vec::new();
        while due.len() < most && ordered.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(ordered.pop_first());
        }
        due
    }

    /// The soonest deadline.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.deadlines.lock().ordered.first().map(|(at, _)| *at)
    }

    /// How many users have a deadline.
    pub(crate) fn len(&self) -> usize {
        let deadlines = self.deadlines.lock();
        deadlines.ordered.len() + deadlines.rearmed.len()
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        *self.deadlines.lock() = Deadlines::default();
    }
}
