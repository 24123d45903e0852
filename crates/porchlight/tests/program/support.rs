//! The program as a child process: started, listened to, signalled, and never left behind.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use porchlight_testkit::{Answer, Client};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

/// How long anything may take that is waited for, unless a contract says less.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long the program may take to stop.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(10);

pub(crate) const ME: &str = "/v1.0/me/presence";
pub(crate) const CLOCK: &str = "/porchlight/dev/clock";
pub(crate) const RESET: &str = "/porchlight/dev/reset";

/// `/v1.0/users/{user}/presence`
pub(crate) fn presence_of(user: &str) -> String {
    format!("/v1.0/users/{user}/presence")
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("the paths of tests are UTF-8")
}

/// The program with these arguments, in an environment that says nothing to it.
pub(crate) fn porchlight(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_porchlight"));
    command.args(arguments).current_dir(env!("CARGO_TARGET_TMPDIR"));
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_string_lossy().starts_with("PORCHLIGHT_")) {
        command.env_remove(name);
    }
    // The one is the width of help; the other would add to messages what nobody but a developer reads.
    command.env_remove("COLUMNS").env("RUST_BACKTRACE", "1");
    command
}

/// `porchlight serve` on a free port, with these arguments as well.
pub(crate) fn serve(arguments: &[&str]) -> Command {
    let mut command = porchlight(&["serve", "--listen", "127.0.0.1:0"]);
    command.args(arguments);
    command
}

/// A development server that keeps nothing.
pub(crate) fn in_memory() -> Command {
    serve(&["--dev", "--ephemeral"])
}

/// A development server that keeps its data in this folder.
pub(crate) fn in_folder(data: &Path) -> Command {
    serve(&["--dev", "--data", text(data)])
}

/// Returns when it is so.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    Process::spawn(command).end(PATIENCE)
}

/// The message of a program that refused: with this code, with one line for people, and with nothing else.
pub(crate) fn refusal(ended: &Ended, code: i32) -> String {
    let said = ended.complaint(code);
    let [line] = said else { panic!("more than one line: {ended:?}") };
    let message = line.strip_prefix("porchlight: ").unwrap_or_else(|| panic!("not ours: {ended:?}"));
    assert!(message.matches("os error").count() <= 1, "what the system said stands twice: {message}");
    message.to_owned()
}

/// How a process ended, and all that it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
}

impl Ended {
    /// What stands on standard error of a program that ended with this code and has nothing to say but that.
    pub(crate) fn complaint(&self, code: i32) -> &[String] {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.out.is_empty(), "{self:?}");
        self.assert_calm();
        &self.err
    }

    /// The answer of a program that has done what it was told to.
    pub(crate) fn answer(&self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert!(self.err.is_empty(), "{self:?}");
        self.out.join("\n")
    }

    fn assert_calm(&self) {
        for word in ["panicked", "RUST_BACKTRACE", "stack backtrace", "Backtrace"] {
            assert!(!self.err.iter().any(|line| line.contains(word)), "{word}: {self:?}");
        }
    }
}

/// A running server. Killed when dropped.
pub(crate) struct Program {
    process: Process,
    address: SocketAddr,
    /// Where it speaks https.
    https: Option<SocketAddr>,
}

/// Where a server says that it listens, for http and for https.
fn addresses(line: &str) -> Option<(SocketAddr, Option<SocketAddr>)> {
    let mut urls = line.strip_prefix("listening on ")?.split(" and ");
    let http = urls.next()?.strip_prefix("http://")?.parse().ok()?;
    let https = urls.next().and_then(|url| url.strip_prefix("https://")?.parse().ok());
    Some((http, https))
}

