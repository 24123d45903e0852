//! What a table has of one user, in one cache line.

use porchlight_presence::{Pair, Presence, Stamps, Timestamp, User, UserId};
use porchlight_store::Revision;

use crate::census::{Census, Counted};
use crate::packer::Buffer;
use crate::records::{Held, Records};
use crate::view::{self, View};

/// A user's id, what shows and until when, and the first bytes of their record.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Slot {
    user: UserId,
    revision: U48,
    /// `changed_at` of the view that was last announced.
    announced: U48,
    /// The deadline in the timers, no later than the next change; `Timestamp::MAX` for none.
    armed: U48,
    /// If what shows is steady, the milliseconds from its `state_since` to `announced`.
    state_age: u32,
    /// How many sessions the user counts for, if counted.
    sessions: u16,
    /// The pair that shows, if it is steady, and that the user counts for, if counted.
    shows: Pair,
    marks: Marks,
    record: Held,
}

const _: () = assert!(size_of::<Slot>() == 64, "a slot is a cache line");

/// What is true of a user, a bit each.
#[derive(Clone, Copy, Debug)]
struct Marks(u8);

impl Marks {
    /// The user is in the directory.
    const LISTED: u8 = 1;
    /// The record says that the user is hidden.
    const HIDDEN: u8 = 1 << 1;
    /// A pair and nothing else shows, since `announced`, until `armed`. Else see the record.
    const STEADY: u8 = 1 << 2;
    /// The user is in the census: there is a record.
    const COUNTED: u8 = 1 << 3;

    fn has(self, mark: u8) -> bool {
        self.0 & mark != 0
    }

    fn set(&mut self, mark: u8, is_true: bool) {
        self.0 = if is_true { self.0 | mark } else { self.0 & !mark };
    }
}

/// A number below 2^48, in six bytes: an instant or a revision. Instants end before that, in the year 9999.
#[derive(Clone, Copy, Debug)]
struct U48([u8; 6]);

impl U48 {
    fn new(number: u64) -> U48 {
        debug_assert!(number < 1 << 48, "neither an instant nor a revision that was let in");
        let [bytes @ .., _, _] = number.to_le_bytes();
        U48(bytes)
    }

    fn get(self) -> u64 {
        let mut bytes = [0; 8];
        bytes[..6].copy_from_slice(&self.0);
        u64::from_le_bytes(bytes)
    }
}

impl From<Timestamp> for U48 {
    fn from(at: Timestamp) -> U48 {
        U48::new(at.as_millis().unsigned_abs())
    }
}

impl From<U48> for Timestamp {
    fn from(at: U48) -> Timestamp {
        Timestamp::from_millis(at.get().cast_signed())
    }
}

impl Slot {
    /// The greatest revision that there is room for. A log would come to it after nine years of a million
    /// entries a second.
    pub(crate) const REVISION_MAX: Revision = Revision((1 << 48) - 1);

    /// That of a user without a record.
    pub(crate) fn new(user: UserId, listed: bool) -> Slot {
        let Presence { pair, stamps, .. } = Presence::NOTHING;
        let mut marks = Marks(Marks::STEADY);
        marks.set(Marks::LISTED, listed);
        Slot {
            user,
            revision: U48::new(Revision::NONE.0),
            announced: stamps.changed_at.into(),
            armed: Timestamp::MAX.into(),
            state_age: 0,
            sessions: 0,
            shows: pair,
            marks,
            record: Held::NOTHING,
        }
    }

    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    pub(crate) fn revision(&self) -> Revision {
        Revision(self.revision.get())
    }

    /// Notes the revision of the record or of its end, at most [`Slot::REVISION_MAX`].
    pub(crate) fn set_revision(&mut self, revision: Revision) {
        self.revision = U48::new(revision.0);
    }

    /// Whether the user is in the directory.
    pub(crate) fn is_listed(&self) -> bool {
        self.marks.has(Marks::LISTED)
    }

