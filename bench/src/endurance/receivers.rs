//! Endpoints of webhooks, each on a port of its own, whose subscriptions watch a team; all of them on this
//! thread.

use std::cell::RefCell;
use std::collections::HashSet;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::changes::Changes;
use super::sighting;
use super::team::Teams;
use super::times::{Summary, Times};
use crate::client::Client;
use crate::requests::{Ask, HEADERS, user_id, user_of};
use crate::stopwatch;

/// How many subscriptions are one application's: it may have only so many.
const OF_ONE_APPLICATION: u32 = 100;

/// How long a subscription is good for, unless it is renewed.
const GOOD_FOR: Duration = Duration::from_secs(50 * 60);

/// How long they may take to be told everything, once nothing changes any more.
const TOLD_MAX: Duration = Duration::from_secs(120);

/// The time between two looks at who was told what.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Endpoints and their subscriptions.
pub(super) struct Receivers {
    server: SocketAddr,
    teams: Teams,
    changes: Changes,
    subscriptions: Vec<Uuid>,
    told: Rc<RefCell<Told>>,
    /// They listen until this value goes.
    _endpoints: JoinSet<()>,
}

/// What they were told.
struct Told {
    changes: Changes,
    /// From when a change was due until its request began.
    times: Times,
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
        let told = Told { changes: changes.clone(), times: Times::new(), items: HashSet::new() };
        let told = Rc::new(RefCell::new(told));
        let mut client = Client::connect(server).await?;
        let (mut endpoints, mut subscriptions) = (JoinSet::new(), Vec::new());
        for number in 0..count {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("failed to listen")?;
            let endpoint = listener.local_addr()?;
            endpoints.spawn_local(listen(listener, Rc::clone(&told)));
            subscriptions.push(subscribe(&mut client, number, teams, endpoint).await?);
        }
        Ok(Receivers { server, teams, changes, subscriptions, told, _endpoints: endpoints })
    }

    /// Forgets how long it took so far.
    pub(super) fn forget(&self) {
        self.told.borrow_mut().times = Times::new();
    }

    /// How long it took until they were told of changes.
    pub(super) fn all(&self) -> Summary {
        self.told.borrow().times.all()
    }

    /// The same, of the changes they were told of since the last look.
    pub(super) fn look(&self) -> Summary {
        self.told.borrow_mut().times.look()
    }

    /// Renews all subscriptions.
    pub(super) async fn renew(&self) -> Result<()> {
        let mut client = Client::connect(self.server).await?;
        for (number, subscription) in (0..).zip(&self.subscriptions) {
            let body = json!({ "expirationDateTime": expiry()? });
            client.send(&ask(Method::PATCH, &format!("/{subscription}"), number, &body)).await?;
        }
        Ok(())
    }

    /// Waits until each was told of the last state of everybody in its team who has changed; nobody may write
    /// any more.
    pub(super) async fn settle(&self) -> Result<()> {
        let waiting = Instant::now();
        loop {
            let numbers = sighting::numbers(self.server, self.teams.people).await?;
            let untold = self.untold(&numbers);
            if untold == 0 {
                return Ok(());
            }
            ensure!(
                waiting.elapsed() < TOLD_MAX,
                "{untold} times a webhook was not told of somebody's last state"
            );
            sleep(LOOK_EVERY).await;
        }
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

async fn listen(listener: TcpListener, told: Rc<RefCell<Told>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::task::spawn_local(receive(stream, Rc::clone(&told)));
    }
}

async fn receive(stream: TcpStream, told: Rc<RefCell<Told>>) {
    let service = service_fn(|request| answer(request, Rc::clone(&told)));
    // How a connection ends is the server's business.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

/// Proves itself, or takes a notification.
async fn answer(
    request: Request<Incoming>,
    told: Rc<RefCell<Told>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let at = Instant::now();
    let query = request.uri().query().unwrap_or_default();
    let token =
        query.strip_prefix("validationToken=").map(|token| token.replace("%20", " ").replace("%3A", ":"));
    if let Some(token) = token {
        let mut proof = Response::new(Full::new(token.into()));
        proof.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        return Ok(proof);
    }
    let body = request.into_body().collect().await.map(Collected::to_bytes).unwrap_or_default();
    told.borrow_mut().hear(&body, at);
    let mut taken = Response::new(Full::new(Bytes::new()));
    *taken.status_mut() = StatusCode::ACCEPTED;
    Ok(taken)
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
            if self.items.insert(id)
                && let Some(took) = self.changes.since(user, at)
            {
                self.times.note(took);
            }
        }
    }
}

/// Subscribes to a team.
async fn subscribe(client: &mut Client, number: u32, teams: Teams, endpoint: SocketAddr) -> Result<Uuid> {
    let body = json!({
        "changeType": "updated",
        "notificationUrl": format!("http://{endpoint}/"),
        "resource": format!("/communications/presences?$filter={}", teams.filter(number)),
        "expirationDateTime": expiry()?,
    });
    let answer = client.send(&ask(Method::POST, "", number, &body)).await?;
    let subscription: Value = serde_json::from_slice(&answer.body)?;
    let id = subscription["id"].as_str().context("no subscription was answered")?;
    Ok(Uuid::parse_str(id)?)
}

/// A request about the subscription of this number, by its application.
fn ask(method: Method, path: &str, number: u32, body: &Value) -> Ask {
    let token = format!("Bearer dev:{:08x}-0000-4000-8000-0000000000aa:", number / OF_ONE_APPLICATION + 1);
    Ask {
        method,
        path: format!("/v1.0/subscriptions{path}"),
        authorization: Some(token.into()),
        headers: &HEADERS,
        body: body.to_string().into(),
    }
}

/// When a subscription that is made or renewed now ends.
fn expiry() -> Result<String> {
    let at = stopwatch::wall().plus(GOOD_FOR);
    Ok(jiff::Timestamp::from_millisecond(at.as_millis())?.to_string())
}

/// The id of the item that tells a subscription of a state: of the user and its number, in the subscription's
/// namespace.
fn item_id(subscription: Uuid, user: u32, number: u64) -> Uuid {
    let user = Uuid::parse_str(&user_id(user)).expect("ids of users are GUIDs");
    Uuid::new_v5(&subscription, &[user.as_bytes().as_slice(), &number.to_be_bytes()].concat())
}
