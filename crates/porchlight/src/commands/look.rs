//! How a presence looks to people: a mark of its own shape and colour, and words.
//!
//! It goes by the names on the wire, so that what a newer server says is shown as well.

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::table::Cell;

/// What a presence looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Another one for each kind, so that colour is not the only sign.
    pub(crate) mark: char,
    pub(crate) style: Style,
    /// Where it stands in a list: who can be reached comes first.
    pub(crate) rank: usize,
}

/// How many ranks there are.
pub(crate) const RANKS: usize = 9;

/// The look of an availability with an activity.
pub(crate) fn look(availability: &str, activity: &str) -> Look {
    let (rank, mark, colour) = match availability {
        "Available" if activity == "AvailableInactive" => (1, '◐', Some(AnsiColor::Green)),
        "Available" => (0, '●', Some(AnsiColor::Green)),
        "AvailableIdle" => (1, '◐', Some(AnsiColor::Green)),
        "Busy" => (2, '■', Some(AnsiColor::Red)),
        "BusyIdle" => (3, '◧', Some(AnsiColor::Red)),
        "DoNotDisturb" => (4, '⊖', Some(AnsiColor::Red)),
        "BeRightBack" => (5, '◔', Some(AnsiColor::Yellow)),
        "Away" => (6, '◕', Some(AnsiColor::Yellow)),
        "Offline" => (7, '○', None),
        _ => (8, '?', None),
    };
    // Whoever is out of office has the rank of how they can be reached all the same.
    let (mark, colour) =
        if activity == "OutOfOffice" { ('➔', Some(AnsiColor::Magenta)) } else { (mark, colour) };
    Look { mark, style: colour.map_or(Style::new().dimmed(), AnsiColor::on_default), rank }
}

/// A name of the API's as words: `InACall` is `In a call`.
pub(crate) fn words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
            words.push(c.to_ascii_lowercase());
        } else {
            words.push(c);
        }
    }
    words
}

/// The availability of a presence on the wire, with its mark.
pub(crate) fn availability(presence: &Value) -> Cell {
    let availability = presence["availability"].as_str().unwrap_or("PresenceUnknown");
    let look = look(availability, presence["activity"].as_str().unwrap_or_default());
    Cell::styled(&format!("{} {}", look.mark, words(availability)), look.style)
}

/// The availability and the activity of a presence on the wire, with the mark.
pub(crate) fn availability_and_activity(presence: &Value) -> Cell {
    let name = |member: &str| presence[member].as_str().unwrap_or_default();
    let look = look(name("availability"), name("activity"));
    Cell::styled(&format!("{} {}", look.mark, pair(presence)), look.style)
}

/// The pair of a presence in a few words: `Busy, in a call`; the activity stands alone where it says the same.
pub(crate) fn pair(presence: &Value) -> String {
    let name = |member: &str| presence[member].as_str().unwrap_or_default();
    let (availability, activity) = (words(name("availability")), words(name("activity")));
    if activity.is_empty() || availability == activity {
        return availability;
    }
    let mut letters = activity.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    format!("{availability}, {}", first.into_iter().chain(letters).collect::<String>())
}

/// What a presence on the wire has to say: the status message, and that somebody is out of office.
pub(crate) fn message(presence: &Value) -> String {
    let status = presence["statusMessage"]["message"]["content"].as_str().unwrap_or_default();
    let away = &presence["outOfOfficeSettings"];
    let away = match away["message"].as_str().filter(|text| !text.is_empty()) {
        _ if away["isOutOfOffice"] != true => String::new(),
        Some(message) => format!("out of office: {message}"),
        None => "out of office".to_owned(),
    };
    [status, &away].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Where somebody works.
pub(crate) fn place(presence: &Value) -> String {
    let location = &presence["workLocation"];
    let kind = location["workLocationType"].as_str().map(words).unwrap_or_default().to_lowercase();
    match location["placeId"].as_str() {
        Some(place) => format!("{kind} {place}").trim_start().to_owned(),
        None => kind,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use porchlight_presence::{Activity, Availability, StandingPair};
    use serde_json::json;

    use super::*;

    #[test]
    fn every_availability_has_a_mark_of_its_own() {
        let marks = Availability::ALL.map(|availability| look(availability.name(), "").mark);
        let mut different = HashSet::from(marks);
        assert_eq!(different.len(), Availability::ALL.len());
        assert!(different.insert(look("Available", "OutOfOffice").mark));
        assert_eq!(look("Available", "AvailableInactive").mark, look("AvailableIdle", "Inactive").mark);
        let ranks = Availability::ALL.map(|availability| look(availability.name(), "").rank);
        assert_eq!(HashSet::from(ranks), (0..RANKS).collect());
        let away = StandingPair::ALL.iter().filter(|pair| pair.activity == Activity::OutOfOffice);
        assert!(away.clone().count() > 0);
        for pair in away {
            assert_eq!(look(pair.availability.name(), pair.activity.name()).mark, '➔');
        }
    }

    #[test]
    fn names_become_words() {
        for (name, expected) in [
            ("InACall", "In a call"),
            ("UrgentInterruptionsOnly", "Urgent interruptions only"),
            ("OffWork", "Off work"),
            ("Away", "Away"),
            ("", ""),
        ] {
            assert_eq!(words(name), expected);
        }
        assert_eq!(pair(&json!({"availability": "Busy", "activity": "InACall"})), "Busy, in a call");
        assert_eq!(pair(&json!({"availability": "Busy", "activity": "Busy"})), "Busy");
        assert_eq!(pair(&json!({"availability": "Busy"})), "Busy");
    }

    #[test]
    fn a_presence_says_what_was_written_and_whether_somebody_is_out() {
        let presence = json!({
            "statusMessage": {"message": {"content": "Reviewing"}},
            "outOfOfficeSettings": {"isOutOfOffice": true, "message": "Back on Monday"},
            "workLocation": {"placeId": "B3", "workLocationType": "office"},
        });
        assert_eq!(message(&presence), "Reviewing; out of office: Back on Monday");
        assert_eq!(place(&presence), "office B3");
        let presence = json!({
            "statusMessage": null,
            "outOfOfficeSettings": {"isOutOfOffice": false, "message": "not now"},
            "workLocation": {"placeId": null, "workLocationType": "timeOff"},
        });
        assert_eq!((message(&presence).as_str(), place(&presence).as_str()), ("", "time off"));
        assert_eq!(message(&json!({"outOfOfficeSettings": {"isOutOfOffice": true}})), "out of office");
    }
}
