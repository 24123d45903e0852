//! The load generator: wrk, as Debian packages it, with a script of our own.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::report::Sample;
use crate::requests::{AUTHORIZATION, BULK, BULK_IDS, HEADERS, PRESENCE, SET_BODY, SET_PRESENCE};

/// What to do when wrk cannot be had.
const HELP: &str = "install wrk, on Debian by `apt-get update && apt-get install wrk` as root";

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads of one presence.
    Get,
    /// Reads of as many presences as one call may name.
    Bulk,
    /// Keep-alives.
    Set,
    /// Four reads of one presence to each keep-alive.
    Mixed,
}

/// One run of load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load<'t> {
    pub(crate) kind: Kind,
    pub(crate) connections: u32,
    /// How many users take turns, and where among them to start.
    pub(crate) users: u32,
    pub(crate) start: u32,
    /// The index of the first of them.
    pub(crate) first: u32,
    /// A file with a token for each of them, one a line, to ask for themselves; `None`: the demo application asks.
    pub(crate) tokens: Option<&'t Path>,
    pub(crate) seconds: u32,
}

/// Where the run of this number starts among the users: each somewhere else, and the same for all servers.
pub(crate) fn start_of(run: u32) -> u32 {
    run * 7919
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    /// Bytes of answers.
    pub(crate) bytes: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// What a server is asked: paths in which `@ID` stands for a user's id, headers and bodies. All of it is plain ASCII.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// A name for files.
    pub(crate) name: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// Who asks where users have no tokens of their own.
    pub(crate) authorization: &'static str,
    pub(crate) presence: &'static str,
    pub(crate) set_method: &'static str,
    pub(crate) set_presence: &'static str,
    /// What each user sends, one after the other.
    pub(crate) set_bodies: &'static [&'static str],
    pub(crate) bulk: &'static str,
}

/// What Porchlight is asked, and whoever is to answer the same.
pub(crate) const GRAPH: Dialect = Dialect {
    name: "graph",
    headers: &HEADERS,
    authorization: AUTHORIZATION,
    presence: PRESENCE,
    set_method: "POST",
    set_presence: SET_PRESENCE,
    set_bodies: &[SET_BODY],
    bulk: BULK,
};

/// wrk and its script.
pub(crate) struct Wrk {
    script: PathBuf,
    version: String,
}

impl Kind {
    /// Its name in the script.
    fn name(self) -> &'static str {
        match self {
            Kind::Get => "get",
            Kind::Bulk => "bulk",
            Kind::Set => "set",
            Kind::Mixed => "mixed",
        }
    }
}

impl Wrk {
    /// Finds wrk, installing it if it is missing, and puts its script into `folder`.
    pub(crate) fn find(folder: &Path) -> Result<Wrk> {
        if version()?.is_none() {
            install()?;
        }
        let version = version()?.context(HELP).context("wrk was installed and is still missing")?;
        Wrk { script: PathBuf::new(), version }.speaking(folder, &GRAPH)
    }

    /// The same, asking in another way. Its script goes into `folder`.
    pub(crate) fn speaking(&self, folder: &Path, dialect: &Dialect) -> Result<Wrk> {
        let script = folder.join(format!("{}.lua", dialect.name));
        fs::write(&script, script_text(dialect))
            .with_context(|| format!("failed to write {}", script.display()))?;
        Ok(Wrk { script, version: self.version.clone() })
    }

    /// Its name and version.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Loads a server. Anything that went wrong for even one request is an error.
    pub(crate) fn run(&self, address: SocketAddr, load: Load<'_>) -> Result<Run> {
        let output = Command::new("wrk")
            .arg("-t1")
            .arg(format!("-c{}", load.connections))
            .arg(format!("-d{}s", load.seconds))
            .args(["--timeout", "10s", "-s"])
            .arg(&self.script)
            .arg(format!("http://{address}/"))
            .args(["--", load.kind.name()])
            .arg(load.users.to_string())
            .arg(load.start.to_string())
            .arg(load.first.to_string())
            .args(load.tokens)
            .stdin(Stdio::null())
            .output()
            .context("failed to run wrk")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "wrk ended with {}: {said}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        let line = said.lines().find(|line| line.starts_with('{')).with_context(|| {
            format!("wrk's script printed no figures: {said}{}", String::from_utf8_lossy(&output.stderr))
        })?;
        parse(line)
    }

    /// The same for a comparison. `answer_bytes`: the size of an answer on the mean; `cpu_seconds`: the
    /// processor time that the server has used so far.
    pub(crate) fn sample(
        &self,
        address: SocketAddr,
        load: Load<'_>,
        answer_bytes: f64,
        cpu_seconds: impl Fn() -> Result<f64>,
    ) -> Result<Sample> {
        let before = cpu_seconds()?;
        let run = self.run(address, load)?;
        let cpu = cpu_seconds()? - before;
        run.check(answer_bytes)?;
        Ok(Sample {
            per_second: run.requests / run.seconds,
            p50_ms: run.p50_ms,
            p99_ms: run.p99_ms,
            cpu_micros: cpu * 1e6 / run.requests,
        })
    }
}

