//! The plan: who is to be told what next.
//!
//! Nothing here waits or knows of sockets. The courier brings news in ([`Office::sync`], [`Office::dispatch`],
//! [`Office::tick`], [`Office::finish`]) and takes out what is to be done ([`Office::compose`], [`Office::scan`],
//! [`Office::removals`], [`Office::cursors`]).
//!
//! In a cluster it has files of those subscriptions alone whose slots this process holds. When a slot comes, its
//! subscriptions are opened where their cursors say; when it goes, they are closed, and what was underway says nothing
//! any more.
//!
//! That an endpoint has proved itself stands in the record of the subscription, so that whichever process leaves the
//! endpoint alone learns of it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::{Changes, Engine, Recent, Tenant, TraceContext};
use porchlight_presence::{TenantId, Timestamp};
use rapidhash::fast::RandomState;
use uuid::Uuid;

use crate::cursor::StoredCursor;
use crate::desk::Desk;
use crate::endpoint::{Address, Endpoint, LETTERS_MAX, Verdict};
use crate::file::{File, Scan, Stage};
use crate::letter::{self, Event, Letter, Next, Reason};
use crate::outcome::Outcome;
use crate::parcel::{Item, Parcel, Words};
use crate::registry::Registry;
use crate::settings::Settings;
use crate::signer::Signer;
use crate::slots::Slots;
use crate::subscription::{GRACE, Subscription};

/// How many changes of the feed are handled before others have their turn.
const CHANGES: usize = 1024;

/// When to try again to take a subscription out of a log that did not take it.
const REMOVAL_AGAIN: Duration = Duration::from_secs(5);

pub(crate) struct Office {
    engine: Engine,
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    words: Arc<dyn Words>,
    signer: Arc<Signer>,
    slots: Slots,
    desks: HashMap<TenantId, Desk>,
    files: HashMap<Uuid, File, RandomState>,
    /// How many files were ever opened.
    opened: u64,
    /// Subscriptions whose files were closed.
    closed: Vec<Uuid>,
    endpoints: HashMap<Address, Endpoint>,
    /// Endpoints that may have something to send, each once.
    ready: VecDeque<Address>,
    is_ready: HashSet<Address>,
    /// Endpoints for which something waits until the lease of its slot is fresh.
    held_back: HashSet<Address>,
    alarms: BTreeSet<(Timestamp, Alarm)>,
    /// Subscriptions whose cursors may have moved since they were last kept.
    moved: HashSet<Uuid>,
    scans: VecDeque<Scan>,
    removals: Vec<Uuid>,
    /// How often the clock had been reset when this was last looked at.
    resets: u64,
    /// What was put together with fewer files opened was sent before development began anew.
    anew_from: u64,
}

/// What an alarm is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    Subscription(Uuid),
    Endpoint(Address),
}

impl Office {
    pub(crate) fn new(
        engine: Engine,
        settings: Arc<Settings>,
        registry: Arc<Registry>,
        words: Arc<dyn Words>,
        signer: Arc<Signer>,
        slots: Slots,
    ) -> Office {
        Office {
            resets: engine.clock().resets(),
            anew_from: 0,
            engine,
            settings,
            registry,
            words,
            signer,
            slots,
            desks: HashMap::new(),
            files: HashMap::default(),
            opened: 0,
            closed: Vec::new(),
            endpoints: HashMap::new(),
            ready: VecDeque::new(),
            is_ready: HashSet::new(),
            held_back: HashSet::new(),
            alarms: BTreeSet::new(),
            moved: HashSet::new(),
            scans: VecDeque::new(),
            removals: Vec::new(),
        }
    }

    /// Looks at the subscriptions that have changed, and at all of them when this process holds other slots than before;
    /// returns whether there were any.
    pub(crate) fn sync(&mut self) -> bool {
        let mut changed = self.registry.changed();
        if self.slots.note_moves() {
            changed.extend(self.registry.ids());
        }
        let is_any = !changed.is_empty();
        for id in changed {
            let subscription = self.registry.get(id);
            if let Some(subscription) = &subscription {
                self.end_predecessors(subscription);
                self.end_pauses(subscription);
            }
            match subscription.filter(|_| self.slots.is_mine(id)) {
                None => self.close(id),
                Some(subscription) if self.files.contains_key(&id) => self.change(subscription),
                Some(subscription) => self.open(subscription),
            }
        }
        // After whatever changed was asked for: what is made after a reset is not looked at before it.
        let resets = self.engine.clock().resets();
        if std::mem::replace(&mut self.resets, resets) != resets {
            self.forget_endpoints();
        }
        is_any
    }

