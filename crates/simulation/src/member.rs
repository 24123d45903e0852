//! A node's handle on the log that it shares.
//!
//! Appends go out in their order, and again until they are answered; entries come in theirs, at the node's own pace,
//! some of them twice and some left out that others have followed. A heartbeat that comes back shows that everything
//! before it has come. The connection is slow, loses what it is given, and is cut.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use porchlight_store::{
    Append, AppendError, Cluster, Entry, Health, Hold, Key, Leases, Log, LogId, Node, Owner, Receipt,
    Replica, Revision, Stats,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::dice::Dice;
use crate::journal::{ID, WAITING_MAX, admit};
use crate::link::Network;
use crate::shares::{Shares, update};
use crate::stream::{Message, Stream};
use crate::tagged::{self, Operation};
use crate::time;

/// An append that has waited for longer is not sent for the first time.
const FRESH: Duration = Duration::from_secs(10);

/// Who is cut off for so long takes no writes.
const CUT_OFF: Duration = Duration::from_secs(5);

/// Who was not heard of for so long does not live.
const LIVES: Duration = Duration::from_secs(10);

/// A node's connection to the servers, which outlives the node.
pub(crate) struct Wire {
    network: Arc<Network>,
    is_cut: AtomicBool,
    dice: Mutex<Dice>,
}

/// The handle.
pub(crate) struct Member {
    me: Uuid,
    stream: Arc<Stream>,
    wire: Arc<Wire>,
    replica: Arc<dyn Replica>,
    health: watch::Sender<Health>,
    nodes: watch::Sender<Arc<[Node]>>,
    shares: Arc<Shares>,
    cluster: Arc<Cluster>,
    queue: mpsc::UnboundedSender<Queued>,
    state: Mutex<State>,
}

/// The appends that wait to be sent.
pub(crate) type Queue = mpsc::UnboundedReceiver<Queued>;

/// An append on its way.
pub(crate) struct Queued {
    number: u64,
    append: Append,
    operation: Option<Operation>,
    since: Duration,
    /// It may have been taken.
    was_sent: bool,
}

struct State {
    /// How many messages were followed.
    followed: usize,
    /// The newest entry that was.
    at: Revision,
    /// Appends whose outcomes were not told yet.
    open: BTreeMap<u64, Owner>,
    /// Those that are told once entries have come as far.
    known: BTreeMap<(Revision, u64), AppendError>,
    /// When each node was heard of, and how far its clock is ahead.
    heard: BTreeMap<Uuid, (Duration, i64)>,
    cut_since: Option<Duration>,
    stats: Stats,
}

impl Wire {
    /// A connection that is not cut.
    pub(crate) fn new(network: Arc<Network>) -> Arc<Wire> {
        let dice = Mutex::new(network.dice());
        Arc::new(Wire { network, is_cut: AtomicBool::new(false), dice })
    }

    /// Cuts the connection, or lets it be made anew.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Relaxed);
    }

    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    /// Whether what is sent now arrives.
    fn carries(&self) -> bool {
        if self.is_cut() {
            return false;
        }
        let is_lost = self.network.is_stormy() && self.dice.lock().one_in(25);
        !is_lost
    }

    async fn pause(&self, first: u64, last: u64) {
        let pause = self.dice.lock().millis(first, last);
        tokio::time::sleep(pause).await;
    }
}

