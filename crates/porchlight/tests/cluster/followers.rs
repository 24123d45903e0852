//! Those who follow a stream of everybody, now on one node and then on another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use porchlight_testkit::{Event, Events};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::{Cluster, NODES};
use crate::dice::Dice;
use crate::history::History;
use crate::node::Place;

/// How many there are.
pub(crate) const FOLLOWERS: usize = NODES;

const PRESENCES: &str = "/v1.0/communications/presences";

/// How long a stream may take to begin.
const BEGIN_MAX: Duration = Duration::from_secs(15);

/// How long to wait before another node is asked.
const AGAIN: Duration = Duration::from_millis(100);

/// What a follower was told; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    users: BTreeMap<String, Value>,
    events: usize,
    /// How often a stream went on where another had ended.
    resumptions: usize,
}

impl Told {
    /// The newest that was told of each user, by id.
    pub(crate) fn users(&self) -> BTreeMap<String, Value> {
        self.known().users.clone()
    }

    /// How many events there were, and how often a stream went on where another had ended.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let known = self.known();
        (known.events, known.resumptions)
    }

    fn take(&self, event: &Event) {
        let mut known = self.known();
        known.events += 1;
        let id = event.data["id"].as_str().unwrap_or_default().to_owned();
        match event.event.as_str() {
            "snapshot" => known.users.clear(),
            "presence" => drop(known.users.insert(id, event.data.clone())),
            "removed" => drop(known.users.remove(&id)),
            _ => {}
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("nobody panics while they hold it")
    }
}

/// Follows for ever, first on node `first` and then on one after the other.
pub(crate) async fn follow(
    cluster: Arc<Cluster>,
    history: Arc<History>,
    mut dice: Dice,
    first: usize,
    told: Told,
) {
    let mut follower = Follower { history, told, last_id: None };
    for node in (0..NODES).cycle().skip(first) {
        let stay = dice.millis(5_000, 15_000);
        match cluster.node(node).place() {
            Some(place) => follower.stay(place, Instant::now() + stay).await,
            None => sleep(AGAIN).await,
        }
    }
}

struct Follower {
    history: Arc<History>,
    told: Told,
    last_id: Option<String>,
}

impl Follower {
    /// Follows one node until then, or until that does not go on.
    async fn stay(&mut self, place: Place, until: Instant) {
        let client = place.client();
        let opening = timeout(BEGIN_MAX, client.try_follow(PRESENCES, self.last_id.as_deref())).await;
        let Ok(Ok(mut events)) = opening else { return sleep(AGAIN).await };
        if events.status != 200 {
            return sleep(AGAIN).await;
        }
        let is_resumed = self.last_id.is_some();
        self.told.known().resumptions += usize::from(is_resumed);
        while Instant::now() < until {
            // A node that stands still, or is cut off, has nothing to say.
            let event = timeout(Duration::from_secs(1), events.next_or_end()).await;
            self.remember(&events);
            match event {
                Err(_) => {}
                Ok(None) => return,
                Ok(Some(event)) => {
                    if is_resumed && event.event == "snapshot" {
                        let what = format!("node {} began a stream anew that was to go on", place.node);
                        self.history.wrong(0, what);
                    }
                    self.told.take(&event);
                }
            }
        }
    }

    /// Where to go on.
    fn remember(&mut self, events: &Events) {
        if let Some(id) = events.last_id() {
            self.last_id = Some(id.to_owned());
        }
    }
}
