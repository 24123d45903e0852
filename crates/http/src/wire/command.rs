//! Request bodies, made into commands. Source: presence-api 7 to 14.
//!
//! Types are checked first (E12), then members in their order: missing, then unknown, then pairs, then durations.

use std::time::Duration;

use porchlight_presence::{
    Activity, ApplicationId, Availability, Change, Command, Expiry, LocationSource, LocationType,
    NewLocation, NewStatusMessage, OutOfOffice, Pair, Patch, PreferredPair, SessionId, SessionKey,
    SessionPair, SetPreferred, SetPresence, StandingPair, Timestamp,
};

use crate::error::Error;
use crate::settings::Profile;
use crate::wire::date_time::{self, DateTimeError};
use crate::wire::duration::{self, DurationError};
use crate::wire::guid;
use crate::wire::json::{Json, Object};

/// The command of a setPresence body.
pub(crate) fn set_presence(
    body: &Object<'_>,
    application: ApplicationId,
    profile: Profile,
) -> Result<Command, Error> {
    let (session, state) = (body.string("sessionId")?, State::read(body)?);
    let session = session_key(session, application, profile)?;
    let pair = SessionPair::new(state.pair()?)?;
    Ok(Command::SetPresence(SetPresence { session, pair, duration: state.duration()? }))
}

/// The command of a clearPresence body.
pub(crate) fn clear_presence(
    body: &Object<'_>,
    application: ApplicationId,
    profile: Profile,
) -> Result<Command, Error> {
    Ok(Command::ClearPresence(session_key(body.string("sessionId")?, application, profile)?))
}

/// The command of a setUserPreferredPresence body.
pub(crate) fn set_preferred(body: &Object<'_>) -> Result<Command, Error> {
    let state = State::read(body)?;
    let pair = PreferredPair::new(state.pair()?)?;
    Ok(Command::SetPreferred(SetPreferred { pair, duration: state.duration()? }))
}

/// The command of a setStatusMessage body.
pub(crate) fn set_status_message(body: &Object<'_>) -> Result<Command, Error> {
    if body.get("statusMessage").is_none() {
        return Err(Error::StatusMessageMissing);
    }
    let message = body.object("statusMessage")?;
    Ok(Command::SetStatusMessage(message.map(status_message).transpose()?.flatten()))
}

/// The command of a setManualLocation or setAutomaticLocation body.
pub(crate) fn set_location(body: &Object<'_>, source: LocationSource) -> Result<Command, Error> {
    Ok(Command::SetLocation(source, location(body)?))
}

/// The command of a PATCH body. `is_own_id` says whether a text names the user that is patched.
pub(crate) fn patch(body: &Object<'_>, is_own_id: impl Fn(&str) -> bool) -> Result<Command, Error> {
    let (id, state) = (body.string("id")?, State::read(body)?);
    let status = body.object("statusMessage")?;
    let out_of_office = body.object("outOfOfficeSettings")?;
    let work_location = body.object("workLocation")?;
    if id.is_some_and(|id| !is_own_id(id)) {
        return Err(Error::AnotherId);
    }
    let patch = Patch {
        preferred: standing(body, &state)?,
        status_message: match part(body, "statusMessage", status.map(status_message).transpose()?) {
            Change::Set(Some(message)) => Change::Set(message),
            Change::Set(None) | Change::Clear => Change::Clear,
            Change::Keep => Change::Keep,
        },
        out_of_office: match part(
            body,
            "outOfOfficeSettings",
            out_of_office.map(read_out_of_office).transpose()?,
        ) {
            Change::Set(Some(settings)) => Change::Set(settings),
            Change::Set(None) | Change::Clear => Change::Clear,
            Change::Keep => Change::Keep,
        },
        work_location: part(body, "workLocation", work_location.map(location).transpose()?),
    };
    if patch == Patch::default() { Err(Error::NothingToWrite) } else { Ok(Command::Patch(patch)) }
}

/// A part of a PATCH: absent, null or given.
fn part<T>(body: &Object<'_>, member: &str, value: Option<T>) -> Change<T> {
    match (body.get(member), value) {
        (_, Some(value)) => Change::Set(value),
        (Some(_), None) => Change::Clear,
        (None, None) => Change::Keep,
    }
}

/// The preference of a PATCH, with the partner that a lone value implies.
fn standing(body: &Object<'_>, state: &State<'_>) -> Result<Change<(StandingPair, Option<Duration>)>, Error> {
    let pair = match (state.availability, state.activity) {
        (None, None) if body.get("availability").is_some() => return Ok(Change::Clear),
        (None, None) => return Ok(Change::Keep),
        (None, Some(activity)) if body.get("availability").is_some() => {
            return Err(Error::ActivityWithoutAvailability(self::activity(activity)?.name().to_owned()));
        }
        (None, Some(activity)) => StandingPair::of_activity(self::activity(activity)?)?,
        (Some(availability), None) => StandingPair::of_availability(self::availability(availability)?)?,
        (Some(_), Some(_)) => StandingPair::new(state.pair()?)?,
    };
    Ok(Change::Set((pair, state.duration()?)))
}

