//! The writes of one's own presence, with bodies that are nearly right: what says which members there are, and which
//! of them are of a wrong type, is a description, so that few inputs are lost on what is no JSON.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use porchlight_presence::{Activity, Availability, LocationType};
use serde_json::{Map, Value, json};

use crate::promise::Write;
use crate::world::World;

/// The most operations of one input.
const OPERATIONS_MAX: usize = 8;

/// Writes one after the other, from nothing on: whatever is accepted shows, and whatever is refused changes nothing.
///
/// # Panics
///
/// When a law is broken.
pub fn operation(data: &[u8]) {
    let mut rest = Unstructured::new(data);
    let world = World::development();
    // What the input before has left must not show.
    perform(&world, &Operation::Delete);
    for _ in 0..OPERATIONS_MAX {
        let Some(operation) = Operation::arbitrary(&mut rest).ok().filter(|_| !rest.is_empty()) else {
            return;
        };
        perform(&world, &operation);
    }
}

fn perform(world: &World, operation: &Operation) {
    if let Operation::Wait { seconds } = operation {
        return world.advance(Duration::from_secs((*seconds).into()));
    }
    let (method, action, body) = operation.written();
    let path = if action.is_empty() {
        "/v1.0/me/presence".to_owned()
    } else {
        format!("/v1.0/me/presence/{action}")
    };
    let before = world.presence();
    let answer = world.ask(method, &path, body.to_string().as_bytes());
    let answer = answer.expect("every operation can be asked for").checked();
    let after = world.presence();
    Write { method, action, body: &body, answer: &answer, before: &before, after: &after }.check();
    assert_eq!(after, world.presence(), "reading changes nothing");
}

/// A write, or some time that passes.
#[derive(Arbitrary, Debug)]
enum Operation {
    SetPresence { session: Given<SessionId>, state: State },
    ClearPresence { session: Given<SessionId> },
    SetUserPreferredPresence(State),
    ClearUserPreferredPresence,
    SetStatusMessage(Given<StatusMessage>),
    SetLocation { is_manual: bool, location: Location },
    ClearLocation { is_manual: bool },
    Patch(Box<Patch>),
    Delete,
    Wait { seconds: u16 },
}

/// A member of a body: as it should be, or not.
#[derive(Arbitrary, Debug)]
enum Given<T> {
    Right(T),
    Absent,
    Null,
    Wrong(Wrong),
}

/// What no member is.
#[derive(Arbitrary, Debug)]
enum Wrong {
    Number(i32),
    Flag(bool),
    Text(String),
    List,
    Object,
}

#[derive(Arbitrary, Debug)]
enum SessionId {
    Own,
    /// One of a few, so that the same one comes again.
    Another(u8),
    Any(String),
}

#[derive(Arbitrary, Debug)]
struct State {
    availability: Given<Word>,
    activity: Given<Word>,
    duration: Given<Span>,
}

/// The name of a value: a known one by its number, or any text.
#[derive(Arbitrary, Debug)]
enum Word {
    Known(u8),
    Lower(u8),
    Any(String),
}

#[derive(Arbitrary, Debug)]
enum Span {
    Minutes(u16),
    Clock { hours: u8, minutes: u8 },
    Any(String),
}

#[derive(Arbitrary, Debug)]
struct StatusMessage {
    content: Given<String>,
    content_type: Given<ContentType>,
    expiry: Given<Expiry>,
}

#[derive(Arbitrary, Debug)]
enum ContentType {
    Text,
    Html,
}

#[derive(Arbitrary, Debug)]
struct Expiry {
    date_time: Given<DateTime>,
    zone: Given<Zone>,
}

#[derive(Arbitrary, Debug)]
enum DateTime {
    Day { year: u8, month: u8, day: u8 },
    Any(String),
}

#[derive(Arbitrary, Debug)]
enum Zone {
    Utc,
    Windows,
    Iana,
    Any(String),
}

#[derive(Arbitrary, Debug)]
struct Location {
    kind: Given<Word>,
    place: Given<String>,
}

#[derive(Arbitrary, Debug)]
struct OutOfOffice {
    is_out: Given<bool>,
    message: Given<String>,
}

#[derive(Arbitrary, Debug)]
struct Patch {
    state: State,
    status_message: Given<StatusMessage>,
    out_of_office: Given<OutOfOffice>,
    location: Given<Location>,
    id: Given<String>,
}

impl Operation {
    /// Method, action and body.
    fn written(&self) -> (&'static str, &'static str, Value) {
        let mut body = Map::new();
        let (method, action) = match self {
            Operation::SetPresence { session, state } => {
                session.put(&mut body, "sessionId", SessionId::json);
                state.put(&mut body);
                ("POST", "setPresence")
            }
            Operation::ClearPresence { session } => {
                session.put(&mut body, "sessionId", SessionId::json);
                ("POST", "clearPresence")
            }
            Operation::SetUserPreferredPresence(state) => {
                state.put(&mut body);
                ("POST", "setUserPreferredPresence")
            }
            Operation::ClearUserPreferredPresence => ("POST", "clearUserPreferredPresence"),
            Operation::SetStatusMessage(message) => {
                message.put(&mut body, "statusMessage", StatusMessage::json);
                ("POST", "setStatusMessage")
            }
            Operation::SetLocation { is_manual, location } => {
                location.put(&mut body);
                ("POST", if *is_manual { "setManualLocation" } else { "setAutomaticLocation" })
            }
            Operation::ClearLocation { is_manual } => {
                ("POST", if *is_manual { "clearLocation" } else { "clearAutomaticLocation" })
            }
            Operation::Patch(patch) => {
                patch.put(&mut body);
                ("PATCH", "")
            }
            Operation::Delete | Operation::Wait { .. } => ("DELETE", ""),
        };
        (method, action, Value::Object(body))
    }
}

