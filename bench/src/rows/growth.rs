//! What many users in NATS cost: how long a new node takes to catch up, and who holds how much memory; and the same
//! after one in a hundred of them was written again very often.
//!
//! Users who stay as they are pin the beginning of their streams, and NATS remembers every hole behind them. A node
//! runs while the others are overwritten, so that its sweeper is at work.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::stream::State;
use bytes::Bytes;
use futures_util::StreamExt;
use porchlight_store::Log;
use tokio::time::sleep;
use uuid::Uuid;

use crate::folder::{Fading, Nobody, write_into};
use crate::nats::{self, CELLS, PREFIX, Servers, SyncInterval};
use crate::publisher::{self, Manner, Place, Until};
use crate::report::{Bound, Figure, Outcome, mebibytes};
use crate::rows::Bench;
use crate::spread::Spread;
use crate::stopwatch::{self, Stopwatch};

const ROW: &str = "cluster-scale";

/// How many tenants the users are of.
const TENANTS: usize = 20;

/// One user in so many is overwritten.
const HOT_ONE_IN: u64 = 100;

/// Overwrites that are on their way at once, if there are as many users to overwrite.
const IN_FLIGHT: usize = 2_000;

/// After how many overwrites the progress is told.
const ROUND: u64 = 1_000_000;

/// A stream with fewer messages is left alone by the sweeper, however wide it is.
const MESSAGES_MIN: u64 = 100;

/// How long the sweeper may take when nothing is written any more.
const SWEPT_MAX: Duration = Duration::from_secs(120);

/// Writes the users, overwrites some, and starts everything again.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let members = bench.scale.members;
    let folder = bench.folder()?;
    let servers = Servers::start(folder.path(), 1, SyncInterval::TwoMinutes)?;
    let mut figures = Figures(Vec::new());

    let empty = memory_of_a_node(bench, &servers)?;
    let writing = Stopwatch::start();
    write_members(bench, &servers)?;
    let written = format!("written in {:.0} s by one process", writing.elapsed().as_secs_f64());
    let count = format!("{members} users with one session in {TENANTS} tenants");
    figures.add("NATS memory with all users", mebibytes(servers.settled_memory()?), "MiB", written);
    figures.add("NATS on disk with all users", mebibytes(servers.disk()?), "MiB", count);
    let (before, memory) = catch_up(bench, &servers)?;
    figures.add_catch_up("a new node catches up", before);
    figures.add(
        "node memory per user",
        (memory as f64 - empty as f64) / f64::from(members),
        "B",
        format!("{:.0} MiB, without users {:.0} MiB, both resident", mebibytes(memory), mebibytes(empty)),
    );

    let node = bench.start_node(&servers, "node-sweeps", None)?;
    bench.runtime.block_on(node.restored(members))?;
    let overwritten = bench.runtime.block_on(overwrite(&servers, bench.scale.overwrites))?;
    figures.add_overwritten(&overwritten, &servers)?;
    let swept = bench.runtime.block_on(swept(&servers))?;
    figures.add_swept(&swept, bench.scale.quick);
    figures.add("node memory after them", mebibytes(node.settled_memory()?), "MiB", "");
    node.stop()?;

    let restart = servers.restart()?;
    figures.add("NATS restart until ready", restart.as_secs_f64(), "s", "stopped in order");
    let restart = servers.restart_after_kill()?;
    figures.add("NATS restart until ready, killed", restart.as_secs_f64(), "s", "kill -9");
    let memory = mebibytes(servers.settled_memory()?);
    figures.add("NATS memory after restart", memory, "MiB", "");
    let (after, _) = catch_up(bench, &servers)?;
    figures.add_catch_up("a new node catches up after all that", after);
    Ok(Outcome { compared: vec![], figures: figures.0 })
}

/// The memory of a node with nothing to show.
fn memory_of_a_node(bench: &Bench, servers: &Servers) -> Result<u64> {
    let node = bench.start_node(servers, "node-empty", None)?;
    bench.runtime.block_on(node.ready())?;
    let memory = node.settled_memory()?;
    node.stop()?;
    Ok(memory)
}

/// Writes all users as a restore would: through the log, which this process opens for it.
fn write_members(bench: &Bench, servers: &Servers) -> Result<()> {
    let tenants: Vec<String> = (0..TENANTS).map(|_| Uuid::new_v4().to_string()).collect();
    let now = stopwatch::wall();
    let log = servers.open_log(Arc::new(Nobody))?;
    let written = write_into(&bench.runtime, &log, &tenants, bench.scale.members, (now, Fading::late(now)));
    log.close();
    written.context("failed to write users to NATS")
}

/// How long new nodes take from their start until they are ready and show everybody, in seconds, and the memory of the
/// last one.
fn catch_up(bench: &Bench, servers: &Servers) -> Result<(Spread, u64)> {
    let (mut seconds, mut memory) = (Vec::new(), 0);
    for start in 1..=bench.scale.starts {
        let node = bench.start_node(servers, &format!("node-{start}"), None)?;
        let ready = bench.runtime.block_on(node.ready())?;
        let restored = bench.runtime.block_on(node.restored(bench.scale.members))?;
        seconds.push(ready.max(restored).as_secs_f64());
        if start == bench.scale.starts {
            memory = node.settled_memory()?;
        }
        node.stop()?;
    }
    Ok((Spread::of(seconds), memory))
}

struct Overwritten {
    messages: u64,
    conflicts: u64,
    users: usize,
    took: Duration,
    /// The most room from first to last message for each message of a stream, when the last one was written.
    width: f64,
}

