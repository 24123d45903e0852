//! The configuration: flags over environment over file over defaults, checked as a whole.

pub(crate) mod command;
mod effective;
mod place;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use porchlight_engine::Seed;
use porchlight_http::{AuthSettings, Development, HttpLimits, IssuerKey, Profile, Settings, parse_duration};
use porchlight_presence::{Fade, Limits};
use porchlight_store::Durability;
use serde::{Deserialize, Deserializer};

use crate::audit::{self, AuditSection};
use crate::board::{self, BoardSection};
use crate::cli::{DurabilityFlag, LogFormat, ProfileFlag, ServeFlags};
use crate::exit::Failure;
use crate::https::{self, Https, HttpsSection};
use crate::log_url::LogUrl;
use crate::seed;
use crate::telling::{self, EgressSection, SubscriptionsSection, WireSection};
use crate::tokens::{self, AuthSection, UsersSection};
use crate::traces::{TracesSection, TracesSettings};

/// The data folder of whoever names none.
pub(crate) const DATA: &str = "porchlight-data";

/// The longest name of a node, in characters: one that goes into a header and into a column of a table.
const NODE_NAME_MAX: usize = 64;

/// Everything that `serve` needs to know.
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) https: Option<Https>,
    pub(crate) log: LogPlace,
    pub(crate) log_format: LogFormat,
    pub(crate) threads: usize,
    pub(crate) accept_clock: bool,
    pub(crate) seeds: Vec<Seed>,
    /// The file that they came from, if they came from one.
    pub(crate) seed: Option<PathBuf>,
    pub(crate) presence: Limits,
    pub(crate) settings: Settings,
    /// The data folder in whose `development/` this mode keeps what is its own; `None`: nothing is kept.
    pub(crate) development_in: Option<PathBuf>,
    pub(crate) telling: porchlight_notify::Settings,
    pub(crate) audit: Option<audit::Settings>,
    /// `None`: nothing is traced.
    pub(crate) traces: Option<TracesSettings>,
}

/// Where the records are kept.
#[derive(Clone, Debug)]
pub(crate) enum LogPlace {
    Memory { waiting_max: usize },
    Folder { path: PathBuf, durability: Durability, waiting_max: usize, cache_bytes: u64 },
    JetStream(Box<LogUrl>),
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    dev: Option<bool>,
    dev_allow_remote: Option<bool>,
    dev_skip_validation: Option<bool>,
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    log: Option<String>,
    node_name: Option<String>,
    ephemeral: Option<bool>,
    durability: Option<DurabilityFlag>,
    seed: Option<PathBuf>,
    profile: Option<ProfileFlag>,
    access_log: Option<bool>,
    log_format: Option<LogFormat>,
    threads: Option<usize>,
    public_url: Option<String>,
    cors_origins: Option<Vec<String>>,
    accept_clock: Option<bool>,
    trust_forwarded: Option<bool>,
    slow_request: Option<Iso>,
    https: HttpsSection,
    limits: LimitsSection,
    presence: PresenceSection,
    subscriptions: SubscriptionsSection,
    egress: EgressSection,
    wire: WireSection,
    auth: AuthSection,
    users: UsersSection,
    board: BoardSection,
    audit: AuditSection,
    traces: TracesSection,
}

/// `[limits]`: see `GET /porchlight/limits`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsSection {
    body_bytes: Option<usize>,
    header_bytes: Option<usize>,
    header_time: Option<Iso>,
    body_time: Option<Iso>,
    answer_time: Option<Iso>,
    connections: Option<usize>,
    connections_per_address: Option<usize>,
    wait: Option<Iso>,
    streams: Option<usize>,
    stream_heartbeat: Option<Iso>,
    waiting_writes: Option<usize>,
    cache_bytes: Option<u64>,
    requests: Option<u32>,
    requests_window: Option<Iso>,
}

/// `[presence]`: what enters a write.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PresenceSection {
    fade: Option<bool>,
    fade_inactive_after: Option<Iso>,
    fade_away_after: Option<Iso>,
    expiry_grace: Option<Iso>,
    session_duration_min: Option<Iso>,
    session_duration_max: Option<Iso>,
    session_duration_default: Option<Iso>,
    sessions: Option<usize>,
    status_message_characters: Option<usize>,
    location_days: Option<u16>,
    time_zone: Option<String>,
}

/// A duration as ISO 8601 writes it, such as `PT5M`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Iso(pub(crate) Duration);

