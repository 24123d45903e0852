//! Beside what one would take instead of Porchlight: the same job, done by programs from their packages.
//!
//! Each is set up as its documentation sets it up for production, on the same machine, and takes turns with Porchlight
//! under the same load. Their own sources and settings are in `bench/peers`.

mod churn;
mod fanout;
mod fastify;
mod install;
mod process;
mod synapse;
mod turns;
mod wire;
mod xmpp;

use anyhow::Result;
use clap::ValueEnum;

use crate::report::Outcome;
use crate::rows::Bench;

/// A peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// A program on Node.js with Fastify, over Redis: setPresence, GET of one presence, 650 ids in one call.
    Fastify,
    /// Matrix's homeserver, over PostgreSQL: PUT and GET of a presence.
    Synapse,
    /// ejabberd, a server of XMPP: sessions that come and go, and those who watch somebody.
    Xmpp,
}

impl Row {
    /// All of them.
    pub(crate) fn all() -> Vec<Row> {
        Row::value_variants().to_vec()
    }

    /// Its name on the command line and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Row::Fastify => fastify::ROW,
            Row::Synapse => synapse::ROW,
            Row::Xmpp => xmpp::ROW,
        }
    }

    /// What it is about.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Row::Fastify => "beside Fastify with Redis",
            Row::Synapse => "beside Synapse",
            Row::Xmpp => "beside ejabberd",
        }
    }

    /// Installs the peer, if it is missing, starts it, has both take turns, and stops it. Takes minutes.
    pub(crate) fn measure(self, bench: &Bench) -> Result<Outcome> {
        match self {
            Row::Fastify => fastify::measure(bench),
            Row::Synapse => synapse::measure(bench),
            Row::Xmpp => xmpp::measure(bench),
        }
    }
}
