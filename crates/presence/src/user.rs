//! The record of one user, and the functions that say what it means.

use std::time::Duration;

use smallvec::SmallVec;

use crate::command::{Change, Command, NewLocation, NewStatusMessage, Patch, SetPreferred, SetPresence};
use crate::explanation::Decider;
use crate::limits::Limits;
use crate::pair::preferred_duration_default;
use crate::preferred::Preferred;
use crate::refusal::{Text, check_text};
use crate::session::Session;
use crate::status_message::StatusMessage;
use crate::view::{Presence, Stamps, StatusView, WorkLocation};
use crate::work_location::Location;
use crate::{LocationSource, OutOfOffice, Pair, Refusal, SessionKey, Timestamp};

/// A client that renews within this after the end of its session is told so: it renews too late.
const RENEWED_LATE: Duration = Duration::from_secs(15);

/// Everything ever written for one user that still matters.
///
/// The default is the user for whom nothing was ever written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The instant of the last write; never decreases.
    pub(crate) as_of: Timestamp,
    /// The stamps as they stood at `as_of`.
    pub(crate) stamps: Stamps,
    pub(crate) hidden: bool,
    pub(crate) sessions: SmallVec<[Session; 1]>,
    pub(crate) preferred: Option<Preferred>,
    pub(crate) status_message: Option<StatusMessage>,
    pub(crate) out_of_office: Option<OutOfOffice>,
    pub(crate) manual_location: Option<Location>,
    pub(crate) automatic_location: Option<Location>,
}

/// What of a record shows at one instant; two equal faces of one record look the same to every observer.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Face {
    pair: Pair,
    status_message: bool,
    location: Option<LocationSource>,
}

impl User {
    /// The instant of the last write.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// The stamps as they stood right after the last write.
    pub fn stamps_at_write(&self) -> Stamps {
        self.stamps
    }

    /// Whether the person is hidden.
    pub fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// The sessions in the record; some may have ended.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// The next record: this one with `command` applied at `now`, without whatever has ended by then.
    ///
    /// `now` counts as at least the instant of the last write. Nothing is changed by a refusal.
    ///
    /// A write that changes what shows is stamped after every change before it; one that does not leaves the
    /// stamps alone. But whoever has not learned of the write yet goes on telling what this record does by
    /// itself. So if it would change by itself within [`Limits::foresight`] after `now`, any write is a
    /// change: stamped after the last of those changes, and of the pair too if one of them is, whether or not
    /// the write prevents them.
    ///
    /// # Errors
    ///
    /// Every way in which a command can be refused; see [`Refusal`].
    pub fn apply(&self, command: &Command, now: Timestamp, limits: &Limits) -> Result<User, Refusal> {
        if self.hidden && !matches!(command, Command::SetHidden(_)) {
            return Err(Refusal::Hidden);
        }
        let now = now.max(self.as_of);
        let mut next = self.clone();
        next.write(command, now, limits)?;
        next.drop_ended(now);
        next.as_of = now;
        let before = self.presence(now);
        let after = next.presence_with(now, before.stamps);
        let foreseen = self.stamps_by(now.plus(limits.foresight));
        // Who follows is told of the hidden as gone, which is a change even where nothing else showed.
        let same = before == after && self.hidden == next.hidden && foreseen == before.stamps;
        let pair_changed = before.pair != after.pair || foreseen.state_since != before.stamps.state_since;
        next.stamps = if same { foreseen } else { foreseen.after(now, pair_changed) };
        Ok(next)
    }

    /// The same layers, without whatever has ended by `now`, as a record written at `now` with stamps of its
    /// own.
    ///
    /// Both stamps are later than any that this record has had by then, and than `now` and `ahead` after it, as if
    /// everything had changed. This is for a write that turned out durable so late that who asks what has changed may
    /// have passed over its stamps, or may have told of something that it prevented, stamped up to `ahead` after `now`.
    /// `now` counts as at least the instant of the last write.
    #[must_use]
    pub fn restamped(&self, now: Timestamp, ahead: Duration) -> User {
        let now = now.max(self.as_of);
        let stamps = self.stamps_by(now).after(now.plus(ahead), true);
        let mut next = User { as_of: now, stamps, ..self.clone() };
        next.drop_ended(now);
        next
    }