impl<T> Given<T> {
    /// Puts the member into a body, as far as it is given.
    fn put(&self, body: &mut Map<String, Value>, name: &str, right: impl FnOnce(&T) -> Value) {
        let value = match self {
            Given::Right(value) => right(value),
            Given::Absent => return,
            Given::Null => Value::Null,
            Given::Wrong(wrong) => wrong.json(),
        };
        body.insert(name.to_owned(), value);
    }
}

impl Wrong {
    fn json(&self) -> Value {
        match self {
            Wrong::Number(number) => (*number).into(),
            Wrong::Flag(flag) => (*flag).into(),
            Wrong::Text(text) => text.as_str().into(),
            Wrong::List => json!([{}, null]),
            Wrong::Object => json!({"content": [], "message": null}),
        }
    }
}

impl SessionId {
    fn json(&self) -> Value {
        match self {
            SessionId::Own => porchlight_testkit::DEMO.into(),
            SessionId::Another(number) => {
                format!("{{22222222-2222-4222-8222-2222222222{:02x}}}", number % 40).into()
            }
            SessionId::Any(text) => text.as_str().into(),
        }
    }
}

impl State {
    fn put(&self, body: &mut Map<String, Value>) {
        let availability = |word: &Word| word.json(&Availability::ALL.map(Availability::name));
        let activity = |word: &Word| word.json(&Activity::ALL.map(Activity::name));
        self.availability.put(body, "availability", availability);
        self.activity.put(body, "activity", activity);
        self.duration.put(body, "expirationDuration", Span::json);
    }
}

impl Word {
    fn json(&self, names: &[&str]) -> Value {
        match self {
            Word::Known(number) => names[usize::from(*number) % names.len()].into(),
            Word::Lower(number) => names[usize::from(*number) % names.len()].to_lowercase().into(),
            Word::Any(text) => text.as_str().into(),
        }
    }
}

impl Span {
    fn json(&self) -> Value {
        match self {
            Span::Minutes(minutes) => format!("PT{minutes}M").into(),
            Span::Clock { hours, minutes } => format!("{hours}:{:02}:00", minutes % 60).into(),
            Span::Any(text) => text.as_str().into(),
        }
    }
}

impl StatusMessage {
    fn json(&self) -> Value {
        let (mut message, mut status) = (Map::new(), Map::new());
        self.content.put(&mut message, "content", |text| text.as_str().into());
        self.content_type.put(&mut message, "contentType", ContentType::json);
        status.insert("message".to_owned(), Value::Object(message));
        self.expiry.put(&mut status, "expiryDateTime", Expiry::json);
        Value::Object(status)
    }
}

impl ContentType {
    fn json(&self) -> Value {
        match self {
            ContentType::Text => "text".into(),
            ContentType::Html => "html".into(),
        }
    }
}

impl Expiry {
    fn json(&self) -> Value {
        let mut expiry = Map::new();
        self.date_time.put(&mut expiry, "dateTime", DateTime::json);
        self.zone.put(&mut expiry, "timeZone", Zone::json);
        Value::Object(expiry)
    }
}

impl DateTime {
    fn json(&self) -> Value {
        match self {
            DateTime::Day { year, month, day } => {
                let (year, month, day) = (2020 + u16::from(*year), month % 14, day % 33);
                format!("{year:04}-{month:02}-{day:02}T12:30:00.1234567").into()
            }
            DateTime::Any(text) => text.as_str().into(),
        }
    }
}

impl Zone {
    fn json(&self) -> Value {
        match self {
            Zone::Utc => "UTC".into(),
            Zone::Windows => "Pacific Standard Time".into(),
            Zone::Iana => "Europe/Berlin".into(),
            Zone::Any(text) => text.as_str().into(),
        }
    }
}

impl Location {
    fn put(&self, body: &mut Map<String, Value>) {
        let kind = |word: &Word| word.json(&LocationType::ALL.map(LocationType::name));
        self.kind.put(body, "workLocationType", kind);
        self.place.put(body, "placeId", |text| text.as_str().into());
    }

    fn json(&self) -> Value {
        let mut location = Map::new();
        self.put(&mut location);
        Value::Object(location)
    }
}

impl OutOfOffice {
    fn json(&self) -> Value {
        let mut settings = Map::new();
        self.is_out.put(&mut settings, "isOutOfOffice", |is_out| (*is_out).into());
        self.message.put(&mut settings, "message", |text| text.as_str().into());
        Value::Object(settings)
    }
}

impl Patch {
    fn put(&self, body: &mut Map<String, Value>) {
        self.state.put(body);
        self.status_message.put(body, "statusMessage", StatusMessage::json);
        self.out_of_office.put(body, "outOfOfficeSettings", OutOfOffice::json);
        self.location.put(body, "workLocation", Location::json);
        self.id.put(body, "id", |text| text.as_str().into());
    }
}
