//! Whom one subscription is still to be told of: a cursor and two sets. Source: design 5.3.
//!
//! Everything up to `told` has been told. Everything later, up to `begun`, is about users in `previous`; everything
//! later than that, up to wherever the feed was read, is about users in `current`. When nobody in `previous` is left,
//! `told` becomes `begun`, and `current` becomes `previous`. Who was told stays in its set until then, so that no state
//! is told twice.

use std::collections::{HashMap, VecDeque};

use porchlight_engine::Cursor;
use porchlight_presence::{Timestamp, UserId};
use rapidhash::fast::RandomState;

/// How many users both sets together hold; beyond that they are dropped, and looked up again. Source: design 5.3.
pub(crate) const USERS_MAX: usize = 10_000;

/// Whom one subscription is still to be told of.
#[derive(Debug)]
pub(crate) struct Backlog {
    told: Cursor,
    begun: Cursor,
    previous: Set,
    current: Set,
    /// Users to be told of, in the order of their changes, and when at the earliest. Who is underway may stand here too.
    queue: VecDeque<(UserId, Timestamp)>,
    /// The sets do not hold everything since `begun`: the rest is to be looked up.
    is_behind: bool,
    /// What the sets hold is a part of what has to be told before `told` may become `begun`.
    is_part: bool,
    /// The latest state that was told or is underway.
    newest: Timestamp,
}

/// How much of what is to be told a look-up has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All of it; what comes later is noted from the feed.
    Everything,
    /// All of it up to `through`.
    Slice,
    /// Some of it up to `through`: more is looked up before the cursor moves.
    Part,
}

/// Users, and where the telling of each is.
#[derive(Debug, Default)]
struct Set {
    marks: HashMap<UserId, Mark, RandomState>,
    /// How many of them are not told.
    open: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    state: Telling,
    /// The stamp that is underway or was told; of who waits, the newest that was noted.
    stamp: Timestamp,
    /// When what came meanwhile may be told.
    not_before: Timestamp,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telling {
    /// To be told.
    #[default]
    Waiting,
    /// Being told; `again`: something newer has happened meanwhile.
    Underway { again: bool },
    /// Told, or there was nothing to tell.
    Told,
}

impl Set {
    fn get(&self, user: UserId) -> Option<Mark> {
        self.marks.get(&user).copied()
    }

    fn put(&mut self, user: UserId, mark: Mark) {
        let is_open = |mark: &Mark| usize::from(mark.state != Telling::Told);
        self.open += is_open(&mark);
        self.open -= self.marks.insert(user, mark).as_ref().map_or(0, is_open);
    }

    fn is_underway(&self, user: UserId) -> bool {
        self.get(user).is_some_and(|mark| matches!(mark.state, Telling::Underway { .. }))
    }
}

impl Backlog {
    /// A backlog of which nothing is known but how far was told.
    pub(crate) fn behind(told: Cursor) -> Backlog {
        Backlog {
            told,
            begun: told,
            previous: Set::default(),
            current: Set::default(),
            queue: VecDeque::new(),
            is_behind: true,
            is_part: false,
            newest: Timestamp::ZERO,
        }
    }

    /// Everything up to here has been told.
    pub(crate) fn told(&self) -> Cursor {
        self.told
    }

    /// Whether changes are not noted any more, since some are missing.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// From where on to look up who has changed: nothing before it is missing.
    pub(crate) fn known_through(&self) -> Cursor {
        self.begun
    }

    /// Whether the cursor lags behind what has been told, and will move by itself.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.is_empty() && self.newest > self.told.at
    }

    /// How many users are to be told of, or are being told of.
    pub(crate) fn len(&self) -> usize {
        self.previous.open + self.current.open
    }

    /// Whether nobody is left to be told of.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many users are kept in mind.
    pub(crate) fn remembered(&self) -> usize {
        self.previous.marks.len() + self.current.marks.len()
    }

