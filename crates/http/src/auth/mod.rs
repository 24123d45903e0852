//! Who calls, and what they may.

mod development;
mod last_caller;
mod permissions;

use std::sync::Arc;

use http::HeaderValue;
use porchlight_engine::{Engine, Tenant};
use porchlight_presence::{ApplicationId, UserId};

pub(crate) use last_caller::LastCaller;
pub(crate) use permissions::{Permission, Permissions};

use crate::headers::Headers;
use crate::settings::Settings;

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) application: ApplicationId,
    /// The user whose delegate the application is; `None` for an application of its own right.
    pub(crate) user: Option<UserId>,
    pub(crate) permissions: Permissions,
    /// The version of the directory in which the token's names were looked up.
    directory: u64,
}

impl Caller {
    /// Whether the directory is still the one that the token's names were looked up in.
    fn is_current(&self) -> bool {
        self.tenant.directory().version() == self.directory
    }

    fn is_hidden(&self) -> bool {
        self.user.is_some_and(|user| self.tenant.is_hidden(user))
    }
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

/// The caller of a request with these headers; `last` is that of the request before on the same connection.
pub(crate) fn authenticate(
    headers: &Headers<'_>,
    engine: &Engine,
    settings: &Settings,
    last: &LastCaller,
) -> Result<Arc<Caller>, TokenError> {
    let authorization = headers.authorization.first.ok_or(TokenError::Missing)?;
    if headers.authorization.repeated {
        return Err(TokenError::Malformed);
    }
    let caller = if let Some(caller) = last.named_by(authorization) {
        caller
    } else {
        let token = bearer(authorization)?;
        let development = settings.development.as_ref().ok_or(TokenError::Malformed)?;
        let caller = Arc::new(development::caller(token, engine, development)?);
        last.note(authorization, &caller);
        caller
    };
    if caller.is_hidden() { Err(TokenError::Invalid) } else { Ok(caller) }
}

/// The bearer token. The scheme's name is compared without case.
fn bearer(authorization: &HeaderValue) -> Result<&str, TokenError> {
    let value = authorization.to_str().map_err(|_| TokenError::Malformed)?.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if value.is_empty() || (scheme.eq_ignore_ascii_case("bearer") && token.trim().is_empty()) {
        return Err(TokenError::Missing);
    }
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(TokenError::Malformed) }
}
