//! What can be asked of a user's record.

use std::time::Duration;

use crate::status_message::Expiry;
use crate::{
    ApplicationId, LocationSource, LocationType, OutOfOffice, PreferredPair, SessionKey, SessionPair,
    StandingPair,
};

/// A write to one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Creates or replaces a session.
    SetPresence(SetPresence),
    /// Ends a session.
    ClearPresence(SessionKey),
    /// Sets the preference that shows while a session lives.
    SetPreferred(SetPreferred),
    /// Clears the preference, whoever set it.
    ClearPreferred,
    /// Sets the status message, or removes it.
    SetStatusMessage(Option<NewStatusMessage>),
    /// Sets one layer of work location.
    SetLocation(LocationSource, NewLocation),
    /// Clears the automatic layer, and the manual one too if so asked.
    ClearLocation {
        /// Also the manual layer.
        manual_too: bool,
    },
    /// "This is my presence now": several parts at once, all or nothing.
    Patch(Patch),
    /// Clears everything but other applications' sessions.
    Clear(ApplicationId),
    /// Hides the person, or shows them again.
    SetHidden(bool),
}

/// The parts of setPresence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPresence {
    /// Which session.
    pub session: SessionKey,
    /// What it says.
    pub pair: SessionPair,
    /// How long it lives; `None`: the default.
    pub duration: Option<Duration>,
}

/// The parts of setUserPreferredPresence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPreferred {
    /// What to show.
    pub pair: PreferredPair,
    /// How long it holds; `None`: the default of its availability.
    pub duration: Option<Duration>,
}

/// A status message to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStatusMessage {
    /// The text, not empty.
    pub content: String,
    /// When it ends; `None`: never.
    pub expiry: Option<Expiry>,
}

/// A work location to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLocation {
    /// The kind of place.
    pub kind: LocationType,
    /// The place's id.
    pub place: Option<String>,
}

/// One part of a PATCH: left alone, cleared or set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Not mentioned.
    #[default]
    Keep,
    /// Cleared.
    Clear,
    /// Set.
    Set(T),
}

/// The parts of a PATCH.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// The preference, standing without a session, and how long it holds.
    pub preferred: Change<(StandingPair, Option<Duration>)>,
    /// The status message.
    pub status_message: Change<NewStatusMessage>,
    /// Out of office.
    pub out_of_office: Change<OutOfOffice>,
    /// The manual work location; clearing clears the automatic one too.
    pub work_location: Change<NewLocation>,
}
