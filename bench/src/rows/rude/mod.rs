//! Rude clients beside polite ones: what they cost those, how the server is rid of them, and what stays of
//! them.
//!
//! Polite clients read presences and keep sessions alive at a steady pace, before, during and after; if one
//! of them is refused the row fails. Rude ones come from another address, as if from another machine: that
//! there may be only so many connections of one address is their affair alone. Both run in this process, each
//! on a thread of their own, so that it is the server that the polite ones wait for; on the same cores as it.

pub(super) mod churn;
pub(super) mod header_bombs;
pub(super) mod idle;
pub(super) mod never_read;
pub(super) mod pipelined;
mod polite;
pub(super) mod slow_loris;

use std::collections::BTreeMap;
use std::fs;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use self::polite::Polite;
use crate::folder::write_people;
use crate::metrics::Metrics;
use crate::procfs;
use crate::reads::Took;
use crate::report::{Bound, Figure, Outcome, mebibytes};
use crate::rows::{Bench, Row};
use crate::server::{Server, serve};
use crate::stopwatch::Stopwatch;

/// Where rude clients come from. Polite ones come from 127.0.0.1.
const RUDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The people whom polite clients ask for.
const PEOPLE: u32 = 1_000;

/// The most files and sockets that a row has open, here or in the server.
const FILES_MAX: u64 = 12_000;

/// How long after the last of the rude ones everything must be as before.
const BACK_MAX: Duration = Duration::from_secs(30);

/// What counts as the memory of before: an allocator does not give back everything at once.
const BACK_BYTES: u64 = 8 * 1024 * 1024;

/// The server, as rude clients know it.
#[derive(Clone, Copy)]
pub(super) struct Scene {
    row: Row,
    address: SocketAddr,
    /// The server's process.
    process: u32,
    is_quick: bool,
    patience: Patience,
    /// How long something goes on that has no end of its own.
    lasts: Duration,
}

/// The server's limits that rude clients hit.
#[derive(Clone, Copy)]
struct Patience {
    head: Duration,
    answer: Duration,
    connections_per_address: u32,
}

impl Patience {
    /// Those of a server that is not configured otherwise.
    const USUAL: Patience = Patience {
        head: Duration::from_secs(30),
        answer: Duration::from_secs(60),
        connections_per_address: 10_000,
    };

    /// Less, for when it must be quick.
    const LITTLE: Patience = Patience {
        head: Duration::from_secs(3),
        answer: Duration::from_secs(4),
        connections_per_address: 500,
    };

    /// What a server's configuration file has to say for them.
    fn config(self) -> String {
        format!(
            "[limits]\nheader_time = \"PT{}S\"\nanswer_time = \"PT{}S\"\nconnections_per_address = {}\n",
            self.head.as_secs(),
            self.answer.as_secs(),
            self.connections_per_address
        )
    }
}

impl Scene {
    /// One number, or another one when it must be quick.
    fn either(self, full: u32, quick: u32) -> u32 {
        if self.is_quick { quick } else { full }
    }

    /// A connection of a rude client.
    async fn connect(self) -> Result<TcpStream> {
        self.connect_from(RUDE).await
    }

    /// A connection from this address of this machine.
    async fn connect_from(self, from: Ipv4Addr) -> Result<TcpStream> {
        let socket = TcpSocket::new_v4().context("failed to make a socket")?;
        self.connect_by(socket, from).await
    }

    async fn connect_by(self, socket: TcpSocket, from: Ipv4Addr) -> Result<TcpStream> {
        socket.bind((from, 0).into()).with_context(|| format!("failed to take a port of {from}"))?;
        let stream = socket.connect(self.address).await.context("failed to connect")?;
        stream.set_nodelay(true).context("failed to turn off Nagle's algorithm")?;
        Ok(stream)
    }

    /// What the server holds now, in bytes.
    fn memory(self) -> Result<u64> {
        procfs::memory(self.process)
    }

    /// What it holds once that has stopped moving. The polite ones go on meanwhile.
    async fn settled_memory(self) -> Result<u64> {
        let looking = tokio::task::spawn_blocking(move || procfs::settled_memory(self.process));
        looking.await.context("nobody could look at the memory")?
    }

