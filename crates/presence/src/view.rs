//! What an observer sees.

use crate::status_message::{Expiry, StatusMessage};
use crate::{LocationSource, LocationType, OutOfOffice, Pair, Timestamp};

/// Since when.
///
/// Both are strictly increasing from change to change of one user and may therefore run a few milliseconds ahead of
/// the clock, and where writes look ahead, by [`Limits::foresight`](crate::Limits::foresight) more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Since when the whole view is as it is.
    pub changed_at: Timestamp,
    /// Since when the pair is as it is: the `changed_at` of the change that made it.
    pub state_since: Timestamp,
}

impl Stamps {
    /// The stamps after a change at `at`: the larger of its own instant and the previous stamp plus 1 ms.
    pub(crate) fn after(self, at: Timestamp, pair_changed: bool) -> Stamps {
        let changed_at = at.max(self.changed_at.next());
        Stamps { changed_at, state_since: if pair_changed { changed_at } else { self.state_since } }
    }
}

/// What an observer sees of a user at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence<'u> {
    /// Availability and activity.
    pub pair: Pair,
    /// Out of office, if so.
    pub out_of_office: Option<&'u OutOfOffice>,
    /// The status message, while it lives.
    pub status_message: Option<StatusView<'u>>,
    /// The work location of the strongest live layer.
    pub work_location: Option<WorkLocation<'u>>,
    /// Since when.
    pub stamps: Stamps,
}

impl Presence<'_> {
    /// What is seen of a user for whom nothing was ever written.
    pub const NOTHING: Presence<'static> = Presence {
        pair: Pair::OFFLINE,
        out_of_office: None,
        status_message: None,
        work_location: None,
        stamps: Stamps { changed_at: Timestamp::ZERO, state_since: Timestamp::ZERO },
    };
}

/// A status message as it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusView<'u> {
    /// The text.
    pub content: &'u str,
    /// When it was set.
    pub published_at: Timestamp,
    /// When it ends; `None`: never.
    pub expiry: Option<Expiry>,
}

impl<'u> From<&'u StatusMessage> for StatusView<'u> {
    fn from(message: &'u StatusMessage) -> StatusView<'u> {
        StatusView { content: &message.content, published_at: message.published_at, expiry: message.expiry }
    }
}

/// A work location as it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkLocation<'u> {
    /// The kind of place.
    pub kind: LocationType,
    /// The place's id.
    pub place: Option<&'u str>,
    /// Which layer it comes from.
    pub source: LocationSource,
}
