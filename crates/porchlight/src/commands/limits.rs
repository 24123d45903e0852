//! `porchlight limits`: the limits of a server as they are in force.

use http::Method;
use serde_json::Value;

use super::say_json;
use crate::cli::LimitsFlags;
use crate::client::Client;
use crate::exit::Failure;
use crate::say;
use crate::table::{Table, harmless};

/// Shows every limit, and what happens when it is hit.
pub(crate) fn run(flags: &LimitsFlags) -> Result<(), Failure> {
    let client = Client::anonymous(&flags.address)?;
    let limits = client.call(Method::GET, "/porchlight/limits", None)?.json()?;
    if flags.json {
        say_json(&limits);
    } else {
        say(&text(&limits));
    }
    Ok(())
}

fn text(limits: &Value) -> String {
    let mut table = Table::new(["limit", "value", "when it is hit"]);
    for limit in limits["limits"].as_array().into_iter().flatten() {
        let value = match &limit["value"] {
            Value::String(text) => text.clone(),
            Value::Null => "none".to_owned(),
            value => value.to_string(),
        };
        let text = |member: &str| limit[member].as_str().unwrap_or_default();
        table.row([text("name").into(), value.into(), text("answer").into()]);
    }
    format!("{}\nprofile {}", table.text(), harmless(limits["profile"].as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_limit_has_a_line() {
        let limits = json!({"profile": "open", "limits": [
            {"name": "bodyBytes", "value": 1_048_576, "answer": "413"},
            {"name": "requests", "value": null, "answer": "429 with Retry-After; null: none"},
            {"name": "writeTime", "value": "PT10S", "answer": "503"},
        ]});
        insta::assert_snapshot!(text(&limits), @r"
        limit      value    when it is hit
        bodyBytes  1048576  413
        requests   none     429 with Retry-After; null: none
        writeTime  PT10S    503
        profile open
        ");
    }
}
