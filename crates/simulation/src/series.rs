//! Runs of other seeds, one after another: each in a process of its own, so that nothing of one is left in the next.

#![expect(clippy::disallowed_methods, reason = "how long a series goes on is a matter of real time")]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::randomness;

/// The counts that a report ends with, all runs together.
type Sums = BTreeMap<String, u64>;

/// Makes runs for so long. Returns whether every law has held in all of them.
pub(crate) fn run(length: Duration, nodes: Option<usize>, steps: u64) -> bool {
    let begun = Instant::now();
    let first = randomness::fresh_seed();
    let (mut runs, mut broken, mut sums) = (0_u64, 0_u64, Sums::new());
    say(&format!("seeds from {first} on"));
    while begun.elapsed() < length {
        let seed = first + runs;
        let nodes = nodes.unwrap_or(if runs.is_multiple_of(2) { 1 } else { 3 });
        let output = one(seed, nodes, steps);
        let said = String::from_utf8_lossy(&output.stdout);
        runs += 1;
        if output.status.success() {
            add(&mut sums, said.lines().last().unwrap_or_default());
        } else {
            broken += 1;
            say(&format!("{said}{}", String::from_utf8_lossy(&output.stderr)));
            say(&format!(
                "again: cargo run --release -p simulation -- --seed {seed} --nodes {nodes} --steps {steps}"
            ));
        }
    }
    let sums: Vec<String> = sums.iter().map(|(name, sum)| format!("{name} {sum}")).collect();
    say(&format!("runs {runs}, broken {broken}; of those that held: {}", sums.join(", ")));
    broken == 0
}

fn one(seed: u64, nodes: usize, steps: u64) -> Output {
    let program = std::env::current_exe().expect("this program has a file");
    let arguments = [("--seed", seed), ("--nodes", nodes as u64), ("--steps", steps)]
        .map(|(name, value)| format!("{name}={value}"));
    Command::new(program).args(arguments).output().expect("this program can be started again")
}

/// Adds the counts of a report to the others: words followed by a number.
fn add(sums: &mut Sums, report: &str) {
    let counts = report.split_once("; ").map_or("", |(_, counts)| counts);
    let mut words = counts.split(' ');
    while let (Some(name), Some(count)) = (words.next(), words.next()) {
        if let Ok(count) = count.parse::<u64>()
            && name != "digest"
        {
            *sums.entry(name.to_owned()).or_default() += count;
        }
    }
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("there is somebody who reads");
}
