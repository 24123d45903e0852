//! Whole requests, as a client writes them.

use serde_json::Value;

use crate::promise::Write;
use crate::world::World;

/// Where Graph's surface is, and SCIM.
const GRAPH: [&str; 2] = ["/v1.0/", "/beta/"];
const SCIM: &str = "/porchlight/scim/v2/";

/// A request: a method and a path in the first line, and a body behind it.
///
/// # Panics
///
/// When a law is broken.
pub fn request(data: &[u8]) {
    let (line, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    let Some((method, target)) = str::from_utf8(line).ok().and_then(|line| line.split_once(' ')) else {
        return;
    };
    let is_graph = GRAPH.iter().any(|base| target.starts_with(base));
    // The answer to a HEAD has no body that could say anything.
    if method == "HEAD" || !(is_graph || target.starts_with(SCIM)) {
        return;
    }
    let world = World::development();
    let before = world.presence();
    let Some(answer) = world.ask(method, target, body) else { return };
    let answer = if is_graph { answer.checked() } else { answer.checked_scim() };
    // Ada may have been disabled or deleted.
    match world.ask("GET", "/v1.0/me/presence", b"").filter(|answer| answer.status == 200) {
        None => world.spend(),
        Some(after) => {
            let path = target.split('?').next().unwrap_or_default();
            let action =
                path.strip_prefix("/v1.0/me/presence").map(|rest| rest.strip_prefix('/').unwrap_or(rest));
            if let Some(action) = action {
                let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
                let after = after.json();
                Write { method, action, body: &body, answer: &answer, before: &before, after: &after }
                    .check();
            }
        }
    }
}
