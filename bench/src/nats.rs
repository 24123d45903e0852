//! Servers of NATS to measure on: one, or three that are one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use async_nats::jetstream::Context;
use async_nats::jetstream::stream::State;
use porchlight_store::{JetStream, JetStreamOptions, Replica};
use porchlight_testkit::{Nats, NatsCluster};

use crate::folder::bytes_on_disk;
use crate::procfs;
use crate::stopwatch::Stopwatch;

/// What the names of the streams of Porchlight's log begin with.
pub(crate) const PREFIX: &str = "porchlight";

/// Over how many streams it is spread.
pub(crate) const CELLS: u16 = 16;

/// How long a server may take to find everything again that it has kept.
const START_MAX: Duration = Duration::from_secs(600);

/// When a server has on disk what it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncInterval {
    /// Two minutes later at most, as by default.
    TwoMinutes,
    /// Before it acknowledges it.
    Always,
}

/// The servers, with their files in the benchmark's own folder.
pub(crate) enum Servers {
    One(Nats),
    Several(NatsCluster),
}

impl SyncInterval {
    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            SyncInterval::TwoMinutes => "sync 2m",
            SyncInterval::Always => "sync always",
        }
    }
}

impl Servers {
    /// So many servers.
    pub(crate) fn start(folder: &Path, count: usize, sync: SyncInterval) -> Result<Servers> {
        let builder = Nats::builder().sync(sync == SyncInterval::Always).folder(folder).patience(START_MAX);
        or_error(|| {
            if count == 1 {
                Servers::One(builder.start())
            } else {
                Servers::Several(builder.start_cluster(count))
            }
        })
    }

    /// Each of them.
    fn all(&self) -> &[Nats] {
        match self {
            Servers::One(nats) => slice::from_ref(nats),
            Servers::Several(cluster) => cluster.servers(),
        }
    }

    /// Where they are.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.all().iter().map(|nats| nats.address().to_string()).collect()
    }

    /// How many of them keep a stream: all.
    pub(crate) fn replicas(&self) -> usize {
        self.all().len()
    }

    /// The ids of their processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.all().iter().filter_map(Nats::process_id).collect()
    }

    /// What Porchlight is given as its log.
    pub(crate) fn log_url(&self) -> String {
        let (addresses, replicas) = (self.addresses().join(","), self.replicas());
        format!("jetstream://{addresses}/?replicas={replicas}&cells={CELLS}&prefix={PREFIX}")
    }

    /// The same log, opened by this process. Returns when the replica has everything.
    pub(crate) fn open_log(&self, replica: Arc<dyn Replica>) -> Result<JetStream> {
        JetStream::open(self.log_options(), replica).context("failed to open a log in NATS")
    }

    /// How this process opens it.
    pub(crate) fn log_options(&self) -> JetStreamOptions {
        JetStreamOptions {
            servers: self.addresses(),
            prefix: PREFIX.to_owned(),
            cells: CELLS,
            replicas: self.replicas(),
            node: "bench".to_owned(),
            ..JetStreamOptions::default()
        }
    }

    /// The processor time that they have used so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        self.processes().into_iter().map(procfs::cpu_seconds).sum()
    }

    /// The memory that they hold once that has stopped moving, in bytes.
    pub(crate) fn settled_memory(&self) -> Result<u64> {
        self.processes().into_iter().map(procfs::settled_memory).sum()
    }

    /// The most memory that they have held, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        self.processes().into_iter().map(procfs::peak_memory).sum()
    }

    /// What their files take on disk, in bytes.
    pub(crate) fn disk(&self) -> Result<u64> {
        self.all().iter().map(|nats| bytes_on_disk(&nats.store())).sum()
    }

    /// Stops all of them in order, starts them again, and says how long it took until they were ready.
    pub(crate) fn restart(&self) -> Result<Duration> {
        self.start_after(Nats::stop)
    }

    /// The same after `kill -9`.
    pub(crate) fn restart_after_kill(&self) -> Result<Duration> {
        self.start_after(Nats::kill)
    }

    fn start_after(&self, end: fn(&Nats)) -> Result<Duration> {
        self.all().iter().for_each(end);
        let starting = Stopwatch::start();
        or_error(|| {
            self.all().iter().for_each(Nats::restart);
            if let Servers::Several(cluster) = self {
                cluster.settle();
            }
        })?;
        Ok(starting.elapsed())
    }
}

/// How each stream of the log is now.
pub(crate) async fn states(context: &Context) -> Result<Vec<State>> {
    let mut states = Vec::new();
    for cell in 0..CELLS {
        let name = stream(cell);
        let stream = context
            .get_stream(&name)
            .await
            .with_context(|| format!("failed to look at the stream {name}"))?;
        states.push(stream.cached_info().state.clone());
    }
    Ok(states)
}

/// The name of a stream of the log.
pub(crate) fn stream(cell: u16) -> String {
    format!("{PREFIX}-{cell}")
}

/// Does what the testkit panics at when it fails.
fn or_error<T>(start: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(start)).map_err(|cause| anyhow!("NATS failed to start: {}", words(&*cause)))
}

/// What a panic says.
fn words(cause: &(dyn Any + Send)) -> &str {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("it says nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_says_what_it_said() {
        let what = "server";
        let failed = or_error::<()>(|| panic!("no {what}"));
        assert_eq!(failed.unwrap_err().to_string(), "NATS failed to start: no server");
        assert_eq!(or_error(|| 7).unwrap(), 7);
    }
}
