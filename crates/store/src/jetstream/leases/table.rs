//! What is known of the slots, and what to do about it: all decisions about leases, without I/O and without a
//! clock.
//!
//! No two processes begin work for one slot at the same time, provided that their clocks run at one rate:
//!
//! 1. Whoever holds a slot begins work until [`WORK`] after its newest acknowledged renewal was *sent*, so
//!    until less than that after the renewal was written.
//! 2. Whoever takes the slot over has seen that very renewal [`EXPIRY`] ago or longer, and it was written
//!    before it was seen. It is taken by compare-and-set, so that a renewal which came in meanwhile
//!    forestalls it.
//! 3. Whoever gives a slot up has stopped beginning work before it says so.
//!
//! An attempt whose outcome is unknown changes nothing of this: it counts as no renewal, and what it wrote,
//! if it did, is seen as anybody's write is.
//!
//! The shares are a matter of courtesy, not of safety: a process takes no more than its share of the slots,
//! as far as it knows who else there is. A slot that nobody takes all the same is taken beyond the share, and
//! surplus is given up one slot after the other while none is free.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// How many slots there are.
pub(super) const SLOTS: u16 = 32;

/// How long after a renewal was sent the next one is.
const RENEWAL: Duration = Duration::from_secs(2);

/// How long after a renewal was sent work may begin.
const WORK: Duration = Duration::from_secs(4);

/// How long a lease must have been seen unchanged before it is taken over.
const EXPIRY: Duration = Duration::from_secs(6);

/// How long after an attempt of unknown outcome the next one is.
const RETRY: Duration = Duration::from_millis(500);

/// Whoever has heard nothing of the bucket for this long does not judge the others by their silence: perhaps
/// they could not renew either.
const SILENCE: Duration = Duration::from_secs(3);

/// How long a slot may be free before it is taken beyond the share.
const FREE_MAX: Duration = Duration::from_secs(3);

/// How long a process that took a slot beyond its share gives none up: those for whom it would do not take
/// any.
const CONTENT: Duration = Duration::from_secs(30);

/// How long a slot that was given up is left to the others.
const REST: Duration = Duration::from_secs(6);

/// How long a process that left or was silent gets no share. After that it either is not among the living any
/// more, or is one of them again.
const GONE: Duration = Duration::from_secs(15);

/// What the value under a slot's key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// This process holds the slot.
    Held(Uuid),
    /// Nobody holds it.
    Free,
    /// Nobody holds it. This process did, and takes no more.
    Left(Uuid),
}

impl Mark {
    /// Reads a value: the id of the holder, or `-` and perhaps the id of the one who left.
    pub(super) fn read(value: &[u8]) -> Mark {
        let text = str::from_utf8(value).unwrap_or_default();
        if let Ok(holder) = Uuid::try_parse(text) {
            return Mark::Held(holder);
        }
        let left = text.strip_prefix('-').and_then(|id| Uuid::try_parse(id).ok());
        left.map_or(Mark::Free, Mark::Left)
    }

    /// The value that says this.
    pub(super) fn write(self) -> String {
        match self {
            Mark::Held(holder) => holder.to_string(),
            Mark::Free => "-".to_owned(),
            Mark::Left(id) => format!("-{id}"),
        }
    }
}

/// A write to be attempted: a renewal, a take-over or a release.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) slot: u16,
    /// The revision that the key must have.
    pub(super) expects: u64,
    /// What to write.
    pub(super) mark: Mark,
    /// When it was decided; it is not sent before that.
    pub(super) sent: Instant,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// It was written, with this revision.
    Written(u64),
    /// The key has another revision.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// One slot, as this process knows it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and all may be true at once")]
#[derive(Clone, Copy)]
struct Slot {
    /// The newest revision of its key that is known; 0 while there is none.
    revision: u64,
    /// Who holds it at that revision.
    holder: Option<Uuid>,
    /// When that revision was seen first.
    seen: Instant,
    /// A refusal has told that there is a newer revision. Nothing is attempted before it was seen.
    is_outdated: bool,
    /// An attempt at this revision has an unknown outcome: the newer revision may be one's own.
    is_unclear: bool,
    /// An attempt is on its way.
    is_asked: bool,
    /// When the next attempt may be made.
    due: Instant,
    /// When this process's newest renewal that was acknowledged was sent.
    renewed: Option<Instant>,
    /// This process holds it and does not want it any more.
    is_given_up: bool,
    /// Until when it is left to the others.
    rests_until: Instant,
}

