//! What the test files share: text tables, and the words that they are written in.
#![allow(dead_code, reason = "every test file uses a part of it")]

pub(crate) mod histories;
pub(crate) mod model;

use std::time::Duration;

use porchlight_presence::{
    Activity, ApplicationId, Availability, Change, Command, Expiry, LayerKind, Limits, LocationSource,
    LocationType, NewLocation, NewStatusMessage, OutOfOffice, Pair, Patch, PreferredPair, Presence,
    SessionId, SessionKey, SessionPair, SetPreferred, SetPresence, StandingPair, Timestamp, User,
};
use uuid::Uuid;

/// 2026-11-20T00:00:00Z, the day on which every table begins.
pub(crate) const DAY_0: i64 = 20_777 * 86_400_000;

/// The rows of a text table: lines with bars, cut into cells. Lines without a bar are for the eye.
pub(crate) fn rows<const N: usize>(table: &str) -> Vec<[&str; N]> {
    let mut rows = Vec::new();
    for line in table.lines().filter(|line| line.contains('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let count = cells.len();
        rows.push(cells.try_into().unwrap_or_else(|_| panic!("{count} cells instead of {N}: {line}")));
    }
    rows
}

/// Plays a table of `clock | step | what is seen then` for one user, from nothing. A row without a step only looks.
pub(crate) fn play(limits: &Limits, table: &str) -> User {
    let mut user = User::default();
    for [at, step, seen] in rows(table) {
        let now = clock(at);
        let applied =
            if step.is_empty() { Ok(user.clone()) } else { user.apply(&command(step), now, limits) };
        let shown = match applied {
            Ok(next) => {
                user = next;
                rendered(&user.presence(now))
            }
            Err(refusal) => format!("refused: {refusal:?}"),
        };
        assert_eq!(shown, seen, "after {step:?} at {at}");
    }
    user
}

/// One step applied, which must not be refused.
pub(crate) fn after(user: &User, step: &str, now: Timestamp, limits: &Limits) -> User {
    user.apply(&command(step), now, limits)
        .unwrap_or_else(|refusal| panic!("{step:?} was refused: {refusal}"))
}

/// The user for whom these steps were taken, one after the other, at this instant: `A sets Away/Away; is out`.
pub(crate) fn written(steps: &str, now: Timestamp, limits: &Limits) -> User {
    let steps = steps.split("; ").filter(|step| !step.is_empty());
    steps.fold(User::default(), |user, step| after(&user, step, now, limits))
}

/// The instant of a clock that counts from the first day: `12:04:59`, `12:04:59.999`, `24:00:00`.
pub(crate) fn clock(text: &str) -> Timestamp {
    let (seconds, millis) = text.split_once('.').unwrap_or((text, "0"));
    let seconds = seconds.split(':').fold(0, |total, part| total * 60 + number(part));
    Timestamp::from_millis(DAY_0 + seconds * 1000 + number(millis))
}

/// A duration as ISO 8601 writes it, in days, hours, minutes and seconds.
pub(crate) fn duration(text: &str) -> Duration {
    let (mut total, mut count) = (0, 0);
    for letter in text.chars() {
        let seconds = match letter {
            'D' => 86_400,
            'H' => 3600,
            'M' => 60,
            'S' => 1,
            _ => 0,
        };
        total += count * seconds;
        count = letter.to_digit(10).map_or(0, |digit| count * 10 + u64::from(digit));
    }
    Duration::from_secs(total)
}

pub(crate) fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("not a number: {text:?}"))
}

/// `Busy/InACall`.
pub(crate) fn pair(text: &str) -> Pair {
    let (availability, activity) = text.split_once('/').expect("a pair has a slash");
    Pair {
        availability: Availability::from_name(availability)
            .unwrap_or_else(|| panic!("no availability: {text}")),
        activity: Activity::from_name(activity).unwrap_or_else(|| panic!("no activity: {text}")),
    }
}

/// The application of a letter.
pub(crate) fn application(letter: char) -> ApplicationId {
    ApplicationId(Uuid::from_u128(u128::from(u32::from(letter))))
}

/// `A`: the session that application A names with its own id; `A2`: one that it names otherwise.
pub(crate) fn session(name: &str) -> SessionKey {
    let mut letters = name.chars();
    let application = application(letters.next().expect("a session has a name"));
    let session = letters.next().map_or(application.0, |other| Uuid::from_u128(u128::from(u32::from(other))));
    SessionKey { application, session: SessionId(session) }
}

