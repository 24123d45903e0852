//! Servers as child processes: starting them, learning where they listen, stopping them.

use std::collections::VecDeque;
use std::env::{self, consts::EXE_SUFFIX};
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};

use crate::client;
use crate::metrics::Metrics;
use crate::procfs;
use crate::requests::Ask;
use crate::stopwatch::Stopwatch;

/// How long a server may take to listen: a million people in a seed file take their time.
const START_MAX: Duration = Duration::from_secs(600);
/// How long it may take from there to having restored everything.
const RESTORE_MAX: Duration = Duration::from_secs(120);
/// How long it may take to stop.
const STOP_MAX: Duration = Duration::from_secs(15);
/// How many of a server's last lines are kept for an error message.
const LINES_KEPT: usize = 20;

/// A running server. It dies with this value.
pub(crate) struct Server {
    process: Process,
    started: Stopwatch,
    address: SocketAddr,
    said: Said,
}

/// Finds the `porchlight` program beside this one, and builds it if it is missing.
pub(crate) fn find_porchlight() -> Result<PathBuf> {
    let own = env::current_exe().context("failed to find this program's own file")?;
    let binary = own.with_file_name(format!("porchlight{EXE_SUFFIX}"));
    if !binary.is_file() {
        eprintln!("building porchlight, which is not at {} yet", binary.display());
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--release", "-p", "porchlight"])
            .stdout(Stdio::null())
            .status()
            .context("failed to run cargo; build porchlight with `cargo build --release -p porchlight`")?;
        ensure!(status.success(), "`cargo build --release -p porchlight` failed: {status}");
    }
    ensure!(
        binary.is_file(),
        "there is no {}; run the benchmark by `cargo run --release -p bench` in the workspace",
        binary.display()
    );
    Ok(binary)
}

impl Server {
    /// Starts Porchlight in dev mode on a data folder.
    pub(crate) fn porchlight(binary: &Path, data: &Path, seed: Option<&Path>) -> Result<Server> {
        let mut command = serve(binary, seed);
        command.arg("--dev").arg("--data").arg(data);
        Server::start(&mut command).context("failed to start porchlight")
    }

    /// Starts Porchlight in dev mode as a node of those who share a log.
    pub(crate) fn node(binary: &Path, log: &str, name: &str, seed: Option<&Path>) -> Result<Server> {
        let mut command = serve(binary, seed);
        command.args(["--dev", "--log", log, "--node-name", name]);
        Server::start(&mut command).with_context(|| format!("failed to start the node {name}"))
    }

    /// Starts Porchlight as in production, with a configuration file that says whose tokens it takes.
    pub(crate) fn in_production(
        binary: &Path,
        config: &Path,
        data: &Path,
        seed: Option<&Path>,
    ) -> Result<Server> {
        let mut command = serve(binary, seed);
        command.arg("--config").arg(config).arg("--data").arg(data);
        Server::start(&mut command).context("failed to start porchlight as in production")
    }

    /// Starts the bare server with a description of its answers.
    pub(crate) fn bare(answers: &Path) -> Result<Server> {
        let own = env::current_exe().context("failed to find this program's own file")?;
        let mut command = Command::new(own);
        command.arg("bare").arg("--answers").arg(answers);
        Server::start(&mut command).context("failed to start the bare server")
    }