    /// Subscriptions that are told no more, here at least.
    pub(crate) fn closed(&mut self) -> Vec<Uuid> {
        std::mem::take(&mut self.closed)
    }

    /// Reads the feeds of all tenants.
    pub(crate) fn dispatch(&mut self) {
        let tenants: Vec<TenantId> = self.desks.keys().copied().collect();
        for tenant in tenants {
            self.dispatch_one(tenant);
        }
    }

    /// Reads the feed of one tenant.
    pub(crate) fn dispatch_one(&mut self, tenant: TenantId) {
        while self.read_feed(tenant) {}
    }

    /// The feeds that are read.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.desks.values().map(|desk| &desk.tenant)
    }

    /// Does what is due by now.
    pub(crate) fn tick(&mut self) {
        let now = self.engine.now();
        while self.next_alarm().is_some_and(|at| at <= now) {
            let Some((_, alarm)) = self.alarms.pop_first() else { break };
            match alarm {
                Alarm::Subscription(id) => self.wake(id, now),
                Alarm::Endpoint(address) => self.wake_endpoint(&address),
            }
        }
    }

    /// When something is due next.
    pub(crate) fn next_alarm(&self) -> Option<Timestamp> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// Whether something waits until a lease is fresh.
    pub(crate) fn is_held_back(&self) -> bool {
        !self.held_back.is_empty()
    }

    /// Has what waits for fresh leases tried again.
    pub(crate) fn try_again(&mut self) {
        for address in std::mem::take(&mut self.held_back) {
            self.make_ready(&address);
        }
    }

    /// The next request that may be made now.
    pub(crate) fn compose(&mut self) -> Option<Parcel> {
        let now = self.engine.now();
        while let Some(address) = self.ready.pop_front() {
            self.is_ready.remove(&address);
            let Some(endpoint) = self.endpoints.get_mut(&address) else { continue };
            if !endpoint.may_send(now, &self.settings) {
                let not_before = endpoint.not_before();
                if let Some(at) = not_before.filter(|at| *at > now) {
                    self.alarms.insert((at, Alarm::Endpoint(address)));
                }
                // Else what is underway comes back first.
                continue;
            }
            // What has happened by now goes with it, also when nobody has rung yet.
            self.dispatch_one(address.tenant);
            let now = self.engine.now();
            if let Some(parcel) = self.fill(&address, now) {
                // There may be more than fits into one.
                self.make_ready(&address);
                return Some(parcel);
            }
            self.forget_if_idle(&address);
        }
        None
    }

    /// The next look at every record that is wanted; [`Office::scanned`] must follow.
    pub(crate) fn scan(&mut self) -> Option<Scan> {
        self.scans.pop_front()
    }

    /// What a scan has found; `None` when it found nothing out, and another is to be made.
    pub(crate) fn scanned(&mut self, scan: &Scan, found: Option<&Changes>) {
        let Some(file) = self.files.get_mut(&scan.subscription) else { return };
        file.scanned(scan, found);
        self.make_waiting(scan.subscription);
    }

    /// Notes what came of a request.
    pub(crate) fn finish(&mut self, parcel: &Parcel, outcome: Outcome, took: Duration) {
        let now = self.engine.now();
        let was_told = outcome.is_delivered();
        let mut verdict = Verdict::GoOn;
        let is_old = parcel.opened < self.anew_from;
        if let Some(endpoint) = self.endpoints.get_mut(&parcel.address).filter(|_| !is_old) {
            endpoint.underway -= 1;
            verdict = endpoint.note(parcel.attempt, outcome, took, now, &self.settings);
            if !was_told {
                let again =
                    |letter: &&Letter| letter.is_fresh(now) && self.slots.is_mine(letter.subscription.id);
                for letter in parcel.letters.iter().rev().filter(again) {
                    endpoint.letters.push_front(letter.clone());
                }
            }
        }
        for (id, user, stamp) in &parcel.told {
            // One that was closed and opened again meanwhile has begun anew from its cursor.
            if let Some(file) = self.files.get_mut(id).filter(|file| file.number <= parcel.opened) {
                file.backlog.finish(*user, was_told);
                if was_told {
                    file.has_told(*user, *stamp);
                }
            }
        }
        let subscriptions: HashSet<Uuid> = parcel.told.iter().map(|(id, ..)| *id).collect();
        for id in subscriptions {
            if was_told {
                self.advance(id);
            }
            self.make_waiting(id);
        }
        match verdict {
            Verdict::GoOn => {}
            Verdict::Skip => self.skip(&parcel.address),
            Verdict::Gone => self.remove_all(&parcel.address),
        }
        self.make_ready(&parcel.address);
    }

    /// Subscriptions that are to be taken out of the log.
    pub(crate) fn removals(&mut self) -> Vec<Uuid> {
        std::mem::take(&mut self.removals)
    }

    /// Cursors that have moved and are to be kept, each with what is to be held until the log knows what became of it:
    /// one at a time of a subscription, so that none is ever in the way of another.
    pub(crate) fn cursors(&mut self) -> Vec<(Uuid, StoredCursor, Arc<()>)> {
        let mut cursors = Vec::new();
        for id in std::mem::take(&mut self.moved) {
            if self.files.get(&id).is_some_and(|file| Arc::strong_count(&file.keeping) > 1) {
                self.moved.insert(id);
                continue;
            }
            self.advance(id);
            if self.files.get(&id).is_none_or(|file| !file.backlog.is_unsettled()) {
                self.moved.remove(&id);
            }
            let Some(file) = self.files.get_mut(&id) else { continue };
            let cursor = StoredCursor::from(file.backlog.told());
            // One that is still at its beginning has told nothing that counts.
            if cursor != file.stored && file.backlog.told().at > Timestamp::ZERO {
                file.stored = cursor;
                cursors.push((id, cursor, Arc::clone(&file.keeping)));
            }
        }
        cursors
    }

    /// Whether some cursor may have moved since it was kept.
    pub(crate) fn has_moved(&self) -> bool {
        !self.moved.is_empty()
    }

    /// Ends a subscription, and says why.
    pub(crate) fn remove(&mut self, id: Uuid, reason: Reason) {
        let now = self.engine.now();
        let Some(file) = self.files.get_mut(&id) else { return };
        if file.stage != Stage::Removed {
            file.stage = Stage::Removed;
            let subscription = Arc::clone(&file.subscription);
            // The original says nothing when a subscription's time is over.
            if !(self.settings.strict && reason == Reason::Expired) {
                self.write(subscription, Event::SubscriptionRemoved(reason));
            }
        }
        self.removals.push(id);
        self.alarms.insert((now.plus(REMOVAL_AGAIN), Alarm::Subscription(id)));
    }

    /// How many alarms are set.
    #[cfg(test)]
    pub(crate) fn alarms(&self) -> usize {
        self.alarms.len()
    }

    /// How many users all subscriptions together keep in mind.
    pub(crate) fn remembered(&self) -> usize {
        self.files.values().map(|file| file.backlog.remembered()).sum()
    }
}

