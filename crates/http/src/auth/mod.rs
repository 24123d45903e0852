//! Who calls, and what they may.

mod authenticator;
mod development;
mod fetch;
mod fingerprint;
mod grant;
mod issuer;
mod jwt;
mod key_ring;
mod key_set;
mod last_caller;
mod matrix;
mod members;
mod permissions;
mod settings;
mod token_error;

use std::sync::Arc;

use porchlight_engine::{Clock, Introduction, Tenant, WriteError};
use porchlight_presence::{ApplicationId, Timestamp, UserId};

use crate::error::Error;
use crate::window::Window;
pub use authenticator::new_api_key;
pub(crate) use authenticator::{Authenticator, TokenCache};
pub(crate) use development::person;
use fetch::check_url;
pub use fetch::{IssuerAnswer, ask_issuer};
use grant::Grant;
pub(crate) use last_caller::LastCaller;
pub(crate) use matrix::Right;
pub use permissions::{Permission, Permissions};
pub use settings::{ApiKey, AuthSettings, ClaimNames, Mark, SigningAlgorithm, TrustedIssuer};
pub(crate) use token_error::TokenError;

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) application: ApplicationId,
    /// The user whose delegate the application is; `None` for an application of its own right.
    pub(crate) user: Option<UserId>,
    pub(crate) permissions: Permissions,
    /// Whether the user may see everything of their tenant.
    pub(crate) is_administrator: bool,
    /// When the token expires, as far as it does.
    until: Timestamp,
    /// What the token calls its user, if they are put in by signing in.
    introduction: Option<Introduction>,
    /// The version of the directory in which whom the token names was looked up.
    directory: u64,
    /// Where the application's requests are counted, if they are limited.
    pub(crate) window: Option<Arc<Window>>,
}

impl Caller {
    /// Whether the directory is still the one in which whom the token names was looked up, and nobody was disabled since.
    fn is_current(&self) -> bool {
        self.tenant.directory().version() == self.directory
    }

    /// Whether the token is of the past. Apart from that, a caller who is current may come.
    fn has_expired(&self, clock: &Clock) -> bool {
        self.until < Timestamp::MAX && self.until <= clock.now()
    }

    /// Whether the caller may still come, as far as that changes by itself.
    ///
    /// # Errors
    ///
    /// Why not.
    pub(crate) fn standing(&self, clock: &Clock) -> Result<(), TokenError> {
        if self.has_expired(clock) {
            return Err(TokenError::Expired);
        }
        let is_refused =
            |user| self.tenant.is_hidden(user) || (!self.is_current() && self.tenant.was_deleted(user));
        if self.user.is_some_and(is_refused) { Err(TokenError::Refused) } else { Ok(()) }
    }

    /// Whether nobody has disabled or deleted the caller since their token was looked at: to be asked after
    /// something was waited for. While the directory is the same there is nothing to look for.
    ///
    /// # Errors
    ///
    /// 401 when somebody has.
    pub(crate) fn remains(&self) -> Result<(), Error> {
        let is_refused = |user| self.tenant.was_deleted(user) || self.tenant.is_disabled(user);
        if !self.is_current() && self.user.is_some_and(is_refused) {
            Err(Error::Token(TokenError::Refused))
        } else {
            Ok(())
        }
    }

    /// An application with a token that does not expire.
    #[cfg(test)]
    pub(crate) fn unbound(tenant: Arc<Tenant>) -> Caller {
        Caller {
            tenant,
            application: ApplicationId(uuid::Uuid::nil()),
            user: None,
            permissions: Permissions::APPLICATION,
            is_administrator: false,
            until: Timestamp::MAX,
            introduction: None,
            directory: 0,
            window: None,
        }
    }

    /// When the token expires; [`Timestamp::MAX`] for one that does not.
    pub(crate) fn until(&self) -> Timestamp {
        self.until
    }

    /// What the token granted.
    fn grant(&self) -> Grant {
        Grant {
            tenant: self.tenant.id(),
            application: self.application,
            user: self.user,
            permissions: self.permissions,
            until: self.until,
            is_administrator: self.is_administrator,
            introduction: self.introduction.clone(),
        }
    }
}

/// Why there is no caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AuthError {
    /// The token is not good.
    Token(TokenError),
    /// It is a good token of somebody who belongs to no organization. Source: subscriptions-and-auth 23.4.
    Personal,
    /// Somebody new could not be put into the directory.
    Write(WriteError),
    /// The issuer's keys have never been fetched, so nobody can tell.
    KeysUnavailable,
}

impl From<TokenError> for AuthError {
    fn from(error: TokenError) -> AuthError {
        AuthError::Token(error)
    }
}