    /// Starts what says on standard output where it listens.
    pub(crate) fn start(command: &mut Command) -> Result<Server> {
        let started = Stopwatch::start();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut process = Process(child);
        let said = Said::default();
        let (heard, address) = mpsc::channel();
        said.listen_to(process.0.stdout.take(), move |line| {
            if let Some(address) = address_in(line) {
                // Nobody waits for a second one.
                let _ = heard.send(address);
            }
        });
        said.listen_to(process.0.stderr.take(), |_| ());
        match address.recv_timeout(START_MAX) {
            Ok(address) => Ok(Server { process, started, address, said }),
            Err(RecvTimeoutError::Timeout) => Err(anyhow!("it did not listen within {START_MAX:?}{said}")),
            Err(RecvTimeoutError::Disconnected) => {
                // Why it ended is in the other stream, which may still be being read.
                thread::sleep(Duration::from_millis(100));
                Err(anyhow!("it ended before it listened{said}"))
            }
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it says that it is ready, and says how long after its start that was.
    pub(crate) async fn ready(&self) -> Result<Duration> {
        let waiting = Stopwatch::start();
        while let Err(error) = client::fetch(self.address, &Ask::health()).await {
            if waiting.elapsed() > RESTORE_MAX {
                return Err(error.context(format!("the server is not ready{}", self.said)));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(self.started.elapsed())
    }

    /// Waits until its metrics speak of at least so many users, and says how long after its start that was.
    pub(crate) async fn restored(&self, users: u32) -> Result<Duration> {
        let waiting = Stopwatch::start();
        loop {
            let found = self.users().await;
            let elapsed = self.started.elapsed();
            let too_long = waiting.elapsed() > RESTORE_MAX;
            match found {
                Ok(found) if found >= f64::from(users) => return Ok(elapsed),
                Ok(found) if too_long => {
                    bail!(
                        "the server knows of {found} users, not {users}: does it read this log?{}",
                        self.said
                    )
                }
                Err(error) if too_long => {
                    return Err(error.context(format!("the server's metrics cannot be had{}", self.said)));
                }
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// The users that its metrics speak of.
    async fn users(&self) -> Result<f64> {
        // A gauge that was never set is not shown.
        Ok(Metrics::of(self.address).await?.value("porchlight_users").unwrap_or_default())
    }

    /// The processor time it has used so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        procfs::cpu_seconds(self.id())
    }

    /// The memory it holds once that has stopped moving, in bytes.
    pub(crate) fn settled_memory(&self) -> Result<u64> {
        procfs::settled_memory(self.id())
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM).context("failed to send SIGTERM")?;
        let stopping = Stopwatch::start();
        while stopping.elapsed() < STOP_MAX {
            if let Some(status) =
                self.process.0.try_wait().context("failed to see whether the server has ended")?
            {
                ensure!(status.success(), "the server stopped with {status}{}", self.said);
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("the server did not stop within {STOP_MAX:?} of SIGTERM{}", self.said)
    }
}

/// `porchlight serve` on a free port.
pub(crate) fn serve(binary: &Path, seed: Option<&Path>) -> Command {
    let mut command = Command::new(binary);
    command.args(["serve", "--listen", "127.0.0.1:0", "--access-log", "false"]);
    if let Some(seed) = seed {
        command.arg("--seed").arg(seed);
    }
    command
}

/// A child that does not outlive this value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a child that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The last lines that a server has written.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<VecDeque<String>>>);

impl Said {
    /// Reads a stream to its end, so that whoever writes to it is never kept waiting.
    fn listen_to(&self, stream: Option<impl Read + Send + 'static>, on_line: impl Fn(&str) + Send + 'static) {
        let said = self.clone();
        thread::spawn(move || {
            for line in stream.into_iter().flat_map(|stream| BufReader::new(stream).split(b'\n')) {
                let Ok(line) = line else { return };
                let line = String::from_utf8_lossy(&line);
                on_line(&line);
                said.keep(line.into_owned());
            }
        });
    }

    fn keep(&self, line: String) {
        let mut lines = self.0.lock();
        if lines.len() == LINES_KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

impl fmt::Display for Said {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.lock();
        if lines.is_empty() {
            return formatter.write_str("; it said nothing");
        }
        formatter.write_str("; its last words:")?;
        lines.iter().try_for_each(|line| write!(formatter, "\n    {line}"))
    }
}

/// The address in a line that says where a server listens.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, address) = line.split_once("listening on http://")?;
    let end = address.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(address.len());
    address[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_wherever_it_stands() {
        let address = Some(SocketAddr::from(([127, 0, 0, 1], 4321)));
        assert_eq!(address_in("listening on http://127.0.0.1:4321"), address);
        assert_eq!(address_in("Porchlight 0.1.0 listening on http://127.0.0.1:4321/ (dev)\r"), address);
        assert_eq!(address_in("listening on https://127.0.0.1:4321"), None);
    }
}