impl<'de> Deserialize<'de> for Iso {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Iso, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.eq_ignore_ascii_case("PT0S") {
            return Ok(Iso(Duration::ZERO));
        }
        let wrong =
            |error| serde::de::Error::custom(format!("'{text}' is no duration such as PT5M: {error}"));
        parse_duration(&text).map(Iso).map_err(wrong)
    }
}

impl Config {
    /// Reads and checks everything.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`], naming the file and the key.
    pub(crate) fn read(flags: &ServeFlags) -> Result<Config, Failure> {
        let file = flags.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let dev = flags.dev.or(file.dev).unwrap_or(false);
        let listen = flags.listen.or(file.listen).unwrap_or((Ipv4Addr::LOCALHOST, 8080).into());
        let development_in = dev.then(|| development_in(flags, &file)).flatten();
        let https = https::settings(flags, &file.https, listen, dev)?;
        let remote = [Some(listen), https.as_ref().map(|https| https.listen)];
        let remote = remote.into_iter().flatten().find(|address| !address.ip().is_loopback());
        if let Some(remote) = remote.filter(|_| dev)
            && !flags.dev_allow_remote.or(file.dev_allow_remote).unwrap_or(false)
        {
            return Err(Failure::usage(format!(
                "development mode takes any token, and {remote} can be reached by others: listen on 127.0.0.1, or give --dev-allow-remote"
            )));
        }
        let seed = flags.seed.as_ref().or(file.seed.as_ref());
        let seeds = match seed {
            Some(path) => seed::read(path)?,
            None if dev => Development::demo().seeds,
            None => Vec::new(),
        };
        let threads = flags.threads.or(file.threads);
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let formats = if dev { LogFormat::Text } else { LogFormat::Json };
        let auth = tokens::settings(&file.auth, &file.users)?;
        let settings = settings(flags, &file, auth, dev.then(|| development(&seeds)))?;
        let strict = settings.profile == Profile::Strict;
        let skip_validation = flags.dev_skip_validation.or(file.dev_skip_validation).unwrap_or(false);
        if skip_validation && !dev {
            return Err(Failure::usage("dev_skip_validation is for development mode: give --dev too"));
        }
        Ok(Config {
            listen,
            https,
            log: log_place(flags, &file, &settings.instance)?,
            development_in,
            log_format: flags.log_format.or(file.log_format).unwrap_or(formats),
            threads: threads.unwrap_or_else(cores).clamp(1, 1024),
            accept_clock: flags.accept_clock.or(file.accept_clock).unwrap_or(false),
            presence: presence(&file.presence)?,
            settings,
            audit: file.audit.file()?,
            traces: file.traces.settings(flags.traces_endpoint.as_deref())?,
            telling: porchlight_notify::Settings {
                skip_validation,
                ..telling::settings(&file.subscriptions, &file.egress, &file.wire, strict, dev)?
            },
            seeds,
            seed: seed.cloned(),
        })
    }

    /// Whether every call would be answered with 401, since nobody's tokens are taken.
    pub(crate) fn is_for_nobody(&self) -> bool {
        let auth = &self.settings.auth;
        self.settings.development.is_none() && auth.issuers.is_empty() && auth.api_keys.is_empty()
    }

    /// The issuers whose tokens may name any tenant, those of the other issuers too; that is hardly ever meant.
    pub(crate) fn issuers_of_any_tenant(&self) -> Vec<&str> {
        let issuers = &self.settings.auth.issuers;
        let of_any = issuers.iter().filter(|issuer| issuers.len() > 1 && issuer.may_name_any_tenant());
        of_any.map(|issuer| issuer.issuer.as_str()).collect()
    }
}

