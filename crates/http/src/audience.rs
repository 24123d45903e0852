//! Whom a question is about.

use std::collections::HashSet;

use porchlight_engine::{Tenant, View};
use porchlight_presence::{Presence, Timestamp, UserId};
use rapidhash::fast::RandomState;

use crate::call::Call;
use crate::error::Error;
use crate::odata::{Filter, Options};

/// Those whom a list, a delta query or a stream is about.
pub(crate) struct Audience {
    filter: Option<UserFilter>,
    /// The only users who can match, in ascending order; `None` when anybody may.
    users: Option<Vec<UserId>>,
}

/// A filter whose users are known: each name is looked up once, not once for everybody who is asked about.
type UserFilter = Filter<HashSet<UserId, RandomState>>;

/// Why somebody who was told of a user is told that they are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    /// The user does not match any more, or is hidden.
    Changed,
    /// The user has left the directory.
    Deleted,
}

impl Removed {
    /// As `@removed` says it. Source: OData 4.01 JSON, 15.3.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Removed::Changed => "changed",
            Removed::Deleted => "deleted",
        }
    }
}

impl Audience {
    /// Everybody.
    pub(crate) fn everybody() -> Audience {
        Audience { filter: None, users: None }
    }

    /// One user.
    pub(crate) fn one(user: UserId) -> Audience {
        Audience { filter: None, users: Some(vec![user]) }
    }

    /// Those whom the `$filter` of a call means; everybody without one.
    ///
    /// # Errors
    ///
    /// E28 and E21.
    pub(crate) fn read(call: &Call<'_>, options: &Options<'_>) -> Result<Audience, Error> {
        let Some(text) = options.get("$filter") else { return Ok(Audience::everybody()) };
        let filter = Filter::parse(text, call.settings.profile, call.settings.limits.ids_max)?;
        let users =
            |ids: &Vec<String>| ids.iter().filter_map(|id| call.tenant().resolve_also_deleted(id)).collect();
        let filter: UserFilter = filter.map(&users);
        let candidates = filter.candidates().map(|candidates| {
            let mut users: Vec<UserId> = candidates.into_iter().flatten().copied().collect();
            users.sort_unstable();
            users.dedup();
            users
        });
        Ok(Audience { filter: Some(filter), users: candidates })
    }

    /// The only users who can match, in ascending order; `None` when anybody may.
    pub(crate) fn users(&self) -> Option<&[UserId]> {
        self.users.as_deref()
    }

    /// What somebody who follows sees of a user.
    pub(crate) fn look(&self, tenant: &Tenant, user: UserId, now: Timestamp) -> Result<View, Removed> {
        if !tenant.is_somebody(user) {
            return Err(Removed::Deleted);
        }
        let view = tenant.view(user, now);
        let matches =
            self.filter.as_ref().is_none_or(|filter| view.show(now, |seen| holds(filter, user, seen)));
        if matches && !tenant.is_hidden(user) { Ok(view) } else { Err(Removed::Changed) }
    }

    /// Everybody after this user who matches, in ascending order of ids.
    pub(crate) fn matching<'a>(
        &'a self,
        tenant: &'a Tenant,
        after: Option<UserId>,
        now: Timestamp,
    ) -> Box<dyn Iterator<Item = UserId> + 'a> {
        let Some(filter) = &self.filter else { return Box::new(everybody(tenant, after)) };
        let matches =
            move |user: &UserId| tenant.view(*user, now).show(now, |seen| holds(filter, *user, seen));
        match &self.users {
            None => Box::new(everybody(tenant, after).filter(matches)),
            Some(users) => {
                let from = users.partition_point(|user| after.is_some_and(|after| *user <= after));
                let somebody = move |user: &UserId| tenant.is_somebody(*user);
                Box::new(users[from..].iter().copied().filter(somebody).filter(matches))
            }
        }
    }
}

/// Everybody in the directory after this user, a slice of it under its lock at a time.
fn everybody(tenant: &Tenant, after: Option<UserId>) -> impl Iterator<Item = UserId> {
    const SLICE: usize = 1024;
    let mut last = after;
    std::iter::from_fn(move || {
        let slice = tenant.directory().ids_after(last, SLICE);
        last = slice.last().copied().or(last);
        (!slice.is_empty()).then_some(slice)
    })
    .flatten()
}

fn holds(filter: &UserFilter, user: UserId, presence: &Presence<'_>) -> bool {
    match filter {
        Filter::IdIn(users) => users.contains(&user),
        Filter::Availability(availability) => presence.pair.availability == *availability,
        Filter::Activity(activity) => presence.pair.activity == *activity,
        Filter::All(parts) => parts.iter().all(|part| holds(part, user, presence)),
        Filter::Any(parts) => parts.iter().any(|part| holds(part, user, presence)),
    }
}
