//! Clients that ask for much and take nothing of it.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::time::sleep;

use super::{RUDE, Scene};
use crate::report::{Bound, Figure};
use crate::requests::Ask;
use crate::stopwatch::Stopwatch;

/// What each asks for: more megabytes than the sockets between it and the server hold.
const REQUESTS: usize = 100;

/// Asks, and waits until the server has closed the connections.
pub(in crate::rows) async fn come(scene: Scene) -> Result<Vec<Figure>> {
    let count = scene.either(100, 20);
    let requests = Ask::everybody().wire(scene.address).repeat(REQUESTS);
    let (connections, before) = (scene.connections().await?, scene.memory()?);
    let since = Stopwatch::start();
    let mut clients = Vec::new();
    for _ in 0..count {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(64 * 1024)?;
        let mut stream = scene.connect_by(socket, RUDE).await?;
        let requests = requests.clone();
        clients.push(tokio::spawn(async move {
            // Whether it is taken is not the point; the connection is kept all the same.
            stream.write_all(&requests).await.ok();
            stream
        }));
    }
    let (patience, mut held) = (scene.patience.answer, 0);
    while scene.connections().await? > connections {
        held = held.max(scene.memory()?.saturating_sub(before));
        ensure!(
            since.elapsed() < patience * 3,
            "the server keeps connections that take nothing of their answers"
        );
        sleep(Duration::from_millis(100)).await;
    }
    let until = since.elapsed().as_secs_f64();
    drop(clients);
    Ok(vec![
        scene
            .figure("until the last was closed", until, "s")
            .target(Bound::AtMost(patience.as_secs_f64() * 1.25))
            .note(format!("{count} clients; answerTime is {patience:?}")),
        scene
            .figure("memory per connection at most", held as f64 / f64::from(count), "B")
            .note(format!("{REQUESTS} pages of everybody were asked for on each")),
    ])
}
