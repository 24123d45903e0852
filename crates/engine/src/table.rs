//! The records of a tenant's users, in memory.

use std::hash::BuildHasher;

use bytes::Bytes;
use hashbrown::HashTable;
use parking_lot::RwLock;
use porchlight_presence::{Stamps, Timestamp, User, UserId};
use porchlight_store::Revision;
use rapidhash::fast::RandomState;

use crate::census::Census;
use crate::packer::Buffer;
use crate::records::Records;
use crate::slab::Slab;
use crate::slot::Slot;
use crate::view::{self, View};

/// Shards of a table, so that readers rarely meet the one writer.
const SHARDS: usize = 16;

/// How many of 256 users each shard gets: each some more than the one before, the last twice as many as the first.
/// An index doubles when it is full. Those of shards of one size would all do so at the same time, and be half empty
/// together.
const SHARES: [usize; SHARDS] = [11, 12, 12, 13, 14, 14, 15, 15, 16, 17, 17, 18, 19, 20, 21, 22];

/// The shard for each value of a byte of the hash.
static SHARD_OF: [u8; 256] = {
    let mut shards = [0; 256];
    let (mut shard, mut from) = (0, 0);
    while shard < SHARDS {
        let mut place = 0;
        while place < SHARES[shard] {
            shards[from + place] = shard as u8;
            place += 1;
        }
        from += place;
        shard += 1;
    }
    assert!(from == shards.len(), "every value has its shard");
    shards
};

/// Where a user's slot is, for the timers: tenant, shard and slot in one number. A slot never moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlotId(u64);

impl SlotId {
    fn new(tenant: u32, shard: usize, slot: u32) -> SlotId {
        debug_assert!(shard < SHARDS && tenant < 1 << 28);
        SlotId(u64::from(tenant) << 36 | (shard as u64) << 32 | u64::from(slot))
    }

    /// The number of the tenant.
    pub(crate) fn tenant(self) -> u32 {
        (self.0 >> 36) as u32
    }

    fn shard(self) -> usize {
        (self.0 >> 32) as usize % SHARDS
    }

    /// The same for all slots of one shard, and only for those.
    pub(crate) fn neighbourhood(self) -> u64 {
        self.0 >> 32
    }

    fn slot(self) -> usize {
        (self.0 & u64::from(u32::MAX)) as usize
    }

    /// The same for all slots of one stretch, and only for those: 65,536 of a shard that lie next to each other.
    pub(crate) fn stretch(self) -> u64 {
        self.0 >> 16
    }

    /// Which of its stretch it is.
    pub(crate) fn in_stretch(self) -> u16 {
        self.0 as u16
    }

    /// A slot of a stretch.
    pub(crate) fn of_stretch(stretch: u64, slot: u16) -> SlotId {
        SlotId(stretch << 16 | u64::from(slot))
    }
}

/// Every user of one tenant for whom something was written.
///
/// Records are held encoded and packed: that takes a fraction of the memory of the decoded form, and to decode one
/// costs about as much as a cache miss. In the slot lies what shows now, when that is a pair and nothing else.
#[derive(Debug)]
pub(crate) struct Table {
    tenant: u32,
    shards: [RwLock<Shard>; SHARDS],
    hash: RandomState,
}

#[derive(Debug, Default)]
struct Shard {
    /// Indices into `slots`, by the hash of the user's id.
    index: HashTable<u32>,
    slots: Slab<Slot>,
    records: Records,
    /// Slots with a record.
    live: usize,
    census: Census,
}

/// What came of waking a user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Woken {
    pub(crate) user: UserId,
    pub(crate) revision: Revision,
    /// The stamps to announce, if the view has changed since they were last announced.
    pub(crate) announce: Option<Stamps>,
    /// The deadline to arm; `Timestamp::MAX` for none.
    pub(crate) next: Timestamp,
}

