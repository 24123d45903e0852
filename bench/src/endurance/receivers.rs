//! Endpoints of webhooks, each on a port of its own, whose subscriptions watch a team; all of them on this
//! thread.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::Result;
use hyper::StatusCode;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::changes::{Changes, Delays};
use super::sighting::settle;
use super::team::Teams;
use crate::client::Client;
use crate::endpoint::{Endpoint, item_id, renew, subscribe};
use crate::requests::user_of;

/// Endpoints and their subscriptions.
pub(super) struct Receivers {
    server: SocketAddr,
    teams: Teams,
    changes: Changes,
    subscriptions: Vec<Uuid>,
    told: Rc<RefCell<Told>>,
    /// From when a change was due until its request began.
    pub(super) delays: Delays,
    /// They listen until this value goes.
    _endpoints: JoinSet<()>,
}

/// What they were told.
struct Told {
    delays: Delays,
    /// The ids of all items.
    items: HashSet<Uuid>,
}

impl Receivers {
    /// Listens at so many ports, and subscribes each to a team.
    pub(super) async fn open(
        server: SocketAddr,
        count: u32,
        teams: Teams,
        changes: Changes,
    ) -> Result<Receivers> {
        let delays = Delays::of(changes.clone());
        let told = Rc::new(RefCell::new(Told { delays: delays.clone(), items: HashSet::new() }));
        let mut client = Client::connect(server).await?;
        let (mut endpoints, mut subscriptions) = (JoinSet::new(), Vec::new());
        for number in 0..count {
            let endpoint = Endpoint::open().await?;
            let (address, told) = (endpoint.address(), Rc::clone(&told));
            endpoints.spawn_local(endpoint.serve(move |body, at| {
                told.borrow_mut().hear(body, at);
                Some(StatusCode::ACCEPTED)
            }));
            let resource = format!("/communications/presences?$filter={}", teams.filter(number));
            subscriptions.push(subscribe(&mut client, number, &resource, address).await?);
        }
        Ok(Receivers { server, teams, changes, subscriptions, told, delays, _endpoints: endpoints })
    }

    /// Renews all subscriptions.
    pub(super) async fn renew(&self) -> Result<()> {
        let mut client = Client::connect(self.server).await?;
        for (number, subscription) in (0..).zip(&self.subscriptions) {
            renew(&mut client, number, *subscription).await?;
        }
        Ok(())
    }

    /// Waits until each was told of the last state of everybody in its team who has changed; nobody may write
    /// any more.
    pub(super) async fn settle(&self) -> Result<()> {
        settle(self.server, self.teams.people, "a webhook", |numbers| Ok(self.untold(numbers))).await
    }

    /// How often one of them has not been told of somebody's last state.
    fn untold(&self, numbers: &[u64]) -> usize {
        let told = self.told.borrow();
        let of = |(number, subscription): (u32, &Uuid)| {
            let changed = self.teams.members(number).filter(|user| self.changes.has(*user));
            changed
                .filter(|user| !told.items.contains(&item_id(*subscription, *user, numbers[*user as usize])))
                .count()
        };
        (0..).zip(&self.subscriptions).map(of).sum()
    }
}

impl Told {
    /// Remembers what a notification says, and how long it took. What cannot be read is missed in the end.
    fn hear(&mut self, body: &[u8], at: Instant) {
        let notification: Value = serde_json::from_slice(body).unwrap_or_default();
        for item in notification["value"].as_array().into_iter().flatten() {
            let id = item["id"].as_str().and_then(|id| Uuid::parse_str(id).ok());
            let user = item["resourceData"]["id"].as_str().and_then(user_of);
            let (Some(id), Some(user)) = (id, user) else { continue };
            // Only what is told for the first time.
            if self.items.insert(id) {
                self.delays.note(user, at);
            }
        }
    }
}
