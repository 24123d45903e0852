//! A NATS server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tempfile::TempDir;

use super::builder::Ports;
use super::process::{Process, StartError};
use crate::{NatsBuilder, Proxy};

/// How often a server is asked for its health before it is given up; 30 s in all.
const HEALTH_CHECKS: usize = 600;
/// The time between two of these questions.
const HEALTH_CHECK_EVERY: Duration = Duration::from_millis(50);
/// How long an answer to one may take: a server that stands still accepts connections all the same.
const HEALTH_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// A NATS server with JetStream, on ports and in a folder that it keeps over restarts. Dropped, it is killed, and
/// its folder is removed.
pub struct Nats {
    ports: Ports,
    /// What it says when it is ready.
    ready: &'static str,
    /// How long it may take until it is.
    patience: Duration,
    /// `None` while it does not run. Before the folder, so that it is dropped first.
    process: Mutex<Option<Process>>,
    folder: TempDir,
}

impl Nats {
    /// A server that has everything on disk before it acknowledges it, and lets everybody in.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start() -> Nats {
        Nats::builder().start()
    }

    /// A server that is to be different.
    pub fn builder() -> NatsBuilder {
        NatsBuilder::default()
    }

    /// The server whose configuration is in this folder.
    pub(super) fn in_folder(
        folder: TempDir,
        ports: Ports,
        ready: &'static str,
        patience: Duration,
    ) -> Result<Nats, StartError> {
        let nats = Nats { ports, ready, patience, process: Mutex::default(), folder };
        *nats.process() = Some(nats.run()?);
        Ok(nats)
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.clients).into()
    }

    /// `http://127.0.0.1:port` of what it tells its operators.
    pub fn monitoring(&self) -> String {
        format!("http://{}", self.monitoring_address())
    }

    /// The credentials of the one whom it lets in, if it was told to by [`NatsBuilder::credentials`].
    pub fn credentials_file(&self) -> PathBuf {
        self.folder.path().join(NatsBuilder::CREDENTIALS)
    }

    /// The folder that JetStream keeps everything in.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join(NatsBuilder::STORE)
    }

    /// The id of its process; `None` while it does not run.
    pub fn process_id(&self) -> Option<u32> {
        self.process().as_ref().map(Process::id)
    }

    /// A new way to this server, to be broken on demand. It tells its clients of no other.
    pub fn proxied(&self) -> Proxy {
        Proxy::start(self.address())
    }

    /// Ends it at once, as `kill -9` does; what it has written to files stays.
    pub fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            process.kill();
        }
    }

    /// Asks it to end, and returns when it has.
    pub fn stop(&self) {
        if let Some(mut process) = self.process().take() {
            process.stop();
        }
    }

    /// Lets it stand still, with its connections open.
    ///
    /// # Panics
    ///
    /// When it does not run, as [`Nats::resume`] does.
    pub fn pause(&self) {
        self.process().as_ref().expect("the server runs").pause();
    }

    /// Lets it go on after [`Nats::pause`].
    pub fn resume(&self) {
        self.process().as_ref().expect("the server runs").resume();
    }

    /// Starts it again with the same configuration, ports and folder; if it runs, after a [`Nats::stop`]. Returns
    /// when it accepts connections. Alone it has JetStream then; what a cluster takes longer for,
    /// [`NatsCluster::settle`](crate::NatsCluster::settle) waits for.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn restart(&self) {
        self.stop();
        let process = self.run().unwrap_or_else(|error| panic!("{error}"));
        *self.process() = Some(process);
    }

    /// Waits until its health is good: it has whatever JetStream keeps, and knows a leader. Returns at once when it
    /// does not run.
    pub(super) fn settle(&self) {
        for _ in 0..HEALTH_CHECKS {
            let runs = self.process().is_some();
            if !runs || self.is_healthy() {
                return;
            }
            // It tells nobody of its health but who asks.
            std::thread::sleep(HEALTH_CHECK_EVERY);
        }
        let said = self.process().as_ref().map(Process::last_words).unwrap_or_default();
        panic!("the NATS server is not well; it said last:\n{said}");
    }

    fn is_healthy(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect(self.monitoring_address())?;
            stream.set_read_timeout(Some(HEALTH_CHECK_TIMEOUT))?;
            stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.0 200"))
    }

    fn monitoring_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.monitoring).into()
    }

    fn run(&self) -> Result<Process, StartError> {
        Process::start(&self.configuration(), self.ready, self.patience)
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join(NatsBuilder::FILE)
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().expect("nobody panics while holding it")
    }
}
