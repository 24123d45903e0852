//! `$select` on a presence.

use std::collections::BTreeSet;

use crate::encoding::encoded;
use crate::world::World;

/// The members of a presence.
const MEMBERS: [&str; 7] = [
    "id",
    "availability",
    "activity",
    "outOfOfficeSettings",
    "sequenceNumber",
    "statusMessage",
    "workLocation",
];

/// A `$select` of a presence: where it is taken, the members that it names are sent and no others.
///
/// # Panics
///
/// When a law is broken.
pub fn select(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let world = World::development();
    let answer = world.step(&format!("/me/presence?$select={}", encoded(text))).checked();
    if answer.status == 400 {
        return;
    }
    assert_eq!(answer.status, 200, "a selection is taken or refused: {answer:?}");
    let json = answer.json();
    let names = json.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let shown: BTreeSet<&str> = names.filter(|name| !name.starts_with('@')).collect();
    let paths = || text.split(',').map(str::trim);
    let wanted: BTreeSet<&str> = if paths().any(|path| path == "*") {
        MEMBERS.into()
    } else {
        paths().map(|path| path.split('/').next().unwrap_or_default()).collect()
    };
    assert_eq!(shown, wanted, "what is selected is sent, and nothing else: {text:?}");
}