fn read_file(path: &Path) -> Result<File, Failure> {
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    toml::from_str(&text).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// Where the records are kept; a log that others share knows this server by the name `node`.
fn log_place(flags: &ServeFlags, file: &File, node: &str) -> Result<LogPlace, Failure> {
    let usual = porchlight_store::Options::default();
    let waiting_max = file.limits.waiting_writes.unwrap_or(usual.waiting_max).max(1);
    if let Some(url) = log(flags, file) {
        check_log(flags, file)?;
        let mut url = LogUrl::parse(url).map_err(|wrong| Failure::usage(format!("log: {wrong}")))?;
        url.options.waiting_max = waiting_max;
        node.clone_into(&mut url.options.node);
        return Ok(LogPlace::JetStream(Box::new(url)));
    }
    if is_ephemeral(flags, file) {
        return Ok(LogPlace::Memory { waiting_max });
    }
    Ok(LogPlace::Folder {
        path: data(flags, file).unwrap_or_else(|| PathBuf::from(DATA)),
        durability: match flags.durability.or(file.durability) {
            None | Some(DurabilityFlag::Full) => Durability::Full,
            Some(DurabilityFlag::Relaxed) => Durability::Relaxed,
        },
        waiting_max,
        cache_bytes: file.limits.cache_bytes.unwrap_or(usual.cache_bytes),
    })
}

/// Refuses what makes no sense beside a log in NATS.
fn check_log(flags: &ServeFlags, file: &File) -> Result<(), Failure> {
    if is_ephemeral(flags, file) {
        return Err(Failure::usage(
            "log and ephemeral exclude each other: what is in NATS outlives this process",
        ));
    }
    if flags.durability.or(file.durability).is_some() {
        return Err(Failure::usage(
            "log and durability exclude each other: what an answered write survives is up to replicas and to the sync_interval of NATS",
        ));
    }
    Ok(())
}

/// Whoever keeps nothing in a folder but names one wants the same keys at the next start.
fn development_in(flags: &ServeFlags, file: &File) -> Option<PathBuf> {
    let keeps_data = !is_ephemeral(flags, file) && log(flags, file).is_none();
    data(flags, file).or_else(|| keeps_data.then(|| PathBuf::from(DATA)))
}

fn is_ephemeral(flags: &ServeFlags, file: &File) -> bool {
    flags.ephemeral.or(file.ephemeral).unwrap_or(false)
}

/// The URL of the log, if one is named.
fn log<'c>(flags: &'c ServeFlags, file: &'c File) -> Option<&'c str> {
    flags.log.as_deref().or(file.log.as_deref())
}

/// The data folder, if one is named.
fn data(flags: &ServeFlags, file: &File) -> Option<PathBuf> {
    flags.data.clone().or_else(|| file.data.clone())
}

/// Development's tokens are for the demo tenant, or for the first tenant of a seed file that has another.
fn development(seeds: &[Seed]) -> Development {
    let demo = seeds.iter().find(|seed| seed.tenant == Development::TENANT);
    let tenant = demo.or(seeds.first()).map_or(Development::TENANT, |seed| seed.tenant);
    Development {
        tenant,
        application: Development::APPLICATION,
        seeds: seeds.to_vec(),
        // Another key takes the place of this one when one is kept.
        issuer: IssuerKey::generate(),
        // Known when it has been made or read.
        certificate_authority: None,
    }
}

fn settings(
    flags: &ServeFlags,
    file: &File,
    auth: AuthSettings,
    development: Option<Development>,
) -> Result<Settings, Failure> {
    let dev = development.is_some();
    let usual = Settings::default();
    let public_url = flags.public_url.clone().or_else(|| file.public_url.clone());
    if public_url.as_ref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        return Err(Failure::usage("public_url must begin with http:// or https://"));
    }
    let origins = flags.cors_origins.clone().or_else(|| file.cors_origins.clone());
    let limits = HttpLimits::default();
    let section = &file.limits;
    let time = |iso: Option<Iso>, usual: Duration| iso.map_or(usual, |iso| iso.0);
    let times = [section.header_time, section.body_time, section.answer_time, section.stream_heartbeat];
    if times.into_iter().flatten().any(|time| time.0.is_zero()) {
        return Err(Failure::usage(
            "limits.header_time, limits.body_time, limits.answer_time and limits.stream_heartbeat must be \
             more than zero",
        ));
    }
    let profile = match flags.profile.or(file.profile) {
        None | Some(ProfileFlag::Open) => Profile::Open,
        Some(ProfileFlag::Strict) => Profile::Strict,
    };
    check_requests(section, profile)?;
    Ok(Settings {
        profile,
        development,
        board: board::settings(&file.board, &auth)?,
        auth,
        public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()),
        trust_forwarded: file.trust_forwarded.unwrap_or(false),
        cors_origins: origins.unwrap_or_else(|| if dev { vec!["*".to_owned()] } else { Vec::new() }),
        instance: node_name(flags, file)?,
        odata_type_case: file.wire.odata_type_case(),
        access_log: flags.access_log.or(file.access_log).unwrap_or(dev),
        slow_request: time(file.slow_request, usual.slow_request),
        audit_texts: file.audit.texts(),
        // Known when there is somebody who collects them.
        traces: None,
        limits: HttpLimits {
            body_bytes_max: section.body_bytes.unwrap_or(limits.body_bytes_max),
            header_bytes_max: section.header_bytes.unwrap_or(limits.header_bytes_max),
            header_timeout: time(section.header_time, limits.header_timeout),
            body_timeout: time(section.body_time, limits.body_timeout),
            answer_timeout: time(section.answer_time, limits.answer_timeout),
            connections_max: section.connections.unwrap_or(limits.connections_max).max(1),
            connections_per_address: section
                .connections_per_address
                .unwrap_or(limits.connections_per_address),
            wait_max: time(section.wait, limits.wait_max),
            streams_max: section.streams.unwrap_or(limits.streams_max),
            stream_heartbeat: time(section.stream_heartbeat, limits.stream_heartbeat),
            requests_max: section.requests,
            requests_window: time(section.requests_window, limits.requests_window),
            ..limits
        },
    })
}

