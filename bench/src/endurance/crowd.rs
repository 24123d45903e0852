//! People whom a server finds when it starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::folder::{Fading, write_seed, write_users};
use crate::rows::Bench;
use crate::stopwatch;

/// Where they are.
pub(super) struct Crowd {
    pub(super) data: PathBuf,
    /// A seed file of those who are in the directory.
    pub(super) seed: PathBuf,
}

/// Writes so many users with one session each, which does not fade within two hours, and a seed file of the
/// first `listed` of them.
pub(super) fn write(bench: &Bench, folder: &Path, users: u32, listed: u32) -> Result<Crowd> {
    let crowd = Crowd { data: folder.join("data"), seed: folder.join("users.yaml") };
    let now = stopwatch::wall();
    let fading =
        Fading { first: now.plus(Duration::from_secs(2 * 60 * 60)), over: Duration::from_secs(60 * 60) };
    write_users(&bench.runtime, &crowd.data, users, now, fading)?;
    write_seed(&crowd.seed, listed)?;
    Ok(crowd)
}
