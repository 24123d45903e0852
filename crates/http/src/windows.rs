//! The windows of all applications.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use porchlight_engine::Engine;
use porchlight_presence::{ApplicationId, TenantId, Timestamp};

use crate::window::{Rate, Window};

/// Windows that are kept. Applications beyond that are counted together, as one.
///
/// A window takes some 200 bytes.
pub(crate) const WINDOWS_MAX: usize = 100_000;

/// Fewer than this are not worth looking for those that nobody needs.
const SWEEP_MIN: usize = 1024;

/// The window of each application in each tenant, if requests are limited.
pub(crate) struct Windows {
    engine: Engine,
    /// A mutex, held for a lookup, and now and then for a look at every window. It is locked when a token is new to a
    /// connection, and not for every request.
    limited: Option<Mutex<Table>>,
}

type Key = (TenantId, ApplicationId);

struct Table {
    rate: Rate,
    windows: HashMap<Key, Arc<Window>>,
    /// Of all that have no window of their own.
    others: Arc<Window>,
    /// So many windows: those that nobody needs are let go.
    sweep_at: usize,
}

impl Windows {
    /// No windows yet; none ever without a rate.
    pub(crate) fn new(engine: Engine, rate: Option<Rate>) -> Windows {
        Windows { engine, limited: rate.map(|rate| Mutex::new(Table::new(rate))) }
    }

    /// The window that this application's requests in this tenant count in; `None`: they are not limited.
    ///
    /// Whoever keeps it keeps the application from being counted in another one.
    pub(crate) fn of(&self, tenant: TenantId, application: ApplicationId) -> Option<Arc<Window>> {
        let mut table = self.limited.as_ref()?.lock();
        Some(table.window((tenant, application), self.engine.clock().now()))
    }
}

impl Table {
    fn new(rate: Rate) -> Table {
        let others = Arc::new(Window::new(rate));
        Table { rate, windows: HashMap::new(), others, sweep_at: SWEEP_MIN }
    }

    fn window(&mut self, key: Key, now: Timestamp) -> Arc<Window> {
        if let Some(window) = self.windows.get(&key) {
            return Arc::clone(window);
        }
        if self.windows.len() >= self.sweep_at {
            // One that a caller still holds must stay: a second one beside it would let in twice as many.
            self.windows.retain(|_, window| Arc::strong_count(window) > 1 || !window.is_empty(now));
            self.sweep_at = (2 * self.windows.len()).clamp(SWEEP_MIN, WINDOWS_MAX);
        }
        if self.windows.len() >= WINDOWS_MAX {
            return Arc::clone(&self.others);
        }
        let window = Arc::new(Window::new(self.rate));
        self.windows.insert(key, Arc::clone(&window));
        window
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use porchlight_engine::Clock;
    use uuid::Uuid;

    use super::*;

    fn key(number: usize) -> Key {
        (TenantId(Uuid::nil()), ApplicationId(Uuid::from_u128(number as u128)))
    }

    fn table() -> (Table, Clock) {
        let rate = Rate::new(1, Duration::from_secs(30));
        (Table::new(rate), Clock::manual(Timestamp::from_millis(1_795_165_200_000)))
    }

    #[test]
    fn each_application_has_a_window_of_its_own_and_keeps_it() {
        let (mut table, clock) = table();
        let first = table.window(key(1), clock.now());
        assert!(Arc::ptr_eq(&first, &table.window(key(1), clock.now())));
        assert!(!Arc::ptr_eq(&first, &table.window(key(2), clock.now())));
        let elsewhere = (TenantId(Uuid::max()), key(1).1);
        assert!(!Arc::ptr_eq(&first, &table.window(elsewhere, clock.now())));
    }

    #[test]
    fn windows_that_nobody_holds_go_when_their_requests_have_left_and_the_table_grows() {
        let (mut table, clock) = table();
        let held = table.window(key(0), clock.now());
        for number in 1..SWEEP_MIN - 1 {
            table.window(key(number), clock.now()).take(&clock).expect("the first of its application");
        }
        clock.advance(Duration::from_secs(15));
        let busy = key(SWEEP_MIN - 1);
        table.window(busy, clock.now()).take(&clock).expect("the first of its application");
        clock.advance(Duration::from_secs(15));
        assert_eq!(table.windows.len(), SWEEP_MIN);
        table.window(key(SWEEP_MIN), clock.now());
        assert_eq!(table.windows.len(), 3, "one is held, one is busy, one is new");
        assert!(Arc::ptr_eq(&held, &table.window(key(0), clock.now())));
        assert!(table.window(busy, clock.now()).take(&clock).is_err());
    }

    #[test]
    fn windows_with_requests_stay_and_those_beyond_the_last_share_one() {
        let (mut table, clock) = table();
        for number in 0..WINDOWS_MAX {
            table.window(key(number), clock.now()).take(&clock).expect("the first of its application");
        }
        let beyond = table.window(key(WINDOWS_MAX), clock.now());
        assert!(Arc::ptr_eq(&beyond, &table.window(key(WINDOWS_MAX + 1), clock.now())));
        assert_eq!(table.windows.len(), WINDOWS_MAX);
        assert_eq!(beyond.take(&clock), Ok(()));
        assert!(beyond.take(&clock).is_err());
        clock.advance(Duration::from_secs(30));
        let own = table.window(key(WINDOWS_MAX + 1), clock.now());
        assert!(!Arc::ptr_eq(&own, &beyond), "there is room again");
    }
}
