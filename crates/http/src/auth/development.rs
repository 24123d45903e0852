//! The tokens of development mode: `dev:{who}:{permission,permission}`.
//!
//! Source: subscriptions-and-auth 25.1.

use porchlight_engine::{Engine, Tenant};
use porchlight_presence::{ApplicationId, Timestamp, UserId};

use super::{Caller, Permission, Permissions, TokenError};
use crate::settings::Development;
use crate::windows::Windows;
use crate::wire::guid;

/// Whether a token is one of these: no other kind has a colon.
pub(super) fn is_one(token: &str) -> bool {
    token.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("dev"))
}

/// The caller that a token names.
pub(super) fn caller(
    token: &str,
    engine: &Engine,
    windows: &Windows,
    development: &Development,
) -> Result<Caller, TokenError> {
    let (_, rest) = token.split_once(':').ok_or(TokenError::Malformed)?;
    // The list follows the next colon: no name has one.
    let (who, permissions) = rest.split_once(':').unwrap_or((rest, ""));
    if who.is_empty() {
        return Err(TokenError::Malformed);
    }
    let tenant = engine.tenant(development.tenant).ok_or(TokenError::Unknown)?;
    let directory = tenant.directory().version();
    let (user, application) = whom(who, &tenant, development)?;
    let kind = if user.is_some() { Permissions::DELEGATED } else { Permissions::APPLICATION };
    let window = windows.of(tenant.id(), application);
    Ok(Caller {
        tenant,
        application,
        user,
        permissions: granted(permissions, kind),
        is_administrator: false,
        until: Timestamp::MAX,
        introduction: None,
        directory,
        window,
    })
}

fn whom(
    who: &str,
    tenant: &Tenant,
    development: &Development,
) -> Result<(Option<UserId>, ApplicationId), TokenError> {
    if let Some((user, application)) = who.rsplit_once('@')
        && let Some(application) = guid::parse(application)
    {
        return Ok((Some(person(user, tenant)?), ApplicationId(application)));
    }
    match guid::parse(who) {
        Some(id) if !tenant.is_somebody(UserId(id)) && !tenant.was_deleted(UserId(id)) => {
            Ok((None, ApplicationId(id)))
        }
        _ => Ok((Some(person(who, tenant)?), development.application)),
    }
}

/// An id, a user principal name or what stands before its `@`.
pub(crate) fn person(who: &str, tenant: &Tenant) -> Result<UserId, TokenError> {
    let directory = tenant.directory();
    let named = match guid::parse(who) {
        Some(id) => Some(UserId(id)).filter(|id| tenant.is_somebody(*id)),
        None if who.contains('@') => directory.named(who),
        None => directory.short_named(who),
    };
    named.ok_or(TokenError::Unknown)
}

/// Unknown names, and those that a token of this kind cannot have, grant nothing; an empty list grants all.
fn granted(list: &str, kind: Permissions) -> Permissions {
    if list.trim().is_empty() {
        return kind;
    }
    let named = list.split(',').filter_map(|name| Permission::from_name(name.trim()));
    named.fold(Permissions::default(), |all, one| all.or(Permissions::of(&[one]))).and(kind)
}
