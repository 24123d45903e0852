//! What is measured: one function for each row or group of rows of the table.

mod batch;
mod breakdown;
mod clock_jumps;
mod cluster;
mod compared;
mod disk_full;
mod fades;
mod growth;
mod memory;
mod propagation;
mod rude;
mod sessions;
mod start;
mod streams;
mod tokens;
mod webhooks;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};

use crate::folder::write_people;
use crate::machine::Machine;
use crate::nats::Servers;
use crate::report::Outcome;
use crate::scale::Scale;
use crate::server::{self, Server};
use crate::stopwatch;
use crate::tokens::Tokens;
use crate::wrk::{Kind, Wrk};

use compared::Comparison;

/// A row, or a group of rows that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// Reads of one presence.
    Get,
    /// Reads of one presence, each with a signed token of its own.
    Tokens,
    /// Reads of 650 presences in one call.
    Bulk,
    /// Durable keep-alives over 64 connections.
    #[value(name = "set-64")]
    Set64,
    /// Durable keep-alives over 256 connections.
    #[value(name = "set-256")]
    Set256,
    /// 80 reads to 20 keep-alives.
    Mixed,
    /// The size of the program, and a start with nothing to read.
    Start,
    /// Memory per user and per person, and start-up.
    Memory,
    /// How late fades are announced that are spread over a minute.
    Fades,
    /// How long it takes to catch up when the clock jumps over all fades.
    Jump,
    /// What open streams cost, and how soon they are told.
    Streams,
    /// How soon webhooks are told while some hang or fail.
    Webhooks,
    /// Durable keep-alives on a node whose log is in NATS.
    ClusterWrite,
    /// Durable keep-alives on three nodes, over three servers of NATS.
    #[value(name = "cluster-write-3")]
    ClusterWrite3,
    /// Whether atomic batches make NATS faster.
    BatchPublish,
    /// How soon a write on one node shows on another.
    Propagation,
    /// Sessions of three tenants in different cells.
    Sessions,
    /// What many users in NATS cost, and many overwrites of a few of them. A quarter of an hour: only when named.
    ClusterScale,
    /// Where a request's time goes. Needs perf.
    Breakdown,
    /// Ten times as many users as in the row about memory.
    TenMillion,
    /// Rude clients that send a byte a second.
    SlowLoris,
    /// Rude clients that send heads that are far too large.
    HeaderBombs,
    /// As many idle connections as an address may have.
    Idle,
    /// Connections that are used once.
    Churn,
    /// Rude clients that take nothing of what they have asked for.
    NeverRead,
    /// Floods of requests that wait for no answer.
    Pipelined,
    /// A disk that is full for a while.
    DiskFull,
    /// A machine's clock that is set ahead and back.
    ClockJumps,
}

/// Everything that the rows share.
pub(crate) struct Bench {
    pub(crate) scale: Scale,
    pub(crate) wrk: Wrk,
    pub(crate) runtime: Runtime,
    porchlight: PathBuf,
    /// Holds the folders of all rows, and goes with this value.
    root: TempDir,
}

