//! The heart: every other second this node writes into every cell that it lives, and what time it is.
//!
//! When that has come back by every stream, the replica has whatever was durable when it was written, however long the way
//! was: the proof that this node is current. From the heartbeats of all nodes comes who lives and how their clocks differ.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::cell::Cell;
use super::peers::{Beat, Peers};
use super::shared::Shared;
use super::subject;
use crate::Node;

/// How often.
const EVERY: Duration = Duration::from_secs(2);

/// How often to look whether it comes back.
const LOOK: Duration = Duration::from_millis(500);

/// Without a proof for this long, the way to NATS is made anew; then after twice as long each time, up to the second. NATS
/// may just be slow, and what is made anew all the time makes it slower.
const ANEW: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(12));

/// Without a connection and a proof for this long, no more appends are taken.
const CUT_OFF: Duration = Duration::from_secs(5);

/// With a connection, but without a proof for this long, no more appends are taken, either. That is longer than the four
/// to nine seconds in which servers of NATS elect a leader in place of one that is dead.
const LEADERLESS: Duration = Duration::from_secs(10);

/// The formats of records that this program reads; see [`Node::reads`]. Counted up with every new format, which is written
/// when all nodes that live read it.
const READS: u16 = 1;

/// What is known of heartbeats, this node's and those of others.
pub(super) struct Heart {
    me: Uuid,
    beats: Mutex<Beats>,
    nodes: watch::Sender<Arc<[Node]>>,
    /// How long the last heartbeat took to come back, in milliseconds.
    lag_ms: AtomicU64,
}

struct Beats {
    /// Those that have not come back by every cell, oldest first.
    sent: VecDeque<Sent>,
    /// When the last one that has was sent.
    proved: Instant,
    peers: Peers,
}

struct Sent {
    number: u64,
    /// What the replica's clock showed.
    clock: i64,
    at: Instant,
}

impl Heart {
    pub(super) fn new(me: Uuid, name: &str) -> Heart {
        let lonely = Node {
            id: me,
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            reads: READS,
            skew_ms: 0,
            lag: Duration::ZERO,
        };
        let beats = Beats { sent: VecDeque::new(), proved: Instant::now(), peers: Peers::default() };
        Heart {
            me,
            beats: Mutex::new(beats),
            nodes: watch::Sender::new(Arc::new([lonely])),
            lag_ms: AtomicU64::new(0),
        }
    }

    /// Whoever lives.
    pub(super) fn nodes(&self) -> watch::Receiver<Arc<[Node]>> {
        self.nodes.subscribe()
    }

    /// Whether this node is the one that does what anybody could do, but not all at once.
    pub(super) fn is_first(&self) -> bool {
        self.nodes.borrow().first().is_some_and(|first| first.id == self.me)
    }

    /// Notes a heartbeat that a cell has brought, which NATS took at this instant of its clock, in Unix milliseconds.
    pub(super) fn hear(&self, cell: &Cell, node: &str, beat: &[u8], taken_at: i64, now: Instant) {
        let (Ok(id), Ok(beat)) = (Uuid::try_parse(node), serde_json::from_slice::<Beat>(beat)) else {
            return;
        };
        if id == self.me {
            cell.beat.fetch_max(beat.number, Ordering::Relaxed);
        }
        let taken_at = (cell.number == 0).then_some(taken_at);
        self.beats.lock().peers.note(id, beat, taken_at, now);
    }