/// What came of installing or removing a user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) slot: SlotId,
    /// The stamps to announce, if the view has changed since they were last announced.
    pub(crate) announce: Option<Stamps>,
    /// The deadline before and the one to arm instead; `None`: leave the timer alone.
    pub(crate) rearm: Option<(Timestamp, Timestamp)>,
}

impl Table {
    pub(crate) fn new(tenant: u32) -> Table {
        Table { tenant, shards: Default::default(), hash: RandomState::new() }
    }

    /// The user's record, decoded; that of a user nobody has written for is the default.
    pub(crate) fn user(&self, user: UserId) -> User {
        let (shard, hash) = self.shard(user);
        let shard = self.shards[shard].read();
        shard.find(hash, user).map(|slot| slot.decode(&shard.records)).unwrap_or_default()
    }

    /// Whether the user is in the directory, and the view at `now`; `None` for one who has no slot.
    pub(crate) fn look_at(&self, user: UserId, now: Timestamp) -> Option<(bool, View)> {
        let (shard, hash) = self.shard(user);
        let shard = self.shards[shard].read();
        shard.find(hash, user).map(|slot| (slot.is_listed(), slot.view(now, &shard.records)))
    }

    /// Whether the user is hidden.
    pub(crate) fn is_hidden(&self, user: UserId) -> bool {
        let (shard, hash) = self.shard(user);
        self.shards[shard].read().find(hash, user).is_some_and(Slot::is_hidden)
    }

    /// Whether the user is in the directory; `None` for one who has no slot.
    pub(crate) fn is_listed(&self, user: UserId) -> Option<bool> {
        let (shard, hash) = self.shard(user);
        self.shards[shard].read().find(hash, user).map(Slot::is_listed)
    }

    /// Notes whether the user is in the directory, if there is a slot to note it in.
    pub(crate) fn list(&self, user: UserId, listed: bool) {
        let (shard, hash) = self.shard(user);
        let mut shard = self.shards[shard].write();
        if let Some(index) = shard.find_index(hash, user) {
            shard.slots[index as usize].list(listed);
        }
    }

    /// Looks at many users, in their order: `visit` gets each with whether they are in the directory and the
    /// view at `now`; no word of either for one who has no slot. The searches do not wait for one another's
    /// cache misses.
    ///
    /// All shards are locked meanwhile, for less than 0.1 microseconds a user; there should be no more than a
    /// call may name. Shard by shard, each lock would wait until the misses before it are over. Everybody else
    /// locks one shard at a time, and whoever does this here locks them in the same order, so nobody waits in a
    /// circle.
    pub(crate) fn visit(
        &self,
        users: &[UserId],
        now: Timestamp,
        mut visit: impl FnMut(UserId, Option<(bool, View)>),
    ) {
        let shards = self.shards.each_ref().map(RwLock::read);
        // Step by step for all of them, so that one's cache miss is fetched while the next one is looked for: the less
        // a step does, the more of them are on their way.
        let likely = users.iter().map(|user| {
            let (shard, hash) = self.shard(*user);
            (shard, hash, shards[shard].likely(hash))
        });
        let likely: Vec<(usize, u64, Option<u32>)> = likely.collect();
        let slots = users
            .iter()
            .zip(&likely)
            .map(|(user, (shard, _, likely))| likely.and_then(|index| shards[*shard].slot_if(index, *user)));
        let slots: Vec<Option<&Slot>> = slots.collect();
        for ((user, (shard, hash, likely)), slot) in users.iter().zip(likely).zip(slots) {
            let shard = &shards[shard];
            let slot = slot.or_else(|| likely.and_then(|_| shard.find(hash, *user)));
            visit(*user, slot.map(|slot| (slot.is_listed(), slot.view(now, &shard.records))));
        }
    }

    /// The user's record and its revision, [`Revision::NONE`] when there is none; and whether the slot, if there is one,
    /// says that the user is in the directory.
    pub(crate) fn to_write(&self, user: UserId) -> (User, Revision, bool) {
        let (shard, hash) = self.shard(user);
        let shard = self.shards[shard].read();
        match shard.find(hash, user) {
            Some(slot) => (slot.decode(&shard.records), slot.revision(), slot.is_listed()),
            None => (User::default(), Revision::NONE, false),
        }
    }

