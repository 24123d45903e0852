//! Where a request's time goes: the server's processor time by stages, as perf sees it.
//!
//! A sample belongs to the first function from its leaf upwards that the tables below know. What is small was
//! inlined by the compiler into what calls it, so neighbouring stages lend each other a little.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::report::{Figure, Outcome};
use crate::rows::Bench;
use crate::server::Server;
use crate::wrk::{Kind, Load};

const ROW: &str = "breakdown";

/// What to do when perf cannot be had.
const HELP: &str = "install perf, on Debian by `apt-get install linux-perf`, and run it as root";

/// Samples per second and core; a prime, so that it keeps step with nothing.
const FREQUENCY: &str = "997";

/// Parts of the names of functions, and the stage that they belong to; the first that fits counts.
const STAGES: [(&str, &str); 41] = [
    ("Http1Transaction>::parse", "parse: head"),
    ("httparse::", "parse: head"),
    ("http::uri::", "parse: head"),
    ("porchlight_http::headers::", "parse: head"),
    ("porchlight_http::resource::", "parse: path and query"),
    ("porchlight_http::odata::", "parse: path and query"),
    ("porchlight_http::wire::json::", "parse: body"),
    ("porchlight_http::wire::command", "parse: body"),
    ("porchlight_http::body::", "parse: body"),
    ("porchlight_http::routes::collection::asked", "parse: body"),
    ("porchlight_http::auth::", "auth"),
    ("porchlight_http::routes::rights", "auth"),
    ("porchlight_http::window", "auth"),
    ("porchlight_presence::", "evaluate"),
    ("porchlight_engine::write", "write: lane, claim and record"),
    ("porchlight_engine::lanes", "write: lane, claim and record"),
    ("porchlight_engine::in_flight", "write: lane, claim and record"),
    ("porchlight_engine::state", "write: into the table and the feed"),
    ("porchlight_engine::feed", "write: into the table and the feed"),
    ("porchlight_engine::timers", "write: into the table and the feed"),
    ("porchlight_engine::", "lookup"),
    ("porchlight_store::", "write: log"),
    ("fjall::", "write: log"),
    ("lsm_tree::", "write: log"),
    ("porchlight_http::audit", "write: audit and log lines"),
    ("tracing", "write: audit and log lines"),
    ("porchlight::", "write: audit and log lines"),
    ("porchlight_http::wire::", "serialize: body"),
    ("porchlight_http::etag", "serialize: body"),
    ("porchlight_http::routes::presence::show", "serialize: body"),
    ("porchlight_http::gzip", "serialize: body"),
    ("Http1Transaction>::encode", "serialize: head"),
    ("::write_head", "serialize: head"),
    ("porchlight_http::api::finish", "serialize: head"),
    ("porchlight_http::reply", "serialize: head"),
    ("porchlight_http::socket", "hyper and tokio"),
    ("porchlight_http::ticks", "hyper and tokio"),
    ("porchlight_http::server::serve", "hyper and tokio"),
    ("porchlight_http::", "route, metrics and the rest of http"),
    ("hyper", "hyper and tokio"),
    ("tokio::", "hyper and tokio"),
];

/// The same for time in the kernel, by who asked it.
const KERNEL: [(&str, &str); 9] = [
    ("__send", "kernel: send"),
    ("writev", "kernel: send"),
    ("recv", "kernel: receive"),
    ("fdatasync", "kernel: disk"),
    ("__GI___libc_write", "kernel: disk"),
    ("epoll_wait", "kernel: sleep and wake"),
    ("sched_yield", "kernel: sleep and wake"),
    ("nanosleep", "kernel: sleep and wake"),
    ("syscall", "kernel: sleep and wake"),
];

/// Profiles a read with a token, 650 ids, and a keep-alive.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let mut figures = read_with_token(bench)?;
    let folder = bench.folder()?;
    let users = bench.scale.users;
    let server = bench.start_with_people(folder.path(), users)?;
    for (what, kind, connections) in [("650 ids", Kind::Bulk, 64), ("setPresence", Kind::Set, 256)] {
        let seconds = bench.scale.seconds;
        let load = Load { kind, connections, users, start: 0, first: 0, tokens: None, seconds };
        figures.extend(break_down(bench, folder.path(), &server, load, what)?);
    }
    server.stop()?;
    Ok(Outcome { compared: vec![], figures })
}

fn read_with_token(bench: &Bench) -> Result<Vec<Figure>> {
    let users = bench.scale.tokens;
    let folder = bench.folder()?;
    let (tokens, server) = bench.start_with_tokens(folder.path(), users)?;
    let load = Load {
        kind: Kind::Get,
        connections: 64,
        users,
        start: 0,
        first: 0,
        tokens: Some(tokens.file()),
        seconds: bench.scale.seconds,
    };
    let figures = break_down(bench, folder.path(), &server, load, "GET with a token")?;
    server.stop()?;
    Ok(figures)
}

