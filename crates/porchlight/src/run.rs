//! `porchlight serve`: the wiring, the order of starting and the order of stopping.

use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use porchlight_engine::{Clock, DELETED_KNOWN_FOR, Engine, OpenError, Options, PersonError, Seed};
use porchlight_http::{
    Api, Development, Listener, NotificationWords, Server, Traces, install_recorder, maintain_recorder,
};
use porchlight_notify::{Notifier, StartError};
use porchlight_store::{Embedded, JetStream, Log, Memory, Replica};
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, registry};

use crate::audit::{self, AuditFile};
use crate::cli::{LogFormat, ServeFlags};
use crate::config::{Config, LogPlace};
use crate::exit::{DATA, Failure, INTERNAL, UNAVAILABLE, USAGE};
use crate::https::{Certificate, Https};
use crate::lines::Lines;
use crate::otlp::Tracer;
use crate::{dev_ca, development, say, sync_check};

/// Runs the server until it is told to stop.
///
/// # Errors
///
/// Whatever keeps it from starting, with the exit code that the help names.
pub(crate) fn serve(flags: &ServeFlags) -> Result<(), Failure> {
    let config = Config::read(flags)?;
    install_recorder();
    let lines = Lines::to("porchlight-lines", std::io::stderr());
    let lines = lines.map_err(|error| Failure::new(INTERNAL, error))?;
    // Made after the lines of the log and so dropped before them: what it complains of at the end still goes out.
    let audit = config.audit.clone().map(audit_lines).transpose()?;
    start_logging(config.log_format, &lines, audit.as_ref());
    // The ports first: they are the likeliest to be taken, and cost nothing to give back.
    let sockets = Sockets {
        http: listen(config.listen, "--listen")?,
        https: config.https.as_ref().map(|https| listen(https.listen, "--https-listen")).transpose()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(INTERNAL, error))?;
    let ended = runtime.block_on(run(config, sockets));
    // A log that is still being opened when it is time to stop is not waited for.
    runtime.shutdown_background();
    ended
}

/// What is listened on.
struct Sockets {
    http: TcpListener,
    https: Option<TcpListener>,
}

async fn run(mut config: Config, sockets: Sockets) -> Result<(), Failure> {
    let tracer = start_tracing(&mut config)?;
    // Before anything is opened: who is told to stop while starting stops in order too, once the log is open.
    let mut stop = pin!(stop_signal().map_err(|error| Failure::new(INTERNAL, error))?);
    // On a thread of its own, since NATS may have to be waited for.
    let (options, place) = (engine_options(&config), config.log.clone());
    let opening = tokio::task::spawn_blocking(move || open_engine(options, &place));
    let engine = tokio::select! {
        opened = opening => opened.map_err(|error| Failure::new(INTERNAL, error))??,
        name = &mut stop => {
            tracing::info!(signal = name, "stopping before the log is open");
            return Ok(());
        }
    };
    if let LogPlace::JetStream(url) = &config.log {
        sync_check::warn_of_loss(url);
    }
    // After the log, which takes no folder with something else in it, and has locked it now.
    let folder = config.development_in.as_deref().map(development::Folder::of).transpose()?;
    let mut certificate = config.https.as_ref().map(|https| https.open(folder.as_ref())).transpose()?;
    if let Some(development) = &mut config.settings.development {
        development.certificate_authority = certificate.as_ref().and_then(Certificate::authority);
        if let Some(folder) = &folder {
            development.issuer = folder.issuer_key()?;
        }
    }
    for seed in &config.seeds {
        seed_people(&engine, seed).await?;
    }
    let secret = engine.secret("cursor").await.map_err(|error| {
        Failure::new(DATA, anyhow!("cannot keep the key that cursors are signed with: {error}"))
    })?;
    let words = Arc::new(NotificationWords::new(&config.settings));
    let dev = config.settings.development.is_some();
    let notifier = Notifier::start(&engine, config.telling.clone(), words, dev).map_err(|error| {
        let code = match &error {
            StartError::Unreadable(_) => DATA,
            StartError::Egress(_) => USAGE,
            StartError::Thread(_) => INTERNAL,
        };
        Failure::new(code, anyhow!(error))
    })?;
    let api = Api::new(engine.clone(), notifier.clone(), config.settings.clone(), &secret);
    let api = Arc::new(api.map_err(|error| Failure::new(USAGE, error))?);
    warn_of_nobody(&config);
    warn_of_any_tenant(&config);
    let mut listeners = vec![Listener { socket: sockets.http, tls: None }];
    let tls = certificate.as_ref().map(Certificate::tls);
    listeners.extend(sockets.https.map(|socket| Listener { socket, tls }));
    let server =
        Server::start(listeners, &api, config.threads).map_err(|error| Failure::new(INTERNAL, error))?;
    let announced = folder.map(|folder| folder.announce(server.addresses()[0])).transpose()?;
    greet(&config, server.addresses());
    let remote = dev && server.addresses().iter().any(|address| !address.ip().is_loopback());
    tokio::select! {
        () = engine.run_timers() => {}
        () = api.keep_keys() => {}
        () = maintain(&engine, remote) => {}
        () = watch(certificate.as_mut()) => {}
        name = &mut stop => tracing::info!(signal = name, "stopping"),
    }
    // Blocking from here on: nothing else runs on this thread any more.
    drop(announced);
    server.stop();
    tracing::info!("no requests are left");
    notifier.stop();
    engine.close();
    tracing::info!("everything is on disk");
    // Nothing more can come for it.
    drop(tracer);
    Ok(())
}

