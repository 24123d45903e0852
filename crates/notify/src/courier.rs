//! Sends what the office plans, on a thread of its own: neither a request that takes long nor encryption is ever in the
//! way of whoever asks this server.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use parking_lot::Mutex;
use porchlight_engine::{Changes, Engine, WriteError};
use porchlight_presence::{TenantId, Timestamp};
use porchlight_store::{AppendError, Value};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::attempts::Attempt;
use crate::cursor::StoredCursor;
use crate::file::Scan;
use crate::notifier::Shared;
use crate::office::Office;
use crate::outcome::Outcome;
use crate::parcel::Parcel;
use crate::post::Outgoing;

/// How often cursors are kept. Source: design 5.3.
const KEEP: Duration = Duration::from_secs(1);

/// When to try again what the log did not take.
const AGAIN: Duration = Duration::from_secs(5);

/// How long what is underway may take to end, once the server stops.
const FINISH: Duration = Duration::from_secs(4);

/// How often to look whether a lease is fresh again.
const FRESH: Duration = Duration::from_secs(1);

/// How often to look whether engine time has reached what the clock has.
const HELD_BACK: Duration = Duration::from_millis(10);

/// A request that is over.
struct Done {
    parcel: Parcel,
    begun: Timestamp,
    outcome: Outcome,
    took: Duration,
}

/// Runs until `stop`, then keeps the cursors.
pub(crate) async fn run(mut office: Office, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut courier = Courier {
        engine: shared.engine.clone(),
        shared,
        posts: JoinSet::new(),
        scans: JoinSet::new(),
        writes: JoinSet::new(),
        rotating: None,
        news: Arc::default(),
        followed: HashMap::new(),
    };
    let mut slots = courier.shared.slots.clone();
    let mut jumps = courier.engine.clock().jumps();
    let mut keep = tokio::time::interval(KEEP);
    let mut hours = tokio::time::interval(Duration::from_secs(60 * 60));
    loop {
        jumps.borrow_and_update();
        courier.do_what_is_due(&mut office);
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = courier.shared.registry.bell.notified() => {}
            () = courier.news.bell.notified() => {}
            () = slots.changed() => {}
            () = tokio::time::sleep(FRESH), if office.is_held_back() => {}
            Some(done) = courier.posts.join_next() => courier.finish(&mut office, done),
            Some(Ok((scan, changes))) = courier.scans.join_next() => office.scanned(&scan, &changes),
            Some(_) = courier.writes.join_next() => {}
            _ = keep.tick(), if office.has_moved() => courier.keep_cursors(&mut office),
            _ = hours.tick() => {}
            () = wait(&courier.engine, office.next_alarm(), &mut jumps) => {}
        }
    }
    courier.stop(office).await;
}

/// Returns when an alarm is due, or when the clock jumps.
async fn wait(engine: &Engine, alarm: Option<Timestamp>, jumps: &mut watch::Receiver<u64>) {
    engine.clock().wait(alarm, jumps).await;
    // Due, but engine time is held back, by a write on its way or for as long as the log does not answer.
    if alarm.is_some_and(|at| engine.now() < at && at <= engine.clock().now()) {
        tokio::time::sleep(HELD_BACK).await;
    }
}

/// The tenants whose feeds have something new.
#[derive(Default)]
struct News {
    tenants: Mutex<HashSet<TenantId>>,
    bell: Notify,
}

impl News {
    fn ring(&self, tenant: TenantId) {
        self.tenants.lock().insert(tenant);
        self.bell.notify_one();
    }

    fn take(&self) -> HashSet<TenantId> {
        std::mem::take(&mut self.tenants.lock())
    }
}

struct Courier {
    engine: Engine,
    shared: Arc<Shared>,
    posts: JoinSet<Done>,
    scans: JoinSet<(Scan, Changes)>,
    writes: JoinSet<()>,
    /// The signing keys are being changed.
    rotating: Option<tokio::task::AbortHandle>,
    news: Arc<News>,
    followed: HashMap<TenantId, tokio::task::AbortHandle>,
}

