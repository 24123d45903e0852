//! Who has made a change, with what, and in the course of which piece of work.
//!
//! A record does not say that, so it is known only from the write to the feed, and only if somebody has asked for it or
//! the write is traced: what was looked up later, after a restart for one, has no origin.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use porchlight_presence::{ApplicationId, Change, Command, TenantId, Timestamp, UserId};

use crate::trace::TraceContext;

/// What made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which application wrote; `None` when time alone made the change.
    pub application: Option<ApplicationId>,
    /// What it wrote.
    pub cause: Cause,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A session.
    Session,
    /// The preferred presence.
    Preferred,
    /// The status message.
    StatusMessage,
    /// Out of office.
    OutOfOffice,
    /// The work location.
    WorkLocation,
    /// Everything was cleared, or the person was hidden or shown again.
    Person,
    /// Nothing: something has ended by itself.
    Expiry,
}

impl Cause {
    fn of(command: &Command) -> Cause {
        match command {
            Command::SetPresence(_) | Command::ClearPresence(_) => Cause::Session,
            Command::SetPreferred(_) | Command::ClearPreferred => Cause::Preferred,
            Command::SetStatusMessage(_) => Cause::StatusMessage,
            Command::Clear(_) | Command::SetHidden(_) => Cause::Person,
            // Of several parts the one that shows first.
            Command::Patch(patch) if patch.preferred != Change::Keep => Cause::Preferred,
            Command::Patch(patch) if patch.out_of_office != Change::Keep => Cause::OutOfOffice,
            Command::Patch(patch) if patch.status_message != Change::Keep => Cause::StatusMessage,
            Command::Patch(_) | Command::SetLocation(..) | Command::ClearLocation { .. } => {
                Cause::WorkLocation
            }
        }
    }
}

/// The origins of the writes that are on their way to the log: one for a user, since their lane is closed.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    are_wanted: AtomicBool,
    underway: Mutex<HashMap<(TenantId, UserId), Underway>>,
    /// How many there are, so that nobody takes the lock for nothing.
    count: AtomicUsize,
}

/// A write that is on its way.
#[derive(Debug)]
struct Underway {
    /// The instant of the record that it leaves, since in a cluster another node's may come first.
    as_of: Timestamp,
    made: Made,
}

/// What is known of a record that has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Made {
    pub(crate) origin: Option<Origin>,
    pub(crate) trace: Option<TraceContext>,
}

impl Origins {
    pub(crate) fn want(&self) {
        self.are_wanted.store(true, Ordering::Relaxed);
    }

    fn are_wanted(&self) -> bool {
        self.are_wanted.load(Ordering::Relaxed)
    }

    /// A write begins, which leaves a record of this instant.
    pub(crate) fn begin(
        &self,
        tenant: TenantId,
        user: UserId,
        as_of: Timestamp,
        application: Option<ApplicationId>,
        command: &Command,
        trace: Option<TraceContext>,
    ) {
        let origin = self.are_wanted().then(|| Origin { application, cause: Cause::of(command) });
        if origin.is_some() || trace.is_some() {
            let mut underway = self.underway.lock();
            underway.insert((tenant, user), Underway { as_of, made: Made { origin, trace } });
            self.count.store(underway.len(), Ordering::Relaxed);
        }
    }

    /// What is known of a record of this instant that is installed; nothing if it is another write's than the one
    /// underway.
    pub(crate) fn end(&self, tenant: TenantId, user: UserId, as_of: Timestamp) -> Made {
        // Whoever hands a record on has begun the write before.
        if self.count.load(Ordering::Relaxed) == 0 {
            return Made::default();
        }
        let mut underway = self.underway.lock();
        if underway.get(&(tenant, user)).is_none_or(|underway| underway.as_of != as_of) {
            return Made::default();
        }
        let ended = underway.remove(&(tenant, user));
        self.count.store(underway.len(), Ordering::Relaxed);
        ended.map(|ended| ended.made).unwrap_or_default()
    }

    /// How many writes are on their way, of those that something is known of.
    #[cfg(test)]
    pub(crate) fn underway(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}
