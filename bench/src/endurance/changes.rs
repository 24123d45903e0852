//! When each person began to change, for those who measure how soon others are told.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

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
    pub(super) fn since(&self, user: u32, at: Instant) -> Option<Duration> {
        let begun = self.0.borrow().get(user as usize).copied().flatten()?;
        Some(at.saturating_duration_since(begun))
    }

    /// Whether the user has changed.
    pub(super) fn has(&self, user: u32) -> bool {
        self.0.borrow()[user as usize].is_some()
    }
}
