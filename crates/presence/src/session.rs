//! A presence session: what one application says of a user.

use crate::limits::Limits;
use crate::{Availability, Pair, SessionKey, Timestamp};

/// What one application says of a user, until it ends.
///
/// Its deadlines were fixed when it was set; they do not depend on later settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub(crate) key: SessionKey,
    pub(crate) pair: Pair,
    pub(crate) set_at: Timestamp,
    /// When an available session becomes inactive and then away; `None` where it ends before or never fades.
    pub(crate) inactive_at: Option<Timestamp>,
    pub(crate) away_at: Option<Timestamp>,
    pub(crate) ends_at: Timestamp,
    /// Set within 15 s after the same session had ended: its client renews too late.
    pub(crate) renewed_late: bool,
}

impl Session {
    /// A session set now. `duration` has been checked; the grace of the limits is added to its end.
    pub(crate) fn new(
        key: SessionKey,
        pair: Pair,
        now: Timestamp,
        duration: std::time::Duration,
        limits: &Limits,
    ) -> Session {
        let nominal_end = now.plus(duration);
        let fades = limits.fade.filter(|_| pair.availability == Availability::Available);
        // The end wins over a fade at the same instant, and the grace never lets a fade show that would not without.
        let before_end = |at: Timestamp| (at < nominal_end).then_some(at);
        Session {
            key,
            pair,
            set_at: now,
            inactive_at: fades.and_then(|fade| before_end(now.plus(fade.inactive_after))),
            away_at: fades.and_then(|fade| before_end(now.plus(fade.away_after))),
            ends_at: nominal_end.plus(limits.expiry_grace),
            renewed_late: false,
        }
    }

    /// Which session this is.
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// Whether it was set within 15 s after the same session had ended: its client renews too late.
    pub fn was_renewed_late(&self) -> bool {
        self.renewed_late
    }

    /// What the session says at `now`: its pair, or what that has faded to. `None`: it has ended.
    ///
    /// Intervals are half-open: at exactly a deadline the new state holds. Source: presence-api 10.1.
    pub fn pair_at(&self, now: Timestamp) -> Option<Pair> {
        let reached = |deadline: Option<Timestamp>| deadline.is_some_and(|at| at <= now);
        if self.ends_at <= now {
            None
        } else if reached(self.away_at) {
            Some(Pair::AWAY)
        } else if reached(self.inactive_at) {
            Some(Pair::INACTIVE)
        } else {
            Some(self.pair)
        }
    }

    /// First instant after `now` at which this session changes by the passage of time alone.
    ///
    /// `None`: it has ended. Source: Graph, "presence: setPresence", section "Timeout, expiration, and keep alive".
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        [self.inactive_at, self.away_at, Some(self.ends_at)]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }
}
