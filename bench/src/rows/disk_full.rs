//! A disk that is full for a while: reads go on, writes are refused, and nothing that was acknowledged is
//! missing.
//!
//! The data folder is on a small disk in memory, so that nobody else is kept from writing. What such a disk
//! confirms costs nothing: how long a write takes here says nothing of a real one.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::Client;
use crate::folder::write_people;
use crate::reads::{Reads, Took};
use crate::report::{Bound, Figure, Outcome};
use crate::requests::Ask;
use crate::rows::Bench;
use crate::spread::{percentile, sorted};

const ROW: &str = "disk-full";

/// How large the disk is, as `mount` takes it.
const SIZE: &str = "size=48m";

const PEOPLE: u32 = 1_000;
const READS_PER_SECOND: u32 = 2_000;
const WRITES_PER_SECOND: u32 = 500;

/// Connections that the writes come over. While the disk is full each of them may wait ten seconds for an
/// answer.
const WRITERS: u32 = 32;

/// How long writes may take to go on when there is room again.
const ROOM_MAX: Duration = Duration::from_secs(30);

/// Fills the disk, makes room, kills the server, and looks what it has kept.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let disk = Disk::mount(bench.folder()?)?;
    let (data, seed) = write_people(&bench.runtime, disk.path(), PEOPLE)?;
    let server = bench.start(&data, Some(&seed))?;
    bench.runtime.block_on(server.restored(PEOPLE))?;
    let calm = Duration::from_secs(bench.scale.seconds.into());
    let found = bench.runtime.block_on(go_through(server.address(), disk.path(), calm))?;
    server.kill();

    let server = bench.start(&data, Some(&seed))?;
    bench.runtime.block_on(server.restored(PEOPLE))?;
    let missing = bench.runtime.block_on(missing(server.address(), &found.writes))?;
    server.stop()?;
    Ok(Outcome { compared: vec![], figures: found.figures(missing)? })
}

/// A small disk in memory, for as long as the value lives.
struct Disk(TempDir);

