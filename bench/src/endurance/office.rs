//! A day of many people at work, as their clients tell it.
//!
//! A third of them works in each of three zones. They come within two hours, have four calls and a lunch, and
//! go after eight or nine hours. Their clients say that they are there four times an hour, and at each
//! call's beginning and end; at lunch they say nothing, and every other one of them says nothing at the end
//! either. So people fade at lunch and after work, and by nothing but time.

use std::time::Duration;

use super::job::{Job, What};

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;

/// A day, in seconds.
pub(super) const DAY: u32 = 24 * HOUR;

/// How long after a client's last word it says the same again.
const RENEWAL: u32 = 15 * MINUTE;

/// When the first ones of each zone come.
const ZONES: [u32; 3] = [0, 6 * HOUR + 30 * MINUTE, 13 * HOUR];

/// How long a call lasts.
const CALL: u32 = 30 * MINUTE;

/// All that clients say in a day, in the order of time.
pub(super) struct Offices {
    /// What is said in each second.
    seconds: Vec<Vec<(u32, What)>>,
    second: usize,
    /// The place of the next one within it.
    place: usize,
    /// How many seconds of the day pass in one.
    speed: u32,
}

/// One person's day.
struct WorkDay {
    /// In the order of time.
    turns: [Turn; 12],
}

/// What somebody does, and from which second of the day on.
#[derive(Clone, Copy, Debug)]
struct Turn {
    at: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Is at work and free.
    Works,
    Calls,
    Lunches,
    /// Goes, and their client says so.
    Leaves,
    /// Goes, and their client says nothing any more.
    Vanishes,
}

impl Offices {
    /// The day of so many people until this second, `speed` times as fast.
    pub(super) fn open(people: u32, until: u32, speed: u32) -> Offices {
        let seconds = vec![Vec::new(); until as usize];
        let mut offices = Offices { seconds, second: 0, place: 0, speed };
        for person in 0..people {
            offices.note(person, WorkDay::of(person).first());
        }
        offices
    }

    /// Notes what somebody says next; what would be after the end is left out.
    fn note(&mut self, person: u32, (at, what): (u32, What)) {
        if let Some(second) = self.seconds.get_mut(at as usize) {
            second.push((person, what));
        }
    }
}

impl Iterator for Offices {
    type Item = Job;

    fn next(&mut self) -> Option<Job> {
        while self.place == self.seconds.get(self.second)?.len() {
            self.seconds[self.second] = Vec::new();
            (self.second, self.place) = (self.second + 1, 0);
        }
        let said = &self.seconds[self.second];
        let (user, what) = said[self.place];
        let share = self.place as f64 / said.len() as f64;
        let due = Duration::from_secs_f64((self.second as f64 + share) / f64::from(self.speed));
        self.place += 1;
        if let Some(next) = WorkDay::of(user).after(self.second as u32) {
            self.note(user, next);
        }
        Some(Job { due: Some(due), what, user })
    }
}

impl WorkDay {
    fn of(person: u32) -> WorkDay {
        let within = |purpose: u32, span: u32| chance(person, purpose, span);
        let comes = ZONES[person as usize % ZONES.len()] + within(0, HOUR) + within(1, HOUR);
        let first = comes + 30 * MINUTE + within(2, HOUR);
        let second = comes + 2 * HOUR + within(3, HOUR);
        let lunch = comes + 3 * HOUR + 30 * MINUTE + within(4, HOUR);
        let back = lunch + 30 * MINUTE + within(5, 30 * MINUTE);
        let third = back + 15 * MINUTE + within(6, 30 * MINUTE);
        let fourth = back + HOUR + 15 * MINUTE + within(7, 30 * MINUTE);
        let goes = comes + 8 * HOUR + within(8, HOUR);
        let end = if within(9, 2) == 0 { Kind::Leaves } else { Kind::Vanishes };
        let turn = |at: u32, kind: Kind| Turn { at, kind };
        WorkDay {
            turns: [
                turn(comes, Kind::Works),
                turn(first, Kind::Calls),
                turn(first + CALL, Kind::Works),
                turn(second, Kind::Calls),
                turn(second + CALL, Kind::Works),
                turn(lunch, Kind::Lunches),
                turn(back, Kind::Works),
                turn(third, Kind::Calls),
                turn(third + CALL, Kind::Works),
                turn(fourth, Kind::Calls),
                turn(fourth + CALL, Kind::Works),
                turn(goes, end),
            ],
        }
    }

