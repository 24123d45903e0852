//! Random histories of one user, made so that writes and deadlines meet in the same instant as often as possible.

use std::time::Duration;

use jiff::tz::{self, TimeZone};
use porchlight_presence::{
    ApplicationId, Change, Command, Expiry, Fade, Limits, LocationSource, LocationType, NewLocation,
    NewStatusMessage, OutOfOffice, Patch, PreferredPair, SessionId, SessionKey, SessionPair, SetPreferred,
    SetPresence, StandingPair, Timestamp, User,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::DAY_0;

/// A limit for texts, small enough to be hit.
const CHARS_MAX: usize = 4;

/// Writes to one user, and when each was made. Some will be refused.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) limits: Limits,
    /// In what all durations are measured.
    pub(crate) unit: Duration,
    /// Five units before a midnight.
    pub(crate) start: Timestamp,
    pub(crate) writes: Vec<(Timestamp, Command)>,
}

impl History {
    /// The record after the last write.
    pub(crate) fn user(&self) -> User {
        let empty = User::default();
        self.writes
            .iter()
            .fold(empty, |user, (now, command)| user.apply(command, *now, &self.limits).unwrap_or(user))
    }
}

/// Histories in which every duration is a few of these units: a session lives 1 to 8 of them and fades after 2 and 4.
pub(crate) fn histories(unit: Duration) -> impl Strategy<Value = History> {
    let settings = (prop::bool::weighted(0.8), 0..=2_u32, 0..=2_u16, any::<bool>());
    let steps = vec((pauses(), commands()), 1..=12);
    (settings, steps).prop_map(move |((fades, grace, location_days, east), steps)| {
        let limits = Limits {
            session_duration_min: unit,
            session_duration_max: unit * 8,
            session_duration_default: unit * 3,
            fade: fades.then_some(Fade { inactive_after: unit * 2, away_after: unit * 4 }),
            expiry_grace: unit * grace,
            sessions_max: 4,
            status_chars_max: CHARS_MAX,
            place_chars_max: CHARS_MAX,
            out_of_office_chars_max: CHARS_MAX,
            location_days,
            zone: if east { TimeZone::fixed(tz::offset(2)) } else { TimeZone::UTC },
            ..Limits::default()
        };
        let midnight = if east { DAY_0 - 2 * 3_600_000 } else { DAY_0 };
        let start = Timestamp::from_millis(midnight).minus(unit * 5);
        let mut now = start;
        let mut writes = Vec::new();
        for (pause, command) in steps {
            now = if pause < 0 { now.minus(unit) } else { now.plus(unit * pause.unsigned_abs()) };
            writes.push((now, placed(command, start, unit)));
        }
        History { limits, unit, start, writes }
    })
}

/// The same with writes that look up to four units ahead, as in a cluster.
pub(crate) fn cluster_histories(unit: Duration) -> impl Strategy<Value = History> {
    (histories(unit), 1..=4_u32).prop_map(move |(mut history, foresight)| {
        history.limits.foresight = unit * foresight;
        history
    })
}

/// The units between two writes: mostly none, and now and then the clock steps back.
fn pauses() -> impl Strategy<Value = i32> {
    prop_oneof![6 => Just(0), 4 => 1..=2_i32, 2 => 3..=5_i32, 1 => Just(-1)]
}

/// Any command. Its durations are in milliseconds, its expiries from the start: `placed` brings them to the history's.
fn commands() -> impl Strategy<Value = Command> {
    prop_oneof![
        10 => (keys(), select(SessionPair::ALL), lives(0..=9)).prop_map(|(session, pair, duration)| {
            let pair = SessionPair::new(pair).expect("one of all");
            Command::SetPresence(SetPresence { session, pair, duration })
        }),
        3 => keys().prop_map(Command::ClearPresence),
        4 => (select(PreferredPair::ALL), lives(0..=8)).prop_map(|(pair, duration)| {
            let pair = PreferredPair::new(pair).expect("one of all");
            Command::SetPreferred(SetPreferred { pair, duration })
        }),
        1 => Just(Command::ClearPreferred),
        3 => prop::option::weighted(0.8, messages()).prop_map(Command::SetStatusMessage),
        4 => (sources(), locations()).prop_map(|(source, location)| Command::SetLocation(source, location)),
        1 => any::<bool>().prop_map(|manual_too| Command::ClearLocation { manual_too }),
        6 => patches().prop_map(Command::Patch),
        1 => applications().prop_map(Command::Clear),
        2 => prop::bool::weighted(0.3).prop_map(Command::SetHidden),
    ]
}