impl Member {
    /// Opens the log, and hands its entries to the replica. The queue is for [`Member::run`].
    pub(crate) fn open(
        stream: Arc<Stream>,
        wire: Arc<Wire>,
        replica: Arc<dyn Replica>,
    ) -> (Arc<Member>, Queue) {
        let me = Uuid::new_v4();
        let (entries, followed) = stream.replay();
        let at = entries.iter().map(|entry| entry.revision).max().unwrap_or_default();
        if !entries.is_empty() {
            replica.install(entries);
        }
        let nodes = watch::Sender::<Arc<[Node]>>::new(Arc::from([]));
        let shares = Shares::new(me, Arc::clone(&stream), nodes.subscribe());
        let cluster =
            Cluster { me, nodes: nodes.subscribe(), leases: Arc::clone(&shares) as Arc<dyn Leases> };
        let (queue, queued) = mpsc::unbounded_channel();
        let state = State {
            followed,
            at,
            open: BTreeMap::new(),
            known: BTreeMap::new(),
            heard: BTreeMap::new(),
            cut_since: None,
            stats: Stats::default(),
        };
        let member = Member {
            me,
            stream,
            wire,
            replica,
            health: watch::Sender::new(Health::Writable),
            nodes,
            shares,
            cluster: Arc::new(cluster),
            queue,
            state: Mutex::new(state),
        };
        (Arc::new(member), queued)
    }

    /// Does what the log does by itself, for ever.
    pub(crate) async fn run(self: Arc<Member>, queue: Queue) {
        tokio::join!(self.publish(queue), self.follow(), self.live());
    }

    /// Sends appends in their order.
    async fn publish(self: &Arc<Member>, mut queue: Queue) {
        let mut underway = JoinSet::new();
        while let Some(mut queued) = queue.recv().await {
            while underway.try_join_next().is_some() {}
            self.wire.pause(0, 3).await;
            let outcome = self.send(&mut queued);
            underway.spawn(Arc::clone(self).finish(queued, outcome));
        }
    }

    /// Sends an append, and says what the servers make of it; nothing when it does not arrive.
    fn send(&self, queued: &mut Queued) -> Option<Result<Revision, AppendError>> {
        if !self.wire.carries() {
            return None;
        }
        queued.was_sent = true;
        Some(self.stream.take(queued.number, &queued.append, queued.operation))
    }

    /// Sees to it that an append is answered.
    async fn finish(
        self: Arc<Member>,
        mut queued: Queued,
        mut outcome: Option<Result<Revision, AppendError>>,
    ) {
        loop {
            self.wire.pause(0, 12).await;
            match outcome.filter(|_| self.wire.carries()) {
                // The entry comes, and ends it.
                Some(Ok(_)) => return,
                Some(Err(error)) => return self.learn(queued.number, error),
                None => {}
            }
            let is_old = time::elapsed().saturating_sub(queued.since) > FRESH;
            if !queued.was_sent && is_old {
                return self.learn(queued.number, AppendError::Unavailable);
            }
            if !self.state.lock().open.contains_key(&queued.number) {
                return;
            }
            self.wire.pause(20, 600).await;
            outcome = self.send(&mut queued);
        }
    }

    /// An append was not kept. That is told once what it has met has come.
    fn learn(&self, number: u64, error: AppendError) {
        let at = if let AppendError::Conflict { newest } = error { newest } else { Revision::NONE };
        self.state.lock().known.insert((at, number), error);
        self.settle(&[]);
    }

    /// Follows the messages.
    async fn follow(&self) {
        loop {
            let (first, last) = if self.wire.dice.lock().one_in(40) { (100, 1_500) } else { (1, 15) };
            self.wire.pause(first, last).await;
            if self.wire.is_cut() {
                continue;
            }
            let messages = {
                let mut state = self.state.lock();
                let messages = self.stream.since(state.followed);
                state.followed += messages.len();
                messages
            };
            self.take(messages);
        }
    }

    /// Hands on what has come, in its order.
    fn take(&self, messages: Vec<Message>) {
        let (mut entries, mut own) = (Vec::new(), Vec::new());
        for message in messages {
            match message {
                Message::Entry(number, entry) => {
                    own.push((number, entry.revision));
                    entries.push(entry);
                }
                Message::Beat { node, sent_at, ahead_ms } => {
                    self.install(std::mem::take(&mut entries));
                    self.state.lock().heard.insert(node, (time::elapsed(), ahead_ms));
                    if node == self.me {
                        self.replica.is_current(sent_at);
                    }
                }
            }
        }
        self.install(entries);
        self.settle(&own);
    }

