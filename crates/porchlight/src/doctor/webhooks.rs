//! Whether those can be reached who want to be told.

use std::collections::BTreeSet;

use porchlight_notify::Reach;
use tokio::task::JoinSet;

use super::finding::Finding;
use super::{in_time, wait};
use crate::config::{Config, LogPlace};

const CHECK: &str = "webhooks";

/// How many servers are tried, in the order of their URLs.
const TRIED_MAX: usize = 200;

/// Connects to the server of each of these endpoints by the rules of `[egress]`, and sends nothing.
pub(super) fn check(config: &Config, endpoints: &BTreeSet<String>) -> Vec<Finding> {
    let reach = match Reach::new(&config.telling.egress) {
        Ok(reach) => reach,
        Err(error) => {
            let wrong = Finding::wrong(CHECK, error.to_string());
            return vec![wrong.advise("see to [egress]: serve does not start with this")];
        }
    };
    if let LogPlace::JetStream(_) = &config.log {
        let found = "not tried, since who is to be told stands in NATS";
        let good = Finding::good(CHECK, found);
        return vec![
            good.advise("GET /subscriptions/{id}/porchlight.deliveries tells how it goes with each"),
        ];
    }
    let servers: BTreeSet<&str> = endpoints.iter().map(|url| server(url)).collect();
    let mut findings = wait(CHECK, async {
        let mut trying = JoinSet::new();
        for server in servers.iter().take(TRIED_MAX) {
            let (reach, url) = (reach.clone(), (*server).to_owned());
            trying.spawn(async move { finding(&url, in_time(reach.connect(&url)).await) });
        }
        let mut found = trying.join_all().await;
        found.sort_by(|one, other| one.found.cmp(&other.found));
        found
    });
    if let Some(more) = servers.len().checked_sub(TRIED_MAX).filter(|more| *more > 0) {
        findings.push(Finding::warning(CHECK, format!("{more} more servers were not tried")));
    }
    findings
}

/// Scheme, host and port of an endpoint. No more of its URL is shown: the rest of it may be a secret.
fn server(url: &str) -> &str {
    let host_at = url.find("://").map_or(0, |at| at + "://".len());
    let end = url[host_at..].find(['/', '?', '#']).map_or(url.len(), |length| host_at + length);
    &url[..end]
}

fn finding(url: &str, reached: Result<(), String>) -> Finding {
    match reached {
        Ok(()) => Finding::good(CHECK, format!("{url} can be reached")),
        Err(why) => {
            let advice = advice(&why);
            Finding::wrong(CHECK, format!("{url} cannot be reached: {why}")).advise(advice)
        }
    }
}

/// What to do about it, by what is wrong.
fn advice(why: &str) -> &'static str {
    if why.contains("address is not allowed") {
        "if that address is meant, allow it by egress.private or egress.loopback; else end the subscription"
    } else if why.contains("port is not allowed") {
        "if that port is meant, add it to egress.ports"
    } else if why.contains("scheme must be https") {
        "have it speak https, or allow http by egress.http"
    } else if why.contains("certificate") {
        "if its certificate is of an authority of your own, name that by egress.ca"
    } else {
        "its subscriptions are told when it is there again; look at the endpoint, at names and at firewalls"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_endpoint_nothing_is_shown_but_where_its_server_is() {
        for (url, expected) in [
            ("https://hooks.example/services/T0/secret", "https://hooks.example"),
            ("https://hooks.example:8443?code=secret", "https://hooks.example:8443"),
            ("http://[::1]:80/", "http://[::1]:80"),
            ("https://hooks.example", "https://hooks.example"),
        ] {
            assert_eq!(server(url), expected);
        }
    }
}
