//! The engine: everything of the parts below, put together.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use porchlight_presence::{Limits, TenantId, Timestamp};
use porchlight_store::{Append, Cluster, Health, Key, Log, LogId, Replica, Revision, Stats, Value};
use tokio::sync::watch;

use crate::Clock;
use crate::keys;
use crate::lanes::Lanes;
use crate::people::{PersonError, Seed};
use crate::state::State;
use crate::tenant::Tenant;
use crate::write::WriteError;

/// A log whose newest write lies further ahead of the clock than this does not start.
const AHEAD_MAX: Duration = Duration::from_secs(5 * 60);

/// How far ahead a write looks in a cluster for changes that others may have told of. Source: design 1.
const FORESIGHT: Duration = Duration::from_secs(10);

/// How many due deadlines are handled before looking up again.
const FIRE_TOGETHER: usize = 512;

/// How the engine works.
#[derive(Clone, Debug)]
pub struct Options {
    /// The settings that enter writes.
    pub limits: Limits,
    /// How long a write waits for the log before it is answered as unknown. Default 10 s.
    pub append_timeout: Duration,
    /// Start although the log's newest write lies in the future.
    pub accept_clock: bool,
    /// Go on from how far development has moved the clock; otherwise that is forgotten.
    pub development: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            limits: Limits::default(),
            append_timeout: Duration::from_secs(10),
            accept_clock: false,
            development: false,
        }
    }
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError<E: std::error::Error + 'static> {
    /// The log did not open.
    #[error(transparent)]
    Log(E),
    /// The log holds an entry that this program does not understand.
    #[error("the entry '{key}' cannot be read: {cause}")]
    Unreadable {
        /// Its key.
        key: Key,
        /// What is wrong.
        cause: String,
    },
    /// The newest write lies more than five minutes in the future: the clock is wrong, or was when it was written.
    #[error("the newest write in the data is {} s ahead of this machine's clock", .ahead.as_secs())]
    ClockBehind {
        /// How far.
        ahead: Duration,
    },
}

/// Everything Porchlight knows, and the way to change it. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) state: Arc<State>,
    pub(crate) log: Arc<dyn Log>,
    /// Those who share the log, if anybody does.
    pub(crate) cluster: Option<Arc<Cluster>>,
    pub(crate) lanes: Arc<Lanes>,
    /// Apart from those of users, so that who has closed a user's lane can wait for that of a name, and nobody the other
    /// way round.
    pub(crate) name_lanes: Arc<Lanes>,
    pub(crate) options: Arc<Options>,
}