fn check_requests(section: &LimitsSection, profile: Profile) -> Result<(), Failure> {
    if profile == Profile::Strict && (section.requests.is_some() || section.requests_window.is_some()) {
        return Err(Failure::usage(
            "limits.requests and limits.requests_window are the original's in the profile strict",
        ));
    }
    if section.requests == Some(0) {
        return Err(Failure::usage("limits.requests must be at least 1"));
    }
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
    if section.requests_window.is_some_and(|window| !(second..=day).contains(&window.0)) {
        return Err(Failure::usage("limits.requests_window must be from PT1S to P1D"));
    }
    Ok(())
}

fn presence(section: &PresenceSection) -> Result<Limits, Failure> {
    let usual = Limits::default();
    let usual_fade = usual
        .fade
        .unwrap_or(Fade { inactive_after: Duration::from_secs(300), away_after: Duration::from_secs(600) });
    let time = |iso: Option<Iso>, usual: Duration| iso.map_or(usual, |iso| iso.0);
    let fade = Fade {
        inactive_after: time(section.fade_inactive_after, usual_fade.inactive_after),
        away_after: time(section.fade_away_after, usual_fade.away_after),
    };
    let zone = match &section.time_zone {
        None => TimeZone::UTC,
        Some(name) => {
            TimeZone::get(name).map_err(|error| Failure::usage(format!("presence.time_zone: {error}")))?
        }
    };
    let limits = Limits {
        session_duration_min: time(section.session_duration_min, usual.session_duration_min),
        session_duration_max: time(section.session_duration_max, usual.session_duration_max),
        session_duration_default: time(section.session_duration_default, usual.session_duration_default),
        fade: section.fade.unwrap_or(true).then_some(fade),
        expiry_grace: time(section.expiry_grace, usual.expiry_grace),
        sessions_max: section.sessions.unwrap_or(usual.sessions_max),
        status_chars_max: section.status_message_characters.unwrap_or(usual.status_chars_max),
        location_days: section.location_days.unwrap_or(usual.location_days),
        zone,
        ..usual
    };
    check(&limits)?;
    Ok(limits)
}

/// Rules over several keys; each message names them.
fn check(limits: &Limits) -> Result<(), Failure> {
    if limits.sessions_max == 0 {
        return Err(Failure::usage("presence.sessions must be at least 1"));
    }
    let (min, max) = (limits.session_duration_min, limits.session_duration_max);
    if min.is_zero() || min > max {
        return Err(Failure::usage(
            "presence.session_duration_min must be more than zero and at most presence.session_duration_max",
        ));
    }
    if !(min..=max).contains(&limits.session_duration_default) {
        return Err(Failure::usage(
            "presence.session_duration_default must lie within presence.session_duration_min and presence.session_duration_max",
        ));
    }
    if limits.fade.is_some_and(|fade| fade.inactive_after.is_zero() || fade.inactive_after > fade.away_after)
    {
        return Err(Failure::usage(
            "presence.fade_inactive_after must be more than zero and at most presence.fade_away_after",
        ));
    }
    Ok(())
}

/// What this server is called among others.
fn node_name(flags: &ServeFlags, file: &File) -> Result<String, Failure> {
    let Some(name) = flags.node_name.clone().or_else(|| file.node_name.clone()) else {
        return Ok(host_name());
    };
    let is_one = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if (1..=NODE_NAME_MAX).contains(&name.len()) && name.bytes().all(is_one) {
        Ok(name)
    } else {
        Err(Failure::usage("node_name must have 1 to 64 characters of A-Z, a-z, 0-9, -, . and _"))
    }
}

/// What this machine calls itself.
pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "porchlight".to_owned() } else { name.trim().to_owned() }
}
