//! A cell: one of the streams that the log is spread over, how far it was followed, and who waits for what in it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::append::Owner;
use crate::{AppendError, Key, Replica, Revision};

/// One of the streams that the log is spread over.
pub(super) struct Cell {
    pub(super) number: u16,
    /// The name of its stream.
    pub(super) stream: String,
    replica: Arc<dyn Replica>,
    progress: Mutex<Progress>,
    counts: Arc<Counts>,
    /// The newest of this node's heartbeats that came back by this stream.
    pub(super) beat: AtomicU64,
    /// Rung when the stream is to be followed anew.
    pub(super) anew: Notify,
}

/// What is counted over all cells.
#[derive(Default)]
pub(super) struct Counts {
    /// Appends that wait.
    pub(super) waiting: AtomicUsize,
    /// Appends that were kept.
    pub(super) kept: AtomicU64,
}

/// How far the stream was followed, and the appends whose outcome was not told yet.
///
/// An append is over when two things have come together: its outcome, and the stream up to there, so that whoever is
/// answered finds the entry in the replica. The stream alone will do when it brings the append itself. One that was
/// followed by another of its key before it came is left out of the stream: it is over when that one has come.
#[derive(Default)]
struct Progress {
    /// The last message of the stream that the replica was given.
    at: Revision,
    appends: HashMap<u64, Pending>,
    /// The appends whose outcomes are known, by the place in the stream that they wait for.
    known: BTreeMap<Revision, Vec<u64>>,
    /// Those that the stream has left out.
    left_out: Vec<u64>,
}

struct Pending {
    owner: Owner,
    key: Key,
    outcome: Option<Outcome>,
}

type Outcome = Result<Revision, AppendError>;

impl Cell {
    pub(super) fn new(number: u16, stream: String, replica: Arc<dyn Replica>, counts: Arc<Counts>) -> Cell {
        Cell {
            number,
            stream,
            replica,
            progress: Mutex::default(),
            counts,
            beat: AtomicU64::new(0),
            anew: Notify::new(),
        }
    }

    /// The last message that the replica was given.
    pub(super) fn at(&self) -> Revision {
        self.progress.lock().at
    }

    /// An append begins, under a number of its own.
    pub(super) fn begin(&self, number: u64, key: Key, owner: Owner) {
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        self.progress.lock().appends.insert(number, Pending { owner, key, outcome: None });
    }

    /// Whether nobody knows yet what became of this append.
    pub(super) fn is_open(&self, number: u64) -> bool {
        self.progress.lock().appends.get(&number).is_some_and(|pending| pending.outcome.is_none())
    }

    /// The outcome of an append, which is told when the stream was followed as far as `at`.
    pub(super) fn learn(&self, number: u64, at: Revision, outcome: Outcome) {
        let mut progress = self.progress.lock();
        let Some(pending) = progress.appends.get_mut(&number) else { return };
        pending.outcome = Some(outcome);
        progress.known.entry(at).or_default().push(number);
        let over = progress.take_over(&*self.replica);
        drop(progress);
        self.settle(over);
    }

    /// The replica was given the stream up to `at`; `own` are the appends among it, with their revisions.
    pub(super) fn followed(&self, at: Revision, own: &[(u64, Revision)]) {
        let mut progress = self.progress.lock();
        progress.at = progress.at.max(at);
        let mut over = Vec::with_capacity(own.len());
        for (number, revision) in own {
            over.extend(progress.appends.remove(number).map(|pending| (pending, Ok(*revision))));
        }
        over.extend(progress.take_over(&*self.replica));
        drop(progress);
        self.settle(over);
    }

    /// Whoever still waits is told that nobody knows what became of their appends.
    pub(super) fn abandon(&self) {
        let appends = std::mem::take(&mut self.progress.lock().appends);
        self.settle(appends.into_values().map(|pending| (pending, Err(AppendError::Unknown))));
    }

    /// Tells outcomes; without the lock, since dropping a hold may do anything.
    fn settle(&self, over: impl IntoIterator<Item = (Pending, Outcome)>) {
        for (pending, outcome) in over {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            self.counts.kept.fetch_add(u64::from(outcome.is_ok()), Ordering::Relaxed);
            pending.owner.settle(outcome);
        }
    }
}

