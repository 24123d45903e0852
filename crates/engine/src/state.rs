//! What the log's entries mean, held in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use porchlight_presence::{TenantId, Timestamp, User, UserId};
use porchlight_store::{Entry, Key, Replica, Revision, Value};
use rapidhash::fast::RandomState;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::changes::OfTenant;
use crate::feed::Change;
use crate::in_flight::InFlight;
use crate::kept::Kept;
use crate::keys::{self, Named};
use crate::late::LateWrites;
use crate::origin::{Cause, Made, Origin, Origins};
use crate::slot::Slot;
use crate::table::Touched;
use crate::tenant::Tenant;
use crate::timers::Timers;
use crate::{Clock, changes};

/// For how long engine time goes on after the last proof that the replica is current with a log that is shared.
pub(crate) const CURRENT_FOR: Duration = Duration::from_secs(3);

/// The replica of the log: tables, directories and all that is derived from them.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clock: Arc<Clock>,
    /// Whether a clock that development has moved stays moved.
    development: bool,
    pub(crate) in_flight: Arc<InFlight>,
    /// What engine time does not pass in a cluster, since nobody knows what others have written since: in Unix
    /// milliseconds, [`NO_CEILING`] for a log that is this process's alone.
    ceiling: AtomicI64,
    tenants: RwLock<Tenants>,
    pub(crate) timers: Timers,
    /// Rung when a deadline was armed that is sooner than the one slept for, and when engine time may go on.
    pub(crate) sooner: Notify,
    /// What the timers sleep for, in Unix milliseconds.
    pub(crate) sleeping_for: AtomicI64,
    /// The latest that a change was announced since the start, in microseconds.
    pub(crate) lateness_max: AtomicU64,
    /// The revisions of keys whose values are not kept here, under a digest of the key.
    others: Mutex<HashMap<Uuid, Revision>>,
    /// Rung when entries were installed that are no tenant's.
    others_moved: Notify,
    pub(crate) origins: Origins,
    /// Writes that turned out durable too late.
    pub(crate) late: LateWrites,
    /// What is kept for other parts of the program.
    pub(crate) kept: Mutex<Kept>,
    /// What this installation alone knows, by name.
    pub(crate) secrets: Mutex<HashMap<String, Bytes>>,
    /// The newest instant of a write that was installed, in Unix milliseconds.
    newest: AtomicI64,
    /// The log has been replayed: from now on changes are told.
    replayed: AtomicBool,
    /// The first entry that this program cannot read.
    unreadable: watch::Sender<Option<(Key, String)>>,
}

/// No ceiling: engine time goes wherever the clock goes.
const NO_CEILING: i64 = i64::MAX;

#[derive(Debug, Default)]
struct Tenants {
    by_id: HashMap<TenantId, Arc<Tenant>, RandomState>,
    by_number: Vec<Arc<Tenant>>,
}

impl State {
    pub(crate) fn new(clock: Arc<Clock>, development: bool) -> State {
        State {
            clock,
            development,
            in_flight: Arc::default(),
            ceiling: AtomicI64::new(NO_CEILING),
            tenants: RwLock::default(),
            timers: Timers::default(),
            sooner: Notify::new(),
            sleeping_for: AtomicI64::new(Timestamp::MAX.as_millis()),
            lateness_max: AtomicU64::new(0),
            others: Mutex::default(),
            others_moved: Notify::new(),
            origins: Origins::default(),
            late: LateWrites::default(),
            kept: Mutex::default(),
            secrets: Mutex::default(),
            newest: AtomicI64::new(0),
            replayed: AtomicBool::new(false),
            unreadable: watch::Sender::new(None),
        }
    }

    pub(crate) fn engine_time(&self) -> Timestamp {
        self.in_flight.engine_time(&self.clock).min(self.ceiling())
    }

    /// What engine time does not pass; `Timestamp::MAX` when there is no such thing.
    pub(crate) fn ceiling(&self) -> Timestamp {
        Timestamp::from_millis(self.ceiling.load(Ordering::SeqCst))
    }

    /// The log is shared: from now on engine time needs proof. That every entry was read is the first one.
    pub(crate) fn need_proof(&self) {
        self.ceiling.store(self.clock.now().plus(CURRENT_FOR).as_millis(), Ordering::SeqCst);
    }

    /// Moves development's clock ahead, and the ceiling along.
    pub(crate) fn advance(&self, by: Duration) {
        let along = |ceiling: i64| {
            (ceiling != NO_CEILING).then(|| Timestamp::from_millis(ceiling).plus(by).as_millis())
        };
        self.ceiling.fetch_update(Ordering::SeqCst, Ordering::SeqCst, along).ok();
        self.clock.advance(by);
    }

