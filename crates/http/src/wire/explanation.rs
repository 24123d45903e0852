//! The answer of `porchlight.explain`.

use porchlight_presence::{Decider, Explanation, Layer, LayerKind, LocationSource, Reason, Timestamp};
use serde_json::{Map, Value, json};

use crate::wire::date_time;
use crate::wire::presence::instant;

/// What decided a presence, as it stands in `porchlight-effective` and in an explanation.
pub(crate) fn decider(decider: Decider) -> &'static str {
    match decider {
        Decider::Hidden => "hidden",
        Decider::Preferred => "preferred",
        Decider::Sessions => "sessions",
        Decider::OutOfOffice => "outOfOffice",
        Decider::Nothing => "nothing",
    }
}

/// The explanation as a JSON object.
pub(crate) fn explanation(context: Option<&str>, explanation: &Explanation) -> Value {
    let mut object = Map::new();
    if let Some(context) = context {
        object.insert("@odata.context".to_owned(), context.into());
    }
    let reason = match explanation.decider {
        Decider::Hidden => "The person's account is disabled: nothing is shown.",
        Decider::Preferred => "A preferred presence outranks every session.",
        Decider::Sessions => "The strongest live session decides.",
        Decider::OutOfOffice => "Out of office changes what would be shown without it.",
        Decider::Nothing => "No application has a session.",
    };
    let members = json!({
        "availability": explanation.pair.availability.name(),
        "activity": explanation.pair.activity.name(),
        "decidedBy": decider(explanation.decider),
        "reason": reason,
        "changedDateTime": stamp(explanation.stamps.changed_at),
        "stateSinceDateTime": stamp(explanation.stamps.state_since),
        "nextChangeDateTime": date_time(explanation.next_change),
        "layers": explanation.layers.iter().map(layer).collect::<Vec<_>>(),
    });
    if let Value::Object(members) = members {
        object.extend(members);
    }
    Value::Object(object)
}

fn layer(layer: &Layer) -> Value {
    let (kind, session) = match layer.kind {
        LayerKind::Hidden => ("hidden", None),
        LayerKind::Preferred => ("preferred", None),
        LayerKind::Session(key) => ("session", Some(key)),
        LayerKind::OutOfOffice => ("outOfOffice", None),
        LayerKind::StatusMessage => ("statusMessage", None),
        LayerKind::WorkLocation(LocationSource::Manual) => ("manualLocation", None),
        LayerKind::WorkLocation(LocationSource::Automatic) => ("automaticLocation", None),
    };
    json!({
        "kind": kind,
        "applicationId": session.map(|key| key.application.to_string()),
        "sessionId": session.map(|key| key.session.to_string()),
        "availability": layer.pair.map(|pair| pair.availability.name()),
        "activity": layer.pair.map(|pair| pair.activity.name()),
        "wins": layer.wins,
        "reason": reason(layer),
        "setDateTime": date_time(layer.set_at),
        "nextChangeDateTime": date_time(layer.next_change),
        "endDateTime": date_time(layer.ends_at),
        "renewedLate": session.map(|_| layer.renewed_late),
    })
}

fn reason(layer: &Layer) -> String {
    let reason = match layer.reason {
        Reason::Hidden => "A disabled person shows nothing.",
        Reason::Outranks => "A preferred presence outranks every session.",
        Reason::Stands => "Written by PATCH, it stands without a session.",
        Reason::WaitsForSession => "A preferred presence acts only while a session lives.",
        Reason::OutrankedByPreferred => "The preferred presence outranks it.",
        Reason::Strongest => "The strongest live session.",
        Reason::OutrankedBySession => "Another session is stronger.",
        Reason::ChangesPair => "It changes the activity.",
        Reason::ShowsBeside => "It shows beside availability and activity.",
        Reason::OutrankedByManual => "The manual location outranks it.",
    };
    if layer.renewed_late {
        format!("{reason} It was renewed within 15 s after it ended.")
    } else {
        reason.to_owned()
    }
}

/// Nobody has changed anything at the beginning of time.
fn stamp(at: Timestamp) -> Option<String> {
    date_time(Some(at).filter(|at| *at > Timestamp::ZERO))
}

fn date_time(at: Option<Timestamp>) -> Option<String> {
    let mut text = Vec::new();
    date_time::write_utc(instant(at?), &mut text);
    String::from_utf8(text).ok()
}
