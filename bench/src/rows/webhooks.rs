//! Many webhooks, some of which hang or fail: how soon the others are told.
//!
//! Every subscription has an endpoint of its own, on a port of its own, and watches one person. The receivers run in
//! this process and on the same cores as the server.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::StatusCode;
use serde_json::Value;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::streams::key;
use crate::client::Client;
use crate::endpoint::{Endpoint, item_id, subscribe};
use crate::report::{Bound, Figure, Outcome};
use crate::requests::{Ask, user_id};
use crate::rows::Bench;
use crate::server::Server;
use crate::spread::{percentile, sorted};

const ROW: &str = "webhooks";

/// Connections that the changes come over: one alone would wait for the disk too often.
const WRITERS: u32 = 32;

/// How often everybody changes in ten seconds: of 1,000 people the 800 whose endpoints answer are told 2,000 times a
/// second.
const CHANGES_IN_TEN_SECONDS: u32 = 25;

/// How long deliveries that are outstanding at the end may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What an endpoint does with notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Good,
    Hanging,
    Failing,
}

impl Manner {
    /// One in ten hangs, another one fails.
    fn of(index: u32) -> Manner {
        match index % 10 {
            3 => Manner::Hanging,
            7 => Manner::Failing,
            _ => Manner::Good,
        }
    }

