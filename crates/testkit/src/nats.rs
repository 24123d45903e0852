//! Real NATS servers with JetStream, in throw-away folders on ports of this machine.
//!
//! All of it blocks, and none of it needs a runtime.

mod builder;
mod cluster;
mod credentials;
mod process;
mod server;

pub use builder::NatsBuilder;
pub use cluster::NatsCluster;
pub use server::Nats;
