//! Who may have to be told of a change that time alone makes.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::{Mutex, MutexGuard};
use porchlight_presence::Timestamp;

use crate::table::SlotId;

/// One deadline per user that has any; one that was armed anew while its user was being woken, or while its
/// period was put in order, may stay and come for nothing.
///
/// A deadline is a hint, never an order: it lies no later than the user's next change, and whoever takes it
/// looks at the record again. So a keep-alive, which only moves a deadline later, touches nothing here.
///
/// It is a calendar. A deadline that lies ahead is noted on the page of its period, which costs a look-up of
/// the page and four bytes, in whatever order deadlines come. When a period begins, its deadlines are put in
/// order, all together, and in nobody's way. So deadlines keep their milliseconds, and a jump of the clock
/// over a year costs what is due and no more: a period without deadlines has no pages.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// A mutex: the thread that installs and the one that fires come here, and a request only to ask how far
    /// there is nothing to tell, and for the metrics.
    deadlines: Mutex<Deadlines>,
}

/// An instant, and whose it is.
type Deadline = (Timestamp, SlotId);

#[derive(Debug, Default)]
struct Deadlines {
    /// Those of the periods that have begun, in order.
    near: BTreeSet<Deadline>,
    /// The first period that has not begun.
    ahead: u64,
    /// Those of the periods that have not. No page is empty.
    pages: BTreeMap<Page, Vec<Mark>>,
    /// Of each period that has pages the soonest that was noted there, which may have been taken out since.
    soonest: BTreeMap<u64, Timestamp>,
    /// How many marks there are on all pages.
    far: usize,
    /// The period that has begun and whose pages are being put in order elsewhere, and how many marks are on
    /// those; in `soonest` and `far` they still count.
    begins: Option<(u64, usize)>,
    /// The soonest of those that were taken and are still being announced.
    underway: Option<Timestamp>,
}

/// The pages of a period that has begun.
type Pages = Vec<(Page, Vec<Mark>)>;

/// How long a period is, in milliseconds; 16 bits have room for one. What comes first in it waits until all of
/// its deadlines are in order, so there should not be too many; with shorter periods there are more pages with
/// less on each.
const PERIOD: u64 = 8_192;

/// Which deadlines lie together: those of one period, of users whose slots lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Page {
    /// First, so that the pages of a period are next to each other.
    period: u64,
    stretch: u64,
}

/// A deadline on its page: the millisecond of the period, and below it 16 bits for the slot of the stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark(u32);

impl Timers {
    /// Moves a user's deadline from `armed` to `at`; `Timestamp::MAX` stands for none.
    pub(crate) fn arm(&self, slot: SlotId, armed: Timestamp, at: Timestamp) {
        let mut deadlines = self.deadlines.lock();
        if armed != Timestamp::MAX {
            deadlines.remove((armed, slot));
        }
        if at != Timestamp::MAX {
            deadlines.insert(&[(at, slot)]);
        }
    }

    /// Takes these deadlines to those there are; `Timestamp::MAX` stands for none.
    pub(crate) fn arm_all(&self, mut armed: Vec<(Timestamp, SlotId)>) {
        armed.retain(|(at, _)| *at != Timestamp::MAX);
        armed.sort_unstable_by_key(Page::of);
        let mut deadlines = self.deadlines.lock();
        for together in armed.chunk_by(|one, other| Page::of(one) == Page::of(other)) {
            deadlines.insert(together);
        }
    }

    /// Takes up to `most` deadlines that have come, the oldest first; [`Timers::announced`] is to follow. To be
    /// called by one thread at a time.
    pub(crate) fn due(&self, now: Timestamp, most: usize) -> Vec<(Timestamp, SlotId)> {
        self.take_due(now, most, in_order)
    }

    fn take_due(
        &self,
        now: Timestamp,
        most: usize,
        in_order: impl Fn(Pages) -> BTreeSet<Deadline>,
    ) -> Vec<Deadline> {
        let mut deadlines = self.deadlines.lock();
        let mut due = Vec::new();
        while due.len() < most {
            if let Some(deadline) = deadlines.pop(now) {
                due.push(deadline);
            } else if let Some(pages) = deadlines.begin(now) {
                // With a million of them it takes a while: whoever arms one does not wait for that.
                let begun = MutexGuard::unlocked(&mut deadlines, || in_order(pages));
                deadlines.have_begun(begun);
            } else {
                break;
            }
        }
        due
    }

