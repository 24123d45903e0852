//! An attempt to tell on the wire: of `porchlight.deliveries`, and of development's list of all.

use porchlight_notify::Attempt;
use serde_json::{Value, json};

use crate::wire::date_time;
use crate::wire::presence::instant;

/// The attempt as a JSON object, without where it went and what was sent.
pub(crate) fn delivery(attempt: &Attempt) -> Value {
    let mut begun = Vec::new();
    date_time::write_utc(instant(attempt.at), &mut begun);
    json!({
        "time": String::from_utf8_lossy(&begun),
        "attempt": attempt.number,
        "status": attempt.outcome.status(),
        "error": attempt.outcome.class(),
        "latencyMs": u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
        "items": attempt.items,
    })
}

/// The same with where it went and what was sent: JSON, as the receiver has read it.
pub(crate) fn delivery_in_full(attempt: &Attempt) -> Value {
    let mut delivery = delivery(attempt);
    delivery["url"] = attempt.url.as_str().into();
    delivery["body"] = serde_json::from_slice(&attempt.body).unwrap_or_default();
    delivery
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use porchlight_notify::Outcome;
    use porchlight_presence::Timestamp;

    use super::*;

    #[test]
    fn an_attempt_says_what_came_of_it() {
        let attempt = Attempt {
            at: Timestamp::from_millis(1_700_000_000_000),
            number: 2,
            outcome: Outcome::Status(503),
            took: Duration::from_millis(7),
            items: 3,
            url: "https://hooks.example.net/x".to_owned(),
            body: r#"{"value":[]}"#.into(),
        };
        let mut expected = json!({
            "time": "2023-11-14T22:13:20.0000000Z",
            "attempt": 2,
            "status": 503,
            "error": "status",
            "latencyMs": 7,
            "items": 3,
        });
        assert_eq!(delivery(&attempt), expected);
        expected["url"] = "https://hooks.example.net/x".into();
        expected["body"] = json!({"value": []});
        assert_eq!(delivery_in_full(&attempt), expected);
        let timeout = delivery(&Attempt { outcome: Outcome::Timeout, ..attempt });
        assert_eq!((&timeout["status"], &timeout["error"]), (&Value::Null, &json!("timeout")));
    }
}
