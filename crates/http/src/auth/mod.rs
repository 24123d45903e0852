//! Who calls, and what they may.

mod development;
mod permissions;

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use porchlight_engine::{Engine, Tenant};
use porchlight_presence::{ApplicationId, UserId};

pub(crate) use permissions::{Permission, Permissions};

use crate::settings::Settings;

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) application: ApplicationId,
    /// The user whose delegate the application is; `None` for an application of its own right.
    pub(crate) user: Option<UserId>,
    pub(crate) permissions: Permissions,
}

/// Why no caller is known. Source: subscriptions-and-auth 23.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// There is none.
    Missing,
    /// It is not a token.
    Malformed,
    /// It names nobody who may sign in.
    Invalid,
}

impl TokenError {
    /// The recorded message.
    pub(crate) fn message(self) -> &'static str {
        match self {
            TokenError::Missing => "Access token is empty.",
            TokenError::Malformed => "CompactToken parsing failed with error code: 80049217",
            TokenError::Invalid => "Access token validation failure.",
        }
    }
}

/// The caller of a request with these headers.
pub(crate) fn authenticate(
    headers: &HeaderMap,
    engine: &Engine,
    settings: &Settings,
) -> Result<Caller, TokenError> {
    let token = bearer(headers)?;
    let development = settings.development.as_ref().ok_or(TokenError::Malformed)?;
    development::caller(token, engine, development)
}

/// The bearer token. The scheme's name is compared without case.
fn bearer(headers: &HeaderMap) -> Result<&str, TokenError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(TokenError::Missing)?;
    if values.next().is_some() {
        return Err(TokenError::Malformed);
    }
    let value = value.to_str().map_err(|_| TokenError::Malformed)?.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if value.is_empty() || (scheme.eq_ignore_ascii_case("bearer") && token.trim().is_empty()) {
        return Err(TokenError::Missing);
    }
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(TokenError::Malformed) }
}
