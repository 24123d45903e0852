//! The log in JetStream, over real NATS servers.
//!
//! What cannot be tried here is a server older than 2.12: the one that `./test` installs is newer.
#![expect(clippy::unwrap_used, reason = "the helpers of the tests are part of the tests")]

mod access;
mod contract;
mod crashes;
mod heartbeats;
mod keys;
mod network;
mod purges;
mod shape;
mod support;
mod sweeper;
