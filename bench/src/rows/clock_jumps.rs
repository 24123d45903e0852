//! A machine's clock that is set ahead and back under load: nobody comes back from a fade, no stamp goes
//! back, no write is lost, and what is due by then is told soon.
//!
//! Only the server sees another time than everybody else: a small library that is loaded before all others
//! moves its wall clock (`moved_clock.c`), and leaves the monotonic one alone, as the kernel does when a
//! clock is set.

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::fades::drained;
use super::streams::key;
use crate::client::{Answer, Client};
use crate::folder::{Fading, write_seed, write_users};
use crate::reads::{Reads, Took};
use crate::report::{Bound, Figure, Outcome};
use crate::requests::Ask;
use crate::rows::Bench;
use crate::server::{Server, serve};
use crate::stopwatch::{self, Stopwatch};

const ROW: &str = "clock-jumps";

/// People who fade and are looked at; as many others, behind them, are written.
const WATCHED: u32 = 500;

const READS_PER_SECOND: u32 = 2_000;
const LOOKS_PER_SECOND: u32 = 500;
const WRITES_PER_SECOND: u32 = 500;

/// Connections that the writes come over.
const WRITERS: u32 = 16;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How the clock is set, one after the other, in seconds from where it is.
const JUMPS: [(&str, i64); 5] = [
    ("an hour ahead", HOUR),
    ("an hour back", -HOUR),
    ("a day ahead", DAY),
    ("ten minutes back", -10 * MINUTE),
    ("an hour ahead again", HOUR),
];

/// How far a clock may be behind the newest write when a server starts, and how far it may not.
const BEHIND_A_LITTLE: i64 = -4 * MINUTE;
const BEHIND: i64 = -HOUR;

/// Sets the clock of a server under load, then starts it with a clock that was set back meanwhile.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let crowd = bench.scale.crowd / 10;
    let folder = bench.folder()?;
    let (data, seed) = (folder.path().join("data"), folder.path().join("users.yaml"));
    let now = stopwatch::wall();
    // Everybody fades within the hour that the first jump skips.
    let fading = Fading { first: now.plus(Duration::from_secs(20 * 60)), over: Duration::from_secs(20 * 60) };
    write_users(&bench.runtime, &data, crowd, now, fading)?;
    write_seed(&seed, 2 * WATCHED)?;
    let mut clock = MovedClock::make(folder.path())?;
    let start = |clock: &MovedClock| {
        let mut command = serve(&bench.porchlight, Some(&seed));
        command.arg("--dev").arg("--data").arg(&data);
        Server::start(clock.shown_to(&mut command))
    };
    let server = start(&clock).context("failed to start porchlight")?;
    bench.runtime.block_on(server.restored(crowd))?;
    let lasts = Duration::from_secs(bench.scale.seconds.into());
    let found = bench.runtime.block_on(go_through(server.address(), &mut clock, lasts))?;
    server.kill();

    clock.set(BEHIND_A_LITTLE)?;
    let server = start(&clock).context("failed to start with a clock that is four minutes behind")?;
    bench.runtime.block_on(server.restored(crowd))?;
    bench.runtime.block_on(all_there(server.address(), &found.written))?;
    server.kill();
    clock.set(BEHIND - BEHIND_A_LITTLE)?;
    let Err(refusal) = start(&clock) else { bail!("it starts with a clock that is an hour behind") };
    let refusal = format!("{refusal:#}");
    ensure!(
        refusal.contains("ahead of this machine's clock"),
        "it does not say that the clock is: {refusal}"
    );
    Ok(Outcome { compared: vec![], figures: found.figures(crowd) })
}

/// A wall clock that can be set.
struct MovedClock {
    library: PathBuf,
    path: PathBuf,
    file: File,
    seconds: i64,
}

impl MovedClock {
    /// One that shows the right time.
    fn make(folder: &Path) -> Result<MovedClock> {
        let (source, library) = (folder.join("moved_clock.c"), folder.join("moved_clock.so"));
        fs::write(&source, include_str!("moved_clock.c"))
            .with_context(|| format!("failed to write {}", source.display()))?;
        let compiled =
            Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output();
        let compiled = compiled.context("failed to run cc, which is in Debian's gcc")?;
        let said = String::from_utf8_lossy(&compiled.stderr);
        ensure!(compiled.status.success(), "cc failed: {}", said.trim());
        let path = folder.join("clock");
        let file = File::create(&path).with_context(|| format!("failed to make {}", path.display()))?;
        let mut clock = MovedClock { library, path, file, seconds: 0 };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it by so many seconds ahead, or back.
    fn set(&mut self, by: i64) -> Result<()> {
        self.seconds += by;
        self.file.write_all_at(&self.seconds.to_ne_bytes(), 0).context("failed to set the clock")
    }

    /// Has a program see this clock.
    fn shown_to<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("LD_PRELOAD", &self.library).env("BENCH_CLOCK_FILE", &self.path)
    }
}

/// What one jump did.
struct Jumped {
    what: &'static str,
    /// Until everything that was due by then was told; `None` when it went back.
    drained: Option<Duration>,
    reads: Took,
}

struct Found {
    jumps: Vec<Jumped>,
    looks: u64,
    writes: u64,
    /// What each person who was written showed last, as their writer was answered.
    written: Vec<Answer>,
}

