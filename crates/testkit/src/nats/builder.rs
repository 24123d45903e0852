//! What a NATS server is told to be.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::process::StartError;
use super::server::Nats;

/// How often a server is started on other ports because somebody else was quicker to take one.
pub(super) const ATTEMPTS: usize = 10;

/// What a server says when it accepts clients; alone, it has JetStream by then.
const READY: &str = "Server is ready";
/// What it says last when it is one of several.
const READY_IN_CLUSTER: &str = "Listening for route connections";

/// How a NATS server is to be.
#[derive(Clone)]
pub struct NatsBuilder {
    sync: bool,
    user: Option<(String, String)>,
    payload_max: Option<usize>,
}

/// The ports of a server, on 127.0.0.1.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    /// Of its clients.
    pub(super) clients: u16,
    /// Of its operators.
    pub(super) monitoring: u16,
    /// Of the other servers of its cluster.
    pub(super) routes: u16,
}

impl Default for NatsBuilder {
    fn default() -> NatsBuilder {
        NatsBuilder { sync: true, user: None, payload_max: None }
    }
}

impl NatsBuilder {
    /// The configuration's name in the server's folder.
    pub(super) const FILE: &str = "nats.json";

    /// Whether everything is on disk before it is acknowledged (`sync_interval: always`), as it is unless said
    /// otherwise; else every other minute, as a server does that is told nothing.
    #[must_use]
    pub fn sync(mut self, sync: bool) -> NatsBuilder {
        self.sync = sync;
        self
    }

    /// Lets in nobody but this user with this password.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> NatsBuilder {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// The most bytes that a message may have, headers included, instead of 1 MiB.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> NatsBuilder {
        self.payload_max = Some(bytes);
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(self) -> Nats {
        for _ in 0..ATTEMPTS {
            match self.start_on(Ports::free(), "alone", &[]) {
                Ok(nats) => return nats,
                Err(StartError::PortTaken) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("{}", StartError::PortTaken);
    }

    /// Starts the server on these ports, as one of those whose ports for one another are `routes`; alone, these
    /// are none.
    pub(super) fn start_on(&self, ports: Ports, name: &str, routes: &[u16]) -> Result<Nats, StartError> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut configuration = self.configuration(folder.path(), ports, name);
        if !routes.is_empty() {
            configuration["cluster"] = cluster(ports, routes);
        }
        write(&folder, NatsBuilder::FILE, &configuration.to_string());
        let ready = if routes.is_empty() { READY } else { READY_IN_CLUSTER };
        Nats::in_folder(folder, ports, ready)
    }

    fn configuration(&self, folder: &Path, ports: Ports, name: &str) -> Value {
        let mut configuration = json!({
            "server_name": name,
            "listen": local(ports.clients),
            "http": local(ports.monitoring),
            "jetstream": {
                "store_dir": folder.join("store"),
                "sync_interval": if self.sync { "always" } else { "2m" },
            },
        });
        if let Some((user, password)) = &self.user {
            configuration["authorization"] = json!({"user": user, "password": password});
        }
        if let Some(payload_max) = self.payload_max {
            configuration["max_payload"] = json!(payload_max);
        }
        configuration
    }
}

impl Ports {
    /// Ports that nobody has at the moment.
    pub(super) fn free() -> Ports {
        Ports { clients: free(), monitoring: free(), routes: free() }
    }
}

/// A port that nobody has at the moment, below those that systems hand out by themselves: while a server is down, no
/// connection is to get its port, least of all a client's that tries to reach it.
fn free() -> u16 {
    let random = || 16_000 + (Uuid::new_v4().as_u128() % 16_000) as u16;
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(random).take(100).find(is_free).expect("one of a hundred ports is free")
}

/// What a server is told of the others. It tells its clients nothing of them: a client that goes through a proxy is
/// not to find a way round it.
fn cluster(ports: Ports, routes: &[u16]) -> Value {
    let routes: Vec<String> = routes.iter().map(|&port| format!("nats://{}", local(port))).collect();
    json!({"name": "test", "listen": local(ports.routes), "routes": routes, "no_advertise": true})
}

fn local(port: u16) -> String {
    format!("{}:{port}", Ipv4Addr::LOCALHOST)
}

fn write(folder: &TempDir, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).expect("a file can be written");
}
