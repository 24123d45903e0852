//! Virtual time. Everything happens on one thread, so what time it is belongs to that thread.

use std::cell::Cell;
use std::time::Duration;

use porchlight_presence::Timestamp;
use tokio::time::Instant;

use crate::watchdog;

/// When a run begins: 2026-11-20T09:00:00Z.
const START: Timestamp = Timestamp::from_millis(1_795_165_200_000);

thread_local! {
    /// How far the world has come.
    static WORLD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// The runtime that runs now, if one does; it may be a little ahead of the world.
    static HERE: Cell<Option<Origin>> = const { Cell::new(None) };
    /// How far clocks have been set ahead, and when they were the last time.
    static AHEAD: Cell<(Duration, Option<Duration>)> = const { Cell::new((Duration::ZERO, None)) };
}

/// Where a runtime's own time began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// By its own count.
    pub(crate) instant: Instant,
    /// Since the beginning of the run.
    pub(crate) since_start: Duration,
}

/// How long the run has gone on.
pub(crate) fn elapsed() -> Duration {
    watchdog::asked();
    HERE.get().map_or_else(|| WORLD.get(), |here| here.since_start + here.instant.elapsed())
}

/// What a clock shows that is right.
pub(crate) fn now() -> Timestamp {
    let (ahead, _) = AHEAD.get();
    START.plus(elapsed()).plus(ahead)
}

/// Sets the clocks ahead; whoever waits is not woken by that.
pub(crate) fn set_ahead(by: Duration) {
    let (ahead, _) = AHEAD.get();
    AHEAD.set((ahead + by, Some(elapsed())));
}

/// Whether clocks were set ahead less long ago than this.
pub(crate) fn was_set(within: Duration) -> bool {
    let (_, last) = AHEAD.get();
    last.is_some_and(|last| elapsed().saturating_sub(last) < within)
}

/// The world has come this far.
pub(crate) fn reach(since_start: Duration) {
    WORLD.set(since_start);
}

/// Does this by the time of a runtime, in which the caller is.
pub(crate) fn by<T>(origin: Origin, act: impl FnOnce() -> T) -> T {
    let before = HERE.replace(Some(origin));
    let outcome = act();
    HERE.set(before);
    outcome
}
