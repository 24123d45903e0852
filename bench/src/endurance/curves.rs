//! How many requests are answered, over how many connections they come and how many users there are.
//!
//! Over connections wrk asks, Porchlight and the bare server in turns. Over users this program asks as fast
//! as it is answered: requests about a million users do not fit into wrk's script. So the figures of the one
//! are not those of the other; whether a line is flat can be seen in both.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::files;
use super::job::{Job, Requests, What};
use super::load::{Crew, Load};
use super::plot::{Axis, Line, Panel, Picture, Pictures};
use crate::bare;
use crate::client::fetch;
use crate::folder::{Fading, write_seed, write_users};
use crate::report::{Figure, Outcome, grouped};
use crate::requests::{Ask, scattered};
use crate::rows::Bench;
use crate::server::Server;
use crate::spread::Spread;
use crate::stopwatch;
use crate::wrk::{self, Kind};

const ROW: &str = "curves";

/// Connections of the first curve.
const CONNECTIONS: [u32; 7] = [1, 4, 16, 64, 256, 1_024, 4_096];

/// Users of the second, and how many of them a quick run has.
const USERS: [u32; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const USERS_QUICK: usize = 3;

/// Whoever is asked about is in the directory, which has this many people at most.
const LISTED_MAX: u32 = 1_000_000;

/// Connections over which users are asked about.
const ASKERS: u32 = 64;

/// Runs of each point, of which the median counts, unless it is said how many.
const RUNS_MAX: u32 = 3;

/// Files that this program, wrk and the server may need.
const FILES: u64 = 5_000;

/// One number of connections, and one kind of request.
struct Connected {
    kind: Kind,
    connections: u32,
    /// Requests per second; so is the next.
    porchlight: Spread,
    bare: Spread,
}

/// One number of users.
struct Peopled {
    users: u32,
    /// Without the directory, above that of a server without users, in bytes.
    memory_each: f64,
    /// From spawn until everybody was there.
    start: Duration,
    /// Requests per second; so are the next two.
    read: Spread,
    bulk: Spread,
    keep_alive: Spread,
}

/// Measures both curves.
pub(super) fn measure(bench: &Bench, pictures: &Pictures) -> Result<Outcome> {
    files::allow(FILES)?;
    let connected = over_connections(bench)?;
    pictures.keep(&connections_picture(&connected))?;
    let peopled = over_users(bench)?;
    pictures.keep(&users_picture(&peopled))?;
    let figures = connected.iter().map(Connected::figure).chain(peopled.iter().flat_map(Peopled::figures));
    Ok(Outcome { compared: vec![], figures: figures.collect() })
}

fn runs(bench: &Bench) -> u32 {
    bench.scale.runs.min(RUNS_MAX)
}

fn over_connections(bench: &Bench) -> Result<Vec<Connected>> {
    let users = bench.scale.users;
    let folder = bench.folder()?;
    let porchlight = bench.start_with_people(folder.path(), users)?;
    let bare = start_bare(bench, folder.path(), porchlight.address())?;
    let mut connected = Vec::new();
    for connections in CONNECTIONS {
        for kind in [Kind::Get, Kind::Set] {
            let (mut of_porchlight, mut of_bare) = (Vec::new(), Vec::new());
            for run in 0..runs(bench) {
                let load = wrk::Load {
                    kind,
                    connections,
                    users,
                    start: wrk::start_of(run),
                    first: 0,
                    tokens: None,
                    seconds: bench.scale.seconds,
                };
                for (server, rates) in [(&bare, &mut of_bare), (&porchlight, &mut of_porchlight)] {
                    let run = bench.wrk.run(server.address(), load);
                    let run = run.with_context(|| format!("{kind:?} over {connections} connections"))?;
                    rates.push(run.requests / run.seconds);
                }
            }
            let (porchlight, bare) = (Spread::of(of_porchlight), Spread::of(of_bare));
            connected.push(Connected { kind, connections, porchlight, bare });
        }
    }
    porchlight.stop()?;
    Ok(connected)
}

/// A bare server whose answers are as large as Porchlight's.
fn start_bare(bench: &Bench, folder: &Path, porchlight: SocketAddr) -> Result<Server> {
    let (get, post) = bench.runtime.block_on(async {
        let get = fetch(porchlight, &Ask::presence(0)).await?;
        Ok::<_, anyhow::Error>((get, fetch(porchlight, &Ask::set_presence(0)).await?))
    })?;
    let answers = folder.join("answers.json");
    fs::write(&answers, bare::describe(Some(&get), Some(&post)).to_string())
        .with_context(|| format!("failed to write {}", answers.display()))?;
    Server::bare(&answers)
}

fn over_users(bench: &Bench) -> Result<Vec<Peopled>> {
    let empty = bench.empty_memory()?;
    let count = if bench.scale.quick { USERS_QUICK } else { USERS.len() };
    let measured = USERS[..count]
        .iter()
        .map(|users| Peopled::measure(bench, *users, empty).with_context(|| format!("with {users} users")));
    measured.collect()
}

impl Peopled {
    fn measure(bench: &Bench, users: u32, empty: u64) -> Result<Peopled> {
        let listed = users.min(LISTED_MAX);
        let folder = bench.folder()?;
        let (data, seed) = (folder.path().join("data"), folder.path().join("users.yaml"));
        let now = stopwatch::wall();
        write_users(&bench.runtime, &data, users, now, Fading::late(now))?;
        write_seed(&seed, listed)?;
        // Once without a directory, which has its own price.
        let server = bench.start(&data, None)?;
        let start = bench.runtime.block_on(server.restored(users))?;
        let memory = server.settled_memory()?;
        server.stop()?;
        let server = bench.start(&data, Some(&seed))?;
        bench.runtime.block_on(server.restored(users))?;
        let requests = Rc::new(Requests::with_bulk(server.address(), listed));
        let rates = |what| rates(bench, server.address(), &requests, what, listed);
        let (read, bulk, keep_alive) = (rates(What::Read)?, rates(What::Bulk)?, rates(What::KeepAlive)?);
        server.stop()?;
        let memory_each = (memory as f64 - empty as f64) / f64::from(users);
        Ok(Peopled { users, memory_each, start, read, bulk, keep_alive })
    }

    fn figures(&self) -> [Figure; 5] {
        let users = grouped(f64::from(self.users));
        let figure =
            |what: &str, value, unit| Figure::new(ROW, format!("{what}, {users} users"), value, unit);
        let rate = |what: &str, rate: Spread| {
            figure(&format!("{what} per second"), rate.median, "")
                .note(format!("{:.0} to {:.0}", rate.min, rate.max))
        };
        [
            rate("reads", self.read),
            rate("reads of 650", self.bulk),
            rate("durable keep-alives", self.keep_alive),
            figure("memory of each", self.memory_each, "B").note("without the directory"),
            figure("start-up", self.start.as_secs_f64(), "s").note("from spawn until all are there"),
        ]
    }
}

/// How many requests of this kind are answered in a second, in some runs.
fn rates(
    bench: &Bench,
    server: SocketAddr,
    requests: &Rc<Requests>,
    what: What,
    people: u32,
) -> Result<Spread> {
    let mut rates = Vec::new();
    for run in 0..runs(bench) {
        let seconds = Duration::from_secs(bench.scale.seconds.into());
        let (first, requests) = (u64::from(wrk::start_of(run)), Rc::clone(requests));
        let asked = ask(server, requests, what, people, (first, seconds));
        rates.push(LocalSet::new().block_on(&bench.runtime, asked).with_context(|| format!("{what:?}"))?);
    }
    Ok(Spread::of(rates))
}

/// Asks about one user after another for so long, from the one of this place on, as fast as answers come.
async fn ask(
    server: SocketAddr,
    requests: Rc<Requests>,
    what: What,
    people: u32,
    (first, seconds): (u64, Duration),
) -> Result<f64> {
    let crew = Crew::connect(server, ASKERS).await?;
    let load = Load::begin(requests, None);
    let begun = Instant::now();
    let until = begun + seconds;
    let users = (first..).map(move |place| scattered(place, people));
    let in_time = users.take_while(move |_| Instant::now() < until);
    crew.work(in_time.map(move |user| Job { due: None, what, user }), &load).await?;
    let answered = load.answered();
    ensure!(answered > 0, "not one request was answered");
    Ok(answered as f64 / begun.elapsed().as_secs_f64())
}

impl Connected {
    fn figure(&self) -> Figure {
        let what = match self.kind {
            Kind::Set => "durable setPresence",
            Kind::Get | Kind::Bulk | Kind::Mixed => "GET one presence",
        };
        let Spread { median, min, max } = self.porchlight;
        let (bare, ratio) = (grouped(self.bare.median), median / self.bare.median);
        let connections = grouped(f64::from(self.connections));
        Figure::new(ROW, format!("{what} per second, {connections} connections"), median, "")
            .note(format!("{min:.0} to {max:.0}; bare {bare}: {ratio:.2} of it"))
    }
}

fn connections_picture(connected: &[Connected]) -> Picture {
    let panel = |title: &str, kind: Kind| {
        let of_kind = || connected.iter().filter(move |point| point.kind == kind);
        let points = |rate: fn(&Connected) -> f64| {
            of_kind().map(|point| (f64::from(point.connections), rate(point))).collect()
        };
        Panel {
            title: title.to_owned(),
            x: Axis { name: "connections", times: Some(4.0) },
            y: "requests per second",
            lines: vec![
                Line { name: "Porchlight", points: points(|point| point.porchlight.median) },
                Line { name: "bare hyper", points: points(|point| point.bare.median) },
            ],
        }
    };
    Picture {
        name: "connections",
        title: "Requests per second over connections".to_owned(),
        columns: 2,
        panels: vec![panel("GET one presence", Kind::Get), panel("Durable setPresence", Kind::Set)],
    }
}

fn users_picture(peopled: &[Peopled]) -> Picture {
    let panel = |title: &str, y, value: fn(&Peopled) -> f64| {
        let points = peopled.iter().map(|point| (f64::from(point.users), value(point))).collect();
        let x = Axis { name: "users", times: Some(10.0) };
        Panel { title: title.to_owned(), x, y, lines: vec![Line { name: "Porchlight", points }] }
    };
    let rate = "requests per second";
    Picture {
        name: "users",
        title: "Requests per second, and memory, over users".to_owned(),
        columns: 2,
        panels: vec![
            panel("GET one presence", rate, |point| point.read.median),
            panel("650 presences in one call", rate, |point| point.bulk.median),
            panel("Durable setPresence", rate, |point| point.keep_alive.median),
            panel("Memory of each user, without the directory", "bytes", |point| point.memory_each),
        ],
    }
}