/// Files.
impl Office {
    /// Ends those for the same as this one that had ended when it was made and could still be brought back: they have
    /// their successor. Source: subscriptions-and-auth 10.5.
    fn end_predecessors(&mut self, successor: &Subscription) {
        if self.engine.now() >= successor.made_at.plus(GRACE) {
            // Whatever ended before it cannot be brought back any more.
            return;
        }
        let ended = self.registry.ended_of_owner(successor.owner(), successor.made_at);
        for ended in ended {
            if ended.id != successor.id && ended.target == successor.target {
                self.remove(ended.id, Reason::Expired);
            }
        }
    }

    fn open(&mut self, subscription: Arc<Subscription>) {
        let (id, now) = (subscription.id, self.engine.now());
        let desk = self
            .desks
            .entry(subscription.tenant)
            .or_insert_with(|| Desk::new(self.engine.tenant_or_new(subscription.tenant), &self.engine));
        desk.add(&subscription);
        let is_locked_out = subscription.user().is_some_and(|user| desk.is_locked_out(user));
        let stored = self.registry.cursor(&subscription);
        self.opened += 1;
        let file = File::new(subscription, stored, &self.engine, self.opened);
        if file.subscription.query_options.is_some() {
            self.engine.want_origins();
        }
        // A warning that came due while nobody looked, as over a restart, is given late rather than never.
        let planned_from = if file.stage == Stage::Live { file.subscription.renewed_at } else { now };
        let is_revoked = file.subscription.revoked;
        self.files.insert(id, file);
        self.plan(id, planned_from);
        if is_revoked {
            self.remove(id, Reason::Revoked);
        } else if is_locked_out {
            self.remove(id, Reason::UserDisabled);
        } else {
            self.make_waiting(id);
        }
    }