    /// When the next user may be told of; some that stand first may be underway already.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.queue.front().map(|(_, at)| *at)
    }

    /// Notes a change that the feed told of.
    pub(crate) fn note(&mut self, user: UserId, stamp: Timestamp, not_before: Timestamp) {
        // What is not later than `begun` is in the sets, or has been told.
        if stamp > self.begun.at {
            self.note_late(user, stamp, not_before);
        }
    }

    /// The same for a change that nobody could know of at `begun`, although its stamp is not later.
    pub(crate) fn note_late(&mut self, user: UserId, stamp: Timestamp, not_before: Timestamp) {
        // What is behind is looked up anyway.
        if self.is_behind {
            return;
        }
        self.add(user, stamp, not_before);
        if self.remembered() > USERS_MAX {
            self.drop_users();
        }
    }

    /// These have changed since [`Backlog::known_through`], and as far as `reach` says nobody else has up to `through`.
    /// Only when nobody is left to be told of.
    pub(crate) fn look_up(
        &mut self,
        changed: impl IntoIterator<Item = (UserId, Timestamp)>,
        through: Cursor,
        reach: Reach,
    ) {
        debug_assert!(self.is_empty(), "who is behind looks up when everything known was told");
        let was_told = |user, stamp| {
            let in_set = |set: &Set| set.get(user).is_some_and(|mark| stamp <= mark.stamp);
            in_set(&self.previous) || in_set(&self.current)
        };
        let changed: Vec<UserId> = changed
            .into_iter()
            .filter(|(user, stamp)| !was_told(*user, *stamp))
            .map(|(user, _)| user)
            .collect();
        // What is not later than `through` does not come again.
        self.previous.marks.retain(|_, mark| mark.stamp > through.at);
        for user in changed {
            self.previous.put(user, Mark { state: Telling::Waiting, ..Mark::default() });
            self.queue.push_back((user, Timestamp::ZERO));
        }
        self.begun = through;
        self.is_behind = reach != Reach::Everything;
        self.is_part = reach == Reach::Part;
    }

    /// The next user to be told of now; [`Backlog::start`] or [`Backlog::pass`] must follow.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<UserId> {
        while self.next_at().is_some_and(|at| at <= now) {
            let (user, _) = self.queue.pop_front()?;
            // Who is underway comes back into the queue when that is over.
            if self.set_of(user).get(user).is_some_and(|mark| mark.state == Telling::Waiting) {
                return Some(user);
            }
        }
        None
    }

    /// The user is being told of, in the state with this stamp.
    pub(crate) fn start(&mut self, user: UserId, stamp: Timestamp) {
        self.newest = self.newest.max(stamp);
        self.set_of(user)
            .put(user, Mark { state: Telling::Underway { again: false }, stamp, ..Mark::default() });
    }

    /// There is nothing to tell of the user.
    pub(crate) fn pass(&mut self, user: UserId, stamp: Timestamp) {
        self.set_of(user).put(user, Mark { state: Telling::Told, stamp, ..Mark::default() });
    }

    /// The telling of the user is over.
    pub(crate) fn finish(&mut self, user: UserId, was_told: bool) {
        let set = self.set_of(user);
        let Some(mark) = set.get(user) else { return };
        let Telling::Underway { again } = mark.state else { return };
        let state = if was_told && !again { Telling::Told } else { Telling::Waiting };
        set.put(user, Mark { state, ..mark });
        let stamp = mark.stamp;
        if !was_told {
            self.queue.push_front((user, Timestamp::ZERO));
            return;
        }
        match self.current.get(user).filter(|mark| mark.state == Telling::Waiting) {
            // What was noted meanwhile was in what was told, too.
            Some(mark) if !again && mark.stamp <= stamp => {
                self.current.put(user, Mark { state: Telling::Told, stamp, ..Mark::default() });
            }
            None if !again => {}
            newer => {
                let at = newer.unwrap_or(mark).not_before;
                // What may be told sooner stands first.
                if self.next_at().is_some_and(|first| at < first) {
                    self.queue.push_front((user, at));
                } else {
                    self.queue.push_back((user, at));
                }
            }
        }
    }

    /// Moves the cursor as far as everything has been told, when everything up to `through` was noted. Returns whether
    /// it has moved.
    pub(crate) fn advance(&mut self, through: Cursor) -> bool {
        let before = self.told;
        // Twice: once for what was begun before, once for what has been told since.
        for _ in 0..2 {
            // A state that was told before the feed told of it is remembered until the feed has.
            if self.previous.open > 0 || self.is_part || self.newest > through.at {
                break;
            }
            self.told = self.begun;
            if self.is_behind {
                break;
            }
            self.previous = std::mem::take(&mut self.current);
            if through.at > self.begun.at {
                self.begun = through;
            }
        }
        self.told.at > before.at
    }

    /// Forgets whom to tell of, but for whom is being told of: the rest is looked up when it is wanted.
    pub(crate) fn drop_users(&mut self) {
        self.drop_to(self.told);
    }

    /// What has happened up to here is not told any more.
    pub(crate) fn drop_to(&mut self, cursor: Cursor) {
        let mut kept = Backlog { newest: self.newest, ..Backlog::behind(cursor) };
        for (user, mark) in self.previous.marks.drain().chain(self.current.marks.drain()) {
            if matches!(mark.state, Telling::Underway { .. }) {
                kept.previous.put(user, Mark { state: Telling::Underway { again: false }, ..mark });
            }
        }
        *self = kept;
    }

    fn add(&mut self, user: UserId, stamp: Timestamp, not_before: Timestamp) {
        let waiting = Mark { state: Telling::Waiting, stamp, not_before };
        match (self.current.get(user), self.previous.get(user)) {
            (Some(mark), _) if mark.state == Telling::Waiting => {
                self.current.put(user, Mark { stamp: stamp.max(mark.stamp), ..mark });
            }
            (Some(mark), _) | (None, Some(mark)) if stamp <= mark.stamp => {}
            (None, Some(mark)) if mark.state == Telling::Waiting => {}
            (Some(mark), _) if self.current.is_underway(user) => {
                let not_before = if mark.state == (Telling::Underway { again: true }) {
                    mark.not_before
                } else {
                    not_before
                };
                self.current.put(user, Mark { state: Telling::Underway { again: true }, not_before, ..mark });
            }
            _ => {
                self.current.put(user, waiting);
                self.queue.push_back((user, not_before));
            }
        }
    }

    /// The set whose mark of the user counts next: `previous`, unless that was told.
    fn set_of(&mut self, user: UserId) -> &mut Set {
        match self.previous.get(user) {
            Some(mark) if mark.state != Telling::Told => &mut self.previous,
            _ => &mut self.current,
        }
    }
}