    pub(crate) fn list(&mut self, listed: bool) {
        self.marks.set(Marks::LISTED, listed);
    }

    /// Whether the record says that the user is hidden.
    pub(crate) fn is_hidden(&self) -> bool {
        self.marks.has(Marks::HIDDEN)
    }

    /// Whether there is a record: not for a user that was deleted or for whom nothing was written.
    pub(crate) fn has_record(&self) -> bool {
        !self.record.is_nothing()
    }

    /// The record's bytes.
    pub(crate) fn record(&self, records: &Records) -> Buffer {
        records.get(&self.record)
    }

    /// The record, decoded; the default without one.
    pub(crate) fn decode(&self, records: &Records) -> User {
        view::decode(&self.record(records))
    }

    /// The deadline in the timers; `Timestamp::MAX` for none.
    pub(crate) fn armed(&self) -> Timestamp {
        self.armed.into()
    }

    pub(crate) fn arm(&mut self, at: Timestamp) {
        self.armed = at.into();
    }

    /// The view at `now`.
    pub(crate) fn view(&self, now: Timestamp, records: &Records) -> View {
        if !self.marks.has(Marks::STEADY) || now >= self.armed() {
            return View::record(&self.record(records));
        }
        let changed_at = Timestamp::from(self.announced);
        let state_since = Timestamp::from_millis(changed_at.as_millis() - i64::from(self.state_age));
        View::steady(self.shows, Stamps { changed_at, state_since })
    }

    /// Takes a record in, in place of the one that there is. `decoded` is what it says. What shows of it is
    /// still to be [noted](Slot::show).
    pub(crate) fn write(&mut self, record: &[u8], decoded: &User, records: &mut Records) {
        records.put(&mut self.record, record, decoded);
        self.marks.set(Marks::HIDDEN, decoded.is_hidden());
    }

    /// Notes what of the record shows from `at` on, and counts it. Returns the stamps to announce, if they
    /// are newer than those announced last.
    pub(crate) fn show(&mut self, user: &User, at: Timestamp, census: &mut Census) -> Option<Stamps> {
        let seen = &user.presence(at);
        let counted = Counted::of(user, seen, at);
        census.recount(self.counted(), Some(counted));
        (self.shows, self.sessions) = (seen.pair, counted.sessions);
        self.marks.set(Marks::COUNTED, true);
        let stamps = seen.stamps;
        let before = Timestamp::from(self.announced);
        let announced = before.max(stamps.changed_at);
        self.announced = announced.into();
        let nothing_but = Presence { pair: seen.pair, stamps, ..Presence::NOTHING };
        // A pair that is seven weeks older than the view is not noted: then the record speaks.
        let state_age = u32::try_from(stamps.changed_at.as_millis() - stamps.state_since.as_millis());
        let is_steady = *seen == nothing_but && stamps.changed_at == announced && state_age.is_ok();
        self.marks.set(Marks::STEADY, is_steady);
        self.state_age = state_age.unwrap_or_default();
        (stamps.changed_at > before).then_some(stamps)
    }

    /// Throws the record away and begins anew with the user, who counts for nothing then. Returns the
    /// deadline that was in the timers.
    pub(crate) fn empty(&mut self, records: &mut Records, census: &mut Census) -> Timestamp {
        let armed = self.armed();
        census.recount(self.counted(), None);
        records.remove(&mut self.record);
        for mark in [Marks::HIDDEN, Marks::STEADY, Marks::COUNTED] {
            self.marks.set(mark, false);
        }
        self.announced = Timestamp::ZERO.into();
        self.arm(Timestamp::MAX);
        armed
    }

    /// As what the user counts; `None` without a record.
    fn counted(&self) -> Option<Counted> {
        let counted = Counted { shows: self.shows.availability, sessions: self.sessions };
        self.marks.has(Marks::COUNTED).then_some(counted)
    }
}
