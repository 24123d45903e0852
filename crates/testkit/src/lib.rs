//! For tests: a server in the test's own process, on a real socket, with a clock that stands still until it is moved.
//!
//! [`TestServer`] starts one; [`Client`] calls it as somebody; [`Answer`] is what came back, whole. A [`Receiver`] is
//! whom it notifies, and a [`PrivateKey`] what that reads encrypted notifications with. An [`Authority`] signs the
//! certificates that TLS is spoken with. An [`Issuer`] issues tokens, and a [`Jwt`] is a token, read. [`Nats`] is a NATS
//! server and [`NatsCluster`] several, and a [`Proxy`] a network that can be broken.

mod authority;
mod client;
mod events;
mod issuer;
mod jwt;
mod nats;
mod private_key;
mod proxy;
mod receiver;
mod server;

pub use authority::{Authority, Certified};
pub use client::{Answer, Client};
pub use events::{Event, Events};
pub use issuer::{AUDIENCE, Issuer, IssuerKey, Mood, TENANT, unsigned};
pub use jwt::Jwt;
pub use nats::{Nats, NatsBuilder, NatsCluster};
pub use porchlight_notify::Egress;
pub use private_key::PrivateKey;
pub use proxy::Proxy;
pub use receiver::{Delivery, Reaction, Receiver, Validation};
pub use server::{Builder, TestServer};

/// The start of every test's clock: Friday, 2026-11-20T09:00:00Z.
pub const START: i64 = 1_795_165_200_000;

/// The id of Ada, of the demo tenant.
pub const ADA: &str = "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01";
/// The id of Ben, of the demo tenant.
pub const BEN: &str = "3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02";
/// The demo application.
pub const DEMO: &str = "5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21";
/// An application.
pub const APP_A: &str = "aaaaaaaa-0000-4000-8000-00000000000a";
/// Another application.
pub const APP_B: &str = "bbbbbbbb-0000-4000-8000-00000000000b";
