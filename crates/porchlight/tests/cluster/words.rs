//! What a write says, so that whoever reads it knows which one it is.
//!
//! Writes are numbered from zero. A status message says its number; a preference holds for so many seconds more than
//! a day, which its explanation tells; a session's id has it at its end. Nothing that is written fades or ends within
//! a run.

use std::collections::BTreeSet;

use porchlight_testkit::Answer;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::people::presence_of;

/// What kinds of writes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The newest is shown.
    Status,
    /// The newest is shown.
    Preferred,
    /// Each is another session: all of them are there.
    Session,
}

/// The id of the session that write number 0 would set.
const SESSIONS: u128 = 0x5e55_1000_0000_4000_8000_0000_0000_0000;

/// How long write number 0 would prefer something for, in seconds.
const PREFERRED_FOR: usize = 24 * 60 * 60;

const SESSION_PAIRS: [(&str, &str); 4] =
    [("Busy", "InACall"), ("Busy", "InAConferenceCall"), ("Away", "Away"), ("DoNotDisturb", "Presenting")];

const PREFERRED_PAIRS: [(&str, &str); 6] = [
    ("Available", "Available"),
    ("Busy", "Busy"),
    ("DoNotDisturb", "DoNotDisturb"),
    ("BeRightBack", "BeRightBack"),
    ("Away", "Away"),
    ("Offline", "OffWork"),
];

/// Path and body of a write.
pub(crate) fn request(person: usize, kind: Kind, number: usize) -> (String, Value) {
    let (action, body) = match kind {
        Kind::Status => {
            let message = json!({"content": format!("w{number}"), "contentType": "text"});
            ("setStatusMessage", json!({"statusMessage": {"message": message}}))
        }
        Kind::Preferred => {
            let (availability, activity) = PREFERRED_PAIRS[number % PREFERRED_PAIRS.len()];
            let duration = format!("PT{}S", PREFERRED_FOR + number);
            let body = json!({
                "availability": availability, "activity": activity, "expirationDuration": duration,
            });
            ("setUserPreferredPresence", body)
        }
        Kind::Session => {
            let (availability, activity) = SESSION_PAIRS[number % SESSION_PAIRS.len()];
            let id = Uuid::from_u128(SESSIONS + number as u128);
            let body = json!({
                "sessionId": id, "availability": availability, "activity": activity,
                "expirationDuration": "PT4H",
            });
            ("setPresence", body)
        }
    };
    (format!("{}/{action}", presence_of(person)), body)
}

/// The number of the write whose status message a presence shows.
pub(crate) fn status(presence: &Value) -> Option<usize> {
    let content = presence["statusMessage"]["message"]["content"].as_str()?;
    let number = content.strip_prefix('w').and_then(|number| number.parse().ok());
    Some(number.unwrap_or_else(|| panic!("not a write of ours: {presence}")))
}

/// The number of the write whose preference an explanation shows.
pub(crate) fn preferred(explanation: &Value) -> Option<usize> {
    let layer = layers(explanation).find(|layer| layer["kind"] == "preferred")?;
    let millis = |member: &str| instant(&layer[member]).unwrap_or_else(|| panic!("no instant: {layer}"));
    let duration = (millis("endDateTime") - millis("setDateTime")) / 1_000;
    let number = usize::try_from(duration).ok().and_then(|duration| duration.checked_sub(PREFERRED_FOR));
    Some(number.unwrap_or_else(|| panic!("not a write of ours: {layer}")))
}

/// The numbers of the writes whose sessions an explanation shows.
pub(crate) fn sessions(explanation: &Value) -> BTreeSet<usize> {
    let layers = layers(explanation).filter(|layer| layer["kind"] == "session");
    let number = |layer: &Value| {
        let id = layer["sessionId"].as_str().and_then(|id| Uuid::parse_str(id).ok());
        let number = id.and_then(|id| id.as_u128().checked_sub(SESSIONS));
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.unwrap_or_else(|| panic!("not a write of ours: {layer}"))
    };
    layers.map(number).collect()
}

/// Since when the pair is as an explanation shows it, in Unix milliseconds; `None`: it was never another one.
pub(crate) fn state_since(explanation: &Value) -> Option<i64> {
    instant(&explanation["stateSinceDateTime"])
}

/// When a presence last changed, in Unix milliseconds; `None`: it never did.
pub(crate) fn changed_at(presence: &Value) -> Option<i64> {
    let number = presence["sequenceNumber"].as_str().and_then(|number| number.strip_prefix('A'));
    let number = number.and_then(|number| number.parse().ok());
    Some(number.unwrap_or_else(|| panic!("no sequence number: {presence}"))).filter(|number| *number > 0)
}

/// The revision that a write was answered with.
pub(crate) fn revision(answer: &Answer) -> Option<u64> {
    answer.header("porchlight-revision").parse().ok()
}

fn layers(explanation: &Value) -> impl Iterator<Item = &Value> {
    explanation["layers"].as_array().into_iter().flatten()
}

fn instant(value: &Value) -> Option<i64> {
    let instant: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(instant.as_millisecond())
}