impl Row {
    /// Its name on the command line and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Row::Get => "get",
            Row::Tokens => "tokens",
            Row::Bulk => "bulk",
            Row::Set64 => "set-64",
            Row::Set256 => "set-256",
            Row::Mixed => "mixed",
            Row::Start => "start",
            Row::Memory => "memory",
            Row::Fades => "fades",
            Row::Jump => "jump",
            Row::Streams => "streams",
            Row::Webhooks => "webhooks",
            Row::ClusterWrite => "cluster-write",
            Row::ClusterWrite3 => "cluster-write-3",
            Row::BatchPublish => "batch-publish",
            Row::Propagation => "propagation",
            Row::Sessions => "sessions",
            Row::ClusterScale => "cluster-scale",
            Row::Breakdown => "breakdown",
            Row::TenMillion => "ten-million",
            Row::SlowLoris => "slow-loris",
            Row::HeaderBombs => "header-bombs",
            Row::Idle => "idle",
            Row::Churn => "churn",
            Row::NeverRead => "never-read",
            Row::Pipelined => "pipelined",
            Row::DiskFull => "disk-full",
            Row::ClockJumps => "clock-jumps",
        }
    }

    /// Those about rude clients.
    pub(crate) const RUDE: [Row; 6] =
        [Row::SlowLoris, Row::HeaderBombs, Row::Idle, Row::Churn, Row::NeverRead, Row::Pipelined];

    /// Those that are measured when none is named.
    pub(crate) fn usual() -> Vec<Row> {
        let apart = [Row::ClusterScale, Row::Breakdown, Row::TenMillion, Row::DiskFull, Row::ClockJumps];
        let is_usual = |row: &Row| !apart.contains(row) && !Row::RUDE.contains(row);
        Row::value_variants().iter().copied().filter(is_usual).collect()
    }

    /// What it is about.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Row::Get => "GET one presence",
            Row::Tokens => "GET one presence, an RS256 token each",
            Row::Bulk => "getPresencesByUserId, 650 ids",
            Row::Set64 | Row::Set256 => "durable setPresence",
            Row::Mixed => "80 reads, 20 keep-alives",
            Row::Start => "size and start",
            Row::Memory => "memory and start-up",
            Row::Fades => "fades",
            Row::Jump => "jump of the clock",
            Row::Streams => "streams of the whole tenant",
            Row::Webhooks => "webhooks, one for each person",
            Row::ClusterWrite => "durable setPresence over NATS",
            Row::ClusterWrite3 => "durable setPresence, three nodes and three NATS",
            Row::BatchPublish => "raw publishes in atomic batches",
            Row::Propagation => "from a write on one node to another node",
            Row::Sessions => "sessions of three tenants in different cells",
            Row::ClusterScale => "many users in NATS, many overwrites of a few",
            Row::Breakdown => "where a request's time goes",
            Row::TenMillion => "memory and start-up with ten times as many users",
            Row::SlowLoris => "connections that send a byte a second",
            Row::HeaderBombs => "heads that are far too large",
            Row::Idle => "idle connections",
            Row::Churn => "connections that are used once",
            Row::NeverRead => "clients that take nothing of their answers",
            Row::Pipelined => "floods of requests",
            Row::DiskFull => "a disk that is full for a while",
            Row::ClockJumps => "a machine's clock that is set ahead and back",
        }
    }

    /// Measures it. Takes from seconds to minutes.
    pub(crate) fn measure(self, bench: &Bench) -> Result<Outcome> {
        let compare = |kind, connections, rate_min, cpu_max| {
            let comparison = Comparison {
                name: self.name(),
                title: self.title().to_owned(),
                kind,
                connections,
                users: bench.scale.users,
                tokens: None,
                rate_min,
                cpu_max,
            };
            comparison.measure(bench)
        };
        match self {
            Row::Get => compare(Kind::Get, 64, Some(0.92), Some(1.15)),
            Row::Tokens => tokens::measure(bench),
            Row::Bulk => compare(Kind::Bulk, 64, Some(0.70), None),
            Row::Set64 => compare(Kind::Set, 64, None, None),
            Row::Set256 => compare(Kind::Set, 256, Some(0.65), None),
            Row::Mixed => compare(Kind::Mixed, 64, None, None),
            Row::Start => start::measure(bench),
            Row::Memory => memory::measure(bench),
            Row::Fades => fades::measure(bench),
            Row::Jump => fades::measure_jump(bench),
            Row::Streams => streams::measure(bench),
            Row::Webhooks => webhooks::measure(bench),
            Row::ClusterWrite => cluster::measure(bench),
            Row::ClusterWrite3 => cluster::measure_three(bench),
            Row::BatchPublish => batch::measure(bench),
            Row::Propagation => propagation::measure(bench),
            Row::Sessions => sessions::measure(bench),
            Row::ClusterScale => growth::measure(bench),
            Row::Breakdown => breakdown::measure(bench),
            Row::TenMillion => memory::measure_ten_million(bench),
            Row::SlowLoris => rude::beside(bench, self, rude::slow_loris::come),
            Row::HeaderBombs => rude::beside(bench, self, rude::header_bombs::come),
            Row::Idle => rude::beside(bench, self, rude::idle::come),
            Row::Churn => rude::beside(bench, self, rude::churn::come),
            Row::NeverRead => rude::beside(bench, self, rude::never_read::come),
            Row::Pipelined => rude::beside(bench, self, rude::pipelined::come),
            Row::DiskFull => disk_full::measure(bench),
            Row::ClockJumps => clock_jumps::measure(bench),
        }
    }
}

