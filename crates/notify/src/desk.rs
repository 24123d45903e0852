//! A tenant's feed, and which subscriptions follow it.

use std::collections::HashMap;
use std::sync::Arc;

use porchlight_engine::{Change, Cursor, Engine, Tenant};
use porchlight_presence::UserId;
use rapidhash::fast::RandomState;
use uuid::Uuid;

use crate::subscription::{Subscription, Target};

/// One tenant's feed, and who follows it.
pub(crate) struct Desk {
    pub(crate) tenant: Arc<Tenant>,
    /// The next change of the feed.
    pub(crate) number: u64,
    /// Every change up to here was noted.
    pub(crate) through: Cursor,
    by_user: Subscriptions,
    everybody: Vec<Uuid>,
    /// In whose name which were made.
    by_creator: Subscriptions,
}

/// Subscriptions by user.
type Subscriptions = HashMap<UserId, Vec<Uuid>, RandomState>;

impl Desk {
    /// A desk that notes what comes from now on.
    pub(crate) fn new(tenant: Arc<Tenant>, engine: &Engine) -> Desk {
        // In this order: what is not on the feed by then is later than the cursor.
        let through = engine.feed_cursor(&tenant);
        Desk {
            number: tenant.feed().pushed(),
            through,
            tenant,
            by_user: Subscriptions::default(),
            everybody: Vec::new(),
            by_creator: Subscriptions::default(),
        }
    }

    /// A subscription follows from now on.
    pub(crate) fn add(&mut self, subscription: &Subscription) {
        let id = subscription.id;
        if let Some(creator) = subscription.user() {
            self.by_creator.entry(creator).or_default().push(id);
        }
        match &subscription.target {
            Target::Everybody => self.everybody.push(id),
            Target::Users(users) => {
                for user in users {
                    self.by_user.entry(*user).or_default().push(id);
                }
            }
        }
    }

    /// A subscription follows no more.
    pub(crate) fn remove(&mut self, subscription: &Subscription) {
        let id = subscription.id;
        if let Some(creator) = subscription.user() {
            forget(&mut self.by_creator, creator, id);
        }
        match &subscription.target {
            Target::Everybody => self.everybody.retain(|other| *other != id),
            Target::Users(users) => users.iter().for_each(|user| forget(&mut self.by_user, *user, id)),
        }
    }

    /// Whether nobody follows.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_user.is_empty() && self.everybody.is_empty()
    }

    /// Whoever follows.
    pub(crate) fn followers(&self) -> impl Iterator<Item = Uuid> {
        self.by_user.values().flatten().chain(&self.everybody).copied()
    }

    /// Who has to hear of this change.
    pub(crate) fn followers_of(&self, change: &Change) -> impl Iterator<Item = Uuid> {
        self.by_user.get(&change.user).into_iter().flatten().chain(&self.everybody).copied()
    }

    /// Whether a user may not sign in any more. Who is not known at all is not meant: in a cluster a subscription may come
    /// before word of whoever made it.
    pub(crate) fn is_locked_out(&self, user: UserId) -> bool {
        self.tenant.was_deleted(user) || self.tenant.is_hidden(user)
    }

    /// The subscriptions in the name of the user who has changed, if that user may not sign in any more.
    pub(crate) fn orphans_of(&self, change: &Change) -> &[Uuid] {
        let made = self.by_creator.get(&change.user);
        made.filter(|_| self.is_locked_out(change.user)).map_or(&[], Vec::as_slice)
    }

    /// The subscriptions in the name of anybody who may not sign in any more.
    pub(crate) fn orphans(&self) -> Vec<Uuid> {
        let made = self.by_creator.iter().filter(|(creator, _)| self.is_locked_out(**creator));
        made.flat_map(|(_, ids)| ids).copied().collect()
    }
}

/// Takes a subscription from among those of a user.
fn forget(of: &mut Subscriptions, user: UserId, id: Uuid) {
    if let Some(ids) = of.get_mut(&user) {
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            of.remove(&user);
        }
    }
}