/// The members that say a pair and how long it holds.
struct State<'b> {
    availability: Option<&'b str>,
    activity: Option<&'b str>,
    duration: Option<&'b str>,
}

impl<'b> State<'b> {
    fn read(body: &'b Object<'_>) -> Result<State<'b>, Error> {
        Ok(State {
            availability: body.string("availability")?,
            activity: body.string("activity")?,
            duration: body.string("expirationDuration")?,
        })
    }

    fn pair(&self) -> Result<Pair, Error> {
        let missing = |text: Option<&'b str>, member| {
            text.filter(|text| !text.is_empty()).ok_or(Error::ValueMissing(member))
        };
        let availability = availability(missing(self.availability, "Availability")?)?;
        let activity = activity(missing(self.activity, "Activity")?)?;
        Ok(Pair { availability, activity })
    }

    fn duration(&self) -> Result<Option<Duration>, Error> {
        match self.duration.map(duration::parse).transpose() {
            Ok(duration) => Ok(duration),
            // Out of every range: the domain refuses them with the range that holds.
            Err(DurationError::NotPositive) => Ok(Some(Duration::ZERO)),
            Err(DurationError::TooLarge) => Ok(Some(Duration::MAX)),
            Err(DurationError::Unparsable) => Err(Error::DurationUnreadable("ExpirationDuration")),
        }
    }
}

fn availability(name: &str) -> Result<Availability, Error> {
    let unknown = || Error::ValueUnknown { member: "Availability", value: name.to_owned() };
    Availability::from_name(name).ok_or_else(unknown)
}

fn activity(name: &str) -> Result<Activity, Error> {
    let unknown = || Error::ValueUnknown { member: "Activity", value: name.to_owned() };
    Activity::from_name(name).ok_or_else(unknown)
}

/// Which session is meant; letter case and braces do not matter. Source: presence-api 7.4.
fn session_key(
    text: Option<&str>,
    application: ApplicationId,
    profile: Profile,
) -> Result<SessionKey, Error> {
    let text = text.filter(|text| !text.is_empty()).ok_or(Error::SessionIdMissing)?;
    let bare = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let session = guid::parse(bare).ok_or(Error::SessionIdNotGuid)?;
    if profile == Profile::Strict && session != application.0 {
        return Err(Error::SessionIdNotCaller);
    }
    Ok(SessionKey { application, session: SessionId(session) })
}

/// A status message; `None` where it is to be removed. Source: presence-api 9.3.
fn status_message(status: &Object<'_>) -> Result<Option<NewStatusMessage>, Error> {
    let (message, expiry) = (status.object("message")?, status.object("expiryDateTime")?);
    let Some(message) = message else { return Ok(None) };
    let (content, content_type) = (message.string("content")?, message.string("contentType")?);
    let Some(content) = content.filter(|content| !content.trim().is_empty()) else { return Ok(None) };
    if content_type.is_some_and(|content_type| !content_type.eq_ignore_ascii_case("text")) {
        return Err(Error::ContentType);
    }
    Ok(Some(NewStatusMessage { content: content.to_owned(), expiry: expiry.map(read_expiry).transpose()? }))
}

fn read_expiry(expiry: &Object<'_>) -> Result<Expiry, Error> {
    let (date_time, zone) = (expiry.string("dateTime")?, expiry.string("timeZone")?);
    let zone = zone.filter(|zone| !zone.is_empty());
    let instant =
        date_time::parse(date_time.ok_or(Error::BadExpiry)?, zone).map_err(|error| match error {
            DateTimeError::UnknownZone(zone) => Error::UnknownTimeZone(zone),
            DateTimeError::Unreadable => Error::BadExpiry,
        })?;
    Ok(Expiry { at: Timestamp::from_millis(instant.unix_ms), ticks: instant.ticks })
}

/// Out-of-office settings; `None` where they are to be cleared. Source: presence-api 13.
fn read_out_of_office(settings: &Object<'_>) -> Result<Option<OutOfOffice>, Error> {
    let message = settings.string("message")?.filter(|message| !message.is_empty());
    match settings.bool("isOutOfOffice")? {
        Some(true) => Ok(Some(OutOfOffice { message: message.map(str::to_owned) })),
        Some(false) => Ok(None),
        None => Err(Error::WrongType { member: "isOutOfOffice", expected: "true or false" }),
    }
}

/// A work location. Source: presence-api 14.2.
fn location(location: &Object<'_>) -> Result<NewLocation, Error> {
    let place = location.string("placeId")?;
    let kind = match location.value("workLocationType") {
        Some(Json::String(name)) => LocationType::from_name(name),
        _ => None,
    };
    Ok(NewLocation { kind: kind.ok_or(Error::BadLocationType)?, place: place.map(str::to_owned) })
}