    /// How many connections the server has.
    async fn connections(self) -> Result<f64> {
        Metrics::of(self.address).await?.value("porchlight_connections")
    }

    fn figure(self, title: &str, value: f64, unit: &'static str) -> Figure {
        let row = self.row.name();
        Figure::new(row, format!("{row}: {title}"), value, unit)
    }
}

/// Starts a server, and lets rude clients come while polite ones are at work.
pub(super) fn beside(
    bench: &Bench,
    row: Row,
    rude: impl AsyncFnOnce(Scene) -> Result<Vec<Figure>>,
) -> Result<Outcome> {
    allow_files()?;
    let folder = bench.folder()?;
    let (data, seed) = write_people(&bench.runtime, folder.path(), PEOPLE)?;
    let is_quick = bench.scale.quick;
    let patience = if is_quick { Patience::LITTLE } else { Patience::USUAL };
    let config = folder.path().join("porchlight.toml");
    fs::write(&config, patience.config()).with_context(|| format!("failed to write {}", config.display()))?;
    let mut command = serve(&bench.porchlight, Some(&seed));
    command.arg("--dev").arg("--data").arg(&data).arg("--config").arg(&config);
    let server = Server::start(&mut command).context("failed to start porchlight")?;
    bench.runtime.block_on(server.restored(PEOPLE))?;
    let lasts = Duration::from_secs(bench.scale.seconds.into()) * 2;
    let (address, process) = (server.address(), server.id());
    let scene = Scene { row, address, process, is_quick, patience, lasts };
    let figures = bench.runtime.block_on(watch(scene, rude))?;
    server.stop()?;
    Ok(Outcome { compared: vec![], figures })
}

/// Lets this process, and the servers that it starts, have as many files open as are needed.
fn allow_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    ensure!(
        limit.maximum.is_none_or(|most| most >= FILES_MAX),
        "a process may have {limit:?} files open here; {FILES_MAX} are needed: `ulimit -n {FILES_MAX}` as root"
    );
    let all = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, all).context("failed to be allowed more open files")
}

/// What rude clients found, how polite ones fared, and what stayed.
async fn watch(scene: Scene, rude: impl AsyncFnOnce(Scene) -> Result<Vec<Figure>>) -> Result<Vec<Figure>> {
    let mut polite = Polite::start(scene.address).await?;
    sleep(Duration::from_secs(1)).await;
    polite.lap();
    sleep(scene.lasts).await;
    let before = polite.lap();
    let (connections, memory) = (scene.connections().await?, scene.settled_memory().await?);
    polite.lap();
    let mut figures = rude(scene).await?;
    let during = polite.lap();
    let kept = Kept::until_back(scene, connections, memory).await?;
    polite.lap();
    sleep(scene.lasts).await;
    let after = polite.lap();
    polite.stop().await?;

    figures.push(beside_it(scene, "reads beside", [before.reads, during.reads, after.reads]));
    let keep_alives = [before.keep_alives, during.keep_alives, after.keep_alives];
    figures.push(beside_it(scene, "keep-alives beside", keep_alives));
    figures.extend(kept.figures(scene));
    Ok(figures)
}

fn beside_it(scene: Scene, what: &str, [before, during, after]: [Took; 3]) -> Figure {
    let text = |took: Took| format!("{:.2} / {:.2} / {:.1}", took.p50_ms, took.p99_ms, took.max_ms);
    let note = format!(
        "{:.0}/s; p50 / p99 / slowest before {}, meanwhile {}, after {}; \
         p99 meanwhile from when they were sent {:.2}",
        during.per_second,
        text(before),
        text(during),
        text(after),
        during.sent_p99_ms
    );
    scene.figure(&format!("{what}, p99 meanwhile"), during.p99_ms, "ms").note(note)
}

/// What stays of rude clients when they have gone.
struct Kept {
    connections: f64,
    bytes: u64,
    after: Duration,
}

