//! Laws of request bodies: every command, in every body that says it.

use std::fmt;
use std::time::Duration;

use porchlight_presence::{
    ApplicationId, Change, Command, Expiry, LocationSource, LocationType, NewLocation, NewStatusMessage,
    OutOfOffice, Pair, Patch, PreferredPair, SessionId, SessionKey, SessionPair, SetPreferred, SetPresence,
    StandingPair, Timestamp,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use uuid::Uuid;

use super::command;
use super::date_time::{self, Instant100};
use super::json::{Json, Object};
use crate::dice::{Dice, dice, texts};
use crate::error::Error;
use crate::settings::Profile;

const OWN_ID: &str = "ada@example.org";

/// Every member that is read.
const MEMBERS: &[&str] = &[
    "activity",
    "availability",
    "content",
    "contentType",
    "dateTime",
    "expirationDuration",
    "expiryDateTime",
    "id",
    "isOutOfOffice",
    "message",
    "outOfOfficeSettings",
    "placeId",
    "sessionId",
    "statusMessage",
    "timeZone",
    "workLocation",
    "workLocationType",
];

/// Values that some member takes.
const WORDS: &[&str] = &[
    "",
    "00000000-0000-0000-0000-000000000000",
    "2026-11-20T12:00:00",
    "Available",
    "Away",
    "Europe/Berlin",
    "PT5M",
    "office",
    "text",
    OWN_ID,
];

/// Ways of saying that there is no status message.
const NO_MESSAGE: [&str; 6] = [
    "null",
    "{}",
    r#"{"message":null}"#,
    r#"{"message":{}}"#,
    r#"{"message":{"content":null}}"#,
    r#"{"message":{"content":" \n\t"},"expiryDateTime":null}"#,
];

proptest! {
    /// A session is what its body says, however its GUID, its pair and its duration are spelled.
    #[test]
    fn the_session_that_is_printed_is_read_back(
        (application, other) in any::<(u128, u128)>(),
        own in any::<bool>(),
        pair in select(SessionPair::ALL),
        duration in durations(),
        mut dice in dice(),
    ) {
        let application = ApplicationId(Uuid::from_u128(application));
        let session = if own { application.0 } else { Uuid::from_u128(other) };
        // The strict profile takes no session but the application's own.
        let profile = if own { dice.pick(&[Profile::Open, Profile::Strict]) } else { Profile::Open };
        let mut guid = dice.any_case(&session.to_string());
        if dice.flip() {
            guid = format!("{{{guid}}}");
        }
        let mut members = state(pair, duration, &mut dice);
        members.push(Some(("sessionId", guid.into())));
        let body = object(members, &mut dice);
        let expected = Command::SetPresence(SetPresence {
            session: SessionKey { application, session: SessionId(session) },
            pair: SessionPair::new(pair).unwrap(),
            duration,
        });
        let read = sent(&body, &mut dice, |body| command::set_presence(body, application, profile));
        prop_assert_eq!(read, Ok(expected), "{}", body);
    }

    /// A preference is what its body says, however it is spelled.
    #[test]
    fn the_preference_that_is_printed_is_read_back(
        pair in select(PreferredPair::ALL),
        duration in durations(),
        mut dice in dice(),
    ) {
        let members = state(pair, duration, &mut dice);
        let body = object(members, &mut dice);
        let pair = PreferredPair::new(pair).unwrap();
        let expected = Command::SetPreferred(SetPreferred { pair, duration });
        prop_assert_eq!(sent(&body, &mut dice, command::set_preferred), Ok(expected), "{}", body);
    }

    /// A status message is kept to the letter, and its end to the tick; a blank one is none.
    #[test]
    fn the_status_message_that_is_printed_is_read_back(
        message in option::weighted(0.8, messages()),
        mut dice in dice(),
    ) {
        let status = status_message(message.as_ref(), &mut dice);
        let body = object(vec![Some(("statusMessage", status))], &mut dice);
        let expected = Command::SetStatusMessage(message);
        prop_assert_eq!(sent(&body, &mut dice, command::set_status_message), Ok(expected), "{}", body);
    }

    /// What is absent is kept, what is null is cleared; a body that says nothing is refused.
    #[test]
    fn the_patch_that_is_printed_is_read_back(patch in patches(), mut dice in dice()) {
        let mut members = preference(&patch.preferred, &mut dice);
        let id = dice.flip().then(|| OWN_ID.into());
        members.extend([
            optional("id", id, &mut dice),
            part("statusMessage", &patch.status_message, |message| status_message(message, &mut dice)),
            part("outOfOfficeSettings", &patch.out_of_office, |settings| out_of_office(settings, &mut dice)),
            part("workLocation", &patch.work_location, |place| location(place, &mut dice)),
        ]);
        let body = object(members, &mut dice);
        let says_nothing = patch == Patch::default();
        let expected = if says_nothing { Err(Error::NothingToWrite) } else { Ok(Command::Patch(patch)) };
        let read = sent(&body, &mut dice, |body| command::patch(body, |id| id == OWN_ID));
        prop_assert_eq!(read, expected, "{}", body);
    }

    /// Neither bytes nor JSON of the wrong shape do.
    #[test]
    fn no_body_makes_it_panic(body in prop_oneof![vec(any::<u8>(), 0..64), bodies(), damaged_bodies()]) {
        let Ok(body) = Json::parse(&body).and_then(Json::into_object) else { return Ok(()) };
        let application = ApplicationId(Uuid::nil());
        for profile in [Profile::Open, Profile::Strict] {
            let _ = command::set_presence(&body, application, profile);
            let _ = command::clear_presence(&body, application, profile);
        }
        let _ = command::set_preferred(&body);
        let _ = command::set_status_message(&body);
        let _ = command::set_location(&body, LocationSource::Manual);
        let _ = command::patch(&body, |id| id == OWN_ID);
    }
}

/// Durations, also such as the domain will refuse.
fn durations() -> impl Strategy<Value = Option<Duration>> {
    option::of((0..40_000_000_000_u64).prop_map(Duration::from_millis))
}

fn patches() -> impl Strategy<Value = Patch> {
    let preferred = (select(StandingPair::ALL), durations())
        .prop_map(|(pair, duration)| (StandingPair::new(pair).unwrap(), duration));
    let out_of_office = option::of(contents()).prop_map(|message| OutOfOffice { message });
    let locations = (select(LocationType::ALL.to_vec()), option::of(texts()))
        .prop_map(|(kind, place)| NewLocation { kind, place });
    (changes(preferred), changes(messages()), changes(out_of_office), changes(locations)).prop_map(
        |(preferred, status_message, out_of_office, work_location)| Patch {
            preferred,
            status_message,
            out_of_office,
            work_location,
        },
    )
}

fn changes<T: Clone + fmt::Debug>(set: impl Strategy<Value = T>) -> impl Strategy<Value = Change<T>> {
    prop_oneof![Just(Change::<T>::Keep), Just(Change::<T>::Clear), set.prop_map(Change::Set)]
}

fn messages() -> impl Strategy<Value = NewStatusMessage> {
    let expiries = (0..=Timestamp::MAX.as_millis(), 0..10_000_u16)
        .prop_map(|(at, ticks)| Expiry { at: Timestamp::from_millis(at), ticks });
    (contents(), option::of(expiries)).prop_map(|(content, expiry)| NewStatusMessage { content, expiry })
}

/// Texts that are not blank: a blank one counts as none.
fn contents() -> impl Strategy<Value = String> {
    texts().prop_filter("it is blank", |text| !text.trim().is_empty())
}

/// JSON objects of the right names and any values.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    vec((select(MEMBERS), values()), 0..8).prop_map(|members| serde_json::to_vec(&named(members)).unwrap())
}

