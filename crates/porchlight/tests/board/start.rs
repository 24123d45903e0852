//! How soon a server is there that has nothing to read yet.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Program, serve, text, until};

/// Of so many starts the fastest counts: others may have had to wait for the machine.
const STARTS: usize = 5;

#[tokio::test]
async fn a_server_on_an_empty_folder_is_ready_at_once() {
    // What is built for tests is slower by far.
    let most = Duration::from_millis(if cfg!(debug_assertions) { 1000 } else { 150 });
    let mut fastest = Duration::MAX;
    for _ in 0..STARTS {
        let place = tempfile::tempdir().expect("a folder");
        let begun = Instant::now();
        let server = Program::start(&mut serve(&["--data", text(&place.path().join("data"))]));
        let anybody = server.anonymous();
        until("it is ready", async || anybody.get("/porchlight/health").await.json()["ready"] == true).await;
        fastest = fastest.min(begun.elapsed());
        server.stop();
    }
    assert!(fastest <= most, "it took {fastest:?}, and may take {most:?}");
}
