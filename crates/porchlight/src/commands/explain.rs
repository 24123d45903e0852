//! `porchlight explain`: why a presence is what it is, and what happens next.

use anstyle::Style;
use http::Method;
use jiff::Zoned;
use serde_json::Value;

use super::{look, people, say_json, when};
use crate::cli::ExplainFlags;
use crate::client::Client;
use crate::exit::Failure;
use crate::say;
use crate::table::{Cell, Table, harmless};

/// Asks why, and shows every layer.
pub(crate) fn run(flags: &ExplainFlags) -> Result<(), Failure> {
    let client = Client::of(&flags.server)?;
    let path = client.wait(people::path_of(client.remote(), flags.who.as_deref()))?;
    let explanation = client.call(Method::GET, &format!("{path}/porchlight.explain"), None)?.json()?;
    if flags.server.json {
        say_json(&explanation);
    } else {
        say(&text(&explanation, &when::here(client.now())));
    }
    Ok(())
}

fn text(explanation: &Value, now: &Zoned) -> String {
    let pair = harmless(&look::pair(explanation));
    let since = when::of_json(&explanation["stateSinceDateTime"]);
    let since = since.map_or_else(String::new, |since| format!(" since {}", when::at(since, now)));
    let mut lines = vec![format!("{pair}{since}"), sentence(&explanation["reason"])];
    let layers = explanation["layers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !layers.is_empty() {
        lines.extend([String::new(), table(layers, now), String::new()]);
    }
    lines.push(match when::of_json(&explanation["nextChangeDateTime"]) {
        Some(next) => format!("It changes by itself at {}.", when::at(next, now)),
        None => "Nothing changes by itself.".to_owned(),
    });
    lines.join("\n")
}

fn sentence(text: &Value) -> String {
    harmless(text.as_str().unwrap_or_default())
}

fn table(layers: &[Value], now: &Zoned) -> String {
    let mut table = Table::new(["", "layer", "says", "set", "next", "why"]);
    for layer in layers {
        let wins = layer["wins"] == true;
        let style = if wins { Style::new().bold() } else { Style::new() };
        let time =
            |member: &str| when::of_json(&layer[member]).map_or_else(String::new, |time| when::at(time, now));
        table.row([
            Cell::styled(if wins { "▶" } else { "" }, style),
            Cell::styled(&name(layer), style),
            look_of(layer),
            time("setDateTime").into(),
            next(layer, &time("nextChangeDateTime"), &time("endDateTime")).into(),
            layer["reason"].as_str().unwrap_or_default().into(),
        ]);
    }
    table.text()
}

/// What a layer is called: a session by its application, and by its id if that is another.
fn name(layer: &Value) -> String {
    let kind = look::words(layer["kind"].as_str().unwrap_or_default()).to_lowercase();
    let id = |member: &str| layer[member].as_str();
    match (id("applicationId"), id("sessionId")) {
        (Some(application), Some(session)) if application != session => {
            format!("{kind} {session} of {application}")
        }
        (Some(application), _) => format!("{kind} of {application}"),
        (None, _) => kind,
    }
}

fn look_of(layer: &Value) -> Cell {
    if layer["availability"].is_null() { Cell::default() } else { look::availability_and_activity(layer) }
}

/// What becomes of a layer.
fn next(layer: &Value, next: &str, end: &str) -> String {
    match (next, end) {
        ("", "") => String::new(),
        (_, end) if layer["nextChangeDateTime"] == layer["endDateTime"] => format!("ends {end}"),
        ("", end) => format!("ends {end}"),
        (next, "") => format!("fades {next}"),
        (next, end) => format!("fades {next}, ends {end}"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;

    fn now() -> Zoned {
        "2026-11-27T18:24:18Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC)
    }

    #[test]
    fn every_layer_is_shown_with_what_becomes_of_it() {
        const APP: &str = "aaaaaaaa-0000-4000-8000-00000000000a";
        let explanation = json!({
            "availability": "Busy", "activity": "InACall", "reason": "A preferred presence outranks every session.",
            "stateSinceDateTime": "2026-11-27T18:19:18.0000000Z", "nextChangeDateTime": "2026-11-27T19:24:18.0000000Z",
            "layers": [
                {"kind": "preferred", "applicationId": null, "sessionId": null, "availability": "Busy",
                 "activity": "InACall", "wins": true, "reason": "Written by PATCH, it stands without a session.",
                 "setDateTime": "2026-11-27T18:19:18.0000000Z",
                 "nextChangeDateTime": "2026-11-27T19:24:18.0000000Z", "endDateTime": "2026-11-27T19:24:18.0000000Z"},
                {"kind": "session", "applicationId": APP, "sessionId": APP, "availability": "Available",
                 "activity": "Available", "wins": false, "reason": "The preferred presence outranks it.",
                 "setDateTime": "2026-11-27T18:24:00.0000000Z",
                 "nextChangeDateTime": "2026-11-27T18:29:00.0000000Z", "endDateTime": "2026-11-27T19:24:00.0000000Z"},
                {"kind": "statusMessage", "applicationId": null, "sessionId": null, "availability": null,
                 "activity": null, "wins": true, "reason": "It shows beside availability and activity.",
                 "setDateTime": "2026-11-27T18:24:00.0000000Z", "nextChangeDateTime": null, "endDateTime": null},
            ],
        });
        insta::assert_snapshot!(text(&explanation, &now()), @r"
        Busy, in a call since 18:19 (5 min ago)
        A preferred presence outranks every session.

           layer                                            says               set                next                                         why
        ▶  preferred                                        ■ Busy, in a call  18:19 (5 min ago)  ends 19:24 (in 1 h)                          Written by PATCH, it stands without a session.
           session of aaaaaaaa-0000-4000-8000-00000000000a  ● Available        18:24 (18 s ago)   fades 18:29 (in 5 min), ends 19:24 (in 1 h)  The preferred presence outranks it.
        ▶  status message                                                      18:24 (18 s ago)                                                It shows beside availability and activity.

        It changes by itself at 19:24 (in 1 h).
        ");
    }

    #[test]
    fn who_has_no_layer_is_explained_in_two_lines() {
        let explanation = json!({"availability": "Offline", "activity": "Offline",
                                 "reason": "No application has a session.",
                                 "stateSinceDateTime": null, "nextChangeDateTime": null, "layers": []});
        assert_eq!(
            text(&explanation, &now()),
            "Offline\nNo application has a session.\nNothing changes by itself."
        );
    }

    #[test]
    fn sessions_beside_an_applications_own_are_told_apart() {
        let layer = json!({"kind": "session", "applicationId": "a", "sessionId": "b"});
        assert_eq!(name(&layer), "session b of a");
    }
}
