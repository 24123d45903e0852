//! Reads at a steady pace: what goes on beside whatever is being measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::client::Client;
use crate::requests::Ask;
use crate::spread::{percentile, sorted};
use crate::stopwatch::Stopwatch;

/// Connections that the reads are spread over.
const CONNECTIONS: u32 = 16;

/// Reads going on.
pub(crate) struct Reads {
    tasks: Vec<JoinHandle<Result<()>>>,
    shared: Arc<Shared>,
    since: Stopwatch,
}

/// How long they took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    took: Mutex<Vec<Duration>>,
}

impl Reads {
    /// Starts reading presences of the first `users`, so many per second.
    pub(crate) async fn start(address: SocketAddr, per_second: u32, users: u32) -> Result<Reads> {
        Reads::start_asking(address, per_second, users, Ask::presence).await
    }

    /// The same with something else that is asked of each user in turn.
    pub(crate) async fn start_asking(
        address: SocketAddr,
        per_second: u32,
        users: u32,
        ask: fn(u32) -> Ask,
    ) -> Result<Reads> {
        let shared = Arc::new(Shared::default());
        let every = Duration::from_secs(1) * CONNECTIONS / per_second;
        let start = Instant::now();
        let mut tasks = Vec::new();
        for number in 0..CONNECTIONS {
            let reader = Reader {
                client: Client::connect(address).await?,
                due: start + every * number / CONNECTIONS,
                every,
                user: number * users / CONNECTIONS,
                users,
                ask,
                shared: Arc::clone(&shared),
            };
            tasks.push(tokio::spawn(reader.run()));
        }
        Ok(Reads { tasks, shared, since: Stopwatch::start() })
    }

    /// Forgets the reads so far, and says how long they took.
    pub(crate) fn lap(&mut self) -> Took {
        let elapsed = self.since.elapsed();
        self.since = Stopwatch::start();
        Took::of(&std::mem::take(&mut *self.shared.took.lock()), elapsed)
    }

    /// Stops reading, once all reads under way are answered.
    pub(crate) async fn stop(self) -> Result<Took> {
        let elapsed = self.since.elapsed();
        self.shared.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.context("a reader has died")??;
        }
        let took = Took::of(&self.shared.took.lock(), elapsed);
        Ok(took)
    }
}

impl Took {
    fn of(took: &[Duration], elapsed: Duration) -> Took {
        let millis = sorted(took.iter().map(|took| took.as_secs_f64() * 1e3));
        Took {
            per_second: millis.len() as f64 / elapsed.as_secs_f64(),
            p50_ms: percentile(&millis, 0.5),
            p99_ms: percentile(&millis, 0.99),
            max_ms: percentile(&millis, 1.0),
        }
    }
}

/// One connection's part of the reads.
struct Reader {
    client: Client,
    due: Instant,
    every: Duration,
    user: u32,
    users: u32,
    ask: fn(u32) -> Ask,
    shared: Arc<Shared>,
}

impl Reader {
    async fn run(mut self) -> Result<()> {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let begun = turn(self.due).await;
            self.client.send(&(self.ask)(self.user)).await?;
            self.shared.took.lock().push(begun.elapsed());
            self.user = (self.user + 1) % self.users;
            self.due += self.every;
        }
        Ok(())
    }
}

/// Waits until a read is due, and says from when on it counts as asked.
///
/// A read that had to wait for the one before it was kept waiting by the server, and counts from when it was due;
/// one that this program's own timer woke late for is not the server's fault, and counts from now.
async fn turn(due: Instant) -> Instant {
    if Instant::now() >= due {
        return due;
    }
    sleep_until(due).await;
    Instant::now()
}