/// What a request takes, and how that is shared out. The first run is not profiled: it says how much there
/// is.
fn break_down(
    bench: &Bench,
    folder: &Path,
    server: &Server,
    load: Load<'_>,
    what: &str,
) -> Result<Vec<Figure>> {
    let before = server.cpu_seconds()?;
    let run = bench.wrk.run(server.address(), load)?;
    let micros = (server.cpu_seconds()? - before) * 1e6 / run.requests;
    let samples = profile(bench, folder, server, load)?;
    ensure!(!samples.is_empty(), "perf has seen nothing of {what}; {HELP}");

    let mut counts: HashMap<&str, usize> = HashMap::new();
    for sample in &samples {
        *counts.entry(stage(sample)).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|(stage, count)| (Reverse(*count), *stage));
    let figure = |of: &str, value| Figure::new(ROW, format!("{what}: {of}"), value, "µs");
    let all = format!("{} samples of two runs; {:.0} requests/s", samples.len(), run.requests / run.seconds);
    let mut figures = vec![figure("server CPU per request", micros).note(all)];
    figures.extend(counts.into_iter().map(|(stage, count)| {
        let share = count as f64 / samples.len() as f64;
        figure(stage, micros * share).note(format!("{:.1} %", share * 100.0))
    }));
    Ok(figures)
}

/// A frame of a call stack: a function, and the file that it is in.
type Frame = (String, String);

/// The call stacks, leaves first, of a server under load.
fn profile(bench: &Bench, folder: &Path, server: &Server, load: Load<'_>) -> Result<Vec<Vec<Frame>>> {
    let data = folder.join("perf.data");
    let (address, longer) = (server.address(), Load { seconds: load.seconds + 2, ..load });
    thread::scope(|scope| {
        let loading = scope.spawn(|| bench.wrk.run(address, longer));
        thread::sleep(Duration::from_secs(1));
        let recorded = record(&data, server.id(), load.seconds);
        loading.join().expect("the load generator does not panic")?;
        recorded
    })?;
    let output = perf(&["script", "--no-inline", "-F", "comm,ip,sym,dso", "-i"], &data)?;
    Ok(samples(&output))
}

fn record(data: &Path, process: u32, seconds: u32) -> Result<()> {
    let (process, seconds) = (process.to_string(), seconds.to_string());
    let mut command = Command::new("perf");
    command.args(["record", "--quiet", "--call-graph", "dwarf,8192", "-F", FREQUENCY, "-p", &process, "-o"]);
    let output = command.arg(data).args(["--", "sleep", &seconds]).stdin(Stdio::null()).output();
    let output = output.context("failed to run perf").context(HELP)?;
    ensure!(
        output.status.success(),
        "perf record failed; {HELP}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// What perf says of recorded data.
fn perf(arguments: &[&str], data: &Path) -> Result<String> {
    let output = Command::new("perf").args(arguments).arg(data).stdin(Stdio::null()).output();
    let output = output.context("failed to run perf").context(HELP)?;
    ensure!(output.status.success(), "perf failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads what `perf script` prints: for each sample the thread's name, its frames, and an empty line.
fn samples(script: &str) -> Vec<Vec<Frame>> {
    let frame = |line: &str| {
        let (_address, rest) = line.trim_start().split_once(' ')?;
        let (function, file) = rest.rsplit_once(" (")?;
        Some((function.to_owned(), file.trim_end_matches(')').to_owned()))
    };
    let sample = |block: &str| block.lines().skip(1).filter_map(frame).collect::<Vec<Frame>>();
    script.split("\n\n").map(sample).filter(|frames| !frames.is_empty()).collect()
}

/// The stage that a sample belongs to.
fn stage(frames: &[Frame]) -> &'static str {
    let is_kernel = |(_, file): &Frame| file.starts_with("[kernel") || file.starts_with("[k]");
    let (table, rest): (&[(&str, &'static str)], &'static str) = if frames.first().is_some_and(is_kernel) {
        (&KERNEL[..], "kernel: the rest")
    } else {
        (&STAGES[..], "the rest")
    };
    let known = |(function, _): &Frame| table.iter().find(|(part, _)| function.contains(part));
    frames.iter().filter(|frame| !is_kernel(frame)).find_map(known).map_or(rest, |(_, stage)| *stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "\
http-1
\tffffffff82265244 __schedule ([kernel.kallsyms])
\t          10aba4 __send (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t         12f3df6 tokio::net::tcp::stream::TcpStream::poll_write_priv (/x/porchlight)

http-0
\t          5a0000 __memmove_avx512_unaligned_erms (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t          be0f3b porchlight_engine::table::Table::look_at (/x/porchlight)
\t          d1a7d6 porchlight_http::routes::presence::look (/x/porchlight)

http-0
\t          73519e <hyper::proto::h1::role::Server as hyper::proto::h1::Http1Transaction>::encode (/x/porchlight)
\t          d27593 porchlight_http::server::serve_plain::{{closure}} (/x/porchlight)
\tffffffffffffffff [unknown] ([unknown])

sleep
\t          1000 main (/bin/sleep)
";

    #[test]
    fn a_sample_belongs_to_the_first_stage_from_its_leaf() {
        let stages: Vec<&str> = samples(SCRIPT).iter().map(|sample| stage(sample)).collect();
        assert_eq!(stages, ["kernel: send", "lookup", "serialize: head", "the rest"]);
    }
}