#[cfg(test)]
mod tests {
    use porchlight_store::{LogId, Revision};
    use uuid::Uuid;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn cursor(millis: i64) -> Cursor {
        Cursor { log: LogId(Uuid::nil()), revision: Revision(1), at: at(millis) }
    }

    fn user(number: u128) -> UserId {
        UserId(Uuid::from_u128(number))
    }

    /// A backlog that has been told everything up to 100.
    fn live() -> Backlog {
        let mut backlog = Backlog::behind(cursor(100));
        backlog.look_up([], cursor(100), Reach::Everything);
        backlog
    }

    #[test]
    fn the_cursor_moves_when_everything_before_it_was_told() {
        let mut backlog = live();
        backlog.note(user(1), at(110), Timestamp::ZERO);
        backlog.note(user(2), at(120), Timestamp::ZERO);
        assert_eq!(backlog.next(at(200)), Some(user(1)));
        backlog.start(user(1), at(110));
        assert!(!backlog.advance(cursor(150)) || backlog.told() == cursor(100));
        backlog.finish(user(1), true);
        backlog.advance(cursor(150));
        assert_eq!(backlog.told(), cursor(100), "somebody is still to be told of");
        assert_eq!(backlog.next(at(200)), Some(user(2)));
        backlog.start(user(2), at(120));
        backlog.finish(user(2), true);
        backlog.advance(cursor(160));
        assert_eq!(backlog.told(), cursor(160));
    }

    #[test]
    fn a_user_who_changes_all_the_time_does_not_keep_the_cursor_back() {
        let mut backlog = live();
        for step in 0..100 {
            let now = 110 + 10 * step;
            backlog.note(user(1), at(now), Timestamp::ZERO);
            assert_eq!(backlog.next(at(now)), Some(user(1)));
            backlog.start(user(1), at(now));
            backlog.note(user(1), at(now + 5), Timestamp::ZERO);
            backlog.finish(user(1), true);
            backlog.advance(cursor(now + 6));
            assert_eq!(backlog.next(at(now)), Some(user(1)));
            backlog.start(user(1), at(now + 5));
            backlog.finish(user(1), true);
        }
        backlog.advance(cursor(1200));
        assert_eq!(backlog.told(), cursor(1200));
    }

    #[test]
    fn too_many_are_forgotten_and_looked_up_again_but_for_who_is_being_told_of() {
        let mut backlog = live();
        backlog.note(user(0), at(110), Timestamp::ZERO);
        assert_eq!(backlog.next(at(110)), Some(user(0)));
        backlog.start(user(0), at(110));
        for number in 1..=USERS_MAX as u128 {
            backlog.note(user(number), at(120), Timestamp::ZERO);
        }
        assert!(backlog.is_behind());
        assert_eq!((backlog.remembered(), backlog.next(at(200))), (1, None));
        assert_eq!(backlog.known_through(), cursor(100));
        backlog.finish(user(0), true);
        backlog.look_up([(user(0), at(110)), (user(1), at(120))], cursor(130), Reach::Everything);
        assert_eq!(backlog.next(at(200)), Some(user(1)), "the other one was told");
    }

    #[test]
    fn what_comes_late_is_told_all_the_same() {
        let mut backlog = live();
        backlog.note(user(1), at(90), Timestamp::ZERO);
        assert_eq!(backlog.next(at(110)), None, "it was known");
        backlog.note_late(user(1), at(90), Timestamp::ZERO);
        assert_eq!(backlog.next(at(110)), Some(user(1)));
        backlog.start(user(1), at(90));
        backlog.advance(cursor(120));
        assert_eq!(backlog.told(), cursor(100));
        backlog.finish(user(1), true);
        backlog.advance(cursor(130));
        assert_eq!(backlog.told(), cursor(130));
    }

    #[test]
    fn who_is_to_be_told_of_later_waits() {
        let mut backlog = live();
        backlog.note(user(1), at(110), at(5_110));
        backlog.note(user(1), at(120), at(5_120));
        assert_eq!((backlog.next(at(5_109)), backlog.next_at()), (None, Some(at(5_110))));
        assert_eq!(backlog.next(at(5_110)), Some(user(1)));
    }
}