impl Run {
    /// Refuses a run whose answers were not of this size on the mean. wrk does not see a redirect, nor an
    /// answer that is too short: their sizes tell.
    pub(crate) fn check(&self, answer_bytes: f64) -> Result<()> {
        let got = self.bytes / self.requests;
        ensure!(
            (got / answer_bytes - 1.0).abs() < 0.1,
            "answers had {got:.0} bytes under load and {answer_bytes:.0} without: something else is being answered"
        );
        Ok(())
    }
}

/// What wrk calls itself. `None`: it is not there.
fn version() -> Result<Option<String>> {
    match Command::new("wrk").arg("-v").stdin(Stdio::null()).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let words: Vec<&str> = said.split_whitespace().take(2).collect();
            Ok(Some(words.join(" ")))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("failed to run wrk"),
    }
}

fn install() -> Result<()> {
    eprintln!("wrk is missing: apt-get install -y wrk");
    let output = Command::new("apt-get")
        .args(["install", "-y", "wrk"])
        .stdin(Stdio::null())
        .output()
        .context("failed to run apt-get")
        .context(HELP)?;
    ensure!(
        output.status.success(),
        "`apt-get install -y wrk` failed; {HELP}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// The script, with what it has to send in front of it.
fn script_text(dialect: &Dialect) -> String {
    let Dialect { authorization, presence, set_method, set_presence, set_bodies, bulk, .. } = dialect;
    // The texts are plain ASCII, for which Rust's quoting is Lua's too.
    let headers: Vec<String> =
        dialect.headers.iter().map(|(name, value)| format!("   [{name:?}] = {value:?},")).collect();
    let headers = headers.join("\n");
    let bodies: Vec<String> = set_bodies.iter().map(|body| format!("{body:?}")).collect();
    let bodies = bodies.join(", ");
    let rest = include_str!("load.lua");
    format!(
        "local HEADERS = {{\n{headers}\n}}\n\
         local AUTHORIZATION = {authorization:?}\n\
         local PRESENCE, SET_PRESENCE, BULK = {presence:?}, {set_presence:?}, {bulk:?}\n\
         local SET_METHOD, SET_BODIES = {set_method:?}, {{ {bodies} }}\n\
         local BULK_IDS = {BULK_IDS}\n\n\
         {rest}"
    )
}

/// Reads the line that the script prints.
fn parse(line: &str) -> Result<Run> {
    let figures: Value = serde_json::from_str(line).with_context(|| format!("failed to parse {line}"))?;
    let figure = |name: &str| figures[name].as_f64().with_context(|| format!("no {name} in {line}"));
    let refused = figure("status")?;
    if refused > 0.0 {
        bail!("{refused} of {} requests were answered with a status of 400 or more", figure("requests")?);
    }
    for kind in ["connect", "read", "write", "timeout"] {
        let errors = figure(kind)?;
        ensure!(errors < 1.0, "{errors} {kind} errors on the sockets");
    }
    let requests = figure("requests")?;
    ensure!(requests > 0.0, "not one request was answered");
    Ok(Run {
        requests,
        seconds: figure("duration")? / 1e6,
        bytes: figure("bytes")?,
        p50_ms: figure("p50")? / 1e3,
        p99_ms: figure("p99")? / 1e3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"requests":1000,"duration":2000000,"bytes":400000,"p50":139,"p99":1674,"max":4944,"status":0,"connect":0,"read":0,"write":0,"timeout":0}"#;

    #[test]
    fn figures_are_read() {
        let run = parse(GOOD).unwrap();
        assert_eq!(
            run,
            Run { requests: 1000.0, seconds: 2.0, bytes: 400_000.0, p50_ms: 0.139, p99_ms: 1.674 }
        );
    }

    #[test]
    fn one_refused_request_is_a_failure() {
        assert!(parse(&GOOD.replace(r#""status":0"#, r#""status":1"#)).is_err());
        assert!(parse(&GOOD.replace(r#""timeout":0"#, r#""timeout":1"#)).is_err());
        assert!(parse(&GOOD.replace(r#""requests":1000"#, r#""requests":0"#)).is_err());
    }

    #[test]
    fn the_script_begins_with_what_to_send() {
        let script = script_text(&GRAPH);
        assert!(script.starts_with("local HEADERS = {\n   [\"Accept\"] = \"application/json\","));
        assert!(script.contains("local AUTHORIZATION = \"Bearer dev:"));
        assert!(script.contains(r#"local SET_METHOD, SET_BODIES = "POST", { "{\"sessionId\":\""#));
    }
}
