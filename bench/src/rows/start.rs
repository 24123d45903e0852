//! How large the program is, and how soon it is ready when there is nothing to read yet.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::report::{Bound, Figure, Outcome};
use crate::rows::Bench;
use crate::server::Server;
use crate::spread::Spread;

const ROW: &str = "start";

/// How often each is started, on a new folder every time.
const STARTS: u32 = 9;

/// Measures the size, and starts in production and in development.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let size = stripped(bench)? as f64 / 1e6;
    let folder = bench.folder()?;
    let config = folder.path().join("porchlight.toml");
    fs::write(&config, "").with_context(|| format!("failed to write {}", config.display()))?;
    let production = starts(bench, |data| bench.start_in_production(&config, data, None))?;
    let development = starts(bench, |data| bench.start(data, None))?;

    let started = |title: &str, Spread { median, min, max }| {
        Figure::new(ROW, title, median, "ms").note(format!("{min:.0} to {max:.0}; from spawn to ready"))
    };
    let figures = vec![
        Figure::new(ROW, "the program, stripped", size, "MB")
            .target(Bound::AtMost(25.0))
            .note("the board and everything else in it"),
        started("start on an empty folder", production).target(Bound::AtMost(150.0)),
        started("the same in development", development),
    ];
    Ok(Outcome { compared: vec![], figures })
}

/// The size of the program without what only debuggers read, in bytes.
fn stripped(bench: &Bench) -> Result<u64> {
    let folder = bench.folder()?;
    let copy = folder.path().join("porchlight");
    let status = Command::new("strip").arg("-o").arg(&copy).arg(&bench.porchlight).status();
    let status = status.context("failed to run strip, which is in Debian's binutils")?;
    ensure!(status.success(), "strip failed: {status}");
    let metadata = fs::metadata(&copy).with_context(|| format!("failed to see {}", copy.display()))?;
    Ok(metadata.len())
}

/// How long starts take until the server is ready, in milliseconds.
fn starts(bench: &Bench, start: impl Fn(&Path) -> Result<Server>) -> Result<Spread> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let folder = bench.folder()?;
        let server = start(folder.path())?;
        times.push(bench.runtime.block_on(server.ready())?.as_secs_f64() * 1e3);
        server.stop()?;
    }
    Ok(Spread::of(times))
}
