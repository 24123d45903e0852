//! Portions: how much of one connection's work is done before all others have their turn.
//!
//! A client may send requests without waiting for the answers before them. hyper answers sixteen in one go
//! and has the connection polled again at once, and the runtime looks at its sockets only when nothing else
//! is to be done, or after 61 polls. Beside a few such connections whoever sends one request would wait for a
//! thousand of theirs. So a connection answers a few, and goes on when the runtime has looked at its sockets:
//! those who have come meanwhile are served first. Whoever waits for each answer never notices.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::yield_now;

/// Requests in a portion. Fewer than the sixteen after which hyper gives way by itself, since the runtime
/// does not look at its sockets for that.
const PORTION: usize = 4;

thread_local! {
    /// Requests of the present portion. Of the thread, which serves one connection at a time.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// A connection of HTTP/1.1 that is served in portions: a new one begins with each poll.
pub(crate) struct InPortions<'a, F>(pub(crate) Pin<&'a mut F>);

impl<F: Future> Future for InPortions<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        TAKEN.set(0);
        self.0.as_mut().poll(context)
    }
}

/// Waits until the next request of a connection [in portions](InPortions) may be answered: not at all within
/// a portion, else until all others had their turn.
pub(crate) async fn next_request() {
    if TAKEN.get() == PORTION {
        // tokio takes this up again after its next look at the sockets.
        yield_now().await;
    }
    TAKEN.set(TAKEN.get() + 1);
}
