//! Beside Synapse, Matrix's homeserver, over PostgreSQL: `bench/peers/synapse`.
//!
//! Everybody sets and reads their own presence with a token of their own. That is the least work for Synapse, which
//! need not look for a room that two people share; Porchlight's tokens are signed ones.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use hyper::Method;
use rustix::process::geteuid;
use serde_json::{Value, json};

use crate::client::{Client, fetch};
use crate::peers::install::{self, Debian, write};
use crate::peers::process::{Family, free_address, run};
use crate::peers::turns::{Side, Turns};
use crate::report::{Compared, Outcome, Peer};
use crate::requests::{Ask, HEADERS, ID, SET_ANOTHER_BODY, SET_BODY, user_id};
use crate::rows::Bench;
use crate::server::Server;
use crate::tokens::Tokens;
use crate::wrk::{Dialect, GRAPH, Kind};

/// Its name on the command line and in JSON.
pub(super) const ROW: &str = "synapse";

const REQUIREMENTS: &str = include_str!("../../peers/synapse/requirements.txt");
const HOMESERVER: &str = include_str!("../../peers/synapse/homeserver.yaml");
const LOG: &str = include_str!("../../peers/synapse/log.yaml");

/// Where a presence is read and written. A user is called `@localpart:server`, and an id makes a localpart.
const PRESENCE: &str = "/_matrix/client/v3/presence/@@ID:bench.example/status";

const ONLINE: &str = r#"{"presence":"online","status_msg":"Available"}"#;
const UNAVAILABLE: &str = r#"{"presence":"unavailable","status_msg":"In a call"}"#;

const MATRIX: Dialect = Dialect {
    name: "matrix",
    headers: &HEADERS,
    authorization: "",
    presence: PRESENCE,
    set_method: "PUT",
    set_presence: PRESENCE,
    set_bodies: &[ONLINE],
    bulk: "",
};

/// The same, in which each write shows another presence than the one before.
const MATRIX_CHANGES: Dialect =
    Dialect { name: "matrix-changes", set_bodies: &[ONLINE, UNAVAILABLE], ..MATRIX };
const GRAPH_CHANGES: Dialect =
    Dialect { name: "graph-changes", set_bodies: &[SET_BODY, SET_ANOTHER_BODY], ..GRAPH };

/// What PostgreSQL runs as where the benchmark is root, as which it refuses to: nobody.
const NOBODY: u32 = 65_534;

/// PUT and GET of a presence, beside setPresence and GET.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let programs = Programs::install()?;
    // Each has to be registered first, which takes Synapse longer than anything else here.
    let users = if bench.scale.quick { 100 } else { 1_000 };
    let folder = bench.folder()?;
    let ours = folder.path().join("porchlight");
    fs::create_dir(&ours).with_context(|| format!("failed to make {}", ours.display()))?;
    let (tokens, porchlight) = bench.start_with_tokens(&ours, users)?;

    let synapse = Synapse::start(&programs, folder.path())?;
    let accounts = bench.runtime.block_on(synapse.register(users))?;
    bench.runtime.block_on(check(synapse.address, &accounts[0]))?;
    let compared = compare(bench, folder.path(), &synapse, &accounts, &porchlight, &tokens)?;
    drop(synapse);
    porchlight.stop()?;
    Ok(Outcome { compared, figures: vec![] })
}

/// `accounts` are the access tokens of Synapse's users.
fn compare(
    bench: &Bench,
    folder: &Path,
    synapse: &Synapse,
    accounts: &[String],
    porchlight: &Server,
    tokens: &Tokens,
) -> Result<Vec<Compared>> {
    let file = folder.join("accounts.txt");
    write(&file, &accounts.join("\n"))?;
    let users = accounts.len() as u32;
    let mut compared = Vec::new();
    for (kind, title, matrix, graph, times_min) in [
        (Kind::Set, "PUT and setPresence of another presence", MATRIX_CHANGES, GRAPH_CHANGES, Some(150.0)),
        (Kind::Set, "PUT and setPresence of the same again", MATRIX, GRAPH, None),
        (Kind::Get, "GET of one's own presence", MATRIX, GRAPH, Some(60.0)),
    ] {
        let (their_ask, our_ask) = if kind == Kind::Set {
            (set(&accounts[0], 0), Ask::set_presence_with(tokens.of(0), 0))
        } else {
            (get(&accounts[0], 0), Ask::presence_with(tokens.of(0), 0))
        };
        let theirs = Side {
            name: "synapse",
            address: synapse.address,
            wrk: &bench.wrk.speaking(folder, &matrix)?,
            tokens: Some(&file),
            ask: their_ask,
            cpu_seconds: &|| synapse.cpu_seconds(),
        };
        let ours = Side {
            name: "porchlight",
            address: porchlight.address(),
            wrk: &bench.wrk.speaking(folder, &graph)?,
            tokens: Some(tokens.file()),
            ask: our_ask,
            cpu_seconds: &|| porchlight.cpu_seconds(),
        };
        let turns = Turns {
            row: ROW,
            peer: Peer::Synapse,
            title: format!("{title}, {users} users"),
            kind,
            users,
            times_min,
        };
        compared.extend(turns.take(bench, &theirs, &ours)?);
    }
    Ok(compared)
}