/// Sets the clock under load.
async fn go_through(address: SocketAddr, clock: &mut MovedClock, lasts: Duration) -> Result<Found> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut reads = Reads::start(address, READS_PER_SECOND, 2 * WATCHED).await?;
    let watcher: JoinHandle<Result<u64>> = {
        let client = Client::connect(address).await?;
        tokio::spawn(look(client, Arc::clone(&stop)))
    };
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let client = Client::connect(address).await?;
        writers.push(tokio::spawn(write(client, number, Arc::clone(&stop))));
    }
    sleep(lasts).await;
    let mut jumps = Vec::new();
    for (what, by) in JUMPS {
        reads.lap();
        clock.set(by)?;
        let jumped = Stopwatch::start();
        let drained = if by > 0 { Some(drained(address, jumped).await?) } else { None };
        sleep(lasts.saturating_sub(jumped.elapsed())).await;
        jumps.push(Jumped { what, drained, reads: reads.lap() });
    }
    stop.store(true, Ordering::Relaxed);
    let looks = watcher.await.context("the watcher has died")??;
    let (mut writes, mut written) = (0, Vec::new());
    for writer in writers {
        let (count, last) = writer.await.context("a writer has died")??;
        writes += count;
        written.extend(last);
    }
    reads.stop().await?;
    all_there(address, &written).await?;
    Ok(Found { jumps, looks, writes, written })
}

/// Looks at people who fade, until told to stop. Nobody may come back from a fade, and no stamp may go back.
/// Says how often it has looked.
async fn look(mut client: Client, stop: Arc<AtomicBool>) -> Result<u64> {
    let every = Duration::from_secs(1) / LOOKS_PER_SECOND;
    let mut seen: HashMap<u32, (u8, u64)> = HashMap::new();
    let mut looks = 0;
    for user in (0..WATCHED).cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        sleep(every).await;
        let answer = client.send(&Ask::presence(user)).await?;
        let now = (how_faded(&answer)?, stamp(&answer)?);
        if let Some(before) = seen.insert(user, now) {
            ensure!(before.0 <= now.0 && before.1 <= now.1, "a person went back from {before:?} to {now:?}");
        }
        looks += 1;
    }
    Ok(looks)
}

/// How far a session has faded that was available.
fn how_faded(answer: &Answer) -> Result<u8> {
    let presence: Value = serde_json::from_slice(&answer.body).context("a presence is not JSON")?;
    match presence["activity"].as_str() {
        Some("Available") => Ok(0),
        Some("AvailableInactive") => Ok(1),
        Some("Away") => Ok(2),
        Some("Offline") => Ok(3),
        _ => bail!("a person who fades shows {presence}"),
    }
}

fn stamp(answer: &Answer) -> Result<u64> {
    let (_, stamp) = key(&answer.body).context("no presence was answered")?;
    Ok(stamp)
}

/// Changes one share of the people, at one share of the pace, until told to stop: each change must be stamped
/// after the one before. Says how many there were, and what was answered to the last one of each person.
async fn write(mut client: Client, writer: u32, stop: Arc<AtomicBool>) -> Result<(u64, Vec<Answer>)> {
    let every = Duration::from_secs(1) * WRITERS / WRITES_PER_SECOND;
    let begun = Instant::now();
    let people: Vec<u32> = (WATCHED..2 * WATCHED).filter(|user| user % WRITERS == writer).collect();
    let mut last: HashMap<u32, (u64, Answer)> = HashMap::new();
    let mut writes = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        sleep_until(begun + every * writes).await;
        let user = people[writes as usize % people.len()];
        let is_busy = (writes as usize / people.len()).is_multiple_of(2);
        let answer = client.send(&Ask::patch(user, is_busy)).await?;
        let now = stamp(&answer)?;
        if let Some((before, _)) = last.insert(user, (now, answer)) {
            ensure!(before < now, "a change was stamped {now} after one that was stamped {before}");
        }
        writes += 1;
    }
    Ok((writes.into(), last.into_values().map(|(_, answer)| answer).collect()))
}

/// Makes sure that everybody who was written shows what was acknowledged last.
async fn all_there(address: SocketAddr, written: &[Answer]) -> Result<()> {
    let mut client = Client::connect(address).await?;
    for answer in written {
        let wrote = key(&answer.body).context("no presence was answered")?;
        let shown = client.send(&Ask::presence(wrote.0)).await?;
        ensure!(stamp(&shown)? >= wrote.1, "an acknowledged write is missing");
    }
    Ok(())
}

impl Found {
    fn figures(&self, crowd: u32) -> Vec<Figure> {
        let figure = |title: &str, value, unit| Figure::new(ROW, format!("{ROW}: {title}"), value, unit);
        let mut figures = Vec::new();
        for Jumped { what, drained, reads } in &self.jumps {
            let note = format!(
                "{:.0}/s; p50 {:.2} ms, slowest {:.1} ms",
                reads.per_second, reads.p50_ms, reads.max_ms
            );
            figures.push(figure(&format!("{what}, reads p99"), reads.p99_ms, "ms").note(note));
            if let Some(drained) = drained {
                let title = format!("{what}, until everything due was told");
                figures.push(
                    figure(&title, drained.as_secs_f64(), "s")
                        .target(Bound::AtMost(2.0))
                        .note(format!("{crowd} people with a session")),
                );
            }
        }
        figures.push(figure("looks at people who fade", self.looks as f64, "").note("none went back"));
        let all = "each stamped after the one before; all were there after a restart four minutes behind, and a \
                   start an hour behind was refused";
        figures.push(figure("writes", self.writes as f64, "").note(all));
        figures
    }
}
