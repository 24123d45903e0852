//! The keys of the log.

use porchlight_presence::{TenantId, UserId};
use porchlight_store::Key;
use uuid::Uuid;

/// Where development keeps how far its clock was moved.
pub(crate) const CLOCK: &str = "development/clock";

/// What a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A user's record.
    User(TenantId, UserId),
    /// A person's directory entry.
    Person(TenantId, UserId),
    /// How far development's clock was moved.
    Clock,
    /// Something whose value the engine does not keep, such as the claim of a name.
    Other,
}

/// `user/{tenant}/{id}`.
pub(crate) fn user(tenant: TenantId, user: UserId) -> Key {
    Key::new(format!("user/{tenant}/{user}"))
}

/// `directory/{tenant}/{id}`.
pub(crate) fn person(tenant: TenantId, user: UserId) -> Key {
    Key::new(format!("directory/{tenant}/{user}"))
}

/// `name/{tenant}/{user principal name}`, the name in lower case: whoever creates it owns the name.
pub(crate) fn name(tenant: TenantId, user_principal_name: &str) -> Key {
    Key::new(format!("name/{tenant}/{}", user_principal_name.to_lowercase()))
}

/// What `key` names.
pub(crate) fn parse(key: &Key) -> Named {
    let text = key.as_str();
    if text == CLOCK {
        return Named::Clock;
    }
    let (kind, rest) = text.split_once('/').unwrap_or((text, ""));
    let ids = || {
        let (tenant, user) = rest.split_once('/')?;
        Some((TenantId(Uuid::try_parse(tenant).ok()?), UserId(Uuid::try_parse(user).ok()?)))
    };
    match (kind, ids()) {
        ("user", Some((tenant, user))) => Named::User(tenant, user),
        ("directory", Some((tenant, user))) => Named::Person(tenant, user),
        _ => Named::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back() {
        let (tenant, id) = (TenantId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        assert_eq!(parse(&user(tenant, id)), Named::User(tenant, id));
        assert_eq!(parse(&person(tenant, id)), Named::Person(tenant, id));
        assert_eq!(parse(&name(tenant, "Ada@Example.ORG")), Named::Other);
        assert_eq!(parse(&Key::new(CLOCK)), Named::Clock);
        assert_eq!(name(tenant, "Ada@Example.ORG").as_str().rsplit('/').next(), Some("ada@example.org"));
    }
}