    /// What has come of the deadlines that were taken is announced.
    pub(crate) fn announced(&self) {
        self.deadlines.lock().underway = None;
    }

    /// When to look for what is due: at the soonest deadline, or sooner, when its period begins.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let deadlines = self.deadlines.lock();
        let soonest = deadlines.near.first().map(|(at, _)| *at);
        soonest.or_else(|| deadlines.next_page().map(Page::begins))
    }

    /// No deadline is sooner than this; nothing when there is none. It is the soonest itself, unless that was
    /// moved or taken away while its period lay ahead.
    pub(crate) fn soonest(&self) -> Option<Timestamp> {
        self.deadlines.lock().earliest()
    }

    /// The same, but deadlines count for as long as what has come of them is not announced.
    pub(crate) fn unannounced(&self) -> Option<Timestamp> {
        let deadlines = self.deadlines.lock();
        deadlines.earliest().into_iter().chain(deadlines.underway).min()
    }

    /// How many users have a deadline.
    pub(crate) fn len(&self) -> usize {
        let deadlines = self.deadlines.lock();
        deadlines.near.len() + deadlines.far
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        *self.deadlines.lock() = Deadlines::default();
    }
}

impl Deadlines {
    /// Takes in deadlines of one page.
    fn insert(&mut self, together: &[Deadline]) {
        let Some(soonest) = together.iter().min() else { return };
        let page = Page::of(soonest);
        if page.period < self.ahead {
            self.near.extend(together);
            return;
        }
        let marks = self.pages.entry(page).or_default();
        if marks.capacity() - marks.len() < together.len() {
            // By a quarter rather than twofold, so that little room is held in vain.
            marks.reserve_exact(together.len().max(marks.len() / 4));
        }
        marks.extend(together.iter().map(Mark::of));
        self.far += together.len();
        let noted = self.soonest.entry(page.period).or_insert(soonest.0);
        *noted = soonest.0.min(*noted);
    }

    /// Takes a deadline out, if it is there.
    fn remove(&mut self, deadline: Deadline) {
        let (page, mark) = (Page::of(&deadline), Mark::of(&deadline));
        if page.period < self.ahead {
            self.near.remove(&deadline);
            return;
        }
        let Some(marks) = self.pages.get_mut(&page) else { return };
        let Some(place) = marks.iter().position(|other| *other == mark) else { return };
        marks.swap_remove(place);
        self.far -= 1;
        if marks.is_empty() {
            self.pages.remove(&page);
            let mut others = self.pages.range(Page { stretch: 0, ..page }..);
            if others.next().is_none_or(|(other, _)| other.period != page.period) {
                self.soonest.remove(&page.period);
            }
        }
    }

    /// No deadline is sooner than this.
    fn earliest(&self) -> Option<Timestamp> {
        let near = self.near.first().map(|(at, _)| *at);
        let noted = self.soonest.first_key_value().map(|(_, at)| *at);
        // While a period is put in order either may be the sooner one.
        near.into_iter().chain(noted).min()
    }

    /// Takes the soonest deadline of those of the periods that have begun, if it has come.
    fn pop(&mut self, now: Timestamp) -> Option<Deadline> {
        let (at, _) = *self.near.first().filter(|(at, _)| *at <= now)?;
        self.underway = self.underway.into_iter().chain([at]).min();
        self.near.pop_first()
    }

    /// The first page of the first period that has not begun.
    fn next_page(&self) -> Option<Page> {
        self.pages.first_key_value().map(|(page, _)| *page)
    }

    /// Takes the pages of the next period, if that has begun and nothing of the earlier ones is left to take:
    /// [`Deadlines::have_begun`] is to follow.
    fn begin(&mut self, now: Timestamp) -> Option<Pages> {
        let period = self.next_page().filter(|page| page.begins() <= now)?.period;
        let mut pages = Pages::new();
        while let Some(page) = self.pages.first_entry().filter(|page| page.key().period == period) {
            pages.push(page.remove_entry());
        }
        self.begins = Some((period, pages.iter().map(|(_, marks)| marks.len()).sum()));
        self.ahead = period + 1;
        Some(pages)
    }

    /// Takes in the deadlines of the period that has begun, unless all were forgotten meanwhile.
    fn have_begun(&mut self, mut begun: BTreeSet<Deadline>) {
        let Some((period, marks)) = self.begins.take() else { return };
        self.soonest.remove(&period);
        self.far -= marks;
        // Those of this period that were armed meanwhile, which are few.
        begun.extend(std::mem::take(&mut self.near));
        self.near = begun;
    }
}

