//! The parts of a record, and which of them a write has changed.

use crate::preferred::Preferred;
use crate::session::Session;
use crate::status_message::StatusMessage;
use crate::work_location::Location;
use crate::{Timestamp, User};

/// A part of a record, for whoever wants to know what a write was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The sessions of all applications.
    Sessions,
    /// The preferred presence.
    Preferred,
    /// The status message.
    StatusMessage,
    /// Out of office.
    OutOfOffice,
    /// Both layers of work location.
    WorkLocation,
    /// Whether the person is hidden.
    Hidden,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 6] = [
        Part::Sessions,
        Part::Preferred,
        Part::StatusMessage,
        Part::OutOfOffice,
        Part::WorkLocation,
        Part::Hidden,
    ];
}

impl User {
    /// The parts in which this record differs from the one `before` it, as of `now`, in the order of [`Part::ALL`].
    ///
    /// What had ended by then counts in neither: that a write cleans it away is not a change that anybody
    /// made. What was written again as it was counts, since its deadlines are others.
    pub fn parts_changed(&self, before: &User, now: Timestamp) -> impl Iterator<Item = Part> {
        let now = now.max(self.as_of);
        Part::ALL.into_iter().filter(move |part| match part {
            Part::Sessions => self.live_sessions(now).ne(before.live_sessions(now)),
            Part::Preferred => self.live_preferred(now) != before.live_preferred(now),
            Part::StatusMessage => self.live_message(now) != before.live_message(now),
            Part::OutOfOffice => self.out_of_office != before.out_of_office,
            Part::WorkLocation => self.live_locations(now) != before.live_locations(now),
            Part::Hidden => self.hidden != before.hidden,
        })
    }

    fn live_sessions(&self, now: Timestamp) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(move |session| session.pair_at(now).is_some())
    }

    fn live_preferred(&self, now: Timestamp) -> Option<&Preferred> {
        self.preferred.as_ref().filter(|preferred| preferred.lives(now))
    }

    fn live_message(&self, now: Timestamp) -> Option<&StatusMessage> {
        self.status_message.as_ref().filter(|message| message.lives(now))
    }

    fn live_locations(&self, now: Timestamp) -> [Option<&Location>; 2] {
        [&self.manual_location, &self.automatic_location]
            .map(|location| location.as_ref().filter(|location| location.lives(now)))
    }
}