impl Engine {
    /// An engine over the log that `open` opens for it; returns when every entry has been read.
    ///
    /// Where others write to the log too, the limit [`Limits::foresight`] is ten seconds whatever the options say.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open<E: std::error::Error + 'static>(
        clock: Arc<Clock>,
        mut options: Options,
        open: impl FnOnce(Arc<dyn Replica>) -> Result<Arc<dyn Log>, E>,
    ) -> Result<Engine, OpenError<E>> {
        let state = Arc::new(State::new(clock, options.development));
        let clock = Arc::clone(&state.clock);
        let log = open(Arc::clone(&state) as Arc<dyn Replica>).map_err(OpenError::Log)?;
        if let Some((key, cause)) = state.unreadable() {
            return Err(OpenError::Unreadable { key, cause });
        }
        let ahead = state.newest().since(clock.now());
        if ahead > AHEAD_MAX && !options.accept_clock {
            return Err(OpenError::ClockBehind { ahead });
        }
        if ahead > AHEAD_MAX {
            tracing::warn!(
                ahead_s = ahead.as_secs(),
                "the newest write lies in the future: time stands still until this machine's clock is there"
            );
        }
        clock.not_before(state.newest());
        let cluster = log.cluster();
        if cluster.is_some() {
            options.limits.foresight = FORESIGHT;
            state.need_proof();
        }
        state.go_live();
        let (lanes, name_lanes) = (Arc::new(Lanes::new()), Arc::new(Lanes::new()));
        Ok(Engine { state, log, cluster, lanes, name_lanes, options: Arc::new(options) })
    }

    /// Engine time: what everybody evaluates at. Never past a write that is not yet visible, of whichever node.
    pub fn now(&self) -> Timestamp {
        self.state.engine_time()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// The settings that enter writes.
    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// The tenant, if anything is known of it.
    pub fn tenant(&self, id: TenantId) -> Option<Arc<Tenant>> {
        self.state.tenant(id)
    }

    /// The tenant, made if nothing is known of it yet.
    pub fn tenant_or_new(&self, id: TenantId) -> Arc<Tenant> {
        self.state.tenant_or_new(id)
    }

    /// Every tenant.
    pub fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.state.tenants()
    }

    /// The identity of the log.
    pub fn log_id(&self) -> LogId {
        self.log.id()
    }

    /// Whether writes are taken now.
    pub fn is_writable(&self) -> bool {
        *self.log.health().borrow() == Health::Writable
    }

    /// How long a write waits for the log before it is answered as unknown.
    pub fn append_timeout(&self) -> Duration {
        self.options.append_timeout
    }

    /// How many writes may wait for the log; one more is answered as busy.
    pub fn waiting_writes_max(&self) -> usize {
        self.log.waiting_max()
    }

    /// Whether writes are taken, and word of every change of that.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.log.health()
    }

    /// What the log has done.
    pub fn log_stats(&self) -> Stats {
        self.log.stats()
    }

    /// How many users have a deadline armed.
    pub fn timers_armed(&self) -> usize {
        self.state.timers.len()
    }

    /// For how long the soonest deadline has been due; nothing when none is.
    pub fn timers_overdue(&self) -> Duration {
        let soonest = self.state.timers.soonest();
        soonest.map_or(Duration::ZERO, |soonest| self.state.clock.now().since(soonest))
    }

    /// The latest that a change was announced since the start.
    pub fn timer_lateness_max(&self) -> Duration {
        Duration::from_micros(self.state.lateness_max.load(Ordering::Relaxed))
    }

    /// Runs the timers for ever: announces every change that time alone makes. In a cluster it also stamps anew what
    /// has turned out durable late.
    pub async fn run_timers(&self) {
        tokio::join!(self.announce_fades(), self.restamp_late_writes(), self.clock().notice_jumps());
    }

    async fn announce_fades(&self) {
        let lateness = metrics::histogram!("porchlight_timer_lateness_seconds");
        let mut jumps = self.clock().jumps();
        loop {
            jumps.borrow_and_update();
            let now = self.now();
            while self.state.fire(now, FIRE_TOGETHER, &lateness) {
                tokio::task::yield_now().await;
            }
            let next = self.state.timers.next();
            self.state.sleeping_for.store(next.unwrap_or(Timestamp::MAX).as_millis(), Ordering::SeqCst);
            // What was armed sooner between the two lines above has rung `sooner`, which remembers it.
            // What lies beyond the ceiling waits for that: `sooner` is rung when it moves.
            let next = next.filter(|next| *next <= self.state.ceiling());
            if next.is_some_and(|next| next <= self.clock().now()) {
                // Due, but engine time is held back by a write on its way: look again when that can have ended.
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            tokio::select! {
                () = self.clock().wait(next, &mut jumps) => {}
                () = self.state.sooner.notified() => {}
            }
        }
    }

    /// Moves development's clock ahead, durably.
    ///
    /// # Errors
    ///
    /// Whatever the log answers; the clock has moved all the same.
    pub async fn advance_clock(&self, by: Duration) -> Result<(), WriteError> {
        self.state.advance(by);
        let offset = u64::try_from(self.clock().offset().as_millis()).unwrap_or(u64::MAX);
        self.put_clock(Value::Live(Bytes::copy_from_slice(&offset.to_le_bytes()))).await
    }

    /// Back to the beginning, for development: no records, only the seeds' people, the clock at its source.
    ///
    /// # Errors
    ///
    /// Whatever the log answers; a reset that failed halfway can be repeated.
    pub async fn reset(&self, seeds: &[Seed]) -> Result<(), PersonError> {
        // Before the people: nobody is to be told that a subscription has ended with whoever made it.
        self.delete_kept().await?;
        for tenant in self.tenants() {
            self.delete_records(&tenant).await?;
            let seed = seeds.iter().find(|seed| seed.tenant == tenant.id());
            let keep: HashSet<_> =
                seed.into_iter().flat_map(|seed| &seed.people).map(|person| person.id).collect();
            self.remove_others(&tenant, &keep).await?;
        }
        // Whoever installs this begins anew, be it here or on another node.
        let at = self.now().as_millis();
        self.put_clock(Value::Tombstone { at }).await?;
        // After everything that was deleted, and after the clock: whoever has asked in the middle of it was
        // told of no record that has gone, and perhaps has a cursor of a time that is still to come.
        for tenant in self.tenants() {
            self.put(&keys::beginning(tenant.id()), &Value::Tombstone { at }).await?;
        }
        for seed in seeds {
            self.seed(seed).await?;
        }
        Ok(())
    }

    /// Has the log forget for good what was deleted longer ago than this.
    pub fn purge(&self, age: Duration) {
        self.log.purge(self.now().minus(age).as_millis());
    }

    /// A secret of this installation, made when it is first asked for: 32 random bytes that are kept in the log. Of
    /// several nodes that make it at once, one does, and the others have that one's.
    ///
    /// # Errors
    ///
    /// Whatever the log answers.
    pub async fn secret(&self, name: &str) -> Result<Bytes, WriteError> {
        let (key, attempts) = (keys::secret(name), self.attempts());
        loop {
            if let Some(secret) = self.known_secret(name) {
                return Ok(secret);
            }
            let mut secret = [0; 32];
            getrandom::fill(&mut secret).expect("the system has random numbers");
            let secret = Bytes::copy_from_slice(&secret);
            let kept = self.keep_secret(name, secret.clone()).await;
            if attempts.unless_conflict_of(&key, kept).await?.is_some() {
                return Ok(secret);
            }
        }
    }

    /// The secret of this name, if there is one.
    pub fn known_secret(&self, name: &str) -> Option<Bytes> {
        self.state.secrets.lock().get(name).cloned()
    }

    /// Keeps a secret in the log, in place of the one of this name.
    ///
    /// # Errors
    ///
    /// Whatever the log answers; a conflict when another node has kept one that is not known here yet.
    pub async fn keep_secret(&self, name: &str, secret: Bytes) -> Result<(), WriteError> {
        let key = keys::secret(name);
        let append = Append { expected: self.revision(&key), key, value: Value::Live(secret) };
        self.append(append, Box::new(())).await.map(drop)
    }

    /// From now on changes say what made them.
    pub fn want_origins(&self) {
        self.state.origins.want();
    }

    /// Stops taking writes and makes everything durable. Blocks until that is done.
    pub fn close(&self) {
        self.log.close();
    }

    pub(crate) fn revision(&self, key: &Key) -> Revision {
        self.state.revision(key)
    }

    async fn put_clock(&self, value: Value) -> Result<(), WriteError> {
        self.put(&Key::new(keys::CLOCK), &value).await
    }
}