impl Courier {
    fn do_what_is_due(&mut self, office: &mut Office) {
        if let Some((key, cause)) = self.shared.registry.unreadable() {
            self.engine.cannot_read(&key, cause);
        }
        if office.sync() {
            self.follow(office);
        }
        for id in office.closed() {
            self.shared.attempts.forget(id);
        }
        for tenant in self.news.take() {
            office.dispatch_one(tenant);
        }
        office.tick();
        for id in office.removals() {
            self.remove(id);
        }
        office.try_again();
        while let Some(parcel) = office.compose() {
            self.post(parcel);
        }
        while let Some(scan) = office.scan() {
            let engine = self.engine.clone();
            self.scans.spawn_blocking(move || {
                let changes = scan.run(&engine);
                (scan, changes)
            });
        }
        self.rotate_keys();
        for count in self.shared.counts() {
            // Nobody waits for it any more when that fails.
            let _ = count.send(office.remembered());
        }
    }

    /// Has the bell rung by the feeds that the office reads, and by no others.
    fn follow(&mut self, office: &Office) {
        let mut no_more = std::mem::take(&mut self.followed);
        for tenant in office.tenants() {
            let followed = no_more.remove(&tenant.id()).unwrap_or_else(|| {
                let (mut feed, news, id) = (tenant.feed().follow(), Arc::clone(&self.news), tenant.id());
                // Something may have come since its desk was opened.
                news.ring(id);
                let ring = async move {
                    while feed.changed().await.is_ok() {
                        news.ring(id);
                    }
                };
                tokio::spawn(ring).abort_handle()
            });
            self.followed.insert(tenant.id(), followed);
        }
        for task in no_more.into_values() {
            task.abort();
        }
    }

    fn post(&mut self, parcel: Parcel) {
        const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
        let shared = Arc::clone(&self.shared);
        let settings = &shared.settings;
        let outgoing = Outgoing {
            url: parcel.address.url.clone(),
            content_type: JSON,
            body: parcel.body.clone(),
            attempt: Some(parcel.attempt),
            timeout: if parcel.attempt == 1 { settings.first_timeout } else { settings.retry_timeout },
        };
        let begun = self.engine.now();
        self.posts.spawn(async move {
            let start = Instant::now();
            let faults = shared.faults();
            let outcome = if faults.fails_now() {
                Outcome::Fault
            } else {
                tokio::time::sleep(faults.extra_latency).await;
                shared.poster.post(outgoing).await.outcome
            };
            Done { parcel, begun, outcome, took: start.elapsed() }
        });
    }

    fn finish(&mut self, office: &mut Office, done: Result<Done, tokio::task::JoinError>) {
        let Ok(done) = done else {
            // Its users stay underway: a bug, which a restart mends.
            tracing::error!("a request to an endpoint ended in a panic");
            return;
        };
        // What was told before the feed told of it must be on it by now.
        office.dispatch_one(done.parcel.address.tenant);
        office.finish(&done.parcel, done.outcome, done.took);
        // Whoever sees the attempt finds that it has been taken account of.
        self.note(&done);
    }

    fn note(&self, done: &Done) {
        let Done { parcel, begun, outcome, took } = done;
        let mut items: HashMap<Uuid, usize> = HashMap::new();
        let told = parcel.told.iter().map(|(id, ..)| *id);
        for id in told.chain(parcel.letters.iter().map(|letter| letter.subscription.id)) {
            *items.entry(id).or_default() += 1;
        }
        // Nobody can ask about those that are gone, and whoever tells them by now has attempts of their own.
        items.retain(|id, _| self.shared.registry.get(*id).is_some() && self.shared.slots.is_mine(*id));
        let class = outcome.class().unwrap_or("delivered");
        metrics::counter!("porchlight_deliveries_total", "outcome" => class).increment(1);
        metrics::histogram!("porchlight_delivery_seconds").record(took.as_secs_f64());
        if !outcome.is_delivered() {
            let url = &parcel.address.url;
            tracing::warn!(%url, attempt = parcel.attempt, outcome = class, status = outcome.status(), "not delivered");
        }
        let attempt = Attempt {
            at: *begun,
            number: parcel.attempt,
            outcome: *outcome,
            took: *took,
            items: parcel.told.len() + parcel.letters.len(),
            url: parcel.address.url.clone(),
            body: parcel.body.clone(),
        };
        self.shared.attempts.note(attempt, items, self.shared.keeps_bodies);
    }

