//! What a write is done for: where the time of whoever waits for it goes, and the trace that it belongs to.
//!
//! A write passes through many hands, some of them in tasks of their own. An errand goes along beside them, as the span
//! of the log does, and each hand that may keep it waiting says for how long it has.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::trace::{Side, Span, TraceContext, Traced};

tokio::task_local! {
    /// The one that the task is on.
    static CURRENT: Arc<Errand>;
}

/// What an errand may have to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The rest of what its maker sends.
    Body,
    /// A revision that its maker has seen elsewhere.
    Revision,
    /// An endpoint that has to prove itself.
    Endpoint,
    /// The writes before it to the same user.
    Lane,
    /// The log.
    Append,
}

impl Part {
    /// All of them, in their order.
    pub const ALL: [Part; 5] = [Part::Body, Part::Revision, Part::Endpoint, Part::Lane, Part::Append];

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Part::Body => "body",
            Part::Revision => "revision",
            Part::Endpoint => "endpoint",
            Part::Lane => "lane",
            Part::Append => "append",
        }
    }
}

/// What is done for one request.
#[derive(Default)]
pub struct Errand {
    traced: Option<Traced>,
    /// Nanoseconds, in the order of [`Part::ALL`].
    waited: [AtomicU64; Part::ALL.len()],
}

impl Errand {
    /// A new one; `traced`: the piece of work whose parts its own are.
    pub fn new(traced: Option<Traced>) -> Errand {
        Errand { traced, ..Errand::default() }
    }

    /// Takes these steps on this errand.
    pub fn run<F: Future>(self: &Arc<Errand>, steps: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(Arc::clone(self), steps)
    }

    /// How long was waited for this; for all of it together, where steps are taken at the same time.
    pub fn waited(&self, part: Part) -> Duration {
        Duration::from_nanos(self.waited[part as usize].load(Ordering::Relaxed))
    }

    /// Begins to wait for something, on this errand.
    fn wait(self: &Arc<Errand>, part: Part) -> Wait {
        let context = self.traced.as_ref().map(|traced| traced.context.child());
        Wait(Some(Begun { errand: Arc::clone(self), part, context, since: Instant::now(), failed: false }))
    }
}

impl fmt::Debug for Errand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut errand = formatter.debug_struct("Errand");
        for part in Part::ALL {
            errand.field(part.name(), &self.waited(part));
        }
        errand.finish_non_exhaustive()
    }
}

/// The same errand for steps that another task takes.
pub(crate) async fn along<F: Future>(errand: Option<Arc<Errand>>, steps: F) -> F::Output {
    match errand {
        Some(errand) => errand.run(steps).await,
        None => steps.await,
    }
}

/// The errand that the task is on, if it is on any.
pub(crate) fn current() -> Option<Arc<Errand>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Something is waited for, until this is dropped; nobody takes note without an errand.
#[must_use]
pub struct Wait(Option<Begun>);

struct Begun {
    errand: Arc<Errand>,
    part: Part,
    context: Option<TraceContext>,
    since: Instant,
    failed: bool,
}

impl Wait {
    /// Begins to wait for something, on the errand that the task is on.
    pub fn begin(part: Part) -> Wait {
        current().map_or(Wait(None), |errand| errand.wait(part))
    }

    /// The name of the waiting in its trace, if it is traced.
    pub(crate) fn context(&self) -> Option<TraceContext> {
        self.0.as_ref().and_then(|begun| begun.context)
    }

    /// The waiting is over.
    ///
    /// # Errors
    ///
    /// What was waited for is handed on as it is.
    pub fn over<T, E>(mut self, outcome: Result<T, E>) -> Result<T, E> {
        if let Some(begun) = &mut self.0 {
            begun.failed = outcome.is_err();
        }
        outcome
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Some(Begun { errand, part, context, since, failed }) = self.0.take() else { return };
        let took = since.elapsed();
        errand.waited[part as usize].fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
        if let (Some(traced), Some(context)) = (&errand.traced, context) {
            traced.spans.done(Span {
                context,
                parent: Some(traced.context),
                links: Vec::new(),
                name: part.name(),
                side: Side::Within,
                begun: since,
                took,
                failed,
                facts: Vec::new(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use uuid::Uuid;

    use super::*;
    use crate::trace::Spans;

    #[derive(Default)]
    struct Collected(Mutex<Vec<Span>>);

    impl Spans for Collected {
        fn done(&self, span: Span) {
            self.0.lock().push(span);
        }
    }

    async fn wait(part: Part, millis: u64, outcome: Result<(), ()>) {
        let wait = Wait::begin(part);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let _ = wait.over(outcome);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_on_an_errand_says_for_what_and_how_long_in_other_tasks_too() {
        let collected = Arc::new(Collected::default());
        let context = TraceContext::root(Uuid::new_v4());
        let spans = Arc::clone(&collected) as Arc<dyn Spans>;
        let errand = Arc::new(Errand::new(Some(Traced { context, spans })));
        errand
            .run(async {
                wait(Part::Lane, 20, Ok(())).await;
                let elsewhere = tokio::spawn(along(current(), wait(Part::Append, 300, Err(()))));
                elsewhere.await.unwrap();
            })
            .await;
        wait(Part::Body, 5, Ok(())).await;
        let waited = Part::ALL.map(|part| errand.waited(part).as_millis());
        assert_eq!(waited, [0, 0, 0, 20, 300], "nobody is on the errand afterwards");
        let spans = collected.0.lock();
        let told: Vec<_> = spans.iter().map(|span| (span.name, span.parent, span.failed)).collect();
        assert_eq!(told, [("lane", Some(context), false), ("append", Some(context), true)]);
        assert!(spans.iter().all(|span| span.context.trace() == context.trace()));
        assert_ne!(spans[0].context, spans[1].context);
    }
}