fn patches() -> impl Strategy<Value = Patch> {
    let preferred = (select(StandingPair::ALL), lives(0..=8))
        .prop_map(|(pair, duration)| (StandingPair::new(pair).expect("one of all"), duration));
    let replies = select(vec![None, Some("x"), Some("x"), Some("y"), Some("xxxxx"), Some("\u{7}")])
        .prop_map(|message| OutOfOffice { message: message.map(str::to_owned) });
    (changes(preferred), changes(messages()), changes(replies), changes(locations())).prop_map(
        |(preferred, status_message, out_of_office, work_location)| Patch {
            preferred,
            status_message,
            out_of_office,
            work_location,
        },
    )
}

fn changes<T: Clone + std::fmt::Debug>(set: impl Strategy<Value = T>) -> impl Strategy<Value = Change<T>> {
    prop_oneof![4 => Just(Change::<T>::Keep), 1 => Just(Change::<T>::Clear), 4 => set.prop_map(Change::Set)]
}

/// Three applications, each with a session of its own id and one of an id that all three use.
fn keys() -> impl Strategy<Value = SessionKey> {
    (applications(), any::<bool>()).prop_map(|(application, own)| {
        let session = SessionId(if own { application.0 } else { Uuid::from_u128(0xff) });
        SessionKey { application, session }
    })
}

fn applications() -> impl Strategy<Value = ApplicationId> {
    (1..=3_u8).prop_map(|number| ApplicationId(Uuid::from_u128(number.into())))
}

fn lives(units: std::ops::RangeInclusive<u64>) -> impl Strategy<Value = Option<Duration>> {
    prop::option::weighted(0.9, units.prop_map(Duration::from_millis))
}

fn messages() -> impl Strategy<Value = NewStatusMessage> {
    let contents = select(vec!["a", "a", "a", "b", "b", " a\n", "c\td", "aaaaa", "\u{7}"]);
    let expiries =
        (0..20_i64, 0..=9999_u16).prop_map(|(at, ticks)| Expiry { at: Timestamp::from_millis(at), ticks });
    (contents, prop::option::of(expiries))
        .prop_map(|(content, expiry)| NewStatusMessage { content: content.to_owned(), expiry })
}

fn sources() -> impl Strategy<Value = LocationSource> {
    select(vec![LocationSource::Manual, LocationSource::Automatic])
}

fn locations() -> impl Strategy<Value = NewLocation> {
    let places = select(vec![None, Some("p"), Some("p"), Some("q"), Some("ppppp"), Some("\u{7}")]);
    (select(LocationType::ALL.to_vec()), places)
        .prop_map(|(kind, place)| NewLocation { kind, place: place.map(str::to_owned) })
}

/// The command with its durations in units and its expiries counted from the start.
fn placed(mut command: Command, start: Timestamp, unit: Duration) -> Command {
    let units = |length: Duration| unit * u32::try_from(length.as_millis()).expect("a few units");
    let place = |message: &mut NewStatusMessage| {
        if let Some(expiry) = &mut message.expiry {
            expiry.at = start.plus(units(expiry.at.since(Timestamp::ZERO)));
        }
    };
    match &mut command {
        Command::SetPresence(set) => set.duration = set.duration.map(units),
        Command::SetPreferred(set) => set.duration = set.duration.map(units),
        Command::SetStatusMessage(Some(message)) => place(message),
        Command::Patch(patch) => {
            if let Change::Set((_, duration)) = &mut patch.preferred {
                *duration = duration.map(units);
            }
            if let Change::Set(message) = &mut patch.status_message {
                place(message);
            }
        }
        Command::SetStatusMessage(None)
        | Command::ClearPresence(_)
        | Command::ClearPreferred
        | Command::SetLocation(..)
        | Command::ClearLocation { .. }
        | Command::Clear(_)
        | Command::SetHidden(_) => {}
    }
    command
}
