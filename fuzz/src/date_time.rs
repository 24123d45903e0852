//! Date-times with their zones, as a status message's `expiryDateTime` has them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::World;

/// A date-time in the first line, and its zone in the second if there is one.
///
/// What is taken is shown in UTC; given back as it was shown it is the same instant, and another reader of RFC 3339
/// reads no other.
///
/// # Panics
///
/// When a law is broken.
pub fn date_time(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (date_time, zone) = match text.split_once('\n') {
        Some((date_time, zone)) => (date_time, Some(zone)),
        None => (text, None),
    };
    let world = World::development();
    let Some(shown) = set(&world, date_time, zone) else { return };
    let with_offset = format!("{shown}Z");
    let ways = [(&shown, Some("UTC")), (&shown, None), (&with_offset, Some("Nowhere/At all"))];
    for (again, zone) in ways {
        assert_eq!(
            set(&world, again, zone),
            Some(shown.clone()),
            "what is shown is taken: {text:?} is {shown}"
        );
    }
    let hundreds = |text: &str| Some(text.parse::<Timestamp>().ok()?.as_nanosecond().div_euclid(100));
    if let (Some(other), Some(ours)) = (hundreds(date_time), hundreds(&with_offset)) {
        assert_eq!(ours, other, "another reader reads the same: {text:?} is {shown}");
    }
}

/// What is shown of a status message with this end; `None` when the end is refused.
fn set(world: &World, date_time: &str, zone: Option<&str>) -> Option<String> {
    let body = json!({"statusMessage": {
        "message": {"content": "x"}, "expiryDateTime": {"dateTime": date_time, "timeZone": zone},
    }});
    let answer = world.ask("POST", "/v1.0/me/presence/setStatusMessage", body.to_string().as_bytes());
    let answer = answer.expect("a status message can be set").checked();
    if answer.status == 400 {
        return None;
    }
    assert_eq!(answer.status, 200, "an end is taken or refused: {answer:?}");
    let expiry = &world.presence()["statusMessage"]["expiryDateTime"];
    assert_eq!(expiry["timeZone"], Value::from("UTC"), "an end is shown in UTC");
    Some(expiry["dateTime"].as_str().expect("an end that was taken is shown").to_owned())
}