/// The command that a step of a table stands for.
pub(crate) fn command(step: &str) -> Command {
    let words: Vec<&str> = step.split(' ').collect();
    match words.as_slice() {
        ["prefers", wanted, life @ ..] => Command::SetPreferred(SetPreferred {
            pair: PreferredPair::new(pair(wanted)).expect("a pair that can be preferred"),
            duration: life_of(life),
        }),
        ["patches", wanted, life @ ..] => Command::Patch(Patch {
            preferred: Change::Set((
                StandingPair::new(pair(wanted)).expect("a pair that can be patched"),
                life_of(life),
            )),
            ..Patch::default()
        }),
        ["clears", "preference"] => Command::ClearPreferred,
        ["clears", "automatic"] => Command::ClearLocation { manual_too: false },
        ["clears", "location"] => Command::ClearLocation { manual_too: true },
        ["says", "nothing"] => Command::SetStatusMessage(None),
        ["says", content] => Command::SetStatusMessage(Some(message(content, None))),
        ["says", content, "until", end] => {
            Command::SetStatusMessage(Some(message(content, Some(clock(end)))))
        }
        ["is", "out"] => out_of_office(Change::Set(OutOfOffice { message: None })),
        ["is", "out", text] => out_of_office(Change::Set(OutOfOffice { message: Some((*text).to_owned()) })),
        ["is", "back"] => out_of_office(Change::Clear),
        ["manual", place @ ..] => Command::SetLocation(LocationSource::Manual, location(place)),
        ["automatic", place @ ..] => Command::SetLocation(LocationSource::Automatic, location(place)),
        ["hides"] => Command::SetHidden(true),
        ["shows"] => Command::SetHidden(false),
        [who, "sets", wanted, life @ ..] => Command::SetPresence(SetPresence {
            session: session(who),
            pair: SessionPair::new(pair(wanted)).expect("a pair that can be set"),
            duration: life_of(life),
        }),
        [who, "clears"] => Command::ClearPresence(session(who)),
        [who, "deletes"] => Command::Clear(session(who).application),
        _ => panic!("not a step: {step:?}"),
    }
}

fn life_of(words: &[&str]) -> Option<Duration> {
    match words {
        [] => None,
        ["for", text] => Some(duration(text)),
        _ => panic!("not a duration: {words:?}"),
    }
}

pub(crate) fn message(content: &str, end: Option<Timestamp>) -> NewStatusMessage {
    NewStatusMessage { content: content.to_owned(), expiry: end.map(|at| Expiry { at, ticks: 0 }) }
}

pub(crate) fn out_of_office(change: Change<OutOfOffice>) -> Command {
    Command::Patch(Patch { out_of_office: change, ..Patch::default() })
}

fn location(words: &[&str]) -> NewLocation {
    let (kind, place) = match words {
        [kind] => (kind, None),
        [kind, place] => (kind, Some((*place).to_owned())),
        _ => panic!("not a location: {words:?}"),
    };
    NewLocation {
        kind: LocationType::from_name(kind).unwrap_or_else(|| panic!("no such kind: {kind}")),
        place,
    }
}

/// What is seen, the stamps aside: `Away/OutOfOffice, out, says Lunch, manual office`.
pub(crate) fn rendered(presence: &Presence<'_>) -> String {
    let mut parts = vec![presence.pair.to_string()];
    if let Some(out) = presence.out_of_office {
        parts.push(out.message.as_ref().map_or("out".to_owned(), |text| format!("out {text}")));
    }
    if let Some(message) = presence.status_message {
        parts.push(format!("says {}", message.content));
    }
    if let Some(location) = presence.work_location {
        parts.push(format!("{} {}", location.source.name(), location.kind.name()));
        parts.extend(location.place.map(str::to_owned));
    }
    parts.join(", ")
}

/// The layers that win, by name; an application's session has the application's letter.
pub(crate) fn winners(user: &User, now: Timestamp) -> String {
    let explanation = user.explain(now);
    let names: Vec<String> =
        explanation.layers.iter().filter(|layer| layer.wins).map(|layer| name(layer.kind)).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Every layer, by name, and why it shows or does not.
pub(crate) fn reasons(user: &User, now: Timestamp) -> String {
    let explanation = user.explain(now);
    let named = explanation.layers.iter().map(|layer| format!("{} {:?}", name(layer.kind), layer.reason));
    named.collect::<Vec<String>>().join(", ")
}

fn name(kind: LayerKind) -> String {
    match kind {
        LayerKind::Hidden => "hidden".to_owned(),
        LayerKind::Preferred => "preferred".to_owned(),
        LayerKind::Session(key) => char::from(key.application.0.into_bytes()[15]).to_string(),
        LayerKind::OutOfOffice => "out of office".to_owned(),
        LayerKind::StatusMessage => "status message".to_owned(),
        LayerKind::WorkLocation(source) => format!("{} location", source.name()),
    }
}
