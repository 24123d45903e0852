//! What time it is: the only file here that asks.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures real time, which no engine's clock may bend"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use porchlight_presence::Timestamp;

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Running from now.
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// The time since it was started.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The wall clock.
pub(crate) fn wall() -> Timestamp {
    Timestamp::ZERO.plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// How long ago a file was written.
pub(crate) fn age(path: &Path) -> Result<Duration> {
    let written = fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .with_context(|| format!("failed to see when {} was written", path.display()))?;
    Ok(SystemTime::now().duration_since(written).unwrap_or_default())
}
