//! `porchlight status`: who is in the cluster of a running server, for people.

use anyhow::anyhow;
use http::Method;
use serde::Deserialize;
use uuid::Uuid;

use crate::cli::StatusFlags;
use crate::client::Client;
use crate::exit::{Failure, UNHEALTHY};
use crate::say;
use crate::table::Table;

/// What `/porchlight/cluster` answers, as far as it is shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    ready: bool,
    /// Why not.
    reason: Option<String>,
    /// The server is cut off from the log, and knows of the others what it heard last.
    frozen: bool,
    nodes: Vec<Node>,
    /// How many there are; 0: the server is alone, and does everything itself.
    slots: u16,
    unheld_slots: Vec<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    id: Uuid,
    name: String,
    version: String,
    /// Whether it is the one that has answered.
    me: bool,
    skew_milliseconds: i64,
    lag_milliseconds: i64,
    slots: Vec<u16>,
}

/// Asks the server and shows what it says; fails if it is not ready.
pub(crate) fn run(flags: &StatusFlags) -> Result<(), Failure> {
    show(flags).map_err(|failure| Failure { code: UNHEALTHY, ..failure })
}

fn show(flags: &StatusFlags) -> Result<(), Failure> {
    let client = Client::anonymous(&flags.address)?;
    let answer = client.ask(Method::GET, "/porchlight/cluster", None)?;
    let host = client.host();
    let cluster = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status.is_success());
    let cluster: Cluster =
        cluster.ok_or_else(|| Failure::new(UNHEALTHY, anyhow!("what answers on {host} is no porchlight")))?;
    if flags.json {
        say(String::from_utf8_lossy(&answer.body).trim_end());
    } else {
        say(&cluster.text());
    }
    if !cluster.ready {
        let why = cluster.reason.map_or_else(String::new, |reason| format!(": {reason}"));
        return Err(Failure::new(UNHEALTHY, anyhow!("the server on {host} is not ready{why}")));
    }
    Ok(())
}

impl Cluster {
    /// A line for every node, and what else is to be said.
    fn text(&self) -> String {
        let mut nodes: Vec<&Node> = self.nodes.iter().collect();
        nodes.sort_by_key(|&node| (&node.name, node.id));
        let mut table = Table::new(["node", "id", "version", "skew", "lag", "slots"]);
        for node in nodes {
            table.row(self.row(node).map(Into::into));
        }
        let mut lines = vec![table.text()];
        lines.push("* was asked".to_owned());
        if !self.unheld_slots.is_empty() {
            lines.push(format!("nobody holds slots {}", ranges(&self.unheld_slots)));
        }
        if self.frozen {
            lines.push("it is cut off: this is what it heard of all of them last".to_owned());
        }
        if self.ready {
            lines.push("ready".to_owned());
        }
        lines.join("\n")
    }

    fn row(&self, node: &Node) -> [String; 6] {
        let slots = match node.slots.as_slice() {
            _ if self.slots == 0 => "all".to_owned(),
            [] => "none".to_owned(),
            slots => ranges(slots),
        };
        [
            format!("{}{}", node.name, if node.me { " *" } else { "" }),
            node.id.simple().to_string()[..8].to_owned(),
            node.version.clone(),
            format!("{} ms", node.skew_milliseconds),
            format!("{} ms", node.lag_milliseconds),
            slots,
        ]
    }
}

/// Numbers that ascend, such as `0-3, 7`.
fn ranges(numbers: &[u16]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next).filter_map(|run| match run {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first}-{last}")),
    });
    runs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(name: &str, id: u128, slots: &[u16]) -> Value {
        json!({"id": Uuid::from_u128(id << 96), "name": name, "version": "0.1.0", "me": name == "a",
               "skewMilliseconds": -3, "lagMilliseconds": 12, "slots": slots})
    }

    fn table(document: Value) -> String {
        serde_json::from_value::<Cluster>(document).unwrap().text()
    }

    #[test]
    fn nodes_stand_below_each_other_with_what_they_hold() {
        let nodes = [node("node-ä", 7, &[4]), node("a", 0xabcd_0123, &[0, 1, 2, 5]), node("c", 8, &[])];
        let unheld = [3, 6, 7];
        let document =
            json!({"ready": true, "frozen": false, "slots": 8, "nodes": nodes, "unheldSlots": unheld});
        insta::assert_snapshot!(table(document), @r"
        node    id        version  skew   lag    slots
        a *     abcd0123  0.1.0    -3 ms  12 ms  0-2, 5
        c       00000008  0.1.0    -3 ms  12 ms  none
        node-ä  00000007  0.1.0    -3 ms  12 ms  4
        * was asked
        nobody holds slots 3, 6-7
        ready
        ");
    }

    #[test]
    fn a_server_that_is_alone_does_everything_and_may_not_be_ready() {
        let nodes = [node("a", 0, &[])];
        let document =
            json!({"ready": false, "frozen": false, "slots": 0, "nodes": nodes, "unheldSlots": []});
        insta::assert_snapshot!(table(document), @r"
        node  id        version  skew   lag    slots
        a *   00000000  0.1.0    -3 ms  12 ms  all
        * was asked
        ");
    }

    #[test]
    fn whoever_is_cut_off_says_that_what_it_shows_is_old() {
        let nodes = [node("a", 1, &[0]), node("b", 2, &[1])];
        let document = json!({"ready": false, "frozen": true, "slots": 2, "nodes": nodes, "unheldSlots": []});
        insta::assert_snapshot!(table(document), @r"
        node  id        version  skew   lag    slots
        a *   00000001  0.1.0    -3 ms  12 ms  0
        b     00000002  0.1.0    -3 ms  12 ms  1
        * was asked
        it is cut off: this is what it heard of all of them last
        ");
    }
}
