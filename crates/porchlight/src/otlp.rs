//! Traces on their way to a collector, by OpenTelemetry's protocol over HTTP.
//!
//! Pieces of work gather on a thread of their own and go out together. Whoever hands one over never waits: what the
//! collector does not take in time is lost, and counted.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use hyper_rustls::HttpsConnectorBuilder;
use metrics::Counter;
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use porchlight_engine::{Fact, Side, Span, Spans, TraceContext};
use rustls::ClientConfig;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::exit::{Failure, INTERNAL, USAGE};
use crate::traces::TracesSettings;

/// Pieces that may wait; more are lost.
const WAITING_MAX: usize = 4096;

/// Pieces that go out together, at most.
const TOGETHER: usize = 512;

/// How long the first waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// How long the collector may take to answer, and how long it is tried again.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long what is left may take to go out, once the server has stopped.
const FINISH: Duration = Duration::from_secs(3);

/// The log does not complain more often than that.
const COMPLAINTS_APART: Duration = Duration::from_secs(60);

/// Sends pieces of work to a collector. What waits goes out when it is dropped, which blocks for three seconds at most.
pub(crate) struct Tracer {
    outbox: Arc<Outbox>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Where pieces are handed over.
struct Outbox {
    spans: mpsc::Sender<Span>,
    lost: Counter,
}

impl Spans for Outbox {
    fn done(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.lost.increment(1);
        }
    }
}

fn lost() -> Counter {
    metrics::counter!("porchlight_spans_lost_total")
}

impl Tracer {
    /// Sends what it is handed, in the name of this node.
    ///
    /// # Errors
    ///
    /// [`USAGE`] when the endpoint is none, [`INTERNAL`] when no thread can be started.
    pub(crate) fn start(settings: &TracesSettings, node: &str) -> Result<Tracer, Failure> {
        let (spans, waiting) = mpsc::channel(WAITING_MAX);
        let outbox = Arc::new(Outbox { spans, lost: lost() });
        // So that it is there before the first is lost.
        outbox.lost.increment(0);
        let courier = Courier::new(settings, node)?;
        let stop = watch::Sender::new(false);
        let stopping = stop.subscribe();
        let unstarted = |error: io::Error| Failure::new(INTERNAL, error);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unstarted)?;
        let thread = std::thread::Builder::new().name("porchlight-traces".to_owned());
        let thread = thread.spawn(move || runtime.block_on(courier.run(waiting, stopping)));
        Ok(Tracer { outbox, stop, thread: Some(thread.map_err(unstarted)?) })
    }

    /// Where pieces are handed over.
    pub(crate) fn spans(&self) -> Arc<dyn Spans> {
        Arc::clone(&self.outbox) as Arc<dyn Spans>
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that sends traces panicked");
        }
    }
}

/// What goes on on the thread.
struct Courier {
    exporter: SpanExporter,
    scope: InstrumentationScope,
    lost: Counter,
    complained_at: Option<Instant>,
}

impl Courier {
    fn new(settings: &TracesSettings, node: &str) -> Result<Courier, Failure> {
        const VERSION: &str = env!("CARGO_PKG_VERSION");
        let roots = porchlight_notify::trusted_roots(None).map_err(|error| Failure::new(USAGE, error))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has what the default versions need")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(HyperClient::new(https, PATIENCE, None))
            .with_endpoint(settings.endpoint.as_str())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            .build();
        let mut exporter = exporter.map_err(|error| Failure::usage(format!("traces.endpoint: {error}")))?;
        let attributes = [
            KeyValue::new("service.name", "porchlight"),
            KeyValue::new("service.version", VERSION),
            KeyValue::new("service.instance.id", node.to_owned()),
        ];
        exporter.set_resource(&Resource::builder_empty().with_attributes(attributes).build());
        let scope = InstrumentationScope::builder("porchlight").with_version(VERSION).build();
        Ok(Courier { exporter, scope, lost: lost(), complained_at: None })
    }

    /// Sends what comes until it is time to stop, and then what is left, for as long as that may take.
    async fn run(mut self, spans: mpsc::Receiver<Span>, stop: watch::Receiver<bool>) {
        let mut stopping = stop.clone();
        let end = async {
            // An error means that nobody can say so any more.
            stopping.wait_for(|stop| *stop).await.ok();
            sleep(FINISH).await;
        };
        // What does not go out by then is lost without a word: nobody reads the metrics any more.
        tokio::select! {
            () = self.send_all(spans, stop) => {}
            () = end => {}
        }
    }