/// Has requests traced, and webhooks that tell of them, if the configuration says where to.
fn start_tracing(config: &mut Config) -> Result<Option<Tracer>, Failure> {
    let Some(traces) = &config.traces else { return Ok(None) };
    let tracer = Tracer::start(traces, &config.settings.instance)?;
    config.settings.traces = Some(Traces { spans: tracer.spans(), sample: traces.sample });
    config.telling.spans = Some(tracer.spans());
    Ok(Some(tracer))
}

/// A server that takes nobody's tokens answers everything with 401: better said at the start.
fn warn_of_nobody(config: &Config) {
    if config.is_for_nobody() {
        tracing::warn!("nobody can call: the configuration names no [[auth.issuer]] and no [[auth.api_key]]");
    }
}

/// An issuer that may name any tenant speaks for the people of the other issuers, too, which is hardly ever meant.
fn warn_of_any_tenant(config: &Config) {
    for issuer in config.issuers_of_any_tenant() {
        tracing::warn!(
            issuer,
            "the issuer's tokens may name any tenant, those of other issuers too: give it a tenant or tenants"
        );
    }
}

async fn seed_people(engine: &Engine, seed: &Seed) -> Result<(), Failure> {
    engine.seed(seed).await.map_err(|error| {
        let code = match &error {
            PersonError::NameTaken(_) | PersonError::IdTaken => USAGE,
            PersonError::NotFound | PersonError::Deleted | PersonError::Write(_) => DATA,
        };
        Failure::new(code, anyhow!("cannot put the seed's people in: {error}"))
    })
}

/// What writes the audit's file.
fn audit_lines(settings: audit::Settings) -> Result<Lines, Failure> {
    let file = AuditFile::open(settings)?;
    Lines::to("porchlight-audit", file).map_err(|error| Failure::new(INTERNAL, error))
}

/// Sends what is logged to `lines`, as far as `PORCHLIGHT_LOG` wants it, and every line of the audit to `audit`.
fn start_logging(format: LogFormat, lines: &Lines, audit: Option<&Lines>) {
    let filter = EnvFilter::try_from_env("PORCHLIGHT_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,async_nats=warn,fjall=warn,lsm_tree=warn"));
    let log = fmt::layer::<Registry>().with_writer(lines.gathered()).with_timer(WallTime);
    let mut layers = vec![match format {
        LogFormat::Text => log.with_ansi(false).with_filter(filter).boxed(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
    }];
    if let Some(audit) = audit {
        let file = fmt::layer::<Registry>().with_writer(audit.gathered()).with_timer(WallTime);
        let file = file.json().flatten_event(true).with_current_span(false).with_span_list(false);
        let file = file.with_level(false).with_target(false);
        let every_line = Targets::new().with_target("porchlight::write", Level::INFO);
        layers.push(file.with_filter(every_line).boxed());
    }
    // Fails only if somebody has set a logger already, which nobody has.
    registry().with(layers).try_init().ok();
}

/// The time of a line in the log, to the microsecond; the library's own takes a quarter of what a line costs.
struct WallTime;

impl FormatTime for WallTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "a log tells the machine's time, whatever development's clock says"
    )]
    fn format_time(&self, line: &mut Writer<'_>) -> std::fmt::Result {
        write!(line, "{:.6}", jiff::Timestamp::now())
    }
}

