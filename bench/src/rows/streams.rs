//! Many open streams of the whole tenant: what each costs while nothing happens, and how soon all of them are
//! told.
//!
//! The readers run in this process, on one thread and on the same cores as the server: what they take to read
//! is in every figure.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::client::Client;
use crate::report::{Bound, Figure, Outcome};
use crate::requests::{AUTHORIZATION, Ask, user_of};
use crate::rows::Bench;
use crate::server::Server;
use crate::spread::{percentile, sorted};
use crate::stopwatch::Stopwatch;

const ROW: &str = "streams";

/// How long a stream may take to begin, and to deliver what is outstanding at the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections that the changes come over: one alone would wait for the disk too often.
const WRITERS: u32 = 16;

/// Many streams of what changes seldom, or few of what changes often: as many deliveries per second.
#[derive(Clone, Copy)]
struct Shape {
    streams: u32,
    changes_per_second: u32,
}

impl Shape {
    /// Those that are measured, of which the first has `streams`.
    fn all(streams: u32) -> [Shape; 3] {
        let shape = |share, changes_per_second| Shape { streams: streams / share, changes_per_second };
        [shape(1, 20), shape(5, 100), shape(25, 500)]
    }

    /// The people who are followed; each stream begins by telling of all of them. Nobody changes more than
    /// once a second: a state that was over before it was told is left out.
    fn people(self) -> u32 {
        self.changes_per_second.max(100)
    }

    fn deliveries_per_second(self) -> f64 {
        f64::from(self.streams) * f64::from(self.changes_per_second)
    }
}

/// One delivery or one change: whose, with which sequence number.
pub(super) type Key = (u32, u64);

/// Measures a held read, and then streams in all shapes.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let shapes = Shape::all(bench.scale.streams);
    let mut figures = Vec::new();
    for (index, shape) in shapes.into_iter().enumerate() {
        let folder = bench.folder()?;
        let server = bench.start_with_people(folder.path(), shape.people())?;
        if index == 0 {
            figures.push(held_read(bench, &server)?);
        }
        let found = follow(&server, shape, bench.scale.seconds * 2);
        let found = LocalSet::new().block_on(&bench.runtime, found)?;
        server.stop()?;
        figures.extend(found.figures(shape));
    }
    Ok(Outcome { compared: vec![], figures })
}

/// How soon a read is answered that waits for a write.
fn held_read(bench: &Bench, server: &Server) -> Result<Figure> {
    let waited = bench.runtime.block_on(wait(server.address()))?;
    let title = "Prefer: wait, write answered to held read answered, slowest";
    Ok(Figure::new(ROW, title, percentile(&waited, 1.0), "ms").target(Bound::AtMost(50.0)).note(format!(
        "{} reads; p50 {:.2} ms",
        waited.len(),
        percentile(&waited, 0.5)
    )))
}

/// How long after a write was answered a read was that waited for it, in milliseconds, in increasing order.
async fn wait(address: SocketAddr) -> Result<Vec<f64>> {
    const ROUNDS: u32 = 200;
    let (mut reader, mut writer) = (Client::connect(address).await?, Client::connect(address).await?);
    let mut waited = Vec::new();
    for round in 0..ROUNDS {
        let ask = Ask::next_presence(0);
        let held = async {
            let answer = reader.send(&ask).await;
            (answer, Instant::now())
        };
        let written = async {
            // For the read to be held by then.
            sleep(Duration::from_millis(10)).await;
            let answer = writer.send(&Ask::patch(0, round.is_multiple_of(2))).await;
            (answer, Instant::now())
        };
        let ((held, read), (written, wrote)) = tokio::join!(held, written);
        let (held, written) = (held?, written?);
        let key_of = |body: &[u8]| key(body).context("no presence was answered");
        ensure!(key_of(&held.body)? == key_of(&written.body)?, "the held read shows something else");
        waited.push(read.saturating_duration_since(wrote).as_secs_f64() * 1e3);
    }
    Ok(sorted(waited))
}

struct Found {
    /// Of all streams, once they had been told everything.
    idle_memory: u64,
    per_second: f64,
    cpu_micros: f64,
    /// From write to delivery, in increasing order.
    millis: Vec<f64>,
}

impl Found {
    fn figures(&self, shape: Shape) -> Vec<Figure> {
        let Shape { streams, changes_per_second } = shape;
        let figure = |what: &str, value, unit| {
            let title = format!("{streams} streams, {changes_per_second} changes/s: {what}");
            Figure::new(ROW, title, value, unit)
        };
        let (p50, max) = (percentile(&self.millis, 0.5), percentile(&self.millis, 1.0));
        vec![
            figure("memory per idle stream", self.idle_memory as f64 / f64::from(streams), "B").note(
                format!(
                    "of {} people, with its connection; once all had been told everything",
                    shape.people()
                ),
            ),
            figure("deliveries per second", self.per_second, "")
                .target(Bound::AtLeast(shape.deliveries_per_second() * 0.99))
                .note(format!("server CPU {:.1} µs each", self.cpu_micros)),
            figure("write sent to event read, p99", percentile(&self.millis, 0.99), "ms")
                .target(Bound::AtMost(10.0))
                .note(format!("p50 {p50:.2} ms, slowest {max:.1} ms")),
        ]
    }
}

/// What all readers have read, and when.
pub(super) type Delivered = Rc<RefCell<Vec<(Key, Instant)>>>;