impl Kept {
    /// Waits until everything is as before, or for [`BACK_MAX`].
    async fn until_back(scene: Scene, connections: f64, memory: u64) -> Result<Kept> {
        let waiting = Stopwatch::start();
        loop {
            let kept = Kept {
                connections: scene.connections().await? - connections,
                bytes: scene.memory()?.saturating_sub(memory),
                after: waiting.elapsed(),
            };
            if (kept.connections <= 0.0 && kept.bytes <= BACK_BYTES) || kept.after > BACK_MAX {
                return Ok(kept);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn figures(&self, scene: Scene) -> [Figure; 2] {
        let after = format!("{:.1} s after the last of them", self.after.as_secs_f64());
        [
            scene
                .figure("connections that stay", self.connections.max(0.0), "")
                .target(Bound::AtMost(0.0))
                .note(after.clone()),
            scene
                .figure("memory that stays", mebibytes(self.bytes), "MiB")
                .target(Bound::AtMost(mebibytes(BACK_BYTES)))
                .note(after),
        ]
    }
}

/// Sends all of this, as far as the server takes it, and says how the server ended the connection.
async fn throw(mut stream: TcpStream, bytes: &[u8]) -> String {
    let (mut reader, mut writer) = stream.split();
    let writing = async {
        // What is not taken is not the point.
        writer.write_all(bytes).await.ok();
        pending::<()>().await;
    };
    tokio::select! {
        () = writing => unreachable!("it never ends"),
        end = end_of(&mut reader) => end,
    }
}

/// How the server ended a connection: by an answer, whose status it is, or `closed` or `reset` without one.
/// `kept`: it has not within two minutes.
async fn end_of(reader: &mut (impl AsyncRead + Unpin)) -> String {
    const PATIENCE: Duration = Duration::from_secs(120);
    let mut said = Vec::new();
    let ended = timeout(PATIENCE, reader.read_to_end(&mut said)).await;
    match (String::from_utf8_lossy(&said).split(' ').nth(1), ended) {
        (_, Err(_)) => "kept".to_owned(),
        (Some(status), _) => status.to_owned(),
        (None, Ok(Ok(_))) => "closed".to_owned(),
        (None, Ok(Err(_))) => "reset".to_owned(),
    }
}

/// How often which end came, for people.
fn tally(ends: &[String]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for end in ends {
        *counts.entry(end).or_default() += 1;
    }
    let texts: Vec<String> = counts.iter().map(|(end, count)| format!("{count} {end}")).collect();
    texts.join(", ")
}

/// Reads one answer to its end; any but 200 is an error.
async fn good_answer(stream: &mut TcpStream) -> Result<()> {
    let mut read = Vec::with_capacity(4096);
    loop {
        let more = stream.read_buf(&mut read).await.context("failed to read an answer")?;
        ensure!(more > 0, "the connection ended before its answer had come");
        let Some((status, bytes)) = head_of(&read) else { continue };
        ensure!(status == "200", "a request was answered with {status}");
        if read.len() >= bytes {
            return Ok(());
        }
    }
}

/// The status of an answer whose head has come, and how many bytes it has with its body.
fn head_of(read: &[u8]) -> Option<(&str, usize)> {
    let end = read.windows(4).position(|at| at == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&read[..end]).ok()?;
    let status = head.split(' ').nth(1)?;
    let length = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    };
    Some((status, end + head.lines().find_map(length)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_its_head() {
        let read = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nx: y\r\n\r\nab";
        assert_eq!(head_of(read), Some(("200", read.len() + 1)));
        assert_eq!(head_of(&read[..20]), None);
    }

    #[test]
    fn ends_are_counted() {
        let ends = ["431", "closed", "431"].map(str::to_owned);
        assert_eq!(tally(&ends), "2 431, 1 closed");
    }

    #[tokio::test]
    async fn an_end_is_told_by_the_answer_before_it() {
        assert_eq!(end_of(&mut &b"HTTP/1.1 408 Request Timeout\r\n\r\n"[..]).await, "408");
        assert_eq!(end_of(&mut &b""[..]).await, "closed");
    }
}
