//! The keys of the log.

use porchlight_presence::{TenantId, UserId};
use porchlight_store::Key;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// Where development keeps how far its clock was moved.
pub(crate) const CLOCK: &str = "development/clock";

/// What the keys begin with of where development began anew.
const BEGINNING: &str = "development/";

/// Where secrets are kept.
const SECRET: &str = "key/";

/// What the keys begin with whose entries are another part's business: see [`crate::Keeper`].
const KEPT: [&str; 2] = ["subscription/", "cursor/"];

/// What a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named<'k> {
    /// A user's record.
    User(TenantId, UserId),
    /// A person's directory entry.
    Person(TenantId, UserId),
    /// The claim of a user principal name, in lower case.
    Name(TenantId, &'k str),
    /// What this installation alone knows, such as the key that it signs with.
    Secret(&'k str),
    /// What the engine keeps for another part of the program.
    Kept,
    /// How far development's clock was moved.
    Clock,
    /// Where development began anew with the tenant.
    Beginning(TenantId),
    /// Something whose value the engine does not keep.
    Other,
}

impl Named<'_> {
    /// The user, if it is a user's record.
    pub(crate) fn user(self) -> Option<UserId> {
        match self {
            Named::User(_, user) => Some(user),
            Named::Person(..)
            | Named::Name(..)
            | Named::Secret(_)
            | Named::Kept
            | Named::Clock
            | Named::Beginning(_)
            | Named::Other => None,
        }
    }
}

/// `user/{tenant}/{id}`.
pub(crate) fn user(tenant: TenantId, user: UserId) -> Key {
    of_two("user/", tenant, user)
}

/// `directory/{tenant}/{id}`.
pub(crate) fn person(tenant: TenantId, user: UserId) -> Key {
    of_two("directory/", tenant, user)
}

/// Put together without the machinery of formats, since every write makes one.
fn of_two(kind: &str, tenant: TenantId, user: UserId) -> Key {
    let (mut one, mut other) = ([0; Hyphenated::LENGTH], [0; Hyphenated::LENGTH]);
    let (tenant, user) = (tenant.0.hyphenated(), user.0.hyphenated());
    Key::new([kind, tenant.encode_lower(&mut one), "/", user.encode_lower(&mut other)].concat())
}

/// `name/{tenant}/{user principal name}`, the name in ASCII lower case: whoever creates it owns the name.
pub(crate) fn name(tenant: TenantId, user_principal_name: &str) -> Key {
    Key::new(format!("name/{tenant}/{}", user_principal_name.to_ascii_lowercase()))
}

/// `development/{tenant}`: of one part with everything of the tenant, so that it comes in order with that.
pub(crate) fn beginning(tenant: TenantId) -> Key {
    Key::new(format!("{BEGINNING}{tenant}"))
}

/// `key/{name}`.
pub(crate) fn secret(name: &str) -> Key {
    Key::new([SECRET, name].concat())
}

/// What `key` names.
pub(crate) fn parse(key: &Key) -> Named<'_> {
    let text = key.as_str();
    if text == CLOCK {
        return Named::Clock;
    }
    if let Some(tenant) = text.strip_prefix(BEGINNING) {
        return Uuid::try_parse(tenant).map_or(Named::Other, |tenant| Named::Beginning(TenantId(tenant)));
    }
    if let Some(name) = text.strip_prefix(SECRET) {
        return Named::Secret(name);
    }
    if KEPT.iter().any(|kept| text.starts_with(kept)) {
        return Named::Kept;
    }
    let named = || {
        let (kind, rest) = text.split_once('/')?;
        let (tenant, rest) = rest.split_once('/')?;
        let tenant = TenantId(Uuid::try_parse(tenant).ok()?);
        match kind {
            "user" => Some(Named::User(tenant, UserId(Uuid::try_parse(rest).ok()?))),
            "directory" => Some(Named::Person(tenant, UserId(Uuid::try_parse(rest).ok()?))),
            "name" => Some(Named::Name(tenant, rest)),
            _ => None,
        }
    };
    named().unwrap_or(Named::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back() {
        let (tenant, id) = (TenantId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        assert_eq!(parse(&user(tenant, id)), Named::User(tenant, id));
        assert_eq!(parse(&person(tenant, id)), Named::Person(tenant, id));
        assert_eq!(parse(&name(tenant, "Ada@Example.ORG")), Named::Name(tenant, "ada@example.org"));
        assert_eq!(parse(&Key::new("user/x/y")), Named::Other);
        assert_eq!(parse(&secret("cursor")), Named::Secret("cursor"));
        assert_eq!(parse(&Key::new(CLOCK)), Named::Clock);
        assert_eq!(parse(&beginning(tenant)), Named::Beginning(tenant));
        assert_eq!(beginning(tenant).part(), user(tenant, id).part());
        assert_eq!(parse(&Key::new("development/x")), Named::Other);
    }
}
