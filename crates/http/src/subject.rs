//! Whom the `resource` of a subscription names. Source: subscriptions-and-auth 3.
//!
//! Read with the same readers as the paths and filters of requests, so that what can be asked for can be subscribed to
//! by the same name.

use std::borrow::Cow;
use std::collections::BTreeSet;

use porchlight_presence::UserId;

use crate::odata::{Filter, Options};
use crate::resource::{PresencePath, Resource, Root, UserKey};
use crate::settings::Profile;
use crate::subscription_error::SubscriptionError;
use crate::wire::guid;

/// Whom a resource names, before any name is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject<'r> {
    /// Everybody of the tenant.
    Everybody,
    /// These, in ascending order, each once; whether there are such users does not matter.
    Users(Vec<UserId>),
    /// Whoever asks.
    Caller,
    /// The user with this user principal name or mail address.
    Person(Cow<'r, str>),
}

impl<'r> Subject<'r> {
    /// Reads a resource.
    ///
    /// # Errors
    ///
    /// E9 for what is no presence, E10 for a presence that is asked for in another way than there is, E11.
    pub(crate) fn parse(
        resource: &'r str,
        profile: Profile,
        users_max: usize,
    ) -> Result<Subject<'r>, SubscriptionError> {
        let resource = resource.strip_prefix('/').unwrap_or(resource);
        let (path, query) = match resource.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (resource, None),
        };
        let is_open = profile == Profile::Open;
        let parsed = Resource::parse(path).map_err(|_| SubscriptionError::Workload)?;
        match (parsed, query) {
            (Resource::Presences, Some(query)) => ids(query, profile, users_max).map(Subject::Users),
            (Resource::Presences, None) if is_open => Ok(Subject::Everybody),
            (Resource::Presence(PresencePath { root: Root::Communications, key }), None) => match key {
                UserKey::Named(id) => one(&id).ok_or(SubscriptionError::FilterClause),
                UserKey::Me => Err(SubscriptionError::FilterClause),
            },
            (Resource::Presence(PresencePath { root: Root::Users, key }), None) if is_open => Ok(match key {
                UserKey::Me => Subject::Caller,
                UserKey::Named(name) => one(&name).unwrap_or(Subject::Person(name)),
            }),
            (Resource::Presences, None) => Err(SubscriptionError::FilterClause),
            (Resource::Presence(path), _) if is_open || path.root == Root::Communications => {
                Err(SubscriptionError::FilterClause)
            }
            _ => Err(SubscriptionError::Workload),
        }
    }
}

/// The users whom a query string names: `$filter` with nothing but ids.
fn ids(query: &str, profile: Profile, users_max: usize) -> Result<Vec<UserId>, SubscriptionError> {
    const BAD: SubscriptionError = SubscriptionError::FilterClause;
    // An option that nobody reads would make another subscription than was asked for.
    if query.contains('&') {
        return Err(BAD);
    }
    let options = Options::parse(query).map_err(|_| BAD)?;
    let filter = options.get("$filter").ok_or(BAD)?;
    // The limit is on distinct users, so it is not the parser's.
    let Ok(Filter::IdIn(ids)) = Filter::parse(filter, profile, usize::MAX) else { return Err(BAD) };
    let users: Option<BTreeSet<UserId>> = ids.iter().map(|id| guid(id)).collect();
    let users = users.ok_or(BAD)?;
    if users.len() > users_max {
        return Err(SubscriptionError::TooManyUsers(users_max));
    }
    Ok(users.into_iter().collect())
}

fn one<'r>(id: &str) -> Option<Subject<'r>> {
    guid(id).map(|user| Subject::Users(vec![user]))
}