/// Overwrites one in a hundred users with what they are, as often as it takes.
async fn overwrite(servers: &Servers, times: u64) -> Result<Overwritten> {
    let context = publisher::connect(&servers.addresses()).await?;
    let mut places = hot(&context).await?;
    let manner = Manner { in_flight: IN_FLIGHT.min(places.len() / 2), batch: None };
    let (mut messages, mut conflicts) = (0, 0);
    let overwriting = Stopwatch::start();
    while messages < times {
        let round = Until::Count(ROUND.min(times - messages));
        let published = publisher::publish(&context, &mut places, manner, round).await?;
        ensure!(published.messages > 0, "every user that is overwritten is written by somebody else, too");
        messages += published.messages;
        conflicts += published.conflicts;
        eprintln!("          {messages} overwrites");
    }
    let took = overwriting.elapsed();
    let width = widest(&nats::states(&context).await?);
    Ok(Overwritten { messages, conflicts, users: places.len(), took, width })
}

/// One in a hundred users, with their records as they are; those of one cell beside those of others.
async fn hot(context: &Context) -> Result<Vec<Place>> {
    let mut places: Vec<(u64, Place)> = Vec::new();
    for cell in 0..CELLS {
        let config = OrderedConfig {
            filter_subject: format!("{PREFIX}.{cell}.key.user.>"),
            ..OrderedConfig::default()
        };
        let consumer = context.create_consumer_on_stream(config, nats::stream(cell)).await;
        let consumer = consumer.context("failed to read a stream")?;
        let mut left = consumer.cached_info().num_pending;
        let mut messages = consumer.messages().await.context("failed to read a stream")?;
        let mut number = 0;
        while left > 0 {
            let message = messages.next().await.context("a stream cannot be read")??;
            let info = message.info().map_err(|error| anyhow!("{error}"))?;
            if number % HOT_ONE_IN == 0 {
                let place = Place {
                    subject: message.subject.clone(),
                    // Its own copy: what was read is a piece of something larger.
                    payload: Bytes::copy_from_slice(&message.payload),
                    sequence: info.stream_sequence,
                };
                places.push((number, place));
            }
            number += 1;
            left = info.pending;
        }
    }
    places.sort_by_key(|(number, _)| *number);
    Ok(places.into_iter().map(|(_, place)| place).collect())
}

struct Swept {
    width: f64,
    took: Duration,
    /// All streams together.
    messages: u64,
    span: u64,
}

/// Waits until the streams stay as wide as they are.
async fn swept(servers: &Servers) -> Result<Swept> {
    /// Twice the time between two looks of the sweeper.
    const STILL: Duration = Duration::from_secs(10);
    let context = publisher::connect(&servers.addresses()).await?;
    let waiting = Stopwatch::start();
    let mut states = nats::states(&context).await?;
    let (mut changed, mut before) = (Duration::ZERO, beginnings(&states));
    while waiting.elapsed() < changed + STILL && waiting.elapsed() < SWEPT_MAX {
        sleep(Duration::from_millis(500)).await;
        states = nats::states(&context).await?;
        let now = beginnings(&states);
        if now != before {
            (changed, before) = (waiting.elapsed(), now);
        }
    }
    Ok(Swept {
        width: widest(&states),
        took: changed,
        messages: states.iter().map(|state| state.messages).sum(),
        span: states.iter().map(span).sum(),
    })
}

/// Where those streams begin that the sweeper cares for. Heartbeats move the beginnings of others all the time.
fn beginnings(states: &[State]) -> Vec<u64> {
    states.iter().filter(|state| state.messages >= MESSAGES_MIN).map(|state| state.first_sequence).collect()
}

/// The room from the first message to the last.
fn span(state: &State) -> u64 {
    (state.last_sequence + 1).saturating_sub(state.first_sequence)
}

/// The most room for each message in any stream with more than a few.
fn widest(states: &[State]) -> f64 {
    let large = states.iter().filter(|state| state.messages >= MESSAGES_MIN);
    large.map(|state| span(state) as f64 / state.messages as f64).fold(0.0, f64::max)
}

/// The figures so far.
struct Figures(Vec<Figure>);

impl Figures {
    fn add(&mut self, title: &str, value: f64, unit: &'static str, note: impl Into<String>) {
        self.0.push(Figure::new(ROW, title, value, unit).note(note));
    }

    fn add_catch_up(&mut self, title: &str, seconds: Spread) {
        let note = format!("{:.2} to {:.2}; from spawn to ready, with everybody", seconds.min, seconds.max);
        self.add(title, seconds.median, "s", note);
    }

    fn add_overwritten(&mut self, overwritten: &Overwritten, servers: &Servers) -> Result<()> {
        let Overwritten { messages, conflicts, users, took, width } = overwritten;
        let rate = *messages as f64 / took.as_secs_f64();
        let note = format!("{messages} of {users} users, {conflicts} refused; a node follows and sweeps");
        self.add("overwrites per second", rate, "", note);
        let memory = servers.settled_memory()?;
        let peak = mebibytes(servers.peak_memory()?);
        let peak = format!("at most {peak:.0} MiB; the ids of two minutes are in it");
        self.add("NATS memory after them", mebibytes(memory), "MiB", peak);
        self.add("NATS on disk after them", mebibytes(servers.disk()?), "MiB", "");
        let note = "first to last sequence, in the widest stream";
        self.add("room per message when they end", *width, "", note);
        Ok(())
    }

    fn add_swept(&mut self, swept: &Swept, is_quick: bool) {
        let Swept { width, took, messages, span } = swept;
        let seconds = took.as_secs_f64();
        let note = format!("{seconds:.0} s later; {messages} messages over {span} sequences in all");
        // The sweeper leaves small streams alone.
        let target = (!is_quick).then_some(Bound::AtMost(5.0));
        self.0.push(Figure::new(ROW, "room per message when swept", *width, "").target(target).note(note));
    }
}