    fn change(&mut self, subscription: Arc<Subscription>) {
        let (id, now) = (subscription.id, self.engine.now());
        let Some(file) = self.files.get_mut(&id) else { return };
        let (renewed_at, is_revoked) = (subscription.renewed_at, subscription.revoked);
        let is_renewed = file.change(subscription, now);
        if is_renewed {
            self.plan(id, renewed_at);
        }
        if is_revoked {
            self.remove(id, Reason::Revoked);
        }
        self.make_waiting(id);
    }

    fn close(&mut self, id: Uuid) {
        let Some(file) = self.files.remove(&id) else { return };
        self.closed.push(id);
        self.moved.remove(&id);
        let Some(desk) = self.desks.get_mut(&file.subscription.tenant) else { return };
        desk.remove(&file.subscription);
        if desk.is_empty() {
            self.desks.remove(&file.subscription.tenant);
        }
    }

    /// Sets the alarm for what comes next in the life of a subscription, after `after`.
    fn plan(&mut self, id: Uuid, after: Timestamp) {
        let Some(file) = self.files.get_mut(&id) else { return };
        // Else whoever renews all the time would leave an alarm behind each time.
        if let Some((at, _)) = file.next {
            self.alarms.remove(&(at, Alarm::Subscription(id)));
        }
        let next = letter::next(&file.subscription, after, self.settings.strict);
        file.next = Some(next);
        self.alarms.insert((next.0, Alarm::Subscription(id)));
    }

    /// An alarm of a subscription: its life goes on, or it has waited to tell.
    fn wake(&mut self, id: Uuid, now: Timestamp) {
        let Some(file) = self.files.get_mut(&id) else { return };
        if file.stage == Stage::Removed {
            // The log did not take it.
            self.removals.push(id);
            self.alarms.insert((now.plus(REMOVAL_AGAIN), Alarm::Subscription(id)));
            return;
        }
        match file.next.filter(|(at, _)| *at <= now) {
            None => {}
            Some((at, Next::Warning)) => {
                let subscription = Arc::clone(&file.subscription);
                let last = subscription.expires_at.minus(Duration::from_millis(1));
                self.write(subscription, Event::ReauthorizationRequired);
                // Warnings that a jump of the clock has passed over are one with this.
                self.plan(id, at.max(now.min(last)));
            }
            Some((at, Next::End)) => {
                file.stage = Stage::Ended;
                file.backlog.drop_users();
                self.plan(id, at);
            }
            Some((_, Next::EndOfGrace)) => self.remove(id, Reason::Expired),
        }
        self.make_waiting(id);
    }
}

/// Telling.
impl Office {
    /// Reads some changes of a feed; returns whether there are more.
    fn read_feed(&mut self, tenant: TenantId) -> bool {
        let now = self.engine.now();
        let Some(desk) = self.desks.get_mut(&tenant) else { return false };
        // Before the feed is looked at; see there.
        let told = self.engine.feed_cursor(&desk.tenant);
        let (changes, next) = match desk.tenant.feed().since_number(desk.number, CHANGES) {
            Recent::Changes(changes, next) => (changes, next),
            Recent::Overrun(next) => {
                desk.number = next;
                let followers: HashSet<Uuid> = desk.followers().collect();
                let orphaned = desk.orphans();
                for id in followers {
                    if let Some(file) = self.files.get_mut(&id) {
                        file.backlog.drop_users();
                    }
                    self.make_waiting(id);
                }
                for id in orphaned {
                    self.remove(id, Reason::UserDisabled);
                }
                return true;
            }
        };
        desk.number = next;
        let (mut woken, mut orphaned) = (Vec::new(), Vec::new());
        for change in &changes {
            // Whoever may not sign in any more is told nothing any more, either.
            orphaned.extend_from_slice(desk.orphans_of(change));
            for id in desk.followers_of(change) {
                if let Some(file) = self.files.get_mut(&id)
                    && file.note(change, now)
                {
                    woken.push(id);
                }
            }
        }
        let is_over = changes.len() < CHANGES;
        if is_over && told.at > desk.through.at {
            desk.through = told;
        }
        for id in orphaned {
            self.remove(id, Reason::UserDisabled);
        }
        for id in woken {
            self.make_waiting(id);
        }
        !is_over
    }

