//! Which operation of a client a part of the server is busy with.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// One operation of a client, by its number in the chronicle.
pub(crate) type Operation = usize;

thread_local! {
    static CURRENT: Cell<Option<Operation>> = const { Cell::new(None) };
}

/// The operation that is being polled, if it is any.
pub(crate) fn current() -> Option<Operation> {
    CURRENT.get()
}

/// A future that is busy with an operation.
pub(crate) struct Tagged {
    operation: Option<Operation>,
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Tagged {
    /// This future, which is busy with an operation.
    pub(crate) fn new(
        operation: Option<Operation>,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Tagged {
        Tagged { operation, future: Box::pin(future) }
    }
}

impl Future for Tagged {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let before = CURRENT.replace(self.operation);
        let outcome = self.future.as_mut().poll(context);
        CURRENT.set(before);
        outcome
    }
}
