//! `porchlight get`: what people's presence is now.

use http::Method;
use jiff::Zoned;
use serde_json::Value;

use super::people::{self, Person};
use super::{look, say_json, when};
use crate::cli::GetFlags;
use crate::client::Client;
use crate::exit::Failure;
use crate::say;
use crate::table::Table;

/// Asks for one's own presence, or for that of whoever is named.
pub(crate) fn run(flags: &GetFlags) -> Result<(), Failure> {
    let client = Client::of(&flags.server)?;
    if flags.who.is_empty() {
        return own(&client, flags.server.json);
    }
    let people = client.wait(people::find(client.remote(), &flags.who))?;
    let presences = client.wait(people::presences(client.remote(), &people))?;
    if flags.server.json {
        say_json(&Value::Array(presences));
    } else {
        say(&table(&presences, people, &when::here(client.now())));
    }
    Ok(())
}

fn own(client: &Client, json: bool) -> Result<(), Failure> {
    let presence = client.call(Method::GET, "/me/presence", None)?.json()?;
    if json {
        say_json(&presence);
        return Ok(());
    }
    // Who may read a presence need not be able to read a name.
    let me = client.call(Method::GET, &format!("/me?$select={}", people::MEMBERS), None);
    let me = me.and_then(|me| me.json()).ok().and_then(|me| Person::of(&me));
    say(&table(&[presence], me.into_iter().collect(), &when::here(client.now())));
    Ok(())
}

fn table(presences: &[Value], people: Vec<Person>, now: &Zoned) -> String {
    let names = people::names(people);
    let mut table = Table::new(["name", "availability", "activity", "since", "says", "works"]);
    for presence in presences {
        let since = presence["sequenceNumber"].as_str().and_then(when::of_sequence);
        table.row([
            people::name_of(&names, presence).into(),
            look::availability(presence),
            look::words(presence["activity"].as_str().unwrap_or_default()).into(),
            since.map(|since| when::at(since, now)).unwrap_or_default().into(),
            look::message(presence).into(),
            look::place(presence).into(),
        ]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_for_everybody() {
        let now = "2026-11-27T18:29:18Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC);
        let presences = [
            json!({"id": "A1", "availability": "Busy", "activity": "InACall", "sequenceNumber": "A01795803858141",
                   "outOfOfficeSettings": {"isOutOfOffice": false, "message": null},
                   "statusMessage": {"message": {"content": "Reviewing\nthe release"}},
                   "workLocation": {"workLocationType": "office", "placeId": null}}),
            json!({"id": "2", "availability": "PresenceUnknown", "activity": "PresenceUnknown",
                   "sequenceNumber": null, "outOfOfficeSettings": null, "statusMessage": null,
                   "workLocation": null}),
        ];
        let people = vec![Person { id: "a1".to_owned(), name: "Ada".to_owned() }];
        insta::assert_snapshot!(table(&presences, people, &now), @r"
        name  availability        activity          since              says                   works
        Ada   ■ Busy              In a call         18:24 (5 min ago)  Reviewing the release  office
        2     ? Presence unknown  Presence unknown
        ");
    }
}