impl Bench {
    /// Finds or makes everything that is needed. `folder`: where data goes; `None`: beside this program.
    pub(crate) fn prepare(scale: Scale, folder: Option<PathBuf>) -> Result<Bench> {
        let folder = match folder {
            Some(folder) => folder,
            None => env::current_exe()
                .context("failed to find this program's own file")?
                .with_file_name("porchlight-bench-data"),
        };
        fs::create_dir_all(&folder).with_context(|| format!("failed to make {}", folder.display()))?;
        let root = folder_in(&folder)?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        Ok(Bench {
            scale,
            wrk: Wrk::find(root.path())?,
            runtime: runtime.context("failed to start a runtime")?,
            porchlight: server::find_porchlight()?,
            root,
        })
    }

    /// What is measured on and with.
    pub(crate) fn machine(&self) -> Result<Machine> {
        let minutes = stopwatch::age(&self.porchlight)?.as_secs() / 60;
        let porchlight = format!("porchlight built {minutes} min ago");
        Machine::this(self.root.path(), self.wrk.version(), porchlight)
    }

    /// A new folder, gone with the value.
    pub(crate) fn folder(&self) -> Result<TempDir> {
        folder_in(self.root.path())
    }

    /// Porchlight in dev mode on a data folder.
    pub(crate) fn start(&self, data: &Path, seed: Option<&Path>) -> Result<Server> {
        Server::porchlight(&self.porchlight, data, seed)
    }

    /// The same with so many people and a session for each, none of which fades while anything runs. Its files
    /// go into `folder`.
    pub(crate) fn start_with_people(&self, folder: &Path, users: u32) -> Result<Server> {
        let (data, seed) = write_people(&self.runtime, folder, users)?;
        let server = self.start(&data, Some(&seed))?;
        self.runtime.block_on(server.restored(users))?;
        Ok(server)
    }

    /// Porchlight as in production with the same people, and a token for each of them.
    pub(crate) fn start_with_tokens(&self, folder: &Path, users: u32) -> Result<(Tokens, Server)> {
        let tokens = Tokens::issue(&self.runtime, users, folder.join("tokens.txt"))?;
        let config = folder.join("porchlight.toml");
        fs::write(&config, tokens.config())
            .with_context(|| format!("failed to write {}", config.display()))?;
        let (data, seed) = write_people(&self.runtime, folder, users)?;
        let server = self.start_in_production(&config, &data, Some(&seed))?;
        self.runtime.block_on(server.restored(users))?;
        Ok((tokens, server))
    }

    /// The memory of Porchlight on an empty folder, in bytes.
    pub(crate) fn empty_memory(&self) -> Result<u64> {
        let folder = self.folder()?;
        let server = self.start(folder.path(), None)?;
        self.runtime.block_on(server.restored(0))?;
        let memory = server.settled_memory()?;
        server.stop()?;
        Ok(memory)
    }

    /// A node in dev mode over the log in NATS.
    fn start_node(&self, servers: &Servers, name: &str, seed: Option<&Path>) -> Result<Server> {
        Server::node(&self.porchlight, &servers.log_url(), name, seed)
    }

    /// So many nodes over one log, which know the people of a seed file and are ready.
    fn start_nodes(&self, servers: &Servers, count: u32, seed: &Path) -> Result<Vec<Server>> {
        let start = |number| self.start_node(servers, &format!("node-{number}"), Some(seed));
        let nodes = (1..=count).map(start).collect::<Result<Vec<Server>>>()?;
        for node in &nodes {
            self.runtime.block_on(node.ready())?;
        }
        Ok(nodes)
    }

    /// Porchlight as in production, which takes the tokens of whom `config` names.
    pub(crate) fn start_in_production(
        &self,
        config: &Path,
        data: &Path,
        seed: Option<&Path>,
    ) -> Result<Server> {
        Server::in_production(&self.porchlight, config, data, seed)
    }
}

fn folder_in(parent: &Path) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(parent)
        .with_context(|| format!("failed to make a folder in {}", parent.display()))
}
