//! The data folder: whether it can be used, and what is in it.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use porchlight_engine::{Clock, Engine, Keeper, Options};
use porchlight_notify::Registry;
use porchlight_store::Embedded;
use rustix::fs::{Access, access, statvfs};

use super::finding::Finding;
use super::{clock, folder};
use crate::config::{Config, LogPlace};
use crate::exit::IN_USE;

const CHECK: &str = "data";

/// Less room than this on the disk is worth a word, in bytes.
const ROOM_SCANT: u64 = 1024 * 1024 * 1024;

/// Less than this is not enough, in bytes: the journal alone may become that long.
const ROOM_MIN: u64 = 64 * 1024 * 1024;

/// What was found, and the URLs that subscriptions want to be told at, as far as the data could be read.
pub(super) fn check(config: &Config) -> (Vec<Finding>, BTreeSet<String>) {
    let LogPlace::Folder { path, .. } = &config.log else { return (Vec::new(), BTreeSet::new()) };
    let mut findings = Vec::new();
    let place = match place(path) {
        Ok(place) => place,
        Err(wrong) => return (vec![wrong], BTreeSet::new()),
    };
    findings.extend(room(place));
    let Ok(metadata) = fs::metadata(path) else {
        findings.push(Finding::good(CHECK, format!("{} is not there yet; serve makes it", path.display())));
        return (findings, BTreeSet::new());
    };
    findings.extend(rights(path, &metadata));
    if !Embedded::exists(path) {
        findings.push(empty(path));
        return (findings, BTreeSet::new());
    }
    let (found, endpoints) = content(path, &metadata, config);
    findings.extend(found);
    (findings, endpoints)
}

/// The folder, or the nearest one above it in which it would be made.
///
/// # Errors
///
/// What is wrong when it can be neither written nor made.
fn place(path: &Path) -> Result<&Path, Finding> {
    let advice = "create it, or give it to the user that runs porchlight: chown, chmod 700";
    let unusable = |cause: &dyn std::fmt::Display| {
        Finding::wrong(CHECK, format!("{} cannot be written: {cause}", path.display())).advise(advice)
    };
    let above =
        path.ancestors().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    for place in above {
        match fs::metadata(place) {
            Ok(metadata) if metadata.is_dir() => {
                let needed = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
                return match access(place, needed) {
                    Ok(()) => Ok(place),
                    Err(error) => Err(unusable(&io::Error::from(error))),
                };
            }
            Ok(_) => return Err(unusable(&format!("{} is no folder", place.display()))),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(unusable(&cause)),
        }
    }
    Err(unusable(&"nothing of its path is there"))
}

/// How much room there is on the disk.
fn room(place: &Path) -> Option<Finding> {
    let disk = statvfs(place).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let mebibytes = format!("{} MiB are free on the disk of {}", free / (1024 * 1024), place.display());
    Some(if free < ROOM_MIN {
        Finding::wrong(CHECK, mebibytes).advise(
            "make room: without it writes are answered with 503; the journal alone may become 64 MiB long",
        )
    } else if free < ROOM_SCANT {
        Finding::warning(CHECK, mebibytes).advise("make room, or name a folder on another disk by data")
    } else {
        Finding::good(CHECK, mebibytes)
    })
}

/// Whether others can look into the folder: what people say of themselves is in it, and secrets.
fn rights(path: &Path, metadata: &Metadata) -> Option<Finding> {
    let mode = metadata.permissions().mode() & 0o777;
    let others = mode & 0o007;
    if others == 0 {
        return None;
    }
    let shown = path.display();
    let warning =
        Finding::warning(CHECK, format!("{shown} is open to everybody on this machine (mode {mode:o})"));
    Some(warning.advise(format!("chmod 700 {shown}")))
}

/// A folder without a log.
fn empty(path: &Path) -> Finding {
    match Embedded::fits(path) {
        Ok(()) => Finding::good(CHECK, format!("{} is empty; serve makes a log in it", path.display())),
        Err(error) => Finding::wrong(CHECK, error.to_string()),
    }
}

/// What is in the log.
fn content(path: &Path, metadata: &Metadata, config: &Config) -> (Vec<Finding>, BTreeSet<String>) {
    let (owner, me) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != me {
        // Whoever opens it makes files in it, which the server could not write to.
        let found =
            format!("{} belongs to user {owner}, and was not looked into by user {me}", path.display());
        let warning = Finding::warning(CHECK, found);
        return (vec![warning.advise("run this as the user that runs porchlight")], BTreeSet::new());
    }
    let development = config.settings.development.is_some();
    // How far ahead it is, is told below.
    let options = Options { development, accept_clock: true, ..Options::default() };
    let engine = match folder::open_with(path, options) {
        Ok(engine) => engine,
        Err(failure) if failure.code == IN_USE => {
            let found =
                format!("{} is used by a porchlight that runs, and was not looked into", path.display());
            return (vec![Finding::good(CHECK, found)], BTreeSet::new());
        }
        Err(failure) => return (vec![Finding::wrong(CHECK, failure.to_string())], BTreeSet::new()),
    };
    let (people, users) = folder::count(&engine);
    let sound = format!("{} is sound; {people} people, {users} with a presence record", path.display());
    let found = vec![Finding::good(CHECK, sound), newest(&engine, config.accept_clock)];
    let endpoints = endpoints(&engine);
    engine.close();
    (found, endpoints)
}

/// How the newest write stands to this machine's clock.
fn newest(engine: &Engine, accepted: bool) -> Finding {
    let here = Clock::system().now().plus(engine.clock().offset());
    clock::of_data(engine.clock().now().since(here), accepted)
}

/// Where subscriptions want to be told.
fn endpoints(engine: &Engine) -> BTreeSet<String> {
    let registry = Arc::new(Registry::default());
    engine.hand_over(Arc::clone(&registry) as Arc<dyn Keeper>);
    let (mut endpoints, now) = (BTreeSet::new(), engine.now());
    for tenant in engine.tenants() {
        registry.list(tenant.id(), None, |subscription| {
            if !subscription.has_ended(now) {
                endpoints.insert(subscription.notification_url.clone());
                endpoints.extend(subscription.lifecycle_url.clone());
            }
            true
        });
    }
    endpoints
}