    /// Puts a subscription into its endpoint's queue, if it has something to tell.
    fn make_waiting(&mut self, id: Uuid) {
        let now = self.engine.now();
        let Some(file) = self.files.get_mut(&id) else { return };
        if file.is_waiting || file.stage != Stage::Live {
            return;
        }
        match file.tells_at() {
            Some(at) if at > now => {
                self.alarms.insert((at, Alarm::Subscription(id)));
                return;
            }
            Some(_) => {}
            None => return,
        }
        file.is_waiting = true;
        let address = file.address.clone();
        self.endpoints.entry(address.clone()).or_default().waiting.push_back(id);
        self.make_ready(&address);
    }

    fn make_ready(&mut self, address: &Address) {
        let has_something =
            |endpoint: &Endpoint| !endpoint.waiting.is_empty() || !endpoint.letters.is_empty();
        if !self.endpoints.get(address).is_some_and(has_something) {
            self.forget_if_idle(address);
        } else if self.is_ready.insert(address.clone()) {
            self.ready.push_back(address.clone());
        }
    }

    fn forget_if_idle(&mut self, address: &Address) {
        match self.endpoints.get(address).and_then(Endpoint::forgotten_at) {
            Some(at) if at <= self.engine.now() => drop(self.endpoints.remove(address)),
            Some(at) => drop(self.alarms.insert((at, Alarm::Endpoint(address.clone())))),
            None => {}
        }
    }

    /// Puts together a request of what waits for an endpoint.
    fn fill(&mut self, address: &Address, now: Timestamp) -> Option<Parcel> {
        let max = self.settings.items_max;
        let letters = self.take_letters(address, max);
        let endpoint = self.endpoints.get(address)?;
        let mut items = Vec::new();
        // Each of those that wait at most once: who is not done comes last.
        for _ in 0..endpoint.waiting.len() {
            if letters.len() + items.len() >= max {
                break;
            }
            let Some(id) = self.endpoints.get_mut(address).and_then(|endpoint| endpoint.waiting.pop_front())
            else {
                break;
            };
            let Some(file) =
                self.files.get_mut(&id).filter(|file| file.address == *address && file.is_waiting)
            else {
                continue;
            };
            if !self.slots.may_begin(id) {
                if let Some(endpoint) = self.endpoints.get_mut(address) {
                    endpoint.waiting.push_back(id);
                }
                self.held_back.insert(address.clone());
                continue;
            }
            file.is_waiting = false;
            // Whoever made it has no answer yet; when they have, this is looked at again. One that was deleted this very
            // moment is not told any more.
            let may_be_told = !self.registry.is_held(id) && self.registry.get(id).is_some();
            if file.stage != Stage::Live || !may_be_told {
                continue;
            }
            self.catch_up(id);
            self.take_items(id, max - letters.len(), &mut items, now);
            self.make_waiting(id);
        }
        if items.is_empty() && letters.is_empty() {
            return None;
        }
        let endpoint = self.endpoints.get_mut(address)?;
        endpoint.underway += 1;
        Some(Parcel {
            address: address.clone(),
            attempt: endpoint.attempt(),
            opened: self.opened,
            told: items.iter().map(|item| (item.subscription.id, item.user, item.stamp)).collect(),
            traces: traces(&items),
            body: self.words.notifications(&items, &letters, &self.tokens(&items)).into(),
            letters,
        })
    }

    /// Takes the letters that can be sent to an endpoint now, `max` at most. Those of subscriptions that somebody else
    /// tells by now are dropped: what still matters then, that one finds out too.
    fn take_letters(&mut self, address: &Address, max: usize) -> Vec<Letter> {
        let Some(endpoint) = self.endpoints.get_mut(address) else { return Vec::new() };
        let letters = &mut endpoint.letters;
        letters.retain(|letter| self.slots.is_mine(letter.subscription.id));
        let may_begin = |letter: &&Letter| self.slots.may_begin(letter.subscription.id);
        let count = letters.iter().take(max).take_while(may_begin).count();
        if count < letters.len().min(max) {
            self.held_back.insert(address.clone());
        }
        letters.drain(..count).collect()
    }

    /// Looks up what a subscription has missed, if it can be found at once; else asks for a scan.
    fn catch_up(&mut self, id: Uuid) {
        let Some(file) = self.files.get_mut(&id) else { return };
        let Some(desk) = self.desks.get(&file.subscription.tenant) else { return };
        self.scans.extend(file.catch_up(&desk.tenant, &self.engine));
    }

