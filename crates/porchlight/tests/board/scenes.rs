//! What people see and do on the board, of a development server.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::browser::Script;
use crate::support::{ME, PATIENCE, Program, porchlight, text};

/// How long all scenes of a script may take.
const WHOLE: Duration = Duration::from_secs(150);

/// A development server that speaks http alone, so that its port is the only one that it needs.
fn development(listen: &str, data: &Path) -> Command {
    let mut command = porchlight(&["serve", "--dev", "--https-listen", "none", "--access-log", "false"]);
    // Endpoints of subscriptions are made up here.
    command.args(["--dev-skip-validation", "--listen", listen, "--data", text(data)]);
    command
}

/// Runs a script beside a server of its own.
fn play(script: &str) {
    let place = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut development("127.0.0.1:0", place.path()));
    Script::start(script, &[&server.url()]).passes(WHOLE);
}

#[test]
fn people_see_presence_change_and_change_their_own() {
    play("scenes.mjs");
}

#[test]
fn the_board_is_for_keyboards_screen_readers_and_phones_in_both_themes() {
    play("looks.mjs");
}

#[tokio::test]
async fn a_page_comes_back_by_itself_when_its_server_was_away() {
    let (place, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let server = Program::start(&mut development("127.0.0.1:0", place.path()));
    let (listen, url) = (server.address().to_string(), server.url());
    let script = Script::start("restarts.mjs", &[&url]);

    script.says("live");
    server.kill();
    script.says("away");
    // Nobody tells the page of this change: it is made by a server that the page does not know of.
    let another = Program::start(&mut development("127.0.0.1:0", place.path()));
    let busy = json!({"availability": "Busy", "activity": "InAMeeting"});
    assert_eq!(another.client("ben:").patch(ME, &busy).await.status, 200);
    another.stop();
    let server = Program::start(&mut development(&listen, place.path()));
    script.says("back");

    // And a server that knows nothing of what the page has been told.
    server.kill();
    script.says("away again");
    let _server = Program::start(&mut development(&listen, elsewhere.path()));
    script.passes(PATIENCE);
}
