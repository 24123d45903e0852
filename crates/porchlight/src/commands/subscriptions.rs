//! `porchlight subscriptions` and `porchlight deliveries`: who is told by webhooks, and what became of it.

use anstyle::AnsiColor;
use http::Method;
use jiff::Zoned;
use serde_json::Value;

use super::{say_json, when};
use crate::cli::{DeliveriesFlags, EndFlags, SubscriptionsCommand, SubscriptionsFlags};
use crate::client::{Client, segment};
use crate::exit::Failure;
use crate::table::{Cell, Table};
use crate::{complain, say};

/// How many subscriptions are shown.
const SHOWN_MAX: usize = 10_000;

/// Shows the subscriptions, or ends one.
pub(crate) fn run(flags: &SubscriptionsFlags) -> Result<(), Failure> {
    if let Some(SubscriptionsCommand::End(flags)) = &flags.command {
        return end(flags);
    }
    let client = Client::of(&flags.server)?;
    let found = client.pages("/subscriptions", SHOWN_MAX)?;
    if flags.server.json {
        say_json(&Value::Array(found.items));
    } else if found.items.is_empty() {
        say("there are no subscriptions that you may see");
    } else {
        say(&table(&found.items, &when::here(client.now())));
    }
    if found.is_cut {
        complain(&format!("there are more than {SHOWN_MAX}"));
    }
    Ok(())
}

fn end(flags: &EndFlags) -> Result<(), Failure> {
    let client = Client::of(&flags.server)?;
    client.call(Method::DELETE, &format!("/subscriptions/{}", segment(&flags.id)), None)?;
    if flags.server.json {
        say_json(&Value::Null);
    } else {
        say(&format!("the subscription {} has ended", flags.id));
    }
    Ok(())
}

/// Shows the newest attempts to tell of one subscription.
pub(crate) fn deliveries(flags: &DeliveriesFlags) -> Result<(), Failure> {
    let client = Client::of(&flags.server)?;
    let path = format!("/subscriptions/{}/porchlight.deliveries", segment(&flags.id));
    let deliveries = client.call(Method::GET, &path, None)?.json()?;
    let deliveries = deliveries["value"].as_array().cloned().unwrap_or_default();
    if flags.server.json {
        say_json(&Value::Array(deliveries));
    } else if deliveries.is_empty() {
        say("nothing was told yet: the server remembers what it has tried since it started");
    } else {
        say(&attempts(&deliveries, &when::here(client.now())));
    }
    Ok(())
}

fn table(subscriptions: &[Value], now: &Zoned) -> String {
    let mut table = Table::new(["id", "resource", "tells", "kind", "ends", "application"]);
    for subscription in subscriptions {
        let text = |member: &str| subscription[member].as_str().unwrap_or_default();
        // A secret of the endpoint's may stand in its query.
        let url = text("notificationUrl").split(['?', '#']).next().unwrap_or_default();
        let kind = if subscription["includeResourceData"] == true { "rich" } else { "plain" };
        let ends = when::of_json(&subscription["expirationDateTime"]);
        table.row([
            text("id").into(),
            text("resource").into(),
            url.into(),
            kind.into(),
            ends.map(|ends| when::at(ends, now)).unwrap_or_default().into(),
            text("applicationId").into(),
        ]);
    }
    table.text()
}

fn attempts(deliveries: &[Value], now: &Zoned) -> String {
    let mut table = Table::new(["time", "attempt", "outcome", "took", "items"]);
    for delivery in deliveries {
        let number = |member: &str| delivery[member].as_u64().map(|number| number.to_string());
        let time = when::of_json(&delivery["time"]);
        table.row([
            time.map(|time| when::at(time, now)).unwrap_or_default().into(),
            number("attempt").unwrap_or_default().into(),
            outcome(delivery),
            number("latencyMs").map(|took| format!("{took} ms")).unwrap_or_default().into(),
            number("items").unwrap_or_default().into(),
        ]);
    }
    table.text()
}

/// What came of an attempt: the status of the answer, or why there was none.
fn outcome(delivery: &Value) -> Cell {
    let status = delivery["status"].as_u64();
    match delivery["error"].as_str() {
        None => {
            let status = status.map_or_else(String::new, |status| format!(" ({status})"));
            Cell::styled(&format!("told{status}"), AnsiColor::Green.on_default())
        }
        Some("status") => {
            let status = status.map_or_else(|| "another status".to_owned(), |status| status.to_string());
            Cell::styled(&format!("answered {status}"), AnsiColor::Red.on_default())
        }
        Some(error) => Cell::styled(class(error), AnsiColor::Red.on_default()),
    }
}

/// Why there was no answer, for those who have not read what the names stand for.
fn class(error: &str) -> &str {
    match error {
        "timeout" => "no answer in time",
        "name" => "no such host",
        "address" => "not where it may call",
        "connection" => "no connection",
        "tls" => "no trust in its certificate",
        "fault" => "a fault was injected",
        error => error,
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
    fn attempts_say_what_came_of_them() {
        let deliveries = [
            json!({"time": "2026-11-27T18:24:06.0000000Z", "attempt": 1, "status": 503, "error": "status",
                   "latencyMs": 7, "items": 3}),
            json!({"time": "2026-11-27T18:24:08.0000000Z", "attempt": 2, "status": null, "error": "timeout",
                   "latencyMs": 3000, "items": 3}),
            json!({"time": "2026-11-27T18:24:12.0000000Z", "attempt": 3, "status": 202, "error": null,
                   "latencyMs": 12, "items": 4}),
        ];
        insta::assert_snapshot!(attempts(&deliveries, &now()), @r"
        time              attempt  outcome            took     items
        18:24 (12 s ago)  1        answered 503       7 ms     3
        18:24 (10 s ago)  2        no answer in time  3000 ms  3
        18:24 (6 s ago)   3        told (202)         12 ms    4
        ");
    }

    #[test]
    fn a_subscription_is_shown_without_what_may_be_secret() {
        let subscription = json!({"id": "s1", "resource": "communications/presences", "applicationId": "a1",
            "notificationUrl": "https://hooks.example/x?code=secret", "includeResourceData": false,
            "expirationDateTime": "2026-11-27T19:24:18.0000000Z"});
        insta::assert_snapshot!(table(&[subscription], &now()), @r"
        id  resource                  tells                    kind   ends            application
        s1  communications/presences  https://hooks.example/x  plain  19:24 (in 1 h)  a1
        ");
    }
}
