//! A cell: one of the streams that the log is spread over, how far it was followed, and who waits for what in it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::append::Owner;
use crate::{AppendError, Revision};

/// One of the streams that the log is spread over.
pub(super) struct Cell {
    pub(super) number: u16,
    /// The name of its stream.
    pub(super) stream: String,
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
/// answered finds the entry in the replica. The stream alone will do when it brings the append itself.
#[derive(Default)]
struct Progress {
    /// The last message of the stream that the replica was given.
    at: Revision,
    appends: HashMap<u64, Pending>,
    /// The appends whose outcomes are known, by the place in the stream that they wait for.
    known: BTreeMap<Revision, Vec<u64>>,
}

struct Pending {
    owner: Owner,
    outcome: Option<Outcome>,
}

type Outcome = Result<Revision, AppendError>;

impl Cell {
    pub(super) fn new(number: u16, stream: String, counts: Arc<Counts>) -> Cell {
        Cell {
            number,
            stream,
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
    pub(super) fn begin(&self, number: u64, owner: Owner) {
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        self.progress.lock().appends.insert(number, Pending { owner, outcome: None });
    }

    /// Whether nobody knows yet what became of this append.
    pub(super) fn is_open(&self, number: u64) -> bool {
        self.progress.lock().appends.get(&number).is_some_and(|pending| pending.outcome.is_none())
    }

    /// The outcome of an append, which is told when the stream was followed as far as `at`.
    pub(super) fn learn(&self, number: u64, at: Revision, outcome: Outcome) {
        let mut progress = self.progress.lock();
        let is_there = at <= progress.at;
        let Some(pending) = progress.appends.get_mut(&number) else { return };
        if !is_there {
            pending.outcome = Some(outcome);
            progress.known.entry(at).or_default().push(number);
            return;
        }
        let pending = progress.appends.remove(&number);
        drop(progress);
        self.settle(pending.map(|pending| (pending, outcome)));
    }

    /// The replica was given the stream up to `at`; `own` are the appends among it, with their revisions.
    pub(super) fn followed(&self, at: Revision, own: &[(u64, Revision)]) {
        let mut progress = self.progress.lock();
        progress.at = progress.at.max(at);
        let mut over = Vec::with_capacity(own.len());
        for (number, revision) in own {
            over.extend(progress.appends.remove(number).map(|pending| (pending, Ok(*revision))));
        }
        while let Some(first) = progress.known.first_entry().filter(|first| *first.key() <= at) {
            for number in first.remove() {
                let Some(mut pending) = progress.appends.remove(&number) else { continue };
                if let Some(outcome) = pending.outcome.take() {
                    over.push((pending, outcome));
                }
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Receipt;

    fn cell() -> Cell {
        Cell::new(0, "s".to_owned(), Arc::default())
    }

    fn begin(cell: &Cell, number: u64) -> Receipt {
        let (owner, receipt) = Owner::new(Box::new(()));
        cell.begin(number, owner);
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
    fn one_that_was_followed_by_another_before_it_came_is_answered_by_what_comes_after_it() {
        let cell = cell();
        let mut receipt = begin(&cell, 1);
        cell.learn(1, Revision(5), Ok(Revision(5)));
        cell.followed(Revision(6), &[]);
        assert_eq!(answer(&mut receipt), Some(Ok(Revision(5))));
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