/// Binds an address, which this flag gives.
fn listen(address: SocketAddr, flag: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!(
                    "cannot listen on {address}: another program does; stop it or choose another with {flag}"
                )
            }
            _ => format!("cannot listen on {address}: {error}"),
        };
        Failure::new(UNAVAILABLE, anyhow!(why))
    })
}

fn engine_options(config: &Config) -> Options {
    Options {
        limits: config.presence.clone(),
        accept_clock: config.accept_clock,
        development: config.settings.development.is_some(),
        ..Options::default()
    }
}

/// Opens the log and reads it whole.
fn open_engine(options: Options, place: &LogPlace) -> Result<Engine, Failure> {
    let open = |replica: Arc<dyn Replica>| open_log(place, replica);
    Engine::open(Arc::new(Clock::system()), options, open).map_err(|error| match error {
        OpenError::Log(failure) => failure,
        OpenError::ClockBehind { .. } => {
            Failure::new(DATA, anyhow!("{error}: set the clock right, or start with --accept-clock"))
        }
        OpenError::Unreadable { .. } => Failure::new(DATA, anyhow!(error)),
    })
}

fn open_log(place: &LogPlace, replica: Arc<dyn Replica>) -> Result<Arc<dyn Log>, Failure> {
    let log: Arc<dyn Log> = match place {
        LogPlace::Memory { waiting_max } => Arc::new(Memory::with_waiting_max(replica, *waiting_max)),
        LogPlace::Folder { path, durability, waiting_max, cache_bytes } => {
            let options = porchlight_store::Options {
                durability: *durability,
                waiting_max: *waiting_max,
                cache_bytes: *cache_bytes,
            };
            Arc::new(Embedded::open(path, options, replica)?)
        }
        LogPlace::JetStream(url) => Arc::new(JetStream::open(url.options.clone(), replica)?),
    };
    Ok(log)
}

/// The first of SIGTERM and SIGINT.
pub(crate) fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// What has to be done now and then, for ever.
async fn maintain(engine: &Engine, remote: bool) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    for tick in 0_u64.. {
        ticks.tick().await;
        maintain_recorder();
        if tick % 12 == 0 && remote {
            tracing::warn!("development mode takes any token, and others can reach this server");
        }
        if tick % 720 == 0 {
            engine.purge(DELETED_KNOWN_FOR);
        }
    }
}

/// Looks after the certificate of https, if there is one, for ever.
async fn watch(certificate: Option<&mut Certificate>) {
    match certificate {
        Some(certificate) => certificate.watch().await,
        None => std::future::pending().await,
    }
}

/// Says where the server is, and in development what to paste next.
fn greet(config: &Config, addresses: &[SocketAddr]) {
    let place = match &config.log {
        LogPlace::Memory { .. } => "in memory, gone at the end".to_owned(),
        LogPlace::Folder { path, .. } => format!("in {}", path.display()),
        LogPlace::JetStream(url) => url.place(),
    };
    let mode = if config.settings.development.is_some() { ", development mode" } else { "" };
    say(&format!("porchlight {}{mode}; data {place}", env!("CARGO_PKG_VERSION")));
    let urls =
        ["http", "https"].iter().zip(addresses).map(|(scheme, address)| format!("{scheme}://{address}"));
    let urls: Vec<String> = urls.collect();
    say(&format!("listening on {}", urls.join(" and ")));
    let is_own = config.https.as_ref().is_some_and(Https::is_developments);
    if let Some(file) = config.development_in.as_deref().filter(|_| is_own).map(dev_ca::file) {
        say(&format!("https is signed by {}; porchlight trust says how clients accept it", file.display()));
    }
    let demo = config.settings.development.as_ref().and_then(|development| {
        let ada = development.seeds.iter().flat_map(|seed| &seed.people).next()?;
        let short = ada.user_principal_name.split('@').next()?;
        Some((ada.given_name.as_deref().unwrap_or(short).to_owned(), short.to_owned(), ada.id))
    });
    let Some((name, short, id)) = demo else { return };
    let (application, http) = (Development::APPLICATION, &urls[0]);
    say(&format!(
        r#"
Set {name}'s presence:

  curl -i {http}/v1.0/me/presence/setPresence \
    -H 'Authorization: Bearer dev:{short}:' -H 'Content-Type: application/json' \
    -d '{{"sessionId":"{application}","availability":"Busy","activity":"InACall","expirationDuration":"PT1H"}}'

Read it:

  curl {http}/v1.0/users/{id}/presence -H 'Authorization: Bearer dev:{short}:'
"#
    ));
}