    /// What an observer sees at `now`, and since when.
    ///
    /// An instant before the last write counts as that of the last write.
    pub fn presence(&self, now: Timestamp) -> Presence<'_> {
        let now = now.max(self.as_of);
        self.presence_with(now, self.stamps_by(now))
    }

    /// First instant after `now` at which [`User::presence`] differs without another write.
    ///
    /// `None`: it never will.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let mut at = now.max(self.as_of);
        let face = self.face(at);
        loop {
            at = self.next_deadline(at)?;
            if self.face(at) != face {
                return Some(at);
            }
        }
    }

    /// The pair at `now`, who decided it, and the session that did if one did.
    ///
    /// Source: presence-api 11.3, and design section 1 for a hidden person.
    pub(crate) fn decide(&self, now: Timestamp) -> (Pair, Decider, Option<&Session>) {
        if self.hidden {
            return (Pair::OFFLINE, Decider::Hidden, None);
        }
        let strongest = self
            .sessions
            .iter()
            .filter_map(|session| session.pair_at(now).map(|pair| (pair, session)))
            .max_by_key(|(pair, session)| (pair.strength(), session.set_at));
        if let Some(preferred) = self.preferred.as_ref().filter(|preferred| preferred.lives(now))
            && (preferred.standing || strongest.is_some())
        {
            return (preferred.pair, Decider::Preferred, None);
        }
        let (base, decider, session) = match strongest {
            Some((pair, session)) => (pair, Decider::Sessions, Some(session)),
            None => (Pair::OFFLINE, Decider::Nothing, None),
        };
        let pair = if self.out_of_office.is_some() { base.out_of_office() } else { base };
        (pair, if pair == base { decider } else { Decider::OutOfOffice }, session)
    }

    /// The location layer that shows at `now`.
    pub(crate) fn location_at(&self, now: Timestamp) -> Option<(LocationSource, &Location)> {
        let manual = self.manual_location.as_ref().map(|location| (LocationSource::Manual, location));
        let automatic =
            self.automatic_location.as_ref().map(|location| (LocationSource::Automatic, location));
        [manual, automatic].into_iter().flatten().find(|(_, location)| !self.hidden && location.lives(now))
    }

    /// The status message that shows at `now`.
    pub(crate) fn status_at(&self, now: Timestamp) -> Option<&StatusMessage> {
        self.status_message.as_ref().filter(|message| !self.hidden && message.lives(now))
    }

    fn face(&self, now: Timestamp) -> Face {
        Face {
            pair: self.decide(now).0,
            status_message: self.status_at(now).is_some(),
            location: self.location_at(now).map(|(source, _)| source),
        }
    }

    fn presence_with(&self, now: Timestamp, stamps: Stamps) -> Presence<'_> {
        Presence {
            pair: self.decide(now).0,
            out_of_office: self.out_of_office.as_ref().filter(|_| !self.hidden),
            status_message: self.status_at(now).map(StatusView::from),
            work_location: self.location_at(now).map(|(source, location)| WorkLocation {
                kind: location.kind,
                place: location.place.as_deref(),
                source,
            }),
            stamps,
        }
    }

    /// The stamps at `now`: those of the last write, and the ends and fades since then folded in, in order.
    fn stamps_by(&self, now: Timestamp) -> Stamps {
        let (mut at, mut stamps) = (self.as_of, self.stamps);
        let Some(mut deadline) = self.next_deadline(at).filter(|deadline| *deadline <= now) else {
            return stamps;
        };
        let mut face = self.face(at);
        loop {
            let next = self.face(deadline);
            if next != face {
                stamps = stamps.after(deadline, next.pair != face.pair);
                face = next;
            }
            at = deadline;
            match self.next_deadline(at).filter(|deadline| *deadline <= now) {
                Some(next) => deadline = next,
                None => return stamps,
            }
        }
    }

    /// The first instant after `now` at which any layer changes, whether or not that shows.
    fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let sessions = self.sessions.iter().filter_map(|session| session.next_change(now)).min();
        let others = [
            self.preferred.as_ref().map(|preferred| preferred.ends_at),
            self.status_message.as_ref().and_then(|message| message.expiry).map(|expiry| expiry.at),
            self.manual_location.as_ref().and_then(|location| location.ends_at),
            self.automatic_location.as_ref().and_then(|location| location.ends_at),
        ];
        others.into_iter().flatten().filter(|at| *at > now).chain(sessions).min()
    }

    /// Drops what has ended; a session only some seconds later, since its client may be about to renew it too late.
    fn drop_ended(&mut self, now: Timestamp) {
        self.sessions.retain(|session| session.ends_at.plus(RENEWED_LATE) >= now);
        self.preferred.take_if(|preferred| !preferred.lives(now));
        self.status_message.take_if(|message| !message.lives(now));
        self.manual_location.take_if(|location| !location.lives(now));
        self.automatic_location.take_if(|location| !location.lives(now));
    }
}

/// The writes, one by one. They change `self` freely: `apply` gives them a copy.
impl User {
    fn write(&mut self, command: &Command, now: Timestamp, limits: &Limits) -> Result<(), Refusal> {
        match command {
            Command::SetPresence(set) => self.set_presence(set, now, limits),
            Command::ClearPresence(key) => self.clear_presence(*key, now),
            Command::SetPreferred(SetPreferred { pair, duration }) => {
                self.set_preferred(pair.get(), *duration, false, now, limits)
            }
            Command::ClearPreferred => {
                self.preferred = None;
                Ok(())
            }
            Command::SetStatusMessage(None) => {
                self.status_message = None;
                Ok(())
            }
            Command::SetStatusMessage(Some(message)) => self.set_status_message(message, now, limits),
            Command::SetLocation(source, location) => self.set_location(*source, location, now, limits),
            Command::ClearLocation { manual_too } => {
                self.clear_location(*manual_too);
                Ok(())
            }
            Command::Patch(patch) => self.patch(patch, now, limits),
            Command::Clear(application) => {
                self.sessions.retain(|session| session.key.application != *application);
                self.preferred = None;
                self.status_message = None;
                self.out_of_office = None;
                self.clear_location(true);
                Ok(())
            }
            Command::SetHidden(hidden) => {
                self.hidden = *hidden;
                Ok(())
            }
        }
    }