impl Slot {
    fn is_due(&self, now: Instant) -> bool {
        !self.is_asked && !self.is_outdated && now >= self.due
    }

    /// The key is known to have had this mark since this revision.
    fn becomes(&mut self, revision: u64, mark: Mark, me: Uuid, now: Instant) {
        self.revision = revision;
        self.seen = now;
        self.due = now;
        (self.is_outdated, self.is_unclear) = (false, false);
        match mark {
            Mark::Held(holder) if holder == me => self.holder = Some(me),
            Mark::Held(holder) => self.passes_to(Some(holder)),
            Mark::Free | Mark::Left(_) => self.passes_to(None),
        }
    }

    fn passes_to(&mut self, holder: Option<Uuid>) {
        self.holder = holder;
        self.renewed = None;
        self.is_given_up = false;
    }
}

/// All slots, as one process knows them.
pub(super) struct Table {
    me: Uuid,
    /// Whether this process takes slots.
    takes: bool,
    slots: Vec<Slot>,
    /// When something was last seen or answered.
    heard: Instant,
    /// Until when no surplus is given up.
    content_until: Instant,
    /// Those who left or were silent, and until when they get no share.
    gone: BTreeMap<Uuid, Instant>,
}

impl Table {
    /// Knows nothing yet, and takes nothing.
    pub(super) fn new(me: Uuid, now: Instant) -> Table {
        let slot = Slot {
            revision: 0,
            holder: None,
            seen: now,
            is_outdated: false,
            is_unclear: false,
            is_asked: false,
            due: now,
            renewed: None,
            is_given_up: false,
            rests_until: now,
        };
        let slots = vec![slot; usize::from(SLOTS)];
        Table { me, takes: false, slots, heard: now, content_until: now, gone: BTreeMap::new() }
    }

    /// From now on slots are taken.
    pub(super) fn take(&mut self) {
        self.takes = true;
    }

    /// From now on none is, and those that are held are given up.
    pub(super) fn leave(&mut self, now: Instant) {
        self.takes = false;
        for slot in &mut self.slots {
            slot.due = now;
        }
    }

    /// Whether this process has left, and everybody else can see it.
    pub(super) fn has_left(&self) -> bool {
        !self.takes && self.slots.iter().all(|slot| slot.holder != Some(self.me) && !slot.is_asked)
    }

    /// This slot is not wanted any more.
    pub(super) fn give_up(&mut self, slot: u16, now: Instant) {
        if let Some(slot) = self.slots.get_mut(usize::from(slot)) {
            slot.is_given_up = slot.holder == Some(self.me);
            slot.rests_until = now + REST;
            slot.due = now;
        }
    }

    /// The slots that this process holds.
    pub(super) fn held(&self) -> BTreeSet<u16> {
        self.numbered().filter(|(_, slot)| self.holds(slot)).map(|(number, _)| number).collect()
    }

    /// Who holds which slot.
    pub(super) fn holders(&self) -> Vec<(u16, Uuid)> {
        self.numbered().filter_map(|(number, slot)| Some((number, slot.holder?))).collect()
    }

    /// Until when work for each slot may begin, in the order of the slots.
    pub(super) fn work_until(&self) -> impl Iterator<Item = Option<Instant>> {
        self.slots.iter().map(|slot| {
            let renewed = slot.renewed.filter(|_| self.holds(slot));
            renewed.map(|sent| sent + WORK)
        })
    }

    /// A slot's key was seen to have this mark at this revision.
    pub(super) fn observe(&mut self, slot: u16, revision: u64, mark: Mark, now: Instant) {
        self.hear(now);
        let Some(slot) = self.slots.get_mut(usize::from(slot)) else { return };
        if revision <= slot.revision {
            return;
        }
        slot.becomes(revision, mark, self.me, now);
        match mark {
            Mark::Held(holder) => {
                self.gone.remove(&holder);
            }
            Mark::Left(id) => {
                self.gone.insert(id, now + GONE);
            }
            Mark::Free => {}
        }
    }

