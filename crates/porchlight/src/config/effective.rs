//! The settings as they are in force: what the file, the environment and the defaults come to, by the names of the file.
//!
//! Secrets are not in it. What is not set is null in JSON, and a comment in TOML.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use porchlight_http::{ApiKey, AuthSettings, BoardSettings, ODataTypeCase, Profile, Settings, TrustedIssuer};
use porchlight_presence::{Fade, Limits};
use porchlight_store::Durability;
use serde_json::{Value, json};

use super::{Config, LogPlace};
use crate::cli::LogFormat;
use crate::https::Https;
use crate::traces::TracesSettings;

/// In place of a secret.
const HIDDEN: &str = "(hidden)";

/// The settings by the names that they have in the file, section by section and in its order.
pub(crate) fn settings(config: &Config) -> Value {
    let mut all = general(config);
    for (name, section) in [
        ("https", https(config.https.as_ref())),
        ("limits", limits(config)),
        ("presence", presence(&config.presence)),
        ("subscriptions", subscriptions(&config.telling)),
        ("board", board(&config.settings.board)),
        ("egress", egress(&config.telling.egress)),
        ("users", json!({"auto_provision": config.settings.auth.provision})),
        ("auth", auth(&config.settings.auth)),
        ("audit", audit(config)),
        ("wire", wire(config)),
        ("traces", traces(config.traces.as_ref())),
    ] {
        all[name] = section;
    }
    all
}

/// The same as a file would have it.
pub(crate) fn toml(settings: &Value) -> String {
    let mut text = String::new();
    write_table(&mut text, "", settings);
    text.trim_end().to_owned()
}

/// What stands in no section.
fn general(config: &Config) -> Value {
    let Settings { profile, public_url, cors_origins, instance, .. } = &config.settings;
    let (data, log, durability) = match &config.log {
        LogPlace::Memory { .. } => (config.development_in.as_deref(), None, None),
        LogPlace::Folder { path, durability, .. } => (Some(path.as_path()), None, Some(durability)),
        LogPlace::JetStream(url) => (config.development_in.as_deref(), Some(url.shown()), None),
    };
    json!({
        "listen": config.listen.to_string(),
        "data": data.map(path),
        "log": log,
        "node_name": instance,
        "ephemeral": matches!(config.log, LogPlace::Memory { .. }),
        "durability": durability.map(|durability| match durability {
            Durability::Full => "full",
            Durability::Relaxed => "relaxed",
        }),
        "seed": config.seed.as_deref().map(path),
        "profile": match profile {
            Profile::Open => "open",
            Profile::Strict => "strict",
        },
        "access_log": config.settings.access_log,
        "log_format": match config.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        },
        "threads": config.threads,
        "public_url": public_url,
        "cors_origins": cors_origins,
        "trust_forwarded": config.settings.trust_forwarded,
        "slow_request": time(config.settings.slow_request),
        "accept_clock": config.accept_clock,
        "dev": config.settings.development.is_some(),
        "dev_skip_validation": config.telling.skip_validation,
    })
}

fn https(https: Option<&Https>) -> Value {
    let files = https.and_then(Https::files);
    json!({
        "listen": https.map_or_else(|| "none".to_owned(), |https| https.listen.to_string()),
        "certificate": files.map(|(certificate, _)| path(certificate)),
        "key": files.map(|(_, key)| path(key)),
        "names": https.and_then(Https::names),
    })
}

fn limits(config: &Config) -> Value {
    let limits = &config.settings.limits;
    let (waiting_max, cache_bytes) = match &config.log {
        LogPlace::Memory { waiting_max } => (*waiting_max, None),
        LogPlace::Folder { waiting_max, cache_bytes, .. } => (*waiting_max, Some(*cache_bytes)),
        LogPlace::JetStream(url) => (url.options.waiting_max, None),
    };
    json!({
        "body_bytes": limits.body_bytes_max,
        "header_bytes": limits.header_bytes_max,
        "header_time": time(limits.header_timeout),
        "body_time": time(limits.body_timeout),
        "answer_time": time(limits.answer_timeout),
        "connections": limits.connections_max,
        "connections_per_address": limits.connections_per_address,
        "wait": time(limits.wait_max),
        "streams": limits.streams_max,
        "stream_heartbeat": time(limits.stream_heartbeat),
        "waiting_writes": waiting_max,
        "cache_bytes": cache_bytes,
        "requests": limits.requests_max,
        "requests_window": time(limits.requests_window),
    })
}

