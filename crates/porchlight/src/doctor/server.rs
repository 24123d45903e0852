//! A server that runs: whether it is ready, of the same version, and how it stands with its cluster.

use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::finding::Finding;
use super::{PATIENCE, clock};
use crate::client::{Answer, Client};
use crate::exit::Failure;

const CHECK: &str = "server";

/// This program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Asks it, without a token.
pub(super) fn check(server: &Client) -> Vec<Finding> {
    let host = server.host();
    let answer = match ask(server, "/porchlight/health") {
        Ok(answer) => answer,
        Err(why) => {
            let wrong = Finding::wrong(CHECK, why);
            return vec![wrong.advise(
                "see whether it runs, and whether this is where it listens: porchlight serve says so",
            )];
        }
    };
    let date = answer.header("date").map(str::to_owned);
    let health = answer.json().unwrap_or_default();
    let Some(version) = health["version"].as_str() else {
        let wrong = Finding::wrong(CHECK, format!("what answers on {host} is no porchlight"));
        return vec![wrong.advise("see to --url")];
    };
    let mut findings = vec![readiness(host, &health), same(host, version)];
    findings.extend(cluster(server));
    findings.extend(limits(server));
    findings.extend(date.and_then(|date| clock::of_date(host, &date, Duration::from_secs(300))));
    findings
}

/// What it answers, in time.
fn ask(server: &Client, path: &str) -> Result<Answer, String> {
    let asked = server
        .wait(async { tokio::time::timeout(PATIENCE, server.remote().ask(Method::GET, path, None)).await });
    let answer =
        asked.map_err(|_| format!("{} has not answered within {} s", server.host(), PATIENCE.as_secs()))?;
    answer.map_err(|Failure { cause, .. }| format!("{cause:#}"))
}

fn readiness(host: &str, health: &Value) -> Finding {
    if health["ready"] == true {
        return Finding::good(CHECK, format!("{host} is ready"));
    }
    let reason = health["reason"].as_str().unwrap_or("it does not say why");
    Finding::wrong(CHECK, format!("{host} is not ready: {reason}"))
        .advise("it takes no writes, and reads go on; its log tells more")
}

fn same(host: &str, version: &str) -> Finding {
    if version == VERSION {
        return Finding::good(CHECK, format!("{host} has the version of this program, {VERSION}"));
    }
    Finding::warning(CHECK, format!("{host} has version {version}, and this program {VERSION}"))
        .advise("look at it with a porchlight of its own version")
}

/// How it stands with the others, where there are any.
fn cluster(server: &Client) -> Option<Finding> {
    let cluster = ask(server, "/porchlight/cluster").ok()?.json().ok()?;
    let nodes = cluster["nodes"].as_array().map_or(0, Vec::len);
    let unheld = cluster["unheldSlots"].as_array().map_or(0, Vec::len);
    if cluster["frozen"] == true {
        let found =
            format!("{} is cut off from its log: it answers reads as of when it heard last", server.host());
        return Some(Finding::wrong(CHECK, found).advise("see to NATS and to the way there"));
    }
    if unheld > 0 {
        let found = format!("{unheld} delivery slots are held by no node: their subscriptions are told late");
        return Some(Finding::warning(CHECK, found).advise("look again in some seconds: porchlight status"));
    }
    (nodes > 1)
        .then(|| Finding::good(CHECK, format!("{nodes} nodes are in its cluster, and hold every slot")))
}

/// Whether it says what its limits are.
fn limits(server: &Client) -> Option<Finding> {
    let limits = ask(server, "/porchlight/limits").ok()?.json().ok()?;
    let count = limits["limits"].as_array()?.len();
    Some(Finding::good(
        CHECK,
        format!("{count} limits are in force; {}/porchlight/limits lists them", server.host()),
    ))
}
