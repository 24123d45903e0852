//! The issuer of development mode: tokens that look like those of the original's identity platform, for whoever asks.
//!
//! Source: subscriptions-and-auth 25. It is there so that sign-in libraries can be pointed at a development server, and
//! it keeps nobody out: any application, any secret and any password will do. So it is absent outside of development
//! mode. Nothing of it is kept but its key; codes that wait to be redeemed live in memory.
//!
//! A path is told by `endpoint.rs` and answered by [`Issuer`]; `token_endpoint.rs`, `device.rs`, `authorize.rs` and
//! `discovery.rs` are what can be asked for, `tokens.rs` makes the tokens. Whether a token is good is not decided here.

mod authorize;
mod challenge;
mod client;
mod codes;
mod device;
mod discovery;
mod endpoint;
#[expect(clippy::module_inception, reason = "the issuer is a part of what the folder holds")]
mod issuer;
mod key;
mod page;
mod parameters;
mod redirect;
mod refusal;
mod scopes;
mod token_endpoint;
mod tokens;

use std::time::Duration;

pub(crate) use endpoint::Endpoint;
pub(crate) use issuer::{Asked, Issuer};
pub use key::IssuerKey;

/// Whom the issuer's access tokens are for.
pub(crate) const AUDIENCE: &str = "api://porchlight";

/// How long an access token is good for, unless something else is asked for.
pub(crate) const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(60 * 60);

/// The longest life of an access token that can be asked for.
pub(crate) const ACCESS_TOKEN_LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a refresh token is good for.
pub(crate) const REFRESH_TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an authorization code is good for.
pub(crate) const CODE_LIFE: Duration = Duration::from_secs(10 * 60);

/// How long a device code is good for.
pub(crate) const DEVICE_CODE_LIFE: Duration = Duration::from_secs(15 * 60);

/// How many codes of a kind wait to be redeemed; with one more the oldest goes.
pub(crate) const CODES_MAX: usize = 1_000;

/// The most parameters of a request.
pub(crate) const PARAMETERS_MAX: usize = 100;

/// The longest value of a parameter, in bytes as it is sent.
pub(crate) const PARAMETER_BYTES_MAX: usize = 16 * 1024;

/// How many people the sign-in page shows.
pub(crate) const PEOPLE_SHOWN: usize = 100;
