//! The feed: what has changed, as it changes.

use std::collections::VecDeque;

use parking_lot::Mutex;
use porchlight_presence::{Stamps, Timestamp, UserId};
use porchlight_store::Revision;
use tokio::sync::watch;

/// How many changes a feed remembers.
const RING: usize = 65_536;

/// One user's view has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub user: UserId,
    /// The record that shows it.
    pub revision: Revision,
    /// The stamps of the new view.
    pub stamps: Stamps,
}

/// The recent changes of one tenant, for whoever follows and for `changes_since`.
#[derive(Debug)]
pub struct Feed {
    /// A mutex: pushed to by the installing thread and the one that fires timers, copied from by followers.
    ring: Mutex<Ring>,
    /// The number of changes ever put on the feed. A watch, since a slow follower needs only the newest.
    pushed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    changes: VecDeque<Change>,
    /// The number of changes ever put on the feed.
    pushed: u64,
    /// Every change with a later stamp than this is in the ring.
    complete_after: Timestamp,
}

/// What a follower missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recent {
    /// These changes, in order, and the number to ask from next.
    Changes(Vec<Change>, u64),
    /// More than the feed remembers: scan instead, and go on from this number.
    Overrun(u64),
}

impl Feed {
    pub(crate) fn new(complete_after: Timestamp) -> Feed {
        let ring = Ring { changes: VecDeque::new(), pushed: 0, complete_after };
        Feed { ring: Mutex::new(ring), pushed: watch::Sender::new(0) }
    }

    pub(crate) fn push(&self, changes: impl IntoIterator<Item = Change>) {
        let mut ring = self.ring.lock();
        for change in changes {
            if ring.changes.len() == RING
                && let Some(forgotten) = ring.changes.pop_front()
            {
                ring.complete_after = ring.complete_after.max(forgotten.stamps.changed_at);
            }
            ring.changes.push_back(change);
            ring.pushed += 1;
        }
        self.pushed.send_replace(ring.pushed);
    }

    /// Forgets everything; what was before `now` can only be scanned for.
    pub(crate) fn clear(&self, now: Timestamp) {
        let mut ring = self.ring.lock();
        ring.changes.clear();
        ring.complete_after = now;
    }

    /// Word of new changes: the number of changes ever put on the feed.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.pushed.subscribe()
    }

    /// The changes from number `from` on.
    pub fn since_number(&self, from: u64) -> Recent {
        let ring = self.ring.lock();
        let first = ring.pushed - ring.changes.len() as u64;
        if from < first {
            return Recent::Overrun(ring.pushed);
        }
        let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        Recent::Changes(ring.changes.iter().skip(skip).copied().collect(), ring.pushed)
    }

    /// The changes with a later stamp than `after`, in order; `None` if the feed no longer knows them all.
    pub(crate) fn since_stamp(&self, after: Timestamp) -> Option<Vec<Change>> {
        let ring = self.ring.lock();
        if after < ring.complete_after {
            return None;
        }
        Some(ring.changes.iter().filter(|change| change.stamps.changed_at > after).copied().collect())
    }
}
