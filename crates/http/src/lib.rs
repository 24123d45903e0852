//! Graph's surface: paths, OData, JSON shapes, permissions, errors, batches.
//!
//! [`Api`] answers requests; [`Server`] brings them in from sockets, with [`Tls`] or without. A request walks through
//! `api.rs` (limits, path, token), `graph.rs` (which resource, which method) and one file under `routes/`.
//! [`NotificationWords`] puts into words what webhooks are sent. Only this crate knows JSON names and status codes.
//! `issuer/` is development's own identity provider. `scim/` is another surface beside Graph's, `board/` the web page
//! over it, and `openapi/` describes them all.

mod addresses;
mod api;
mod audience;
mod audit;
mod auth;
mod board;
mod body;
mod bookmark;
mod call;
mod connection;
mod demo;
#[cfg(test)]
mod dice;
mod doors;
mod error;
mod etag;
mod events;
mod exposition;
mod follower;
mod graph;
mod gzip;
mod headers;
mod instruments;
mod issuer;
mod journey;
mod last_base;
mod metadata;
mod odata;
mod openapi;
mod people;
mod portions;
mod prefer;
mod recorder;
mod relay;
mod reply;
mod resource;
#[cfg(test)]
mod resource_laws;
mod route;
mod routes;
mod scim;
mod scrape;
mod seen;
mod server;
mod settings;
mod socket;
mod subject;
mod subscription_error;
mod ticks;
mod tls;
mod walk;
mod window;
mod windows;
mod wire;

pub use api::Api;
pub use auth::{
    ApiKey, AuthSettings, ClaimNames, IssuerAnswer, Mark, Permission, Permissions, SigningAlgorithm,
    TrustedIssuer, ask_issuer, new_api_key,
};
pub use board::{BoardSettings, SignIn};
pub use doors::Listener;
pub use issuer::IssuerKey;
pub use recorder::{install_recorder, maintain_recorder};
pub use server::{Server, converse};
pub use settings::{Development, HttpLimits, ODataTypeCase, Profile, Settings, Traces};
pub use tls::{Identity, Tls, TlsError};
pub use wire::notification::NotificationWords;

/// Reads an ISO 8601 duration as clients write it, such as `PT5M`; for configuration.
///
/// # Errors
///
/// A lower-case fragment that says what is wrong.
pub fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    wire::duration::parse(text).map_err(|error| error.to_string())
}
