//! A request on its way, for log and traces: whether it is traced, and what it has to wait for.
//!
//! A read carries two empty places about and no more. What writes, or may take long for other reasons, runs on an errand
//! (`Errand`) and within a span of the log, so that every line says which request it was written for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::request::Parts;
use http::{Method, StatusCode};
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
    /// What it is for, as far as that is known by now.
    pub(crate) route: Route,
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
    request: Uuid,
    /// As traces name it.
    method: &'static str,
    begun: Instant,
}

/// What came of a request.
pub(crate) struct Arrival<'r> {
    pub(crate) request: Uuid,
    pub(crate) route: Route,
    pub(crate) method: &'r Method,
    pub(crate) status: StatusCode,
    pub(crate) took: Duration,
}

impl Journey {
    /// The journey of a request that begins like this. It is traced if its client traces it; if the client says nothing
    /// of that, by chance.
    pub(crate) fn begin(traces: Option<&Traces>, parts: &Parts, request: Uuid, begun: Instant) -> Journey {
        let trace = traces.and_then(|traces| Trace::begin(traces, parts, request, begun));
        Journey { route: Route::None, trace: trace.map(Box::new), errand: OnceLock::new() }
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
    pub(crate) fn end(&mut self, arrival: &Arrival<'_>) {
        if let Some(trace) = self.trace.take() {
            trace.end(arrival.route, Some(arrival.status), arrival.took);
        }
    }
}

impl Drop for Journey {
    /// Whoever asked has gone before there was an answer, if the journey has not ended by now.
    fn drop(&mut self) {
        if let Some(trace) = self.trace.take() {
            let took = trace.begun.elapsed();
            trace.end(self.route, None, took);
        }
    }
}

impl Trace {
    fn begin(traces: &Traces, parts: &Parts, request: Uuid, begun: Instant) -> Option<Trace> {
        let named = parts.headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        let named = named.and_then(TraceContext::parse);
        let is_chosen = || f64::from(request.as_u128() as u32) < traces.sample * (f64::from(u32::MAX) + 1.0);
        if !named.map_or_else(is_chosen, |(_, is_sampled)| is_sampled) {
            return None;
        }
        let parent = named.map(|(parent, _)| parent);
        let context = parent.map_or_else(|| TraceContext::root(request), TraceContext::child);
        let traced = Traced { context, spans: Arc::clone(&traces.spans) };
        Some(Trace { traced, parent, request, method: method_name(&parts.method), begun })
    }

    /// `status`: what it was answered with, if it was.
    fn end(self, route: Route, status: Option<StatusCode>, took: Duration) {
        let Traced { context, spans } = self.traced;
        let mut facts = vec![
            ("http.request.method", Fact::Text(self.method.into())),
            ("http.route", Fact::Text(route.name().into())),
            ("porchlight.request", Fact::Text(self.request.to_string().into())),
        ];
        facts
            .extend(status.map(|status| ("http.response.status_code", Fact::Number(status.as_u16().into()))));
        spans.done(Span {
            context,
            parent: self.parent,
            links: Vec::new(),
            name: route.name(),
            side: Side::Asked,
            begun: self.begun,
            took,
            failed: status.is_none_or(|status| status.is_server_error()),
            facts,
        });
    }
}

/// The method as traces name it: a client may make up others than these, and each would be a value of its own. Source:
/// OpenTelemetry's semantic conventions for HTTP, `http.request.method`.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

#[cfg(test)]
mod tests {
    use http::Request;
    use parking_lot::Mutex;
    use porchlight_engine::Spans;

    use super::*;

    #[derive(Default)]
    struct Collected(Mutex<Vec<Span>>);

    impl Spans for Collected {
        fn done(&self, span: Span) {
            self.0.lock().push(span);
        }
    }

    fn parts(method: &str, traceparent: Option<&str>) -> Parts {
        let mut request = Request::builder().method(method);
        if let Some(traceparent) = traceparent {
            request = request.header(TRACEPARENT, traceparent);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn is_traced(sample: f64, traceparent: Option<&str>) -> bool {
        let traces = Traces { spans: Arc::new(Collected::default()), sample };
        let parts = parts("GET", traceparent);
        Journey::begin(Some(&traces), &parts, Uuid::new_v4(), Instant::now()).trace.is_some()
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

    #[test]
    fn a_journey_is_told_of_once_and_has_failed_if_nobody_waited_for_its_end() {
        let collected = Arc::new(Collected::default());
        let traces = Traces { spans: Arc::clone(&collected) as Arc<dyn Spans>, sample: 1.0 };
        let begin =
            |method| Journey::begin(Some(&traces), &parts(method, None), Uuid::new_v4(), Instant::now());
        let mut answered = begin("PATCH");
        answered.end(&Arrival {
            request: Uuid::nil(),
            route: Route::Presence,
            method: &Method::PATCH,
            status: StatusCode::OK,
            took: Duration::from_millis(1),
        });
        drop(answered);
        let mut left = begin("BREW");
        left.route = Route::Subscriptions;
        drop(left);
        let spans = collected.0.lock();
        let told = |span: &Span| {
            let fact = |name| span.facts.iter().find(|(of, _)| *of == name).map(|(_, fact)| fact.clone());
            (span.name, span.failed, fact("http.request.method"), fact("http.response.status_code"))
        };
        let text = |text: &'static str| Some(Fact::Text(text.into()));
        let expected = [
            (Route::Presence.name(), false, text("PATCH"), Some(Fact::Number(200))),
            (Route::Subscriptions.name(), true, text("_OTHER"), None),
        ];
        assert_eq!(spans.iter().map(told).collect::<Vec<_>>(), expected);
    }
}
