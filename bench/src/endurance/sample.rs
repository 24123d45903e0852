//! How a server fares, looked at now and then while it is loaded.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep_until;

use super::audience::Audience;
use super::load::Load;
use super::times::Summary;
use super::vitals::{Patient, Vitals};
use crate::metrics::Metrics;
use crate::report::mebibytes;

/// One look.
pub(super) struct Sample {
    /// When, counted from the beginning of the load.
    pub(super) at: Duration,
    /// Everything since the look before; so are the next three.
    pub(super) reads: Summary,
    pub(super) writes: Summary,
    pub(super) streams: Summary,
    pub(super) webhooks: Summary,
    pub(super) vitals: Vitals,
    pub(super) metrics: Metrics,
}

/// Whoever looks.
pub(super) struct Sampler<'l> {
    pub(super) server: SocketAddr,
    pub(super) patient: &'l Patient,
    pub(super) load: &'l Load,
    pub(super) audience: &'l Audience,
}

impl Sampler<'_> {
    /// Looks again and again until it is dropped, or until a look fails.
    pub(super) async fn watch(&self, every: Duration, samples: &mut Vec<Sample>) -> Result<Infallible> {
        let mut due = self.load.begun;
        loop {
            due += every;
            sleep_until(due).await;
            samples.push(self.look().await?);
        }
    }

    /// Looks once.
    pub(super) async fn look(&self) -> Result<Sample> {
        let at = self.load.begun.elapsed();
        let (reads, writes) = {
            let mut tally = self.load.tally.borrow_mut();
            (tally.reads.look(), tally.writes.look())
        };
        Ok(Sample {
            at,
            reads,
            writes,
            streams: self.audience.watchers.delays.look(),
            webhooks: self.audience.receivers.delays.look(),
            vitals: self.patient.look().await?,
            metrics: Metrics::of(self.server).await?,
        })
    }
}

impl Sample {
    /// The server's processor time since another look, as a number of cores.
    pub(super) fn cores_since(&self, before: &Sample) -> f64 {
        (self.vitals.cpu_seconds - before.vitals.cpu_seconds)
            / self.at.saturating_sub(before.at).as_secs_f64()
    }

    /// Its resident memory, in MiB.
    pub(super) fn memory(&self) -> f64 {
        mebibytes(self.vitals.memory)
    }

    /// Its data folder, in MiB.
    pub(super) fn disk(&self) -> f64 {
        mebibytes(self.vitals.disk)
    }
}
