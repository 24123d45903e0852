//! Permissions: their names, which kind of token can have them, and sets of them.

use std::fmt;

/// A permission that Porchlight knows. Source: presence-api 5.1, 21.1; subscriptions-and-auth 24.1. The last one is our
/// own: in the original nobody ends what others have subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the protocol's")]
pub enum Permission {
    PresenceRead,
    PresenceReadAll,
    PresenceReadWrite,
    PresenceReadWriteAll,
    UserReadBasicAll,
    UserReadAll,
    UserReadWriteAll,
    SubscriptionReadAll,
    SubscriptionReadWriteAll,
}

impl Permission {
    /// All of them.
    pub const ALL: [Permission; 9] = [
        Permission::PresenceRead,
        Permission::PresenceReadAll,
        Permission::PresenceReadWrite,
        Permission::PresenceReadWriteAll,
        Permission::UserReadBasicAll,
        Permission::UserReadAll,
        Permission::UserReadWriteAll,
        Permission::SubscriptionReadAll,
        Permission::SubscriptionReadWriteAll,
    ];

    /// The name that tokens have.
    pub fn name(self) -> &'static str {
        match self {
            Permission::PresenceRead => "Presence.Read",
            Permission::PresenceReadAll => "Presence.Read.All",
            Permission::PresenceReadWrite => "Presence.ReadWrite",
            Permission::PresenceReadWriteAll => "Presence.ReadWrite.All",
            Permission::UserReadBasicAll => "User.ReadBasic.All",
            Permission::UserReadAll => "User.Read.All",
            Permission::UserReadWriteAll => "User.ReadWrite.All",
            Permission::SubscriptionReadAll => "Subscription.Read.All",
            Permission::SubscriptionReadWriteAll => "Subscription.ReadWrite.All",
        }
    }

    /// The permission of this name: case aside, and whatever stands before the last `/`.
    pub fn from_name(name: &str) -> Option<Permission> {
        let name = name.rsplit('/').next().unwrap_or(name);
        Permission::ALL.into_iter().find(|permission| permission.name().eq_ignore_ascii_case(name))
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u16);

impl Permissions {
    /// What a delegated token can have.
    pub const DELEGATED: Permissions = Permissions::of(&[
        Permission::PresenceRead,
        Permission::PresenceReadAll,
        Permission::PresenceReadWrite,
        Permission::UserReadBasicAll,
        Permission::UserReadAll,
        Permission::UserReadWriteAll,
        Permission::SubscriptionReadAll,
        Permission::SubscriptionReadWriteAll,
    ]);

    /// What an application token can have.
    pub const APPLICATION: Permissions = Permissions::of(&[
        Permission::PresenceReadAll,
        Permission::PresenceReadWriteAll,
        Permission::UserReadBasicAll,
        Permission::UserReadAll,
        Permission::UserReadWriteAll,
    ]);

    /// These permissions.
    pub const fn of(permissions: &[Permission]) -> Permissions {
        let (mut bits, mut at) = (0, 0);
        while at < permissions.len() {
            bits |= 1 << permissions[at] as u8;
            at += 1;
        }
        Permissions(bits)
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Permissions) -> Permissions {
        Permissions(self.0 & other.0)
    }

    /// Those that are in either.
    #[must_use]
    pub const fn or(self, other: Permissions) -> Permissions {
        Permissions(self.0 | other.0)
    }

    /// Whether any of `others` is here.
    pub const fn any(self, others: Permissions) -> bool {
        self.0 & others.0 != 0
    }

    /// The names, in the order of the table.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let here = move |permission: &Permission| self.any(Permissions::of(&[*permission]));
        Permission::ALL.into_iter().filter(here).map(Permission::name)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.names().collect::<Vec<_>>().join(", "))
    }
}