    pub(crate) fn revision(&self, user: UserId) -> Revision {
        let (shard, hash) = self.shard(user);
        self.shards[shard].read().find(hash, user).map_or(Revision::NONE, Slot::revision)
    }

    /// Puts a record in, unless what is there is newer. `decoded` is what `record` says.
    ///
    /// `quietly` at this instant: while the log is replayed nobody is told, and what has changed by now counts as
    /// announced. A new slot asks `listed` whether its user is in the directory.
    pub(crate) fn install(
        &self,
        user: UserId,
        revision: Revision,
        record: &Bytes,
        decoded: &User,
        quietly: Option<Timestamp>,
        listed: impl FnOnce() -> bool,
    ) -> Option<Touched> {
        let (shard_number, hash) = self.shard(user);
        let mut shard = self.shards[shard_number].write();
        let index = shard.find_or_insert(hash, user, self.hash, listed);
        let Shard { slots, records, live, census, .. } = &mut *shard;
        let slot = &mut slots[index as usize];
        if revision <= slot.revision() {
            return None;
        }
        slot.set_revision(revision);
        *live += usize::from(!slot.has_record());
        slot.write(record, decoded, records);
        let at = quietly.unwrap_or(decoded.as_of());
        let announce = slot.show(decoded, at, census);
        let (armed, next) = (slot.armed(), decoded.next_change(at).unwrap_or(Timestamp::MAX));
        let rearm = (next < armed).then_some((armed, next));
        slot.arm(armed.min(next));
        let slot = SlotId::new(self.tenant, shard_number, index);
        Some(Touched { slot, announce: announce.filter(|_| quietly.is_none()), rearm })
    }

    /// Looks at the users whose deadlines have come, all of them of one shard: `woken` gets each whose deadline was
    /// not armed anew since, the stamps to announce if the view has changed, and the next deadline.
    pub(crate) fn wake(
        &self,
        due: &[(Timestamp, SlotId)],
        now: Timestamp,
        mut woken: impl FnMut(&(Timestamp, SlotId), Woken),
    ) {
        let Some((_, first)) = due.first() else { return };
        let mut shard = self.shards[first.shard()].write();
        // Step by step for all of them, so that one's cache miss is fetched while the next one is looked for.
        let armed = |(at, id): &&(Timestamp, SlotId)| shard.slots[id.slot()].armed() == *at;
        let due: Vec<&(Timestamp, SlotId)> = due.iter().filter(armed).collect();
        let record = |(_, id): &&(Timestamp, SlotId)| shard.slots[id.slot()].record(&shard.records);
        let records: Vec<Buffer> = due.iter().map(record).collect();
        let Shard { slots, census, .. } = &mut *shard;
        for (deadline, record) in due.into_iter().zip(records) {
            let slot = &mut slots[deadline.1.slot()];
            let user = view::decode(&record);
            let announce = slot.show(&user, now, census);
            // The entry that woke us is no longer in the timers.
            let next = user.next_change(now).unwrap_or(Timestamp::MAX);
            slot.arm(next);
            woken(deadline, Woken { user: slot.user(), revision: slot.revision(), announce, next });
        }
    }

    /// Empties a user's record and begins anew with them. Returns the slot and its timer, unless what is there is newer.
    ///
    /// Nothing is announced: a record goes with its person, and what is told is that the person has left the directory.
    pub(crate) fn remove(
        &self,
        user: UserId,
        revision: Revision,
        listed: impl FnOnce() -> bool,
    ) -> Option<Touched> {
        let (shard_number, hash) = self.shard(user);
        let mut shard = self.shards[shard_number].write();
        let index = shard.find_or_insert(hash, user, self.hash, listed);
        let Shard { slots, records, live, census, .. } = &mut *shard;
        let slot = &mut slots[index as usize];
        if revision <= slot.revision() {
            return None;
        }
        slot.set_revision(revision);
        *live -= usize::from(slot.has_record());
        let armed = slot.empty(records, census);
        Some(Touched {
            slot: SlotId::new(self.tenant, shard_number, index),
            announce: None,
            rearm: Some((armed, Timestamp::MAX)),
        })
    }

