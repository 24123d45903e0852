//! One process of a NATS server, and what it says.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How many of the lines that it has said last are kept.
const LINES_MAX: usize = 200;

/// A running server. It is killed when dropped, so that none is left of a test that failed.
pub(super) struct Process {
    child: Child,
    said: Arc<Said>,
}

/// Why a server did not start.
pub(super) enum StartError {
    /// Somebody else has one of its ports.
    PortTaken,
    /// It ended, or it took too long; with what it said last.
    Failed(String),
}

/// What a server has said on its standard error.
#[derive(Default)]
struct Said {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Default)]
struct Lines {
    lines: VecDeque<String>,
    /// Whether nothing more can come, since the process is gone.
    is_over: bool,
}

impl Process {
    /// Starts a server with this configuration; returns when it has said `ready`, for which it may take this long.
    pub(super) fn start(
        configuration: &Path,
        ready: &str,
        patience: Duration,
    ) -> Result<Process, StartError> {
        let binary = binary();
        let mut command = Command::new(&binary);
        command.arg("-c").arg(configuration);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{} does not start ({error}): run ./test once, which installs it", binary.display())
        });
        let said = Arc::new(Said::default());
        let words = child.stderr.take().expect("its standard error is a pipe");
        std::thread::spawn({
            let said = Arc::clone(&said);
            move || said.listen(words)
        });
        let process = Process { child, said };
        process.said.wait_for(ready, patience)?;
        Ok(process)
    }

    /// Its id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said last, to tell why a test fails.
    pub(super) fn last_words(&self) -> String {
        self.said.lines().to_string()
    }

    /// Ends it at once, as `kill -9` does.
    pub(super) fn kill(&mut self) {
        // Fails only when it has ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Asks it to end, and waits until it has.
    pub(super) fn stop(&mut self) {
        self.signal(Signal::TERM);
        self.resume();
        self.child.wait().expect("the child is there");
    }

    /// Lets it stand still.
    pub(super) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(super) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the child is there");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Said {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().expect("nobody panics while holding it")
    }

    /// Keeps what is said until the end.
    fn listen(&self, words: ChildStderr) {
        for line in BufReader::new(words).lines().map_while(Result::ok) {
            let mut lines = self.lines();
            if lines.lines.len() == LINES_MAX {
                lines.lines.pop_front();
            }
            lines.lines.push_back(line);
            drop(lines);
            self.changed.notify_all();
        }
        self.lines().is_over = true;
        self.changed.notify_all();
    }

    fn wait_for(&self, ready: &str, patience: Duration) -> Result<(), StartError> {
        let waiting = |lines: &mut Lines| !lines.is_over && !lines.contain(ready);
        let waited = self.changed.wait_timeout_while(self.lines(), patience, waiting);
        let (lines, _) = waited.expect("nobody panics while holding it");
        if lines.contain(ready) {
            Ok(())
        } else if lines.contain("address already in use") {
            Err(StartError::PortTaken)
        } else {
            Err(StartError::Failed(lines.to_string()))
        }
    }
}

impl Lines {
    fn contain(&self, text: &str) -> bool {
        self.lines.iter().any(|line| line.contains(text))
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::PortTaken => formatter.write_str("a port of the NATS server is taken"),
            StartError::Failed(said) => {
                write!(formatter, "the NATS server does not start; it said last:\n{said}")
            }
        }
    }
}

/// The program: what `PORCHLIGHT_NATS_SERVER` names, else what `./test` has installed, else whatever is in `PATH`.
fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("PORCHLIGHT_NATS_SERVER") {
        return named.into();
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let installed = workspace.join(target).join("test-tools/nats/nats-server");
    if installed.is_file() { installed } else { "nats-server".into() }
}
