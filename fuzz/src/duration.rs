//! Durations, as `expirationDuration` has them.

use std::time::Duration;

use jiff::SignedDuration;
use porchlight_http::parse_duration;
use serde_json::json;

use crate::world::World;

/// How long a session may live, unless the settings say otherwise.
const SESSION: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(5 * 60)..=Duration::from_secs(4 * 60 * 60);

/// A duration: written in another way it is the same, another reader of ISO 8601 reads no other, and a session
/// is taken where it is a session's.
///
/// # Panics
///
/// When a law is broken.
pub fn duration(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let read = parse_duration(text);
    if let Ok(duration) = read {
        let written = format!("PT{}.{:03}S", duration.as_secs(), duration.subsec_millis());
        assert_eq!(parse_duration(&written), Ok(duration), "{text:?} is {written}");
        check_beside(text, duration);
    }
    let world = World::development();
    let body = json!({
        "sessionId": "22222222-2222-4222-8222-222222222222",
        "availability": "Available", "activity": "Available", "expirationDuration": text,
    });
    let answer = world.ask("POST", "/v1.0/me/presence/setPresence", body.to_string().as_bytes());
    let answer = answer.expect("a presence can be set").checked();
    let is_good = read.is_ok_and(|duration| SESSION.contains(&duration));
    assert_eq!(answer.status, if is_good { 200 } else { 400 }, "{text:?}: {answer:?}");
}

/// Another reader, which knows months and years as no fixed time, reads the same where it reads anything.
fn check_beside(text: &str, duration: Duration) {
    let is_time = text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("PT"));
    if is_time && let Ok(other) = text.parse::<SignedDuration>() {
        assert_eq!(other.as_millis().unsigned_abs(), duration.as_millis(), "{text:?} beside {other:?}");
    }
}