/// The same with one byte changed.
fn damaged_bodies() -> impl Strategy<Value = Vec<u8>> {
    (bodies(), any::<Index>(), any::<u8>()).prop_map(|(mut body, at, byte)| {
        *at.get_mut(&mut body) = byte;
        body
    })
}

fn values() -> impl Strategy<Value = Value> {
    let leaves = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        texts().prop_map(Value::from),
        select(WORDS).prop_map(Value::from),
    ];
    leaves.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..3).prop_map(Value::from),
            3 => vec((select(MEMBERS), inner), 0..4).prop_map(named),
        ]
    })
}

/// A member and its value.
type Member = (&'static str, Value);

/// What the command of this body is.
fn sent(
    body: &Value,
    dice: &mut Dice,
    read: impl FnOnce(&Object<'_>) -> Result<Command, Error>,
) -> Result<Command, Error> {
    let bytes = if dice.flip() { serde_json::to_vec(body) } else { serde_json::to_vec_pretty(body) };
    let bytes = bytes.unwrap();
    let object = Json::parse(&bytes)?.into_object()?;
    read(&object)
}

/// An object of these members in any order, with or without one that nobody reads.
fn object(members: Vec<Option<Member>>, dice: &mut Dice) -> Value {
    let unread = dice.flip().then(|| ("@odata.type", "#microsoft.graph.presence".into()));
    let mut members: Vec<Member> = members.into_iter().chain([unread]).flatten().collect();
    dice.shuffle(&mut members);
    named(members)
}

fn named(members: Vec<Member>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A member for which no value is as good as null.
fn optional(name: &'static str, value: Option<Value>, dice: &mut Dice) -> Option<Member> {
    match value {
        Some(value) => Some((name, value)),
        None => dice.flip().then_some((name, Value::Null)),
    }
}

/// A part of a PATCH: absent, or what `print` makes of it.
fn part<T>(
    name: &'static str,
    change: &Change<T>,
    print: impl FnOnce(Option<&T>) -> Value,
) -> Option<Member> {
    match change {
        Change::Keep => None,
        Change::Clear => Some((name, print(None))),
        Change::Set(value) => Some((name, print(Some(value)))),
    }
}

/// Availability, activity and how long they hold, in this order.
fn state(pair: Pair, duration: Option<Duration>, dice: &mut Dice) -> Vec<Option<Member>> {
    let availability = dice.any_case(pair.availability.name());
    let activity = dice.any_case(pair.activity.name());
    let duration = duration.map(|duration| duration_text(duration, dice).into());
    vec![
        Some(("availability", availability.into())),
        Some(("activity", activity.into())),
        optional("expirationDuration", duration, dice),
    ]
}

fn duration_text(duration: Duration, dice: &mut Dice) -> String {
    let (all, millis) = (duration.as_secs(), duration.subsec_millis());
    let (hours, minutes, seconds) = (all / 3_600, all / 60 % 60, all % 60);
    let texts = [
        format!("PT{all}.{millis:03}S"),
        format!("PT{hours}H{minutes}M{seconds}.{millis:03}S"),
        format!("{hours}:{minutes:02}:{seconds:02}.{millis:03}000"),
    ];
    let at = dice.pick(&[0, 1, 2]);
    dice.any_case(&texts[at])
}

/// The pair of a PATCH; one of its values is enough where it implies the other.
fn preference(change: &Change<(StandingPair, Option<Duration>)>, dice: &mut Dice) -> Vec<Option<Member>> {
    match change {
        Change::Keep => vec![optional("activity", None, dice)],
        Change::Clear => vec![Some(("availability", Value::Null)), optional("activity", None, dice)],
        Change::Set((pair, duration)) => {
            let mut members = state(pair.get(), *duration, dice);
            if dice.flip() && StandingPair::of_availability(pair.get().availability) == Ok(*pair) {
                members[1] = optional("activity", None, dice);
            } else if dice.flip() && StandingPair::of_activity(pair.get().activity) == Ok(*pair) {
                // Null would be another thing: an activity without an availability.
                members[0] = None;
            }
            members
        }
    }
}

fn status_message(message: Option<&NewStatusMessage>, dice: &mut Dice) -> Value {
    let Some(message) = message else { return serde_json::from_str(dice.pick(&NO_MESSAGE)).unwrap() };
    let content_type = dice.flip().then(|| dice.any_case("text").into());
    let members =
        vec![Some(("content", message.content.as_str().into())), optional("contentType", content_type, dice)];
    let content = object(members, dice);
    let expiry = message.expiry.map(|expiry| date_time_and_zone(expiry, dice));
    let members = vec![Some(("message", content)), optional("expiryDateTime", expiry, dice)];
    object(members, dice)
}

fn date_time_and_zone(expiry: Expiry, dice: &mut Dice) -> Value {
    let instant = Instant100 { unix_ms: expiry.at.as_millis(), ticks: expiry.ticks };
    let mut written = Vec::new();
    let zone = if dice.flip() {
        // With an offset, the zone is not even looked at.
        date_time::write_utc(instant, &mut written);
        dice.pick(&[None, Some("UTC"), Some("Pacific Standard Time"), Some("Nowhere/None")])
    } else {
        date_time::write_local(instant, &mut written);
        dice.pick(&[None, Some(""), Some("utc"), Some("Etc/UTC")])
    };
    let members = vec![
        Some(("dateTime", String::from_utf8(written).unwrap().into())),
        optional("timeZone", zone.map(Value::from), dice),
    ];
    object(members, dice)
}

fn out_of_office(settings: Option<&OutOfOffice>, dice: &mut Dice) -> Value {
    if settings.is_none() && dice.flip() {
        return Value::Null;
    }
    let message = settings.and_then(|settings| settings.message.as_deref());
    let message = message.or_else(|| dice.flip().then_some(""));
    let members = vec![
        Some(("isOutOfOffice", settings.is_some().into())),
        optional("message", message.map(Value::from), dice),
    ];
    object(members, dice)
}

fn location(location: Option<&NewLocation>, dice: &mut Dice) -> Value {
    let Some(location) = location else { return Value::Null };
    let kind = dice.any_case(location.kind.name());
    let members = vec![
        Some(("workLocationType", kind.into())),
        optional("placeId", location.place.as_deref().map(Value::from), dice),
    ];
    object(members, dice)
}
