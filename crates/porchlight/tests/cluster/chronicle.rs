//! What was done to a cluster, and when.

#![expect(clippy::print_stderr, reason = "it is told while it happens, and once more when a test fails")]

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// The chronicle of one run; cheap to clone. When a test fails it is printed once more, with the seed.
#[derive(Clone)]
pub(crate) struct Chronicle(Arc<Book>);

struct Book {
    seed: u64,
    begun: Instant,
    lines: Mutex<Vec<(Duration, String)>>,
}

impl Chronicle {
    /// The chronicle of a run with this seed, which begins now.
    pub(crate) fn begin(seed: u64) -> Chronicle {
        eprintln!("PORCHLIGHT_TEST_SEED={seed}");
        Chronicle(Arc::new(Book { seed, begun: Instant::now(), lines: Mutex::default() }))
    }

    /// How long the run has been going on.
    pub(crate) fn now(&self) -> Duration {
        self.0.begun.elapsed()
    }

    /// Notes and prints what is done now.
    pub(crate) fn note(&self, what: impl Into<String>) {
        let (at, what) = (self.now(), what.into());
        eprintln!("{}", line(at, &what));
        self.0.lines().push((at, what));
    }

    /// What was done in the ten seconds before this time, a line each.
    pub(crate) fn before(&self, end: Duration) -> String {
        let begin = end.saturating_sub(Duration::from_secs(10));
        let mut text = String::new();
        for (at, what) in self.0.lines().iter().filter(|(at, _)| (begin..=end).contains(at)) {
            writeln!(text, "{}", line(*at, what)).expect("a string takes any text");
        }
        text
    }
}

impl Book {
    fn lines(&self) -> MutexGuard<'_, Vec<(Duration, String)>> {
        self.lines.lock().expect("nobody panics while they hold it")
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it failed with PORCHLIGHT_TEST_SEED={}; what was done:", self.seed);
            for (at, what) in self.lines().iter() {
                eprintln!("{}", line(*at, what));
            }
        }
    }
}

fn line(at: Duration, what: &str) -> String {
    format!("{:>8.3} s  {what}", at.as_secs_f64())
}
