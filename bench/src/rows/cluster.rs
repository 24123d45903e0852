//! Durable writes of a cluster beside raw publishes to the same servers of NATS.
//!
//! Every run follows its peers: the raw publisher with as many messages on their way as there are connections, and
//! with 2,000, which is about the best that NATS does. The load generator has its share of the cores while
//! Porchlight is measured, and no part in the raw runs.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, ensure};

use crate::client;
use crate::folder::write_seed;
use crate::nats::{Servers, SyncInterval};
use crate::raw::Raw;
use crate::report::{Bound, Compared, Outcome, Pair, Peer, Sample};
use crate::requests::Ask;
use crate::rows::Bench;
use crate::server::Server;
use crate::wrk::{Kind, Load, Run, start_of};

/// As many raw publishes on their way as make NATS about as fast as it is.
const MANY: usize = 2_000;

/// One node and one server, both ways of syncing, over 64 and 256 connections.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let mut compared = Vec::new();
    for sync in [SyncInterval::TwoMinutes, SyncInterval::Always] {
        let folder = bench.folder()?;
        let writes = Writes { name: "cluster-write", sync, users_each: 2_000, rate_min: Some(0.5) };
        let servers = Servers::start(folder.path(), 1, sync)?;
        let nodes = writes.start(bench, folder.path(), &servers, 1)?;
        for connections in [64, 256] {
            compared.extend(writes.compare(bench, &servers, &nodes, connections)?);
        }
        stop(nodes)?;
    }
    Ok(Outcome { compared, figures: vec![] })
}

/// Three nodes, all loaded at once, and three servers that have on disk what they acknowledge.
pub(super) fn measure_three(bench: &Bench) -> Result<Outcome> {
    let folder = bench.folder()?;
    let sync = SyncInterval::Always;
    let writes = Writes { name: "cluster-write-3", sync, users_each: 1_000, rate_min: None };
    let servers = Servers::start(folder.path(), 3, sync)?;
    let nodes = writes.start(bench, folder.path(), &servers, 3)?;
    let mut compared = Vec::new();
    for connections in [64 * 3, 256 * 3] {
        compared.extend(writes.compare(bench, &servers, &nodes, connections)?);
    }
    stop(nodes)?;
    Ok(Outcome { compared, figures: vec![] })
}

/// What the comparisons of a row have in common.
struct Writes {
    name: &'static str,
    sync: SyncInterval,
    /// How many users take turns on each node: others on every node, so that no two nodes write to one user.
    users_each: u32,
    /// The rate should be at least this share of that of as many raw publishes.
    rate_min: Option<f64>,
}

impl Writes {
    /// So many nodes, which know all users and have written to each once.
    fn start(&self, bench: &Bench, folder: &Path, servers: &Servers, count: u32) -> Result<Vec<Server>> {
        let seed = folder.join("users.yaml");
        write_seed(&seed, self.users_each * count)?;
        let nodes = bench.start_nodes(servers, count, &seed)?;
        self.load(bench, &nodes, Load { seconds: 1, ..self.share(64, 0) })?;
        Ok(nodes)
    }

    /// Compares with both peers.
    fn compare(
        &self,
        bench: &Bench,
        servers: &Servers,
        nodes: &[Server],
        connections: u32,
    ) -> Result<[Compared; 2]> {
        let (mut with_as_many, mut with_many) = (Vec::new(), Vec::new());
        for run in 0..bench.scale.runs {
            let raw = |in_flight| publish(servers, in_flight, bench.scale.seconds).context("raw publisher");
            let (as_many, many) = (raw(connections as usize)?, raw(MANY)?);
            let porchlight = self.sample(bench, servers, nodes, connections, run).context("porchlight")?;
            with_as_many.push(Pair { peer: as_many, porchlight });
            with_many.push(Pair { peer: many, porchlight });
        }
        let title = |of: &str| {
            let (count, sync) = (nodes.len(), self.sync.name());
            format!("setPresence, nodes: {count}, NATS: {count}, {sync}, {connections} connections{of}")
        };
        let compared = |of: &str, pairs, rate, note: String| Compared {
            row: self.name,
            title: title(of),
            peer: Peer::Raw,
            pairs,
            rate,
            cpu: None,
            note,
        };
        let note = format!("raw with {connections} messages in flight{}", self.of_several(nodes));
        let rate = self.rate_min.map(Bound::AtLeast);
        Ok([
            compared("", with_as_many, rate, note),
            compared(" (raw: 2,000)", with_many, None, format!("raw with {MANY} messages in flight")),
        ])
    }

