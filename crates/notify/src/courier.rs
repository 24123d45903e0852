//! Sends what the office plans, on a thread of its own: neither a request that takes long nor encryption is ever in the
//! way of whoever asks this server.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use parking_lot::Mutex;
use porchlight_engine::{Changes, Engine, Fact, Side, Span, TraceContext, WriteError};
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

/// When to try again what the log did not take, or what ended in a panic.
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
    at: Timestamp,
    /// The piece of work that it was, if that is traced.
    trace: Option<TraceContext>,
    begun: Instant,
    outcome: Outcome,
    took: Duration,
}

/// Where the records are looked through for whoever has to catch up, which may take a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scanning {
    /// On threads of their own: meanwhile others are told.
    Beside,
    /// Where everything else is done.
    Here,
}

/// Runs until `stop`, then keeps the cursors.
pub(crate) async fn run(
    mut office: Office,
    shared: Arc<Shared>,
    scanning: Scanning,
    mut stop: watch::Receiver<bool>,
) {
    tokio::spawn(leave_if_incomplete(Arc::clone(&shared)));
    let mut courier = Courier {
        engine: shared.engine.clone(),
        shared,
        posts: JoinSet::new(),
        scanning,
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
    // The log was gone between the end of a subscription and that of its cursor.
    for id in courier.shared.registry.cursors_alone() {
        courier.remove(id);
    }
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
            Some(Ok((scan, found))) = courier.scans.join_next() => office.scanned(&scan, found.as_ref()),
            Some(_) = courier.writes.join_next() => {}
            _ = keep.tick(), if office.has_moved() => courier.keep_cursors(&mut office),
            _ = hours.tick() => {}
            () = wait(&courier.engine, office.next_alarm(), &mut jumps) => {}
        }
    }
    courier.stop(office).await;
}

