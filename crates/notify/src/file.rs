//! What is known of one subscription: whom it is still to be told of, and where it is in its life.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::{Change, Changes, Cursor, Engine, Origin, Stamp, Tenant, TraceContext, Whom};
use porchlight_presence::{Timestamp, UserId};
use rapidhash::fast::RandomState;
use uuid::Uuid;

use crate::backlog::{Backlog, Reach, USERS_MAX};
use crate::cursor::StoredCursor;
use crate::endpoint::Address;
use crate::letter::Next;
use crate::parcel::{Item, Words};
use crate::seal::Sealer;
use crate::settings::Settings;
use crate::subscription::{Subscription, Target};

/// How many users are looked up together for one subscription that is behind. In tests as few as show what goes wrong.
const SLICE: usize = if cfg!(test) { 2 } else { USERS_MAX / 2 };

/// How long after what a scan has found something else may be found: a cursor lies a millisecond back.
const AFTER_A_SCAN: Duration = Duration::from_millis(2);

/// What is known of one subscription.
pub(crate) struct File {
    /// Which of all files that were ever opened this is.
    pub(crate) number: u64,
    pub(crate) subscription: Arc<Subscription>,
    pub(crate) address: Address,
    pub(crate) backlog: Backlog,
    sealer: Option<Sealer>,
    /// Everybody is still to be told of, from here on in the order of ids; with the cursor of when that was begun.
    snapshot: Option<Snapshot>,
    /// Whether it stands in its endpoint's queue.
    pub(crate) is_waiting: bool,
    /// Somebody looks up what it has missed.
    is_scanned: bool,
    /// Before this nothing is looked up that was missed; while that is looked for, [`Timestamp::MAX`] for as long as the
    /// feed tells of nothing.
    look_up_from: Timestamp,
    pub(crate) stage: Stage,
    /// What made the changes that are to be told, with their stamps, as far as that is known; only for who asks for it.
    origins: HashMap<UserId, (Timestamp, Origin), RandomState>,
    /// The traced pieces of work that made the changes that are to be told, with their stamps.
    traces: HashMap<UserId, (Timestamp, TraceContext), RandomState>,
    pub(crate) next: Option<(Timestamp, Next)>,
    pub(crate) stored: StoredCursor,
    /// See [`Engine::late`].
    late: Duration,
    /// Somebody else has this too as long as a cursor is on its way to the log.
    pub(crate) keeping: Arc<()>,
}

/// Where a subscription is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is told.
    Live,
    /// Its time is over. It may be brought back.
    Ended,
    /// The server takes it out of the log.
    Removed,
}

impl Stage {
    fn of(subscription: &Subscription, now: Timestamp) -> Stage {
        if subscription.has_ended(now) { Stage::Ended } else { Stage::Live }
    }
}

#[derive(Clone, Copy)]
struct Snapshot {
    after: Option<UserId>,
    from: Option<Cursor>,
}

/// A look at every record of a tenant, for a subscription whose cursor is older than the feed. It takes a while: to be
/// made off the threads that have better things to do.
pub(crate) struct Scan {
    pub(crate) subscription: Uuid,
    tenant: Arc<Tenant>,
    from: Cursor,
    stamp: Stamp,
}

impl Scan {
    pub(crate) fn run(&self, engine: &Engine) -> Changes {
        engine.changes_since(&self.tenant, self.from, Whom::Everybody, self.stamp)
    }
}

impl File {
    /// The file of a subscription that has been told as far as `stored` says.
    pub(crate) fn new(
        subscription: Arc<Subscription>,
        stored: StoredCursor,
        engine: &Engine,
        number: u64,
    ) -> File {
        let is_beginning = stored.is_beginning() && subscription.options.initial_snapshot;
        let tenant = engine.tenant_or_new(subscription.tenant);
        let told = engine.not_ahead(&tenant, stored.in_log(engine));
        File {
            number,
            address: Address::of(&subscription),
            backlog: Backlog::behind(told),
            sealer: sealer(&subscription),
            snapshot: is_beginning.then_some(Snapshot { after: None, from: None }),
            is_waiting: false,
            is_scanned: false,
            look_up_from: Timestamp::ZERO,
            stage: Stage::of(&subscription, engine.now()),
            origins: HashMap::default(),
            traces: HashMap::default(),
            next: None,
            stored,
            late: engine.late(),
            keeping: Arc::default(),
            subscription,
        }
    }

