//! What a token grants, before anybody has looked into the directory.

use porchlight_engine::Introduction;
use porchlight_presence::{ApplicationId, TenantId, Timestamp, UserId};

use super::Permissions;
use super::jwt::Claims;

/// Who comes, and with what.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) tenant: TenantId,
    pub(super) application: ApplicationId,
    /// The user whose delegate the application is; `None` for an application of its own right.
    pub(super) user: Option<UserId>,
    pub(super) permissions: Permissions,
    /// Until when.
    pub(super) until: Timestamp,
    /// Whether the user may see everything of their tenant.
    pub(super) is_administrator: bool,
    /// `None` for whoever is not put in by signing in.
    pub(super) introduction: Option<Introduction>,
}

/// What a token calls its user: for a person who is not in the directory yet, never to decide anything by.
pub(super) fn introduction(claims: &Claims) -> Introduction {
    let first = |names: &[&str]| names.iter().find_map(|name| claims.text(name)).map(str::to_owned);
    Introduction {
        user_principal_name: first(&["upn", "preferred_username", "unique_name", "email"]),
        display_name: first(&["name"]),
        mail: first(&["email"]),
    }
}
