//! Peers as child processes: starting them, waiting until they listen, what they cost, stopping them.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::procfs;
use crate::stopwatch::Stopwatch;

/// How long a peer may take until it listens: Synapse first makes the tables of a new database.
const START_MAX: Duration = Duration::from_secs(180);

/// How long it may take to stop before it is killed.
const STOP_MAX: Duration = Duration::from_secs(15);

/// How many of its last lines an error message has.
const LINES_SHOWN: usize = 20;

/// A process and all that it starts. They end with this value.
pub(super) struct Family {
    name: &'static str,
    head: Child,
    /// Where they write what they have to say.
    said: PathBuf,
}

/// A port of this machine that nobody listens to now.
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to find a free port")?;
    listener.local_addr().context("failed to see which port is free")
}

/// Runs a program to its end; it has to succeed.
pub(super) fn run(command: &mut Command) -> Result<()> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("failed to run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

impl Family {
    /// Starts a program in `folder`, where what it says goes into a file, too.
    pub(super) fn start(name: &'static str, command: &mut Command, folder: &Path) -> Result<Family> {
        let said = folder.join(format!("{name}.log"));
        let file = File::create(&said).with_context(|| format!("failed to make {}", said.display()))?;
        command.current_dir(folder).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let head = command.spawn().with_context(|| format!("failed to run {command:?}"))?;
        Ok(Family { name, head, said })
    }

    /// Waits until a connection to this address is taken.
    pub(super) fn listens(&mut self, address: SocketAddr) -> Result<()> {
        self.until(|| TcpStream::connect(address).is_ok())
            .with_context(|| format!("{} does not listen on {address}", self.name))
    }

    /// Waits until this is there, such as a socket.
    pub(super) fn makes(&mut self, path: &Path) -> Result<()> {
        self.until(|| path.exists()).with_context(|| format!("{} makes no {}", self.name, path.display()))
    }

    fn until(&mut self, done: impl Fn() -> bool) -> Result<()> {
        let waiting = Stopwatch::start();
        while !done() {
            if let Some(status) = self.head.try_wait().context("failed to see whether it has ended")? {
                bail!("it ended with {status}; its last words:\n{}", self.last_words());
            }
            ensure!(waiting.elapsed() < START_MAX, "its last words:\n{}", self.last_words());
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The processor time that all of them have used so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        procfs::family_cpu_seconds(self.head.id())
            .with_context(|| format!("failed to see what {} has used", self.name))
    }

    fn last_words(&self) -> String {
        let said = fs::read_to_string(&self.said).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }

    /// Whether the head ends within this time.
    fn ends_within(&mut self, patience: Duration) -> bool {
        let waiting = Stopwatch::start();
        // An error is that of a child which was waited for: it has ended.
        while matches!(self.head.try_wait(), Ok(None)) {
            if waiting.elapsed() >= patience {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if self.ends_within(Duration::ZERO) {
            return;
        }
        let family = procfs::family(self.head.id()).unwrap_or_default();
        // A signal fails only for what has ended already.
        let _ = kill_process(Pid::from_child(&self.head), Signal::TERM);
        if !self.ends_within(STOP_MAX) {
            let _ = self.head.kill();
            let _ = self.head.wait();
        }
        // Whoever is left has lost what it was started for.
        for member in family.into_iter().skip(1) {
            if let Some(member) = i32::try_from(member).ok().and_then(Pid::from_raw) {
                let _ = kill_process(member, Signal::KILL);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_has_started_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let script = "sleep 1000 & touch started; wait";
        let mut shell = Command::new("sh");
        let mut peer = Family::start("shell", shell.args(["-c", script]), folder.path()).unwrap();
        peer.makes(&folder.path().join("started")).unwrap();
        let family = procfs::family(peer.head.id()).unwrap();
        assert_eq!(family.len(), 2, "the shell and what it started");
        drop(peer);
        let path = format!("/proc/{}/stat", family[1]);
        let waiting = Stopwatch::start();
        while fs::read_to_string(&path).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(waiting.elapsed() < Duration::from_secs(30), "it still runs");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_program_that_ends_too_soon_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        let mut peer =
            Family::start("shell", shell.args(["-c", "echo no such thing; exit 3"]), folder.path()).unwrap();
        let error = format!("{:#}", peer.makes(&folder.path().join("never")).unwrap_err());
        assert!(error.contains("no such thing") && error.contains("shell makes no"), "{error}");
    }
}
