//! The nodes that share the log, as their heartbeats tell.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use crate::Node;

/// Whoever was not heard of for this long does not live.
const LIVES: Duration = Duration::from_secs(10);

/// Of how many heartbeats the median is taken.
const BEATS: usize = 5;

/// What a heartbeat says. What a node of another version adds is passed over, and what it lacks is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Beat {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) reads: u16,
    /// Counts the heartbeats of this node.
    pub(super) number: u64,
    /// What the node's clock showed, in Unix milliseconds.
    pub(super) sent_at: i64,
    /// How long its last heartbeat took to come back to it.
    pub(super) lag_ms: u64,
    /// It stops.
    pub(super) leaves: bool,
}

/// The nodes that were heard of.
#[derive(Debug, Default)]
pub(super) struct Peers(BTreeMap<Uuid, Peer>);

#[derive(Debug)]
struct Peer {
    last: Beat,
    heard: Instant,
    /// How far its clock was ahead of that of the NATS server that took its heartbeats, in milliseconds.
    ahead: VecDeque<i64>,
}

impl Peers {
    /// Notes a heartbeat. Each comes by every cell; the first counts. By one of the cells it comes with the instant at
    /// which NATS took it, in Unix milliseconds: each cell has a server of its own, whose clocks may differ, and nodes
    /// are compared by one clock.
    pub(super) fn note(&mut self, id: Uuid, beat: Beat, taken_at: Option<i64>, now: Instant) {
        if beat.leaves {
            self.0.remove(&id);
            return;
        }
        let peer = self.0.entry(id).or_insert_with(|| Peer {
            last: Beat::default(),
            heard: now,
            ahead: VecDeque::with_capacity(BEATS),
        });
        if let Some(taken_at) = taken_at {
            if peer.ahead.len() == BEATS {
                peer.ahead.pop_front();
            }
            peer.ahead.push_back(beat.sent_at.saturating_sub(taken_at));
        }
        if peer.last.number < beat.number {
            (peer.last, peer.heard) = (beat, now);
        }
    }

    /// Whoever lives.
    pub(super) fn living(&mut self, now: Instant) -> Vec<Node> {
        self.0.retain(|_, peer| now.saturating_duration_since(peer.heard) <= LIVES);
        let usual = self.usual();
        let nodes = self.0.iter().map(|(id, peer)| Node {
            id: *id,
            name: peer.last.name.clone(),
            version: peer.last.version.clone(),
            reads: peer.last.reads,
            skew_ms: peer.ahead().map_or(0, |ahead| ahead.saturating_sub(usual)),
            lag: Duration::from_millis(peer.last.lag_ms),
        });
        nodes.collect()
    }

    /// How far the clocks of most are ahead of NATS's. Where the nodes are an even number, NATS's clock is one more.
    fn usual(&self) -> i64 {
        let mut ahead: Vec<i64> = self.0.values().filter_map(Peer::ahead).collect();
        if ahead.len().is_multiple_of(2) {
            ahead.push(0);
        }
        median(&mut ahead)
    }
}

impl Peer {
    /// How far its clock is ahead of NATS's; `None` before that is known.
    fn ahead(&self) -> Option<i64> {
        let mut ahead: Vec<i64> = self.ahead.iter().copied().collect();
        (!ahead.is_empty()).then(|| median(&mut ahead))
    }
}

/// The middle one.
fn median(values: &mut [i64]) -> i64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(number: u64, sent_at: i64) -> Beat {
        Beat { number, sent_at, ..Beat::default() }
    }

    fn skews(peers: &mut Peers, now: Instant) -> Vec<i64> {
        peers.living(now).iter().map(|node| node.skew_ms).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_whose_clock_is_off_is_found_out() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        for number in 1..=5 {
            peers.note(Uuid::from_u128(1), beat(number, 1_000), Some(1_000), now);
            peers.note(Uuid::from_u128(2), beat(number, 9_000), Some(1_000), now);
        }
        assert_eq!(skews(&mut peers, now), [0, 8_000], "NATS's own clock decides between two");
        for number in 1..=5 {
            peers.note(Uuid::from_u128(3), beat(number, 9_000), Some(1_000), now);
        }
        assert_eq!(skews(&mut peers, now), [-8_000, 0, 0], "of three the majority is right");
    }

    #[tokio::test(start_paused = true)]
    async fn one_late_heartbeat_says_nothing() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        for (number, late) in [(1, 0), (2, 0), (3, 60_000), (4, 0), (5, 0)] {
            peers.note(Uuid::from_u128(1), beat(number, 1_000), Some(1_000 + late), now);
            peers.note(Uuid::from_u128(2), beat(number, 1_000), Some(1_000), now);
        }
        assert_eq!(skews(&mut peers, now), [0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_of_nats_whose_clock_is_off_is_no_node_that_is() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        for number in 1..=5 {
            // By which cell a heartbeat comes first is chance, and none but one of them has the clock that counts.
            peers.note(Uuid::from_u128(1), beat(number, 1_000), None, now);
            peers.note(Uuid::from_u128(1), beat(number, 1_000), Some(9_000), now);
            peers.note(Uuid::from_u128(2), beat(number, 1_000), Some(9_000), now);
            peers.note(Uuid::from_u128(2), beat(number, 1_000), None, now);
        }
        peers.note(Uuid::from_u128(3), beat(1, 1_000), None, now);
        assert_eq!(peers.living(now).len(), 3, "whoever is heard of by any cell lives");
        peers.note(Uuid::from_u128(3), beat(1, 1_000), Some(9_000), now);
        assert_eq!(skews(&mut peers, now), [0, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_silent_or_leaves_does_not_live() {
        let (mut peers, now) = (Peers::default(), Instant::now());
        for id in 1..=3 {
            peers.note(Uuid::from_u128(id), beat(1, 0), Some(0), now);
        }
        let later = now + Duration::from_secs(9);
        peers.note(Uuid::from_u128(1), beat(2, 0), Some(0), later);
        peers.note(Uuid::from_u128(2), Beat { leaves: true, ..beat(2, 0) }, Some(0), later);
        assert_eq!(peers.living(later).len(), 2);
        // The same heartbeat by another cell is no new one.
        peers.note(Uuid::from_u128(3), beat(1, 0), None, later);
        assert_eq!(peers.living(now + Duration::from_secs(11)).len(), 1);
    }
}
