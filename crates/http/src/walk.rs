//! A walk through users in ascending order of ids, in search of those who have changed.

use porchlight_engine::{Cursor, Engine, Tenant};
use porchlight_presence::{Timestamp, UserId};

use crate::audience::Audience;

/// How many users are looked at before others have their turn.
pub(crate) const LOOKS: usize = 256;

/// How many users are kept in mind as those who may have changed; when it is more, everybody is looked at.
const IN_MIND: usize = 4096;

/// Whom to look at.
pub(crate) enum Walk {
    Everybody,
    /// These, in ascending order.
    Users(Vec<UserId>),
}

impl Walk {
    /// A walk that comes by everybody of the audience; by those at least who have changed since, when a cursor is given.
    pub(crate) fn new(engine: &Engine, tenant: &Tenant, audience: &Audience, since: Option<Cursor>) -> Walk {
        if let Some(users) = audience.users() {
            return Walk::Users(users.to_vec());
        }
        let recent = since.and_then(|since| recent(engine, tenant, since));
        recent.map_or(Walk::Everybody, Walk::Users)
    }

    /// The next users after this one: fewer than [`LOOKS`] only when there are no more.
    pub(crate) fn next(&self, tenant: &Tenant, after: Option<UserId>) -> Vec<UserId> {
        match self {
            Walk::Everybody => tenant.directory().ids_after(after, LOOKS),
            Walk::Users(users) => {
                let from = users.partition_point(|user| after.is_some_and(|after| *user <= after));
                users[from..].iter().take(LOOKS).copied().collect()
            }
        }
    }

    /// Who has left the directory since, as far as the walk does not come by them.
    pub(crate) fn departed(&self, tenant: &Tenant, since: Cursor) -> Vec<UserId> {
        match self {
            Walk::Everybody => {
                let mut moved = tenant.directory().changed_since(since.revision);
                moved.retain(|user| !tenant.is_somebody(*user));
                moved
            }
            Walk::Users(_) => Vec::new(),
        }
    }
}

/// Who may have changed since, if they are few and the feed still knows.
fn recent(engine: &Engine, tenant: &Tenant, since: Cursor) -> Option<Vec<UserId>> {
    let changes = engine.recent(tenant, since)?;
    let moved = tenant.directory().changed_since(since.revision);
    let mut users: Vec<UserId> = changes.into_iter().map(|change| change.user).chain(moved).collect();
    users.sort_unstable();
    users.dedup();
    (users.len() <= IN_MIND).then_some(users)
}

/// Since when what a user shows at `now` is as it is.
pub(crate) fn changed_at(tenant: &Tenant, user: UserId, now: Timestamp) -> Timestamp {
    tenant.view(user, now).show(now, |seen| seen.stamps.changed_at)
}
