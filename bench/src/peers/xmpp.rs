//! Beside ejabberd, a server of XMPP: `bench/peers/xmpp`.
//!
//! What XMPP calls a session is a connection: to come is to connect, to log in and to send one's presence. What is
//! measured is how many come and go, and how soon those are told who watch somebody. The load generator is one thread
//! of this process, and speaks to both servers by [`Wire`].

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::task::LocalSet;

use crate::peers::install::{Debian, write};
use crate::peers::process::{Family, free_address};
use crate::peers::wire::Wire;
use crate::peers::{churn, fanout};
use crate::report::{Compared, Outcome, Pair, Peer};
use crate::requests::user_id;
use crate::rows::Bench;

/// Its name on the command line and in JSON.
pub(super) const ROW: &str = "xmpp";

const SETTINGS: &str = include_str!("../../peers/xmpp/ejabberd.yml");

/// The domain of all users.
const DOMAIN: &str = "bench.example";

const PASSWORD: &str = "only-for-a-benchmark";

/// What a client says to open a stream, and again once it has logged in.
const STREAM: &str = "<?xml version='1.0'?><stream:stream to='bench.example' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// Where what a server says of its stream ends.
const FEATURES: &str = "</stream:features>";

/// Sessions that come and go, and those who watch somebody.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let package = Debian::find("ejabberd", "usr/sbin/ejabberdctl")?;
    let folder = bench.folder()?;
    let users = churn::USERS + fanout::USERS;
    let porchlight = bench.start_with_people(folder.path(), users)?;
    let ejabberd = Ejabberd::start(&package, &folder.path().join("ejabberd"))?;
    let compared = LocalSet::new().block_on(&bench.runtime, async {
        ejabberd.register(users).await?;
        let mut compared = churn::compare(&bench.scale, &ejabberd, &porchlight).await?;
        compared.extend(fanout::compare(&bench.scale, &ejabberd, &porchlight).await?);
        Ok::<_, anyhow::Error>(compared)
    })?;
    drop(ejabberd);
    porchlight.stop()?;
    Ok(Outcome { compared, figures: vec![] })
}

/// A row of both in turns, without targets.
pub(super) fn compared(title: String, pairs: Vec<Pair>, note: String) -> Compared {
    Compared { row: ROW, title, peer: Peer::Xmpp, pairs, rate: None, cpu: None, note }
}

/// The server.
pub(super) struct Ejabberd {
    family: Family,
    address: SocketAddr,
}

impl Ejabberd {
    fn start(package: &Debian, folder: &Path) -> Result<Ejabberd> {
        fs::create_dir(folder).with_context(|| format!("failed to make {}", folder.display()))?;
        let address = free_address()?;
        let settings = SETTINGS.replace("@PORT@", &address.port().to_string());
        write(&folder.join("ejabberd.yml"), &settings)?;
        let mut family = Family::start("ejabberd", &mut command(package, folder)?, folder)?;
        family.listens(address)?;
        Ok(Ejabberd { family, address })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The processor time that it has used so far, in seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        self.family.cpu_seconds()
    }

    /// Registers users. Source: XEP-0077.
    async fn register(&self, users: u32) -> Result<()> {
        for user in 0..users {
            let mut wire = Wire::connect(self.address).await?;
            wire.ask(STREAM, FEATURES).await?;
            let register = format!(
                "<iq type='set' id='register'><query xmlns='jabber:iq:register'><username>{}</username>\
                 <password>{PASSWORD}</password></query></iq>",
                user_id(user)
            );
            let answer = wire.ask(&register, ">").await?;
            ensure!(answer.contains("type='result'"), "a registration was answered with {answer}");
        }
        Ok(())
    }
}

/// It in the folder of its settings, as its own start script starts it, but for that script's user and paths.
fn command(package: &Debian, folder: &Path) -> Result<Command> {
    let binaries = package.named("usr/lib/erlang", "erts-")?.join("bin");
    let mut command = Command::new(binaries.join("erlexec"));
    command
        .env("ROOTDIR", package.path("usr/lib/erlang"))
        .env("BINDIR", &binaries)
        .env("EMU", "beam")
        .env("PROGNAME", "erl")
        .env("HOME", folder)
        .env("ERL_LIBS", package.libraries())
        .env("LD_LIBRARY_PATH", package.libraries())
        .env("EJABBERD_CONFIG_PATH", folder.join("ejabberd.yml"))
        .env("EJABBERD_LOG_PATH", folder.join("ejabberd.log"))
        // Whoever has nothing to do leaves the core to others: there are more programs than cores.
        .args(["-noinput", "+K", "true", "+P", "250000", "+sbwt", "none"])
        .args(["-mnesia", "dir", &format!("{:?}", folder.join("mnesia").display().to_string())])
        .args(["-s", "ejabberd"]);
    Ok(command)
}

/// The address of a user.
pub(super) fn jid(user: u32) -> String {
    format!("{}@{DOMAIN}", user_id(user))
}

/// Logs a user in; they have said nothing of their presence yet. Source: RFC 6120, sections 6 and 7; RFC 4616.
pub(super) async fn log_in(address: SocketAddr, user: u32) -> Result<Wire> {
    let mut wire = Wire::connect(address).await?;
    wire.ask(STREAM, FEATURES).await?;
    let secret = STANDARD.encode(format!("\0{}\0{PASSWORD}", user_id(user)));
    let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>");
    let answer = wire.ask(&auth, "urn:ietf:params:xml:ns:xmpp-sasl").await?;
    ensure!(answer.contains("<success"), "a user may not log in: {answer}");
    // What is left of the answer is nothing that anybody waits for.
    wire.ask(STREAM, FEATURES).await?;
    let bind = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                <resource>bench</resource></bind></iq>";
    let answer = wire.ask(bind, "</iq>").await?;
    ensure!(answer.contains("</jid>"), "a user may not bind a resource: {answer}");
    Ok(wire)
}

/// Has a user who has logged in say that they are there, and waits until that was taken: what comes after it on a
/// connection is answered after it.
pub(super) async fn appear(wire: &mut Wire) -> Result<()> {
    wire.ask("<presence/><iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>", "</iq>").await?;
    Ok(())
}