    /// Looks whether a heartbeat has come back by every cell.
    pub(super) fn look(&self, shared: &Shared) {
        let back =
            shared.cells.iter().map(|cell| cell.beat.load(Ordering::Relaxed)).min().unwrap_or_default();
        let mut beats = self.beats.lock();
        let mut proof = None;
        while beats.sent.front().is_some_and(|sent| sent.number <= back) {
            proof = beats.sent.pop_front();
        }
        // Who is broken is not current, whatever comes back.
        let Some(proof) = proof.filter(|_| !shared.is_broken()) else { return };
        beats.proved = proof.at;
        let living = beats.peers.living(Instant::now());
        drop(beats);
        let lag = u64::try_from(proof.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.lag_ms.store(lag, Ordering::Relaxed);
        shared.replica.is_current(proof.clock);
        self.publish(living);
        if proof.at.elapsed() < CUT_OFF {
            shared.recover();
        }
    }

    fn publish(&self, living: Vec<Node>) {
        self.nodes.send_if_modified(|nodes| {
            let is_new = **nodes != *living && !living.is_empty();
            if is_new {
                *nodes = living.into();
            }
            is_new
        });
    }

    /// Beats until the log is broken, and looks after the way to NATS. To the others, who is broken has left.
    pub(super) async fn run(self: Arc<Heart>, shared: Arc<Shared>) {
        // That every entry was read, however long that has taken, is the first proof.
        self.beats.lock().proved = Instant::now();
        let (mut number, mut beaten) = (0, None::<Instant>);
        let (mut renewed, mut patience) = (Instant::now(), ANEW.0);
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !shared.is_broken() {
            looks.tick().await;
            let silent = self.silent();
            // Whoever hears nothing asks at every look: that it is over is to be known at once.
            let is_time = silent > ANEW.0 || beaten.is_none_or(|beaten| beaten.elapsed() >= EVERY);
            // What is sent without a connection goes out when there is one again: late, and all at once.
            if is_time && shared.is_connected() {
                number += 1;
                beaten = Some(Instant::now());
                self.beat(&shared, number, false).await;
            }
            if silent > LEADERLESS {
                let seconds = LEADERLESS.as_secs();
                shared.fail(format!("nothing has come from NATS for more than {seconds} s"));
            } else if silent > CUT_OFF && !shared.is_connected() {
                shared.fail(format!("cut off from NATS for more than {} s", CUT_OFF.as_secs()));
            }
            if silent <= ANEW.0 {
                patience = ANEW.0;
            } else if renewed.elapsed() > patience {
                (renewed, patience) = (Instant::now(), ANEW.1.min(2 * patience));
                renew(&shared, &self.silent_cells(&shared)).await;
            }
        }
        self.stop(&shared).await;
    }

    /// The last words: others need not wait until they miss this node.
    pub(super) async fn stop(&self, shared: &Shared) {
        self.beat(shared, u64::MAX, true).await;
    }

    /// For how long it has not been proved that this node is current.
    fn silent(&self) -> Duration {
        self.beats.lock().proved.elapsed()
    }

    /// The cells by which a heartbeat has not come back in time.
    fn silent_cells<'s>(&self, shared: &'s Shared) -> Vec<&'s Cell> {
        let beats = self.beats.lock();
        let due = beats.sent.iter().rev().find(|sent| sent.at.elapsed() > ANEW.0).map(|sent| sent.number);
        let is_silent = |cell: &&Cell| due.is_some_and(|due| cell.beat.load(Ordering::Relaxed) < due);
        shared.cells.iter().filter(is_silent).collect()
    }

    async fn beat(&self, shared: &Shared, number: u64, leaves: bool) {
        let clock = shared.replica.now();
        let beat = Beat {
            name: shared.options.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            reads: READS,
            number,
            sent_at: clock,
            lag_ms: self.lag_ms.load(Ordering::Relaxed),
            leaves,
        };
        let beat = bytes::Bytes::from(serde_json::to_vec(&beat).expect("a heartbeat is plain JSON"));
        if !leaves {
            let mut beats = self.beats.lock();
            beats.sent.push_back(Sent { number, clock, at: Instant::now() });
        }
        let id = self.me.to_string();
        for cell in &shared.cells {
            let subject = subject::node(&shared.options.prefix, cell.number, &id);
            // A connection that is down takes no more at some point; then nothing else gets through, either.
            let sent = shared.client.publish(subject, beat.clone());
            if tokio::time::timeout(EVERY, sent).await.is_err() {
                break;
            }
        }
    }
}

/// Has the silent cells followed anew; by another connection if it is all of them.
async fn renew(shared: &Shared, silent: &[&Cell]) {
    // Without a connection the client looks for one already, and would drop it again when it hears of this.
    if silent.len() == shared.cells.len() && shared.is_connected() {
        tracing::warn!("nothing comes from NATS: connecting anew");
        match tokio::time::timeout(EVERY, shared.client.force_reconnect()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the connection cannot be made anew"),
            Err(_) => {
                tracing::warn!("the connection takes nothing any more: it ends when its pings are missed");
            }
        }
    }
    for cell in silent {
        cell.anew.notify_one();
    }
}