    fn set_presence(&mut self, set: &SetPresence, now: Timestamp, limits: &Limits) -> Result<(), Refusal> {
        let duration = check_duration(
            set.duration.unwrap_or(limits.session_duration_default),
            limits.session_duration_min,
            limits.session_duration_max,
        )?;
        let live = || self.sessions.iter().filter(|session| session.pair_at(now).is_some());
        // One that has ended is one more, though its place is still there.
        if live().all(|session| session.key != set.session) && live().count() >= limits.sessions_max {
            return Err(Refusal::TooManySessions { max: limits.sessions_max });
        }
        let mut session = Session::new(set.session, set.pair.get(), now, duration, limits);
        let earlier = self.sessions.iter_mut().find(|session| session.key == set.session);
        if let Some(earlier) = earlier {
            let ended = earlier.ends_at;
            session.renewed_late = ended <= now && now.since(ended) <= RENEWED_LATE;
            *earlier = session;
            return Ok(());
        }
        self.sessions.push(session);
        Ok(())
    }

    fn clear_presence(&mut self, key: SessionKey, now: Timestamp) -> Result<(), Refusal> {
        let live = |session: &Session| session.key == key && session.pair_at(now).is_some();
        let position = self.sessions.iter().position(live).ok_or(Refusal::SessionNotFound)?;
        self.sessions.remove(position);
        Ok(())
    }

    fn set_preferred(
        &mut self,
        pair: Pair,
        duration: Option<Duration>,
        standing: bool,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        let duration = check_duration(
            duration.unwrap_or_else(|| preferred_duration_default(pair.availability)),
            Duration::from_millis(1),
            limits.preferred_duration_max,
        )?;
        self.preferred = Some(Preferred { pair, set_at: now, ends_at: now.plus(duration), standing });
        Ok(())
    }

    fn set_status_message(
        &mut self,
        message: &NewStatusMessage,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        let text = message.content.trim();
        if text.is_empty() {
            self.status_message = None;
            return Ok(());
        }
        check_text(text, Text::StatusMessage, limits.status_chars_max)?;
        // White space around the text is kept and not counted, within reason.
        check_text(&message.content, Text::StatusMessage, limits.status_chars_max.saturating_mul(4))?;
        if message.expiry.is_some_and(|expiry| expiry.at <= now) {
            return Err(Refusal::ExpiryInThePast);
        }
        self.status_message = Some(StatusMessage {
            content: message.content.clone(),
            published_at: now,
            expiry: message.expiry,
        });
        Ok(())
    }

    fn set_location(
        &mut self,
        source: LocationSource,
        location: &NewLocation,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        if let Some(place) = &location.place {
            check_text(place, Text::PlaceId, limits.place_chars_max)?;
        }
        let layer = match source {
            LocationSource::Manual => &mut self.manual_location,
            LocationSource::Automatic => &mut self.automatic_location,
        };
        *layer = Some(Location {
            kind: location.kind,
            place: location.place.clone(),
            ends_at: limits.location_end(now),
        });
        Ok(())
    }

    fn clear_location(&mut self, manual_too: bool) {
        self.automatic_location = None;
        if manual_too {
            self.manual_location = None;
        }
    }

    fn patch(&mut self, patch: &Patch, now: Timestamp, limits: &Limits) -> Result<(), Refusal> {
        match &patch.preferred {
            Change::Keep => {}
            Change::Clear => self.preferred = None,
            Change::Set((pair, duration)) => self.set_preferred(pair.get(), *duration, true, now, limits)?,
        }
        match &patch.status_message {
            Change::Keep => {}
            Change::Clear => self.status_message = None,
            Change::Set(message) => self.set_status_message(message, now, limits)?,
        }
        match &patch.out_of_office {
            Change::Keep => {}
            Change::Clear => self.out_of_office = None,
            Change::Set(out_of_office) => {
                if let Some(message) = &out_of_office.message {
                    check_text(message, Text::OutOfOfficeMessage, limits.out_of_office_chars_max)?;
                }
                let message = out_of_office.message.clone().filter(|message| !message.is_empty());
                self.out_of_office = Some(OutOfOffice { message });
            }
        }
        match &patch.work_location {
            Change::Keep => {}
            Change::Clear => self.clear_location(true),
            Change::Set(location) => self.set_location(LocationSource::Manual, location, now, limits)?,
        }
        Ok(())
    }
}

fn check_duration(given: Duration, min: Duration, max: Duration) -> Result<Duration, Refusal> {
    if (min..=max).contains(&given) {
        Ok(given)
    } else {
        Err(Refusal::DurationOutOfRange { given, min, max })
    }
}