    /// Forgets that a user was deleted.
    pub(crate) fn purge(&self, user: UserId, revision: Revision) {
        let (shard, hash) = self.shard(user);
        let mut shard = self.shards[shard].write();
        if let Some(index) = shard.find_index(hash, user) {
            let slot = &mut shard.slots[index as usize];
            if slot.revision() == revision && !slot.has_record() {
                slot.set_revision(Revision::NONE);
            }
        }
    }

    /// Gives every deadline that is to be armed to `arm`, those of a shard at a time, after its lock is given back;
    /// `Timestamp::MAX` stands for none.
    pub(crate) fn armed(&self, mut arm: impl FnMut(Vec<(Timestamp, SlotId)>)) {
        for (number, shard) in self.shards.iter().enumerate() {
            let deadline =
                |(index, slot): (u32, &Slot)| (slot.armed(), SlotId::new(self.tenant, number, index));
            let deadlines = (0..).zip(shard.read().slots.iter()).map(deadline).collect();
            arm(deadlines);
        }
    }

    /// How many users have a record.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().live).sum()
    }

    /// How many of them show what.
    pub(crate) fn census(&self) -> Census {
        self.shards.iter().fold(Census::default(), |all, shard| all.and(shard.read().census))
    }

    /// Every user in turn, a slice of them under one lock at a time, so that no reader waits for the whole.
    pub(crate) fn scan(&self, mut visit: impl FnMut(UserId, Revision, &User)) {
        const SLICE: usize = 512;
        for shard in &self.shards {
            let mut from = 0;
            loop {
                let shard = shard.read();
                let slice = from..shard.slots.len().min(from + SLICE);
                if slice.is_empty() {
                    break;
                }
                let slots = slice.map(|slot| &shard.slots[slot]);
                slots.filter(|slot| slot.has_record()).for_each(|slot| {
                    visit(slot.user(), slot.revision(), &slot.decode(&shard.records));
                });
                from += SLICE;
            }
        }
    }

    /// The number of the shard that a user is in, for whoever comes by many users and wants each shard once.
    pub(crate) fn shard_of(&self, user: UserId) -> usize {
        self.shard(user).0
    }

    fn shard(&self, user: UserId) -> (usize, u64) {
        let hash = self.hash.hash_one(user);
        // The hash table takes the low bits for its buckets and the topmost seven for its tags.
        (SHARD_OF[usize::from((hash >> 40) as u8)].into(), hash)
    }
}

impl Shard {
    fn find_index(&self, hash: u64, user: UserId) -> Option<u32> {
        self.index.find(hash, |index| self.slots[*index as usize].user() == user).copied()
    }

