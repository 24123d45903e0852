//! The whole server in one thread: engine, notifier and HTTP over a simulated log, network and clock, with clients,
//! followers and receivers of webhooks around it, and everything failing as a seed says.
//!
//! ```sh
//! cargo run --release -p simulation -- --seed 7        # the same run, whenever and wherever
//! cargo run --release -p simulation -- --minutes 10    # other seeds, one after another
//! ```
//!
//! | module | what is in it |
//! |---|---|
//! | `run`, `world`, `place`, `time` | a run, the scheduler, and virtual time |
//! | `randomness`, `dice` | chance, by the seed |
//! | `journal`, `batch`, `disk` | the log of a node by itself, on a disk that fails |
//! | `stream`, `member`, `shares` | the log that several nodes share, and their handles on it |
//! | `link`, `talk`, `receivers` | the network, who asks and who is told |
//! | `node`, `chaos` | a node's lives, and what ends them |
//! | `client`, `deed`, `administrator`, `followers`, `subscriber` | those around the server |
//! | `chronicle`, `life`, `model`, `watches`, `laws`, `trace`, `panics` | what has happened, and whether it may |
//! | `watchdog` | what ends a run that makes no progress |

mod administrator;
mod batch;
mod chaos;
mod chronicle;
mod client;
mod deed;
mod dice;
mod disk;
mod followers;
mod journal;
mod laws;
mod life;
mod link;
mod member;
#[expect(dead_code, reason = "the tests of the domain ask more of it")]
#[path = "../../presence/tests/support/model.rs"]
mod model;
mod node;
mod panics;
mod place;
mod randomness;
mod receivers;
mod run;
mod series;
mod shares;
mod stream;
mod subscriber;
mod tagged;
mod talk;
mod time;
mod town;
mod trace;
mod watchdog;
mod watches;
mod world;

use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use clap::Parser;

use crate::run::Shape;

/// Simulates the whole server, and checks its laws.
#[derive(Parser, Debug)]
struct Arguments {
    /// Makes the run of this seed alone.
    #[arg(long, conflicts_with_all = ["seconds", "minutes"])]
    seed: Option<u64>,
    /// Makes runs of other seeds for so many seconds.
    #[arg(long, default_value_t = 60, conflicts_with = "minutes")]
    seconds: u64,
    /// Makes runs of other seeds for so many minutes.
    #[arg(long)]
    minutes: Option<u64>,
    /// Nodes in each run. Without this, runs of a series have one or three by turns.
    #[arg(long)]
    nodes: Option<usize>,
    /// Things that each client does in a run.
    #[arg(long, default_value_t = 40)]
    steps: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let held = if let Some(seed) = arguments.seed {
        one(seed, Shape { nodes: arguments.nodes.unwrap_or(1).max(1), steps: arguments.steps })
    } else {
        let length = arguments.minutes.map_or(arguments.seconds, |minutes| minutes * 60);
        series::run(Duration::from_secs(length), arguments.nodes, arguments.steps)
    };
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Makes the run of one seed, and says what came of it. Returns whether every law has held.
fn one(seed: u64, shape: Shape) -> bool {
    randomness::begin(seed);
    panics::watch();
    let (sender, receiver) = mpsc::channel();
    randomness::on_a_fixed_stack(Box::new(move || {
        // It cannot fail: the receiver waits for it.
        let _ = sender.send(run::run(seed, shape));
    }));
    let report = receiver.recv().expect("a run ends with a report");
    let mut out = std::io::stdout().lock();
    let mut say = |line: &str| writeln!(out, "{line}").expect("there is somebody who reads");
    if let Some(broken) = &report.broken {
        for line in &report.last {
            say(line);
        }
        say(&broken.to_string());
    }
    say(&report.to_string());
    report.broken.is_none()
}
