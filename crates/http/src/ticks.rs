//! The time-outs of connections, told by a coarse clock.
//!
//! hyper sets a time-out before every request head and takes it back when the head is there, which is nearly always at
//! once. With the runtime's timers that is a lock, a list and a look at the clock each time; here it is a store. The
//! price is that a time-out comes up to one tick late.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use hyper::rt::{Sleep, Timer};
use parking_lot::Mutex;

/// Ticks in one time-out.
const TICKS: u32 = 16;

/// The coarse clock of one worker's connections.
#[derive(Debug)]
pub(crate) struct Ticks {
    start: Instant,
    tick: Duration,
    /// How many ticks have passed.
    passed: Arc<AtomicU64>,
    /// What each connection waits for. A mutex: taken when a connection comes and at every tick.
    alarms: Mutex<Vec<Arc<Alarm>>>,
}

/// What a connection waits for. All of it happens on the worker's thread, so no order between the fields is needed.
#[derive(Debug)]
struct Alarm {
    passed: Arc<AtomicU64>,
    /// How many ticks have to have passed; [`NEVER`] while nothing is waited for.
    at: AtomicU64,
    waker: AtomicWaker,
}

const NEVER: u64 = u64::MAX;

impl Ticks {
    /// A clock for connections that wait for about this long.
    pub(crate) fn new(timeout: Duration) -> Ticks {
        Ticks {
            start: tokio::time::Instant::now().into_std(),
            tick: (timeout / TICKS).clamp(Duration::from_millis(1), Duration::from_secs(1)),
            passed: Arc::default(),
            alarms: Mutex::default(),
        }
    }

    /// Ticks for ever.
    pub(crate) async fn run(&self) {
        let mut ticks = tokio::time::interval(self.tick);
        loop {
            let now = ticks.tick().await.into_std();
            self.ring(nanos(now.duration_since(self.start)) / nanos(self.tick));
        }
    }

    /// Wakes those whose time has come, and forgets those whose connections are gone.
    fn ring(&self, passed: u64) {
        self.passed.store(passed, Ordering::Relaxed);
        self.alarms.lock().retain(|alarm| {
            if alarm.has_come() {
                alarm.waker.wake();
            }
            Arc::strong_count(alarm) > 1
        });
    }
}

impl Alarm {
    fn has_come(&self) -> bool {
        self.passed.load(Ordering::Relaxed) >= self.at.load(Ordering::Relaxed)
    }
}

/// Five centuries of them, and no more.
fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

/// The timer of one connection, which waits for one thing at a time.
#[derive(Debug)]
pub(crate) struct ConnectionTimer {
    ticks: Arc<Ticks>,
    alarm: Arc<Alarm>,
}

impl ConnectionTimer {
    pub(crate) fn new(ticks: &Arc<Ticks>) -> ConnectionTimer {
        let passed = Arc::clone(&ticks.passed);
        let alarm = Arc::new(Alarm { passed, at: AtomicU64::new(NEVER), waker: AtomicWaker::new() });
        ticks.alarms.lock().push(Arc::clone(&alarm));
        ConnectionTimer { ticks: Arc::clone(ticks), alarm }
    }
}

impl Timer for ConnectionTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let ticks = nanos(deadline.duration_since(self.ticks.start)).div_ceil(nanos(self.ticks.tick));
        // Some of the present tick has passed already: one more, so that nothing comes early.
        self.alarm.at.store(ticks + 1, Ordering::Relaxed);
        Box::pin(Pause(Arc::clone(&self.alarm)))
    }

    /// The last tick, which is all that a deadline is reckoned from.
    fn now(&self) -> Instant {
        let passed = self.ticks.passed.load(Ordering::Relaxed);
        self.ticks.start + Duration::from_nanos(passed * nanos(self.ticks.tick))
    }
}

/// One wait.
struct Pause(Arc<Alarm>);

impl Sleep for Pause {}

impl Future for Pause {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.waker.register(context.waker());
        if self.0.has_come() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.0.at.store(NEVER, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_pause_ends_with_the_first_tick_that_is_surely_not_too_early() {
        let timeout = Duration::from_secs(1);
        let ticks = Arc::new(Ticks::new(timeout));
        let timer = ConnectionTimer::new(&ticks);
        for begun in [0, 5, 100] {
            ticks.ring(begun);
            let mut pause = timer.sleep(timeout);
            // Begun at the very end of a tick, it would be one tick short by then.
            ticks.ring(begun + u64::from(TICKS));
            assert_eq!(pause.as_mut().now_or_never(), None);
            ticks.ring(begun + u64::from(TICKS) + 1);
            assert_eq!(pause.now_or_never(), Some(()));
        }
    }

    #[test]
    fn a_pause_that_was_given_up_wakes_nobody_and_a_connection_that_is_gone_is_forgotten() {
        let ticks = Arc::new(Ticks::new(Duration::from_secs(1)));
        let timer = ConnectionTimer::new(&ticks);
        drop(timer.sleep(Duration::from_millis(1)));
        ticks.ring(1_000);
        assert!(!timer.alarm.has_come());
        let pause = timer.sleep(Duration::from_secs(1));
        assert_eq!(pause.now_or_never(), None, "the clock has not moved since");
        drop(timer);
        ticks.ring(2_000);
        assert!(ticks.alarms.lock().is_empty());
    }
}
