//! The body of a bulk read, which has a reader of its own where it is nothing but a list of GUIDs.

use serde_json::Value;

use crate::answer::Answer;
use crate::world::World;

/// A body of `getPresencesByUserId`: it is answered as it is when it is written in another way, and as it is when a member
/// that nobody reads makes it one for the reader of every JSON.
///
/// # Panics
///
/// When a law is broken.
pub fn ids(data: &[u8]) {
    let world = World::development();
    let given = ask(&world, data);
    let Ok(Value::Object(mut body)) = serde_json::from_slice(data) else {
        assert_eq!(given.status, 400, "what is no object is refused: {given:?}");
        return;
    };
    let written = ask(&world, Value::Object(body.clone()).to_string().as_bytes());
    body.insert("nobody reads this".to_owned(), Value::Null);
    let general = ask(&world, Value::Object(body).to_string().as_bytes());
    assert_eq!(written.status, general.status, "{written:?} is {general:?}");
    if written.status == 200 {
        assert_eq!(written.json(), general.json(), "both readers read the same");
    }
    // A member that stands twice is refused, and stands once when it is written again.
    if given.status == 200 {
        assert_eq!(given.json(), written.json(), "however it is written, it is the same");
    }
}

fn ask(world: &World, body: &[u8]) -> Answer {
    let answer = world.ask("POST", "/v1.0/communications/getPresencesByUserId", body);
    answer.expect("many presences can be asked for").checked()
}
