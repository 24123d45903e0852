//! The feed: what has changed, as it changes.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use porchlight_presence::{Stamps, Timestamp, UserId};
use porchlight_store::Revision;
use rapidhash::fast::RandomState;
use tokio::sync::watch;

use crate::origin::Origin;
use crate::trace::TraceContext;

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
    /// What made it, if that is known.
    pub origin: Option<Origin>,
    /// The piece of work that made it, if that is traced.
    pub trace: Option<TraceContext>,
}

/// The recent changes of one tenant, for whoever follows and for `changes_since`.
#[derive(Debug)]
pub struct Feed {
    /// A mutex: pushed to by the installing thread and the one that fires timers, copied from by followers.
    ring: Mutex<Ring>,
    /// The number of changes ever put on the feed. A watch, since a slow follower needs only the newest.
    pushed: watch::Sender<u64>,
    watched: Mutex<Watched>,
}

/// The users whom somebody follows alone: word of others' changes would cost a waking for nothing.
#[derive(Debug, Default)]
struct Watched {
    users: HashMap<UserId, Vec<watch::Sender<u64>>, RandomState>,
    /// With this many users, those whom nobody follows any more are looked for.
    sweep_at: usize,
}

#[derive(Debug)]
struct Ring {
    changes: VecDeque<Change>,
    /// The number of changes ever put on the feed.
    pushed: u64,
    /// Every change with a later stamp than this is in the ring.
    complete_after: Timestamp,
    /// So is every change that a record with a later revision than this has made.
    complete_since: Revision,
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
        let (changes, complete_since) = (VecDeque::new(), Revision::NONE);
        let ring = Ring { changes, pushed: 0, complete_after, complete_since };
        Feed { ring: Mutex::new(ring), pushed: watch::Sender::new(0), watched: Mutex::default() }
    }

    pub(crate) fn push(&self, changes: &[Change]) {
        let mut ring = self.ring.lock();
        for change in changes {
            if ring.changes.len() == RING
                && let Some(forgotten) = ring.changes.pop_front()
            {
                ring.forget(&forgotten);
            }
            ring.changes.push_back(*change);
            ring.pushed += 1;
        }
        self.pushed.send_replace(ring.pushed);
        drop(ring);
        self.watched.lock().tell(changes);
    }

    /// Forgets everything; what was before `now`, or came of records up to this revision, can only be scanned for.
    /// Whoever follows looks again.
    pub(crate) fn clear(&self, now: Timestamp, revision: Revision) {
        let mut ring = self.ring.lock();
        // Something may have come since the caller looked.
        let newest = ring.changes.drain(..).map(|forgotten| forgotten.revision).max();
        ring.complete_after = now;
        ring.complete_since = ring.complete_since.max(revision).max(newest.unwrap_or_default());
        self.pushed.send_replace(ring.pushed);
        drop(ring);
        self.watched.lock().tell_all();
    }

    /// Word of new changes: the number of changes ever put on the feed.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.pushed.subscribe()
    }

    /// Word of changes of these users from now on; what it says has no meaning.
    pub fn follow_users(&self, users: &[UserId]) -> watch::Receiver<u64> {
        self.watched.lock().follow(users)
    }

    /// The number of changes ever put on the feed.
    pub fn pushed(&self) -> u64 {
        self.ring.lock().pushed
    }

    /// The changes from number `from` on, `most` of them at most.
    pub fn since_number(&self, from: u64, most: usize) -> Recent {
        let ring = self.ring.lock();
        let first = ring.pushed - ring.changes.len() as u64;
        if from < first {
            return Recent::Overrun(ring.pushed);
        }
        let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        let changes: Vec<Change> = ring.changes.iter().skip(skip).take(most).copied().collect();
        let next = from + changes.len() as u64;
        Recent::Changes(changes, next)
    }

    /// Whether the feed still knows every change that is stamped later than `after`, or that comes of a record later than
    /// `revision` and is stamped up to `late` before that.
    pub(crate) fn knows_since(&self, after: Timestamp, revision: Revision, late: Duration) -> bool {
        self.ring.lock().knows_since(after, revision, late)
    }

    /// Those changes, and others that come of records later than `revision`, in order; `None` if the feed no longer knows
    /// them all.
    pub(crate) fn since(&self, after: Timestamp, revision: Revision, late: Duration) -> Option<Vec<Change>> {
        let ring = self.ring.lock();
        let is_later = |change: &&Change| change.stamps.changed_at > after || change.revision > revision;
        let knows = ring.knows_since(after, revision, late);
        knows.then(|| ring.changes.iter().filter(is_later).copied().collect())
    }
}

