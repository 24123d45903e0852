//! A place where futures live: a node, or the world outside of all nodes.
//!
//! Each has a runtime of its own, so that a crash takes everything of a node along, also what the server has spawned.
//! The runtimes take turns; within one, tasks run in tokio's order, and the seed says after how many polls another one
//! goes on.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::time::{self, Origin};
use crate::watchdog;

/// A runtime whose time goes on only while it runs.
pub(crate) struct Place {
    runtime: Runtime,
    origin: Origin,
}

impl Place {
    /// An empty one, whose time begins now.
    pub(crate) fn new() -> Place {
        let builder = &mut Builder::new_current_thread();
        // After every poll of a task it is seen whether that was the last one of the turn.
        let runtime = builder.enable_time().start_paused(true).event_interval(1).build();
        let runtime = runtime.expect("a runtime without sockets needs nothing of the system");
        let instant = {
            let _inside = runtime.enter();
            Instant::now()
        };
        Place { runtime, origin: Origin { instant, since_start: time::elapsed() } }
    }

    /// For whoever puts a future here.
    pub(crate) fn handle(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// Does this as if it were done here.
    pub(crate) fn within<T>(&self, act: impl FnOnce() -> T) -> T {
        let _inside = self.runtime.enter();
        time::by(self.origin, act)
    }

    /// Goes on until this time has come here.
    pub(crate) fn run(&self, until: Duration) {
        self.go_on(until, None);
    }

    /// Polls what is ready, so many times at most; no time passes.
    pub(crate) fn poll(&self, times: u64) {
        self.go_on(Duration::MAX, Some(times));
    }

    fn go_on(&self, until: Duration, polls: Option<u64>) {
        watchdog::turn(time::elapsed());
        let end = self.origin.instant + until.min(FAR).saturating_sub(self.origin.since_start);
        let turn = async move { Turn { end: Box::pin(sleep_until(end)), polls }.await };
        time::by(self.origin, || self.runtime.block_on(turn));
    }
}

/// Later than any run goes.
const FAR: Duration = Duration::from_secs(1_000_000);

/// Ends when its time has come, or after so many polls.
struct Turn {
    end: Pin<Box<Sleep>>,
    polls: Option<u64>,
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.polls {
            None => self.end.as_mut().poll(context),
            Some(0) => Poll::Ready(()),
            Some(polls) => {
                *polls -= 1;
                // Woken at once, so that the runtime is never idle and its time stands still.
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}
