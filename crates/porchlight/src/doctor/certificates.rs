//! The certificate of https: whether it can be read and used, whom it is for, and how long.

use http::Uri;
use porchlight_engine::Clock;
use porchlight_presence::Timestamp;

use super::finding::Finding;
use crate::config::Config;
use crate::https::NOTICE;

const CHECK: &str = "certificate";

/// Reads what `serve` would read. Development's own certificate is made at every start, and always good.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let Some(https) = &config.https else { return Vec::new() };
    let Some((certificate, _)) = https.files() else { return Vec::new() };
    let identity = match https.open(None) {
        Ok(certificate) => certificate.tls().identity(),
        Err(failure) => {
            let wrong = Finding::wrong(CHECK, failure.to_string());
            return vec![
                wrong.advise("see to https.certificate and https.key: serve does not start with these"),
            ];
        }
    };
    let file = certificate.display().to_string();
    let mut findings = vec![life(&file, identity.not_after, Clock::system().now())];
    findings.extend(config.settings.public_url.as_deref().and_then(|url| names(&file, &identity.names, url)));
    findings
}

/// How long it is good for.
fn life(file: &str, end: Timestamp, now: Timestamp) -> Finding {
    const RENEW: &str = "renew it: serve takes another one from the same files without a restart";
    let date = jiff::Timestamp::from_millisecond(end.as_millis()).map(|end| end.to_string());
    let date = date.unwrap_or_default();
    if end <= now {
        Finding::wrong(CHECK, format!("{file} has ended on {date}")).advise(RENEW)
    } else if end.since(now) <= NOTICE {
        Finding::warning(CHECK, format!("{file} ends soon, on {date}")).advise(RENEW)
    } else {
        Finding::good(CHECK, format!("{file} and its key can be used, until {date}"))
    }
}

/// Whether it is for the host that clients are told.
fn names(file: &str, names: &[String], public_url: &str) -> Option<Finding> {
    let uri: Uri = public_url.parse().ok()?;
    // Before a proxy it is the proxy's certificate that clients see.
    let host = uri.host().filter(|_| uri.scheme_str() == Some("https"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if names.iter().any(|name| is_for(name, host)) {
        return Some(Finding::good(CHECK, format!("{file} is for {host}, as public_url has it")));
    }
    let warning = Finding::warning(CHECK, format!("{file} is for {}, not for {host}", names.join(", ")));
    Some(warning.advise(format!(
        "unless a proxy with another certificate stands before the server, have one made for {host}, or mend public_url"
    )))
}

/// Whether a name of a certificate is that of a host; `*` stands for one label. Source: RFC 9525, 6.3.
fn is_for(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let below = name.strip_prefix("*.").zip(host.split_once('.'));
    below.is_some_and(|(name, (_, host))| name.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        let table = [
            ("presence.example.org", "presence.example.org", true),
            ("Presence.Example.org", "presence.example.org", true),
            ("*.example.org", "presence.example.org", true),
            ("*.example.org", "a.presence.example.org", false),
            ("*.example.org", "example.org", false),
            ("example.org", "presence.example.org", false),
        ];
        for (name, host, expected) in table {
            assert_eq!(is_for(name, host), expected, "{name} {host}");
        }
    }

    #[test]
    fn an_end_is_told_before_it_comes() {
        let day = std::time::Duration::from_secs(24 * 60 * 60);
        let now = Timestamp::ZERO.plus(20_000 * day);
        let state = |end: Timestamp| life("x", end, now).state;
        assert_eq!(state(now), State::Wrong);
        assert_eq!(state(now.plus(13 * day)), State::Warning);
        assert_eq!(state(now.plus(15 * day)), State::Good);
    }
}