    /// Takes whoever a subscription can be told of now, until there are `max` items.
    fn take_items(&mut self, id: Uuid, max: usize, items: &mut Vec<Item>, now: Timestamp) {
        let Some(file) = self.files.get_mut(&id) else { return };
        let Some(desk) = self.desks.get(&file.subscription.tenant) else { return };
        let has_missed = file.take_items(&desk.tenant, &self.settings, &*self.words, max, items, now);
        if has_missed {
            metrics::counter!("porchlight_notifications_not_encrypted_total").increment(1);
            let subscription = Arc::clone(&file.subscription);
            self.write(subscription, Event::Missed);
        }
    }

    /// One token for each application that is told something encrypted. Source: subscriptions-and-auth 14.1.
    fn tokens(&self, items: &[Item]) -> Vec<Arc<str>> {
        let mut tokens: Vec<Arc<str>> = Vec::new();
        for item in items.iter().filter(|item| item.sealed.is_some()) {
            if let Some(token) = self.signer.token(&item.subscription)
                && !tokens.contains(&token)
            {
                tokens.push(token);
            }
        }
        tokens
    }

    /// Moves a subscription's cursor as far as it goes.
    fn advance(&mut self, id: Uuid) {
        let Some(file) = self.files.get_mut(&id) else { return };
        let Some(desk) = self.desks.get(&file.subscription.tenant) else { return };
        file.backlog.advance(desk.through);
        self.moved.insert(id);
    }

    /// Word of a subscription itself, to where its maker wants it.
    fn write(&mut self, subscription: Arc<Subscription>, event: Event) {
        let Some(url) = subscription.lifecycle_url.clone() else { return };
        let address = Address { tenant: subscription.tenant, url };
        let endpoint = self.endpoints.entry(address.clone()).or_default();
        if endpoint.letters.len() == LETTERS_MAX {
            endpoint.letters.pop_front();
        }
        endpoint.letters.push_back(Letter::new(subscription, event, self.engine.now()));
        self.make_ready(&address);
    }

    /// The endpoints of a subscription have proved themselves when it was made, or changed: for what failed before that
    /// nothing waits any longer.
    fn end_pauses(&mut self, subscription: &Subscription) {
        let told = (&subscription.notification_url, subscription.proved_at);
        let lifecycle = subscription.lifecycle_url.as_ref().map(|url| (url, subscription.made_at));
        for (url, at) in [Some(told), lifecycle].into_iter().flatten() {
            let address = Address { tenant: subscription.tenant, url: url.clone() };
            let endpoint = self.endpoints.get_mut(&address);
            if endpoint.is_some_and(|endpoint| endpoint.prove(at, &self.settings)) {
                self.make_ready(&address);
            }
        }
    }

    /// Development has begun anew: nothing is left of how endpoints have answered, nor of what waited for them.
    fn forget_endpoints(&mut self) {
        self.opened += 1;
        self.anew_from = self.opened;
        self.endpoints.clear();
        self.ready.clear();
        self.is_ready.clear();
        self.held_back.clear();
        self.alarms.retain(|(_, alarm)| matches!(alarm, Alarm::Subscription(_)));
        // In a cluster some may have been made anew already.
        let ids: Vec<Uuid> = self.files.keys().copied().collect();
        for id in ids {
            if let Some(file) = self.files.get_mut(&id) {
                file.is_waiting = false;
            }
            self.make_waiting(id);
        }
    }

    fn wake_endpoint(&mut self, address: &Address) {
        if self.endpoints.get(address).is_some_and(Endpoint::is_dropping) {
            self.skip(address);
        }
        self.make_ready(address);
    }

    /// What waits for an endpoint is not told any more.
    fn skip(&mut self, address: &Address) {
        let now = self.engine.feed_cursor(&self.engine.tenant_or_new(address.tenant));
        for id in self.subscriptions_of(address) {
            if let Some(file) = self.files.get_mut(&id) {
                file.backlog.drop_to(now);
                self.moved.insert(id);
            }
        }
    }

    /// Nobody lives at an endpoint: its subscriptions end.
    fn remove_all(&mut self, address: &Address) {
        for id in self.subscriptions_of(address) {
            self.remove(id, Reason::EndpointGone);
        }
    }

    fn subscriptions_of(&self, address: &Address) -> Vec<Uuid> {
        self.files.iter().filter(|(_, file)| file.address == *address).map(|(id, _)| *id).collect()
    }
}

/// The traced pieces of work that have made what is told, each once.
fn traces(items: &[Item]) -> Vec<TraceContext> {
    let mut traces = Vec::new();
    for trace in items.iter().filter_map(|item| item.trace) {
        if !traces.contains(&trace) {
            traces.push(trace);
        }
    }
    traces
}
