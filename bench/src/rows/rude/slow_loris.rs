//! Slow loris: connections that send a byte of a request's head every second, and never its end.

use std::future::pending;
use std::iter;
use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{interval, sleep};

use super::{Scene, end_of, tally};
use crate::report::{Bound, Figure};
use crate::spread::Spread;
use crate::stopwatch::Stopwatch;

/// Opens the connections, and waits until the server has had enough of each.
pub(in crate::rows) async fn come(scene: Scene) -> Result<Vec<Figure>> {
    let count = scene.either(1_000, 100);
    let before = scene.memory()?;
    let mut slow = Vec::new();
    for _ in 0..count {
        slow.push(tokio::spawn(dawdle(scene.connect().await?)));
    }
    // Each of them has sent something by then.
    sleep(Duration::from_secs(2)).await;
    let held = scene.memory()?.saturating_sub(before);
    let (mut ends, mut seconds) = (Vec::new(), Vec::new());
    for slow in slow {
        let (end, after) = slow.await?;
        ends.push(end);
        seconds.push(after.as_secs_f64());
    }
    let ended = ends.iter().filter(|end| *end != "kept").count();
    let after = Spread::of(seconds);
    let note = format!("{}, {:.1} to {:.1} s after they came", tally(&ends), after.min, after.max);
    Ok(vec![
        scene
            .figure("connections that the server ended", ended as f64, "")
            .target(Bound::AtLeast(f64::from(count)))
            .note(note),
        scene
            .figure("memory per connection", held as f64 / f64::from(count), "B")
            .note(format!("while {count} of them were open")),
    ])
}

/// Sends bytes until the server has had enough; says how it ended that, and when.
async fn dawdle(mut stream: TcpStream) -> (String, Duration) {
    let since = Stopwatch::start();
    let (mut reader, mut writer) = stream.split();
    let sending = async {
        let head = b"GET /v1.0/me/presence HTTP/1.1\r\nHost: x\r\nX-Long: ";
        let mut seconds = interval(Duration::from_secs(1));
        for byte in head.iter().chain(iter::repeat(&b'x')) {
            seconds.tick().await;
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        pending::<()>().await;
    };
    let end = tokio::select! {
        () = sending => unreachable!("it never ends"),
        end = end_of(&mut reader) => end,
    };
    (end, since.elapsed())
}