    /// The subscription was changed; returns whether its warnings begin anew.
    pub(crate) fn change(&mut self, subscription: Arc<Subscription>, now: Timestamp) -> bool {
        let time = |subscription: &Subscription| (subscription.renewed_at, subscription.expires_at);
        let is_renewed = time(&self.subscription) != time(&subscription);
        if self.subscription.certificate != subscription.certificate {
            self.sealer = sealer(&subscription);
        }
        let address = Address::of(&subscription);
        // The queue of the old address passes over what does not belong to it any more.
        self.is_waiting &= self.address == address;
        self.address = address;
        if self.stage != Stage::Removed {
            self.stage = Stage::of(&subscription, now);
        }
        self.subscription = subscription;
        is_renewed
    }

    /// When there may be something to tell; `None` when there is not, as far as is known.
    pub(crate) fn tells_at(&self) -> Option<Timestamp> {
        let looks_up = self.backlog.is_behind() && self.backlog.is_empty() && !self.is_scanned;
        self.backlog.next_at().or(looks_up.then_some(self.look_up_from))
    }

    /// Looks up what was missed, if it can be found at once; else says which scan would find it.
    pub(crate) fn catch_up(&mut self, tenant: &Arc<Tenant>, engine: &Engine) -> Option<Scan> {
        if !self.backlog.is_behind() || !self.backlog.is_empty() || self.is_scanned {
            return None;
        }
        let target = &self.subscription.target;
        if let Some(snapshot) = &mut self.snapshot {
            let from = *snapshot.from.get_or_insert_with(|| engine.feed_cursor(tenant));
            let users = slice_of_everybody(tenant, target, snapshot.after);
            snapshot.after = users.last().copied().or(snapshot.after);
            let reach = if users.len() < SLICE { Reach::Slice } else { Reach::Part };
            if reach == Reach::Slice {
                self.snapshot = None;
            }
            self.backlog.look_up(users.into_iter().map(|user| (user, Timestamp::MAX)), from, reach);
            return None;
        }
        let (from, stamp) = (self.backlog.known_through(), self.subscription.stamp());
        if *target == Target::Everybody && !engine.knows_since(tenant, from) {
            (self.is_scanned, self.look_up_from) = (true, Timestamp::MAX);
            return Some(Scan {
                subscription: self.subscription.id,
                tenant: Arc::clone(tenant),
                from,
                stamp,
            });
        }
        let changes = engine.changes_since(tenant, from, target.whom(), stamp);
        take_slice(&mut self.backlog, stamp, from, &changes, true);
        None
    }

    /// What a scan has found; `None` when it found nothing out, and another is to be made.
    pub(crate) fn scanned(&mut self, scan: &Scan, found: Option<&Changes>) {
        let is_quiet = std::mem::replace(&mut self.look_up_from, Timestamp::ZERO) == Timestamp::MAX;
        self.is_scanned = false;
        let Some(changes) = found else { return };
        // What was looked up from another place is of no use any more.
        if self.backlog.is_behind() && self.backlog.is_empty() && self.backlog.known_through() == scan.from {
            take_slice(&mut self.backlog, scan.stamp, scan.from, changes, false);
            // Once all of it was taken, and the feed has told of nothing meanwhile, another scan would find nothing more
            // before engine time has moved on; and the feed may not reach back so far yet, as right after a start.
            if is_quiet && self.backlog.known_through() == changes.next {
                self.look_up_from = changes.next.at.plus(AFTER_A_SCAN);
            }
        }
    }

