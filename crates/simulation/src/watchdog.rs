//! A run that makes no progress ends and says so, with its seed, instead of going on for ever.
//!
//! Time stands still while somebody on a node always has something to do. So it is counted how often the time
//! is asked for in a turn, which comes to the same on every machine. Whoever does not ask, or waits for a
//! lock that they hold themselves, is found by a thread that looks whether turns come to their ends.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::chronicle::Chronicle;
use crate::run::Shape;

/// How often the time may be asked for in a turn: far more often than anybody has a reason to within a turn's
/// milliseconds.
const ASKS_MAX: u64 = 5_000_000;

/// How often it is looked whether the turn is still the same. No clock is read for that.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// So many looks in a row may find the same turn, which takes some milliseconds at most.
const LOOKS_MAX: u32 = 90;

/// The run of this process.
static WATCHED: OnceLock<Watched> = OnceLock::new();

/// How many turns have begun.
static TURNS: AtomicU64 = AtomicU64::new(0);

/// How long the run had gone on when the last of them did, in milliseconds.
static REACHED: AtomicU64 = AtomicU64::new(0);

/// How often the time was asked for since.
static ASKS: AtomicU64 = AtomicU64::new(0);

struct Watched {
    seed: u64,
    shape: Shape,
    chronicle: Chronicle,
}

/// What the thread has seen.
#[derive(Default)]
struct Looks {
    turns: u64,
    /// How many looks in a row have found no other turn.
    same: u32,
}

/// Watches over the run of this process from now on.
pub(crate) fn begin(seed: u64, shape: Shape, chronicle: Chronicle) {
    WATCHED.get_or_init(|| Watched { seed, shape, chronicle });
    std::thread::spawn(watch);
}

/// A turn begins, when the run has gone on for so long.
pub(crate) fn turn(reached: Duration) {
    TURNS.fetch_add(1, Ordering::Relaxed);
    REACHED.store(u64::try_from(reached.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    ASKS.store(0, Ordering::Relaxed);
}

/// Somebody asks what time it is.
pub(crate) fn asked() {
    if ASKS.fetch_add(1, Ordering::Relaxed) >= ASKS_MAX {
        give_up(&format!("the time was asked for {ASKS_MAX} times in it"));
    }
}

fn watch() {
    let mut looks = Looks::default();
    loop {
        std::thread::sleep(LOOK_EVERY);
        if looks.find(TURNS.load(Ordering::Relaxed)) {
            give_up("it does not come to its end");
        }
    }
}

impl Looks {
    /// Whether the turn is the same for too long, since so many have begun.
    fn find(&mut self, turns: u64) -> bool {
        self.same = if turns == self.turns { self.same + 1 } else { 0 };
        self.turns = turns;
        self.same >= LOOKS_MAX
    }
}

/// Says what the run has come to, and ends the process: whoever makes no progress does not let go of it.
fn give_up(how: &str) -> ! {
    if let Some(Watched { seed, shape, chronicle }) = WATCHED.get() {
        let mut out = std::io::stdout().lock();
        let mut say = |line: &str| writeln!(out, "{line}").expect("there is somebody who reads");
        for line in chronicle.last_if_free() {
            say(&line);
        }
        let Shape { nodes, steps } = shape;
        let (turn, reached) = (TURNS.load(Ordering::Relaxed), REACHED.load(Ordering::Relaxed));
        let (seconds, millis) = (reached / 1_000, reached % 1_000);
        say(&format!(
            "seed {seed} nodes {nodes} steps {steps}: stuck in turn {turn}, which began at \
             {seconds}.{millis:03}: {how}"
        ));
    }
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_does_not_end_is_found_and_one_that_takes_its_time_is_not() {
        let mut looks = Looks::default();
        for turn in 1..4 {
            for _ in 0..LOOKS_MAX {
                assert!(!looks.find(turn), "turn {turn}");
            }
        }
        assert!(looks.find(3));
    }
}
