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
    /// How the clock of a node by itself was set. Of several nodes none is.
    static SET: Cell<Set> = const { Cell::new(Set::NEVER) };
}

/// How a clock was set since the run began.
#[derive(Clone, Copy, Debug)]
struct Set {
    /// By how much in all, either way.
    ahead: Duration,
    back: Duration,
    /// The latest that it had shown when it was set back the last time.
    shown: Timestamp,
    /// When it was set ahead the last time.
    ahead_at: Option<Duration>,
    /// When it was set back the last time.
    back_at: Option<Duration>,
}

impl Set {
    const NEVER: Set = Set {
        ahead: Duration::ZERO,
        back: Duration::ZERO,
        shown: Timestamp::ZERO,
        ahead_at: None,
        back_at: None,
    };
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

/// What a clock shows that is right; while one that was set back is not there again, the latest that it has shown.
pub(crate) fn now() -> Timestamp {
    wall().max(SET.get().shown)
}

/// What the clock of a machine shows, which may have been set back.
pub(crate) fn wall() -> Timestamp {
    let Set { ahead, back, .. } = SET.get();
    START.plus(elapsed()).plus(ahead).minus(back)
}

/// How far the clock is behind what it has shown already.
pub(crate) fn behind() -> Duration {
    now().since(wall())
}

/// Sets the clock ahead; whoever waits is not woken by that.
pub(crate) fn set_ahead(by: Duration) {
    let set = SET.get();
    SET.set(Set { ahead: set.ahead + by, ahead_at: Some(elapsed()), ..set });
}

/// Sets the clock back.
pub(crate) fn set_back(by: Duration) {
    let set = SET.get();
    SET.set(Set { back: set.back + by, shown: now(), back_at: Some(elapsed()), ..set });
}

/// Whether the clock was set ahead less long ago than this.
pub(crate) fn was_set_ahead(within: Duration) -> bool {
    is_within(SET.get().ahead_at, within)
}

/// Whether the clock was set back less long ago than this.
pub(crate) fn was_set_back(within: Duration) -> bool {
    is_within(SET.get().back_at, within)
}

fn is_within(last: Option<Duration>, within: Duration) -> bool {
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
