//! `/porchlight/metrics`: what is looked up when Prometheus asks, after what was recorded meanwhile.

use metrics_process::collector;
use porchlight_engine::{Engine, Tenant};
use porchlight_notify::Notifier;
use porchlight_store::Cluster;

use crate::auth::TokenCache;
use crate::exposition::{Exposition, Kind};
use crate::instruments::{Instruments, Requests};
use crate::recorder;
use crate::routes::cluster::unheld;

/// Everything, in Prometheus's text format.
pub(crate) async fn scrape(
    engine: &Engine,
    notifier: &Notifier,
    instruments: &Instruments,
    tokens: TokenCache,
) -> String {
    let pending = notifier.remembered().await;
    let mut out = Exposition::after(recorder::recorded());
    program(&mut out);
    process(&mut out);
    requests(&mut out, instruments);
    connections(&mut out, instruments);
    token_cache(&mut out, instruments, tokens);
    log(&mut out, engine);
    presence(&mut out, engine);
    timers(&mut out, engine);
    out.gauge(
        "porchlight_subscriptions",
        "Subscriptions, ended ones in their grace too.",
        notifier.registry().len(),
    );
    out.gauge(
        "porchlight_subscriptions_pending_users",
        "Users whom subscriptions are about to be told of, or were just told of.",
        pending,
    );
    if let Some(cluster) = engine.cluster() {
        in_cluster(&mut out, engine, &cluster);
    }
    out.into_text()
}

fn number(is_so: bool) -> u8 {
    u8::from(is_so)
}

fn program(out: &mut Exposition) {
    let mut build = out.family(Kind::Gauge, "porchlight_build_info", "What runs; always 1.");
    build.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
}

/// What Prometheus's own libraries tell of every process. Source: "Writing client libraries", process metrics.
fn process(out: &mut Exposition) {
    let process = collector::collect();
    if let Some(seconds) = process.cpu_seconds_total {
        out.counter("process_cpu_seconds_total", "CPU time of the process, in seconds.", seconds);
    }
    let gauges = [
        (
            "process_resident_memory_bytes",
            "Memory that is resident, in bytes.",
            process.resident_memory_bytes,
        ),
        ("process_virtual_memory_bytes", "Memory that is mapped, in bytes.", process.virtual_memory_bytes),
        ("process_open_fds", "File descriptors that are open.", process.open_fds),
        ("process_max_fds", "File descriptors that may be open; 0: any number.", process.max_fds),
        ("process_threads", "Threads of the process.", process.threads),
        (
            "process_start_time_seconds",
            "When the process was started, in Unix seconds.",
            process.start_time_seconds,
        ),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            out.gauge(name, help, value);
        }
    }
}

fn requests(out: &mut Exposition, instruments: &Instruments) {
    let requests = instruments.requests();
    let mut answered = out.family(
        Kind::Counter,
        "porchlight_requests_total",
        "Answered requests by route and status; the steps of a batch are not counted by themselves.",
    );
    for Requests { route, statuses, .. } in &requests {
        for (status, count) in statuses {
            answered.sample(&[("route", route.name()), ("status", status.to_string().as_str())], count);
        }
    }
    let mut took = out.family(
        Kind::Histogram,
        "porchlight_request_duration_seconds",
        "How long requests took to be answered, without those that were held back as their clients wished.",
    );
    let bounds = Requests::bounds();
    for Requests { route, latencies, seconds, .. } in &requests {
        took.histogram(&[("route", route.name())], &bounds, latencies, *seconds);
    }
    out.counter(
        "porchlight_requests_limited_total",
        "Requests and steps of batches that were answered 429.",
        instruments.requests_limited(),
    );
    out.gauge(
        "porchlight_held_requests",
        "Requests that wait for a change, as their clients wished.",
        instruments.requests_held(),
    );
}

fn connections(out: &mut Exposition, instruments: &Instruments) {
    let [open, accepted, refused] = instruments.connections();
    out.gauge("porchlight_connections", "Connections that are open.", open);
    out.counter("porchlight_connections_accepted_total", "Connections that were accepted.", accepted);
    let mut closed = out.family(
        Kind::Counter,
        "porchlight_connections_refused_total",
        "Connections that were closed at once, by why.",
    );
    closed.sample(&[("reason", "address")], refused);
    let [open, opened, refused] = instruments.streams();
    out.gauge("porchlight_open_streams", "Streams that are open.", open);
    out.counter("porchlight_streams_opened_total", "Streams that were opened.", opened);
    out.counter(
        "porchlight_streams_refused_total",
        "Streams that were refused, since as many were open as may be.",
        refused,
    );
}

