//! `porchlight status`: who is in the cluster of a running server, for people.

use anyhow::{anyhow, bail};
use serde::Deserialize;
use uuid::Uuid;

use crate::cli::StatusFlags;
use crate::exit::{Failure, UNHEALTHY};
use crate::request::Server;
use crate::say;

/// What `/porchlight/cluster` answers, as far as it is shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    ready: bool,
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
    show(flags).map_err(|cause| Failure::new(UNHEALTHY, cause))
}

fn show(flags: &StatusFlags) -> anyhow::Result<()> {
    let server = Server::at(&flags.url)?;
    let answer = server.get("/porchlight/cluster")?;
    let cluster = serde_json::from_str(&answer.body).ok().filter(|_| answer.status == Some(200));
    let cluster: Cluster =
        cluster.ok_or_else(|| anyhow!("what answers on {} is no porchlight", server.host))?;
    let table = cluster.table();
    say(if flags.json { answer.body.trim_end() } else { table.as_str() });
    if !cluster.ready {
        bail!("the server on {} is not ready{}", server.host, answer.reason());
    }
    Ok(())
}

impl Cluster {
    /// A line for every node, and what else is to be said.
    fn table(&self) -> String {
        let mut nodes: Vec<&Node> = self.nodes.iter().collect();
        nodes.sort_by_key(|&node| (&node.name, node.id));
        let mut rows = vec![["node", "id", "version", "skew", "lag", "slots"].map(str::to_owned)];
        rows.extend(nodes.into_iter().map(|node| self.row(node)));
        let longest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: [usize; 6] = std::array::from_fn(|column| longest(column).unwrap_or_default());
        let line = |row: &[String; 6]| {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut lines: Vec<String> = rows.iter().map(line).collect();
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
        serde_json::from_value::<Cluster>(document).unwrap().table()
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

    #[test]
    fn a_hundred_nodes_fit_into_what_is_read_of_an_answer() {
        let slots: Vec<u16> = (0..32).collect();
        let nodes: Vec<Value> = (0..100).map(|id| node(&"n".repeat(64), id, &slots)).collect();
        let document =
            json!({"ready": true, "frozen": false, "slots": 32, "nodes": nodes, "unheldSlots": []});
        let document = document.to_string();
        assert!((document.len() as u64) < crate::request::ANSWER_MAX, "{}", document.len());
    }
}
