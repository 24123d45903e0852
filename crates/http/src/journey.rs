//! A request on its way, for log and traces: whether it is traced, and what it has to wait for.
//!
//! A read carries two empty places about and no more. What writes, or may take long for other reasons, runs on an errand
//! (`Errand`) and within a span of the log, so that every line says which request it was written for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use porchlight_engine::{Errand, Fact, Part, Side, Span, TraceContext, Traced};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use crate::route::Route;
use crate::settings::Traces;

/// What a client names its own piece of work in.
const TRACEPARENT: &str = "traceparent";

/// A request on its way.
pub(crate) struct Journey {
    /// Boxed, since hardly any is traced.
    trace: Option<Box<Trace>>,
    /// Made when it is first needed.
    errand: OnceLock<Arc<Errand>>,
}

/// The trace that a request is in.
struct Trace {
    traced: Traced,
    /// The client's own piece of work.
    parent: Option<TraceContext>,
}

/// What came of a request.
pub(crate) struct Arrival<'r> {
    pub(crate) request: Uuid,
    pub(crate) route: Route,
    pub(crate) method: &'r Method,
    pub(crate) status: StatusCode,
    pub(crate) begun: Instant,
    pub(crate) took: Duration,
}

impl Journey {
    /// The journey of a request with these headers. It is traced if its client traces it; if the client says nothing of
    /// that, by chance.
    pub(crate) fn begin(traces: Option<&Traces>, headers: &HeaderMap, request: Uuid) -> Journey {
        let trace = traces.and_then(|traces| Trace::begin(traces, headers, request));
        Journey { trace: trace.map(Box::new), errand: OnceLock::new() }
    }

    /// What is done for the request.
    pub(crate) fn errand(&self) -> &Arc<Errand> {
        let traced = || self.trace.as_ref().map(|trace| trace.traced.clone());
        self.errand.get_or_init(|| Arc::new(Errand::new(traced())))
    }

    /// Takes these steps on the request's errand; a line of the log that is written meanwhile says that it was for
    /// `request`, which is a step's own in a batch.
    pub(crate) fn run<F: Future>(&self, request: Uuid, steps: F) -> impl Future<Output = F::Output> + use<F> {
        // Of the highest level, since it is for lines of every level.
        self.errand().run(steps).instrument(tracing::error_span!("request", %request))
    }

    /// How long was waited for this, in milliseconds; `None` when it was not, as far as is known.
    pub(crate) fn waited_ms(&self, part: Part) -> Option<f64> {
        let waited = self.errand.get()?.waited(part);
        (!waited.is_zero()).then_some(waited.as_secs_f64() * 1000.0)
    }

    /// Tells whoever collects traces that the request is answered.
    pub(crate) fn end(&self, arrival: &Arrival<'_>) {
        if let Some(trace) = &self.trace {
            trace.end(arrival);
        }
    }
}

impl Trace {
    fn begin(traces: &Traces, headers: &HeaderMap, request: Uuid) -> Option<Trace> {
        let named = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        let named = named.and_then(TraceContext::parse);
        let is_chosen = || f64::from(request.as_u128() as u32) < traces.sample * (f64::from(u32::MAX) + 1.0);
        if !named.map_or_else(is_chosen, |(_, is_sampled)| is_sampled) {
            return None;
        }
        let parent = named.map(|(parent, _)| parent);
        let context = parent.map_or_else(|| TraceContext::root(request), TraceContext::child);
        Some(Trace { traced: Traced { context, spans: Arc::clone(&traces.spans) }, parent })
    }

    fn end(&self, arrival: &Arrival<'_>) {
        let Traced { context, spans } = &self.traced;
        spans.done(Span {
            context: *context,
            parent: self.parent,
            links: Vec::new(),
            name: arrival.route.name(),
            side: Side::Asked,
            begun: arrival.begun,
            took: arrival.took,
            failed: arrival.status.is_server_error(),
            facts: vec![
                ("http.request.method", Fact::Text(arrival.method.as_str().to_owned().into())),
                ("http.route", Fact::Text(arrival.route.name().into())),
                ("http.response.status_code", Fact::Number(arrival.status.as_u16().into())),
                ("porchlight.request", Fact::Text(arrival.request.to_string().into())),
            ],
        });
    }
}

#[cfg(test)]
mod tests {
    use porchlight_engine::Spans;

    use super::*;

    struct Nobody;

    impl Spans for Nobody {
        fn done(&self, _: Span) {}
    }

    fn is_traced(sample: f64, traceparent: Option<&str>) -> bool {
        let traces = Traces { spans: Arc::new(Nobody), sample };
        let mut headers = HeaderMap::new();
        headers.extend(
            traceparent.map(|value| (http::HeaderName::from_static(TRACEPARENT), value.parse().unwrap())),
        );
        Journey::begin(Some(&traces), &headers, Uuid::new_v4()).trace.is_some()
    }

    #[test]
    fn the_client_decides_what_is_traced_and_chance_where_it_says_nothing() {
        let context = TraceContext::root(Uuid::new_v4());
        let sampled = context.traceparent();
        let unsampled = sampled.strip_suffix("01").unwrap().to_owned() + "00";
        for sample in [0.0, 1.0] {
            assert!(is_traced(sample, Some(&sampled)));
            assert!(!is_traced(sample, Some(&unsampled)));
            assert_eq!(is_traced(sample, None), sample > 0.5);
            assert_eq!(is_traced(sample, Some("nonsense")), sample > 0.5);
        }
        let traced = (0..10_000).filter(|_| is_traced(0.1, None)).count();
        assert!((700..1_300).contains(&traced), "{traced} of 10,000");
    }
}