impl Progress {
    /// Takes out the appends whose outcomes are known and can be told.
    fn take_over(&mut self, replica: &dyn Replica) -> Vec<(Pending, Outcome)> {
        let (mut numbers, at) = (std::mem::take(&mut self.left_out), self.at);
        while let Some(first) = self.known.first_entry().filter(|first| *first.key() <= at) {
            numbers.extend(first.remove());
        }
        let mut over = Vec::new();
        for number in numbers {
            // The stream may have brought it.
            let Some(pending) = self.appends.get(&number) else { continue };
            let Some(outcome) = pending.outcome else { continue };
            if outcome.is_ok_and(|revision| replica.revision(&pending.key) < revision) {
                self.left_out.push(number);
            } else if let Some(pending) = self.appends.remove(&number) {
                over.push((pending, outcome));
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entry, Receipt};

    /// Holds one revision, of whichever key.
    #[derive(Default)]
    struct Holds(AtomicU64);

    impl Replica for Holds {
        fn revision(&self, _key: &Key) -> Revision {
            Revision(self.0.load(Ordering::Relaxed))
        }

        fn install(&self, _entries: Vec<Entry>) {}

        fn purge(&self, _key: &Key, _revision: Revision) {}
    }

    fn cell() -> Cell {
        cell_of(Arc::default())
    }

    fn cell_of(replica: Arc<Holds>) -> Cell {
        Cell::new(0, "s".to_owned(), replica, Arc::default())
    }

    fn begin(cell: &Cell, number: u64) -> Receipt {
        let (owner, receipt) = Owner::new(Box::new(()));
        cell.begin(number, Key::new("key"), owner);
        receipt
    }

    /// What was answered by now.
    fn answer(receipt: &mut Receipt) -> Option<Outcome> {
        use futures_util::FutureExt;
        receipt.now_or_never()
    }

    #[test]
    fn an_append_is_answered_when_the_stream_has_brought_it() {
        let cell = cell();
        let mut receipt = begin(&cell, 1);
        cell.learn(1, Revision(5), Ok(Revision(5)));
        cell.followed(Revision(4), &[]);
        assert_eq!(answer(&mut receipt), None);
        cell.followed(Revision(5), &[(1, Revision(5))]);
        assert_eq!(answer(&mut receipt), Some(Ok(Revision(5))));
    }

    #[test]
    fn the_stream_alone_will_do() {
        let cell = cell();
        let mut receipt = begin(&cell, 1);
        cell.followed(Revision(7), &[(1, Revision(6))]);
        assert_eq!(answer(&mut receipt), Some(Ok(Revision(6))));
        cell.learn(1, Revision(9), Err(AppendError::Conflict { newest: Revision(9) }));
    }

    #[test]
    fn one_that_was_followed_by_another_before_it_came_is_answered_when_that_one_has_come() {
        let replica = Arc::<Holds>::default();
        let cell = cell_of(Arc::clone(&replica));
        let (mut early, mut late) = (begin(&cell, 1), begin(&cell, 2));
        cell.learn(1, Revision(5), Ok(Revision(5)));
        // The sixth is of another key; the eighth, on its way, has followed the fifth and the fourth.
        cell.followed(Revision(6), &[]);
        cell.learn(2, Revision(4), Ok(Revision(4)));
        assert_eq!((answer(&mut early), answer(&mut late)), (None, None), "nobody could read it yet");
        cell.followed(Revision(7), &[]);
        assert_eq!(answer(&mut early), None);
        replica.0.store(8, Ordering::Relaxed);
        cell.followed(Revision(8), &[]);
        assert_eq!((answer(&mut early), answer(&mut late)), (Some(Ok(Revision(5))), Some(Ok(Revision(4)))));
        assert_eq!(cell.counts.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_conflict_with_ones_own_append_is_a_success() {
        let cell = cell();
        let mut receipt = begin(&cell, 1);
        // It was sent twice, since the first answer was lost; the stream has the first.
        cell.learn(1, Revision(5), Err(AppendError::Conflict { newest: Revision(5) }));
        cell.followed(Revision(5), &[(1, Revision(5))]);
        assert_eq!(answer(&mut receipt), Some(Ok(Revision(5))));
    }

    #[test]
    fn a_conflict_is_told_when_the_replica_has_what_it_conflicts_with() {
        let cell = cell();
        let conflict = Err(AppendError::Conflict { newest: Revision(5) });
        let (mut early, mut late) = (begin(&cell, 1), begin(&cell, 2));
        cell.learn(1, Revision(5), conflict);
        assert_eq!(answer(&mut early), None);
        cell.followed(Revision(5), &[]);
        cell.learn(2, Revision(5), conflict);
        assert_eq!((answer(&mut early), answer(&mut late)), (Some(conflict), Some(conflict)));
        assert_eq!(cell.counts.waiting.load(Ordering::Relaxed), 0);
    }
}
