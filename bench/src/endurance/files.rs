//! How many files may be open.

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Sees that this process, and each that it starts from now on, may have so many files open, sockets among
/// them.
///
/// # Errors
///
/// The system's limit, which only its administrator can raise, is lower.
pub(super) fn allow(files: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= files) {
        return Ok(());
    }
    if let Some(maximum) = limit.maximum.filter(|maximum| *maximum < files) {
        bail!(
            "{files} files have to be open at once and {maximum} may be; raise the limit, as root by \
             `ulimit -Hn {files}`, or measure with --quick"
        );
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: limit.maximum })
        .context("failed to raise the limit of open files")
}
