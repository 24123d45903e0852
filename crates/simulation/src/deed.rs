//! What a client may ask for: the command that the server is to make of it, and the request that says so.

use std::time::Duration;

use http::Method;
use porchlight_presence::{
    ApplicationId, Change, Command, NewStatusMessage, OutOfOffice, Pair, Patch, PreferredPair, SessionId,
    SessionKey, SessionPair, SetPreferred, SetPresence, StandingPair, UserId,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::dice::Dice;
use crate::talk::Question;
use crate::town::{APPLICATIONS, Town};

/// A write, as a client asks for it and as the server is to understand it.
pub(crate) struct Deed {
    pub(crate) command: Command,
    pub(crate) question: Question,
}

/// Where everybody finds their own presence.
const ME: &str = "/v1.0/me/presence";

impl Deed {
    /// Something that a user may do.
    pub(crate) fn draw(dice: &mut Dice, user: UserId) -> Deed {
        let application = *dice.pick(&APPLICATIONS);
        let parts = match dice.below(20) {
            0..9 => set_presence(dice, application),
            9..11 => clear_presence(dice, application),
            11..13 => set_preferred(dice),
            13 => action(Command::ClearPreferred, "/clearUserPreferredPresence", json!({})),
            14..16 => set_status(dice),
            16..19 => patch(dice),
            _ => (Command::Clear(application), Method::DELETE, "", Value::Null),
        };
        Deed::of(user, application, parts)
    }

    /// What is always taken of somebody whose sessions have all ended. It changes the pair of every other one of the
    /// people: there are those who are told of nothing else.
    pub(crate) fn last(user: UserId, place: usize) -> Deed {
        let application = APPLICATIONS[0];
        let parts = if place.is_multiple_of(2) {
            let session = SessionKey { application, session: SessionId(application.0) };
            let pair = SessionPair::ALL[place / 2 % SessionPair::ALL.len()];
            in_session(session, pair, Some(Duration::from_secs(60)))
        } else {
            say("at rest".to_owned())
        };
        Deed::of(user, application, parts)
    }

    fn of(user: UserId, application: ApplicationId, (command, method, action, body): Parts) -> Deed {
        let token = Town::token(user, application);
        let path = format!("{ME}{action}");
        let question = match body {
            Value::Null => Question { method, ..Question::get(path, &token) },
            body => Question::send(method, path, &token, body),
        };
        Deed { command, question }
    }
}

/// A command, the method, what comes behind the path, and the body.
type Parts = (Command, Method, &'static str, Value);

fn action(command: Command, name: &'static str, body: Value) -> Parts {
    (command, Method::POST, name, body)
}

fn session(dice: &mut Dice, application: ApplicationId) -> SessionKey {
    let other = Uuid::from_u128(0xff);
    SessionKey { application, session: SessionId(*dice.pick(&[application.0, other])) }
}

/// A few seconds or some minutes, in whole seconds.
fn life(dice: &mut Dice) -> Duration {
    let seconds = if dice.one_in(5) { 60 + dice.below(241) } else { 1 + dice.below(30) };
    Duration::from_secs(seconds)
}

fn said(pair: Pair, duration: Option<Duration>) -> Value {
    let mut body = json!({"availability": pair.availability.name(), "activity": pair.activity.name()});
    if let Some(duration) = duration {
        body["expirationDuration"] = format!("PT{}S", duration.as_secs()).into();
    }
    body
}

fn set_presence(dice: &mut Dice, application: ApplicationId) -> Parts {
    let (session, pair) = (session(dice, application), *dice.pick(SessionPair::ALL));
    let duration = (!dice.one_in(6)).then(|| life(dice));
    in_session(session, pair, duration)
}

fn in_session(session: SessionKey, pair: Pair, duration: Option<Duration>) -> Parts {
    let mut body = said(pair, duration);
    body["sessionId"] = session.session.0.to_string().into();
    let pair = SessionPair::new(pair).expect("one of all");
    action(Command::SetPresence(SetPresence { session, pair, duration }), "/setPresence", body)
}

fn clear_presence(dice: &mut Dice, application: ApplicationId) -> Parts {
    let session = session(dice, application);
    let body = json!({"sessionId": session.session.0.to_string()});
    action(Command::ClearPresence(session), "/clearPresence", body)
}

fn set_preferred(dice: &mut Dice) -> Parts {
    let (pair, duration) = (*dice.pick(PreferredPair::ALL), Some(life(dice)));
    let body = said(pair, duration);
    let pair = PreferredPair::new(pair).expect("one of all");
    action(Command::SetPreferred(SetPreferred { pair, duration }), "/setUserPreferredPresence", body)
}

fn set_status(dice: &mut Dice) -> Parts {
    say(format!("note {}", dice.below(5)))
}

fn say(content: String) -> Parts {
    let body = json!({"statusMessage": {"message": {"content": content, "contentType": "text"}}});
    let message = NewStatusMessage { content, expiry: None };
    action(Command::SetStatusMessage(Some(message)), "/setStatusMessage", body)
}

fn patch(dice: &mut Dice) -> Parts {
    if dice.one_in(3) {
        let is_out = dice.one_in(2);
        let out_of_office = if is_out { Change::Set(OutOfOffice { message: None }) } else { Change::Clear };
        let patch = Patch { out_of_office, ..Patch::default() };
        let body = json!({"outOfOfficeSettings": {"isOutOfOffice": is_out}});
        return (Command::Patch(patch), Method::PATCH, "", body);
    }
    let (pair, duration) = (*dice.pick(StandingPair::ALL), Some(life(dice)));
    let body = said(pair, duration);
    let pair = StandingPair::new(pair).expect("one of all");
    let patch = Patch { preferred: Change::Set((pair, duration)), ..Patch::default() };
    (Command::Patch(patch), Method::PATCH, "", body)
}
