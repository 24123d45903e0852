//! Many open streams of the whole tenant: what each costs while nothing happens, and how soon all of them are told.
//!
//! The readers run in this process, on one thread and on the same cores as the server: what they take to read is in
//! every figure.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::client::Client;
use crate::folder::{Fading, write_seed, write_users};
use crate::report::{Bound, Figure, Outcome};
use crate::requests::{AUTHORIZATION, Ask, user_id};
use crate::rows::Bench;
use crate::server::Server;
use crate::spread::{percentile, sorted};
use crate::stopwatch::{self, Stopwatch};

const ROW: &str = "streams";

/// The people who are followed; each stream begins by telling of all of them.
const PEOPLE: u32 = 100;

/// Changes per second.
const CHANGES_PER_SECOND: u32 = 20;

/// How long a stream may take to begin, and to deliver what is outstanding at the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// One delivery or one change: whose, with which sequence number.
pub(super) type Key = (u32, u64);

/// Opens the streams, makes changes, and stops the server.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let (streams, seconds) = (bench.scale.streams, bench.scale.seconds * 2);
    let folder = bench.folder()?;
    let (data, seed) = (folder.path().join("data"), folder.path().join("users.yaml"));
    let now = stopwatch::wall();
    let fading =
        Fading { first: now.plus(Duration::from_secs(2 * 60 * 60)), over: Duration::from_secs(60 * 60) };
    write_users(&bench.runtime, &data, PEOPLE, now, fading)?;
    write_seed(&seed, PEOPLE)?;
    let server = bench.start(&data, Some(&seed))?;
    bench.runtime.block_on(server.restored(PEOPLE))?;
    let empty = server.settled_memory()?;
    let waited = bench.runtime.block_on(wait(server.address()))?;
    let found = LocalSet::new().block_on(&bench.runtime, follow(&server, streams, seconds))?;
    server.stop()?;

    let figure = |title: String, value: f64, unit, target, note: String| Figure {
        row: ROW,
        title,
        value,
        unit,
        target,
        note,
    };
    let asked = f64::from(streams) * f64::from(CHANGES_PER_SECOND);
    Ok(Outcome {
        compared: vec![],
        figures: vec![
            figure(
                "Prefer: wait, write answered to held read answered, slowest".to_owned(),
                percentile(&waited, 1.0),
                "ms",
                Some(Bound::AtMost(50.0)),
                format!("{} reads; p50 {:.2} ms", waited.len(), percentile(&waited, 0.5)),
            ),
            figure(
                format!("memory per idle stream, {streams} streams of everybody"),
                (found.idle_memory.saturating_sub(empty)) as f64 / f64::from(streams),
                "B",
                None,
                "with its connection; once all had been told everything".to_owned(),
            ),
            figure(
                "deliveries per second".to_owned(),
                found.per_second,
                "",
                Some(Bound::AtLeast(asked * 0.99)),
                format!("{CHANGES_PER_SECOND} changes/s; server CPU {:.1} µs each", found.cpu_micros),
            ),
            figure(
                "write sent to event read, p50".to_owned(),
                percentile(&found.millis, 0.5),
                "ms",
                None,
                String::new(),
            ),
            figure(
                "write sent to event read, p99".to_owned(),
                percentile(&found.millis, 0.99),
                "ms",
                None,
                String::new(),
            ),
            figure(
                "write sent to event read, slowest".to_owned(),
                percentile(&found.millis, 1.0),
                "ms",
                None,
                String::new(),
            ),
        ],
    })
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
        let key_of = |body: &[u8]| key(&String::from_utf8_lossy(body)).context("no presence was answered");
        ensure!(key_of(&held.body)? == key_of(&written.body)?, "the held read shows something else");
        waited.push(read.saturating_duration_since(wrote).as_secs_f64() * 1e3);
    }
    Ok(sorted(waited))
}

struct Found {
    idle_memory: u64,
    per_second: f64,
    cpu_micros: f64,
    /// From write to delivery, in increasing order.
    millis: Vec<f64>,
}

/// What all readers have read, and when.
pub(super) type Delivered = Rc<RefCell<Vec<(Key, Instant)>>>;

async fn follow(server: &Server, streams: u32, seconds: u32) -> Result<Found> {
    let delivered = Delivered::default();
    for _ in 0..streams {
        let stream = timeout(PATIENCE, open(server.address())).await.context("a stream did not begin")??;
        tokio::task::spawn_local(read(stream, Rc::clone(&delivered)));
    }
    delivered.borrow_mut().clear();
    let idle_memory = server.settled_memory()?;
    let (cpu, begun) = (server.cpu_seconds()?, Stopwatch::start());
    let written = write(server.address(), CHANGES_PER_SECOND * seconds).await?;
    let expected = written.len() * streams as usize;
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

/// Notes every presence that comes.
pub(super) async fn read(mut stream: TcpStream, delivered: Delivered) -> Result<()> {
    let mut unread = Vec::new();
    loop {
        if stream.read_buf(&mut unread).await? == 0 {
            return Ok(());
        }
        let at = Instant::now();
        let keys: Vec<Key> = match std::str::from_utf8(&unread) {
            // A piece ends with an empty line, and its chunk with a line break.
            Ok(text) if text.ends_with("\n\n\r\n") => text.split("event: presence").filter_map(key).collect(),
            _ => continue,
        };
        delivered.borrow_mut().extend(keys.into_iter().map(|key| (key, at)));
        unread.clear();
    }
}

/// Changes one person after another. Says when which change was sent.
async fn write(address: SocketAddr, changes: u32) -> Result<HashMap<Key, Instant>> {
    let mut client = Client::connect(address).await?;
    let every = Duration::from_secs(1) / CHANGES_PER_SECOND;
    let begun = Instant::now();
    let mut written = HashMap::new();
    for number in 0..changes {
        sleep_until(begun + every * number).await;
        let sent = Instant::now();
        let answer = client.send(&Ask::patch(number % PEOPLE, (number / PEOPLE).is_multiple_of(2))).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        written.insert(key(&text).context("a PATCH was not answered with a presence")?, sent);
    }
    Ok(written)
}

/// Whose presence this is, and its sequence number.
pub(super) fn key(text: &str) -> Option<Key> {
    let id = text.split_once("\"id\":\"")?.1.get(..36)?;
    let number = text.split_once("\"sequenceNumber\":\"A")?.1.get(..14)?;
    let user = u32::from_str_radix(id.get(24..)?, 16).ok().filter(|user| user_id(*user) == id)?;
    Some((user, number.parse().ok()?))
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
        assert_eq!(key(text), Some((1, 42)));
        assert_eq!(key(&text.replace("9e3779b1", "9e3779b2")), None);
        assert_eq!(key("data: {}"), None);
    }
}