    /// Everything begins anew, in development: the clock at its source, and nobody goes on from before.
    fn begin_anew(&self) {
        self.clock.reset();
        if self.ceiling.load(Ordering::SeqCst) != NO_CEILING {
            self.need_proof();
        }
        self.timers.clear();
        for tenant in self.tenants() {
            tenant.begin_anew(self.clock.now());
            // Those of whoever has written since the records were deleted.
            tenant.users.armed(|deadlines| self.timers.arm_all(deadlines));
        }
        self.sooner.notify_one();
    }

    pub(crate) fn tenant(&self, id: TenantId) -> Option<Arc<Tenant>> {
        self.tenants.read().by_id.get(&id).cloned()
    }

    pub(crate) fn tenant_or_new(&self, id: TenantId) -> Arc<Tenant> {
        if let Some(tenant) = self.tenant(id) {
            return tenant;
        }
        let mut tenants = self.tenants.write();
        if let Some(tenant) = tenants.by_id.get(&id) {
            return Arc::clone(tenant);
        }
        let number =
            u32::try_from(tenants.by_number.len()).expect("there are fewer than four billion tenants");
        let tenant = Arc::new(Tenant::new(id, number, self.clock.now()));
        tenants.by_id.insert(id, Arc::clone(&tenant));
        tenants.by_number.push(Arc::clone(&tenant));
        tenant
    }