fn presence(limits: &Limits) -> Value {
    let fade = |of: fn(Fade) -> Duration| limits.fade.map(of).map(time);
    json!({
        "fade": limits.fade.is_some(),
        "fade_inactive_after": fade(|fade| fade.inactive_after),
        "fade_away_after": fade(|fade| fade.away_after),
        "expiry_grace": time(limits.expiry_grace),
        "session_duration_min": time(limits.session_duration_min),
        "session_duration_max": time(limits.session_duration_max),
        "session_duration_default": time(limits.session_duration_default),
        "sessions": limits.sessions_max,
        "status_message_characters": limits.status_chars_max,
        "location_days": limits.location_days,
        "time_zone": limits.zone.iana_name().unwrap_or("UTC"),
    })
}

fn subscriptions(settings: &porchlight_notify::Settings) -> Value {
    json!({
        "users": settings.users_max,
        "per_owner": settings.per_owner_max,
        "lifetime_max": time(settings.lifetime_max),
        "validation_time": time(settings.validation_timeout),
        "delivery_time": time(settings.first_timeout),
        "retry_time": time(settings.retry_timeout),
        "underway_per_endpoint": settings.underway_max,
        "items_per_delivery": settings.items_max,
    })
}

fn board(board: &BoardSettings) -> Value {
    let sign_in = board.sign_in.as_ref();
    json!({
        "enabled": board.enabled,
        "client_id": sign_in.map(|sign_in| &sign_in.client_id),
        "issuer": sign_in.map(|sign_in| &sign_in.issuer),
        "scopes": sign_in.map(|sign_in| &sign_in.scopes),
        "parameters": sign_in.map(|sign_in| &sign_in.parameters),
        "connect": sign_in.map(|sign_in| &sign_in.connect),
    })
}

fn egress(egress: &porchlight_notify::Egress) -> Value {
    let client = egress.client_certificate.as_ref();
    json!({
        "http": egress.http,
        "loopback": egress.loopback,
        "private": egress.private,
        "ports": egress.ports,
        "ca": egress.ca.as_deref().map(path),
        "client_certificate": client.map(|(chain, _)| path(chain)),
        "client_key": client.map(|(_, key)| path(key)),
    })
}

fn auth(auth: &AuthSettings) -> Value {
    json!({
        "denied_apps": sorted(auth.denied_applications.iter().map(|application| application.0)),
        "denied_users": sorted(auth.denied_users.iter().map(|user| user.0)),
        "administrators": sorted(auth.administrators.iter().map(|user| user.0)),
        "tokens_remembered": auth.tokens_max,
        "ca": auth.ca.as_deref().map(path),
        "issuer": auth.issuers.iter().map(issuer).collect::<Vec<_>>(),
        "api_key": auth.api_keys.iter().map(api_key).collect::<Vec<_>>(),
    })
}

fn issuer(issuer: &TrustedIssuer) -> Value {
    let claims = &issuer.claims;
    let mark = claims.application_only.as_ref().map(|mark| match &mark.value {
        None => mark.name.clone(),
        Some(value) => format!("{}={value}", mark.name),
    });
    json!({
        "issuer": issuer.issuer,
        "metadata": issuer.metadata,
        "audiences": issuer.audiences,
        "tenants": sorted(issuer.tenants.iter().map(|tenant| tenant.0)),
        "tenant": issuer.tenant.map(|tenant| tenant.0),
        "algorithms": issuer.algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>(),
        "clock_skew_seconds": issuer.clock_skew.as_secs(),
        "claims": {
            "user": claims.user,
            "tenant": claims.tenant,
            "app": claims.application,
            "scopes": claims.scopes,
            "roles": claims.roles,
            "application_only": mark,
        },
    })
}

