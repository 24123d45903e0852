//! The program as it is built: run as a child process, over real sockets, signals and folders.
//!
//! Nothing here knows anything of the program's insides. Every child is killed, by its own id, when the test that
//! started it ends, and every folder is a temporary one.

mod audit;
mod backup;
mod book;
mod client;
mod cluster;
mod completions;
mod config;
mod connection;
mod development;
mod disconnects;
mod doctor;
mod doctor_setups;
mod documents;
mod encryption;
mod environment;
mod examples;
mod explained;
mod folders;
mod help;
mod http_2;
mod https;
mod import;
mod kill;
mod links;
mod load;
mod log_url;
mod logs;
mod metadata;
mod metrics;
mod nats_access;
mod oidc_provider;
mod openapi;
mod page;
mod production;
mod protocols;
mod restarts;
mod retries;
mod scim;
mod sdks;
mod slow_readers;
mod status;
mod stopping;
mod support;
mod token;
mod tokens;
mod told_over_kills;
mod tools;
mod traces;
mod usage;
mod watch;
mod webhooks_over_kills;