    pub(crate) fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.tenants.read().by_number.clone()
    }

    /// Returns when the entry of a key that is no tenant's has this revision; it may take for ever.
    pub(crate) async fn reach(&self, key: &Key, revision: Revision) {
        loop {
            // Before the look, so that no move in between is missed.
            let moved = self.others_moved.notified();
            if self.revision(key) >= revision {
                return;
            }
            moved.await;
        }
    }

    pub(crate) fn newest(&self) -> Timestamp {
        Timestamp::from_millis(self.newest.load(Ordering::SeqCst))
    }

    pub(crate) fn unreadable(&self) -> Option<(Key, String)> {
        self.unreadable.borrow().clone()
    }

    /// Returns when an entry cannot be read.
    pub(crate) async fn becomes_unreadable(&self) {
        // It cannot fail, since the sender is in `self`.
        let _ = self.unreadable.subscribe().wait_for(Option::is_some).await;
    }

    /// Notes that an entry cannot be read: for good, since it is not skipped.
    pub(crate) fn cannot_read(&self, key: &Key, cause: String) {
        tracing::error!(%key, %cause, "an entry of the log cannot be read");
        self.unreadable.send_if_modified(|first| {
            let is_first = first.is_none();
            if is_first {
                *first = Some((key.clone(), cause));
            }
            is_first
        });
    }

    /// The replay is over: arms what has come of it, and from now on changes are announced.
    pub(crate) fn go_live(&self) {
        // First: where others write too, their entries come meanwhile, and arm what is passed over below.
        self.replayed.store(true, Ordering::SeqCst);
        for tenant in self.tenants() {
            // What was written before is not on the feed.
            tenant.feed().clear(self.clock.now(), tenant.applied());
            tenant.users.armed(|deadlines| self.timers.arm_all(deadlines));
        }
    }

    /// Announces the changes that came due by `now`, up to `most` of them. Returns whether there may be more.
    pub(crate) fn fire(&self, now: Timestamp, most: usize, lateness: &metrics::Histogram) -> bool {
        let mut due = self.timers.due(now, most);
        let may_be_more = due.len() == most;
        let tenants = self.tenants();
        let clock = self.clock.now();
        let mut changes: Vec<Vec<Change>> = vec![Vec::new(); tenants.len()];
        let mut next = Vec::with_capacity(due.len());
        due.sort_unstable_by_key(|(_, slot)| *slot);
        for due in due.chunk_by(|(_, one), (_, other)| one.neighbourhood() == other.neighbourhood()) {
            let number = due[0].1.tenant() as usize;
            tenants[number].users.wake(due, now, |(at, slot), woken| {
                let late = clock.since(*at);
                lateness.record(late.as_secs_f64());
                self.lateness_max
                    .fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
                let origin = Some(Origin { application: None, cause: Cause::Expiry });
                let (user, revision) = (woken.user, woken.revision);
                let change = |stamps| Change { user, revision, stamps, origin, trace: None };
                changes[number].extend(woken.announce.map(change));
                next.push((woken.next, *slot));
            });
        }
        self.timers.arm_all(next);
        for (tenant, mut changes) in tenants.iter().zip(changes) {
            if !changes.is_empty() {
                changes.sort_unstable_by_key(|change| change.stamps.changed_at);
                tenant.feed().push(&changes);
            }
        }
        // After the feed: until then nobody may take them for told.
        self.timers.announced();
        may_be_more
    }

    /// Every fade up to this instant is on the feed of its tenant, for whoever looks at it after asking this.
    ///
    /// It goes by the deadlines alone, not by how far others were announced: in a cluster a record may come
    /// whose deadline has passed here already, and then this goes back until that is announced.
    pub(crate) fn announced_through(&self) -> Timestamp {
        let unannounced = self.timers.unannounced();
        unannounced.map_or(Timestamp::MAX, |unannounced| unannounced.minus(Duration::from_millis(1)))
    }

    fn rearm(&self, touched: &Touched) {
        let Some((from, to)) = touched.rearm else { return };
        self.timers.arm(touched.slot, from, to);
        if to.as_millis() < self.sleeping_for.load(Ordering::SeqCst) {
            self.sooner.notify_one();
        }
    }

    /// Puts the users of one shard together, each user's entries in the order in which they came. Two threads replay the
    /// log, which come by the users in the order of their ids: so they rarely want the same shard at the same time.
    fn shard_by_shard(&self, entries: &mut [(Named<'_>, &Entry)], changes: &mut changes::Batch) {
        let same_tenant = |one: &Named<'_>, other: &Named<'_>| match (one, other) {
            (Named::User(one, _), Named::User(other, _)) => one == other,
            _ => false,
        };
        for together in entries.chunk_by_mut(|(one, _), (other, _)| same_tenant(one, other)) {
            let Named::User(tenant, _) = together[0].0 else { continue };
            let users = &changes.of(self, tenant, Revision::NONE).tenant.users;
            together.sort_by_cached_key(|(named, _)| named.user().map(|user| users.shard_of(user)));
        }
    }

    fn install_one(
        &self,
        named: Named<'_>,
        entry: &Entry,
        quietly: Option<Timestamp>,
        changes: &mut changes::Batch,
    ) -> Result<(), String> {
        let revision = entry.revision;
        if revision > Slot::REVISION_MAX {
            return Err(format!("its revision {revision} is beyond {}", Slot::REVISION_MAX));
        }
        match (named, &entry.value) {
            (Named::User(tenant, user), Value::Live(record)) => {
                let of = changes.of(self, tenant, revision);
                let decoded = User::decode(record).map_err(|error| error.to_string())?;
                // The log may have moved a record without changing it: its stamps are known then, and nobody is told.
                let touched = of.tenant.install(user, revision, record, &decoded, quietly);
                let made = self.origins.end(tenant, user, decoded.as_of());
                self.announce(of, user, revision, made, touched);
                changes.written_at(decoded.as_of());
            }
            (Named::User(tenant, user), Value::Tombstone { .. }) => {
                let of = changes.of(self, tenant, revision);
                let touched = of.tenant.remove(user, revision);
                self.announce(of, user, revision, Made::default(), touched);
            }
            (Named::Person(tenant, user), value) => {
                let of = changes.of(self, tenant, revision);
                if of.tenant.install_person(user, entry.into(), live(value))? {
                    self.announce_person(of, user, revision);
                }
            }
            (Named::Name(tenant, name), value) => {
                let of = changes.of(self, tenant, revision);
                let by = live(value).map(|claim| self.claimed_by(claim)).transpose()?;
                of.tenant.directory().install_claim(name, revision, by);
            }
            (Named::Secret(name), Value::Live(secret)) => {
                // Before its revision: whoever waits for that looks for the secret then.
                self.secrets.lock().insert(name.to_owned(), secret.clone());
                self.others.lock().insert(digest(&entry.key), revision);
            }
            (Named::Kept, _) => self.kept.lock().install(entry),
            (Named::Clock, value) => {
                self.others.lock().insert(digest(&entry.key), revision);
                match value {
                    Value::Live(offset) => self.restore_offset(offset)?,
                    Value::Tombstone { .. } if self.development && quietly.is_none() => self.begin_anew(),
                    Value::Tombstone { .. } => {}
                }
            }
            (Named::Beginning(tenant), _) => {
                self.others.lock().insert(digest(&entry.key), revision);
                let tenant = &changes.of(self, tenant, revision).tenant;
                // Where it was written: the log may have moved it since.
                if tenant.begins_at(entry.written) && quietly.is_none() {
                    // First, so that whoever looks again has a cursor to go on from.
                    tenant.has_applied(revision);
                    tenant.feed().clear(self.clock.now(), revision);
                }
            }
            (Named::Secret(_), Value::Tombstone { .. }) | (Named::Other, _) => {
                self.others.lock().insert(digest(&entry.key), revision);
            }
        }
        Ok(())
    }

    /// Whose claim of a name this is, and when it is seen.
    fn claimed_by(&self, claim: &[u8]) -> Result<(UserId, Timestamp), String> {
        let user = Uuid::from_slice(claim).map_err(|error| error.to_string())?;
        Ok((UserId(user), self.clock.now()))
    }

    /// While the log is replayed nobody is told, and what has changed by now counts as announced.
    fn quietly(&self) -> Option<Timestamp> {
        (!self.replayed.load(Ordering::SeqCst)).then(|| self.clock.now())
    }

    fn announce(
        &self,
        of: &mut OfTenant,
        user: UserId,
        revision: Revision,
        made: Made,
        touched: Option<Touched>,
    ) {
        // While the log is replayed nobody is told, and all deadlines are armed together at its end.
        let Some(touched) = touched.filter(|_| self.replayed.load(Ordering::SeqCst)) else { return };
        self.rearm(&touched);
        if let Some(stamps) = touched.announce {
            let Made { origin, trace } = made;
            of.changes.push(Change { user, revision, stamps, origin, trace });
        }
    }

    /// A person was put in, changed or taken out: who follows everybody has to look at them again.
    fn announce_person(&self, of: &mut OfTenant, user: UserId, revision: Revision) {
        if self.replayed.load(Ordering::SeqCst) {
            let now = self.engine_time();
            let stamps = of.tenant.view(user, now).show(now, |seen| seen.stamps);
            of.changes.push(Change { user, revision, stamps, origin: None, trace: None });
        }
    }

    /// At start, development's clock goes on from where it was; in a cluster it goes wherever another node has moved it.
    fn restore_offset(&self, offset: &[u8]) -> Result<(), String> {
        let bytes = offset.try_into().map_err(|_| "the clock's offset has eight bytes".to_owned())?;
        let offset = Duration::from_millis(u64::from_le_bytes(bytes));
        if !self.development {
            return Ok(());
        }
        if let Some(missing) = offset.checked_sub(self.clock.offset()) {
            self.advance(missing);
        }
        Ok(())
    }
}

impl Replica for State {
    fn revision(&self, key: &Key) -> Revision {
        match keys::parse(key) {
            Named::User(tenant, user) => {
                self.tenant(tenant).map_or(Revision::NONE, |t| t.users.revision(user))
            }
            Named::Person(tenant, user) => {
                self.tenant(tenant).map_or(Revision::NONE, |tenant| tenant.directory().place(user).revision)
            }
            Named::Name(tenant, name) => {
                self.tenant(tenant).map_or(Revision::NONE, |tenant| tenant.directory().claim(name))
            }
            Named::Kept => self.kept.lock().revision(key),
            Named::Clock | Named::Beginning(_) | Named::Secret(_) | Named::Other => {
                self.others.lock().get(&digest(key)).copied().unwrap_or_default()
            }
        }
    }

    fn install(&self, entries: Vec<Entry>) {
        let (quietly, mut changes) = (self.quietly(), changes::Batch::default());
        let mut named: Vec<(Named<'_>, &Entry)> =
            entries.iter().map(|entry| (keys::parse(&entry.key), entry)).collect();
        if quietly.is_some() {
            self.shard_by_shard(&mut named, &mut changes);
        }
        for (named, entry) in named {
            if let Err(cause) = self.install_one(named, entry, quietly, &mut changes) {
                self.cannot_read(&entry.key, cause);
            }
        }
        self.newest.fetch_max(changes.newest().as_millis(), Ordering::SeqCst);
        changes.push();
        self.others_moved.notify_waiters();
    }

    fn purge(&self, key: &Key, revision: Revision) {
        match keys::parse(key) {
            Named::User(tenant, user) => {
                self.tenant(tenant).inspect(|tenant| tenant.users.purge(user, revision));
            }
            Named::Person(tenant, user) => {
                self.tenant(tenant).inspect(|tenant| tenant.directory().purge(user, revision));
            }
            Named::Name(tenant, name) => {
                self.tenant(tenant).inspect(|tenant| tenant.directory().purge_claim(name, revision));
            }
            Named::Kept => self.kept.lock().purge(key, revision),
            Named::Clock | Named::Beginning(_) | Named::Secret(_) | Named::Other => {
                let mut others = self.others.lock();
                if others.get(&digest(key)) == Some(&revision) {
                    others.remove(&digest(key));
                }
            }
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millis()
    }

    fn is_current(&self, at: i64) {
        let ceiling = Timestamp::from_millis(at).plus(CURRENT_FOR).as_millis();
        self.ceiling.fetch_max(ceiling, Ordering::SeqCst);
        self.sooner.notify_one();
    }
}

/// What an entry says, if it was not deleted.
fn live(value: &Value) -> Option<&Bytes> {
    match value {
        Value::Live(bytes) => Some(bytes),
        Value::Tombstone { .. } => None,
    }
}

/// A key in 16 bytes. Half of SHA-1 is as good as the key itself here: nobody chooses keys to collide.
fn digest(key: &Key) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, key.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use porchlight_presence::{Command, Expiry, Limits, NewStatusMessage};

    use super::*;

    #[test]
    fn a_batch_of_the_replay_is_installed_whole_whosever_users_are_in_it() {
        let at = Timestamp::from_millis(1_000);
        let state = State::new(Arc::new(Clock::manual(at)), false);
        let record = User::default().apply(&Command::SetHidden(true), at, &Limits::default()).unwrap();
        let record = Value::Live(record.encode().into());
        // Users of three tenants in turn, each of whom was deleted and came back, and a secret among them.
        let mut entries = Vec::new();
        let mut put = |key: &Key, revision: u64, value: Value| {
            let (key, revision) = (key.clone(), Revision(revision));
            entries.push(Entry { key, revision, written: revision, value });
        };
        let key = |number: u64| {
            let (tenant, user) = (Uuid::from_u128(u128::from(number % 3)), Uuid::from_u128(number.into()));
            keys::user(TenantId(tenant), UserId(user))
        };
        for number in 0..300 {
            put(&key(number), 2 * number + 1, Value::Tombstone { at: 0 });
            put(&key(number), 2 * number + 2, record.clone());
        }
        put(&keys::secret("cursor"), 601, Value::Live(Bytes::from_static(b"secret")));
        state.install(entries);

        for number in 0..300 {
            assert_eq!(state.revision(&key(number)), Revision(2 * number + 2), "user {number}");
        }
        assert_eq!(state.revision(&keys::secret("cursor")), Revision(601));
        let found = state.tenants().into_iter().map(|tenant| (tenant.users_len(), tenant.applied()));
        let expected = [596, 598, 600].map(|newest| (100, Revision(newest)));
        assert_eq!(found.collect::<Vec<_>>(), expected);
        assert_eq!(state.newest(), at);
    }

    #[test]
    fn what_is_written_while_everything_begins_anew_still_fades() {
        let at = Timestamp::from_millis(1_000);
        let state = State::new(Arc::new(Clock::manual(at)), true);
        state.go_live();
        let expiry = Some(Expiry { at: at.plus(Duration::from_secs(60)), ticks: 0 });
        let message = NewStatusMessage { content: "hello".to_owned(), expiry };
        let set = Command::SetStatusMessage(Some(message));
        let record = User::default().apply(&set, at, &Limits::default()).unwrap();
        let put = |key, revision, value| {
            let revision = Revision(revision);
            state.install(vec![Entry { key, revision, written: revision, value }]);
            state.timers.len()
        };
        let key = keys::user(TenantId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        assert_eq!(put(key, 1, Value::Live(record.encode().into())), 1);
        assert_eq!(put(Key::new(keys::CLOCK), 2, Value::Tombstone { at: at.as_millis() }), 1);
    }

    #[test]
    fn an_entry_with_a_revision_that_no_log_comes_to_is_named_and_not_taken_in() {
        let at = Timestamp::from_millis(1_000);
        let state = State::new(Arc::new(Clock::manual(at)), false);
        let record = User::default().apply(&Command::SetHidden(true), at, &Limits::default()).unwrap();
        let key = keys::user(TenantId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let put = |revision| {
            let value = Value::Live(record.encode().into());
            state.install(vec![Entry { key: key.clone(), revision, written: revision, value }]);
            state.unreadable().map(|(key, _)| key)
        };
        assert_eq!(put(Slot::REVISION_MAX), None);
        assert_eq!(put(Revision(Slot::REVISION_MAX.0 + 1)), Some(key.clone()));
        assert_eq!(state.revision(&key), Slot::REVISION_MAX);
    }
}
