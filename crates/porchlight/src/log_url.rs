//! `jetstream://…`: which log in NATS JetStream is meant, and how it is reached.
//!
//! Messages name the part that is wrong and what is allowed there. None of them quotes a password.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use porchlight_http::parse_duration;
use porchlight_store::JetStreamOptions;

const SCHEME: &str = "jetstream://";

/// The port of NATS.
const PORT: u16 = 4222;

/// What may stand behind the `?`.
const PARAMETERS: [&str; 10] = [
    "ca",
    "cells",
    "certificate",
    "credentials",
    "key",
    "monitoring",
    "patience",
    "prefix",
    "replicas",
    "tls",
];

/// A log in NATS JetStream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogUrl {
    /// How it is opened.
    pub(crate) options: JetStreamOptions,
    /// Where the servers can be asked over http how they are set up; one URL each.
    pub(crate) monitoring: Vec<String>,
}

impl LogUrl {
    /// Reads `jetstream://[USER:PASSWORD@]HOST[:PORT],…[/][?NAME=VALUE&…]`.
    ///
    /// # Errors
    ///
    /// What is wrong and what is allowed, as a lower-case fragment.
    pub(crate) fn parse(text: &str) -> Result<LogUrl, String> {
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| format!("it must begin with {SCHEME}, as in {SCHEME}127.0.0.1:{PORT}"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        // First: a password with a ? is noticed here.
        let parameters = Parameters::of(query)?;
        let (user, servers) = match place.rsplit_once('@') {
            Some((user, servers)) => (Some(user_of(user)?), servers),
            None => (None, place),
        };
        let servers = servers.strip_suffix('/').unwrap_or(servers);
        let servers = (1..)
            .zip(servers.split(','))
            .map(|(number, text)| server(text).ok_or_else(|| format!("server {number} {SERVER}")));
        let servers = servers.collect::<Result<Vec<String>, String>>()?;
        let options = JetStreamOptions { servers, user, ..JetStreamOptions::default() };
        parameters.into_url(options)
    }

    /// The URL again, with every parameter that is not as usual, and without the password.
    pub(crate) fn shown(&self) -> String {
        let (options, usual) = (&self.options, JetStreamOptions::default());
        let path = |path: &PathBuf| path.display().to_string();
        let client = options.client_certificate.as_ref();
        let parameters = [
            ("prefix", (options.prefix != usual.prefix).then(|| options.prefix.clone())),
            ("cells", (options.cells != usual.cells).then(|| options.cells.to_string())),
            ("replicas", (options.replicas != usual.replicas).then(|| options.replicas.to_string())),
            ("credentials", options.credentials.as_ref().map(path)),
            ("tls", options.tls.then(|| "true".to_owned())),
            ("ca", options.authority.as_ref().map(path)),
            ("certificate", client.map(|(chain, _)| path(chain))),
            ("key", client.map(|(_, key)| path(key))),
            ("monitoring", (!self.monitoring.is_empty()).then(|| self.monitoring.join(","))),
            ("patience", (options.patience != usual.patience).then(|| iso(options.patience))),
        ];
        let given = parameters.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        let query = given.collect::<Vec<_>>().join("&");
        let user = options.user.as_ref().map_or_else(String::new, |(user, _)| format!("{user}:(hidden)@"));
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{SCHEME}{user}{}/{mark}{query}", options.servers.join(","))
    }

    /// For people: where it is, without who may go there.
    pub(crate) fn place(&self) -> String {
        let JetStreamOptions { servers, prefix, cells, replicas, .. } = &self.options;
        let count = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        format!(
            "in NATS JetStream at {} (prefix {prefix}, {}, {})",
            servers.join(", "),
            count(usize::from(*cells), "cell"),
            count(*replicas, "replica")
        )
    }
}

/// What a server must be.
const SERVER: &str = "must be HOST or HOST:PORT; several are joined by commas, IPv6 stands in brackets";

/// What stands before the `@` when it is not as it must be.
const WRONG_USER: &str =
    "what stands before the @ must be USER:PASSWORD, each percent-encoded where it has a /, ?, @ or :";

/// User and password, which stand before the `@`.
fn user_of(text: &str) -> Result<(String, String), String> {
    let (user, password) = text.split_once(':').ok_or(WRONG_USER)?;
    if user.is_empty() || [user, password].iter().any(|part| part.contains(['/', ':', '@'])) {
        return Err(WRONG_USER.to_owned());
    }
    let decoded = |part: &str| match percent_decode_str(part).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(WRONG_USER.to_owned()),
    };
    Ok((decoded(user)?, decoded(password)?))
}

