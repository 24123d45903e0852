//! The newest attempts to tell, so that whoever waits in vain sees why.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use porchlight_presence::Timestamp;
use uuid::Uuid;

use crate::outcome::Outcome;

/// How many attempts are remembered of one subscription.
const OF_ONE: usize = 20;

/// How many attempts are remembered of all, with what was sent; in development.
const OF_ALL: usize = 500;

/// One attempt to tell.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// Which it was in a row without success, beginning with 1.
    pub number: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// How long that took.
    pub took: Duration,
    /// How many items of this subscription it carried; of all subscriptions in [`crate::Notifier::all_attempts`].
    pub items: usize,
    /// Where it went.
    pub url: String,
    /// What was sent; only in [`crate::Notifier::all_attempts`].
    pub body: Bytes,
}

/// The newest attempts.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    of_one: Mutex<HashMap<Uuid, VecDeque<Attempt>>>,
    of_all: Mutex<VecDeque<Attempt>>,
}

impl Attempts {
    /// Notes an attempt, and how many items of it each subscription had; with its body only when `keep_body`.
    pub(crate) fn note(
        &self,
        attempt: Attempt,
        items: impl IntoIterator<Item = (Uuid, usize)>,
        keep_body: bool,
    ) {
        let mut of_one = self.of_one.lock();
        for (subscription, items) in items {
            let attempts = of_one.entry(subscription).or_default();
            push(attempts, Attempt { items, body: Bytes::new(), ..attempt.clone() }, OF_ONE);
        }
        drop(of_one);
        if keep_body {
            push(&mut self.of_all.lock(), attempt, OF_ALL);
        }
    }

    pub(crate) fn of(&self, subscription: Uuid) -> Vec<Attempt> {
        self.of_one
            .lock()
            .get(&subscription)
            .map(|attempts| attempts.iter().cloned().collect())
            .unwrap_or_default()
    }

    pub(crate) fn all(&self) -> Vec<Attempt> {
        self.of_all.lock().iter().cloned().collect()
    }

    pub(crate) fn forget(&self, subscription: Uuid) {
        self.of_one.lock().remove(&subscription);
    }
}

fn push(attempts: &mut VecDeque<Attempt>, attempt: Attempt, max: usize) {
    if attempts.len() == max {
        attempts.pop_front();
    }
    attempts.push_back(attempt);
}
