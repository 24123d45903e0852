//! `porchlight doctor`: what is wrong with a set-up and what to do about it; and a data folder, repaired or written anew.
//!
//! | file | what it looks at |
//! |---|---|
//! | `configuration` | whether `serve` would take it, and what it hardly means |
//! | `ports` | whether they are free, or who has them |
//! | `certificates` | of https: keys, names, ends |
//! | `secrets` | who may read what nobody else should |
//! | `data` | the data folder, and what is in it |
//! | `audit_file` | whether the audit could be written |
//! | `nats` | the log in NATS JetStream |
//! | `issuers` | whether their keys can be had |
//! | `webhooks` | whether those who are told can be reached |
//! | `clock` | whether time is the same here as elsewhere |
//! | `server` | a server that runs |
//! | `folder` | a data folder by itself |
//!
//! Every check is a function that returns what it has found, changes nothing, and has a limit to how long it waits for
//! others. They run at the same time, each on a thread of its own.

mod audit_file;
mod certificates;
mod clock;
mod configuration;
mod data;
mod finding;
mod flags;
mod folder;
mod holder;
mod issuers;
mod nats;
mod ports;
mod report;
mod secrets;
mod server;
mod webhooks;

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;

pub(crate) use flags::DoctorFlags;

use crate::client::Client;
use crate::config::Config;
use crate::exit::{Failure, UNHEALTHY};
use finding::Finding;

/// How long a check waits for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One check of several that run at the same time.
type Check<'c> = Box<dyn FnOnce() -> Vec<Finding> + Send + 'c>;

/// Looks at what is meant and says what was found.
///
/// # Errors
///
/// See [`DoctorFlags`]: the help has the exit codes.
pub(crate) fn run(flags: &DoctorFlags) -> Result<(), Failure> {
    if flags.is_about_a_folder_alone() {
        return folder::run(flags);
    }
    let findings = examine(flags)?;
    report::show(&findings, flags.json);
    let wrong = findings.iter().filter(|finding| finding.is_wrong()).count();
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::new(UNHEALTHY, anyhow!("one thing is wrong"))),
        wrong => Err(Failure::new(UNHEALTHY, anyhow!("{wrong} things are wrong"))),
    }
}

/// Everything that was found, check by check.
fn examine(flags: &DoctorFlags) -> Result<Vec<Finding>, Failure> {
    let server = flags.url.as_deref().map(|url| Client::at(url, flags.ca.as_deref())).transpose()?;
    let (config, mut findings) =
        if flags.is_about_a_server_alone() { (None, Vec::new()) } else { configuration::check(flags) };
    let mut checks = config.as_ref().map(checks).unwrap_or_default();
    if let Some(server) = &server {
        checks.push(Box::new(|| server::check(server)));
    }
    findings.extend(at_the_same_time(checks));
    Ok(findings)
}

/// What there is to check of a configuration that can be read.
fn checks(config: &Config) -> Vec<Check<'_>> {
    vec![
        Box::new(|| ports::check(config)),
        Box::new(|| certificates::check(config)),
        Box::new(|| secrets::check(config)),
        Box::new(|| audit_file::check(config)),
        Box::new(|| data_and_webhooks(config)),
        Box::new(|| nats::check(config)),
        Box::new(|| issuers::check(config)),
    ]
}

/// Who is to be told stands in the data.
fn data_and_webhooks(config: &Config) -> Vec<Finding> {
    let (mut findings, endpoints) = data::check(config);
    findings.extend(webhooks::check(config, &endpoints));
    findings
}

/// What all of these find, in their order.
fn at_the_same_time(checks: Vec<Check<'_>>) -> Vec<Finding> {
    thread::scope(|scope| {
        let running: Vec<_> = checks.into_iter().map(|check| scope.spawn(check)).collect();
        let found =
            running.into_iter().map(|check| check.join().unwrap_or_else(|panic| resume_unwind(panic)));
        found.flatten().collect()
    })
}

/// Waits for a check in which others take part. What of it still goes on then, such as the search for a name, is left to
/// itself.
fn wait(check: &'static str, findings: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let found = runtime.block_on(findings);
            runtime.shutdown_background();
            found
        }
        Err(error) => vec![Finding::wrong(check, format!("this cannot be looked at: {error}"))],
    }
}

/// What something has come to within [`PATIENCE`]; what to say otherwise.
async fn in_time<T>(something: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let came = tokio::time::timeout(PATIENCE, something).await;
    came.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}
