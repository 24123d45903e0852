//! Connections that are used once: opened, one request, closed.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Scene, good_answer};
use crate::procfs;
use crate::report::Figure;
use crate::requests::Ask;
use crate::stopwatch::Stopwatch;

/// Connections that are open at any time.
const AT_ONCE: u8 = 64;

/// How a connection ends.
#[derive(Clone, Copy)]
enum Manner {
    /// The client asks the server to.
    ServerCloses,
    /// The client does, when it has its answer.
    ClientCloses,
    /// The client resets it, without a look at its answer.
    ClientResets,
}

/// Has connections end in one manner after the other.
pub(in crate::rows) async fn come(scene: Scene) -> Result<Vec<Figure>> {
    let manners = [
        ("the server closes", Manner::ServerCloses),
        ("the client closes", Manner::ClientCloses),
        ("the client resets, and reads nothing", Manner::ClientResets),
    ];
    let mut figures = Vec::new();
    for (what, manner) in manners {
        let since = Stopwatch::start();
        let clients = (0..AT_ONCE).map(|number| come_and_go(scene, manner, number, since));
        let count: u64 = try_join_all(clients).await.context(what)?.into_iter().sum();
        let per_second = count as f64 / since.elapsed().as_secs_f64();
        let waiting = procfs::sockets_in_time_wait()?;
        let note = format!("{count} connections; then {waiting} sockets of the machine in TIME_WAIT");
        figures.push(scene.figure(&format!("connections per second, {what}"), per_second, "").note(note));
    }
    Ok(figures)
}

/// One client's connections: how many there were.
async fn come_and_go(scene: Scene, manner: Manner, number: u8, since: Stopwatch) -> Result<u64> {
    let mut ask = Ask::presence(number.into());
    if matches!(manner, Manner::ServerCloses) {
        ask.headers = &[("Accept", "application/json"), ("Connection", "close")];
    }
    let request = ask.wire(scene.address);
    // From addresses of their own: of one alone the ports would soon be used up.
    let from = Ipv4Addr::new(127, 0, 1, number + 1);
    let mut count = 0;
    while since.elapsed() < scene.lasts {
        let mut stream = scene.connect_from(from).await?;
        stream.write_all(&request).await.context("failed to ask")?;
        end(stream, manner).await?;
        count += 1;
    }
    Ok(count)
}

async fn end(mut stream: TcpStream, manner: Manner) -> Result<()> {
    match manner {
        Manner::ServerCloses => {
            good_answer(&mut stream).await?;
            let more = stream.read(&mut [0]).await.context("failed to see the end of a connection")?;
            ensure!(more == 0, "something came after the answer");
        }
        Manner::ClientCloses => good_answer(&mut stream).await?,
        Manner::ClientResets => stream.set_zero_linger().context("failed to have a connection reset")?,
    }
    Ok(())
}
