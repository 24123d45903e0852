//! A peer and Porchlight under the same load, in turns.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use crate::client;
use crate::report::{Bound, Compared, Pair, Peer, Sample};
use crate::requests::Ask;
use crate::rows::Bench;
use crate::scale::Scale;
use crate::wrk::{Kind, Load, Wrk, start_of};

/// Connections that each comparison is made over.
const CONNECTIONS: [u32; 2] = [64, 256];

/// One of the two servers.
pub(super) struct Side<'s> {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    /// A load generator that speaks as this server is spoken to.
    pub(super) wrk: &'s Wrk,
    /// A file with a token for each user; `None`: an application asks for everybody.
    pub(super) tokens: Option<&'s Path>,
    /// One request of the load, to see how large an answer is.
    pub(super) ask: Ask,
    /// The processor time that all of its processes have used so far, in seconds.
    pub(super) cpu_seconds: &'s dyn Fn() -> Result<f64>,
}

/// What is compared.
pub(super) struct Turns {
    pub(super) row: &'static str,
    pub(super) peer: Peer,
    pub(super) title: String,
    pub(super) kind: Kind,
    /// How many users take turns.
    pub(super) users: u32,
    /// So many times the peer's requests per second should be Porchlight's.
    pub(super) times_min: Option<f64>,
}

impl Turns {
    /// Loads both in turns, over each number of connections.
    pub(super) fn take(
        &self,
        bench: &Bench,
        peer: &Side<'_>,
        porchlight: &Side<'_>,
    ) -> Result<Vec<Compared>> {
        CONNECTIONS.iter().map(|connections| self.take_over(bench, *connections, peer, porchlight)).collect()
    }

    fn take_over(
        &self,
        bench: &Bench,
        connections: u32,
        peer: &Side<'_>,
        porchlight: &Side<'_>,
    ) -> Result<Compared> {
        let load = |side: &Side<'_>, run: u32, seconds: u32| {
            let load = Load {
                kind: self.kind,
                connections,
                users: self.users,
                start: start_of(run),
                first: 0,
                tokens: side.tokens,
                seconds,
            };
            side.sample(bench, load).with_context(|| format!("{}, {}", side.name, self.title))
        };
        if bench.scale.warm_up {
            for side in [peer, porchlight] {
                load(side, 0, 1)?;
            }
        }
        let mut pairs = Vec::new();
        for run in 0..bench.scale.runs {
            let seconds = bench.scale.seconds;
            pairs.push(Pair { peer: load(peer, run, seconds)?, porchlight: load(porchlight, run, seconds)? });
        }
        let size = |side: &Side<'_>| bench.runtime.block_on(side.answer_bytes());
        Ok(Compared {
            row: self.row,
            title: format!("{}, {connections} connections", self.title),
            peer: self.peer,
            pairs,
            rate: self.times_min.map(Bound::AtLeast),
            cpu: None,
            note: format!("an answer has {} bytes, {}'s {}", size(porchlight)?, peer.name, size(peer)?),
        })
    }
}

/// Has both take turns at something that lasts so many seconds.
pub(super) async fn in_turns(
    scale: &Scale,
    mut theirs: impl AsyncFnMut(u32) -> Result<Sample>,
    mut ours: impl AsyncFnMut(u32) -> Result<Sample>,
) -> Result<Vec<Pair>> {
    if scale.warm_up {
        theirs(1).await?;
        ours(1).await?;
    }
    let mut pairs = Vec::new();
    for _ in 0..scale.runs {
        pairs.push(Pair { peer: theirs(scale.seconds).await?, porchlight: ours(scale.seconds).await? });
    }
    Ok(pairs)
}

impl Side<'_> {
    /// One run.
    fn sample(&self, bench: &Bench, load: Load<'_>) -> Result<Sample> {
        let expected = bench.runtime.block_on(self.answer_bytes())? as f64;
        self.wrk.sample(self.address, load, expected, self.cpu_seconds)
    }

    /// How many bytes an answer has on the wire.
    async fn answer_bytes(&self) -> Result<usize> {
        Ok(client::fetch(self.address, &self.ask).await?.wire_bytes())
    }
}
