//! The server's time, while it goes on.

use jiff::{Timestamp, Zoned};
use tokio::time::Instant;

use crate::client::Remote;
use crate::commands::when;

/// A clock that was set by the server's.
#[derive(Debug)]
pub(super) struct Time {
    set: Timestamp,
    at: Instant,
}

impl Time {
    /// Asks the server what time it is.
    pub(super) async fn of(remote: &Remote) -> Time {
        Time { set: remote.now().await, at: Instant::now() }
    }

    /// Now, where this machine is.
    pub(super) fn now(&self) -> Zoned {
        when::here(self.timestamp())
    }

    /// Something has happened at this moment, so it is not earlier than that: development's clock may have been moved.
    pub(super) fn not_before(&mut self, moment: Timestamp) {
        if moment > self.timestamp() {
            *self = Time { set: moment, at: Instant::now() };
        }
    }

    fn timestamp(&self) -> Timestamp {
        self.set.checked_add(self.at.elapsed()).unwrap_or(self.set)
    }
}
