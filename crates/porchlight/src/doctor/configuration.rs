//! Whether `serve` would take the configuration, and what in it is hardly meant.

use std::net::IpAddr;

use http::Uri;
use http::uri::Authority;

use super::DoctorFlags;
use super::finding::Finding;
use crate::cli::ServeFlags;
use crate::config::command::read;
use crate::config::{Config, LogPlace};
use crate::exit::Failure;
use crate::in_full;

const CHECK: &str = "configuration";

/// The configuration, if there is one to go by, and what was found of it.
pub(super) fn check(flags: &DoctorFlags) -> (Option<Config>, Vec<Finding>) {
    let given = flags.serve().and_then(|serve| Ok((read(&serve)?, serve)));
    match given {
        Err(Failure { cause, .. }) => {
            let wrong = Finding::wrong(CHECK, in_full(&cause));
            (None, vec![wrong.advise("serve does not start with this; what depends on it was not looked at")])
        }
        Ok((config, serve)) => {
            let mut findings = vec![Finding::good(CHECK, taken(&serve))];
            findings.extend(doubts(&config));
            findings.extend(public_url(&config));
            (Some(config), findings)
        }
    }
}

fn taken(serve: &ServeFlags) -> String {
    match &serve.config {
        Some(file) => format!("{}: serve takes it", file.display()),
        None => "no file; serve takes the defaults and what the environment says".to_owned(),
    }
}

/// What serves, and may not be what is meant.
fn doubts(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut doubt =
        |found: String, advice: &str| findings.push(Finding::warning(CHECK, found).advise(advice));
    if config.is_for_nobody() {
        let advice =
            "add an [[auth.issuer]] or an [[auth.api_key]]: without one every call is answered with 401";
        doubt("nobody can call".to_owned(), advice);
    }
    for issuer in config.issuers_of_any_tenant() {
        let found = format!("tokens of {issuer} may name any tenant, those of other issuers too");
        doubt(found, "give the issuer a tenant or tenants");
    }
    let is_development = config.settings.development.is_some();
    if matches!(config.log, LogPlace::Memory { .. }) && !is_development {
        doubt("everything is kept in memory, and lost at the end".to_owned(), "name a data folder by data");
    }
    let is_remote = !config.listen.ip().is_loopback();
    if is_development && is_remote {
        let found = format!("development mode takes any token, and others reach {}", config.listen);
        doubt(found, "listen on 127.0.0.1, or turn dev off");
    }
    findings
}

/// Whether clients would get anywhere by the URL that they are told.
fn public_url(config: &Config) -> Option<Finding> {
    let text = config.settings.public_url.as_deref()?;
    let named = |what: &str| format!("public_url '{text}' {what}");
    let uri: Uri = match text.parse() {
        Ok(uri) => uri,
        Err(error) => return Some(Finding::wrong(CHECK, named(&format!("is no URL: {error}")))),
    };
    let authority = uri.authority().map_or("", Authority::as_str);
    if authority.is_empty() || authority.contains('@') || uri.query().is_some() || text.contains('#') {
        let wrong = Finding::wrong(CHECK, named("has no host, or a user, a query or a fragment"));
        return Some(wrong.advise("make it scheme and host, as in https://presence.example.org"));
    }
    let is_here = is_this_machine(uri.host().unwrap_or_default());
    if uri.scheme_str() == Some("http") && !is_here {
        let warning = Finding::warning(CHECK, named("has no TLS: tokens can be read on their way"));
        return Some(warning.advise("put https before the server, and name it by https://"));
    }
    if is_here && !config.listen.ip().is_loopback() {
        let warning = Finding::warning(CHECK, named("is this machine, and others are to reach the server"));
        return Some(warning.advise("name the host that others know"));
    }
    Some(Finding::good(CHECK, named("is what clients are told")))
}

/// Whether a host is this machine, whichever that is.
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
