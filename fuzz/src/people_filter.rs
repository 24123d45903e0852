//! `$filter` and `$search` on people.

use serde_json::Value;

use crate::encoding::encoded;
use crate::world::World;

/// A longer expression may have more comparisons than there may be once it has one more.
const EXTENDED_BYTES_MAX: usize = 600;

/// A `$filter` and a `$search` of `/users`.
///
/// Where one is taken, as many are counted as are listed, and it means the same in parentheses and joined to a
/// comparison that nobody passes. That one makes the server look at everybody instead of those named.
///
/// # Panics
///
/// When a law is broken.
pub fn people_filter(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let world = World::development();
    check(&world, "$filter", text, "or startswith(mail,'nobody at all')");
    check(&world, "$search", text, r#"OR "mail:nobodyatall""#);
}

fn check(world: &World, option: &str, text: &str, nobody: &str) {
    let Some(listed) = list(world, option, text) else { return };
    // Parentheses may be as deep as they may be.
    if text.matches('(').count() < 30 {
        assert_eq!(
            list(world, option, &format!("({text})")),
            Some(listed.clone()),
            "in parentheses: {text:?}"
        );
    }
    if text.len() <= EXTENDED_BYTES_MAX {
        let extended = format!("{text} {nobody}");
        assert_eq!(list(world, option, &extended), Some(listed), "joined to what adds nobody: {extended:?}");
    }
}

/// Whom an expression finds; `None` when it is none.
fn list(world: &World, option: &str, text: &str) -> Option<Vec<Value>> {
    let url = format!("/users?$select=id&$count=true&{option}={}", encoded(text));
    let answer = world.step(&url).checked();
    if answer.status == 400 {
        return None;
    }
    assert_eq!(answer.status, 200, "an expression is taken or refused: {answer:?}");
    let json = answer.json();
    let listed = json["value"].as_array().cloned();
    let count = json["@odata.count"].as_u64();
    assert_eq!(
        count,
        listed.as_ref().map(|people| people.len() as u64),
        "as many are counted as listed: {text:?}"
    );
    listed
}