fn token_cache(out: &mut Exposition, instruments: &Instruments, tokens: TokenCache) {
    let TokenCache { entries, hits, misses } = tokens;
    out.gauge("porchlight_token_cache_entries", "Tokens that are remembered.", entries);
    out.counter(
        "porchlight_token_cache_hits_total",
        "Requests whose token was remembered, by the connection or by the server.",
        instruments.known_tokens() + hits,
    );
    out.counter("porchlight_token_cache_misses_total", "Tokens that had to be read.", misses);
}

fn log(out: &mut Exposition, engine: &Engine) {
    let log = engine.log_stats();
    out.counter("porchlight_log_appends_total", "Entries that were made durable.", log.appends);
    out.counter("porchlight_log_syncs_total", "Times that the disk confirmed; 0 with NATS.", log.syncs);
    out.counter("porchlight_log_faults_total", "Storage faults since the start.", log.faults);
    out.gauge("porchlight_log_waiting_appends", "Entries that wait to be made durable.", log.waiting);
    out.gauge("porchlight_log_writable", "1 when writes are taken.", number(engine.is_writable()));
    out.gauge(
        "porchlight_ready",
        "1 when the server is ready, as its health says.",
        number(engine.unreadiness().is_none()),
    );
}

fn presence(out: &mut Exposition, engine: &Engine) {
    let tenants = engine.tenants();
    let sum = |of: fn(&Tenant) -> usize| tenants.iter().map(|tenant| of(tenant)).sum::<usize>();
    out.gauge("porchlight_users", "Presence records.", sum(Tenant::users_len));
    out.gauge("porchlight_people", "People in the directory.", sum(|tenant| tenant.directory().len()));
    let census: Vec<_> = tenants.iter().map(|tenant| (tenant.id().to_string(), tenant.census())).collect();
    let census: Vec<_> = census.into_iter().filter(|(_, census)| !census.is_empty()).collect();
    let mut shown = out.family(
        Kind::Gauge,
        "porchlight_users_by_availability",
        "Presence records by what they show, as of the last write or fade of each.",
    );
    for (tenant, census) in &census {
        for (availability, count) in census.users() {
            shown.sample(&[("tenant", tenant.as_str()), ("availability", availability.name())], count);
        }
    }
    let mut sessions = out.family(
        Kind::Gauge,
        "porchlight_sessions",
        "Sessions, as of the last write or fade of each user; one that has ended behind another counts until then.",
    );
    for (tenant, census) in &census {
        sessions.sample(&[("tenant", tenant.as_str())], census.sessions());
    }
    let changes: u64 = tenants.iter().map(|tenant| tenant.feed().pushed()).sum();
    out.counter(
        "porchlight_feed_changes_total",
        "Changes that streams and subscriptions were told of, by writes and by time.",
        changes,
    );
}

fn timers(out: &mut Exposition, engine: &Engine) {
    out.gauge("porchlight_timers_armed", "Users with a deadline.", engine.timers_armed());
    out.gauge(
        "porchlight_timers_overdue_seconds",
        "How long the soonest deadline has been due.",
        engine.timers_overdue().as_secs_f64(),
    );
    out.gauge(
        "porchlight_timer_lateness_max_seconds",
        "The latest that a fade was noticed since the start.",
        engine.timer_lateness_max().as_secs_f64(),
    );
}

/// What is only there where the log is shared.
fn in_cluster(out: &mut Exposition, engine: &Engine, cluster: &Cluster) {
    let nodes = cluster.nodes.borrow().clone();
    out.gauge("porchlight_cluster_nodes", "Nodes that live, this one among them.", nodes.len());
    if let Some(own) = nodes.iter().find(|node| node.id == cluster.me) {
        out.gauge(
            "porchlight_clock_skew_seconds",
            "How far this node's clock is ahead of the others'; less than 0: behind.",
            own.skew_ms as f64 / 1000.0,
        );
        out.gauge(
            "porchlight_log_lag_seconds",
            "How far what this node shows lies behind.",
            own.lag.as_secs_f64(),
        );
    }
    out.gauge(
        "porchlight_slots_held",
        "Delivery slots that this node holds.",
        cluster.leases.held().borrow().len(),
    );
    out.gauge(
        "porchlight_slots_unheld",
        "Delivery slots that no node holds that lives.",
        unheld(cluster).len(),
    );
    out.gauge(
        "porchlight_frozen",
        "1 while this node has not heard from all of the log for three seconds.",
        number(engine.is_frozen()),
    );
}