/// The user of an id.
fn guid(text: &str) -> Option<UserId> {
    guid::parse(text).map(UserId)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01";
    const BEN: &str = "3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02";

    type Parsed<'r> = Result<Subject<'r>, SubscriptionError>;

    #[expect(clippy::unnecessary_wraps, reason = "it stands in a table of results")]
    fn users(ids: &[&str]) -> Parsed<'static> {
        Ok(Subject::Users(ids.iter().filter_map(|id| guid(id)).collect()))
    }

    #[test]
    fn every_form_of_a_resource_is_read() {
        let (bad_filter, no_workload) = (SubscriptionError::FilterClause, SubscriptionError::Workload);
        let upper = ADA.to_uppercase();
        // Under `open`, under `strict`.
        let table = [
            (format!("communications/presences/{ADA}"), users(&[ADA]), users(&[ADA])),
            (format!("/communications/presences/{ADA}"), users(&[ADA]), users(&[ADA])),
            (format!("/Communications/Presences('{upper}')"), users(&[ADA]), users(&[ADA])),
            (format!("communications/presences(%27{ADA}%27)"), users(&[ADA]), users(&[ADA])),
            (
                format!("/communications/presences?$filter=id in ('{ADA}','{BEN}', '{ADA}')"),
                users(&[BEN, ADA]),
                users(&[BEN, ADA]),
            ),
            (
                format!("communications/presences?%24filter=id+in+(%27{ADA}%27,%20%27{BEN}%27)"),
                users(&[BEN, ADA]),
                users(&[BEN, ADA]),
            ),
            (format!("communications/presences?$filter=id eq '{ADA}'"), users(&[ADA]), users(&[ADA])),
            (
                format!("communications/presences?$filter=id in ({ADA},{BEN})"),
                users(&[BEN, ADA]),
                Err(bad_filter.clone()),
            ),
            ("/communications/presences".to_owned(), Ok(Subject::Everybody), Err(bad_filter.clone())),
            ("me/presence".to_owned(), Ok(Subject::Caller), Err(no_workload.clone())),
            (format!("/users/{ADA}/presence"), users(&[ADA]), Err(no_workload.clone())),
            (
                "users('ada@x.y')/presence".to_owned(),
                Ok(Subject::Person("ada@x.y".into())),
                Err(no_workload.clone()),
            ),
        ];
        for (resource, open, strict) in table {
            assert_eq!(Subject::parse(&resource, Profile::Open, 2), open, "{resource}");
            assert_eq!(Subject::parse(&resource, Profile::Strict, 2), strict, "{resource}");
        }
    }

    #[test]
    fn what_is_none_is_told_apart() {
        let filters = [
            "communications/presences/ada@x.y".to_owned(),
            "communications/presences?".to_owned(),
            "communications/presences?filter=id eq 'x'".to_owned(),
            "communications/presences?$filter=id in ('x')".to_owned(),
            "communications/presences?$filter=availability eq 'Busy'".to_owned(),
            format!("communications/presences?$filter=id eq '{ADA}' or id eq '{BEN}'"),
            format!("communications/presences?$filter=id eq '{ADA}'&$select=activity"),
            format!("communications/presences/{ADA}?$select=activity"),
            "communications/presences?$filter=%ff".to_owned(),
        ];
        let workloads = [
            "users",
            "me",
            "/me/messages",
            "communications/presences/delta",
            "https://graph.microsoft.com/v1.0/communications/presences",
            "v1.0/communications/presences",
            "//communications/presences",
            "communications/presences('x",
        ];
        for profile in [Profile::Open, Profile::Strict] {
            for resource in &filters {
                let parsed = Subject::parse(resource, profile, 650);
                assert_eq!(parsed, Err(SubscriptionError::FilterClause), "{resource}");
            }
            for resource in workloads {
                let parsed = Subject::parse(resource, profile, 650);
                assert_eq!(parsed, Err(SubscriptionError::Workload), "{resource}");
            }
        }
        let selected = Subject::parse("me/presence?$select=activity", Profile::Open, 650);
        assert_eq!(selected, Err(SubscriptionError::FilterClause));
    }

    #[test]
    fn the_limit_is_on_distinct_users() {
        let resource = format!("communications/presences?$filter=id in ('{ADA}','{ADA}','{BEN}')");
        assert!(Subject::parse(&resource, Profile::Strict, 2).is_ok());
        let refused = Subject::parse(&resource, Profile::Strict, 1);
        assert_eq!(refused, Err(SubscriptionError::TooManyUsers(1)));
    }
}