    /// One run of load on all nodes together.
    fn sample(
        &self,
        bench: &Bench,
        servers: &Servers,
        nodes: &[Server],
        connections: u32,
        run: u32,
    ) -> Result<Sample> {
        let seconds = bench.scale.seconds;
        let cpu = || nodes.iter().map(Server::cpu_seconds).sum::<Result<f64>>();
        let before = cpu()? + servers.cpu_seconds()?;
        let load = Load { seconds, ..self.share(connections / nodes.len() as u32, start_of(run)) };
        let runs = self.load(bench, nodes, load)?;
        let used = cpu()? + servers.cpu_seconds()? - before;
        let requests: f64 = runs.iter().map(|run| run.requests).sum();
        Ok(Sample {
            per_second: runs.iter().map(|run| run.requests / run.seconds).sum(),
            p50_ms: runs.iter().map(|run| run.p50_ms * run.requests).sum::<f64>() / requests,
            p99_ms: runs.iter().map(|run| run.p99_ms).fold(0.0, f64::max),
            cpu_micros: used * 1e6 / requests,
        })
    }

    /// The load of the first node.
    fn share(&self, connections: u32, start: u32) -> Load<'static> {
        Load {
            kind: Kind::Set,
            connections,
            users: self.users_each,
            start,
            first: 0,
            tokens: None,
            seconds: 1,
        }
    }

    /// Loads all nodes at once, each for its own users.
    fn load(&self, bench: &Bench, nodes: &[Server], load: Load<'static>) -> Result<Vec<Run>> {
        let wrk = &bench.wrk;
        let loads: Vec<(SocketAddr, Load<'static>)> = (0..)
            .zip(nodes)
            .map(|(number, node)| (node.address(), Load { first: number * self.users_each, ..load }))
            .collect();
        let answer = |(address, load): &(SocketAddr, Load<'_>)| answer_bytes(*address, load.first);
        let expected = loads.iter().map(|load| bench.runtime.block_on(answer(load)));
        let expected = expected.collect::<Result<Vec<f64>>>()?;
        let runs: Result<Vec<Run>> = thread::scope(|scope| {
            let running: Vec<_> = loads
                .into_iter()
                .map(|(address, load)| scope.spawn(move || wrk.run(address, load)))
                .collect();
            running.into_iter().map(|run| run.join().expect("a load does not panic")).collect()
        });
        let runs = runs?;
        for (run, expected) in runs.iter().zip(expected) {
            run.check(expected)?;
        }
        Ok(runs)
    }

    fn of_several(&self, nodes: &[Server]) -> String {
        if nodes.len() == 1 {
            return String::new();
        }
        let each = self.users_each;
        format!("; {each} users on each node, p50 is the mean of the nodes', p99 the slowest node's")
    }
}

/// The size of the answer to a keep-alive.
async fn answer_bytes(address: SocketAddr, user: u32) -> Result<f64> {
    let answer = client::fetch(address, &Ask::set_presence(user)).await?;
    ensure!(answer.body.is_empty(), "setPresence was answered with a body of {} bytes", answer.body.len());
    Ok(answer.wire_bytes() as f64)
}

/// One run of the raw publisher.
fn publish(servers: &Servers, in_flight: usize, seconds: u32) -> Result<Sample> {
    let raw = Raw {
        servers: servers.addresses(),
        replicas: servers.replicas(),
        in_flight,
        batch: None,
        seconds,
        with: servers.processes(),
    };
    raw.run()
}

fn stop(nodes: Vec<Server>) -> Result<()> {
    nodes.into_iter().try_for_each(Server::stop)
}
