//! Who has made a change, and with what.
//!
//! A record does not say that, so it is known only from the write to the feed, and only if somebody has asked for it:
//! what was looked up later, after a restart for one, has no origin.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use porchlight_presence::{ApplicationId, Change, Command, TenantId, Timestamp, UserId};

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
    /// Each with the instant of the record that it leaves, since in a cluster another node's may come first.
    underway: Mutex<HashMap<(TenantId, UserId), (Timestamp, Origin)>>,
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
    ) {
        if self.are_wanted() {
            let origin = Origin { application, cause: Cause::of(command) };
            self.underway.lock().insert((tenant, user), (as_of, origin));
        }
    }

    /// The origin of a record of this instant that is installed; nothing if it is another write's than the one underway.
    pub(crate) fn end(&self, tenant: TenantId, user: UserId, as_of: Timestamp) -> Option<Origin> {
        if !self.are_wanted() {
            return None;
        }
        let mut underway = self.underway.lock();
        underway.get(&(tenant, user)).filter(|(of, _)| *of == as_of)?;
        underway.remove(&(tenant, user)).map(|(_, origin)| origin)
    }
}
