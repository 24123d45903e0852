//! When each person began to change, and how soon others were told.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::times::{Summary, Times};

/// When each person began to change the last time. A clone is the same.
#[derive(Clone)]
pub(super) struct Changes(Rc<RefCell<Vec<Option<Instant>>>>);

impl Changes {
    /// Nobody of so many people has changed.
    pub(super) fn none(people: u32) -> Changes {
        Changes(Rc::new(RefCell::new(vec![None; people as usize])))
    }

    /// Somebody's change was due at this instant.
    pub(super) fn begin(&self, user: u32, at: Instant) {
        self.0.borrow_mut()[user as usize] = Some(at);
    }

    /// How long after it something happened at this instant; `None` when the user has not changed.
    fn since(&self, user: u32, at: Instant) -> Option<Duration> {
        let begun = self.0.borrow().get(user as usize).copied().flatten()?;
        Some(at.saturating_duration_since(begun))
    }

    /// Whether the user has changed.
    pub(super) fn has(&self, user: u32) -> bool {
        self.0.borrow()[user as usize].is_some()
    }
}

/// How long it took from when changes were due until somebody was told of them. A clone is the same.
#[derive(Clone)]
pub(super) struct Delays {
    changes: Changes,
    times: Rc<RefCell<Times>>,
}

impl Delays {
    /// None yet.
    pub(super) fn of(changes: Changes) -> Delays {
        Delays { changes, times: Rc::new(RefCell::new(Times::new())) }
    }

    /// Somebody was told of a user at this instant.
    pub(super) fn note(&self, user: u32, at: Instant) {
        if let Some(took) = self.changes.since(user, at) {
            self.times.borrow_mut().note(took);
        }
    }

    /// Forgets those so far.
    pub(super) fn forget(&self) {
        *self.times.borrow_mut() = Times::new();
    }

    /// All of them.
    pub(super) fn all(&self) -> Summary {
        self.times.borrow().all()
    }

    /// Those since the last look.
    pub(super) fn look(&self) -> Summary {
        self.times.borrow_mut().look()
    }
}
