//! As many idle connections as one address may have, and some more.

use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Scene, end_of, good_answer, tally};
use crate::report::{Bound, Figure};
use crate::requests::Ask;
use crate::spread::Spread;
use crate::stopwatch::Stopwatch;

/// Opens the connections, has each ask once, and waits until the server closes them.
pub(in crate::rows) async fn come(scene: Scene) -> Result<Vec<Figure>> {
    let count = scene.patience.connections_per_address;
    let request = Ask::presence(0).wire(scene.address);
    let before = scene.memory()?;
    let mut idle = Vec::new();
    for _ in 0..count {
        let mut stream = scene.connect().await?;
        stream.write_all(&request).await.context("failed to ask")?;
        good_answer(&mut stream).await?;
        idle.push(tokio::spawn(wait(stream)));
    }
    let held = scene.memory()?.saturating_sub(before);
    let refused = refused(scene, count / 100).await?;

    let (mut ends, mut seconds) = (Vec::new(), Vec::new());
    for idle in idle {
        let (end, after) = idle.await?;
        ends.push(end);
        seconds.push(after);
    }
    ensure!(!ends.iter().any(|end| end == "kept"), "idle connections: {}", tally(&ends));
    let after = Spread::of(seconds);
    let patience = scene.patience.head.as_secs_f64();
    Ok(vec![
        scene
            .figure("memory per connection", held as f64 / f64::from(count), "B")
            .note(format!("{count} connections that were used once")),
        scene
            .figure("until the first was closed", after.min, "s")
            .target(Bound::AtLeast(patience))
            .note(format!("the last {:.1} s; {}", after.max, tally(&ends))),
        refused,
    ])
}

/// How the server ends an idle connection, and after how many seconds.
async fn wait(mut stream: TcpStream) -> (String, f64) {
    let since = Stopwatch::start();
    let end = end_of(&mut stream).await;
    (end, since.elapsed().as_secs_f64())
}

/// What becomes of some more connections of the same address.
async fn refused(scene: Scene, more: u32) -> Result<Figure> {
    let since = Stopwatch::start();
    let mut streams = Vec::new();
    for _ in 0..more {
        streams.push(scene.connect().await?);
    }
    let ends = join_all(streams.iter_mut().map(end_of)).await;
    let refused = ends.iter().filter(|end| *end == "closed" || *end == "reset").count();
    let took = since.elapsed();
    ensure!(took < scene.patience.head, "connections beyond the limit of an address were open for {took:?}");
    Ok(scene
        .figure("connections beyond the limit of an address, closed at once", refused as f64, "")
        .target(Bound::AtLeast(f64::from(more)))
        .note(format!("{}; within {:.2} s", tally(&ends), took.as_secs_f64())))
}
