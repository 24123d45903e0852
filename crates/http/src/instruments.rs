//! What `/porchlight/metrics` shows.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use http::StatusCode;
use metrics::{counter, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use porchlight_engine::Engine;
use porchlight_notify::Notifier;

use crate::route::Route;

/// Upper bounds of the lateness histogram, in seconds.
const LATENESS: [f64; 14] =
    [0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 1.0, 10.0];

/// Upper bounds of the histogram of deliveries, in seconds.
const DELIVERY: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0];

/// Starts recording metrics in this process; may be called more than once. `/porchlight/metrics` is empty without it.
///
/// Somebody must call [`maintain_recorder`] every few seconds, so that histograms do not grow.
pub fn install_recorder() {
    handle();
}

/// Drops what histograms have kept beyond need.
pub fn maintain_recorder() {
    handle().run_upkeep();
}

fn handle() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let named = |name: &str| Matcher::Full(name.to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(named("porchlight_timer_lateness_seconds"), &LATENESS)
            .and_then(|builder| {
                builder.set_buckets_for_metric(named("porchlight_delivery_seconds"), &DELIVERY)
            })
            .expect("there is at least one bucket")
            .build_recorder();
        let handle = recorder.handle();
        // Another recorder can only be one that the program around us chose.
        metrics::set_global_recorder(recorder).ok();
        handle
    })
}

/// The statuses that may be counted.
const STATUSES: RangeInclusive<u16> = 100..=599;

/// What this server counts by itself.
pub(crate) struct Instruments {
    /// Requests by route and status.
    requests: Vec<AtomicU64>,
    /// Requests that are held back until there is news.
    held: Arc<AtomicU64>,
    /// Streams that are open.
    streams: Arc<AtomicU64>,
    /// Requests and steps of batches that came too soon.
    limited: AtomicU64,
    /// Connections that are open.
    connections: Arc<AtomicU64>,
    /// Connections that were closed at once, since their address had enough.
    refused_by_address: AtomicU64,
}

/// One more of something, for as long as this lives.
pub(crate) struct OneMore(Arc<AtomicU64>);

impl OneMore {
    /// `None` when there are `max` already.
    fn of(count: &Arc<AtomicU64>, max: u64) -> Option<OneMore> {
        let one_more = |count: u64| (count < max).then_some(count + 1);
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(OneMore(Arc::clone(count)))
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Instruments {
    fn default() -> Instruments {
        let requests = (0..Route::ALL.len() * STATUSES.len()).map(|_| AtomicU64::new(0)).collect();
        Instruments {
            requests,
            held: Arc::default(),
            streams: Arc::default(),
            limited: AtomicU64::default(),
            connections: Arc::default(),
            refused_by_address: AtomicU64::default(),
        }
    }
}

impl Instruments {
    /// Counts an answered request.
    pub(crate) fn answered(&self, route: Route, status: StatusCode) {
        let number =
            usize::from(status.as_u16().clamp(*STATUSES.start(), *STATUSES.end()) - STATUSES.start());
        self.requests[route as usize * STATUSES.len() + number].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection.
    pub(crate) fn connect(&self) -> OneMore {
        self.connections.fetch_add(1, Ordering::Relaxed);
        OneMore(Arc::clone(&self.connections))
    }

    /// Counts a connection that was closed at once, since its address had enough.
    pub(crate) fn refused_by_address(&self) {
        self.refused_by_address.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that is held back until there is news.
    pub(crate) fn hold(&self) -> Option<OneMore> {
        OneMore::of(&self.held, u64::MAX)
    }

    /// Counts a stream; `None` when `max` are open already.
    pub(crate) fn open_stream(&self, max: usize) -> Option<OneMore> {
        OneMore::of(&self.streams, max as u64)
    }

    /// Counts a call that its application made too soon.
    pub(crate) fn limited(&self) {
        self.limited.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything, in Prometheus's text format.
    pub(crate) async fn render(&self, engine: &Engine, notifier: &Notifier) -> String {
        for (route, counts) in Route::ALL.into_iter().zip(self.requests.chunks(STATUSES.len())) {
            for (status, count) in STATUSES.zip(counts) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [("route", route.name().to_owned()), ("status", status.to_string())];
                    counter!("porchlight_requests_total", &labels).absolute(count);
                }
            }
        }
        counter!("porchlight_requests_limited_total").absolute(self.limited.load(Ordering::Relaxed));
        let refused = self.refused_by_address.load(Ordering::Relaxed);
        counter!("porchlight_connections_refused_total", "reason" => "address").absolute(refused);
        gauge!("porchlight_connections").set(self.connections.load(Ordering::Relaxed) as f64);
        gauge!("porchlight_held_requests").set(self.held.load(Ordering::Relaxed) as f64);
        gauge!("porchlight_open_streams").set(self.streams.load(Ordering::Relaxed) as f64);
        gauge!("porchlight_subscriptions").set(notifier.registry().len() as f64);
        gauge!("porchlight_subscriptions_pending_users").set(notifier.remembered().await as f64);
        let log = engine.log_stats();
        counter!("porchlight_log_appends_total").absolute(log.appends);
        counter!("porchlight_log_syncs_total").absolute(log.syncs);
        counter!("porchlight_log_faults_total").absolute(log.faults);
        let tenants = engine.tenants();
        let users: usize = tenants.iter().map(|tenant| tenant.users_len()).sum();
        let people: usize = tenants.iter().map(|tenant| tenant.directory().len()).sum();
        gauge!("porchlight_users").set(users as f64);
        gauge!("porchlight_people").set(people as f64);
        gauge!("porchlight_timers_armed").set(engine.timers_armed() as f64);
        gauge!("porchlight_timers_overdue_seconds").set(engine.timers_overdue().as_secs_f64());
        gauge!("porchlight_timer_lateness_max_seconds").set(engine.timer_lateness_max().as_secs_f64());
        gauge!("porchlight_log_writable").set(f64::from(u8::from(engine.is_writable())));
        show_cluster(engine);
        handle().render()
    }
}

/// What is only there where the log is shared.
fn show_cluster(engine: &Engine) {
    let Some(cluster) = engine.cluster() else { return };
    let nodes = cluster.nodes.borrow();
    gauge!("porchlight_cluster_nodes").set(nodes.len() as f64);
    if let Some(own) = nodes.iter().find(|node| node.id == cluster.me) {
        gauge!("porchlight_clock_skew_seconds").set(own.skew_ms as f64 / 1000.0);
        gauge!("porchlight_log_lag_seconds").set(own.lag.as_secs_f64());
    }
    gauge!("porchlight_slots_held").set(cluster.leases.held().borrow().len() as f64);
    gauge!("porchlight_frozen").set(f64::from(u8::from(engine.is_frozen())));
}
