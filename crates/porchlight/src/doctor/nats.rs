//! The log in NATS JetStream: whether it is there, as it must be, and keeps what it acknowledges.

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use porchlight_store::{JetStream, JetStreamError, JetStreamOptions};

use super::finding::Finding;
use super::{PATIENCE, clock};
use crate::config::{Config, LogPlace};
use crate::log_url::LogUrl;
use crate::sync_check::{Syncs, syncs, varz};

const CHECK: &str = "NATS";

/// Looks at the log in NATS, if that is where it is; makes and changes nothing.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let LogPlace::JetStream(url) = &config.log else { return Vec::new() };
    let mut findings = log(url);
    findings.push(copies(&url.options));
    if url.monitoring.is_empty() {
        let warning = Finding::warning(CHECK, "whether it syncs what it acknowledges is unverified");
        findings.push(warning.advise("add monitoring=http://HOST:8222 to the log's URL"));
    }
    findings.extend(url.monitoring.iter().flat_map(|server| monitored(server)));
    findings
}

/// The servers and the streams.
fn log(url: &LogUrl) -> Vec<Finding> {
    let options = JetStreamOptions { patience: url.options.patience.min(PATIENCE), ..url.options.clone() };
    let servers = options.servers.join(", ");
    let found = match JetStream::look(&options) {
        Ok(found) => found,
        Err(error) => return vec![Finding::wrong(CHECK, error.to_string())],
    };
    let there = Finding::good(CHECK, format!("NATS {} with JetStream answers at {servers}", found.version));
    let streams = match found.streams {
        Ok(()) => {
            let cells = options.cells;
            Finding::good(CHECK, format!("the streams of {} ({cells}) are as they must be", options.prefix))
        }
        Err(JetStreamError::Missing { prefix }) => {
            Finding::good(CHECK, format!("there is no log of {prefix} yet; serve makes its streams"))
        }
        Err(error) => Finding::wrong(CHECK, error.to_string()),
    };
    vec![there, streams]
}

/// Whether what is acknowledged survives the loss of a machine.
fn copies(options: &JetStreamOptions) -> Finding {
    let replicas = options.replicas;
    if replicas >= 3 {
        return Finding::good(CHECK, format!("{replicas} servers keep every write"));
    }
    let warning = Finding::warning(CHECK, "one machine keeps all writes, which are lost with it");
    warning.advise("where that matters, run three servers and add replicas=3 to the log's URL")
}

/// What a server tells its operators: whether what is acknowledged survives the loss of power, and what time it is.
fn monitored(server: &str) -> Vec<Finding> {
    let varz = match varz(server).with_context(|| format!("{server} does not tell how it is set up")) {
        Ok(varz) => varz,
        Err(error) => {
            let warning = Finding::warning(CHECK, format!("{error:#}"));
            return vec![
                warning.advise("see to monitoring= in the log's URL, and to http_port of nats-server"),
            ];
        }
    };
    let synced = match syncs(&varz) {
        Some(Syncs::Always) => Finding::good(CHECK, format!("{server} syncs every write")),
        Some(Syncs::Every(interval)) => {
            let found =
                format!("{server} syncs every {interval:?}: what it acknowledged may be lost with power");
            Finding::warning(CHECK, found).advise("set sync_interval: always in its jetstream block")
        }
        None => {
            Finding::wrong(CHECK, format!("{server} has no JetStream")).advise("start nats-server with -js")
        }
    };
    let now: Option<Timestamp> = varz["now"].as_str().and_then(|now| now.parse().ok());
    let clock = now.map(|now| clock::of(server, now, Duration::from_secs(5)));
    [Some(synced), clock].into_iter().flatten().collect()
}
