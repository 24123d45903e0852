//! Porchlight beside a bare server, measured in the same run.
//!
//! `cargo run --release -p bench` prints a table. Where a figure has a peer it stands beside that of [`bare`]: hyper
//! and nothing else, answering constant bodies of the same sizes to the same load generator; or, where the log is in
//! NATS, beside that of [`raw`]: async-nats and nothing else, publishing to the same servers. A machine's mood then
//! falls on both, and what is compared is their ratio. Rows without a peer stand beside their targets alone.
//!
//! It never measures what it cannot vouch for: a run in which anything was answered but 2xx, or a socket failed, is
//! a failed row and never a figure.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "figures go to one, progress to the other")]

mod bare;
mod client;
mod endpoint;
mod endurance;
mod folder;
mod machine;
mod metrics;
mod nats;
mod peers;
mod procfs;
mod publisher;
mod raw;
mod reads;
mod report;
mod requests;
mod rows;
mod scale;
mod server;
mod spread;
mod stopwatch;
mod tokens;
mod wrk;

use std::iter;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand};

use crate::endurance::Scenario;
use crate::raw::Raw;
use crate::report::{Outcome, Report};
use crate::rows::{Bench, Row};
use crate::scale::Scale;
use crate::stopwatch::Stopwatch;

/// Porchlight beside a bare server, measured in the same run.
#[derive(Parser)]
#[command(
    name = "bench",
    after_help = "\
Examples:
  cargo run --release -p bench                          all but cluster-scale, in about 40 minutes
  cargo run --release -p bench -- --quick               the same, small, in about three minutes
  cargo run --release -p bench -- --only get,bulk       two rows
  cargo run --release -p bench -- --only cluster-scale  a million users in NATS, in about 20 minutes
  cargo run --release -p bench -- --json > run.json     for programs
  cargo run --release -p bench -- storm                 nine o'clock, in about four minutes
  cargo run --release -p bench -- day                   a day in an hour
  cargo run --release -p bench -- hour                  an hour at 70 % of the maximum
  cargo run --release -p bench -- curves                over connections and users, in about an hour
  cargo run --release -p bench -- rude                  rude clients beside polite ones, in about six minutes
  cargo run --release -p bench -- disk-full             a full disk, as root
  cargo run --release -p bench -- clock-jumps           a clock that is set ahead and back
  cargo run --release -p bench -- peers                 beside what one would take instead, in half an hour

The rows about NATS, from cluster-write on, need nats-server: ./test installs it, PORCHLIGHT_NATS_SERVER names another."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Task>,
    #[command(flatten)]
    scope: Scope,
    /// Only these rows, separated by commas. Default: all but cluster-scale and those of commands of their own.
    #[arg(long, value_name = "ROW", value_enum, value_delimiter = ',')]
    only: Vec<Row>,
}

/// How much is measured, where, and for whom.
#[derive(Args)]
struct Scope {
    /// Small and short: for a look after every change, not for figures to quote.
    #[arg(long, global = true)]
    quick: bool,
    /// JSON on standard output and nothing else there.
    #[arg(long, global = true)]
    json: bool,
    /// Interleaved runs of each row that has a peer; their median counts. Default 7, with --quick 2.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: Option<u32>,
    /// Where the throw-away data folders go; a real disk, or durable writes mean nothing. Default: beside this
    /// program.
    #[arg(long, global = true, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Task {
    #[command(flatten)]
    Endurance(Scenario),
    /// Rude clients beside polite ones: slow loris, header bombs, idle connections and others.
    Rude,
    /// A disk that is full for a while.
    DiskFull,
    /// A machine's clock that is set ahead and back.
    ClockJumps,
    /// Beside what one would take instead: Fastify with Redis, Synapse, and a server of XMPP.
    ///
    /// Installs each from its package into `target/peers`, starts it, has it and Porchlight take turns, stops it, and
    /// prints the ratios.
    Peers {
        /// Only these, separated by commas. Default: all.
        #[arg(long, value_name = "PEER", value_enum, value_delimiter = ',')]
        only: Vec<peers::Row>,
    },
    /// The bare server, in a process of its own so that its CPU time can be told.
    #[command(hide = true)]
    Bare {
        /// What it answers: a file as `bare::describe` makes it.
        #[arg(long)]
        answers: PathBuf,
    },
    /// The raw publisher, in a process of its own for the same reason.
    #[command(hide = true)]
    RawPublish(Raw),
}

/// How a part is measured.
type Measure = Box<dyn FnOnce(&Bench) -> Result<Outcome>>;

/// One part of a run: what it is called, what it is about, and how it is measured.
struct Part {
    name: &'static str,
    title: &'static str,
    measure: Measure,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    match cli.command {
        Some(Task::Bare { answers }) => bare::serve(&answers).map(|()| ExitCode::SUCCESS),
        Some(Task::RawPublish(raw)) => raw.publish().map(|()| ExitCode::SUCCESS),
        Some(Task::Rude) => measure(cli.scope, parts(Row::RUDE.to_vec())),
        Some(Task::DiskFull) => measure(cli.scope, parts(vec![Row::DiskFull])),
        Some(Task::ClockJumps) => measure(cli.scope, parts(vec![Row::ClockJumps])),
        Some(Task::Endurance(scenario)) => {
            let part = Part {
                name: scenario.name(),
                title: scenario.title(),
                measure: Box::new(move |bench: &Bench| scenario.measure(bench)),
            };
            measure(cli.scope, iter::once(part))
        }
        Some(Task::Peers { only }) => {
            let rows = if only.is_empty() { peers::Row::all() } else { only };
            let part = |row: peers::Row| Part {
                name: row.name(),
                title: row.title(),
                measure: Box::new(move |bench: &Bench| row.measure(bench)),
            };
            measure(cli.scope, rows.into_iter().map(part))
        }
        None => measure(cli.scope, parts(if cli.only.is_empty() { Row::usual() } else { cli.only })),
    }
}

/// Rows as parts of a report.
fn parts(rows: Vec<Row>) -> impl Iterator<Item = Part> {
    rows.into_iter().map(|row| Part {
        name: row.name(),
        title: row.title(),
        measure: Box::new(move |bench: &Bench| row.measure(bench)),
    })
}

fn measure(scope: Scope, parts: impl Iterator<Item = Part>) -> Result<ExitCode> {
    ensure!(
        !cfg!(debug_assertions),
        "a debug build says nothing about speed; run `cargo run --release -p bench`"
    );
    let took = Stopwatch::start();
    let scale = if scope.quick { Scale::quick(scope.runs) } else { Scale::full(scope.runs) };
    let bench = Bench::prepare(scale, scope.folder)?;
    let mut report = Report::new(bench.machine()?, bench.scale.clone());
    for part in parts {
        eprintln!("{:>6.1} s  {}: {}", took.elapsed().as_secs_f64(), part.name, part.title);
        report.add(part.name, (part.measure)(&bench));
    }
    report.took = took.elapsed();
    if scope.json {
        println!("{:#}", report.json());
    } else {
        println!("{report}");
    }
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