/// The deadlines of these pages.
fn in_order(pages: Pages) -> BTreeSet<Deadline> {
    let mut deadlines = Vec::with_capacity(pages.iter().map(|(_, marks)| marks.len()).sum());
    for (page, marks) in pages {
        deadlines.extend(marks.into_iter().map(|mark| mark.on(page)));
    }
    deadlines.into_iter().collect()
}

impl Page {
    fn of((at, slot): &Deadline) -> Page {
        Page { period: at.as_millis().unsigned_abs() / PERIOD, stretch: slot.stretch() }
    }

    /// The first instant of its period.
    fn begins(self) -> Timestamp {
        Timestamp::from_millis((self.period * PERIOD).cast_signed())
    }
}

impl Mark {
    fn of((at, slot): &Deadline) -> Mark {
        let within = at.as_millis().unsigned_abs() % PERIOD;
        Mark((within as u32) << 16 | u32::from(slot.in_stretch()))
    }

    /// The deadline that this is on a page.
    fn on(self, page: Page) -> Deadline {
        let at = page.period * PERIOD + u64::from(self.0 >> 16);
        (Timestamp::from_millis(at.cast_signed()), SlotId::of_stretch(page.stretch, self.0 as u16))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        /// Moves one user's deadline.
        Arm(u16, u64),
        /// Takes one user's deadline away.
        Disarm(u16),
        /// Gives all of these a deadline who have none.
        ArmAll(Vec<(u16, u64)>),
        /// Lets so many milliseconds pass, and takes so many of what is due.
        Pass(u64, usize),
        Clear,
    }

    /// Some twelve periods, of which most are crowded.
    fn instant() -> impl Strategy<Value = u64> {
        prop_oneof![0..100_000_u64, (0..12_u64).prop_map(|period| period * PERIOD)]
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let user = 0..40_u16;
        let step = prop_oneof![
            6 => (user.clone(), instant()).prop_map(|(user, at)| Step::Arm(user, at)),
            2 => user.clone().prop_map(Step::Disarm),
            2 => vec((user, instant()), 0..20).prop_map(Step::ArmAll),
            4 => (0..20_000_u64, 0..12_usize).prop_map(|(millis, most)| Step::Pass(millis, most)),
            1 => Just(Step::Clear),
        ];
        vec(step, 1..60)
    }

