//! The receivers of webhooks, and how the server gets to them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use porchlight_notify::{Dialer, Dialing, Line, Resolver, Resolving};
use porchlight_presence::{Timestamp, UserId};
use serde_json::Value;
use tokio::io::DuplexStream;
use uuid::Uuid;

use crate::chronicle::{Chronicle, Shown};
use crate::laws::Law;
use crate::link::Network;
use crate::time;
use crate::watches::{Number, Watches, take};

/// How long after its end a subscription may be told what was underway, or by a node that has not learned of its end.
const UNDERWAY: Duration = Duration::from_secs(60);

/// Every receiver.
pub(crate) struct Receivers {
    network: Arc<Network>,
    chronicle: Chronicle,
    watches: Watches,
    subscriptions: Mutex<Subscriptions>,
}

#[derive(Default)]
struct Subscriptions {
    /// Whose maker has been told that there is one.
    claimed: BTreeMap<Uuid, Number>,
    /// What came before that.
    unclaimed: BTreeMap<Uuid, BTreeMap<UserId, Shown>>,
    /// When its maker was told that there is none any more.
    ended: BTreeMap<Uuid, Duration>,
}

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    /// Taken, and its sender never learns of it.
    HangsUp,
    /// Answered with this status, perhaps after a while.
    Refused(StatusCode),
}

impl Receivers {
    /// Receivers that everybody can be told by.
    pub(crate) fn new(network: Arc<Network>, chronicle: Chronicle, watches: Watches) -> Arc<Receivers> {
        Arc::new(Receivers { network, chronicle, watches, subscriptions: Mutex::default() })
    }

    /// What comes for a subscription is what this watcher is told.
    pub(crate) fn claim(&self, subscription: Uuid, number: Number) {
        let mut subscriptions = self.subscriptions.lock();
        subscriptions.claimed.insert(subscription, number);
        for (user, shown) in subscriptions.unclaimed.remove(&subscription).unwrap_or_default() {
            self.watches.learns(number, user, shown);
        }
    }

    /// Whoever has made a subscription was told that it has ended.
    pub(crate) fn end(&self, subscription: Uuid) {
        let mut subscriptions = self.subscriptions.lock();
        subscriptions.ended.insert(subscription, time::elapsed());
        subscriptions.claimed.get(&subscription).inspect(|number| self.watches.leaves(**number));
    }

    /// Receives on one connection; `by` is whoever has made it.
    async fn receive(self: Arc<Receivers>, by: u64, stream: DuplexStream) {
        let service = service_fn(|request| {
            let receivers = Arc::clone(&self);
            async move { receivers.answer(by, request).await }
        });
        // How it ends is the sender's business.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, by: u64, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        if let Some(token) = request.uri().query().and_then(|query| query.split_once("validationToken=")) {
            let token = percent_decode_str(token.1).decode_utf8_lossy().into_owned();
            let answer = Response::builder().header(CONTENT_TYPE, "text/plain").body(Full::from(token));
            return answer.map_err(io::Error::other);
        }
        let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        self.chronicle.count(|counts| counts.deliveries += 1);
        let items: Vec<(Uuid, UserId, Shown)> = items(&body).unwrap_or_default();
        for (subscription, user, shown) in &items {
            self.sees(by, *subscription, *user, shown);
        }
        let fate = self.fate().await;
        self.chronicle.note(None, || format!("a webhook of {} items by {by}: {fate:?}", items.len()));
        let status = match fate {
            Fate::HangsUp => return Err(io::Error::other("the receiver hangs up")),
            Fate::Refused(status) => status,
            Fate::Taken => {
                for (subscription, user, shown) in items {
                    self.takes(subscription, user, shown);
                }
                StatusCode::ACCEPTED
            }
        };
        Response::builder().status(status).body(Full::default()).map_err(io::Error::other)
    }

    fn sees(&self, by: u64, subscription: Uuid, user: UserId, shown: &Shown) {
        let subscriptions = self.subscriptions.lock();
        let ended = subscriptions.ended.get(&subscription);
        if ended.is_some_and(|at| time::elapsed().saturating_sub(*at) > UNDERWAY) {
            let how = format!("{subscription} has ended, and is told {shown:?}");
            self.chronicle.breaks(Law::Answered, Some(user), how);
        }
        match subscriptions.claimed.get(&subscription) {
            Some(number) => self.watches.is_told(&self.chronicle, *number, by, user, shown),
            None => self.chronicle.is_seen(user, shown, Timestamp::ZERO, "a new subscriber"),
        }
    }

    fn takes(&self, subscription: Uuid, user: UserId, shown: Shown) {
        let mut subscriptions = self.subscriptions.lock();
        match subscriptions.claimed.get(&subscription) {
            Some(number) => self.watches.takes(*number, user, shown),
            None => take(subscriptions.unclaimed.entry(subscription).or_default(), user, shown),
        }
    }

    async fn fate(&self) -> Fate {
        if !self.network.is_stormy() {
            return Fate::Taken;
        }
        let mut dice = self.network.dice();
        if dice.one_in(12) {
            tokio::time::sleep(dice.millis(2_000, 12_000)).await;
        }
        match dice.below(16) {
            0 => Fate::HangsUp,
            1 => Fate::Refused(StatusCode::SERVICE_UNAVAILABLE),
            2 => Fate::Refused(StatusCode::TOO_MANY_REQUESTS),
            3 => Fate::Refused(StatusCode::INTERNAL_SERVER_ERROR),
            _ => Fate::Taken,
        }
    }
}

/// What a request tells: of which subscription, whose presence, and what it is.
fn items(body: &[u8]) -> Option<Vec<(Uuid, UserId, Shown)>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let item = |item: &Value| {
        let subscription = Uuid::parse_str(item["subscriptionId"].as_str()?).ok()?;
        let (user, shown) = Shown::read(&item["resourceData"])?;
        Some((subscription, user, shown))
    };
    Some(body["value"].as_array()?.iter().filter_map(item).collect())
}

/// The address of every receiver: they are told apart by nothing but their names.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1));

/// The names of receivers mean one address.
pub(crate) struct Names;

impl Resolver for Names {
    fn resolve(&self, _host: String, port: u16) -> Resolving {
        Box::pin(async move { Ok(vec![SocketAddr::new(ADDRESS, port)]) })
    }
}

/// A node's way to the receivers, in one of its lives.
pub(crate) struct Lines {
    pub(crate) receivers: Arc<Receivers>,
    /// The life of the node.
    pub(crate) life: u64,
}

impl Dialer for Lines {
    fn dial(&self, _address: SocketAddr) -> Dialing {
        let (receivers, life) = (Arc::clone(&self.receivers), self.life);
        Box::pin(async move {
            let network = &receivers.network;
            if network.is_stormy() && network.dice().one_in(20) {
                return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
            }
            let (ours, theirs) = network.connect(false);
            network.outside().spawn(Arc::clone(&receivers).receive(life, theirs));
            Ok(Box::new(ours) as Box<dyn Line>)
        })
    }
}