/// The hash is no secret by itself, but whoever has it can try keys.
fn api_key(key: &ApiKey) -> Value {
    json!({
        "hash": HIDDEN,
        "tenant": key.tenant.0,
        "application": key.application.0,
        "user": key.user.map(|user| user.0),
        "permissions": key.permissions.names().collect::<Vec<_>>(),
    })
}

fn audit(config: &Config) -> Value {
    let file = config.audit.as_ref();
    json!({
        "file": file.map(|file| path(&file.path)),
        "rotate_bytes": file.map(|file| file.rotate_bytes),
        "keep": file.map(|file| file.keep),
        "texts": config.settings.audit_texts,
    })
}

fn wire(config: &Config) -> Value {
    json!({
        "basic_includes_presence": config.telling.plain_presence,
        "odata_type_case": match config.settings.odata_type_case {
            ODataTypeCase::Documented => "documented",
            ODataTypeCase::Observed => "observed",
        },
    })
}

fn traces(traces: Option<&TracesSettings>) -> Value {
    json!({
        "endpoint": traces.map(TracesSettings::shown),
        "sample": traces.map(|traces| traces.sample),
    })
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// A duration as the file has it, such as `PT5M`.
fn time(duration: Duration) -> String {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX).to_string()
}

/// Ids in an order of their own, since sets have none.
fn sorted(ids: impl Iterator<Item = uuid::Uuid>) -> Vec<String> {
    let mut ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    ids.sort();
    ids
}

/// Writes what a table holds: first what is its own, then the tables below it.
fn write_table(text: &mut String, name: &str, table: &Value) {
    let members = || table.as_object().into_iter().flatten();
    let is_below = |value: &Value| match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().any(Value::is_object),
        _ => false,
    };
    // Within an array of tables what is nested stands in one line, as a person would write it.
    let is_element = name.starts_with("[[");
    for (key, value) in members().filter(|(_, value)| is_element || !is_below(value)) {
        write_line(text, key, value);
    }
    for (key, value) in members().filter(|(_, value)| !is_element && is_below(value)) {
        let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        match value {
            Value::Array(items) => {
                for item in items {
                    write_header(text, &format!("[[{path}]]"));
                    write_table(text, &format!("[[{path}]]"), item);
                }
            }
            value => {
                write_header(text, &format!("[{path}]"));
                write_table(text, &path, value);
            }
        }
    }
}

fn write_header(text: &mut String, header: &str) {
    writeln!(text, "\n{header}").expect("a text takes any number of lines");
}

fn write_line(text: &mut String, key: &str, value: &Value) {
    let written = match value {
        Value::Null => writeln!(text, "# {key} is not set"),
        value => writeln!(text, "{key} = {}", inline(value)),
    };
    written.expect("a text takes any number of lines");
}

/// A value in one line. What JSON writes of texts, numbers and truth values is TOML as well.
fn inline(value: &Value) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match value {
        Value::Array(items) => format!("[{}]", list(items.iter().map(inline).collect())),
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members = members.map(|(key, value)| format!("{key} = {}", inline(value)));
            format!("{{ {} }}", list(members.collect()))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_as_a_file_has_them() {
        let settings = json!({
            "listen": "127.0.0.1:8080", "log": null, "ports": [443, 8443],
            "auth": {
                "denied_apps": [],
                "issuer": [
                    {"issuer": "https://id", "tenant": null, "claims": {"user": "sub", "app": ["azp"]}},
                ],
            },
            "wire": {"basic_includes_presence": false},
        });
        insta::assert_snapshot!(toml(&settings), @r#"
        listen = "127.0.0.1:8080"
        # log is not set
        ports = [443, 8443]

        [auth]
        denied_apps = []

        [[auth.issuer]]
        issuer = "https://id"
        # tenant is not set
        claims = { user = "sub", app = ["azp"] }

        [wire]
        basic_includes_presence = false
        "#);
    }

    #[test]
    fn durations_are_iso_8601() {
        let minutes = |count: u64| time(Duration::from_secs(60 * count));
        assert_eq!([minutes(0), minutes(5), minutes(60), minutes(90)], ["PT0S", "PT5M", "PT1H", "PT1H30M"]);
    }
}
