//! Whether something has panicked. tokio and the server catch panics; a run is to know of them all the same.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

static SEEN: AtomicBool = AtomicBool::new(false);

/// From now on it is noted when something panics.
pub(crate) fn watch() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        SEEN.store(true, Ordering::Relaxed);
        usual(panic);
    }));
}

/// Whether something has panicked.
pub(crate) fn were_seen() -> bool {
    SEEN.load(Ordering::Relaxed)
}