    /// Sends what comes until it is time to stop, and then what is left.
    async fn send_all(&mut self, mut spans: mpsc::Receiver<Span>, mut stop: watch::Receiver<bool>) {
        loop {
            let mut batch = Vec::new();
            let stops = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => true,
                _ = spans.recv_many(&mut batch, 1) => false,
            };
            if stops || gather(&mut batch, &mut spans, &mut stop).await {
                while let Ok(span) = spans.try_recv() {
                    batch.push(span);
                }
                return self.send(batch).await;
            }
            self.send(batch).await;
        }
    }

    async fn send(&mut self, batch: Vec<Span>) {
        if batch.is_empty() {
            return;
        }
        let count = batch.len();
        let spans = batch.into_iter().map(|span| data(span, &self.scope)).collect();
        let Err(error) = self.exporter.export(spans).await else { return };
        self.lost.increment(count as u64);
        let now = Instant::now();
        if self.complained_at.is_none_or(|at| now.duration_since(at) >= COMPLAINTS_APART) {
            self.complained_at = Some(now);
            tracing::warn!(%error, count, "spans of traces cannot be sent");
        }
    }
}

/// Adds to a batch what comes soon after its first piece. Returns whether it is time to stop.
async fn gather(
    batch: &mut Vec<Span>,
    spans: &mut mpsc::Receiver<Span>,
    stop: &mut watch::Receiver<bool>,
) -> bool {
    let due = Instant::now() + GATHER;
    while batch.len() < TOGETHER {
        let room = TOGETHER - batch.len();
        let is_over = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => Some(true),
            () = sleep_until(due) => Some(false),
            _ = spans.recv_many(batch, room) => None,
        };
        if let Some(stops) = is_over {
            return stops;
        }
    }
    false
}

/// A piece of work in OpenTelemetry's words.
fn data(span: Span, scope: &InstrumentationScope) -> SpanData {
    let start_time = wall(span.begun);
    let mut links = SpanLinks::default();
    links.links = span.links.into_iter().map(|link| Link::with_context(context(link))).collect();
    SpanData {
        span_context: context(span.context),
        parent_span_id: span.parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.span())),
        parent_span_is_remote: span.parent.is_some() && span.side == Side::Asked,
        span_kind: match span.side {
            Side::Asked => SpanKind::Server,
            Side::Within => SpanKind::Internal,
            Side::Asks => SpanKind::Client,
        },
        name: span.name.into(),
        start_time,
        end_time: start_time + span.took,
        attributes: span.facts.into_iter().map(attribute).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: if span.failed { Status::error("") } else { Status::Unset },
        instrumentation_scope: scope.clone(),
    }
}

fn context(context: TraceContext) -> SpanContext {
    let (trace, span) = (TraceId::from_bytes(context.trace()), SpanId::from_bytes(context.span()));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default())
}

fn attribute((name, fact): (&'static str, Fact)) -> KeyValue {
    match fact {
        Fact::Text(text) => KeyValue::new(name, text),
        Fact::Number(number) => KeyValue::new(name, number),
    }
}

/// What the machine's clock showed at an instant that has passed.
#[expect(
    clippy::disallowed_methods,
    reason = "traces of several machines are laid side by side, whatever development's clock says"
)]
fn wall(at: Instant) -> SystemTime {
    SystemTime::now() - at.elapsed()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_collector_that_does_not_answer_holds_up_the_end_no_longer_than_it_may() {
        let collector = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/v1/traces", collector.local_addr().unwrap());
        let tracer = Tracer::start(&TracesSettings { endpoint, sample: 1.0 }, "one").unwrap();
        let begun = Instant::now();
        tracer.spans().done(Span {
            context: TraceContext::root(Uuid::new_v4()),
            parent: None,
            links: Vec::new(),
            name: "presence",
            side: Side::Asked,
            begun,
            took: Duration::ZERO,
            failed: false,
            facts: Vec::new(),
        });
        // A batch is on its way.
        let _connection = collector.accept().unwrap();
        let stopped = Instant::now();
        drop(tracer);
        assert!(stopped.elapsed() < 2 * FINISH, "{:?}", stopped.elapsed());
    }
}
