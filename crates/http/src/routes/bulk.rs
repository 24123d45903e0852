//! Many presences by id.

use std::collections::HashSet;
use std::hash::BuildHasher;

use porchlight_engine::View;
use porchlight_presence::{Timestamp, UserId};
use rapidhash::fast::RandomState;

use super::collection::annotation;
use crate::body::Body;
use crate::call::Call;
use crate::error::Error;
use crate::odata::{Options, Select};
use crate::reply::{MetadataLevel, Reply};
use crate::settings::Profile;
use crate::wire::ids::{self, Id};
use crate::wire::json::Json;
use crate::wire::presence::{self, Annotations};

/// POST `/communications/getPresencesByUserId` (P6)
pub(crate) async fn by_user_id(call: &Call<'_>, body: Body) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    call.caller.may_read_everybody().or_else(|_| only_own(call))?;
    let options = Options::parse(call.query)?;
    options.check(&["$select"], &["$expand"], call.settings.profile)?;
    let select = Select::parse(options.get("$select"))?;
    let bytes = call.read_json(body).await?;
    let max = call.settings.limits.ids_max;
    if let Some(ids) = ids::guids(&bytes, max) {
        return answer(call, ids, &select, level);
    }
    let body = Json::parse(&bytes)?.into_object()?;
    answer(call, ids::listed(&body, max)?, &select, level)
}

/// A user without the right to read everybody may still name themselves alone.
fn only_own(call: &Call<'_>) -> Result<(), Error> {
    let everybody = call.caller.may_read_everybody();
    if call.caller.user.is_some() && call.caller.may_read_own().is_ok() { Ok(()) } else { everybody }
}

fn answer(call: &Call<'_>, ids: Vec<Id<'_>>, select: &Select, level: MetadataLevel) -> Result<Reply, Error> {
    let found = find(call, ids)?;
    let mut out = Vec::with_capacity(256 * (found.ids.len() + 1));
    out.push(b'{');
    if level != MetadataLevel::None {
        let context = format!("{}/$metadata#Collection(microsoft.graph.presence)", call.base);
        annotation(&mut out, "@odata.context", &context);
    }
    out.extend_from_slice(b"\"value\":[");
    let full = (level == MetadataLevel::Full).then_some(call.base);
    found.write(&mut out, call, select, Annotations { context: None, full });
    out.extend_from_slice(b"]}");
    Ok(Reply::odata(out, level))
}

/// Who was asked for, and what was seen of them.
struct Found<'b> {
    ids: Vec<Id<'b>>,
    /// The users of those ids that mean one, in their order.
    users: Vec<UserId>,
    /// Of each of them: whether that is somebody, and the view.
    seen: Vec<(bool, View)>,
    now: Timestamp,
}

/// Looks for everybody, and refuses what the caller may not ask.
fn find<'b>(call: &Call<'_>, mut ids: Vec<Id<'b>>) -> Result<Found<'b>, Error> {
    let tenant = call.tenant();
    for id in ids.iter_mut().filter(|id| id.user.is_none()) {
        id.user = tenant.resolve(id.text());
    }
    if call.settings.profile == Profile::Strict
        && let Some(at) = ids.iter().position(|id| id.user.is_none())
    {
        return Err(Error::BadId(at));
    }
    // The time before the records: see `presence::get`.
    let now = call.engine.now();
    let users: Vec<UserId> = ids.iter().filter_map(|id| id.user).collect();
    let seen = tenant.look_at_all(&users, now);
    let is_own = |id: &Id<'_>| id.user.is_some_and(|user| call.caller.is(user));
    if !(ids.iter().all(is_own) && seen.iter().all(|(is_somebody, _)| *is_somebody)) {
        call.caller.may_read_everybody()?;
    }
    Ok(Found { ids, users, seen, now })
}

impl Found<'_> {
    /// Appends an element for everybody who was asked for, and for every id that nobody has, where it stood
    /// first.
    fn write(&self, out: &mut Vec<u8>, call: &Call<'_>, select: &Select, annotations: Annotations<'_>) {
        let (mut known, mut unknown) = (Known::among(&self.users), HashSet::new());
        let mut seen = self.seen.iter().enumerate();
        let start = out.len();
        for id in &self.ids {
            let (is_first, found) = match id.user {
                None => (unknown.insert(id.text().to_ascii_lowercase()), None),
                Some(user) => {
                    let (place, (is_somebody, view)) = seen.next().expect("every user was looked at");
                    (known.is_first(place), is_somebody.then_some((user, view)))
                }
            };
            if !is_first {
                continue;
            }
            if out.len() > start {
                out.push(b',');
            }
            match found {
                Some((user, view)) => view.show(self.now, |seen| {
                    presence::write(out, user, seen, call.caller.reader(user), select, annotations);
                }),
                None => presence::write_unknown(out, id.text(), select),
            }
        }
    }
}

/// Which users of a list were met before: a set from which nothing is ever taken, in a few kilobytes.
struct Known<'u> {
    users: &'u [UserId],
    hash: RandomState,
    /// Places in the list, counted from one: each at the hash of its user, or behind, where the first zero
    /// was. At least half of them stay zero.
    places: Vec<u32>,
}

impl Known<'_> {
    fn among(users: &[UserId]) -> Known<'_> {
        let places = vec![0; 2 * users.len().next_power_of_two()];
        Known { users, hash: RandomState::new(), places }
    }

    /// Whether the user at this place in the list is met for the first time.
    fn is_first(&mut self, place: usize) -> bool {
        let user = self.users[place];
        let mask = self.places.len() - 1;
        let mut at = self.hash.hash_one(user) as usize & mask;
        loop {
            match self.places[at] {
                0 => {
                    self.places[at] = place as u32 + 1;
                    return true;
                }
                known if self.users[known as usize - 1] == user => return false,
                _ => at = (at + 1) & mask,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    proptest! {
        #[test]
        fn a_user_is_met_for_the_first_time_once(users in vec(0..40_u128, 0..100)) {
            let users: Vec<UserId> = users.into_iter().map(|user| UserId(Uuid::from_u128(user))).collect();
            let mut known = Known::among(&users);
            for (place, user) in users.iter().enumerate() {
                prop_assert_eq!(known.is_first(place), !users[..place].contains(user));
            }
        }
    }
}