    /// Notes a change of the feed; returns whether there may be something to tell.
    pub(crate) fn note(&mut self, change: &Change, now: Timestamp) -> bool {
        // Whatever was looked up for the last time, there is more now.
        self.look_up_from = Timestamp::ZERO;
        if self.stage != Stage::Live {
            return false;
        }
        let coalesce = u64::from(self.subscription.options.coalesce_seconds);
        let not_before = if coalesce > 0 { now.plus(Duration::from_secs(coalesce)) } else { Timestamp::ZERO };
        let stamp = self.subscription.stamp().of(change.stamps);
        // What leaves the stamp as it was has made nothing of what is told.
        let is_its_maker = stamp == change.stamps.changed_at && !self.backlog.is_behind();
        if self.subscription.query_options.is_some()
            && let Some(origin) = change.origin
        {
            if self.subscription.excludes(origin) {
                return false;
            }
            if is_its_maker && self.origins.len() < USERS_MAX {
                self.origins.insert(change.user, (stamp, origin));
            }
        }
        if is_its_maker
            && let Some(trace) = change.trace
            && self.traces.len() < USERS_MAX
        {
            self.traces.insert(change.user, (stamp, trace));
        }
        let known = self.backlog.known_through();
        if change.revision > known.revision && stamp <= known.at && stamp > known.at.minus(self.late) {
            self.backlog.note_late(change.user, stamp, not_before);
        } else {
            self.backlog.note(change.user, stamp, not_before);
        }
        self.backlog.next_at().is_some() || self.backlog.is_behind()
    }

    /// A state of this stamp has been told of the user: what was kept for the telling of it is of no use any more.
    pub(crate) fn has_told(&mut self, user: UserId, stamp: Timestamp) {
        let is_told = |of: Timestamp| of <= stamp;
        if self.origins.get(&user).is_some_and(|(of, _)| is_told(*of)) {
            self.origins.remove(&user);
        }
        if self.traces.get(&user).is_some_and(|(of, _)| is_told(*of)) {
            self.traces.remove(&user);
        }
    }

    /// Takes whoever can be told of now. Returns whether something could not be encrypted.
    pub(crate) fn take_items(
        &mut self,
        tenant: &Tenant,
        settings: &Settings,
        words: &dyn Words,
        max: usize,
        items: &mut Vec<Item>,
        now: Timestamp,
    ) -> bool {
        let mut has_missed = false;
        while items.len() < max
            && let Some(user) = self.backlog.next(now)
        {
            let known = self.origins.get(&user).copied();
            let subscription = &self.subscription;
            let shows = subscription.certificate.is_some() || settings.plain_presence;
            let (stamp, resource) = tenant.view(user, now).show(now, |seen| {
                let stamp = subscription.stamp().of(seen.stamps);
                let origin = known.filter(|(of, _)| *of == stamp).map(|(_, origin)| origin);
                (stamp, shows.then(|| words.resource(subscription, user, seen, origin)))
            });
            if !tenant.is_somebody(user) {
                self.backlog.pass(user, stamp);
                continue;
            }
            let sealed = self.sealer.as_ref().zip(resource.as_ref());
            let sealed = sealed.and_then(|(sealer, resource)| sealer.seal(resource).ok());
            if subscription.certificate.is_some() && sealed.is_none() {
                // Never in plain text instead.
                has_missed = true;
                self.backlog.pass(user, stamp);
                continue;
            }
            self.backlog.start(user, stamp);
            // What is told is the newest, and so whatever has made it or something before it.
            let trace = self.traces.get(&user).filter(|(of, _)| *of <= stamp).map(|(_, trace)| *trace);
            items.push(Item {
                id: subscription.item_id(user, stamp),
                subscription: Arc::clone(subscription),
                user,
                stamp,
                plain: resource.filter(|_| sealed.is_none()),
                sealed,
                trace,
            });
        }
        has_missed
    }
}

fn sealer(subscription: &Subscription) -> Option<Sealer> {
    let certificate = subscription.certificate.as_ref()?;
    Sealer::new(&certificate.public_key).ok()
}

/// The next users of whom a snapshot tells.
fn slice_of_everybody(tenant: &Tenant, target: &Target, after: Option<UserId>) -> Vec<UserId> {
    match target {
        Target::Everybody => tenant.directory().ids_after(after, SLICE),
        Target::Users(users) => {
            let rest = users.iter().copied().filter(|user| after.is_none_or(|after| *user > after));
            rest.take(SLICE).collect()
        }
    }
}

