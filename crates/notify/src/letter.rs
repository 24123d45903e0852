//! Word of a subscription itself. Source: subscriptions-and-auth 18.

use std::sync::Arc;
use std::time::Duration;

use porchlight_presence::Timestamp;
use uuid::Uuid;

use crate::subscription::{GRACE, Subscription};

/// What has happened to a subscription, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It ends soon.
    ReauthorizationRequired,
    /// The server has ended it.
    SubscriptionRemoved(Reason),
    /// Something was not told.
    Missed,
}

/// Why the server has ended a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its time was over.
    Expired,
    /// The right to it was taken back.
    Revoked,
    /// The user in whose name it was made may not sign in any more.
    UserDisabled,
    /// Its endpoint said ten times in a row that nobody is there.
    EndpointGone,
}

/// One lifecycle notification.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its id, the same on every retry.
    pub id: Uuid,
    /// Of which subscription, as it was then.
    pub subscription: Arc<Subscription>,
    /// What has happened.
    pub event: Event,
    written_at: Timestamp,
}

/// For how long a letter is sent again and again. Source: subscriptions-and-auth 17.2.
const PATIENCE: Duration = Duration::from_secs(4 * 60 * 60);

impl Letter {
    /// A letter that is written now.
    pub fn new(subscription: Arc<Subscription>, event: Event, now: Timestamp) -> Letter {
        Letter { id: Uuid::new_v4(), subscription, event, written_at: now }
    }

    /// Whether it is still worth sending.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.written_at) < PATIENCE
    }
}

/// What comes next in the life of a subscription, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is told that it ends soon.
    Warning,
    /// Its time is over.
    End,
    /// It cannot be brought back any more.
    EndOfGrace,
}

/// What comes next after `after`, and when. Source: subscriptions-and-auth 18.3, 10.5.
pub(crate) fn next(subscription: &Subscription, after: Timestamp, strict: bool) -> (Timestamp, Next) {
    let end = subscription.expires_at;
    let warning = warnings(subscription.renewed_at, end, strict).into_iter().find(|at| *at > after);
    if let Some(at) = warning {
        return (at, Next::Warning);
    }
    if end > after {
        return (end, Next::End);
    }
    let end_of_grace = if strict { end } else { end.plus(GRACE) };
    (end_of_grace, Next::EndOfGrace)
}

fn warnings(begun: Timestamp, end: Timestamp, strict: bool) -> Vec<Timestamp> {
    const QUARTER: Duration = Duration::from_secs(15 * 60);
    const LAST: Duration = Duration::from_secs(5 * 60);
    let life = end.since(begun);
    if strict {
        // Every 15 minutes, as long as there are any left.
        let count = u32::try_from(life.as_secs() / QUARTER.as_secs()).unwrap_or(u32::MAX);
        return (1..=count).map(|number| begun.plus(QUARTER * number)).filter(|at| *at < end).collect();
    }
    if life < Duration::from_secs(20 * 60) {
        return vec![begun.plus(life / 2)];
    }
    vec![end.minus(QUARTER), end.minus(LAST)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::Target;
    use crate::subscription::tests::subscription;

    const MINUTE: Duration = Duration::from_secs(60);

    /// The minutes after its making at which something happens in a life of so many minutes.
    fn life(minutes: u32, strict: bool) -> Vec<(u64, Next)> {
        let mut subscription = subscription(1, Target::Everybody);
        let begun = subscription.renewed_at;
        subscription.expires_at = begun.plus(MINUTE * minutes);
        let (mut after, mut events) = (begun, Vec::new());
        loop {
            let (at, event) = next(&subscription, after, strict);
            events.push((at.since(begun).as_secs() / 60, event));
            if event == Next::EndOfGrace {
                return events;
            }
            after = at;
        }
    }

    #[test]
    fn a_subscription_is_warned_of_its_end_and_can_be_brought_back_for_a_while() {
        use Next::{End, EndOfGrace, Warning};
        assert_eq!(life(60, false), [(45, Warning), (55, Warning), (60, End), (65, EndOfGrace)]);
        assert_eq!(life(10, false), [(5, Warning), (10, End), (15, EndOfGrace)]);
        let strict = [(15, Warning), (30, Warning), (45, Warning), (60, End), (60, EndOfGrace)];
        assert_eq!(life(60, true), strict);
    }
}
