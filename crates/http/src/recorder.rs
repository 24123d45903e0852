//! What is counted where it happens, in any crate, and what Prometheus is told that it means.
//!
//! A metric that is recorded with the macros of `metrics` is named here; one that is looked up at the moment of a scrape
//! is in `scrape.rs`.

use std::sync::OnceLock;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// The histograms, with the upper bounds of their buckets.
const HISTOGRAMS: [(&str, &[f64]); 5] = [
    (
        "porchlight_timer_lateness_seconds",
        &[0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 1.0, 10.0],
    ),
    (
        "porchlight_delivery_seconds",
        &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0],
    ),
    (
        "porchlight_log_batch_entries",
        &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 4096.0],
    ),
    (
        "porchlight_log_sync_seconds",
        &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0],
    ),
    (
        "porchlight_log_append_seconds",
        &[0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0],
    ),
];

/// The counters that every server has, without labels.
const COUNTERS: [&str; 3] = [
    "porchlight_tokens_verified_total",
    "porchlight_notifications_not_encrypted_total",
    "porchlight_sessions_renewed_late_total",
];

/// Starts recording metrics in this process; may be called more than once. `/porchlight/metrics` shows less without it.
///
/// Somebody must call [`maintain_recorder`] every few seconds, so that histograms do not grow.
pub fn install_recorder() {
    handle();
}

/// Drops what histograms have kept beyond need.
pub fn maintain_recorder() {
    handle().run_upkeep();
}

/// All that was recorded, in Prometheus's text format.
pub(crate) fn recorded() -> String {
    handle().render()
}

fn handle() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let builder = HISTOGRAMS.iter().fold(PrometheusBuilder::new(), |builder, (name, bounds)| {
            let name = Matcher::Full((*name).to_owned());
            builder.set_buckets_for_metric(name, bounds).expect("there is at least one bucket")
        });
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Another recorder can only be one that the program around us chose.
        if metrics::set_global_recorder(recorder).is_ok() {
            describe();
        }
        handle
    })
}

fn describe() {
    describe_counter!(
        "porchlight_writes_total",
        "Calls that were to change something, by what came of them."
    );
    describe_counter!("porchlight_tokens_verified_total", "Signatures of tokens that were checked.");
    describe_counter!("porchlight_tokens_refused_total", "Answers of 401, by what was wrong with the token.");
    describe_counter!("porchlight_issuer_fetches_total", "Fetches of issuers' keys, by what came of them.");
    describe_counter!("porchlight_audit_lines_lost_total", "Lines that the audit file lacks.");
    describe_counter!("porchlight_deliveries_total", "Requests to webhooks, by what came of them.");
    describe_counter!(
        "porchlight_notifications_not_encrypted_total",
        "Items that were not told because they could not be encrypted."
    );
    describe_counter!(
        "porchlight_sessions_renewed_late_total",
        "Sessions that were renewed within 15 s after they had ended."
    );
    describe_counter!("porchlight_spans_lost_total", "Spans of traces that were not sent.");
    describe_gauge!(
        "porchlight_certificate_expires_timestamp_seconds",
        "When the certificate of https ends."
    );
    describe_histogram!("porchlight_timer_lateness_seconds", "How late fades were noticed.");
    describe_histogram!("porchlight_delivery_seconds", "How long requests to webhooks took.");
    describe_histogram!("porchlight_log_batch_entries", "Entries that were made durable together.");
    describe_histogram!(
        "porchlight_log_sync_seconds",
        "How long it took to make a batch durable on the disk."
    );
    describe_histogram!("porchlight_log_append_seconds", "How long it took until NATS had an entry.");
    // So that they are there before the first of each.
    for name in COUNTERS {
        counter!(name).increment(0);
    }
}
