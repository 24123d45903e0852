//! Header bombs: heads that are far too large, over many connections at once.

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;

use super::{Scene, tally, throw};
use crate::report::Figure;
use crate::stopwatch::Stopwatch;

/// Connections that are busy with it at any time.
const AT_ONCE: usize = 50;

/// Throws one kind of bomb after the other.
pub(in crate::rows) async fn come(scene: Scene) -> Result<Vec<Figure>> {
    let long = |bytes: usize| format!("X-Long: {}\r\n", "x".repeat(bytes));
    let bombs = [
        ("a header of 32 KiB", long(32 * 1024)),
        ("a header of 1 MiB", long(1024 * 1024)),
        ("10,000 headers", "X: y\r\n".repeat(10_000)),
    ];
    let mut figures = Vec::new();
    for (what, headers) in bombs {
        let head = format!("GET /v1.0/me/presence HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        let since = Stopwatch::start();
        let throwing = (0..AT_ONCE).map(|_| throw_often(scene, head.as_bytes(), since));
        let ends: Vec<String> = try_join_all(throwing).await?.into_iter().flatten().collect();
        let refused = !ends.iter().any(|end| end.starts_with('2') || end == "kept");
        ensure!(refused, "{what}: {}", tally(&ends));
        let per_second = ends.len() as f64 / since.elapsed().as_secs_f64();
        figures.push(scene.figure(&format!("{what}, per second"), per_second, "").note(tally(&ends)));
    }
    Ok(figures)
}

/// Throws bombs over one connection after the other; says how each ended.
async fn throw_often(scene: Scene, head: &[u8], since: Stopwatch) -> Result<Vec<String>> {
    let mut ends = Vec::new();
    while since.elapsed() < scene.lasts {
        ends.push(throw(scene.connect().await?, head).await);
    }
    Ok(ends)
}
