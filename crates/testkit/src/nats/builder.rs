//! What a NATS server is told to be.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::credentials::Credentials;
use super::process::StartError;
use super::server::Nats;
use crate::{Authority, NatsCluster};

/// How often a server is started on other ports because somebody else was quicker to take one.
pub(super) const ATTEMPTS: usize = 10;

/// What a server says when it accepts clients; alone, it has JetStream by then.
const READY: &str = "Server is ready";
/// What it says last when it is one of several.
const READY_IN_CLUSTER: &str = "Listening for route connections";

/// How a NATS server is to be.
#[derive(Clone)]
pub struct NatsBuilder {
    jetstream: bool,
    sync: bool,
    user: Option<(String, String)>,
    credentials: Option<Credentials>,
    tls: Option<Tls>,
    payload_max: Option<usize>,
    folder: Option<PathBuf>,
    patience: Duration,
}

/// What a server speaks TLS with; all in PEM.
#[derive(Clone)]
struct Tls {
    authority: String,
    certificate: String,
    key: String,
    clients: Clients,
}

/// Whether clients must show a certificate of the same authority.
#[derive(Clone, Copy, PartialEq)]
enum Clients {
    Anybody,
    Certified,
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
        NatsBuilder {
            jetstream: true,
            sync: true,
            user: None,
            credentials: None,
            tls: None,
            payload_max: None,
            folder: None,
            patience: Duration::from_secs(20),
        }
    }
}

impl NatsBuilder {
    /// The configuration's name in the server's folder.
    pub(super) const FILE: &str = "nats.json";
    /// The name of the user's credentials in the server's folder.
    pub(super) const CREDENTIALS: &str = "user.creds";
    /// The name of the folder of JetStream's files in the server's folder.
    pub(super) const STORE: &str = "store";

    /// Whether everything is on disk before it is acknowledged (`sync_interval: always`), as it is unless said
    /// otherwise; else every other minute, as a server does that is told nothing.
    #[must_use]
    pub fn sync(mut self, sync: bool) -> NatsBuilder {
        self.sync = sync;
        self
    }

    /// Has no JetStream.
    #[must_use]
    pub fn without_jetstream(mut self) -> NatsBuilder {
        self.jetstream = false;
        self
    }

    /// Lets in nobody but this user with this password.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> NatsBuilder {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// Lets in nobody but the owner of [`Nats::credentials_file`].
    #[must_use]
    pub fn credentials(mut self) -> NatsBuilder {
        self.credentials = Some(Credentials::generate());
        self
    }

    /// Speaks TLS, with a certificate of this authority for localhost and 127.0.0.1.
    #[must_use]
    pub fn tls(mut self, authority: &Authority) -> NatsBuilder {
        self.tls = Some(Tls::new(authority, Clients::Anybody));
        self
    }

    /// As [`NatsBuilder::tls`], and lets in nobody without a certificate of the same authority.
    #[must_use]
    pub fn mutual_tls(mut self, authority: &Authority) -> NatsBuilder {
        self.tls = Some(Tls::new(authority, Clients::Certified));
        self
    }

    /// The most bytes that a message may have, headers included, instead of 1 MiB.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> NatsBuilder {
        self.payload_max = Some(bytes);
        self
    }

    /// Has its own folder in this one, which must be there, instead of the system's for temporary files.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> NatsBuilder {
        self.folder = Some(folder.to_owned());
        self
    }

    /// How long it may take until it is ready, at every start, instead of 20 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> NatsBuilder {
        self.patience = patience;
        self
    }

    /// As many servers that are one, once they have a leader.
    ///
    /// # Panics
    ///
    /// When they do not start.
    pub fn start_cluster(self, size: usize) -> NatsCluster {
        NatsCluster::of(&self, size)
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
        let folder = match &self.folder {
            Some(parent) => tempfile::tempdir_in(parent),
            None => tempfile::tempdir(),
        };
        let folder = folder.expect("a folder can be made");
        let mut configuration = self.configuration(folder.path(), ports, name);
        if !routes.is_empty() {
            configuration["cluster"] = cluster(ports, routes);
        }
        write(folder.path(), NatsBuilder::FILE, &configuration.to_string());
        let ready = if routes.is_empty() { READY } else { READY_IN_CLUSTER };
        Nats::in_folder(folder, ports, ready, self.patience)
    }

    /// The configuration; the files that it names are in the folder then.
    fn configuration(&self, folder: &Path, ports: Ports, name: &str) -> Value {
        let mut configuration = json!({
            "server_name": name,
            "listen": local(ports.clients),
            "http": local(ports.monitoring),
        });
        if self.jetstream {
            configuration["jetstream"] = json!({
                "store_dir": folder.join(NatsBuilder::STORE),
                "sync_interval": if self.sync { "always" } else { "2m" },
            });
        }
        if let Some((user, password)) = &self.user {
            configuration["authorization"] = json!({"user": user, "password": password});
        }
        if let Some(credentials) = &self.credentials {
            credentials.configure(&mut configuration);
            write(folder, NatsBuilder::CREDENTIALS, credentials.file());
        }
        if let Some(tls) = &self.tls {
            configuration["tls"] = tls.configure(folder);
        }
        if let Some(payload_max) = self.payload_max {
            configuration["max_payload"] = json!(payload_max);
        }
        configuration
    }
}

impl Tls {
    fn new(authority: &Authority, clients: Clients) -> Tls {
        let certified = authority.certify(&["localhost", "127.0.0.1"], 2100);
        let (certificate, key) = (certified.pem(), certified.key_pem());
        Tls { authority: authority.pem(), certificate, key, clients }
    }

    fn configure(&self, folder: &Path) -> Value {
        json!({
            "ca_file": write(folder, "authority.pem", &self.authority),
            "cert_file": write(folder, "certificate.pem", &self.certificate),
            "key_file": write(folder, "key.pem", &self.key),
            "verify": self.clients == Clients::Certified,
        })
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

/// Writes a file, and says where.
fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("a file can be written");
    file
}
