//! Clients and faults at the same time, and what must be true afterwards.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use porchlight_testkit::Reaction;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::chronicle::Chronicle;
use crate::cluster::Cluster;
use crate::dice::{Dice, seed};
use crate::faults::{self, Schedule};
use crate::followers::{self, FOLLOWERS, Told};
use crate::history::History;
use crate::readers::{self, READERS};
use crate::rest::rest;
use crate::subscribers::Audience;
use crate::verdicts;
use crate::writers::{self, WRITERS};

/// For how many seconds faults begin, unless `PORCHLIGHT_CLUSTER_SECONDS` says otherwise.
const SECONDS: u64 = 120;

/// How many clusters are tried, unless `PORCHLIGHT_CLUSTER_ROUNDS` says otherwise.
const ROUNDS: u64 = 1;

#[tokio::test]
async fn a_cluster_under_faults_loses_nothing() {
    let first = seed();
    let faults = Duration::from_secs(number("PORCHLIGHT_CLUSTER_SECONDS", SECONDS));
    for round in 0..number("PORCHLIGHT_CLUSTER_ROUNDS", ROUNDS) {
        run(first.wrapping_add(round), faults).await;
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} must be a number")))
}

/// The program that all nodes are first started from, if `PORCHLIGHT_UPGRADE_FROM` names one. Then the first
/// fault is that they are upgraded, one after the other.
fn upgraded_from() -> Option<PathBuf> {
    let named = std::env::var_os("PORCHLIGHT_UPGRADE_FROM")?;
    // Nodes are started in another folder than this.
    Some(fs::canonicalize(named).unwrap_or_else(|error| panic!("PORCHLIGHT_UPGRADE_FROM: {error}")))
}

/// One cluster, from its start to its end.
async fn run(seed: u64, faults: Duration) {
    let mut dice = Dice::new(seed);
    let chronicle = Chronicle::begin(seed);
    let older = upgraded_from();
    if let Some(older) = &older {
        chronicle.note(format!("nodes are upgraded from {}", older.display()));
    }
    let cluster = Cluster::start(chronicle.clone(), older.as_deref()).await;
    let mut audience = Audience::gather(&cluster.places()).await;
    let mut clients = Clients::start(&cluster, &chronicle, &mut dice);

    let (begun, dice) = (chronicle.now(), dice.another());
    let mut schedule = if older.is_some() { Schedule::of_an_upgrade(dice) } else { Schedule::new(dice) };
    loop {
        let (calm, fault) = schedule.draw();
        sleep(calm).await;
        if chronicle.now() > begun + faults {
            break;
        }
        // A receiver that refuses one of the notifications is to be told of it again.
        audience.receiver().react([Reaction::Status(503)]);
        faults::happen(&cluster, fault).await;
    }
    chronicle.note("no more faults");
    clients.stop_writing().await;
    chronicle.note("no more writes");

    let at_rest = rest(&cluster, &clients.followers, &mut audience).await;
    if let Err(unrest) = &at_rest {
        clients.history.wrong(unrest.user, format!("everything was to be at rest: {}", unrest.what));
    }
    let noted = clients.history.all();
    let Ok((shown, took)) = at_rest else {
        panic!("{}", verdicts::report(&noted.wrongs, &noted, &cluster));
    };
    let wrongs = verdicts::wrongs(&noted, &shown);
    assert!(wrongs.is_empty(), "{}", verdicts::report(&wrongs, &noted, &cluster));
    let (events, resumptions) = clients.counts();
    let (deliveries, refused) = audience.counts();
    chronicle.note(format!(
        "all is well, at rest after {took:?}. {}; {deliveries} deliveries, {refused} of them refused; \
         {events} events of streams, which went on {resumptions} times",
        noted.counts()
    ));
    assert!(noted.acknowledged() > 0, "nothing was ever written");
}

/// Everybody but those who are told by webhooks. They end when this is dropped.
struct Clients {
    history: Arc<History>,
    followers: Vec<Told>,
    writers: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    /// Those who go on to the end.
    others: JoinSet<()>,
}

impl Clients {
    fn start(cluster: &Arc<Cluster>, chronicle: &Chronicle, dice: &mut Dice) -> Clients {
        let history = Arc::new(History::new(chronicle.clone()));
        let (stop, stopped) = watch::channel(false);
        let both = || (Arc::clone(cluster), Arc::clone(&history));
        let mut others = JoinSet::new();
        let mut told = Vec::new();
        for first in 0..FOLLOWERS {
            let ((cluster, history), by_one) = (both(), Told::default());
            told.push(by_one.clone());
            others.spawn(followers::follow(cluster, history, dice.another(), first, by_one));
        }
        for _ in 0..READERS {
            let (cluster, history) = both();
            others.spawn(readers::read(cluster, history, dice.another()));
        }
        let mut writers = Vec::new();
        for _ in 0..WRITERS {
            let (cluster, history) = both();
            writers.push(tokio::spawn(writers::write(cluster, history, dice.another(), stopped.clone())));
        }
        Clients { history, followers: told, writers, stop, others }
    }

    /// Returns when the last write was answered, or nobody waits for its answer any more.
    async fn stop_writing(&mut self) {
        self.stop.send_replace(true);
        for writer in self.writers.drain(..) {
            writer.await.expect("it writes until it is told to stop");
        }
        // Those who have failed are not there any more to say so.
        if let Some(ended) = self.others.try_join_next() {
            panic!("a reader or follower has ended: {ended:?}");
        }
    }

    /// How many events followers were told, and how often they went on with another stream.
    fn counts(&self) -> (usize, usize) {
        let counts = self.followers.iter().map(Told::counts);
        counts.fold((0, 0), |(events, resumed), (more, again)| (events + more, resumed + again))
    }
}
