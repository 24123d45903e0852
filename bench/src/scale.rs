//! How much is measured: in full, or quickly.

use std::time::Duration;

/// The sizes of everything. Numbers of users are powers of ten times a small number: the load script relies on it.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    /// Too small for figures to quote.
    pub(crate) quick: bool,
    /// Interleaved runs of a row that has a peer.
    pub(crate) runs: u32,
    /// How long each of them lasts, in whole seconds: the load generator knows no others.
    pub(crate) seconds: u32,
    /// Whether both servers get a second of load before the first run.
    pub(crate) warm_up: bool,
    /// Users behind the rows that have a peer.
    pub(crate) users: u32,
    /// Users who ask with a token of their own.
    pub(crate) tokens: u32,
    /// Users on disk behind the rows about memory, start-up and fades.
    pub(crate) crowd: u32,
    /// How often the server is started for the start-up row.
    pub(crate) starts: u32,
    /// Over how long the crowd's fades are spread.
    pub(crate) fades_over: Duration,
    /// Streams that are open at once.
    pub(crate) streams: u32,
    /// Subscriptions with an endpoint each.
    pub(crate) subscriptions: u32,
    /// How long before the first of those fades the server is started.
    pub(crate) fades_lead: Duration,
    /// Writes on one node of a cluster that are looked for on another.
    pub(crate) propagations: u32,
    /// Users in NATS behind the row about a cluster's growth.
    pub(crate) members: u32,
    /// How often one in a hundred of them is written again, all together.
    pub(crate) overwrites: u64,
    /// Sessions over three tenants in different cells.
    pub(crate) sessions: u32,
}

impl Scale {
    /// A million users, long runs.
    pub(crate) fn full(runs: Option<u32>) -> Scale {
        Scale {
            quick: false,
            runs: runs.unwrap_or(7),
            seconds: 5,
            warm_up: true,
            users: 100_000,
            tokens: 10_000,
            crowd: 1_000_000,
            starts: 3,
            streams: 5_000,
            subscriptions: 1_000,
            fades_over: Duration::from_secs(60),
            fades_lead: Duration::from_secs(8),
            propagations: 2_000,
            members: 1_000_000,
            overwrites: 20_000_000,
            sessions: 2_000_000,
        }
    }

    /// Everything in about three minutes. The fades come as thick as in full, for a tenth of the time.
    pub(crate) fn quick(runs: Option<u32>) -> Scale {
        Scale {
            quick: true,
            runs: runs.unwrap_or(2),
            seconds: 1,
            warm_up: false,
            users: 20_000,
            tokens: 1_000,
            crowd: 100_000,
            starts: 1,
            streams: 500,
            subscriptions: 100,
            fades_over: Duration::from_secs(6),
            fades_lead: Duration::from_secs(3),
            propagations: 200,
            members: 20_000,
            overwrites: 400_000,
            sessions: 20_000,
        }
    }
}
