//! Paths: what a path below the version means, asked for by itself and in a batch.

use crate::answer::Answer;
use crate::world::World;

/// A path, below the version and as it stands.
///
/// A path means the same to a request and to a step of a batch, wherever both can be asked for it.
///
/// # Panics
///
/// When a law is broken.
pub fn path(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let world = World::development();
    if let Some(answer) = world.ask("GET", &format!("/{text}"), b"") {
        answer.check_fault();
    }
    let asked = world.ask("GET", &format!("/v1.0/{text}"), b"").map(Answer::checked);
    let step = world.step(&format!("/{text}")).checked();
    if let Some(asked) = asked
        && is_below_version(text)
    {
        assert_eq!(asked.status, step.status, "a step of a batch is read as a request is: {text:?}");
    }
}

/// Whether this is no URL of its own to a batch, which may name its server in a step.
fn is_below_version(text: &str) -> bool {
    !text.split('#').next().unwrap_or_default().contains("://")
}
