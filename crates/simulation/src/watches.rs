//! Whoever watches, and what each of them knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use porchlight_presence::{Timestamp, UserId};

use crate::chronicle::{Chronicle, Shown};
use crate::laws::Law;
use crate::time;

/// One watcher's number.
pub(crate) type Number = usize;

/// Everybody who watches. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Watches(Arc<Mutex<Vec<Watch>>>);

/// One who watches.
struct Watch {
    name: String,
    /// Whom.
    users: Vec<UserId>,
    /// From when on changes are told; zero for whoever is told how things are, too.
    since: Timestamp,
    /// Whether the pair alone is told of.
    pair_alone: bool,
    known: BTreeMap<UserId, Shown>,
    /// What is told of one user comes in order for as long as this is the same.
    told: BTreeMap<UserId, (u64, Timestamp)>,
}

impl Watches {
    /// One who watches these users from the beginning.
    pub(crate) fn follow(&self, name: String, users: &[UserId]) -> Number {
        self.add(name, users, Timestamp::ZERO, false)
    }

    /// One who is told of changes of the pair after this instant.
    pub(crate) fn subscribe(&self, name: String, users: &[UserId], since: Timestamp) -> Number {
        self.add(name, users, since, true)
    }

    fn add(&self, name: String, users: &[UserId], since: Timestamp, pair_alone: bool) -> Number {
        let (users, known, told) = (users.to_vec(), BTreeMap::new(), BTreeMap::new());
        let mut watches = self.0.lock();
        watches.push(Watch { name, users, since, pair_alone, known, told });
        watches.len() - 1
    }

    /// The watcher watches nobody any more.
    pub(crate) fn leaves(&self, number: Number) {
        self.0.lock()[number].users.clear();
    }

    /// How many subscriptions are watched by.
    pub(crate) fn subscriptions(&self) -> usize {
        self.0.lock().iter().filter(|watch| watch.pair_alone && !watch.users.is_empty()).count()
    }

    /// The watcher is told of a user. `by` tells apart who tells: what one of them tells comes in order.
    pub(crate) fn is_told(
        &self,
        chronicle: &Chronicle,
        number: Number,
        by: u64,
        user: UserId,
        shown: &Shown,
    ) {
        let watches = &mut *self.0.lock();
        let watch = &mut watches[number];
        chronicle.is_seen(user, shown, Timestamp::ZERO, &watch.name);
        let last = watch.told.insert(user, (by, shown.changed_at));
        if let Some((whose, before)) = last
            && whose == by
            && shown.changed_at < before
            && !chronicle.is_empty_since(user, shown, before)
        {
            let how =
                format!("{} is told {shown:?} after what shows since {}", watch.name, before.as_millis());
            chronicle.breaks(Law::Order, Some(user), how);
        }
    }

    /// From now on this is what the watcher knows of a user.
    pub(crate) fn learns(&self, number: Number, user: UserId, shown: Shown) {
        self.0.lock()[number].known.insert(user, shown);
    }

    /// The same from one of several who tell, each in an order of its own: what shows since later is newer.
    pub(crate) fn takes(&self, number: Number, user: UserId, shown: Shown) {
        take(&mut self.0.lock()[number].known, user, shown);
    }

    /// The watcher is told that a user is not to be seen any more.
    pub(crate) fn forgets(&self, number: Number, user: UserId) {
        self.0.lock()[number].known.remove(&user);
    }

    /// The watcher begins anew.
    pub(crate) fn begins_anew(&self, number: Number) {
        self.0.lock()[number].known.clear();
    }

    /// Who has not been told how things are, if somebody has not: whom of, and what they know.
    pub(crate) fn behind(&self, chronicle: &Chronicle) -> Option<(UserId, String)> {
        let (watches, now) = (self.0.lock(), time::now());
        watches.iter().find_map(|watch| watch.behind(chronicle, now))
    }
}

/// Keeps the newest of what different nodes tell.
pub(crate) fn take(known: &mut BTreeMap<UserId, Shown>, user: UserId, shown: Shown) {
    if known.get(&user).is_none_or(|known| known.changed_at <= shown.changed_at) {
        known.insert(user, shown);
    }
}

impl Watch {
    fn behind(&self, chronicle: &Chronicle, now: Timestamp) -> Option<(UserId, String)> {
        self.users.iter().find_map(|user| {
            let (pair, stamps) = chronicle.truth(*user, now)?;
            let known = self.known.get(user);
            let counts = if self.pair_alone { stamps.state_since } else { stamps.changed_at };
            let is_right = match (pair, known) {
                _ if chronicle.may_be_untold(*user, counts) => true,
                // Who is hidden is not told of, and is taken back where that can be done.
                (None, known) => self.pair_alone || known.is_none(),
                (Some(_), _) if self.pair_alone && stamps.state_since <= self.since => true,
                (Some(_), None) => false,
                (Some(pair), Some(known)) => {
                    known.pair == pair.to_string()
                        && (known.changed_at >= counts || !chronicle.knows_stamps(*user))
                }
            };
            let how = || format!("{} knows {known:?}, and it is {pair:?} since {stamps:?}", self.name);
            (!is_right).then(|| (*user, how()))
        })
    }
}
