//! Who and what is meant: every id is a GUID.

use std::fmt;

use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

id! {
    /// A tenant: whose people these are. Nothing is ever seen across tenants.
    TenantId
}
id! {
    /// A person's directory object id.
    UserId
}
id! {
    /// The application (client) that a token was issued to.
    ApplicationId
}
id! {
    /// A presence session's id, as its application gave it. By Graph's documentation the application's own id.
    SessionId
}

/// What names a session of a user: applications never touch each other's, whatever ids they send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    /// The application that the session belongs to.
    pub application: ApplicationId,
    /// The id that it gave.
    pub session: SessionId,
}