/// Puts the first of these changes into a backlog that is behind; `is_newest`: nothing else has happened by now.
fn take_slice(backlog: &mut Backlog, stamp: Stamp, from: Cursor, changes: &Changes, is_newest: bool) {
    let mut changed: Vec<(UserId, Timestamp)> = changes
        .changed
        .iter()
        // Who has only come to the directory has changed nothing that is told.
        .filter(|changed| changed.shows)
        .map(|changed| (changed.user, stamp.of(changed.stamps)))
        .collect();
    // What has come late belongs to the first slice, as a whole: a cursor does not go back.
    let last = changed.get(SLICE - 1).map(|(_, at)| from.at.max(*at));
    match last {
        // Stamps may run ahead of the time, but a cursor may not: some write of before then may still be on its way.
        Some(last) if changed.len() > SLICE && last <= changes.next.at => {
            // Those of one millisecond stay together.
            changed.truncate(changed.partition_point(|(_, at)| *at <= last));
            backlog.look_up(changed, Cursor { at: last, ..changes.next }, Reach::Slice);
        }
        _ => {
            let reach = if is_newest { Reach::Everything } else { Reach::Slice };
            backlog.look_up(changed, changes.next, reach);
        }
    }
}

#[cfg(test)]
mod tests {
    use porchlight_engine::{Person, Recent};
    use porchlight_presence::{
        Activity, Availability, Change as To, Command, NewStatusMessage, Pair, Patch, Stamps, StandingPair,
        TenantId,
    };

    use super::*;
    use crate::node::{Node, START};
    use crate::office_laws::NoWords;
    use crate::subscription::tests::subscription;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const ADA: UserId = UserId(Uuid::from_u128(9));

    fn says(content: &str) -> Command {
        Command::SetStatusMessage(Some(NewStatusMessage { content: content.to_owned(), expiry: None }))
    }

    fn is(availability: Availability, activity: Activity) -> Command {
        let pair = StandingPair::new(Pair { availability, activity }).expect("it is coherent");
        Command::Patch(Patch { preferred: To::Set((pair, None)), ..Patch::default() })
    }

    /// Ada does this, a second later than whatever was before; what the feed tells of it.
    async fn change(node: &Node, tenant: &Tenant, command: &Command) -> Change {
        node.advance(Duration::from_secs(1));
        let number = tenant.feed().pushed();
        node.engine.write(TENANT, ADA, command).await.unwrap();
        match tenant.feed().since_number(number, 1) {
            Recent::Changes(changes, _) => changes[0],
            Recent::Overrun(_) => panic!("the feed remembers more than that"),
        }
    }

    #[tokio::test]
    async fn what_a_scan_leaves_open_is_looked_up_when_time_has_moved_on_and_not_before() {
        let node = Node::first(1);
        let tenant = node.engine.tenant_or_new(TENANT);
        let stored = StoredCursor::from(node.engine.cursor(&tenant));
        let mut file = File::new(Arc::new(subscription(1, Target::Everybody)), stored, &node.engine, 1);
        assert!(file.tells_at().is_some_and(|at| at <= node.engine.now()));
        // The first ends before the start, which the feed does not reach back to.
        for _ in 0..2 {
            let scan =
                file.catch_up(&tenant, &node.engine).expect("the feed knows of nothing before the start");
            assert_eq!(file.tells_at(), None, "while it is looked for");
            file.scanned(&scan, Some(&scan.run(&node.engine)));
            let again = file.tells_at().expect("something may have come meanwhile");
            assert!(again > node.engine.now());
            node.advance(again.since(node.engine.now()));
        }
        assert!(file.catch_up(&tenant, &node.engine).is_none(), "what came since is on the feed");
        assert_eq!(file.tells_at(), None);
    }

