//! Filters of SCIM, and the paths of its patches.

use porchlight_testkit::BEN;
use serde_json::json;

use crate::encoding::encoded;
use crate::world::World;

const USERS: &str = "/porchlight/scim/v2/Users";

/// A filter of SCIM, which is also tried as the path of a patch.
///
/// Whoever a filter does not find, its opposite does; in parentheses it finds the same.
///
/// # Panics
///
/// When a law is broken.
pub fn scim_filter(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let world = World::development();
    let everybody = total(&world, "");
    if let Some(found) = total(&world, text)
        && !text.trim().is_empty()
        && text.matches(['(', '[']).count() < 30
        && text.len() < 4_000
    {
        let others = total(&world, &format!("not ({text})"));
        assert_eq!(others.map(|others| others + found), everybody, "a filter and its opposite: {text:?}");
        assert_eq!(total(&world, &format!("({text})")), Some(found), "in parentheses: {text:?}");
    }
    for operation in
        [json!({"op": "replace", "path": text, "value": "x"}), json!({"op": "remove", "path": text})]
    {
        let body = json!({"Operations": [operation]}).to_string();
        let answer = world.ask("PATCH", &format!("{USERS}/{BEN}"), body.as_bytes());
        answer.expect("a patch can be asked for").checked_scim();
    }
}

/// How many a filter finds; `None` when it is none, or too long for a URL.
fn total(world: &World, filter: &str) -> Option<u64> {
    let answer =
        world.ask("GET", &format!("{USERS}?count=0&filter={}", encoded(filter)), b"")?.checked_scim();
    if answer.status == 400 {
        return None;
    }
    assert_eq!(answer.status, 200, "a filter is taken or refused: {answer:?}");
    answer.json()["totalResults"].as_u64()
}