    /// Takes a notification, and answers it or not.
    fn take(self, body: &[u8], at: Instant, told: &Told) -> Option<StatusCode> {
        match self {
            Manner::Good => {
                let items = serde_json::from_slice::<Value>(body).unwrap_or_default();
                for item in items["value"].as_array().into_iter().flatten() {
                    if let Some(id) = item["id"].as_str().and_then(|id| Uuid::parse_str(id).ok()) {
                        told.borrow_mut().entry(id).or_insert(at);
                    }
                }
                Some(StatusCode::ACCEPTED)
            }
            Manner::Hanging => None,
            Manner::Failing => Some(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// When which item came to an endpoint: when the request was there, before its body was read.
type Told = Rc<RefCell<HashMap<Uuid, Instant>>>;

/// Subscribes, makes changes, and stops the server.
pub(super) fn measure(bench: &Bench) -> Result<Outcome> {
    let (subscriptions, seconds) = (bench.scale.subscriptions, bench.scale.seconds * 2);
    let folder = bench.folder()?;
    let server = bench.start_with_people(folder.path(), subscriptions)?;
    let found = LocalSet::new().block_on(&bench.runtime, tell(&server, subscriptions, seconds))?;
    server.stop()?;

    let figure = |title: &str, value, unit| Figure::new(ROW, title, value, unit);
    let told = |share: &str, of| {
        figure(&format!("write sent to webhook begun, {share}"), percentile(&found.millis, of), "ms")
    };
    let rate_min = f64::from(subscriptions * CHANGES_IN_TEN_SECONDS) / 10.0 * 0.99;
    let figures = vec![
        figure("memory per subscription", found.memory as f64 / f64::from(subscriptions), "B")
            .note("with the connection over which its endpoint has proved itself"),
        figure("changes per second", found.per_second, "")
            .target(Bound::AtLeast(rate_min))
            .note(format!("server CPU {:.0} µs each", found.cpu_micros)),
        told("p50", 0.5).note(format!("of {subscriptions} endpoints a tenth hang and a tenth answer 500")),
        told("p99", 0.99).target(Bound::AtMost(25.0)),
        told("slowest", 1.0),
    ];
    Ok(Outcome { compared: vec![], figures })
}

struct Found {
    /// Of all subscriptions, before anything is told.
    memory: u64,
    per_second: f64,
    cpu_micros: f64,
    /// From write to webhook, in increasing order.
    millis: Vec<f64>,
}

async fn tell(server: &Server, subscriptions: u32, seconds: u32) -> Result<Found> {
    let told = Told::default();
    let mut ids = Vec::new();
    let empty = server.settled_memory()?;
    let mut client = Client::connect(server.address()).await?;
    for index in 0..subscriptions {
        let endpoint = Endpoint::open().await?;
        let (address, manner, told) = (endpoint.address(), Manner::of(index), Rc::clone(&told));
        tokio::task::spawn_local(endpoint.serve(move |body, at| manner.take(body, at, &told)));
        let resource = format!("/communications/presences/{}", user_id(index));
        ids.push(subscribe(&mut client, index, &resource, address).await?);
    }
    let memory = server.settled_memory()?.saturating_sub(empty);
    let (cpu, begun) = (server.cpu_seconds()?, Instant::now());
    let changes = subscriptions * seconds * CHANGES_IN_TEN_SECONDS / 10;
    let mut writers = Vec::new();
    for first in 0..WRITERS {
        let numbers = (first..changes).step_by(WRITERS as usize);
        let writer = write(server.address(), begun, numbers, ids.clone());
        writers.push(tokio::task::spawn_local(writer));
    }
    let mut written = Vec::new();
    for writer in writers {
        written.extend(writer.await??);
    }
    written.sort_unstable_by_key(|change| (change.index, change.number));
    let took = begun.elapsed().as_secs_f64();
    let end = Instant::now() + PATIENCE;
    let millis = loop {
        if let Some(millis) = millis(&written, &told.borrow()) {
            break millis;
        }
        ensure!(Instant::now() < end, "not every change was told");
        sleep(Duration::from_millis(50)).await;
    };
    let cpu = server.cpu_seconds()? - cpu;
    Ok(Found {
        memory,
        per_second: f64::from(changes) / took,
        cpu_micros: cpu * 1e6 / f64::from(changes),
        millis: sorted(millis),
    })
}

/// One change of a person whose endpoint is good.
struct Change {
    index: u32,
    number: u32,
    /// The item that tells of it.
    item: Uuid,
    sent: Instant,
}

/// How long after they were sent the endpoints were told of all changes, in milliseconds; `None` while one of them
/// was not. `changes` of one person follow each other: a later one tells of those before it, too.
fn millis(changes: &[Change], told: &HashMap<Uuid, Instant>) -> Option<Vec<f64>> {
    let mut later: Option<(u32, Instant)> = None;
    let mut millis = Vec::with_capacity(changes.len());
    for change in changes.iter().rev() {
        let by_later = later.filter(|(index, _)| *index == change.index).map(|(_, at)| at);
        let at = told.get(&change.item).copied().or(by_later)?;
        millis.push(at.saturating_duration_since(change.sent).as_secs_f64() * 1e3);
        later = Some((change.index, at));
    }
    Some(millis)
}

/// Changes people at the rate of all writers together. Says which items have to come.
async fn write(
    address: SocketAddr,
    begun: Instant,
    numbers: impl Iterator<Item = u32>,
    subscriptions: Vec<Uuid>,
) -> Result<Vec<Change>> {
    let mut client = Client::connect(address).await?;
    let count = subscriptions.len() as u32;
    let every = Duration::from_secs(10) / (count * CHANGES_IN_TEN_SECONDS);
    let mut written = Vec::new();
    for number in numbers {
        sleep_until(begun + every * number).await;
        let (index, round) = (number % count, number / count);
        let sent = Instant::now();
        let answer = client.send(&Ask::patch(index, round.is_multiple_of(2))).await?;
        if Manner::of(index) == Manner::Good {
            let (user, stamp) = key(&answer.body).context("no presence was answered")?;
            let item = item_id(subscriptions[index as usize], user, stamp);
            written.push(Change { index, number, item, sent });
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_of_by_a_later_one_of_the_same_person() {
        let begun = Instant::now();
        let at = |millis: u64| begun + Duration::from_millis(millis);
        let change = |index: u32, number: u32, sent: u64| {
            let item = Uuid::from_u64_pair(index.into(), number.into());
            Change { index, number, item, sent: at(sent) }
        };
        let changes = [change(1, 0, 0), change(1, 9, 10), change(2, 1, 0)];
        let mut told = HashMap::from([(changes[1].item, at(12))]);
        assert_eq!(millis(&changes, &told), None, "the second person was not told of");
        told.insert(changes[2].item, at(5));
        assert_eq!(millis(&changes, &told), Some(vec![5.0, 2.0, 12.0]));
    }
}
