//! The raw publisher: the least that a writer to JetStream has to do.
//!
//! async-nats on one thread, publishing 160 bytes to each of 2,000 subjects of a stream that is like those of a log, in
//! turn and with as many on their way as it is told. It keeps nothing but where each subject is, so what another
//! writer takes longer is what that one does for its callers. It is a process of its own so that its CPU time can be
//! told.

use std::env;
use std::process::{self, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};
use tokio::runtime;
use uuid::Uuid;

use crate::procfs;
use crate::publisher::{self, Manner, Place, Until};
use crate::report::Sample;
use crate::spread::{percentile, sorted};

/// How many subjects take turns.
const SUBJECTS: usize = 2_000;

/// About what a record of one session has.
const VALUE_BYTES: usize = 160;

/// One run.
#[derive(Args, Clone, Debug)]
pub(crate) struct Raw {
    /// Servers of NATS.
    #[arg(long, value_delimiter = ',', required = true)]
    pub(crate) servers: Vec<String>,
    /// How many of them keep the stream.
    #[arg(long)]
    pub(crate) replicas: usize,
    /// Messages that are on their way at once.
    #[arg(long)]
    pub(crate) in_flight: usize,
    /// How many are published as one atomic batch.
    #[arg(long)]
    pub(crate) batch: Option<usize>,
    /// How long it lasts.
    #[arg(long)]
    pub(crate) seconds: u32,
    /// Processes whose CPU time counts, too: those of the servers.
    #[arg(long, value_delimiter = ',')]
    pub(crate) with: Vec<u32>,
}

impl Raw {
    /// Runs it in a process of its own.
    pub(crate) fn run(&self) -> Result<Sample> {
        let own = env::current_exe().context("failed to find this program's own file")?;
        let mut command = Command::new(own);
        command.args(["raw-publish", "--servers", &self.servers.join(",")]);
        command.args(["--replicas", &self.replicas.to_string(), "--in-flight", &self.in_flight.to_string()]);
        command.args(["--seconds", &self.seconds.to_string()]);
        if let Some(batch) = self.batch {
            command.args(["--batch", &batch.to_string()]);
        }
        for process in &self.with {
            command.args(["--with", &process.to_string()]);
        }
        let output = command.stdin(Stdio::null()).output().context("failed to run the raw publisher")?;
        ensure!(
            output.status.success(),
            "the raw publisher ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        let said = String::from_utf8_lossy(&output.stdout);
        parse(&said).with_context(|| format!("the raw publisher printed no figures: {said}"))
    }

    /// Publishes, and prints the figures as one line of JSON.
    pub(crate) fn publish(&self) -> Result<()> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let figures = runtime.context("failed to start a runtime")?.block_on(self.measure())?;
        println!("{figures}");
        Ok(())
    }

    async fn measure(&self) -> Result<Value> {
        let context = publisher::connect(&self.servers).await?;
        let name = format!("raw-{}", Uuid::new_v4().simple());
        context.create_stream(self.stream(&name)).await.context("failed to make a stream")?;
        let mut places = places(&name);
        // Every subject has a message before the clock starts, as every user has a record.
        let each = Manner { in_flight: SUBJECTS, batch: self.batch };
        let first = publisher::publish(&context, &mut places, each, Until::Count(SUBJECTS as u64)).await?;
        ensure!(first.messages == SUBJECTS as u64, "{} of {SUBJECTS} subjects were made", first.messages);

        let manner = Manner { in_flight: self.in_flight, batch: self.batch };
        let cpu = self.cpu_seconds()?;
        let until = Until::Elapsed(Duration::from_secs(self.seconds.into()));
        let published = publisher::publish(&context, &mut places, manner, until).await?;
        let cpu = self.cpu_seconds()? - cpu;
        ensure!(published.conflicts == 0, "{} messages were refused", published.conflicts);
        context.delete_stream(&name).await.context("failed to remove the stream")?;

        let millis = sorted(published.millis);
        Ok(json!({
            "per_second": published.messages as f64 / published.took.as_secs_f64(),
            "p50_ms": percentile(&millis, 0.5),
            "p99_ms": percentile(&millis, 0.99),
            "cpu_micros": cpu * 1e6 / published.messages as f64,
        }))
    }

    /// The stream that is published to: like one of a log.
    fn stream(&self, name: &str) -> Config {
        Config {
            name: name.to_owned(),
            subjects: vec![format!("{name}.>")],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            max_messages_per_subject: 1,
            num_replicas: self.replicas,
            duplicate_window: Duration::from_secs(120),
            allow_direct: true,
            allow_atomic_publish: self.batch.is_some(),
            ..Config::default()
        }
    }

    /// The processor time of this process and of the servers.
    fn cpu_seconds(&self) -> Result<f64> {
        let mut sum = procfs::cpu_seconds(process::id())?;
        for server in &self.with {
            sum += procfs::cpu_seconds(*server)?;
        }
        Ok(sum)
    }
}

fn places(stream: &str) -> Vec<Place> {
    let payload = Bytes::from(vec![b'x'; VALUE_BYTES]);
    let subject = |index: usize| format!("{stream}.key.user.tenant.{index}").into();
    (0..SUBJECTS)
        .map(|index| Place { subject: subject(index), payload: payload.clone(), sequence: 0 })
        .collect()
}

/// Reads the line that the publisher prints.
fn parse(line: &str) -> Option<Sample> {
    let figures: Value = serde_json::from_str(line).ok()?;
    let figure = |name: &str| figures[name].as_f64();
    Some(Sample {
        per_second: figure("per_second")?,
        p50_ms: figure("p50_ms")?,
        p99_ms: figure("p99_ms")?,
        cpu_micros: figure("cpu_micros")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        let line = r#"{"per_second":3100.5,"p50_ms":20.1,"p99_ms":31.0,"cpu_micros":60.25}"#;
        let sample = parse(line).unwrap();
        assert!((sample.per_second - 3100.5).abs() < 1e-9 && (sample.cpu_micros - 60.25).abs() < 1e-9);
        assert!(parse("").is_none());
        assert!(parse(r#"{"per_second":null}"#).is_none());
    }
}
