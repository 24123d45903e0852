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

/// How long they took, from when they were due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// From when they were sent. A connection sends one after the other: when answers take longer than it is
    /// from one read to the next, each is later than the one before it, which the others tell and this does not.
    pub(crate) sent_p99_ms: f64,
}

/// How long one took.
struct Lasted {
    from_due: Duration,
    from_sent: Duration,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    lasted: Mutex<Vec<Lasted>>,
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
        Took::of(&std::mem::take(&mut *self.shared.lasted.lock()), elapsed)
    }

    /// Stops reading, once all reads under way are answered.
    pub(crate) async fn stop(self) -> Result<Took> {
        let elapsed = self.since.elapsed();
        self.shared.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.context("a reader has died")??;
        }
        let took = Took::of(&self.shared.lasted.lock(), elapsed);
        Ok(took)
    }
}

impl Took {
    fn of(lasted: &[Lasted], elapsed: Duration) -> Took {
        let millis =
            |what: fn(&Lasted) -> Duration| sorted(lasted.iter().map(|one| what(one).as_secs_f64() * 1e3));
        let (due, sent) = (millis(|one| one.from_due), millis(|one| one.from_sent));
        Took {
            per_second: lasted.len() as f64 / elapsed.as_secs_f64(),
            p50_ms: percentile(&due, 0.5),
            p99_ms: percentile(&due, 0.99),
            max_ms: percentile(&due, 1.0),
            sent_p99_ms: percentile(&sent, 0.99),
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
            let due = turn(self.due).await;
            let sent = Instant::now();
            self.client.send(&(self.ask)(self.user)).await?;
            let lasted = Lasted { from_due: due.elapsed(), from_sent: sent.elapsed() };
            self.shared.lasted.lock().push(lasted);
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
