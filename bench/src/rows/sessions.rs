//! Sessions of three tenants that live in different cells: the cells are loaded evenly, and each tenant stays in one.
//!
//! The engine runs in this process, over a log in NATS like any node's: writes by HTTP cost more, and go the same way
//! from there on.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use porchlight_engine::{Clock, Engine, Options};
use porchlight_presence::{Command, TenantId, UserId};
use porchlight_store::{JetStream, Log};
use uuid::Uuid;

use crate::folder::available;
use crate::nats::{self, CELLS, PREFIX, Servers, SyncInterval};
use crate::publisher;
use crate::report::{Bound, Figure, Outcome};
use crate::requests::user_id;
use crate::rows::Bench;
use crate::spread::Spread;
use crate::stopwatch::Stopwatch;

/// Writes on their way at once.
const UNDERWAY: usize = 2_000;

/// Tenants, each in a cell of its own.
const TENANTS: usize = 3;

/// Writes the sessions, and counts what is where.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let folder = bench.folder()?;
    bench.runtime.block_on(measure_in(folder.path(), bench.scale.sessions))
}

async fn measure_in(folder: &Path, sessions: u32) -> Result<Outcome> {
    let servers = Servers::start(folder, 1, SyncInterval::TwoMinutes)?;
    let engine = Engine::open(Arc::new(Clock::system()), Options::default(), |replica| {
        JetStream::open(servers.log_options(), replica).map(|log| Arc::new(log) as Arc<dyn Log>)
    });
    let engine = engine.context("failed to start an engine over NATS")?;
    let context = publisher::connect(&servers.addresses()).await?;
    let command = available(engine.limits())?;
    let tenants = tenants(&engine, &context, &command).await?;

    let writing = Stopwatch::start();
    write(&engine, &tenants, sessions, &command).await?;
    let took = writing.elapsed();
    let found = Found::of(&context, &tenants).await?;
    engine.close();
    let per_second = f64::from(sessions) / took.as_secs_f64();
    Ok(Outcome { compared: vec![], figures: found.figures(sessions, per_second) })
}

/// Tenants in different cells: which cell a tenant is in is seen when one of its users has been written.
async fn tenants(engine: &Engine, context: &Context, command: &Command) -> Result<Vec<TenantId>> {
    let (mut tenants, mut taken) = (Vec::new(), Vec::new());
    while tenants.len() < TENANTS {
        let tenant = TenantId(Uuid::new_v4());
        engine.write(tenant, UserId(Uuid::parse_str(&user_id(0))?), command).await?;
        let counts = counts(context, tenant).await?;
        let cell = counts.iter().position(|count| *count > 0).context("a write is in no cell")?;
        if !taken.contains(&cell) {
            taken.push(cell);
            tenants.push(tenant);
        }
    }
    Ok(tenants)
}

/// Has so many users say that they are there, of one tenant after another.
async fn write(engine: &Engine, tenants: &[TenantId], sessions: u32, command: &Command) -> Result<()> {
    let mut underway = FuturesUnordered::new();
    for (index, tenant) in (0..sessions).zip(tenants.iter().cycle()) {
        if underway.len() == UNDERWAY {
            underway.next().await.transpose()?;
        }
        let user = UserId(Uuid::parse_str(&user_id(index))?);
        underway.push(engine.write(*tenant, user, command));
    }
    while underway.next().await.transpose()?.is_some() {}
    Ok(())
}

/// How many entries of users a tenant has in each cell.
async fn counts(context: &Context, tenant: TenantId) -> Result<Vec<u64>> {
    let mut counts = Vec::new();
    for cell in 0..CELLS {
        let config = pull::Config {
            filter_subject: format!("{PREFIX}.{cell}.key.user.{}.>", tenant.0),
            ack_policy: AckPolicy::None,
            ..pull::Config::default()
        };
        // Nobody reads by it: it says how much there would be to read, and NATS forgets it soon.
        let consumer = context.create_consumer_on_stream(config, nats::stream(cell)).await;
        counts.push(consumer.context("failed to count in a stream")?.cached_info().num_pending);
    }
    Ok(counts)
}

struct Found {
    /// The most cells that one tenant has entries in.
    cells_max: usize,
    /// Entries of each tenant in its cell.
    entries: Vec<f64>,
    /// What NATS keeps in these cells, in bytes.
    bytes: Vec<f64>,
}

impl Found {
    async fn of(context: &Context, tenants: &[TenantId]) -> Result<Found> {
        let states = nats::states(context).await?;
        let mut found = Found { cells_max: 0, entries: Vec::new(), bytes: Vec::new() };
        for tenant in tenants {
            let counts = counts(context, *tenant).await?;
            let held = counts.iter().zip(&states).filter(|(count, _)| **count > 0);
            let cells: Vec<_> = held.collect();
            found.cells_max = found.cells_max.max(cells.len());
            for (count, state) in cells {
                found.entries.push(*count as f64);
                found.bytes.push(state.bytes as f64);
            }
        }
        Ok(found)
    }

    fn figures(&self, sessions: u32, per_second: f64) -> Vec<Figure> {
        let figure = |title: &str, value| Figure::new("sessions", title, value, "");
        let uneven = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            Spread::of(values.iter().copied()).max / mean
        };
        let written = self.entries.iter().sum::<f64>();
        vec![
            figure("cells that one tenant's sessions are in, the most", self.cells_max as f64)
                .target(Bound::AtMost(1.0))
                .note(format!("{sessions} sessions, {TENANTS} tenants, {CELLS} cells")),
            figure("sessions in the fullest of the three cells over their mean", uneven(&self.entries))
                .target(Bound::AtMost(1.01))
                .note(format!("{written:.0} sessions counted in NATS")),
            figure("bytes in the largest of the three cells over their mean", uneven(&self.bytes))
                .target(Bound::AtMost(1.05))
                .note(format!("{:.0} MiB in all three", self.bytes.iter().sum::<f64>() / 1_048_576.0)),
            figure("sessions written per second", per_second)
                .note(format!("by one engine, {UNDERWAY} on their way; 1 NATS, sync 2m")),
        ]
    }
}