/// One of the servers, with its port; `None`: it is none.
fn server(text: &str) -> Option<String> {
    let (host, port) = match text.rsplit_once(':') {
        // The last colon of an address in brackets without a port.
        Some((_, rest)) if rest.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(is_of_a_name),
    };
    let port = port.map_or(Some(PORT), |port| port.parse::<u16>().ok().filter(|port| *port != 0))?;
    is_host.then(|| format!("{host}:{port}"))
}

/// What stands behind the `?`: names and decoded values, each name once.
struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    fn of(query: &str) -> Result<Parameters, String> {
        let mut parameters: Vec<(&'static str, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Then the ? is part of a password.
            if name.contains('@') {
                return Err(WRONG_USER.to_owned());
            }
            let known = PARAMETERS.into_iter().find(|known| *known == name).ok_or_else(|| {
                format!("there is no parameter '{name}'; there are {}", PARAMETERS.join(", "))
            })?;
            if parameters.iter().any(|(taken, _)| *taken == known) {
                return Err(format!("{known} is given twice"));
            }
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| format!("{known} is not UTF-8"))?.into_owned();
            if value.is_empty() {
                return Err(format!("{known} has no value"));
            }
            parameters.push((known, value));
        }
        Ok(Parameters(parameters))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// The value of this parameter as `read` reads it; `usual` if it is not given.
    fn read<T>(
        &self,
        name: &str,
        usual: T,
        allowed: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, String> {
        match self.get(name) {
            None => Ok(usual),
            Some(text) => read(text).ok_or_else(|| format!("{name} must be {allowed}, not '{text}'")),
        }
    }

    /// Puts what is given in the place of what is usual.
    fn into_url(self, mut options: JetStreamOptions) -> Result<LogUrl, String> {
        options.credentials = self.file("credentials");
        if options.credentials.is_some() && options.user.is_some() {
            return Err("credentials and USER:PASSWORD exclude each other".to_owned());
        }
        self.read_tls(&mut options)?;
        options.prefix = self.read("prefix", options.prefix, "1 to 32 of A-Z, a-z, 0-9, _ and -", prefix)?;
        options.cells = self.read("cells", options.cells, "1 to 256", |text| {
            text.parse::<u16>().ok().filter(|cells| (1..=256).contains(cells))
        })?;
        options.replicas = self.read("replicas", options.replicas, "1, 3 or 5", |text| {
            text.parse::<usize>().ok().filter(|replicas| [1, 3, 5].contains(replicas))
        })?;
        options.patience = self.read("patience", options.patience, "from PT1S to PT1H", patience)?;
        let allowed = "URLs that begin with http://, joined by commas";
        let monitoring = self.read("monitoring", Vec::new(), allowed, monitoring)?;
        Ok(LogUrl { options, monitoring })
    }

    /// Whether TLS is spoken, whom it trusts, and what it shows. Its files mean it.
    fn read_tls(&self, options: &mut JetStreamOptions) -> Result<(), String> {
        options.authority = self.file("ca");
        options.client_certificate = match (self.file("certificate"), self.file("key")) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => return Err("certificate and key go together".to_owned()),
        };
        let is_meant = options.authority.is_some() || options.client_certificate.is_some();
        options.tls = self.read("tls", is_meant, "true or false", |text| text.parse().ok())?;
        if is_meant && !options.tls {
            return Err("tls=false excludes ca, certificate and key".to_owned());
        }
        Ok(())
    }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

