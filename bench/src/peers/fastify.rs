//! Beside a program on Node.js with Fastify and Redis, as one would write it for this job: `bench/peers/fastify`.
//!
//! It is asked what Porchlight is asked, and has to give the same answers.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::client::fetch;
use crate::peers::install::{self, Debian, write};
use crate::peers::process::{Family, free_address, run};
use crate::peers::turns::{Side, Turns};
use crate::report::{Compared, Outcome, Peer};
use crate::requests::{APPLICATION, Ask, user_id};
use crate::rows::Bench;
use crate::server::Server;
use crate::tokens::Tokens;
use crate::wrk::Kind;

/// Its name on the command line and in JSON.
pub(super) const ROW: &str = "fastify";

const PACKAGE: &str = include_str!("../../peers/fastify/package.json");

/// The program, a file each.
const SOURCES: [(&str, &str); 5] = [
    ("server.mjs", include_str!("../../peers/fastify/server.mjs")),
    ("callers.mjs", include_str!("../../peers/fastify/callers.mjs")),
    ("presence.mjs", include_str!("../../peers/fastify/presence.mjs")),
    ("store.mjs", include_str!("../../peers/fastify/store.mjs")),
    ("seed.mjs", include_str!("../../peers/fastify/seed.mjs")),
];

const REDIS: &str = include_str!("../../peers/fastify/redis.conf");

/// The socket of Redis, in the folder of its data. A path in full may be too long for one.
const SOCKET: &str = "redis.sock";

/// How many characters of an answer an error message has.
const SHOWN_MAX: usize = 500;

/// When Redis has on disk what it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fsync {
    /// Before it acknowledges it, as Porchlight does.
    Always,
    /// A second later, as by default.
    EverySecond,
}

impl Fsync {
    /// Its name in Redis's configuration.
    fn name(self) -> &'static str {
        match self {
            Fsync::Always => "always",
            Fsync::EverySecond => "everysec",
        }
    }
}

/// Reads and writes by an application, with Redis in both manners, and reads by people with tokens of their own.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let programs = Programs::install()?;
    let mut compared = by_an_application(bench, &programs)?;
    compared.extend(with_tokens(bench, &programs)?);
    Ok(Outcome { compared, figures: vec![] })
}

fn by_an_application(bench: &Bench, programs: &Programs) -> Result<Vec<Compared>> {
    let users = bench.scale.users;
    let folder = bench.folder()?;
    let porchlight = bench.start_with_people(folder.path(), users)?;

    let mut compared = Vec::new();
    let fastify = Fastify::start(programs, &folder.path().join("always"), Fsync::Always, users, None)?;
    for ask in [Ask::presence(0), Ask::bulk()] {
        bench.runtime.block_on(answer_the_same(&ask, &fastify, &porchlight))?;
    }
    for (kind, title, times_min) in [
        (Kind::Get, "GET one presence", 2.5),
        (Kind::Bulk, "650 ids in one call", 20.0),
        (Kind::Set, "setPresence, both syncing each (appendfsync always)", 2.0),
    ] {
        let turns = turns(kind, title.to_owned(), users, Some(times_min));
        compared.extend(take(&turns, bench, &fastify, &porchlight, None)?);
    }
    drop(fastify);

    let fastify = Fastify::start(programs, &folder.path().join("everysec"), Fsync::EverySecond, users, None)?;
    let title = "setPresence, Redis syncing every second, Porchlight each";
    let turns = turns(Kind::Set, title.to_owned(), users, None);
    compared.extend(take(&turns, bench, &fastify, &porchlight, None)?);
    drop(fastify);

    porchlight.stop()?;
    Ok(compared)
}

/// Everybody reads their own presence with a token such as Entra ID signs.
fn with_tokens(bench: &Bench, programs: &Programs) -> Result<Vec<Compared>> {
    let users = bench.scale.tokens;
    let folder = bench.folder()?;
    let (tokens, porchlight) = bench.start_with_tokens(folder.path(), users)?;

    let (place, trust) = (folder.path().join("fastify"), tokens.trust());
    let fastify = Fastify::start(programs, &place, Fsync::Always, users, Some(&trust))?;
    let ask = Ask::presence_with(tokens.of(0), 0);
    bench.runtime.block_on(answer_the_same(&ask, &fastify, &porchlight))?;
    let turns = turns(Kind::Get, format!("GET one presence, {users} RS256 tokens"), users, Some(2.5));
    let compared = take(&turns, bench, &fastify, &porchlight, Some(&tokens))?;
    drop(fastify);
    porchlight.stop()?;
    Ok(compared)
}

fn turns(kind: Kind, title: String, users: u32, times_min: Option<f64>) -> Turns {
    Turns { row: ROW, peer: Peer::Fastify, title, kind, users, times_min }
}