/// Sets a presence and reads it, to be sure that both are done.
async fn check(address: SocketAddr, account: &str) -> Result<()> {
    fetch(address, &set(account, 0)).await?;
    let answer = fetch(address, &get(account, 0)).await?;
    let presence: Value = serde_json::from_slice(&answer.body).context("Synapse's presence is not JSON")?;
    ensure!(presence["presence"] == "online", "Synapse shows {presence} of somebody who is online");
    Ok(())
}

fn get(account: &str, user: u32) -> Ask {
    Ask { path: PRESENCE.replace(ID, &user_id(user)), ..Ask::presence_with(account, user) }
}

fn set(account: &str, user: u32) -> Ask {
    Ask { method: Method::PUT, body: ONLINE.into(), ..get(account, user) }
}

/// What it runs with.
struct Programs {
    /// The packages of Python.
    python: PathBuf,
    postgres: Debian,
    /// The folder of PostgreSQL's programs.
    binaries: PathBuf,
}

impl Programs {
    fn install() -> Result<Programs> {
        let python = install::python("synapse", REQUIREMENTS)?;
        let postgres = Debian::find("postgresql", "usr/lib/postgresql")?;
        let binaries = postgres.named("usr/lib/postgresql", "")?.join("bin");
        Ok(Programs { python, postgres, binaries })
    }

    /// The homeserver in the folder of its settings.
    fn synapse(&self) -> Command {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", &self.python);
        command.args(["-m", "synapse.app.homeserver", "--config-path", "homeserver.yaml"]);
        command
    }

    /// One of PostgreSQL's programs, as somebody whom it does not refuse.
    fn postgres(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.env("LD_LIBRARY_PATH", self.postgres.libraries());
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

/// The homeserver and its database. In this order they stop.
struct Synapse {
    homeserver: Family,
    postgres: Family,
    address: SocketAddr,
}

impl Synapse {
    fn start(programs: &Programs, folder: &Path) -> Result<Synapse> {
        let at = free_address()?;
        let postgres = start_postgres(programs, folder, at)?;
        let address = free_address()?;
        let settings = HOMESERVER
            .replace("@PORT@", &address.port().to_string())
            .replace("@POSTGRES@", &at.port().to_string());
        write(&folder.join("homeserver.yaml"), &settings)?;
        write(&folder.join("log.yaml"), LOG)?;
        run(programs.synapse().arg("--generate-keys").current_dir(folder))?;
        let mut homeserver = Family::start("synapse", &mut programs.synapse(), folder)?;
        homeserver.listens(address)?;
        Ok(Synapse { homeserver, postgres, address })
    }

    /// Registers users, and says their access tokens.
    async fn register(&self, users: u32) -> Result<Vec<String>> {
        let mut client = Client::connect(self.address).await?;
        let mut accounts = Vec::new();
        for user in 0..users {
            let body = json!({
                "username": user_id(user),
                "password": "only for a benchmark",
                "auth": { "type": "m.login.dummy" },
            });
            let ask = Ask {
                method: Method::POST,
                path: "/_matrix/client/v3/register".to_owned(),
                authorization: None,
                headers: &HEADERS,
                body: body.to_string().into(),
            };
            let answer = client.send(&ask).await?;
            let account: Value = serde_json::from_slice(&answer.body).context("an account is not JSON")?;
            accounts.push(account["access_token"].as_str().context("an account has no token")?.to_owned());
        }
        Ok(accounts)
    }

    fn cpu_seconds(&self) -> Result<f64> {
        Ok(self.homeserver.cpu_seconds()? + self.postgres.cpu_seconds()?)
    }
}

/// A database cluster of its own, as Synapse wants it: UTF-8, in the order of C.
fn start_postgres(programs: &Programs, folder: &Path, at: SocketAddr) -> Result<Family> {
    let data = folder.join("postgres");
    fs::create_dir(&data).with_context(|| format!("failed to make {}", data.display()))?;
    if geteuid().is_root() {
        chown(&data, Some(NOBODY), Some(NOBODY)).context("failed to give nobody a folder")?;
        // The folders above are this user's alone.
        for above in data.ancestors().skip(1).take(2) {
            fs::set_permissions(above, Permissions::from_mode(0o711))
                .with_context(|| format!("failed to let others into {}", above.display()))?;
        }
    }
    let name = data.display().to_string();
    run(programs
        .postgres("initdb")
        .args(["--encoding=UTF8", "--locale=C", "--auth=trust", "--username=synapse", "--pgdata", &name])
        .current_dir(folder))
    .context("nobody must be able to go there; --folder names another place")?;
    let port = at.port().to_string();
    let mut command = programs.postgres("postgres");
    command.args(["-D", &name, "-p", &port, "-c", "listen_addresses=127.0.0.1"]);
    // No other way in than over TCP, and the share of memory that its documentation recommends on a small machine.
    command.args(["-c", "unix_socket_directories=", "-c", "shared_buffers=1GB"]);
    let mut postgres = Family::start("postgresql", &mut command, folder)?;
    postgres.listens(at)?;
    Ok(postgres)
}
