//! How many users show what, counted as it changes: to count a million of them at once would take a second.

use porchlight_presence::{Availability, Presence, Timestamp, User};

/// How many users show each availability, and how many sessions they have.
///
/// Each user counts as they were when their record was last written or a deadline of theirs last came: what a read would
/// say, but for a fade that is about to be noticed, and for sessions that have ended behind others without showing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// In the order of [`Availability::ALL`].
    users: [usize; Availability::ALL.len()],
    sessions: usize,
}

/// As what one user counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) shows: Availability,
    pub(crate) sessions: u16,
}

impl Counted {
    /// As what a user counts who is seen so at `at`.
    pub(crate) fn of(user: &User, seen: &Presence<'_>, at: Timestamp) -> Counted {
        let sessions = user.sessions().iter().filter(|session| session.pair_at(at).is_some()).count();
        Counted { shows: seen.pair.availability, sessions: u16::try_from(sessions).unwrap_or(u16::MAX) }
    }
}

impl Census {
    /// How many users show each availability, in the order of [`Availability::ALL`]. Users without a record are not among
    /// them.
    pub fn users(&self) -> impl Iterator<Item = (Availability, usize)> {
        Availability::ALL.into_iter().zip(self.users)
    }

    /// How many sessions all of them have.
    pub fn sessions(&self) -> usize {
        self.sessions
    }

    /// Whether nobody is counted.
    pub fn is_empty(&self) -> bool {
        self.users.iter().all(|count| *count == 0)
    }

    /// Counts a user as something else than before; `None`: not at all.
    pub(crate) fn recount(&mut self, before: Option<Counted>, after: Option<Counted>) {
        if let Some(Counted { shows, sessions }) = before {
            self.users[shows as usize] -= 1;
            self.sessions -= usize::from(sessions);
        }
        if let Some(Counted { shows, sessions }) = after {
            self.users[shows as usize] += 1;
            self.sessions += usize::from(sessions);
        }
    }

    /// Those of both together.
    #[must_use]
    pub(crate) fn and(mut self, other: Census) -> Census {
        for (users, others) in self.users.iter_mut().zip(other.users) {
            *users += others;
        }
        self.sessions += other.sessions;
        self
    }
}