/// Leaves the slots to others once an entry of the log cannot be read: here nobody would be told of it.
async fn leave_if_incomplete(shared: Arc<Shared>) {
    shared.engine.becomes_incomplete().await;
    // A panic was reported where it happened.
    let _ = tokio::task::spawn_blocking(move || shared.slots.release()).await;
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
    scanning: Scanning,
    scans: JoinSet<(Arc<Scan>, Option<Changes>)>,
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
            self.scans.spawn(look(scan, self.scanning, move |scan| scan.run(&engine)));
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
        let trace = parcel.traces.first().map(|first| first.child());
        let outgoing = Outgoing {
            url: parcel.address.url.clone(),
            content_type: JSON,
            body: parcel.body.clone(),
            attempt: Some(parcel.attempt),
            trace,
            timeout: if parcel.attempt == 1 { settings.first_timeout } else { settings.retry_timeout },
        };
        let at = self.engine.now();
        self.posts.spawn(async move {
            let begun = Instant::now();
            let faults = shared.faults();
            let outcome = if faults.fails_now() {
                Outcome::Fault
            } else {
                tokio::time::sleep(faults.extra_latency).await;
                shared.poster.post(outgoing).await.outcome
            };
            Done { parcel, at, trace, begun, outcome, took: begun.elapsed() }
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
        let Done { parcel, at, outcome, took, .. } = done;
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
            at: *at,
            number: parcel.attempt,
            outcome: *outcome,
            took: *took,
            items: parcel.told.len() + parcel.letters.len(),
            url: parcel.address.url.clone(),
            body: parcel.body.clone(),
        };
        self.shared.attempts.note(attempt, items, self.shared.keeps_bodies);
        self.trace(done);
    }

    /// Tells whoever collects traces of a request: it is a part of the first piece of work that it tells of, and about the
    /// others.
    fn trace(&self, done: &Done) {
        let Done { parcel, trace, begun, outcome, took, .. } = done;
        let (Some(spans), Some(context)) = (&self.shared.settings.spans, *trace) else { return };
        let (first, others) =
            parcel.traces.split_first().map_or((None, &[][..]), |(first, others)| (Some(*first), others));
        let number = |number: usize| Fact::Number(i64::try_from(number).unwrap_or(i64::MAX));
        let mut facts = vec![
            ("http.request.method", Fact::Text("POST".into())),
            ("porchlight.outcome", Fact::Text(outcome.class().unwrap_or("delivered").into())),
            ("porchlight.attempt", Fact::Number(parcel.attempt.into())),
            ("porchlight.items", number(parcel.told.len() + parcel.letters.len())),
        ];
        let status = outcome.status().map(|status| Fact::Number(status.into()));
        facts.extend(status.map(|status| ("http.response.status_code", status)));
        // No more of the URL: the rest of it may be a secret.
        let host = parcel.address.url.parse::<Uri>().ok().and_then(|url| url.host().map(str::to_owned));
        facts.extend(host.map(|host| ("server.address", Fact::Text(host.into()))));
        spans.done(Span {
            context,
            parent: first,
            links: others.to_vec(),
            name: "webhook",
            side: Side::Asks,
            begun: *begun,
            took: *took,
            failed: !outcome.is_delivered(),
            facts,
        });
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
        let cursors = office.cursors();
        // After they were made: a cursor that lies behind an entry which cannot be read says that it was told.
        if self.engine.is_incomplete() {
            return;
        }
        for (id, cursor, hold) in cursors {
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

/// Makes a scan, and says what it has found: nothing when it ended in a panic, and that only after a while,
/// since the next one may do the same.
async fn look(
    scan: Scan,
    scanning: Scanning,
    run: impl FnOnce(&Scan) -> Changes + Send + 'static,
) -> (Arc<Scan>, Option<Changes>) {
    let scan = Arc::new(scan);
    let run = {
        let scan = Arc::clone(&scan);
        move || run(&scan)
    };
    let found = match scanning {
        Scanning::Beside => tokio::task::spawn_blocking(run).await.ok(),
        // It only reads, and leaves nothing half done.
        Scanning::Here => catch_unwind(AssertUnwindSafe(run)).ok(),
    };
    if found.is_none() {
        let id = scan.subscription;
        tracing::error!(subscription = %id, again_in = ?AGAIN, "a look at every record ended in a panic");
        tokio::time::sleep(AGAIN).await;
    }
    (scan, found)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::File;
    use crate::node::{Node, START};
    use crate::notifier::KeepError;
    use crate::settings::{Egress, Settings};
    use crate::subscription::tests::subscription;
    use crate::subscription::{Subscription, Target};

    fn cursor(seconds: u64) -> StoredCursor {
        let at = START.plus(Duration::from_secs(seconds));
        let log = porchlight_store::LogId(Uuid::from_u128(7));
        porchlight_engine::Cursor { log, revision: porchlight_store::Revision(1), at }.into()
    }

    /// Two nodes, the first of which holds the only slot, and a subscription whose cursor it has kept once.
    async fn holder_and_other() -> (Node, Shared, Node, Uuid) {
        let node = Node::first(1);
        let settings = Settings { egress: Egress::development(), ..Settings::default() };
        let shared = Shared::new(&node.engine, settings, false).unwrap();
        let subscription = subscription(1, Target::Everybody);
        let (key, value) = (Subscription::key(subscription.id), Value::Live(subscription.encode()));
        let none = porchlight_store::Revision::NONE;
        node.engine.write_kept(key, none, value, Box::new(())).await.unwrap();
        node.leases.give(0);
        assert!(shared.slots.note_moves());
        keep(&shared, subscription.id, cursor(1), Arc::default()).await;
        assert_eq!(shared.registry.kept_cursor(subscription.id), Some(cursor(1)));
        let other = node.beside(1);
        (node, shared, other, subscription.id)
    }

    async fn write_cursor(node: &Node, id: Uuid, value: Value) {
        let key = StoredCursor::key(id);
        let expected = node.engine.revision_of(&key);
        node.engine.write_kept(key, expected, value, Box::new(())).await.unwrap();
    }

    /// The holder keeps a cursor while it is behind what the other one has written.
    async fn keep_behind(node: &Node, shared: &Shared, id: Uuid, cursor: StoredCursor) {
        let let_go = async { node.let_go() };
        tokio::join!(keep(shared, id, cursor, Arc::default()), let_go);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scan_that_panics_is_followed_by_another_after_a_while() {
        for scanning in [Scanning::Beside, Scanning::Here] {
            let node = Node::first(1);
            let subscription = Arc::new(subscription(1, Target::Everybody));
            let tenant = node.engine.tenant_or_new(subscription.tenant);
            let mut file = File::new(subscription, node.engine.cursor(&tenant).into(), &node.engine, 1);
            let scan =
                file.catch_up(&tenant, &node.engine).expect("the feed knows of nothing before the start");
            let begun = Instant::now();
            let (scan, found) = look(scan, scanning, |_: &Scan| -> Changes { panic!("on purpose") }).await;
            assert!(begun.elapsed() >= AGAIN, "{scanning:?}");
            file.scanned(&scan, found.as_ref());
            assert!(file.tells_at().is_some_and(|at| at <= node.engine.now()), "{scanning:?}");
            assert!(file.catch_up(&tenant, &node.engine).is_some(), "{scanning:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_behind_its_predecessor_right_after_the_take_over_keeps_its_cursor_all_the_same() {
        let (node, shared, other, id) = holder_and_other().await;
        node.hold_back();
        write_cursor(&other, id, Value::Live(cursor(2).encode())).await;
        keep_behind(&node, &shared, id, cursor(3)).await;
        assert_eq!(shared.registry.kept_cursor(id), Some(cursor(3)));
        assert!(node.leases.given_up().borrow().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_the_cursor_kept_by_somebody_else_gives_the_slot_up() {
        let (node, shared, other, id) = holder_and_other().await;
        tokio::time::advance(Duration::from_secs(5)).await;
        node.hold_back();
        write_cursor(&other, id, Value::Live(cursor(2).encode())).await;
        keep_behind(&node, &shared, id, cursor(3)).await;
        assert_eq!(*node.leases.given_up().borrow(), [0]);
        assert_eq!(shared.registry.kept_cursor(id), Some(cursor(2)));
        keep(&shared, id, cursor(4), Arc::default()).await;
        assert_eq!(shared.registry.kept_cursor(id), Some(cursor(2)), "it is the other's now");
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_that_has_only_moved_ends_nobody_and_neither_does_a_deletion() {
        let (node, shared, other, id) = holder_and_other().await;
        tokio::time::advance(Duration::from_secs(5)).await;
        node.hold_back();
        write_cursor(&other, id, Value::Live(cursor(1).encode())).await;
        keep_behind(&node, &shared, id, cursor(3)).await;
        assert_eq!(shared.registry.kept_cursor(id), Some(cursor(3)));

        node.hold_back();
        let tombstone = || Value::Tombstone { at: START.as_millis() };
        let key = Subscription::key(id);
        let expected = other.engine.revision_of(&key);
        other.engine.write_kept(key, expected, tombstone(), Box::new(())).await.unwrap();
        write_cursor(&other, id, tombstone()).await;
        keep_behind(&node, &shared, id, cursor(4)).await;
        assert_eq!((shared.registry.kept_cursor(id), shared.registry.len()), (None, 0));
        assert!(node.leases.given_up().borrow().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_hangs_keeps_nobody_waiting_for_ever() {
        let (node, shared, _other, id) = holder_and_other().await;
        node.hang();
        let revoke = |before: &Subscription, _| Ok(Subscription { revoked: true, ..before.clone() });
        let hangs = shared.change(id, revoke).await;
        assert!(matches!(hangs, Err(KeepError::Write(WriteError::Log(AppendError::Unknown)))));
        let deleted = tokio::time::timeout(Duration::from_secs(60), shared.delete(id)).await;
        let deleted = deleted.expect("it is answered");
        assert_eq!(deleted, Err(WriteError::Log(AppendError::Unavailable)));
        node.go_on();
        shared.delete(id).await.unwrap();
        assert_eq!(shared.registry.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_behind_changes_and_deletes_what_another_node_has_left() {
        let (node, shared, other, id) = holder_and_other().await;
        let renewed_at = START.plus(Duration::from_secs(30));
        let write = async |renewed_at| {
            let renewed = Subscription { renewed_at, ..subscription(1, Target::Everybody) };
            let key = Subscription::key(id);
            let (expected, value) = (other.engine.revision_of(&key), Value::Live(renewed.encode()));
            other.engine.write_kept(key, expected, value, Box::new(())).await.unwrap();
        };
        node.hold_back();
        write(renewed_at).await;
        let revoke = |before: &Subscription, _| Ok(Subscription { revoked: true, ..before.clone() });
        let (changed, ()) = tokio::join!(shared.change(id, revoke), async { node.let_go() });
        let changed = changed.unwrap();
        assert_eq!(
            (changed.renewed_at, changed.revoked),
            (renewed_at, true),
            "nothing is overwritten unseen"
        );

        node.hold_back();
        write(renewed_at.next()).await;
        let (deleted, ()) = tokio::join!(shared.delete(id), async { node.let_go() });
        deleted.unwrap();
        assert_eq!((shared.registry.kept_cursor(id), shared.registry.len()), (None, 0));
    }
}
