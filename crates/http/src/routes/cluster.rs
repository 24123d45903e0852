//! `/porchlight/cluster`: who shares the log with this node, and who holds which slots.

use std::time::Duration;

use porchlight_engine::Engine;
use porchlight_store::{Cluster, Node};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::reply::Reply;
use crate::settings::Settings;

/// GET `/porchlight/cluster`: always 200; a server that shares its log with nobody is a cluster of one.
pub(crate) fn cluster(engine: &Engine, settings: &Settings) -> Reply {
    let seen = engine.cluster().map_or_else(|| Seen::alone(settings), |cluster| Seen::of(&cluster));
    let own = seen.nodes.iter().find(|node| node.id == seen.me);
    let unready = engine.unreadiness();
    let mut answer = json!({
        "node": seen.me.to_string(),
        "name": own.map_or(&settings.instance, |own| &own.name),
        "ready": unready.is_none(),
        "frozen": engine.is_frozen(),
        "log": engine.log_id().0.to_string(),
        "nodes": seen.nodes.iter().map(|node| seen.node(node)).collect::<Vec<_>>(),
        "slots": seen.slots,
        "unheldSlots": seen.unheld(),
    });
    if let Some(reason) = unready {
        answer["reason"] = reason.to_string().into();
    }
    Reply::json(&answer)
}

/// The slots that no node holds that lives, as far as is known here.
pub(crate) fn unheld(cluster: &Cluster) -> Vec<u16> {
    Seen::of(cluster).unheld()
}

/// What this node knows of those who share the log.
struct Seen {
    me: Uuid,
    nodes: Vec<Node>,
    slots: u16,
    /// Slots, and who holds them.
    holders: Vec<(u16, Uuid)>,
}

impl Seen {
    fn of(cluster: &Cluster) -> Seen {
        let nodes = cluster.nodes.borrow().to_vec();
        let (slots, holders) = (cluster.leases.slots(), cluster.leases.holders());
        Seen { me: cluster.me, nodes, slots, holders }
    }

    /// The one process over a log of its own, which needs no id to be told apart.
    fn alone(settings: &Settings) -> Seen {
        let node = Node {
            id: Uuid::nil(),
            name: settings.instance.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            reads: 0,
            skew_ms: 0,
            lag: Duration::ZERO,
        };
        Seen { me: node.id, nodes: vec![node], slots: 0, holders: Vec::new() }
    }

    fn node(&self, node: &Node) -> Value {
        json!({
            "id": node.id.to_string(),
            "name": node.name,
            "version": node.version,
            "me": node.id == self.me,
            "skewMilliseconds": node.skew_ms,
            "lagMilliseconds": u64::try_from(node.lag.as_millis()).unwrap_or(u64::MAX),
            "slots": self.slots_of(node.id),
        })
    }

    fn slots_of(&self, id: Uuid) -> Vec<u16> {
        let held = self.holders.iter().filter(|(_, holder)| *holder == id);
        let mut slots: Vec<u16> = held.map(|(slot, _)| *slot).collect();
        slots.sort_unstable();
        slots
    }

    /// The slots that nobody holds who lives.
    fn unheld(&self) -> Vec<u16> {
        let lives = |id: Uuid| self.nodes.iter().any(|node| node.id == id);
        let is_held = |slot: u16| self.holders.iter().any(|(held, holder)| *held == slot && lives(*holder));
        (0..self.slots).filter(|slot| !is_held(*slot)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u128) -> Node {
        Node {
            id: Uuid::from_u128(number),
            name: format!("node-{number}"),
            version: "1.2.3".to_owned(),
            reads: 1,
            skew_ms: -20,
            lag: Duration::from_millis(7),
        }
    }

    #[test]
    fn a_slot_whose_holder_is_gone_is_held_by_nobody() {
        let holders = [(3, 2), (0, 1), (1, 9), (2, 1)].map(|(slot, id)| (slot, Uuid::from_u128(id)));
        let seen = Seen {
            me: Uuid::from_u128(1),
            nodes: vec![node(1), node(2)],
            slots: 5,
            holders: holders.to_vec(),
        };
        assert_eq!(seen.unheld(), [1, 4]);
        let shown = seen.node(&seen.nodes[0]);
        assert_eq!((&shown["me"], &shown["slots"]), (&json!(true), &json!([0, 2])));
        assert_eq!((&shown["skewMilliseconds"], &shown["lagMilliseconds"]), (&json!(-20), &json!(7)));
        let other = seen.node(&seen.nodes[1]);
        assert_eq!((&other["me"], &other["slots"]), (&json!(false), &json!([3])));
    }
}