    /// An attempt came to this end.
    pub(super) fn answered(&mut self, step: Step, answer: Answer, now: Instant) {
        if !matches!(answer, Answer::Unknown) {
            self.hear(now);
        }
        let me = self.me;
        let slot = &mut self.slots[usize::from(step.slot)];
        slot.is_asked = false;
        match answer {
            // If it was followed by somebody else's write already, that is what counts.
            Answer::Written(revision) if revision < slot.revision => {}
            Answer::Written(revision) => {
                slot.becomes(revision, step.mark, me, now);
                if step.mark == Mark::Held(me) {
                    slot.renewed = Some(step.sent);
                    slot.due = if slot.is_given_up || !self.takes { now } else { step.sent + RENEWAL };
                }
            }
            // What it was refused for was seen already.
            Answer::Refused if step.expects < slot.revision => {}
            Answer::Refused => {
                slot.is_outdated = true;
                if slot.holder == Some(me) && !slot.is_unclear {
                    slot.passes_to(None);
                }
            }
            Answer::Unknown => {
                slot.is_unclear |= step.expects == slot.revision;
                slot.due = slot.due.max(now + RETRY);
            }
        }
    }

    /// What to attempt now; `live` are the ids of all who live. Each step is to be
    /// [answered](Table::answered) once.
    pub(super) fn plan(&mut self, now: Instant, live: &[Uuid]) -> Vec<Step> {
        self.note_the_silent(now);
        let share = self.share(live);
        self.shed(now, share);
        let mut steps = self.to_keep(now);
        if self.takes {
            steps.extend(self.takings(now, share));
        }
        for step in &steps {
            let slot = &mut self.slots[usize::from(step.slot)];
            slot.is_asked = true;
            // What is being released may be somebody else's at any time, also if this process goes on.
            slot.is_given_up |= step.mark != Mark::Held(self.me);
        }
        steps
    }

    /// The bucket has shown a sign of life. After a long silence the others get time to renew.
    fn hear(&mut self, now: Instant) {
        if now >= self.heard + SILENCE {
            for slot in &mut self.slots {
                slot.seen = now;
            }
        }
        self.heard = now;
    }

    /// Whoever has let a lease expire and has renewed none is gone.
    fn note_the_silent(&mut self, now: Instant) {
        self.gone.retain(|_, until| now < *until);
        let is_fresh = |slot: &&Slot| now < slot.seen + EXPIRY;
        let fresh: BTreeSet<Uuid> =
            self.slots.iter().filter(is_fresh).filter_map(|slot| slot.holder).chain([self.me]).collect();
        let holders = self.slots.iter().filter_map(|slot| slot.holder);
        self.gone.extend(holders.filter(|holder| !fresh.contains(holder)).map(|holder| (holder, now + GONE)));
    }

    /// How many slots are enough for this process.
    fn share(&self, live: &[Uuid]) -> usize {
        let others = live.iter().filter(|id| **id != self.me && !self.gone.contains_key(*id));
        usize::from(SLOTS).div_ceil(others.count() + 1)
    }

    /// Gives one slot up if there are too many, and there is none that the others could take instead.
    fn shed(&mut self, now: Instant, share: usize) {
        let held = self.held();
        let is_offered = |slot: &Slot| slot.is_given_up || self.free_since(slot, now).is_some();
        if held.len() <= share || now < self.content_until || self.slots.iter().any(is_offered) {
            return;
        }
        if let Some(last) = held.last() {
            self.give_up(*last, now);
        }
    }

    /// Renewals and releases.
    fn to_keep(&self, now: Instant) -> Vec<Step> {
        let due = self.numbered().filter(|(_, slot)| slot.holder == Some(self.me) && slot.is_due(now));
        let steps = due.map(|(number, slot)| {
            let mark = match (self.holds(slot), self.takes) {
                (true, _) => Mark::Held(self.me),
                (false, true) => Mark::Free,
                (false, false) => Mark::Left(self.me),
            };
            Step { slot: number, expects: slot.revision, mark, sent: now }
        });
        steps.collect()
    }

    /// Slots to take. Each process begins at another, so that they seldom want the same.
    fn takings(&mut self, now: Instant, share: usize) -> Vec<Step> {
        let taken = self.slots.iter().filter(|slot| self.holds(slot) || slot.is_asked).count();
        let mut room = share.saturating_sub(taken);
        let may_judge = taken == 0 || now < self.heard + SILENCE;
        let first = (self.me.as_u128() % u128::from(SLOTS)) as u16;
        let mut steps = Vec::new();
        for number in (first..SLOTS).chain(0..first) {
            let slot = self.slots[usize::from(number)];
            let Some(since) = self.free_since(&slot, now) else { continue };
            if !slot.is_due(now) || now < slot.rests_until || (slot.holder.is_some() && !may_judge) {
                continue;
            }
            if room > 0 {
                room -= 1;
            } else if now >= since + FREE_MAX {
                self.content_until = now + CONTENT;
            } else {
                continue;
            }
            steps.push(Step { slot: number, expects: slot.revision, mark: Mark::Held(self.me), sent: now });
        }
        steps
    }

