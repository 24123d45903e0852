//! Whether atomic batches make a server faster that has on disk what it acknowledges.
//!
//! Raw publishes alone: nothing in Porchlight uses batches. Each message expects its subject's sequence, and one
//! conflict refuses all of its batch.

use anyhow::{Context, Result};

use crate::nats::{Servers, SyncInterval};
use crate::raw::Raw;
use crate::report::{Figure, Outcome, Sample};
use crate::rows::Bench;
use crate::spread::Spread;

const ROW: &str = "batch-publish";

/// Messages on their way at once, in however many batches.
const IN_FLIGHT: usize = 1_000;

/// Each message by itself, and batches of so many.
const SIZES: [Option<usize>; 4] = [None, Some(1), Some(10), Some(100)];

/// Measures all sizes in turns.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let folder = bench.folder()?;
    let servers = Servers::start(folder.path(), 1, SyncInterval::Always)?;
    let mut samples = SIZES.map(|_| Vec::new());
    for _ in 0..bench.scale.runs {
        for (batch, samples) in SIZES.into_iter().zip(&mut samples) {
            let raw = Raw {
                servers: servers.addresses(),
                replicas: 1,
                in_flight: IN_FLIGHT,
                batch,
                seconds: bench.scale.seconds,
                with: servers.processes(),
            };
            samples.push(raw.run().with_context(|| title(batch))?);
        }
    }
    let [plain, ..] = &samples;
    let figures = SIZES.into_iter().zip(&samples).map(|(batch, samples)| figure(batch, samples, plain));
    Ok(Outcome { compared: vec![], figures: figures.collect() })
}

fn figure(batch: Option<usize>, samples: &[Sample], plain: &[Sample]) -> Figure {
    let ratio = samples.iter().zip(plain).map(|(sample, plain)| sample.per_second / plain.per_second);
    let (rate, ratio) = (Spread::of(samples.iter().map(|sample| sample.per_second)), Spread::of(ratio));
    let (p50, times) = (Spread::of(samples.iter().map(|sample| sample.p50_ms)).median, ratio.median);
    Figure::new(ROW, title(batch), rate.median, "msg/s")
        .note(format!("{times:.2} times plain; answered in {p50:.1} ms, p50; {IN_FLIGHT} in flight"))
}

fn title(batch: Option<usize>) -> String {
    let what = match batch {
        None => "plain".to_owned(),
        Some(size) => format!("atomic batches of {size}"),
    };
    format!("raw publishes, 1 NATS, sync always: {what}")
}