    fn install(&self, mut entries: Vec<Entry>) {
        let Some(at) = entries.last().map(|entry| entry.revision) else { return };
        if self.wire.dice.lock().one_in(3) {
            // Whoever begins anew somewhere is not given what others have followed.
            let newest: BTreeMap<Key, Revision> =
                entries.iter().map(|entry| (entry.key.clone(), entry.revision)).collect();
            entries.retain(|entry| newest.get(&entry.key) == Some(&entry.revision));
        }
        if self.wire.dice.lock().one_in(20) {
            self.replica.install(entries.clone());
        }
        self.replica.install(entries);
        self.state.lock().at = at;
    }

    /// Answers those whose entries have come, and those who had to wait for others'.
    fn settle(&self, own: &[(u64, Revision)]) {
        let mut over = Vec::new();
        {
            let state = &mut *self.state.lock();
            for (number, revision) in own {
                let owner = state.open.remove(number);
                state.stats.appends += u64::from(owner.is_some());
                over.extend(owner.map(|owner| (owner, Ok(*revision))));
            }
            let later = state.known.split_off(&(Revision(state.at.0 + 1), 0));
            for ((_, number), error) in std::mem::replace(&mut state.known, later) {
                over.extend(state.open.remove(&number).map(|owner| (owner, Err(error))));
            }
        }
        for (owner, outcome) in over {
            owner.settle(outcome);
        }
    }

    /// Says that this node lives, and looks who else does.
    async fn live(&self) {
        loop {
            let carries = self.wire.carries();
            if carries {
                self.stream.beat(self.me, self.replica.now());
            }
            for _ in 0..5 {
                self.wire.pause(350, 450).await;
                self.shares.pass(self.wire.carries());
                self.look_around();
            }
        }
    }

    fn look_around(&self) {
        let now = time::elapsed();
        let mut state = self.state.lock();
        state.heard.retain(|_, (heard, _)| now.saturating_sub(*heard) < LIVES);
        let node = |(id, (_, ahead_ms)): (&Uuid, &(Duration, i64))| Node {
            id: *id,
            name: String::new(),
            version: String::new(),
            reads: 1,
            skew_ms: *ahead_ms,
            lag: Duration::ZERO,
        };
        let nodes: Arc<[Node]> = state.heard.iter().map(node).collect();
        state.cut_since = if self.wire.is_cut() { state.cut_since.or(Some(now)) } else { None };
        let is_cut_off = state.cut_since.is_some_and(|since| now.saturating_sub(since) >= CUT_OFF);
        drop(state);
        update(&self.nodes, nodes);
        let health = if is_cut_off { Health::Failed("it is cut off".to_owned()) } else { Health::Writable };
        update(&self.health, health);
    }
}

impl Log for Member {
    fn id(&self) -> LogId {
        ID
    }

    fn append(&self, append: Append, hold: Hold) -> Result<Receipt, AppendError> {
        // Before the lock, so that on an early return the hold is dropped after it.
        let (owner, receipt) = Owner::new(hold);
        let mut state = self.state.lock();
        admit(&self.health, state.open.len())?;
        let number = self.stream.number();
        let (operation, since) = (tagged::current(), time::elapsed());
        let queued = Queued { number, append, operation, since, was_sent: false };
        state.open.insert(number, owner);
        // It fails only when the node is dying.
        let _ = self.queue.send(queued);
        Ok(receipt)
    }

    fn purge(&self, _before: i64) {
        // No run is as long as tombstones are kept.
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    fn waiting_max(&self) -> usize {
        WAITING_MAX
    }

    fn stats(&self) -> Stats {
        let state = self.state.lock();
        Stats { waiting: state.open.len(), ..state.stats }
    }

    fn cluster(&self) -> Option<Arc<Cluster>> {
        Some(Arc::clone(&self.cluster))
    }

    fn close(&self) {
        // A node of a simulation ends by dying.
        self.health.send_replace(Health::Closed);
    }
}
