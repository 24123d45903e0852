//! One node: the built program as a child process, over a network of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use http::Method;
use porchlight_testkit::{APP_A, Answer, Client, Proxy};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

/// How long a node may take until it listens: it opens the log before, which may take NATS some seconds after a fault.
const START_MAX: Duration = Duration::from_secs(60);

/// How long a node may take to stop, on a machine that is busy with other tests.
const STOP_MAX: Duration = Duration::from_secs(20);

/// How often it is looked whether it listens, or has stopped.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How many of the last lines of a log are shown when something fails.
const LAST_LINES: usize = 60;

/// What every client calls the cluster: answers name it, and are to be the same from every node. Development's clock
/// tells the time to nobody who calls this machine by a name that anybody can own.
const HOST: &str = "cluster.localhost";

/// A node, which keeps its network and its name over restarts.
pub(crate) struct Node {
    number: usize,
    log: String,
    folder: PathBuf,
    people: PathBuf,
    /// The program of its first start; `None`: the built one, as at every other.
    older: Option<PathBuf>,
    /// Its way to each NATS server.
    network: Vec<Proxy>,
    /// Held for a moment at a time, and never while something is waited for.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How often it was started.
    starts: u32,
    running: Option<Running>,
}

/// A process, which is killed when dropped.
struct Running {
    child: Child,
    /// `None` until it listens.
    place: Option<Place>,
}

/// Where a node can be asked, from one start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// Which node.
    pub(crate) node: usize,
    /// Which of its starts.
    start: u32,
    address: SocketAddr,
}

impl Node {
    /// A node that does not run yet. It reaches NATS through this network, and writes its log into the folder.
    /// If an older program is given, it is first started from that, and upgraded by its next start.
    pub(crate) fn new(
        number: usize,
        network: Vec<Proxy>,
        folder: &Path,
        people: &Path,
        older: Option<&Path>,
    ) -> Node {
        let servers: Vec<String> = network.iter().map(|proxy| proxy.address().to_string()).collect();
        Node {
            number,
            log: format!("jetstream://{}/?replicas=3&cells=4&prefix=under-faults", servers.join(",")),
            folder: folder.to_owned(),
            people: people.to_owned(),
            older: older.map(Path::to_owned),
            network,
            state: Mutex::default(),
        }
    }

    /// Starts it, and returns when it listens.
    pub(crate) async fn start(&self) {
        self.spawn();
        let begun = Instant::now();
        loop {
            if let Some(address) = self.listening() {
                self.listens_on(address);
                return;
            }
            assert!(!self.has_ended(), "node {} ended while it started:\n{}", self.number, self.last_words());
            let is_late = begun.elapsed() > START_MAX;
            assert!(!is_late, "node {} does not listen:\n{}", self.number, self.last_words());
            sleep(LOOK_EVERY).await;
        }
    }

    /// Where it can be asked; `None` while it does not run, or does not listen yet.
    pub(crate) fn place(&self) -> Option<Place> {
        self.state().running.as_ref().and_then(|running| running.place)
    }

    /// Kills it as `kill -9` does; it is gone when this returns.
    pub(crate) fn kill(&self) {
        drop(self.state().running.take());
    }

    /// Stops it as an operator does, and holds it to exit code 0. Until it is gone, clients go on asking it.
    pub(crate) async fn stop(&self) {
        self.signal(Signal::TERM);
        let asked = Instant::now();
        while !self.has_ended() {
            let is_late = asked.elapsed() > STOP_MAX;
            assert!(!is_late, "node {} does not stop:\n{}", self.number, self.last_words());
            sleep(LOOK_EVERY).await;
        }
        let ended = self.state().running.take();
        let status = ended.and_then(|mut running| running.child.wait().ok());
        let is_well = status.is_some_and(|status| status.success());
        assert!(is_well, "node {} stopped with {status:?}:\n{}", self.number, self.last_words());
    }

    /// Lets it stand still, with its connections open.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Cuts it off from all NATS servers.
    pub(crate) fn cut_off(&self) {
        self.network.iter().for_each(Proxy::cut);
    }

    /// Closes its connections to NATS, so that nothing arrives any more that was sent over them.
    pub(crate) fn lose_connections(&self) {
        self.network.iter().for_each(Proxy::reset);
    }

    /// Ends [`Node::cut_off`].
    pub(crate) fn mend(&self) {
        self.network.iter().for_each(Proxy::mend);
    }

    /// The last lines of what it has written since it was last started.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.file(self.state().starts, "err")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    fn spawn(&self) {
        let mut state = self.state();
        state.starts += 1;
        let file = |kind| File::create(self.file(state.starts, kind)).expect("a file can be written");
        let (out, err) = (file("out"), file("err"));
        let mut command = Command::new(self.program(state.starts));
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_string_lossy().starts_with("PORCHLIGHT_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--dev", "--dev-skip-validation", "--access-log", "false"]);
        command.args(["--listen", "127.0.0.1:0", "--https-listen", "none"]);
        command.args(["--log", &self.log, "--node-name", &format!("node-{}", self.number)]);
        command.arg("--seed").arg(&self.people);
        command.env("RUST_BACKTRACE", "1").current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        state.running = Some(Running { child, place: None });
    }

    /// The program of one of its starts, which are counted from 1.
    fn program(&self, start: u32) -> &Path {
        let older = self.older.as_deref().filter(|_| start == 1);
        older.unwrap_or(Path::new(env!("CARGO_BIN_EXE_porchlight")))
    }

    /// Where it says that it listens.
    fn listening(&self) -> Option<SocketAddr> {
        let said = fs::read_to_string(self.file(self.state().starts, "out")).ok()?;
        let whole = said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        whole.filter_map(|line| line.strip_prefix("listening on http://")).find_map(|url| url.parse().ok())
    }

    fn listens_on(&self, address: SocketAddr) {
        let mut state = self.state();
        let place = Place { node: self.number, start: state.starts, address };
        if let Some(running) = &mut state.running {
            running.place = Some(place);
        }
    }

    fn has_ended(&self) -> bool {
        let has_ended = |running: &mut Running| running.child.try_wait().is_ok_and(|status| status.is_some());
        self.state().running.as_mut().is_none_or(has_ended)
    }

    fn signal(&self, signal: Signal) {
        let state = self.state();
        let running = state.running.as_ref().expect("the node runs");
        kill_process(Pid::from_child(&running.child), signal).expect("the child is there");
    }

    fn file(&self, start: u32, kind: &str) -> PathBuf {
        self.folder.join(format!("node-{}.{start}.{kind}", self.number))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while they hold it")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a child that has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Place {
    /// A client of an application that may do everything.
    pub(crate) fn client(self) -> Client {
        self.client_of(APP_A)
    }

    /// The same for another application.
    pub(crate) fn client_of(self, application: &str) -> Client {
        let client = Client::new(self.address).token(&format!("{application}:")).header("host", HOST);
        client.header("content-type", "application/json")
    }
}

/// A call that is given up after this time. An error says why there is no answer: then nobody knows what came of it.
pub(crate) async fn call(
    client: &Client,
    method: Method,
    path: &str,
    body: Option<&Value>,
    within: Duration,
) -> Result<Answer, String> {
    match timeout(within, client.try_call(method, path, body.map(Value::to_string))).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {within:?}")),
    }
}
