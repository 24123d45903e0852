//! Whom a question about the collection is about.

use std::collections::HashSet;

use porchlight_engine::{Tenant, View};
use porchlight_presence::{Presence, Timestamp, UserId};
use rapidhash::fast::RandomState;

use crate::call::Call;
use crate::error::Error;
use crate::odata::{Filter, Options};

/// A filter whose users are known: each name is looked up once, not once for everybody who is asked about.
pub(super) type UserFilter = Filter<HashSet<UserId, RandomState>>;

/// The `$filter` of a call.
///
/// # Errors
///
/// E28 and E21.
pub(super) fn filter(
    call: &Call<'_>,
    options: &Options<'_>,
    tenant: &Tenant,
) -> Result<Option<UserFilter>, Error> {
    let Some(text) = options.get("$filter") else { return Ok(None) };
    let filter = Filter::parse(text, call.settings.profile, call.settings.limits.ids_max)?;
    let users = |ids: &Vec<String>| ids.iter().filter_map(|id| tenant.resolve(id)).collect();
    Ok(Some(filter.map(&users)))
}

/// The only users that can match, in ascending order; `None` when anybody may.
pub(super) fn candidates(filter: &UserFilter) -> Option<Vec<UserId>> {
    let mut users: Vec<UserId> = filter.candidates()?.into_iter().flatten().copied().collect();
    users.sort_unstable();
    users.dedup();
    Some(users)
}

/// Why somebody who was told of a user is told that they are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    /// The user does not match any more, or is hidden.
    Changed,
    /// The user has left the directory.
    Deleted,
}

/// What a follower sees of a user who has changed.
pub(super) fn followed(
    tenant: &Tenant,
    filter: Option<&UserFilter>,
    user: UserId,
    now: Timestamp,
) -> Result<View, Removed> {
    if !tenant.is_somebody(user) {
        return Err(Removed::Deleted);
    }
    let view = tenant.view(user, now);
    let matches = filter.is_none_or(|filter| view.show(now, |seen| holds(filter, user, seen)));
    if matches && !tenant.is_hidden(user) { Ok(view) } else { Err(Removed::Changed) }
}

/// Everybody who matches, in ascending order of ids.
pub(super) fn matching<'a>(
    tenant: &'a Tenant,
    filter: Option<&'a UserFilter>,
    now: Timestamp,
) -> Box<dyn Iterator<Item = UserId> + 'a> {
    let Some(filter) = filter else { return Box::new(everybody(tenant)) };
    let matches = move |user: &UserId| tenant.view(*user, now).show(now, |seen| holds(filter, *user, seen));
    match candidates(filter) {
        None => Box::new(everybody(tenant).filter(matches)),
        Some(users) => Box::new(users.into_iter().filter(matches)),
    }
}

/// Everybody in the directory, a slice of it under its lock at a time.
fn everybody(tenant: &Tenant) -> impl Iterator<Item = UserId> {
    const SLICE: usize = 1024;
    let mut last = None;
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