impl Program {
    /// Starts a server, and returns when it listens.
    pub(crate) fn start(command: &mut Command) -> Program {
        let process = Process::spawn(command);
        let found = process.out.find(|lines| lines.iter().find_map(|line| addresses(line)));
        let found = found.unwrap_or_else(|| panic!("it did not listen: {:?}", process.err.lines()));
        let (address, https) = found;
        Program { process, address, https }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn https_address(&self) -> SocketAddr {
        self.https.unwrap_or_else(|| panic!("it does not speak https: {:?}", self.process.out.lines()))
    }

    /// Whether it speaks https.
    pub(crate) fn has_https(&self) -> bool {
        self.https.is_some()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// A client without a token.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.address)
    }

    /// A client with this development token: `who:permission,permission`, or `who:` for every permission.
    pub(crate) fn client(&self, token: &str) -> Client {
        self.anonymous().token(token)
    }

    /// Standard output so far.
    pub(crate) fn out(&self) -> &Heard {
        &self.process.out
    }

    /// Standard error so far.
    pub(crate) fn err(&self) -> &Heard {
        &self.process.err
    }

    /// What its metrics say.
    pub(crate) async fn metrics(&self) -> Metrics {
        let answer = self.anonymous().get("/porchlight/metrics").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Metrics(String::from_utf8(answer.body.to_vec()).expect("metrics are text"))
    }

    /// Moves development's clock ahead by an ISO 8601 duration.
    pub(crate) async fn advance(&self, by: &str) -> Answer {
        let answer = self.anonymous().post(CLOCK, &serde_json::json!({"advance": by})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// Stops it as an operator does, and holds it to its word: exit code 0 within [`STOP_MAX`].
    pub(crate) fn stop(self) -> Ended {
        self.stop_by(Signal::TERM)
    }

    /// The same with another signal.
    pub(crate) fn stop_by(self, signal: Signal) -> Ended {
        self.signal(signal);
        let asked = Instant::now();
        let ended = self.process.end(STOP_MAX);
        assert!(asked.elapsed() <= STOP_MAX, "{:?}", asked.elapsed());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.assert_calm();
        ended
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end.
    pub(crate) fn end(self, within: Duration) -> Ended {
        self.process.end(within)
    }

    /// Kills it as `kill -9` does; it is gone when this returns.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

/// A child that does not outlive this value.
pub(crate) struct Process {
    child: Child,
    pub(crate) out: Heard,
    pub(crate) err: Heard,
}

impl Process {
    /// Starts a command, and listens to it from then on.
    pub(crate) fn spawn(command: &mut Command) -> Process {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let out = Heard::listen(child.stdout.take().expect("standard output is piped"));
        let err = Heard::listen(child.stderr.take().expect("standard error is piped"));
        Process { child, out, err }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the child is there");
    }

    /// Waits for its end.
    pub(crate) fn end(mut self, within: Duration) -> Ended {
        let (out, err) = (self.out.to_the_end(within), self.err.to_the_end(within));
        let (Some(out), Some(err)) = (out, err) else {
            let said = (self.out.lines(), self.err.lines());
            panic!("it did not end within {within:?} and has said {said:?}");
        };
        let status: ExitStatus = self.child.wait().expect("it is a child of this process");
        Ended { code: status.code(), out, err }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a child that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a child has written to one of its streams, line by line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<(Mutex<Said>, Condvar)>);

#[derive(Debug, Default)]
struct Said {
    lines: Vec<String>,
    ended: bool,
}

impl Heard {
    /// Reads the stream to its end on a thread of its own, so that the child is never kept waiting.
    fn listen(stream: impl Read + Send + 'static) -> Heard {
        let heard = Heard::default();
        let ear = heard.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                ear.change(|said| said.lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
            ear.change(|said| said.ended = true);
        });
        heard
    }

    fn change(&self, change: impl FnOnce(&mut Said)) {
        let (said, rung) = &*self.0;
        change(&mut said.lock().expect("nobody panics while they hold it"));
        rung.notify_all();
    }

    /// Every line so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.0.lock().expect("nobody panics while they hold it").lines.clone()
    }

    /// What `look` finds in the lines, as soon as it does; nothing when the stream ends before.
    pub(crate) fn find<T>(&self, look: impl Fn(&[String]) -> Option<T>) -> Option<T> {
        self.wait(PATIENCE, |said| look(&said.lines).is_some() || said.ended);
        look(&self.lines())
    }

    /// Every line, once there are no more.
    fn to_the_end(&self, within: Duration) -> Option<Vec<String>> {
        self.wait(within, |said| said.ended).then(|| self.lines())
    }

    fn wait(&self, within: Duration, done: impl Fn(&Said) -> bool) -> bool {
        let (said, rung) = &*self.0;
        let said = said.lock().expect("nobody panics while they hold it");
        let waited = rung.wait_timeout_while(said, within, |said| !done(said));
        !waited.expect("nobody panics while they hold it").1.timed_out()
    }
}

/// Metrics in Prometheus's text format.
#[derive(Debug)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// All of it, as it came.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The names of all metrics.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let types = self.0.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    }

    /// The value of everything whose name, with its labels, begins like this: added up. Nothing when there is none.
    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        let values = self.0.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (found, value) = line.rsplit_once(' ')?;
            let rest = found.strip_prefix(name)?;
            let whole = rest.is_empty() || rest.starts_with(['{', ',']) || name.ends_with('"');
            whole.then(|| value.parse::<f64>().expect("a value is a number") as u64)
        });
        values.fold(None, |sum: Option<u64>, value| Some(sum.unwrap_or_default() + value))
    }

    /// The same for what must be there.
    pub(crate) fn of(&self, name: &str) -> u64 {
        self.get(name).unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }
}