async fn follow(server: &Server, shape: Shape, seconds: u32) -> Result<Found> {
    let empty = server.settled_memory()?;
    let delivered = Delivered::default();
    for _ in 0..shape.streams {
        let stream = timeout(PATIENCE, open(server.address())).await.context("a stream did not begin")??;
        tokio::task::spawn_local(read(stream, Rc::clone(&delivered)));
    }
    delivered.borrow_mut().clear();
    let idle_memory = server.settled_memory()?.saturating_sub(empty);
    let (cpu, begun) = (server.cpu_seconds()?, Stopwatch::start());
    let written = write_all(server.address(), shape, seconds).await?;
    let expected = written.len() * shape.streams as usize;
    let waiting = Stopwatch::start();
    while delivered.borrow().len() < expected && waiting.elapsed() < PATIENCE {
        sleep(Duration::from_millis(1)).await;
    }
    let took = begun.elapsed().as_secs_f64();
    let cpu = server.cpu_seconds()? - cpu;
    let delivered = delivered.borrow();
    ensure!(delivered.len() == expected, "{} of {expected} deliveries came", delivered.len());
    let since = |(key, at): &(Key, Instant)| {
        let sent = written.get(key).context("something was told that nobody wrote")?;
        Ok((*at - *sent).as_secs_f64() * 1e3)
    };
    let millis = delivered.iter().map(since).collect::<Result<Vec<f64>>>()?;
    Ok(Found {
        idle_memory,
        per_second: expected as f64 / took,
        cpu_micros: cpu * 1e6 / expected as f64,
        millis: sorted(millis),
    })
}

/// Opens a stream of everybody, and reads it until everything has been told.
pub(super) async fn open(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await.context("failed to connect")?;
    let request = format!(
        "GET /v1.0/communications/presences HTTP/1.1\r\nHost: {address}\r\nAuthorization: {AUTHORIZATION}\r\n\
         Accept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.context("failed to ask for a stream")?;
    let mut seen = Vec::new();
    while !has(&seen, b"event: current") {
        ensure!(stream.read_buf(&mut seen).await.context("failed to read")? > 0, "a stream has ended");
    }
    Ok(stream)
}

/// Notes every presence that comes. It looks for two members of each and at nothing else, since it takes its
/// time from the server's.
pub(super) async fn read(mut stream: TcpStream, delivered: Delivered) -> Result<()> {
    let mut unread = Vec::new();
    loop {
        if stream.read_buf(&mut unread).await? == 0 {
            return Ok(());
        }
        let at = Instant::now();
        // A piece ends with an empty line, and its chunk with a line break.
        if unread.ends_with(b"\n\n\r\n") {
            delivered.borrow_mut().extend(keys(&unread).map(|key| (key, at)));
            unread.clear();
        }
    }
}

/// Changes one person after another, over all connections in turn. Says when which change was sent.
async fn write_all(address: SocketAddr, shape: Shape, seconds: u32) -> Result<HashMap<Key, Instant>> {
    let begun = Instant::now();
    let mut writers = Vec::new();
    for first in 0..WRITERS {
        let numbers = (first..shape.changes_per_second * seconds).step_by(WRITERS as usize);
        writers.push(tokio::task::spawn_local(write(address, shape, begun, numbers)));
    }
    let mut written = HashMap::new();
    for writer in writers {
        written.extend(writer.await??);
    }
    Ok(written)
}

/// One connection's part of the changes.
async fn write(
    address: SocketAddr,
    shape: Shape,
    begun: Instant,
    numbers: impl Iterator<Item = u32>,
) -> Result<Vec<(Key, Instant)>> {
    let mut client = Client::connect(address).await?;
    let (every, people) = (Duration::from_secs(1) / shape.changes_per_second, shape.people());
    let mut written = Vec::new();
    for number in numbers {
        sleep_until(begun + every * number).await;
        let sent = Instant::now();
        let answer = client.send(&Ask::patch(number % people, (number / people).is_multiple_of(2))).await?;
        written.push((key(&answer.body).context("a PATCH was not answered with a presence")?, sent));
    }
    Ok(written)
}

/// Whose presence this is, and its sequence number.
pub(super) fn key(text: &[u8]) -> Option<Key> {
    keys(text).next()
}

/// The same of all presences in a text, in their order.
fn keys(text: &[u8]) -> impl Iterator<Item = Key> {
    const ID: &[u8] = b"\"id\":\"";
    const NUMBER: &[u8] = b"\"sequenceNumber\":\"A";
    let (ids, numbers) = (memmem::find_iter(text, ID), memmem::find_iter(text, NUMBER));
    ids.zip(numbers).filter_map(|(id, number)| {
        let id = str::from_utf8(text.get(id + ID.len()..)?.get(..36)?).ok()?;
        let number = str::from_utf8(text.get(number + NUMBER.len()..)?.get(..14)?).ok()?;
        Some((user_of(id)?, number.parse().ok()?))
    })
}

fn has(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|at| at == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_presence_is_told_by_user_and_number() {
        let text =
            r#"data: {"id":"9e3779b1-0000-4000-8000-000000000001","sequenceNumber":"A00000000000042"}"#;
        assert_eq!(key(text.as_bytes()), Some((1, 42)));
        assert_eq!(key(text.replace("9e3779b1", "9e3779b2").as_bytes()), None);
        assert_eq!(key(b"data: {}"), None);
        let two = format!("{text}\n\n{}", text.replace("42", "43"));
        assert_eq!(keys(two.as_bytes()).collect::<Vec<Key>>(), [(1, 42), (1, 43)]);
    }
}
