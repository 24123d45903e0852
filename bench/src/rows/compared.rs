//! The rows with a peer: the same load to the bare server and to Porchlight, in turns.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bare;
use crate::client::{Answer, Client};
use crate::metrics::Metrics;
use crate::report::{Bound, Compared, Figure, Outcome, Pair, Peer, Sample};
use crate::requests::{Ask, BULK_IDS};
use crate::rows::Bench;
use crate::server::Server;
use crate::tokens::Tokens;
use crate::wrk::{Kind, Load, start_of};

/// One row.
pub(super) struct Comparison<'t> {
    pub(super) name: &'static str,
    pub(super) title: String,
    pub(super) kind: Kind,
    pub(super) connections: u32,
    /// How many users take turns.
    pub(super) users: u32,
    /// Their tokens, when they read their own presence; `None`: the demo application asks for everybody.
    pub(super) tokens: Option<&'t Tokens>,
    /// Porchlight's requests per second should be at least this share of the bare server's.
    pub(super) rate_min: Option<f64>,
    /// Its processor time per request should be at most this multiple.
    pub(super) cpu_max: Option<f64>,
}

/// One answer of each sort that a load calls for.
struct Answers {
    get: Option<Answer>,
    post: Option<Answer>,
}

impl Comparison<'_> {
    /// Starts Porchlight in dev mode, compares it, and stops it.
    pub(super) fn measure(&self, bench: &Bench) -> Result<Outcome> {
        let folder = bench.folder()?;
        let porchlight = bench.start_with_people(folder.path(), self.users)?;
        let outcome = self.compare(bench, folder.path(), &porchlight)?;
        porchlight.stop()?;
        Ok(outcome)
    }

    /// Starts a bare server, and lets it and a Porchlight that knows the users take turns. `folder` is for its files.
    pub(super) fn compare(&self, bench: &Bench, folder: &Path, porchlight: &Server) -> Result<Outcome> {
        let answers = bench.runtime.block_on(self.answers(porchlight.address()))?;
        answers.check(self.kind)?;

        let description = folder.join("answers.json");
        fs::write(&description, bare::describe(answers.get.as_ref(), answers.post.as_ref()).to_string())
            .with_context(|| format!("failed to write {}", description.display()))?;
        let bare = Server::bare(&description)?;
        let bare_answers = bench.runtime.block_on(self.answers(bare.address()))?;

        if bench.scale.warm_up {
            bench.wrk.run(bare.address(), Load { seconds: 1, ..self.load(bench, 0) })?;
            bench.wrk.run(porchlight.address(), Load { seconds: 1, ..self.load(bench, 0) })?;
        }
        let before = bench.runtime.block_on(Metrics::of(porchlight.address()))?;
        let mut pairs = Vec::new();
        for run in 0..bench.scale.runs {
            pairs.push(Pair {
                peer: self.sample(bench, &bare, &bare_answers, run).context("bare server")?,
                porchlight: self.sample(bench, porchlight, &answers, run).context("porchlight")?,
            });
        }
        let after = bench.runtime.block_on(Metrics::of(porchlight.address()))?;

        let compared = Compared {
            row: self.name,
            title: format!("{}, {} connections", self.title, self.connections),
            peer: Peer::Bare,
            pairs,
            rate: self.rate_min.map(Bound::AtLeast),
            cpu: self.cpu_max.map(Bound::AtMost),
            note: format!(
                "an answer has {} bytes, the bare server's {}",
                answers.sizes(),
                bare_answers.sizes()
            ),
        };
        let figures =
            if self.kind == Kind::Set { vec![self.appends_per_sync(&before, &after)?] } else { vec![] };
        Ok(Outcome { compared: vec![compared], figures })
    }

    /// Asks a server once for everything that the load will ask for.
    async fn answers(&self, address: SocketAddr) -> Result<Answers> {
        let read = match self.tokens {
            Some(tokens) => Ask::presence_with(tokens.of(0), 0),
            None => Ask::presence(0),
        };
        let mut client = Client::connect(address).await?;
        let get = match self.kind {
            Kind::Get | Kind::Mixed => Some(client.send(&read).await?),
            Kind::Bulk | Kind::Set => None,
        };
        let post = match self.kind {
            Kind::Get => None,
            Kind::Bulk => Some(client.send(&Ask::bulk()).await?),
            Kind::Set | Kind::Mixed => Some(client.send(&Ask::set_presence(0)).await?),
        };
        Ok(Answers { get, post })
    }

    fn load(&self, bench: &Bench, run: u32) -> Load<'_> {
        Load {
            kind: self.kind,
            connections: self.connections,
            users: self.users,
            first: 0,
            start: start_of(run),
            tokens: self.tokens.map(Tokens::file),
            seconds: bench.scale.seconds,
        }
    }

    /// One run against one server.
    fn sample(&self, bench: &Bench, server: &Server, answers: &Answers, run: u32) -> Result<Sample> {
        let (load, expected) = (self.load(bench, run), answers.mean_bytes(self.kind));
        bench.wrk.sample(server.address(), load, expected, || server.cpu_seconds())
    }

    fn appends_per_sync(&self, before: &Metrics, after: &Metrics) -> Result<Figure> {
        let since = |name| Ok::<f64, anyhow::Error>(after.value(name)? - before.value(name)?);
        let (appends, syncs) = (since("porchlight_log_appends_total")?, since("porchlight_log_syncs_total")?);
        ensure!(syncs > 0.0, "the log counts {appends} appends and no sync");
        let title = format!("appends per sync, {} connections", self.connections);
        Ok(Figure::new(self.name, title, appends / syncs, "")
            .note(format!("{appends:.0} appends in all runs")))
    }
}

impl Answers {
    /// Refuses answers that are not what was asked for: speed is no excuse.
    fn check(&self, kind: Kind) -> Result<()> {
        if let Some(get) = &self.get {
            let presence: Value = serde_json::from_slice(&get.body).context("a presence is not JSON")?;
            ensure!(presence["availability"] == "Available", "a user with a session is {presence}");
        }
        if let Some(post) = &self.post {
            if kind == Kind::Bulk {
                let found: Value = serde_json::from_slice(&post.body).context("presences are not JSON")?;
                let available = found["value"].as_array().map_or(0, |presences| {
                    presences.iter().filter(|presence| presence["availability"] == "Available").count()
                });
                ensure!(
                    available == BULK_IDS as usize,
                    "of {BULK_IDS} users with a session {available} are available"
                );
            } else {
                ensure!(
                    post.body.is_empty(),
                    "setPresence was answered with a body of {} bytes",
                    post.body.len()
                );
            }
        }
        Ok(())
    }

    /// The mean size of an answer under this load.
    fn mean_bytes(&self, kind: Kind) -> f64 {
        let bytes = |answer: Option<&Answer>| answer.map_or(0.0, |answer| answer.wire_bytes() as f64);
        let (get, post) = (bytes(self.get.as_ref()), bytes(self.post.as_ref()));
        match kind {
            Kind::Get => get,
            Kind::Bulk | Kind::Set => post,
            Kind::Mixed => 0.8 * get + 0.2 * post,
        }
    }

    /// Sizes for people, such as `401 + 312 in 9 headers`.
    fn sizes(&self) -> String {
        let sizes: Vec<String> = [&self.get, &self.post]
            .into_iter()
            .flatten()
            .map(|answer| {
                let body = answer.body.len();
                format!("{body} + {} in {} headers", answer.wire_bytes() - body, answer.headers.len())
            })
            .collect();
        sizes.join(" (GET) and ")
    }
}
