//! `$filter` on presences.

use serde_json::Value;

use crate::encoding::encoded;
use crate::world::World;

/// A longer filter may have more ids than there may be once it stands there twice.
const DOUBLED_BYTES_MAX: usize = 600;

/// A `$filter` of `/communications/presences`.
///
/// Where one is taken, it is also taken in parentheses, and means the same; so it does joined to itself, and to
/// a comparison that nobody passes. That one makes the server look at everybody instead of those named.
///
/// # Panics
///
/// When a law is broken.
pub fn presences_filter(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let world = World::development();
    let Some(listed) = list(&world, text) else { return };
    let count = world.step(&format!("/communications/presences/$count?$filter={}", encoded(text))).checked();
    assert_eq!(count.body, listed.len().to_string(), "as many are counted as are listed: {text:?}");
    // Parentheses may be as deep as they may be.
    if text.matches('(').count() < 30 {
        assert_eq!(list(&world, &format!("({text})")), Some(listed.clone()), "in parentheses: {text:?}");
    }
    if text.len() <= DOUBLED_BYTES_MAX {
        for again in [format!("{text} or {text}"), format!("{text} or activity eq 'PresenceUnknown'")] {
            assert_eq!(list(&world, &again), Some(listed.clone()), "joined to what adds nobody: {again:?}");
        }
    }
}

/// Whom a filter finds; `None` when it is none.
fn list(world: &World, filter: &str) -> Option<Vec<Value>> {
    let url = format!("/communications/presences?$select=id&$filter={}", encoded(filter));
    let answer = world.step(&url).checked();
    if answer.status == 400 {
        return None;
    }
    assert_eq!(answer.status, 200, "a filter is taken or refused: {answer:?}");
    answer.json()["value"].as_array().cloned()
}