fn prefix(text: &str) -> Option<String> {
    let is_one = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    ((1..=32).contains(&text.len()) && text.bytes().all(is_one)).then(|| text.to_owned())
}

fn patience(text: &str) -> Option<Duration> {
    let allowed = Duration::from_secs(1)..=Duration::from_secs(60 * 60);
    parse_duration(text).ok().filter(|patience| allowed.contains(patience))
}

/// A duration as [`parse_duration`] reads it.
fn iso(duration: Duration) -> String {
    format!("PT{}S", duration.as_secs())
}

fn monitoring(text: &str) -> Option<Vec<String>> {
    let url = |url: &str| url.starts_with("http://").then(|| url.trim_end_matches('/').to_owned());
    text.split(',').map(url).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> JetStreamOptions {
        LogUrl::parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}")).options
    }

    #[test]
    fn servers_get_the_port_of_nats_unless_they_have_one() {
        let table: [(&str, &[&str]); 5] = [
            ("jetstream://nats", &["nats:4222"]),
            ("jetstream://127.0.0.1:4223/", &["127.0.0.1:4223"]),
            (
                "jetstream://n-0.nats:1,n_1,[::1],[fd00::1]:2/?",
                &["n-0.nats:1", "n_1:4222", "[::1]:4222", "[fd00::1]:2"],
            ),
            ("jetstream://nats?cells=4", &["nats:4222"]),
            ("jetstream://me:word@nats:4223", &["nats:4223"]),
        ];
        for (text, servers) in table {
            assert_eq!(options(text).servers, servers, "{text}");
        }
    }

    #[test]
    fn what_is_not_said_is_as_the_store_has_it() {
        let expected = JetStreamOptions::default();
        assert_eq!(options("jetstream://127.0.0.1"), expected);
        assert_eq!(options("jetstream://127.0.0.1:4222/?&"), expected);
    }

    #[test]
    fn every_parameter_goes_where_it_belongs() {
        let url = "jetstream://n/?replicas=3&cells=256&prefix=a_B-9&credentials=/etc/p%20l.creds&tls=true\
                   &ca=ca+1.pem&certificate=c.pem&key=k.pem&monitoring=http://a:8222/,http://b:8222&patience=PT5S";
        let LogUrl { options, monitoring } = LogUrl::parse(url).unwrap();
        let expected = JetStreamOptions {
            servers: vec!["n:4222".to_owned()],
            tls: true,
            authority: Some("ca+1.pem".into()),
            client_certificate: Some(("c.pem".into(), "k.pem".into())),
            credentials: Some("/etc/p l.creds".into()),
            prefix: "a_B-9".to_owned(),
            cells: 256,
            replicas: 3,
            patience: Duration::from_secs(5),
            ..JetStreamOptions::default()
        };
        assert_eq!(options, expected);
        assert_eq!(monitoring, ["http://a:8222", "http://b:8222"]);
    }

    #[test]
    fn user_and_password_are_decoded_and_files_of_tls_mean_tls() {
        let user = options("jetstream://a%40b:p%3A%2F%25@nats").user;
        assert_eq!(user, Some(("a@b".to_owned(), "p:/%".to_owned())));
        assert_eq!(options("jetstream://me:@nats").user, Some(("me".to_owned(), String::new())));
        for (query, tls) in [
            ("ca=x", true),
            ("certificate=x&key=y", true),
            ("tls=true", true),
            ("tls=false", false),
            ("", false),
        ] {
            assert_eq!(options(&format!("jetstream://nats/?{query}")).tls, tls, "{query}");
        }
    }

    #[test]
    fn the_url_is_shown_without_the_password_and_with_what_is_not_as_usual() {
        let table = [
            ("jetstream://nats", "jetstream://nats:4222/"),
            (
                "jetstream://me:word@a,b:1/?patience=PT5S&replicas=3&cells=16&ca=/ca.pem",
                "jetstream://me:(hidden)@a:4222,b:1/?replicas=3&tls=true&ca=/ca.pem&patience=PT5S",
            ),
        ];
        for (text, shown) in table {
            assert_eq!(LogUrl::parse(text).unwrap().shown(), shown);
        }
    }

    #[test]
    fn the_place_is_told_without_the_password() {
        let url = LogUrl::parse("jetstream://me:word@a,b:1/?replicas=3&cells=1").unwrap();
        let place = "in NATS JetStream at a:4222, b:1 (prefix porchlight, 1 cell, 3 replicas)";
        assert_eq!(url.place(), place);
    }

    #[test]
    fn every_mistake_is_named_with_what_is_allowed() {
        const SCHEME: &str = "it must begin with jetstream://, as in jetstream://127.0.0.1:4222";
        const FIRST: &str =
            "server 1 must be HOST or HOST:PORT; several are joined by commas, IPv6 stands in brackets";
        const SECOND: &str =
            "server 2 must be HOST or HOST:PORT; several are joined by commas, IPv6 stands in brackets";
        let unknown = "there is no parameter 'replica'; there are ca, cells, certificate, credentials, key, monitoring, \
                       patience, prefix, replicas, tls";
        let table = [
            ("nats://n", SCHEME),
            ("", SCHEME),
            ("jetstream://", FIRST),
            ("jetstream://a,,b", SECOND),
            ("jetstream://a:", FIRST),
            ("jetstream://a:0", FIRST),
            ("jetstream://a,b:65536", SECOND),
            ("jetstream://::1", FIRST),
            ("jetstream://[::g]:1", FIRST),
            ("jetstream://a/b", FIRST),
            ("jetstream://a b", FIRST),
            ("jetstream://token@a", WRONG_USER),
            ("jetstream://:word@a", WRONG_USER),
            ("jetstream://me:a:b@a", WRONG_USER),
            ("jetstream://me:a/b@a", WRONG_USER),
            ("jetstream://me:1?b@a", WRONG_USER),
            ("jetstream://me:%ff@a", WRONG_USER),
            ("jetstream://a/?replica=3", unknown),
            ("jetstream://a/?replicas=2", "replicas must be 1, 3 or 5, not '2'"),
            ("jetstream://a/?replicas=", "replicas has no value"),
            ("jetstream://a/?replicas=3&replicas=3", "replicas is given twice"),
            ("jetstream://a/?cells=0", "cells must be 1 to 256, not '0'"),
            ("jetstream://a/?cells=257", "cells must be 1 to 256, not '257'"),
            ("jetstream://a/?prefix=a.b", "prefix must be 1 to 32 of A-Z, a-z, 0-9, _ and -, not 'a.b'"),
            ("jetstream://a/?prefix=%ff", "prefix is not UTF-8"),
            ("jetstream://a/?tls=yes", "tls must be true or false, not 'yes'"),
            ("jetstream://a/?tls=false&ca=x", "tls=false excludes ca, certificate and key"),
            ("jetstream://a/?key=x", "certificate and key go together"),
            ("jetstream://a/?certificate=x", "certificate and key go together"),
            ("jetstream://me:word@a/?credentials=x", "credentials and USER:PASSWORD exclude each other"),
            ("jetstream://a/?patience=5", "patience must be from PT1S to PT1H, not '5'"),
            ("jetstream://a/?patience=PT2H", "patience must be from PT1S to PT1H, not 'PT2H'"),
            (
                "jetstream://a/?monitoring=https://a",
                "monitoring must be URLs that begin with http://, joined by commas, not 'https://a'",
            ),
            (
                "jetstream://a/?prefix=a23456789012345678901234567890123",
                "prefix must be 1 to 32 of A-Z, a-z, 0-9, _ and -, not 'a23456789012345678901234567890123'",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(LogUrl::parse(text).unwrap_err(), expected, "{text}");
        }
    }
}