impl Ring {
    fn forget(&mut self, forgotten: &Change) {
        self.complete_after = self.complete_after.max(forgotten.stamps.changed_at);
        self.complete_since = self.complete_since.max(forgotten.revision);
    }

    fn knows_since(&self, after: Timestamp, revision: Revision, late: Duration) -> bool {
        after >= self.complete_after
            && (revision >= self.complete_since || after.minus(late) >= self.complete_after)
    }
}

impl Watched {
    fn follow(&mut self, users: &[UserId]) -> watch::Receiver<u64> {
        if self.users.len() >= self.sweep_at {
            self.users.retain(|_, followers| {
                followers.retain(|follower| follower.receiver_count() > 0);
                !followers.is_empty()
            });
            self.sweep_at = 2 * self.users.len() + 64;
        }
        let (sender, receiver) = watch::channel(0);
        for user in users {
            let followers = self.users.entry(*user).or_default();
            followers.retain(|follower| follower.receiver_count() > 0);
            followers.push(sender.clone());
        }
        receiver
    }

    fn tell(&mut self, changes: &[Change]) {
        if self.users.is_empty() {
            return;
        }
        for change in changes {
            for follower in self.users.get(&change.user).into_iter().flatten() {
                follower.send_replace(0);
            }
        }
    }

    fn tell_all(&mut self) {
        for follower in self.users.values().flatten() {
            follower.send_replace(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn change(user: u128) -> Change {
        Change {
            user: UserId(Uuid::from_u128(user)),
            revision: Revision(1),
            stamps: Stamps::default(),
            origin: None,
            trace: None,
        }
    }

    #[test]
    fn who_goes_on_from_now_needs_no_scan_although_what_comes_late_may_be_stamped_before() {
        let (now, late) = (Timestamp::from_millis(1_000_000), Duration::from_secs(60));
        let feed = Feed::new(Timestamp::ZERO);
        feed.push(&[change(1)]);
        feed.clear(now, Revision(5));
        assert!(feed.knows_since(now, Revision(5), late));
        assert!(!feed.knows_since(now, Revision(4), late), "something of before may come of it");
        assert!(feed.knows_since(now.plus(late), Revision(4), late));
        assert!(!feed.knows_since(now.minus(Duration::from_millis(1)), Revision(5), late));
    }

    #[test]
    fn who_follows_one_user_hears_of_no_other() {
        let feed = Feed::new(Timestamp::ZERO);
        let (one, two) =
            (feed.follow_users(&[change(1).user]), feed.follow_users(&[change(2).user, change(4).user]));
        feed.push(&[change(2), change(3)]);
        assert!(!one.has_changed().unwrap() && two.has_changed().unwrap());
    }

    #[test]
    fn users_whom_nobody_follows_any_more_are_forgotten() {
        let feed = Feed::new(Timestamp::ZERO);
        let kept = feed.follow_users(&[change(0).user]);
        for user in 1..=10_000 {
            drop(feed.follow_users(&[change(user).user]));
        }
        assert!(feed.watched.lock().users.len() < 200);
        feed.push(&[change(0)]);
        assert!(kept.has_changed().unwrap());
    }
}
