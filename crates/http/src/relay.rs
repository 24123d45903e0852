//! Word of a tenant's changes, passed on within a thread.
//!
//! To wake a task of another thread costs a system call; to wake one of one's own does not. So whoever makes a change
//! known wakes one task for each thread that serves requests, and that one wakes the streams there, however many there
//! are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use porchlight_engine::Tenant;
use porchlight_presence::TenantId;
use rapidhash::fast::RandomState;
use tokio::runtime;
use tokio::sync::watch;

thread_local! {
    /// Those of this thread; each has somebody who follows it, or is about to end.
    static RELAYS: RefCell<HashMap<Place, watch::Sender<u64>, RandomState>> = RefCell::default();
}

/// Whose relay it is: a thread may run one runtime after another, and with each go the tasks that passed word on.
type Place = (runtime::Id, TenantId);

/// Word of every change from now on, a moment late; what it says has no meaning. Must be called within a runtime of one
/// thread.
pub(crate) fn follow(tenant: &Arc<Tenant>) -> watch::Receiver<u64> {
    let place = (runtime::Handle::current().id(), tenant.id());
    RELAYS.with_borrow_mut(|relays| {
        let relay = relays.entry(place).or_insert_with(|| {
            let relay = watch::Sender::new(0);
            tokio::spawn(pass_on(place, tenant.feed().follow(), relay.clone()));
            relay
        });
        relay.subscribe()
    })
}

/// Passes word on until nobody follows any more.
async fn pass_on(place: Place, mut news: watch::Receiver<u64>, relay: watch::Sender<u64>) {
    loop {
        tokio::select! {
            changed = news.changed() => {
                let pushed = *news.borrow_and_update();
                relay.send_replace(pushed);
                if changed.is_err() {
                    break;
                }
            }
            () = relay.closed() => {}
        }
        if relay.receiver_count() == 0 {
            break;
        }
    }
    RELAYS.with_borrow_mut(|relays| relays.remove(&place));
}

#[cfg(test)]
mod tests {
    use porchlight_engine::{Clock, Engine, Options};
    use porchlight_presence::{Command, Timestamp, UserId};
    use porchlight_store::{Log, Memory};
    use uuid::Uuid;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));

    fn engine() -> Engine {
        let clock = Arc::new(Clock::manual(Timestamp::from_millis(1_000)));
        let open =
            |replica| Ok::<_, std::convert::Infallible>(Arc::new(Memory::new(replica)) as Arc<dyn Log>);
        Engine::open(clock, Options::default(), open).expect("it opens")
    }

    async fn hide(engine: &Engine, user: u128, hidden: bool) {
        let user = UserId(Uuid::from_u128(user));
        engine.write(TENANT, user, &Command::SetHidden(hidden)).await.expect("it is written");
    }

    #[tokio::test]
    async fn everybody_who_follows_hears_of_a_change_and_the_last_one_ends_it() {
        let engine = engine();
        hide(&engine, 1, true).await;
        let tenant = engine.tenant(TENANT).expect("it is known");
        let (mut one, mut other) = (follow(&tenant), follow(&tenant));
        hide(&engine, 1, false).await;
        one.changed().await.expect("it is passed on");
        other.changed().await.expect("it is passed on");
        drop(one);
        hide(&engine, 1, true).await;
        other.changed().await.expect("it is passed on");
        drop(other);
        while RELAYS.with_borrow(|relays| !relays.is_empty()) {
            tokio::task::yield_now().await;
        }
        let mut again = follow(&tenant);
        hide(&engine, 1, false).await;
        again.changed().await.expect("it is passed on");
    }
}