    #[tokio::test]
    async fn what_the_feed_tells_of_during_a_scan_is_looked_up_although_time_stands_still() {
        let node = Node::first(1);
        let tenant = node.engine.tenant_or_new(TENANT);
        let stored = StoredCursor::from(node.engine.cursor(&tenant));
        let mut file = File::new(Arc::new(subscription(1, Target::Everybody)), stored, &node.engine, 1);
        let scan = file.catch_up(&tenant, &node.engine).expect("the feed knows of nothing before the start");
        let found = scan.run(&node.engine);
        let now = node.engine.now();
        let stamps = Stamps { changed_at: now, state_since: now };
        let change = Change { user: ADA, revision: tenant.applied(), stamps, origin: None, trace: None };
        file.note(&change, now);
        file.scanned(&scan, Some(&found));
        assert!(file.tells_at().is_some_and(|at| at <= now));
    }

    #[tokio::test]
    async fn what_one_slice_of_a_scan_leaves_is_looked_up_although_time_stands_still() {
        let node = Node::first(1);
        let tenant = node.engine.tenant_or_new(TENANT);
        let stored = StoredCursor::from(node.engine.cursor(&tenant));
        for user in 1..=5 {
            node.advance(Duration::from_secs(1));
            let busy = is(Availability::Busy, Activity::Busy);
            node.engine.write(TENANT, UserId(Uuid::from_u128(user)), &busy).await.unwrap();
        }
        node.advance(Duration::from_secs(1));
        let mut file = File::new(Arc::new(subscription(1, Target::Everybody)), stored, &node.engine, 1);
        let scan = file.catch_up(&tenant, &node.engine).expect("the feed knows of nothing before the start");
        file.scanned(&scan, Some(&scan.run(&node.engine)));
        let (now, mut taken) = (node.engine.now(), 0);
        while let Some(user) = file.backlog.next(now) {
            file.backlog.pass(user, now);
            taken += 1;
        }
        assert_eq!(taken, SLICE);
        assert!(file.tells_at().is_some_and(|at| at <= now), "three are left");
    }

    #[tokio::test]
    async fn who_was_told_up_to_a_time_that_is_still_to_come_is_told_of_what_comes_before_it() {
        let node = Node::first(1);
        let tenant = node.engine.tenant_or_new(TENANT);
        let ahead = Cursor { at: START.plus(Duration::from_secs(3600)), ..node.engine.cursor(&tenant) };
        let subscription = Arc::new(subscription(1, Target::Users(vec![ADA])));
        let mut file = File::new(subscription, StoredCursor::from(ahead), &node.engine, 1);
        assert!(file.catch_up(&tenant, &node.engine).is_none());
        let busy = change(&node, &tenant, &is(Availability::Busy, Activity::Busy)).await;
        assert!(file.note(&busy, node.engine.now()));
        assert_eq!(file.backlog.next(node.engine.now()), Some(ADA));
    }

    #[tokio::test]
    async fn what_is_told_is_in_the_trace_of_what_has_made_it_and_of_nothing_else() {
        let node = Node::first(1);
        node.engine.put_person(TENANT, &Person::new(ADA, "ada@x.example".to_owned())).await.unwrap();
        node.advance(Duration::from_secs(1));
        let tenant = node.engine.tenant_or_new(TENANT);
        let stored = StoredCursor::from(node.engine.feed_cursor(&tenant));
        let subscription = Arc::new(subscription(1, Target::Users(vec![ADA])));
        let mut file = File::new(subscription, stored, &node.engine, 1);
        assert!(file.catch_up(&tenant, &node.engine).is_none());
        let trace = Some(TraceContext::root(Uuid::from_u128(7)));
        let (busy, away) = (is(Availability::Busy, Activity::Busy), is(Availability::Away, Activity::Away));
        for (traced, untraced, told) in [(says("no state"), busy, None), (away, says("nor this"), trace)] {
            let traced = Change { trace, ..change(&node, &tenant, &traced).await };
            file.note(&traced, node.engine.now());
            file.note(&change(&node, &tenant, &untraced).await, node.engine.now());
            let (settings, mut items) = (Settings::default(), Vec::new());
            file.take_items(&tenant, &settings, &NoWords, 10, &mut items, node.engine.now());
            let [item] = items.as_slice() else { panic!("one item: {items:?}") };
            assert_eq!(item.trace, told);
            file.backlog.finish(ADA, true);
            file.has_told(ADA, item.stamp);
        }
    }
}
