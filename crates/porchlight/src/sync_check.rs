//! Whether a write that NATS has acknowledged survives the loss of machines and of power; said once, at the start.
//!
//! It is said in the log and stops nothing: for trying things, less is good enough. Only the monitoring port of a server
//! of NATS tells how often it syncs its files, and only whoever names that port can have it checked.

use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use http::{Method, StatusCode};
use serde_json::Value;

use crate::client::Client;
use crate::log_url::LogUrl;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// When a server syncs its files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Syncs {
    /// Before it acknowledges a write.
    Always,
    /// As often as that.
    Every(Duration),
}

/// Says what acknowledged writes may be lost by. Whoever has to be asked for that keeps nobody waiting.
pub(crate) fn warn_of_loss(url: &LogUrl) {
    if url.options.replicas < 3 {
        tracing::warn!(
            "acknowledged writes may be lost with the one machine of NATS that keeps them, since the log's URL has no \
             replicas=3"
        );
    }
    if url.monitoring.is_empty() {
        tracing::warn!(
            "acknowledged writes may be lost if the machines of NATS lose power, unless its sync_interval is always; \
             that is unverified, since the log's URL has no monitoring=http://HOST:8222"
        );
        return;
    }
    let servers = url.monitoring.clone();
    let asking = thread::Builder::new().name("sync-check".to_owned());
    let asked = asking.spawn(move || servers.iter().for_each(|server| check(server)));
    if let Err(error) = asked {
        tracing::warn!(%error, "the sync_interval of NATS is unverified");
    }
}

fn check(server: &str) {
    match ask(server) {
        Ok(Syncs::Always) => tracing::info!(server, "NATS syncs every write before it acknowledges it"),
        Ok(Syncs::Every(interval)) => tracing::warn!(
            server,
            "acknowledged writes may be lost if the machines of NATS lose power: sync_interval is {interval:?}, not always"
        ),
        Err(error) => tracing::warn!(
            server,
            error = format!("{error:#}"),
            "acknowledged writes may be lost if the machines of NATS lose power: sync_interval is unverified"
        ),
    }
}

fn ask(url: &str) -> anyhow::Result<Syncs> {
    syncs(&varz(url)?).context("this server has no JetStream")
}

/// What the monitoring of a server of NATS tells of it.
///
/// # Errors
///
/// Why it tells nothing.
pub(crate) fn varz(url: &str) -> anyhow::Result<Value> {
    const OTHER: &str = "what answers there is no monitoring of NATS";
    let server = Client::at(url, None)?;
    let asked = server.wait(async {
        tokio::time::timeout(PATIENCE, server.remote().ask(Method::GET, "/varz", None)).await
    });
    let answer = asked.context("the server does not answer")??;
    if answer.status != StatusCode::OK {
        bail!(OTHER);
    }
    serde_json::from_slice(&answer.body).context(OTHER)
}

/// What `/varz` says of when it syncs; `None`: it has no JetStream. Source: nats-server 2.15, where `sync_interval` is in
/// nanoseconds and `sync_always` is left out when it is false.
pub(crate) fn syncs(varz: &Value) -> Option<Syncs> {
    let config = &varz["jetstream"]["config"];
    if config["sync_always"] == true {
        return Some(Syncs::Always);
    }
    config["sync_interval"].as_u64().map(|nanos| Syncs::Every(Duration::from_nanos(nanos)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_says_when_it_syncs() {
        let varz = |config: Value| json!({"version": "2.15.1", "jetstream": {"config": config, "stats": {}}});
        let two_minutes = 120_000_000_000_u64;
        let table = [
            (varz(json!({"sync_interval": two_minutes, "sync_always": true})), Some(Syncs::Always)),
            (varz(json!({"sync_interval": two_minutes})), Some(Syncs::Every(Duration::from_secs(120)))),
            (json!({"version": "2.15.1", "jetstream": {}}), None),
            (json!([]), None),
        ];
        for (varz, expected) in table {
            assert_eq!(syncs(&varz), expected, "{varz}");
        }
    }
}
