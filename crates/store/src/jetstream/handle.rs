//! The handle of an open log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::future::try_join_all;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::heart::Heart;
use super::leases::KvLeases;
use super::publish::{self, Queued};
use super::shared::Shared;
use super::{JetStreamError, JetStreamOptions, connection, purge, stream, sweeper, tail};
use crate::append::Owner;
use crate::{Append, AppendError, Cluster, Health, Hold, Log, LogId, Receipt, Replica, Stats};

/// How long appends that wait may take to end when the log is closed.
const FINISH: Duration = Duration::from_secs(5);

/// How long it may take to tell the others that this process leaves: without a server they cannot be told.
const GOODBYE: Duration = Duration::from_secs(2);

/// A log in NATS JetStream, which other processes share.
///
/// What the [contract](Log) leaves open: an append without an answer is sent again for as long as the process lives, and
/// its receipt waits; a log that is cut off for five seconds, or that NATS has no leader for for ten, takes no more. A tombstone that any process has purged is
/// forgotten by the others when they purge it, or when they write to its key. Dropping it closes it.
pub struct JetStream {
    shared: Arc<Shared>,
    cluster: Arc<Cluster>,
    appends: mpsc::UnboundedSender<Queued>,
    purges: mpsc::UnboundedSender<i64>,
    number: AtomicU64,
    stop: watch::Sender<bool>,
    /// Taken by whoever closes the log. A lock, so that whoever closes it at the same time waits too.
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the log's thread has made ready.
struct Opened {
    shared: Arc<Shared>,
    heart: Arc<Heart>,
    leases: Arc<KvLeases>,
}

/// The ends of what others put in that the log's thread has.
struct Ends {
    appends: mpsc::UnboundedReceiver<Queued>,
    purges: mpsc::UnboundedReceiver<i64>,
    stop: watch::Receiver<bool>,
}

impl JetStream {
    /// Opens the log, making its streams if need be, and hands all entries to the replica before it returns. Blocks until
    /// then; what goes on afterwards does so on a thread of its own.
    ///
    /// # Errors
    ///
    /// See [`JetStreamError`].
    pub fn open(options: JetStreamOptions, replica: Arc<dyn Replica>) -> Result<JetStream, JetStreamError> {
        let unstarted = |error: std::io::Error| JetStreamError::Thread(error.to_string());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unstarted)?;
        let (appends, queue) = mpsc::unbounded_channel();
        let (purges, purge_queue) = mpsc::unbounded_channel();
        let stop = watch::Sender::new(false);
        let ends = Ends { appends: queue, purges: purge_queue, stop: stop.subscribe() };
        let (opened, is_open) = std::sync::mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("porchlight-log".to_owned())
            .spawn(move || runtime.block_on(run(options, replica, ends, opened)))
            .map_err(unstarted)?;
        let Opened { shared, heart, leases } =
            is_open.recv().map_err(|_| JetStreamError::Thread("it has panicked".to_owned()))??;
        let cluster = Cluster { me: shared.me, nodes: heart.nodes(), leases };
        Ok(JetStream {
            shared,
            cluster: Arc::new(cluster),
            appends,
            purges,
            number: AtomicU64::new(0),
            stop,
            thread: Mutex::new(Some(thread)),
        })
    }
}

/// The log's thread, from opening to closing.
async fn run(
    options: JetStreamOptions,
    replica: Arc<dyn Replica>,
    ends: Ends,
    opened: std::sync::mpsc::SyncSender<Result<Opened, JetStreamError>>,
) {
    let log = match open(options, replica).await {
        Ok(log) => log,
        Err(error) => {
            // Whoever opens the log waits for this.
            let _ = opened.send(Err(error));
            return;
        }
    };
    let Opened { shared, heart, leases } = &log;
    let (shared, heart) = (Arc::clone(shared), Arc::clone(heart));
    tokio::spawn(publish::run(Arc::clone(&shared), ends.appends));
    tokio::spawn(purge::run(Arc::clone(&shared), ends.purges));
    tokio::spawn(Arc::clone(&heart).run(Arc::clone(&shared)));
    tokio::spawn(Arc::clone(leases).run());
    tokio::spawn(leave_if_broken(Arc::clone(&shared), Arc::clone(leases)));
    for cell in &shared.cells {
        let heart = Arc::clone(&heart);
        tokio::spawn(sweeper::run(shared.context.clone(), cell.stream.clone(), move || heart.is_first()));
    }
    if opened.send(Ok(log)).is_err() {
        return;
    }
    let mut stop = ends.stop;
    // It fails when the handle is gone, which says the same.
    let _ = stop.wait_for(|stop| *stop).await;
    finish(&shared).await;
    if tokio::time::timeout(GOODBYE, say_goodbye(&shared, &heart)).await != Ok(true) {
        tracing::debug!("NATS was not told that this node leaves");
    }
    shared.cells.iter().for_each(super::cell::Cell::abandon);
}

