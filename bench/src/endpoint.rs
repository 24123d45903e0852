//! Endpoints of webhooks, each on a port of its own, and the subscriptions that have them told.

use std::convert::Infallible;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
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
use tokio::task::spawn_local;
use tokio::time::Instant;
use uuid::Uuid;

use crate::client::Client;
use crate::requests::{Ask, HEADERS, user_id};
use crate::stopwatch;

/// How many subscriptions are one application's: it may have only so many.
const OF_ONE_APPLICATION: u32 = 100;

/// How long a subscription is good for, unless it is renewed.
const GOOD_FOR: Duration = Duration::from_secs(50 * 60);

/// One that listens.
pub(crate) struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
}

impl Endpoint {
    /// Listens at a port of its own.
    pub(crate) async fn open() -> Result<Endpoint> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("failed to listen")?;
        let address = listener.local_addr()?;
        Ok(Endpoint { listener, address })
    }

    /// Where.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Proves itself, and has notifications taken on this thread until it is dropped: their bodies, and when
    /// their requests were there. `None`: a notification is never answered.
    pub(crate) async fn serve(self, take: impl Fn(&[u8], Instant) -> Option<StatusCode> + 'static) {
        let take = Rc::new(take);
        while let Ok((stream, _)) = self.listener.accept().await {
            spawn_local(receive(stream, Rc::clone(&take)));
        }
    }
}

async fn receive(stream: TcpStream, take: Rc<impl Fn(&[u8], Instant) -> Option<StatusCode>>) {
    let service = service_fn(|request| answer(request, Rc::clone(&take)));
    // How a connection ends is the server's business.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(
    request: Request<Incoming>,
    take: Rc<impl Fn(&[u8], Instant) -> Option<StatusCode>>,
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
    let Some(status) = take(&body, at) else { return pending().await };
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = status;
    Ok(answer)
}

/// Has an endpoint told of a resource. Subscriptions are numbered from 0 on; applications share them by that.
pub(crate) async fn subscribe(
    client: &mut Client,
    number: u32,
    resource: &str,
    endpoint: SocketAddr,
) -> Result<Uuid> {
    let body = json!({
        "changeType": "updated",
        "notificationUrl": format!("http://{endpoint}/"),
        "resource": resource,
        "expirationDateTime": expiry()?,
    });
    let answer = client.send(&ask(Method::POST, "", number, &body)).await?;
    let subscription: Value = serde_json::from_slice(&answer.body)?;
    let id = subscription["id"].as_str().context("no subscription was answered")?;
    Ok(Uuid::parse_str(id)?)
}

/// Renews the subscription of this number.
pub(crate) async fn renew(client: &mut Client, number: u32, subscription: Uuid) -> Result<()> {
    let body = json!({ "expirationDateTime": expiry()? });
    client.send(&ask(Method::PATCH, &format!("/{subscription}"), number, &body)).await?;
    Ok(())
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

/// The id of the item that tells a subscription of a state: of the user and its sequence number, in the
/// subscription's namespace.
pub(crate) fn item_id(subscription: Uuid, user: u32, number: u64) -> Uuid {
    let user = Uuid::parse_str(&user_id(user)).expect("ids of users are GUIDs");
    Uuid::new_v5(&subscription, &[user.as_bytes().as_slice(), &number.to_be_bytes()].concat())
}