    /// The first that is said, and when.
    fn first(&self) -> (u32, What) {
        (self.turns[0].at, What::KeepAlive)
    }

    /// What is said next after something was said in this second, and when.
    fn after(&self, second: u32) -> Option<(u32, What)> {
        let (past, to_come) = self.turns.split_at(self.turns.partition_point(|turn| turn.at <= second));
        let renewed = past.last().and_then(|turn| turn.kind.renewed());
        let renewal = renewed.map(|what| (second + RENEWAL, what));
        let next = to_come.iter().find_map(|turn| Some((turn.at, turn.kind.said()?)));
        // What was said until then is over with the next turn, whether that says anything or not.
        renewal.filter(|(at, _)| to_come.first().is_some_and(|turn| *at < turn.at)).or(next)
    }
}

impl Kind {
    /// What is said when it begins.
    fn said(self) -> Option<What> {
        match self {
            Kind::Works => Some(What::KeepAlive),
            Kind::Calls => Some(What::Call),
            Kind::Leaves => Some(What::Leave),
            Kind::Lunches | Kind::Vanishes => None,
        }
    }

    /// What is said again and again while it lasts.
    fn renewed(self) -> Option<What> {
        match self {
            Kind::Works | Kind::Calls => self.said(),
            Kind::Lunches | Kind::Leaves | Kind::Vanishes => None,
        }
    }
}

/// A number below `span` by chance, always the same for a person and a purpose.
fn chance(person: u32, purpose: u32, span: u32) -> u32 {
    // SplitMix64: its steps leave no trace of how alike the numbers are that go in.
    let mut mixed = (u64::from(person) * 16 + u64::from(purpose)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (((mixed >> 32) * u64::from(span)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn every_day_goes_forward() {
        for person in 0..2_000 {
            let day = WorkDay::of(person);
            assert!(
                day.turns.is_sorted_by(|one, other| one.at < other.at),
                "person {person}: {:?}",
                day.turns
            );
        }
    }

    #[test]
    fn nobody_says_anything_at_lunch_or_after_they_have_gone() {
        for person in 0..2_000 {
            let day = WorkDay::of(person);
            let (lunch, back, goes) = (day.turns[5].at, day.turns[6].at, day.turns[11]);
            let mut said = vec![day.first()];
            while let Some(next) = day.after(said[said.len() - 1].0) {
                said.push(next);
            }
            assert!(said.is_sorted_by(|one, other| one.0 < other.0), "person {person}: {said:?}");
            assert!(said.iter().all(|(at, _)| *at <= lunch || *at >= back), "person {person}: {said:?}");
            assert!(said.iter().any(|(at, _)| *at == back), "person {person}: {said:?}");
            let (last, what) = said[said.len() - 1];
            assert!(last <= goes.at && (what == What::Leave) == (goes.kind == Kind::Leaves), "{said:?}");
        }
    }

    #[test]
    fn everybody_is_heard_of_often_enough_and_in_order() {
        let mut last = Duration::ZERO;
        let mut said: HashMap<u32, u32> = HashMap::new();
        for job in Offices::open(300, DAY, 24) {
            let due = job.due.unwrap();
            assert!(last <= due && due < Duration::from_secs(3_600));
            last = due;
            *said.entry(job.user).or_default() += 1;
        }
        assert_eq!(said.len(), 300);
        assert!(said.values().all(|times| (20..60).contains(times)), "{said:?}");
    }
}