impl Disk {
    fn mount(folder: TempDir) -> Result<Disk> {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(folder.path()).output();
        let mount = mount.context("failed to run mount")?;
        ensure!(
            mount.status.success(),
            "only root can mount a disk in memory: {}",
            String::from_utf8_lossy(&mount.stderr).trim()
        );
        Ok(Disk(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, since a server that is being killed may still have files open there.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// One write, and what was answered.
struct Write {
    user: u32,
    /// Those of one user count up.
    number: u64,
    sent: Instant,
    answered: Instant,
    status: u16,
}

impl Write {
    fn is_kept(&self) -> bool {
        self.status == 200
    }
}

struct Found {
    reads_before: Took,
    reads_while_full: Took,
    reads_after: Took,
    full: Instant,
    room: Instant,
    writes: Vec<Write>,
}

/// Reads and writes while the disk is as it was, full, and as it was again.
async fn go_through(address: SocketAddr, disk: &Path, calm: Duration) -> Result<Found> {
    let ballast = disk.join("ballast");
    let mut reads = Reads::start(address, READS_PER_SECOND, PEOPLE).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let client = Client::connect(address).await?;
        writers.push(tokio::spawn(write(client, number, begun, Arc::clone(&stop))));
    }
    sleep(calm).await;
    let (full, reads_before) = (Instant::now(), reads.lap());
    // The log gives room back now and then, by writing anew what it has.
    while full.elapsed() < calm * 2 {
        let ballast = ballast.clone();
        tokio::task::spawn_blocking(move || fill(&ballast)).await.context("the disk was not filled")??;
        sleep(Duration::from_millis(50)).await;
    }
    let reads_while_full = reads.lap();
    fs::remove_file(&ballast).context("failed to make room")?;
    let room = Instant::now();
    until_kept(address, room).await?;
    sleep(calm).await;
    stop.store(true, Ordering::Relaxed);
    let mut writes = Vec::new();
    for writer in writers {
        writes.extend(writer.await.context("a writer has died")??);
    }
    let reads_after = reads.stop().await?;
    Ok(Found { reads_before, reads_while_full, reads_after, full, room, writes })
}

/// Writes into a file until nothing more fits on its disk.
fn fill(path: &Path) -> Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let mut file = file.with_context(|| format!("failed to open {}", path.display()))?;
    for bytes in [1024 * 1024, 1] {
        let piece = vec![7; bytes];
        loop {
            match file.write_all(&piece) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => {
                    return Err(error).with_context(|| format!("failed to write {}", path.display()));
                }
            }
        }
    }
    Ok(())
}

/// Waits until somebody's write is kept.
async fn until_kept(address: SocketAddr, room: Instant) -> Result<()> {
    let mut client = Client::connect(address).await?;
    // Nobody else writes this person.
    while client.try_send(&Ask::set_presence(PEOPLE - 1)).await?.status != 200 {
        ensure!(room.elapsed() < ROOM_MAX, "no write is kept {ROOM_MAX:?} after there was room again");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Writes for one share of the people, at one share of the pace, until it is told to stop.
async fn write(mut client: Client, writer: u32, begun: Instant, stop: Arc<AtomicBool>) -> Result<Vec<Write>> {
    let every = Duration::from_secs(1) * WRITERS / WRITES_PER_SECOND;
    let mut due = begun + every * writer / WRITERS;
    let mut writes = Vec::new();
    // All but the last person, who is written by nobody here.
    let people = (0..PEOPLE - 1).filter(|user| user % WRITERS == writer).cycle();
    for (user, number) in people.zip(1..) {
        sleep_until(due).await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let sent = Instant::now();
        let status = client.try_send(&Ask::say(user, &format!("{number:0>200}"))).await?.status.as_u16();
        writes.push(Write { user, number, sent, answered: Instant::now(), status });
        // Whoever was kept waiting does not make up for it.
        due = (due + every).max(sent);
    }
    Ok(writes)
}

/// How many people show less than what was acknowledged last, or something that was never said.
async fn missing(address: SocketAddr, writes: &[Write]) -> Result<usize> {
    let mut people: HashMap<u32, (u64, u64)> = HashMap::new();
    for write in writes {
        let (kept, said) = people.entry(write.user).or_default();
        *said = (*said).max(write.number);
        if write.is_kept() {
            *kept = (*kept).max(write.number);
        }
    }
    let mut client = Client::connect(address).await?;
    let mut missing = 0;
    for (user, (kept, said)) in people {
        let answer = client.send(&Ask::presence(user)).await?;
        let presence: Value = serde_json::from_slice(&answer.body).context("a presence is not JSON")?;
        let text = presence["statusMessage"]["message"]["content"].as_str().unwrap_or("0");
        let shown: u64 = text.parse().with_context(|| format!("a person says {text}"))?;
        missing += usize::from(!(kept..=said).contains(&shown));
    }
    Ok(missing)
}

impl Found {
    fn figures(&self, missing: usize) -> Result<Vec<Figure>> {
        let figure = |title: &str, value, unit| Figure::new(ROW, format!("{ROW}: {title}"), value, unit);
        let took = |took: Took| format!("{:.2} / {:.2} / {:.1}", took.p50_ms, took.p99_ms, took.max_ms);
        let reads = format!(
            "{:.0}/s; p50 / p99 / slowest before {}, meanwhile {}, after {}",
            self.reads_while_full.per_second,
            took(self.reads_before),
            took(self.reads_while_full),
            took(self.reads_after)
        );
        let (refused, statuses) = self.while_full()?;
        let kept = self.writes.iter().filter(|write| write.is_kept());
        let kept_count = kept.clone().count();
        let went_on = kept.filter(|write| write.answered > self.room).map(|write| write.answered).min();
        let went_on = went_on.context("no write was kept after there was room again")? - self.room;
        Ok(vec![
            figure("reads meanwhile, p99", self.reads_while_full.p99_ms, "ms").note(reads),
            figure("writes refused meanwhile, slowest answer", percentile(&refused, 1.0), "ms")
                .note(format!("p99 {:.1} ms; {statuses}", percentile(&refused, 0.99))),
            figure("from room on the disk to the first write that was kept", went_on.as_secs_f64(), "s")
                .target(Bound::AtMost(3.0)),
            figure("people whose acknowledged write is missing after kill -9", missing as f64, "")
                .target(Bound::AtMost(0.0))
                .note(format!("{kept_count} writes were acknowledged")),
        ])
    }

    /// How long refusals took in milliseconds, in increasing order, and what was answered while the disk was
    /// full.
    fn while_full(&self) -> Result<(Vec<f64>, String)> {
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for write in &self.writes {
            ensure!(
                write.is_kept() || write.answered > self.full,
                "a write was refused before the disk was full: {}",
                write.status
            );
            if (self.full..self.room).contains(&write.sent) {
                *statuses.entry(write.status).or_default() += 1;
            }
        }
        let others: Vec<u16> =
            statuses.keys().copied().filter(|status| ![200, 503].contains(status)).collect();
        ensure!(others.is_empty(), "writes to a full disk were answered with {others:?}");
        ensure!(statuses.contains_key(&503), "no write was refused: the disk was not full");
        let refused = self.writes.iter().filter(|write| !write.is_kept());
        let millis = refused.map(|write| (write.answered - write.sent).as_secs_f64() * 1e3);
        let texts: Vec<String> =
            statuses.iter().map(|(status, count)| format!("{count} of {status}")).collect();
        Ok((sorted(millis), texts.join(", ")))
    }
}