    /// Users in five stretches.
    fn slot(user: u16) -> SlotId {
        SlotId::of_stretch(u64::from(user % 5) << 17, u16::MAX - user)
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis.cast_signed())
    }

    fn take_due(ordered: &mut BTreeSet<Deadline>, now: Timestamp, most: usize) -> Vec<Deadline> {
        let is_due = |deadline: &&Deadline| deadline.0 <= now;
        let due: Vec<Deadline> = ordered.iter().take_while(is_due).take(most).copied().collect();
        ordered.retain(|deadline| !due.contains(deadline));
        due
    }

    proptest! {
        #[test]
        fn a_calendar_gives_what_an_ordered_set_would(steps in steps()) {
            let (timers, mut now) = (Timers::default(), 0);
            let mut ordered = BTreeSet::<Deadline>::new();
            let mut armed = BTreeMap::<SlotId, Timestamp>::new();
            for step in steps {
                match step {
                    Step::Arm(user, millis) => {
                        let (slot, to) = (slot(user), at(millis));
                        let from = armed.insert(slot, to).unwrap_or(Timestamp::MAX);
                        timers.arm(slot, from, to);
                        ordered.remove(&(from, slot));
                        ordered.insert((to, slot));
                    }
                    Step::Disarm(user) => {
                        let from = armed.remove(&slot(user)).unwrap_or(Timestamp::MAX);
                        timers.arm(slot(user), from, Timestamp::MAX);
                        ordered.remove(&(from, slot(user)));
                    }
                    Step::ArmAll(users) => {
                        let mut all = vec![(Timestamp::MAX, slot(0))];
                        for (user, millis) in users {
                            armed.entry(slot(user)).or_insert_with(|| {
                                all.push((at(millis), slot(user)));
                                at(millis)
                            });
                        }
                        ordered.extend(&all[1..]);
                        timers.arm_all(all);
                    }
                    Step::Pass(millis, most) => {
                        now += millis;
                        let due = take_due(&mut ordered, at(now), most);
                        for (_, slot) in &due {
                            armed.remove(slot);
                        }
                        prop_assert_eq!(timers.due(at(now), most), due);
                    }
                    Step::Clear => {
                        timers.clear();
                        ordered.clear();
                        armed.clear();
                    }
                }
                prop_assert_eq!(timers.len(), ordered.len());
                let soonest = ordered.first().map(|(at, _)| at.as_millis().unsigned_abs());
                let next = timers.next().map(|next| next.as_millis().unsigned_abs());
                prop_assert_eq!(next.is_some(), soonest.is_some());
                if let (Some(next), Some(soonest)) = (next, soonest) {
                    prop_assert!(next <= soonest && soonest - next < PERIOD, "{next} for {soonest}");
                    let bound = timers.soonest().map(|at| at.as_millis().unsigned_abs());
                    prop_assert!(bound.is_some_and(|bound| (next..=soonest).contains(&bound)), "{bound:?}");
                } else {
                    prop_assert_eq!(timers.soonest(), None);
                }
            }
        }
    }

    #[test]
    fn who_looks_when_told_to_is_told_exactly() {
        let timers = Timers::default();
        let deadline = (at(5 * PERIOD + 7), slot(1));
        timers.arm_all(vec![deadline]);
        let period = timers.next().unwrap();
        assert_eq!((period, timers.soonest()), (at(5 * PERIOD), Some(deadline.0)));
        assert!(timers.due(period, 9).is_empty());
        assert_eq!(timers.next(), Some(deadline.0));
        assert_eq!(timers.due(deadline.0, 9), [deadline]);
        assert_eq!((timers.next(), timers.len()), (None, 0));
    }

    #[test]
    fn a_deadline_counts_until_what_has_come_of_it_is_announced() {
        let timers = Timers::default();
        let (first, second) = ((at(5 * PERIOD + 7), slot(1)), (at(5 * PERIOD + 9), slot(2)));
        let (late, last) = ((at(5 * PERIOD + 3), slot(3)), at(6 * PERIOD - 1));
        timers.arm_all(vec![first, second]);
        assert_eq!(timers.due(last, 1), [first]);
        assert_eq!((timers.soonest(), timers.unannounced()), (Some(second.0), Some(first.0)));
        timers.announced();
        assert_eq!(timers.unannounced(), Some(second.0));
        timers.arm(late.1, Timestamp::MAX, late.0);
        assert_eq!(timers.unannounced(), Some(late.0), "however far others were announced");
        assert_eq!(timers.due(last, 9), [late, second]);
        assert_eq!((timers.soonest(), timers.unannounced()), (None, Some(late.0)));
        timers.announced();
        assert_eq!(timers.unannounced(), None);
    }

    #[test]
    fn nobody_waits_while_a_period_is_put_in_order_and_what_comes_meanwhile_finds_its_place() {
        let timers = Timers::default();
        let (first, last) = ((at(5 * PERIOD + 7), slot(1)), (at(5 * PERIOD + 9), slot(2)));
        timers.arm_all(vec![first, last]);
        let (sooner, between) = ((at(5 * PERIOD + 3), slot(3)), (at(5 * PERIOD + 8), slot(4)));
        let later = (at(6 * PERIOD), slot(5));
        let in_order = |pages| {
            assert!(timers.deadlines.try_lock().is_some(), "others have their turn");
            assert_eq!((timers.soonest(), timers.len()), (Some(first.0), 2));
            for (at, slot) in [between, sooner, later] {
                timers.arm(slot, Timestamp::MAX, at);
            }
            assert_eq!((timers.soonest(), timers.len()), (Some(sooner.0), 5));
            in_order(pages)
        };
        assert_eq!(timers.take_due(at(6 * PERIOD - 1), 9, in_order), [sooner, first, between, last]);
        assert_eq!((timers.soonest(), timers.len()), (Some(later.0), 1));
    }

    #[test]
    fn what_is_forgotten_while_its_period_is_put_in_order_does_not_come_back() {
        let timers = Timers::default();
        timers.arm_all(vec![(at(5 * PERIOD + 7), slot(1))]);
        let forgets = |pages| {
            timers.clear();
            in_order(pages)
        };
        assert!(timers.take_due(at(6 * PERIOD), 9, forgets).is_empty());
        assert_eq!((timers.soonest(), timers.len()), (None, 0));
        let deadline = (at(PERIOD), slot(1));
        timers.arm(slot(1), Timestamp::MAX, deadline.0);
        assert_eq!(timers.due(deadline.0, 9), [deadline]);
    }
}
