//! How soon a write on one node of a cluster shows on another.
//!
//! Two things are waited for on the other node: a read that shows the write, asked for again and again over one
//! connection from when the write is sent, and its event on a stream. Both count from when the write is sent. Writer,
//! reader and stream are one thread of this process, on the same cores as the nodes and NATS.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::client::{Answer, Client};
use crate::folder::write_seed;
use crate::nats::{Servers, SyncInterval};
use crate::report::{Figure, Outcome};
use crate::requests::Ask;
use crate::rows::Bench;
use crate::rows::streams::{self, Delivered, Key};
use crate::spread::{percentile, sorted};

/// The time between two writes.
const EVERY: Duration = Duration::from_millis(20);

/// How long a write may take to show.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two nodes, over one server and over three.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let mut figures = Vec::new();
    for servers in [1, 3] {
        let found = measure_over(bench, servers)?;
        figures.extend(found.figures(servers));
    }
    Ok(Outcome { compared: vec![], figures })
}

fn measure_over(bench: &Bench, servers: usize) -> Result<Found> {
    let folder = bench.folder()?;
    let servers = Servers::start(folder.path(), servers, SyncInterval::Always)?;
    let seed = folder.path().join("users.yaml");
    write_seed(&seed, 1)?;
    let nodes = bench.start_nodes(&servers, 2, &seed)?;
    let watched = watch(nodes[0].address(), nodes[1].address(), bench.scale.propagations);
    let found = LocalSet::new().block_on(&bench.runtime, watched)?;
    for node in nodes {
        node.stop()?;
    }
    Ok(found)
}

/// Times since writes were sent, in milliseconds and in increasing order.
struct Found {
    /// When they were answered.
    answered: Vec<f64>,
    /// When a read on the other node showed them.
    visible: Vec<f64>,
    /// When a stream of the other node told of them.
    told: Vec<f64>,
}

impl Found {
    fn figures(&self, servers: usize) -> Vec<Figure> {
        let among = format!("{} writes, one each {EVERY:?}; {servers} NATS, sync always", self.visible.len());
        let answered = |of: f64| format!("its own answer took {:.2} ms", percentile(&self.answered, of));
        let figure = |what: &str, millis: &[f64], share: &str, of| {
            let title = format!("write on A sent to {what} on B, {servers} NATS, {share}");
            Figure::new("propagation", title, percentile(millis, of), "ms")
        };
        vec![
            figure("visible", &self.visible, "p50", 0.5).note(answered(0.5)),
            figure("visible", &self.visible, "p99", 0.99).note(answered(0.99)),
            figure("event", &self.told, "p50", 0.5).note(among),
            figure("event", &self.told, "p99", 0.99),
        ]
    }
}

async fn watch(writer: SocketAddr, reader: SocketAddr, writes: u32) -> Result<Found> {
    let told = Delivered::default();
    let stream = timeout(PATIENCE, streams::open(reader)).await.context("the stream did not begin")??;
    tokio::task::spawn_local(streams::read(stream, Rc::clone(&told)));
    let (mut writer, mut reader) = (Client::connect(writer).await?, Client::connect(reader).await?);
    let mut shown = key(&reader.send(&Ask::presence(0)).await?)?;
    let (mut sent, mut answered, mut visible) = (Vec::new(), Vec::new(), Vec::new());
    let begun = Instant::now();
    for number in 0..writes {
        sleep_until(begun + EVERY * number).await;
        let at = Instant::now();
        let write = async {
            let answer = writer.send(&Ask::patch(0, number.is_multiple_of(2))).await?;
            Ok::<_, anyhow::Error>((key(&answer)?, at.elapsed()))
        };
        let ((written, answer), (seen, read)) = tokio::try_join!(write, see(&mut reader, shown, at))?;
        ensure!(written == seen, "the other node shows something that was not written");
        sent.push((written, at));
        answered.push(answer.as_secs_f64() * 1e3);
        visible.push(read.as_secs_f64() * 1e3);
        shown = seen;
    }
    let told = all_told(&told, &sent).await?;
    Ok(Found { answered: sorted(answered), visible: sorted(visible), told: sorted(told) })
}

/// Reads until something else than `shown` comes; says what, and how long after `since`.
async fn see(reader: &mut Client, shown: Key, since: Instant) -> Result<(Key, Duration)> {
    loop {
        let seen = key(&reader.send(&Ask::presence(0)).await?)?;
        if seen != shown {
            return Ok((seen, since.elapsed()));
        }
        ensure!(since.elapsed() < PATIENCE, "a write does not show on the other node");
    }
}

/// How long after they were sent the stream has told of all writes, in milliseconds.
async fn all_told(told: &Delivered, sent: &[(Key, Instant)]) -> Result<Vec<f64>> {
    let waiting = Instant::now();
    loop {
        let after = |(key, at): &(Key, Instant)| {
            let told = told.borrow();
            // A later state tells of it, too: a stream leaves out what was overtaken within five milliseconds.
            let (_, told_at) = told.iter().find(|(told, _)| told.0 == key.0 && told.1 >= key.1)?;
            Some(told_at.saturating_duration_since(*at).as_secs_f64() * 1e3)
        };
        let millis: Vec<f64> = sent.iter().filter_map(after).collect();
        if millis.len() == sent.len() {
            return Ok(millis);
        }
        let (told, all) = (millis.len(), sent.len());
        ensure!(waiting.elapsed() < PATIENCE, "the stream tells of {told} of {all} writes");
        sleep(Duration::from_millis(10)).await;
    }
}

fn key(answer: &Answer) -> Result<Key> {
    streams::key(&answer.body).context("no presence was answered")
}