    /// Takes a subscription out of the log.
    fn remove(&mut self, id: Uuid) {
        let shared = Arc::clone(&self.shared);
        self.writes.spawn(async move {
            if let Err(error) = shared.delete(id).await {
                tracing::warn!(subscription = %id, %error, "an ended subscription is still in the log");
            }
        });
    }

    /// Has the signing key followed by another one when it is old.
    fn rotate_keys(&mut self) {
        let is_idle = self.rotating.as_ref().is_none_or(tokio::task::AbortHandle::is_finished);
        if is_idle && self.shared.signer.is_due() {
            let signer = Arc::clone(&self.shared.signer);
            let rotate = async move {
                if let Err(error) = signer.rotate().await {
                    tracing::warn!(%error, "the key that validation tokens are signed with was not followed by another");
                    tokio::time::sleep(AGAIN).await;
                }
            };
            self.rotating = Some(self.writes.spawn(rotate));
        }
    }

    fn keep_cursors(&mut self, office: &mut Office) {
        office.dispatch();
        for (id, cursor, hold) in office.cursors() {
            let shared = Arc::clone(&self.shared);
            // Nobody waits for it. What is not kept is told again after a crash.
            self.writes.spawn(async move { keep(&shared, id, cursor, hold).await });
        }
    }

    /// Lets what is underway end, and keeps the cursors. Whoever tells the subscriptions next goes on from there.
    async fn stop(mut self, mut office: Office) {
        let end = tokio::time::sleep(FINISH);
        tokio::pin!(end);
        while !self.posts.is_empty() {
            tokio::select! {
                Some(done) = self.posts.join_next() => self.finish(&mut office, done),
                () = &mut end => break,
            }
        }
        // It may wait to try again.
        self.rotating.take().inspect(tokio::task::AbortHandle::abort);
        // Before the newest cursors, which wait for those on their way.
        while self.writes.join_next().await.is_some() {}
        self.keep_cursors(&mut office);
        while self.writes.join_next().await.is_some() {}
    }
}

/// Keeps a cursor, unless its subscription is gone. Whoever finds that somebody else keeps it too is not the only one
/// who tells the subscription, and gives its slot up.
async fn keep(shared: &Shared, id: Uuid, cursor: StoredCursor, hold: Arc<()>) {
    let (engine, registry, slots) = (&shared.engine, &shared.registry, &shared.slots);
    let key = StoredCursor::key(id);
    let mut is_first = true;
    loop {
        let begun = Instant::now();
        // Before the look at the subscription: whoever deletes it deletes the cursor after it, so that one of the two is
        // noticed.
        let expected = engine.revision_of(&key);
        let before = registry.kept_cursor(id);
        if registry.get(id).is_none() || !slots.is_mine(id) {
            return;
        }
        let (value, hold) = (Value::Live(cursor.encode()), Box::new(Arc::clone(&hold)));
        let newest = match engine.write_kept(key.clone(), expected, value, hold).await {
            Ok(_) => return,
            Err(WriteError::Log(AppendError::Conflict { newest })) => newest,
            Err(error) => {
                tracing::debug!(subscription = %id, %error, "a cursor was not kept");
                return;
            }
        };
        shared.catch_up(&key, newest).await;
        if registry.get(id).is_none() {
            return;
        }
        // A conflict need not mean that. The log may have moved the entry without changing it. And this replica may have
        // been behind what the last holder wrote, once, since that one writes no more; some seconds after the take-over
        // that is no excuse any more.
        let is_harmless = registry.kept_cursor(id) == before || slots.was_new(id, begun);
        if !is_first || !is_harmless {
            tracing::warn!(subscription = %id, "somebody else tells it too: its slot is given up");
            slots.give_up(id);
            return;
        }
        is_first = false;
    }
}