    /// The first slot that the index has for a hash, without a look at whose it is.
    fn likely(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |_| true).copied()
    }

    /// The slot, if it is this user's.
    fn slot_if(&self, index: u32, user: UserId) -> Option<&Slot> {
        Some(&self.slots[index as usize]).filter(|slot| slot.user() == user)
    }

    fn find(&self, hash: u64, user: UserId) -> Option<&Slot> {
        self.find_index(hash, user).map(|index| &self.slots[index as usize])
    }

    /// The user's slot, a new one if need be. `listed` is asked under the lock, so that a directory that changes at the
    /// same time is either seen by it or comes upon the slot afterwards.
    fn find_or_insert(
        &mut self,
        hash: u64,
        user: UserId,
        hasher: RandomState,
        listed: impl FnOnce() -> bool,
    ) -> u32 {
        if let Some(index) = self.find_index(hash, user) {
            return index;
        }
        if self.index.len() == self.index.capacity() {
            self.grow(hasher);
        }
        let index = u32::try_from(self.slots.len()).expect("a shard holds fewer than four billion users");
        self.slots.push(Slot::new(user, listed()));
        let slots = &self.slots;
        self.index.insert_unique(hash, index, |index| hasher.hash_one(slots[*index as usize].user()));
        index
    }

    /// Makes the index twice as large, which every slot is in. It is made anew in the order of the slots: left to itself
    /// it would go by its own order, and wait for the memory of nearly every slot.
    fn grow(&mut self, hasher: RandomState) {
        let Shard { index, slots, .. } = self;
        // First, so that there are never two.
        *index = HashTable::new();
        *index = HashTable::with_capacity(slots.len() + 1);
        for (number, slot) in (0..).zip(slots.iter()) {
            let hash = |number: &u32| hasher.hash_one(slots[*number as usize].user());
            index.insert_unique(hasher.hash_one(slot.user()), number, hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use porchlight_presence::{
        Activity, ApplicationId, Availability, Command, Limits, NewStatusMessage, Pair, SessionId,
        SessionKey, SessionPair, SetPresence,
    };
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_view_has_the_records_stamps_although_later_ones_were_announced() {
        let id = Uuid::from_u128(1);
        let set = Command::SetPresence(SetPresence {
            session: SessionKey { application: ApplicationId(id), session: SessionId(id) },
            pair: SessionPair::new(Pair { availability: Availability::Away, activity: Activity::Away })
                .unwrap(),
            duration: None,
        });
        let at = Timestamp::from_millis(1_000);
        let record = |at| User::default().apply(&set, at, &Limits::default()).unwrap();
        let (user, later) = (record(at), record(Timestamp::from_millis(5_000)));
        let table = Table::new(0);
        table.install(UserId(id), Revision(1), &later.encode().into(), &later, None, || true);
        table.install(UserId(id), Revision(2), &user.encode().into(), &user, None, || true);
        let (_, view) = table.look_at(UserId(id), at).unwrap();
        view.show(at, |seen| assert_eq!(*seen, user.presence(at)));
    }

    #[test]
    fn a_view_knows_how_old_its_pair_is_whether_or_not_the_slot_has_room_for_that() {
        let (user, table) = (UserId(Uuid::from_u128(1)), Table::new(0));
        let mut record = User::default();
        for (revision, (days, text)) in (1..).zip([(10, "there"), (11, ""), (100, "back"), (101, "")]) {
            let at = Timestamp::ZERO.plus(Duration::from_secs(days * 24 * 60 * 60));
            let message = NewStatusMessage { content: text.to_owned(), expiry: None };
            let set = Command::SetStatusMessage(Some(message));
            record = record.apply(&set, at, &Limits::default()).unwrap();
            table.install(user, Revision(revision), &record.encode().into(), &record, None, || true);
            let (_, view) = table.look_at(user, at).unwrap();
            view.show(at, |seen| assert_eq!(*seen, record.presence(at), "after {days} days"));
        }
    }

    #[test]
    fn many_who_are_looked_at_together_are_each_shown_as_themselves() {
        let (table, now) = (Table::new(0), Timestamp::from_millis(1_000_000));
        let id = |number: i64| UserId(Uuid::from_u128(number.unsigned_abs().into()));
        let message = NewStatusMessage { content: "there".to_owned(), expiry: None };
        let set = Command::SetStatusMessage(Some(message));
        // So many that the index often comes upon somebody else first; as many again are nobody.
        for number in 1..=4_000 {
            let at = Timestamp::from_millis(number);
            let user = User::default().apply(&set, at, &Limits::default()).unwrap();
            table.install(id(number), Revision(1), &user.encode().into(), &user, None, || true);
        }
        let users: Vec<UserId> = (1..=8_000).map(id).collect();
        let mut number = 0;
        table.visit(&users, now, |user, slot| {
            number += 1;
            assert_eq!(user, id(number));
            let seen = slot.map(|(_, view)| view.show(now, |seen| seen.stamps.changed_at));
            let expected = (number <= 4_000).then(|| Timestamp::from_millis(number));
            assert_eq!(seen, expected, "user {number}");
        });
        assert_eq!(number, 8_000);
    }

    #[test]
    fn an_entry_that_is_older_than_what_is_there_changes_nothing() {
        let (user, table) = (UserId(Uuid::from_u128(1)), Table::new(0));
        let record = |hidden| {
            let change = Command::SetHidden(hidden);
            User::default().apply(&change, Timestamp::from_millis(1_000), &Limits::default()).unwrap()
        };
        let (newer, older) = (record(true), record(false));
        assert!(table.install(user, Revision(2), &newer.encode().into(), &newer, None, || true).is_some());
        assert!(table.install(user, Revision(1), &older.encode().into(), &older, None, || true).is_none());
        assert!(table.remove(user, Revision(1), || true).is_none());
        assert_eq!((table.revision(user), table.to_write(user).0), (Revision(2), newer));
    }

    #[test]
    fn users_and_sessions_are_counted_as_they_are_written_fade_and_go() {
        let limits = Limits::default();
        let table = Table::new(0);
        let session = |session: u128, availability, activity| {
            let id = Uuid::from_u128(session);
            Command::SetPresence(SetPresence {
                session: SessionKey { application: ApplicationId(id), session: SessionId(id) },
                pair: SessionPair::new(Pair { availability, activity }).unwrap(),
                duration: Some(Duration::from_secs(3600)),
            })
        };
        let available = session(1, Availability::Available, Activity::Available);
        let busy = session(2, Availability::Busy, Activity::InACall);
        let start = Timestamp::from_millis(1_000);
        let one = User::default().apply(&available, start, &limits).unwrap();
        let other = one.apply(&busy, start, &limits).unwrap();
        let install = |id, revision, user: &User| {
            let id = UserId(Uuid::from_u128(id));
            table.install(id, Revision(revision), &user.encode().into(), user, None, || true).unwrap()
        };
        let counts = || {
            let census = table.census();
            let users: Vec<_> = census.users().filter(|(_, count)| *count > 0).collect();
            (users, census.sessions())
        };
        let first = install(1, 1, &one);
        install(2, 2, &other);
        assert_eq!(counts(), (vec![(Availability::Available, 1), (Availability::Busy, 1)], 3));
        let (mut due, mut slot) = (first.rearm.map(|(_, due)| due), first.slot);
        let mut seen = Vec::new();
        while let Some(at) = due.filter(|at| *at < Timestamp::MAX) {
            table
                .wake(&[(at, slot)], at, |(_, woken), Woken { next, .. }| (due, slot) = (Some(next), *woken));
            seen.push(counts());
        }
        let away = (vec![(Availability::Away, 1), (Availability::Busy, 1)], 3);
        let ended = (vec![(Availability::Busy, 1), (Availability::Offline, 1)], 2);
        assert_eq!(seen[1..], [away, ended], "the first fade changes the activity alone");
        for id in [1, 2] {
            table.remove(UserId(Uuid::from_u128(id)), Revision(9), || true).unwrap();
        }
        assert!(table.census().is_empty());
        assert_eq!(counts(), (Vec::new(), 0));
    }

    #[test]
    fn whoever_comes_back_after_a_deletion_is_announced_at_once() {
        let id = UserId(Uuid::from_u128(1));
        let at = Timestamp::from_millis(1_000);
        let message = NewStatusMessage { content: "hello".to_owned(), expiry: None };
        let set = Command::SetStatusMessage(Some(message));
        let user = User::default().apply(&set, at, &Limits::default()).unwrap();
        let table = Table::new(0);
        let install = |revision| {
            table
                .install(id, Revision(revision), &user.encode().into(), &user, None, || true)
                .unwrap()
                .announce
        };
        assert!(install(1).is_some());
        let gone = table.remove(id, Revision(2), || true).unwrap();
        assert_eq!((gone.announce, table.len()), (None, 0));
        assert!(install(3).is_some(), "in the same millisecond");
    }
}