    /// Since when a slot could have been taken; `None`: it cannot be.
    fn free_since(&self, slot: &Slot, now: Instant) -> Option<Instant> {
        match slot.holder {
            _ if slot.is_outdated => None,
            None => Some(slot.seen),
            Some(holder) => (holder != self.me && now >= slot.seen + EXPIRY).then(|| slot.seen + EXPIRY),
        }
    }

    fn holds(&self, slot: &Slot) -> bool {
        self.takes && slot.holder == Some(self.me) && !slot.is_given_up
    }

    fn numbered(&self) -> impl Iterator<Item = (u16, &Slot)> {
        (0..SLOTS).zip(&self.slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A table that takes, and its start.
    fn table() -> (Table, Instant) {
        let start = Instant::now();
        let mut table = Table::new(ME, start);
        table.take();
        (table, start)
    }

    /// A table that holds all slots since the start; slot `n` at revision `n + 1`.
    fn holder() -> (Table, Instant) {
        let (mut table, start) = table();
        for step in table.plan(start, &[ME]) {
            table.answered(step, Answer::Written(u64::from(step.slot) + 1), start);
        }
        assert_eq!(table.held().len(), usize::from(SLOTS));
        (table, start)
    }

    /// What is attempted for one slot.
    fn attempt(table: &mut Table, slot: u16, now: Instant, live: &[Uuid]) -> Option<Step> {
        table.plan(now, live).into_iter().find(|step| step.slot == slot)
    }

    fn may_begin(table: &Table, slot: usize, now: Instant) -> bool {
        table.work_until().nth(slot).flatten().is_some_and(|until| now < until)
    }

    #[test]
    fn values_are_read_back() {
        for mark in [Mark::Held(ME), Mark::Free, Mark::Left(OTHER)] {
            assert_eq!(Mark::read(mark.write().as_bytes()), mark);
        }
        assert_eq!(Mark::read(b""), Mark::Free);
    }

    #[test]
    fn nothing_is_taken_before_it_is_asked_for() {
        let start = Instant::now();
        let mut table = Table::new(ME, start);
        assert!(table.plan(start, &[ME]).is_empty());
        table.take();
        assert_eq!(table.plan(start, &[ME, OTHER]).len(), 16, "half, since there are two");
    }

    #[test]
    fn a_lease_is_renewed_every_two_seconds_and_good_for_four_since_it_was_sent() {
        let (mut table, start) = holder();
        assert_eq!(table.plan(start + ms(1_999), &[ME]).len(), 0);
        let steps = table.plan(start + ms(2_000), &[ME]);
        assert_eq!(steps.len(), usize::from(SLOTS));
        assert!(may_begin(&table, 0, start + ms(3_999)) && !may_begin(&table, 0, start + ms(4_000)));
        table.answered(steps[0], Answer::Written(100), start + ms(3_500));
        assert!(may_begin(&table, 0, start + ms(5_999)) && !may_begin(&table, 0, start + ms(6_000)));
    }

    #[test]
    fn a_lease_is_taken_over_when_it_was_seen_unchanged_for_six_seconds() {
        let (mut table, start) = table();
        table.observe(5, 10, Mark::Held(OTHER), start);
        // The bucket lives: somebody writes all the time.
        let now = start + ms(2_000);
        table.observe(6, 11, Mark::Held(OTHER), now);
        table.observe(5, 10, Mark::Held(OTHER), now);
        table.observe(6, 12, Mark::Held(OTHER), start + ms(4_000));
        assert!(attempt(&mut table, 5, start + ms(5_999), &[ME]).is_none());
        let step = attempt(&mut table, 5, start + ms(6_000), &[ME]).unwrap();
        assert_eq!((step.expects, step.mark), (10, Mark::Held(ME)));
    }

    #[test]
    fn after_a_silence_of_the_bucket_the_others_get_time_to_renew() {
        let (mut table, start) = table();
        for slot in 0..SLOTS {
            let holder = if slot == 0 { ME } else { OTHER };
            table.observe(slot, u64::from(slot) + 1, Mark::Held(holder), start);
        }
        let step = attempt(&mut table, 0, start, &[ME, OTHER]).unwrap();
        assert!(table.plan(start + ms(9_000), &[ME, OTHER]).is_empty(), "who hears nothing does not judge");
        table.answered(step, Answer::Written(50), start + ms(9_000));
        let steps = table.plan(start + ms(9_000), &[ME, OTHER]);
        assert!(steps.iter().all(|step| step.slot == 0), "{steps:?}");
    }

    #[test]
    fn a_refused_renewal_ends_the_holder_at_once() {
        let (mut table, start) = holder();
        let step = attempt(&mut table, 3, start + ms(2_000), &[ME]).unwrap();
        table.answered(step, Answer::Refused, start + ms(2_010));
        assert!(!may_begin(&table, 3, start + ms(2_010)) && !table.held().contains(&3));
        // And it is not attempted again before the other's write was seen.
        assert!(attempt(&mut table, 3, start + ms(9_000), &[ME]).is_none());
    }

    #[test]
    fn ones_own_write_of_unknown_outcome_does_not_end_the_holder() {
        let (mut table, start) = holder();
        let step = attempt(&mut table, 3, start + ms(2_000), &[ME]).unwrap();
        table.answered(step, Answer::Unknown, start + ms(3_000));
        let again = attempt(&mut table, 3, start + ms(3_500), &[ME]).unwrap();
        assert_eq!(again.expects, step.expects);
        table.answered(again, Answer::Refused, start + ms(3_510));
        assert!(table.held().contains(&3));
        assert!(!may_begin(&table, 3, start + ms(4_000)), "an unknown outcome is no renewal");
        table.observe(3, 77, Mark::Held(ME), start + ms(4_100));
        assert!(!may_begin(&table, 3, start + ms(4_100)), "nor is its being seen");
        let next = attempt(&mut table, 3, start + ms(4_100), &[ME]).unwrap();
        assert_eq!((next.expects, next.mark), (77, Mark::Held(ME)));
        table.answered(next, Answer::Written(78), start + ms(4_110));
        assert!(may_begin(&table, 3, start + ms(4_110)));
    }

    #[test]
    fn an_answer_that_comes_after_another_has_taken_the_slot_gives_nothing_back() {
        let (mut table, start) = holder();
        let step = attempt(&mut table, 3, start + ms(2_000), &[ME, OTHER]).unwrap();
        table.observe(3, 99, Mark::Held(OTHER), start + ms(2_010));
        table.answered(step, Answer::Written(98), start + ms(2_020));
        assert!(!table.held().contains(&3));
        assert!(!may_begin(&table, 3, start + ms(2_030)));
    }

    #[test]
    fn a_slot_that_was_given_up_is_released_and_left_to_the_others() {
        let (mut table, start) = holder();
        table.give_up(9, start + ms(100));
        assert!(!may_begin(&table, 9, start + ms(100)) && !table.held().contains(&9));
        let step = attempt(&mut table, 9, start + ms(100), &[ME, OTHER]).unwrap();
        assert_eq!(step.mark, Mark::Free);
        table.answered(step, Answer::Written(100), start + ms(110));
        assert!(attempt(&mut table, 9, start + ms(6_000), &[ME]).is_none());
        assert!(attempt(&mut table, 9, start + ms(6_100), &[ME]).is_some());
    }

    #[test]
    fn whoever_leaves_releases_everything_also_what_it_is_just_renewing() {
        let (mut table, start) = holder();
        let renewal = attempt(&mut table, 0, start + ms(2_000), &[ME]).unwrap();
        table.leave(start + ms(2_001));
        assert!(table.held().is_empty() && !may_begin(&table, 0, start + ms(2_001)) && !table.has_left());
        table.answered(renewal, Answer::Written(100), start + ms(2_002));
        let release = attempt(&mut table, 0, start + ms(2_003), &[ME]).unwrap();
        assert_eq!((release.expects, release.mark), (100, Mark::Left(ME)));
    }

    #[test]
    fn a_slot_that_is_being_released_is_not_held_again_by_going_on() {
        let (mut table, start) = holder();
        table.leave(start + ms(10));
        table.plan(start + ms(20), &[ME]);
        table.take();
        assert!(table.held().is_empty() && !may_begin(&table, 0, start + ms(30)));
    }
}
