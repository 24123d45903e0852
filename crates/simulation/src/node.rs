//! A node: the whole server, from its log to its doors, in one life after another.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::{Clock, Engine, Options};
use porchlight_http::{Api, NotificationWords, Settings};
use porchlight_notify::{Egress, Notifier};
use porchlight_store::{Log, Replica};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::chronicle::Chronicle;
use crate::dice::Dice;
use crate::journal::{Journal, Machine};
use crate::member::{Member, Wire};
use crate::place::Place;
use crate::receivers::{Lines, Names};
use crate::stream::Stream;
use crate::time;
use crate::town::{Inside, Town};

/// When to try again what the log did not take at a node's start.
const AGAIN: Duration = Duration::from_millis(500);

/// How long a write waits for the log before it is answered as unknown.
const APPEND_TIMEOUT: Duration = Duration::from_secs(3);

/// How far a node's clock may be off where several share a log, in milliseconds either way.
const SKEW_MAX_MS: u64 = 2_000;

/// What a node's log is kept by, which outlives the node.
#[derive(Clone)]
pub(crate) enum Store {
    /// A disk of its own.
    Alone(Arc<Machine>),
    /// Servers that it shares with others, at the end of a wire.
    Shared(Arc<Stream>, Arc<Wire>),
}

/// A node and what keeps its log.
pub(crate) struct Node {
    number: usize,
    store: Store,
    /// How far its clock is ahead, and how far it is behind.
    skew: (Duration, Duration),
    dice: Dice,
    lives: u64,
    alive: Option<Alive>,
}

/// A node that runs.
struct Alive {
    place: Place,
    engine: Engine,
    /// What the log does by itself.
    log: AbortHandle,
}

impl Node {
    /// A node that was never started.
    pub(crate) fn new(number: usize, store: Store, mut dice: Dice) -> Node {
        let skew = match &store {
            Store::Alone(_) => Duration::ZERO,
            Store::Shared(..) => dice.millis(0, SKEW_MAX_MS),
        };
        let skew = if dice.one_in(2) { (skew, Duration::ZERO) } else { (Duration::ZERO, skew) };
        Node { number, store, skew, dice, lives: 0, alive: None }
    }

    /// What keeps its log.
    pub(crate) fn store(&self) -> Store {
        self.store.clone()
    }

    /// Where it runs, if it does.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.alive.as_ref().map(|alive| &alive.place)
    }

    /// Its engine, if it runs.
    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.alive.as_ref().map(|alive| &alive.engine)
    }

    /// Starts it, unless it runs.
    pub(crate) fn start(&mut self, town: &Arc<Town>, outside: &Handle) {
        if self.alive.is_some() {
            return;
        }
        self.lives += 1;
        town.chronicle.note(None, || format!("node {} begins life {}", self.number, self.lives));
        let place = Place::new();
        let (store, chronicle, dice) = (self.store.clone(), town.chronicle.clone(), self.dice.another());
        let (ahead, behind) = self.skew;
        let mut log = None;
        let engine = place.within(|| {
            let options = Options {
                limits: town.limits.clone(),
                append_timeout: APPEND_TIMEOUT,
                accept_clock: false,
                development: true,
            };
            let clock = Clock::given(move || time::wall().plus(ahead).minus(behind));
            Engine::open(Arc::new(clock), options, |replica: Arc<dyn Replica>| {
                let (opened, task) = store.open(chronicle, dice, replica, outside);
                log = Some(task);
                Ok::<_, Infallible>(opened)
            })
        });
        let engine = engine.unwrap_or_else(|error| panic!("a node starts with what it has written: {error}"));
        if let Store::Alone(_) = &self.store {
            town.chronicle.goes_on_from(engine.now());
        }
        // Lives of different nodes are told apart, too.
        let life = self.lives * 16 + self.number as u64;
        place.handle().spawn(serve(Arc::clone(town), self.number, life, engine.clone()));
        let log = log.expect("the engine has opened its log");
        self.alive = Some(Alive { place, engine, log });
    }

    /// Begins to stop it as its program does, if it has opened its door: nobody comes in any more, and the notifier ends.
    pub(crate) fn stop(&self, town: &Town) {
        let (Some(alive), Some(inside)) = (&self.alive, town.doors[self.number].inside()) else { return };
        town.chronicle.note(None, || format!("node {} stops", self.number));
        town.doors[self.number].close();
        alive.place.within(|| inside.notifier.stop());
    }

    /// Kills it, if it runs, after so many polls of what it was about to do. Its machine loses its power.
    pub(crate) fn kill(&mut self, town: &Town, polls: u64) {
        let Some(Alive { place, engine, log }) = self.alive.take() else { return };
        place.poll(polls);
        town.chronicle.note(None, || format!("node {} dies", self.number));
        town.chronicle.count(|counts| counts.crashes += 1);
        town.doors[self.number].close();
        log.abort();
        drop((place, engine));
        if let Store::Alone(machine) = &self.store {
            machine.disk.lock().crash();
        }
    }
}

impl Store {
    /// Opens the log, and lets it do what it does by itself.
    fn open(
        self,
        chronicle: Chronicle,
        dice: Dice,
        replica: Arc<dyn Replica>,
        outside: &Handle,
    ) -> (Arc<dyn Log>, AbortHandle) {
        match self {
            Store::Alone(machine) => {
                let journal = Journal::open(machine, chronicle, dice, replica);
                let task = outside.spawn(Arc::clone(&journal).commit()).abort_handle();
                (journal, task)
            }
            Store::Shared(stream, wire) => {
                let (member, queue) = Member::open(stream, wire, replica);
                let task = outside.spawn(Arc::clone(&member).run(queue)).abort_handle();
                (member, task)
            }
        }
    }
}

/// Starts everything of a server, as its program does, and opens the door.
async fn serve(town: Arc<Town>, number: usize, life: u64, engine: Engine) {
    let timers = engine.clone();
    tokio::spawn(async move { timers.run_timers().await });
    for seed in &town.development.seeds {
        while engine.seed(seed).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    }
    let settings = Settings { development: Some(town.development.clone()), ..Settings::default() };
    let words = Arc::new(NotificationWords::new(&settings));
    let attended = Notifier::attend(&engine, telling(&town, life), words, false);
    let (notifier, courier) = attended.unwrap_or_else(|error| panic!("the notifier starts: {error}"));
    tokio::spawn(courier);
    let secret = loop {
        match engine.secret("cursor").await {
            Ok(secret) => break secret,
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    };
    let api = Api::new(engine, notifier.clone(), settings, &secret);
    let api = Arc::new(api.unwrap_or_else(|error| panic!("the API starts: {error}")));
    town.chronicle.note(None, || format!("node {number} opens its door"));
    town.doors[number].open(Inside { api, notifier, handle: Handle::current() });
}

fn telling(town: &Town, life: u64) -> porchlight_notify::Settings {
    let receivers = Arc::clone(&town.receivers);
    let egress = Egress {
        http: true,
        private: true,
        ports: Vec::new(),
        resolver: Arc::new(Names),
        dialer: Arc::new(Lines { receivers, life }),
        ..Egress::default()
    };
    porchlight_notify::Settings { plain_presence: true, egress, ..porchlight_notify::Settings::default() }
}
