//! Beside Prosody, a server of XMPP: `bench/peers/xmpp`.
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
use crate::report::Outcome;
use crate::requests::user_id;
use crate::rows::Bench;
use crate::rows::compared::write_people;

/// Its name on the command line and in JSON.
pub(super) const ROW: &str = "xmpp";

const SETTINGS: &str = include_str!("../../peers/xmpp/prosody.cfg.lua");

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
    let package = Debian::find("prosody", "usr/lib/prosody")?;
    let folder = bench.folder()?;
    let users = churn::USERS + fanout::USERS;
    let (data, seed) = write_people(bench, folder.path(), users)?;
    let porchlight = bench.start(&data, Some(&seed))?;
    bench.runtime.block_on(porchlight.restored(users))?;
    let prosody = Prosody::start(&package, &folder.path().join("prosody"))?;
    let compared = LocalSet::new().block_on(&bench.runtime, async {
        prosody.register(users).await?;
        let mut compared = churn::compare(&bench.scale, &prosody, &porchlight).await?;
        compared.extend(fanout::compare(&bench.scale, &prosody, &porchlight).await?);
        Ok::<_, anyhow::Error>(compared)
    })?;
    drop(prosody);
    porchlight.stop()?;
    Ok(Outcome { compared, figures: vec![] })
}

/// The server.
pub(super) struct Prosody {
    family: Family,
    address: SocketAddr,
}

impl Prosody {
    fn start(package: &Debian, folder: &Path) -> Result<Prosody> {
        fs::create_dir(folder).with_context(|| format!("failed to make {}", folder.display()))?;
        let address = free_address()?;
        let settings = SETTINGS.replace("@PORT@", &address.port().to_string());
        write(&folder.join("prosody.cfg.lua"), &settings)?;
        let mut family = Family::start("prosody", &mut command(package), folder)?;
        family.listens(address)?;
        Ok(Prosody { family, address })
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

/// Prosody in the folder of its settings. Where its package was unpacked it finds nothing by itself.
fn command(package: &Debian) -> Command {
    let mut command = Command::new(package.path("usr/bin/lua5.4"));
    let share = package.path("usr/share/lua/5.4").display().to_string();
    let library = package.libraries().join("lua/5.4").display().to_string();
    command
        .arg(package.path("usr/bin/prosody"))
        .args(["--config", "prosody.cfg.lua", "-F"])
        .env("LD_LIBRARY_PATH", package.libraries())
        .env("LUA_PATH", format!("{share}/?.lua;{share}/?/init.lua;;"))
        .env("LUA_CPATH", format!("{library}/?.so;;"))
        .env("PROSODY_SRCDIR", package.path("usr/lib/prosody"))
        .env("PROSODY_PLUGINDIR", package.path("usr/lib/prosody/modules"));
    command
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
