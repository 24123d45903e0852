//! Those whom a server tells of changes, by streams and by webhooks.

use std::net::SocketAddr;

use anyhow::Result;

use super::changes::Changes;
use super::receivers::Receivers;
use super::team::Teams;
use super::watchers::Watchers;

/// How many people each of them follows.
pub(super) const TEAM: u32 = 50;

/// All of them.
pub(super) struct Audience {
    pub(super) watchers: Watchers,
    pub(super) receivers: Receivers,
    /// For whoever makes changes, if it is to be known how soon these are told.
    pub(super) changes: Changes,
}

impl Audience {
    /// Has so many of each kind follow a team of so many people.
    pub(super) async fn gather(
        server: SocketAddr,
        people: u32,
        streams: u32,
        webhooks: u32,
    ) -> Result<Audience> {
        let (teams, changes) = (Teams { size: TEAM, people }, Changes::none(people));
        let receivers = Receivers::open(server, webhooks, teams, changes.clone()).await?;
        let watchers = Watchers::open(server, streams, teams, changes.clone()).await?;
        Ok(Audience { watchers, receivers, changes })
    }

    /// Waits until all were told of everybody's last state; nobody may write any more.
    pub(super) async fn settle(&mut self) -> Result<()> {
        self.watchers.settle().await?;
        self.receivers.settle().await
    }
}
