//! What waits for the committer.
//!
//! A queue of our own rather than a channel: whether appends are taken, how many wait and which of them a fault turns
//! away have to change in one step, and the committer also waits for a time to pass.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::append::Owner;
use crate::{Append, AppendError, Hold, Receipt, Value};

/// Most appends in one batch.
pub(super) const BATCH_MAX: usize = 4096;

/// Bytes of keys and values beyond which a batch takes no further append.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The appends that wait for the committer.
pub(super) struct Queue {
    /// Held for moments only, also by those who append: nothing is dropped, answered or written under it.
    state: Mutex<State>,
    /// Wakes the committer, the only one who waits for it.
    wake: Condvar,
    waiting_max: usize,
}

#[derive(Default)]
struct State {
    mode: Mode,
    waiting: VecDeque<Waiting>,
    /// The newest instant before which tombstones are to be purged.
    purge_before: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Open,
    /// A fault is being recovered from: appends are turned away.
    Failed,
    /// The log is closing or closed: appends are turned away, for good.
    Closing,
}

/// An append that waits.
pub(super) struct Waiting {
    pub(super) append: Append,
    pub(super) owner: Owner,
}

/// What the committer is to do next.
pub(super) enum Work {
    /// Write these; never none.
    Appends(Vec<Waiting>),
    /// Purge the tombstones of before this instant.
    Purge(i64),
    /// Nothing, and the time to wait is over.
    Idle,
    /// End: nothing waits, and nothing will.
    Close,
}

impl Queue {
    pub(super) fn new(waiting_max: usize) -> Queue {
        Queue { state: Mutex::default(), wake: Condvar::new(), waiting_max }
    }

    /// Takes an append, if it may come in.
    pub(super) fn push(&self, append: Append, hold: Hold) -> Result<Receipt, AppendError> {
        let (owner, receipt) = Owner::new(hold);
        // Made before the lock is taken, so that it is dropped after it when it is turned away.
        let waiting = Waiting { append, owner };
        let mut state = self.state.lock();
        match state.mode {
            Mode::Open if state.waiting.len() < self.waiting_max => state.waiting.push_back(waiting),
            Mode::Open => return Err(AppendError::Busy),
            Mode::Failed | Mode::Closing => return Err(AppendError::Unavailable),
        }
        drop(state);
        self.wake.notify_one();
        Ok(receipt)
    }

    /// How many appends wait.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Asks for a purge of the tombstones of before this instant.
    pub(super) fn purge(&self, before: i64) {
        let mut state = self.state.lock();
        state.purge_before = state.purge_before.max(Some(before));
        drop(state);
        self.wake.notify_one();
    }

    /// What is to be done next: waits for it, but not longer than `idle_max` at a time if that is given.
    pub(super) fn next(&self, idle_max: Option<Duration>) -> Work {
        let mut state = self.state.lock();
        loop {
            if let Some(before) = state.purge_before.take() {
                return Work::Purge(before);
            }
            if !state.waiting.is_empty() {
                return Work::Appends(state.take_batch());
            }
            if state.mode == Mode::Closing {
                return Work::Close;
            }
            match idle_max {
                None => self.wake.wait(&mut state),
                Some(most) if self.wake.wait_for(&mut state, most).timed_out() => return Work::Idle,
                Some(_) => {}
            }
        }
    }

    /// Turns appends away from now on, and hands back those that wait.
    pub(super) fn fail(&self) -> VecDeque<Waiting> {
        let mut state = self.state.lock();
        if state.mode == Mode::Open {
            state.mode = Mode::Failed;
        }
        std::mem::take(&mut state.waiting)
    }

    /// Takes appends again after a fault.
    pub(super) fn recover(&self) {
        let mut state = self.state.lock();
        if state.mode == Mode::Failed {
            state.mode = Mode::Open;
        }
    }

    /// Waits for this time to pass; whether it was not cut short by the end of the log.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let mut state = self.state.lock();
        self.wake.wait_while_for(&mut state, |state| state.mode != Mode::Closing, time);
        state.mode != Mode::Closing
    }

    /// Turns appends away for good. Those that wait will be worked on.
    pub(super) fn close(&self) {
        self.state.lock().mode = Mode::Closing;
        self.wake.notify_one();
    }

    /// Turns appends away for good, and hands back those that wait.
    pub(super) fn abandon(&self) -> VecDeque<Waiting> {
        let mut state = self.state.lock();
        state.mode = Mode::Closing;
        std::mem::take(&mut state.waiting)
    }
}

impl State {
    /// The longest waiting appends, as many as go into one batch.
    fn take_batch(&mut self) -> Vec<Waiting> {
        let mut bytes = 0;
        let fits = |waiting: &&Waiting| {
            let fits = bytes < BATCH_BYTES_MAX;
            bytes += waiting.bytes();
            fits
        };
        let count = self.waiting.iter().take(BATCH_MAX).take_while(fits).count();
        self.waiting.drain(..count).collect()
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        let value = match &self.append.value {
            Value::Live(bytes) => bytes.len(),
            Value::Tombstone { .. } => 0,
        };
        self.append.key.as_str().len() + value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, Revision};
    use bytes::Bytes;

    fn append(value_bytes: usize) -> Append {
        let value = Value::Live(Bytes::from(vec![0; value_bytes]));
        Append { key: Key::new("key"), expected: Revision::NONE, value }
    }

    fn batch(queue: &Queue) -> usize {
        match queue.next(Some(Duration::ZERO)) {
            Work::Appends(appends) => appends.len(),
            Work::Purge(_) | Work::Idle | Work::Close => 0,
        }
    }

    #[test]
    fn batch_is_limited_in_number_and_in_bytes() {
        let queue = Queue::new(10_000);
        for _ in 0..=BATCH_MAX {
            queue.push(append(1), Box::new(())).unwrap();
        }
        assert_eq!(batch(&queue), BATCH_MAX);
        assert_eq!(batch(&queue), 1);
        for _ in 0..10 {
            queue.push(append(1 << 20), Box::new(())).unwrap();
        }
        assert_eq!(batch(&queue), 8);
        assert_eq!(batch(&queue), 2);
        assert_eq!(batch(&queue), 0);
    }

    #[test]
    fn full_failed_and_closed_queues_say_so() {
        let queue = Queue::new(1);
        let push = || queue.push(append(1), Box::new(())).map(drop);
        assert_eq!(push(), Ok(()));
        assert_eq!(push(), Err(AppendError::Busy));
        assert_eq!(queue.fail().len(), 1);
        assert_eq!(push(), Err(AppendError::Unavailable));
        queue.recover();
        assert_eq!(push(), Ok(()));
        queue.close();
        assert_eq!(push(), Err(AppendError::Unavailable));
        assert_eq!(batch(&queue), 1);
        assert!(matches!(queue.next(None), Work::Close));
        assert!(!queue.pause(Duration::from_secs(60)));
    }

    #[test]
    fn newest_purge_is_the_one_that_counts() {
        let queue = Queue::new(1);
        for before in [5, 9, 7] {
            queue.purge(before);
        }
        assert!(matches!(queue.next(None), Work::Purge(9)));
        assert!(matches!(queue.next(Some(Duration::ZERO)), Work::Idle));
    }
}