fn take(
    turns: &Turns,
    bench: &Bench,
    fastify: &Fastify,
    porchlight: &Server,
    tokens: Option<&Tokens>,
) -> Result<Vec<Compared>> {
    let ask = match (turns.kind, tokens) {
        (Kind::Get | Kind::Mixed, Some(tokens)) => Ask::presence_with(tokens.of(0), 0),
        (Kind::Get | Kind::Mixed, None) => Ask::presence(0),
        (Kind::Bulk, _) => Ask::bulk(),
        (Kind::Set, _) => Ask::set_presence(0),
    };
    let theirs = Side {
        name: "fastify",
        address: fastify.address,
        wrk: &bench.wrk,
        tokens: tokens.map(Tokens::file),
        ask: ask.clone(),
        cpu_seconds: &|| fastify.cpu_seconds(),
    };
    let ours = Side {
        name: "porchlight",
        address: porchlight.address(),
        cpu_seconds: &|| porchlight.cpu_seconds(),
        ask,
        ..theirs
    };
    turns.take(bench, &theirs, &ours)
}

/// Refuses a peer that answers something else: what it leaves out would cost it nothing.
async fn answer_the_same(ask: &Ask, fastify: &Fastify, porchlight: &Server) -> Result<()> {
    let theirs = fetch(fastify.address, ask).await?;
    let ours = fetch(porchlight.address(), ask).await?;
    let of = |body: &[u8]| -> Result<Value> {
        let mut answer: Value = serde_json::from_slice(body).context("an answer is not JSON")?;
        forget_what_differs(&mut answer);
        Ok(answer)
    };
    let (theirs, ours) = (of(&theirs.body)?, of(&ours.body)?);
    let begin = |answer: &Value| answer.to_string().chars().take(SHOWN_MAX).collect::<String>();
    ensure!(
        theirs == ours,
        "{ask} is answered by Fastify with {}, by Porchlight with {}",
        begin(&theirs),
        begin(&ours)
    );
    Ok(())
}

/// Takes out where the server is and when somebody has last changed.
fn forget_what_differs(answer: &mut Value) {
    match answer {
        Value::Object(members) => {
            members.retain(|name, _| !matches!(name.as_str(), "@odata.context" | "sequenceNumber"));
            members.values_mut().for_each(forget_what_differs);
        }
        Value::Array(elements) => elements.iter_mut().for_each(forget_what_differs),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What it runs with.
struct Programs {
    /// Where its packages are, and the program itself.
    node: PathBuf,
    redis: Debian,
}

impl Programs {
    fn install() -> Result<Programs> {
        let node = install::npm("fastify", PACKAGE)?;
        for (name, text) in SOURCES {
            write(&node.join(name), text)?;
        }
        Ok(Programs { node, redis: Debian::find("redis-server", "usr/bin/redis-server")? })
    }

    /// Redis in the folder of its data.
    fn redis(&self, sync: Fsync) -> Command {
        let mut command = Command::new(self.redis.path("usr/bin/redis-server"));
        command.env("LD_LIBRARY_PATH", self.redis.libraries());
        command.args(["redis.conf", "--appendfsync", sync.name()]);
        command
    }

    /// A script as in production, in the same folder.
    fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command.arg(self.node.join(script)).env("NODE_ENV", "production").env("REDIS", SOCKET);
        command
    }
}

/// The program and its Redis, in which everybody has a session. In this order they stop.
struct Fastify {
    workers: Family,
    redis: Family,
    address: SocketAddr,
}

impl Fastify {
    /// `trust`: whose tokens it takes; `None`: development's.
    fn start(
        programs: &Programs,
        folder: &Path,
        sync: Fsync,
        users: u32,
        trust: Option<&Value>,
    ) -> Result<Fastify> {
        fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
        write(&folder.join("redis.conf"), REDIS)?;
        let mut redis = Family::start("redis", &mut programs.redis(sync), folder)?;
        redis.makes(&folder.join(SOCKET))?;

        let ids: Vec<String> = (0..users).map(user_id).collect();
        write(&folder.join("ids.txt"), &ids.join("\n"))?;
        run(programs.node("seed.mjs").args([APPLICATION, "ids.txt"]).current_dir(folder))?;

        let address = free_address()?;
        let mut server = programs.node("server.mjs");
        server.env("PORT", address.port().to_string());
        if let Some(trust) = trust {
            write(&folder.join("trust.json"), &trust.to_string())?;
            server.env("TRUST", "trust.json");
        }
        let mut workers = Family::start("fastify", &mut server, folder)?;
        workers.listens(address)?;
        Ok(Fastify { workers, redis, address })
    }

    fn cpu_seconds(&self) -> Result<f64> {
        Ok(self.workers.cpu_seconds()? + self.redis.cpu_seconds()?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_program_shows_what_sessions_say() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/fastify");
        run(Command::new("node").args(["--test", "presence.test.mjs"]).current_dir(folder)).unwrap();
    }

    #[test]
    fn answers_differ_in_more_than_address_and_stamp_or_they_are_the_same() {
        let answer = |host: &str, stamp: &str, shown: &str| {
            let mut answer = json!({
                "@odata.context": host,
                "value": [{ "id": "a", "availability": shown, "sequenceNumber": stamp }],
            });
            forget_what_differs(&mut answer);
            answer
        };
        assert_eq!(answer("one", "A1", "Busy"), answer("another", "A2", "Busy"));
        assert_ne!(answer("one", "A1", "Busy"), answer("one", "A1", "Away"));
    }
}