/// Tells the others that this process leaves; whether that has gone out.
async fn say_goodbye(shared: &Shared, heart: &Heart) -> bool {
    heart.stop(shared).await;
    shared.client.flush().await.is_ok()
}

/// Leaves the slots to others once the log is broken: what this process holds is not what is to be told.
async fn leave_if_broken(shared: Arc<Shared>, leases: Arc<KvLeases>) {
    shared.breaks_down().await;
    leases.leave();
}

/// Connects, sees to the streams, and follows them until the replica has everything.
async fn open(options: JetStreamOptions, replica: Arc<dyn Replica>) -> Result<Opened, JetStreamError> {
    let (client, context) = connection::open(&options).await?;
    let id = connection::patiently(&options, async || stream::open(&context, &options).await).await?;
    let shared = Arc::new(Shared::new(id, options, (client, context), replica));
    let heart = Arc::new(Heart::new(shared.me, &shared.options.node));
    let caught_up =
        (0..shared.cells.len()).map(|cell| {
            let (say, said) = oneshot::channel();
            tokio::spawn(tail::run(Arc::clone(&shared), Arc::clone(&heart), cell, say));
            async move {
                said.await.map_err(|_| JetStreamError::Nats("the stream cannot be followed".to_owned()))?
            }
        });
    try_join_all(caught_up).await?;
    let bucket = format!("{}-leases", shared.options.prefix);
    let replicas = shared.options.replicas;
    let open_leases =
        async || KvLeases::open(&shared.context, &bucket, replicas, shared.me, heart.nodes()).await;
    let leases = connection::patiently(&shared.options, open_leases).await?;
    Ok(Opened { shared, heart, leases })
}

/// Waits for the appends that wait, unless the log is cut off.
async fn finish(shared: &Shared) {
    let since = Instant::now();
    while shared.counts.waiting.load(Ordering::Relaxed) > 0 && shared.is_writable() {
        let left = FINISH.saturating_sub(since.elapsed());
        if left.is_zero() || tokio::time::timeout(left, shared.settled.notified()).await.is_err() {
            return;
        }
    }
}

impl Log for JetStream {
    fn id(&self) -> LogId {
        self.shared.id
    }

    fn waiting_max(&self) -> usize {
        self.shared.options.waiting_max
    }

    fn append(&self, append: Append, hold: Hold) -> Result<Receipt, AppendError> {
        let shared = &self.shared;
        if shared.closes.load(Ordering::SeqCst) || !shared.is_writable() {
            return Err(AppendError::Unavailable);
        }
        if shared.counts.waiting.load(Ordering::Relaxed) >= shared.options.waiting_max {
            return Err(AppendError::Busy);
        }
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (owner, receipt) = Owner::new(hold);
        shared.cell(&append.key).begin(number, append.key.clone(), owner);
        let queued = Queued { append, number, since: Instant::now() };
        if let Err(mpsc::error::SendError(queued)) = self.appends.send(queued) {
            publish::give_up(shared, &queued);
        }
        Ok(receipt)
    }

    fn purge(&self, before: i64) {
        // It fails only when the log is closed.
        let _ = self.purges.send(before);
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }

    fn stats(&self) -> Stats {
        self.shared.stats()
    }

    fn cluster(&self) -> Option<Arc<Cluster>> {
        Some(Arc::clone(&self.cluster))
    }

    fn close(&self) {
        self.shared.closes.store(true, Ordering::SeqCst);
        self.stop.send_replace(true);
        let mut thread = self.thread.lock();
        let Some(handle) = thread.take() else { return };
        if handle.thread().id() == thread::current().id() {
            // The last handle was dropped by something that the log's thread itself dropped, which cannot wait for itself.
            return;
        }
        // A panic was reported where it happened.
        if handle.join().is_ok() {
            self.shared.health.send_replace(Health::Closed);
        }
    }
}

impl Drop for JetStream {
    fn drop(&mut self) {
        self.close();
    }
}
