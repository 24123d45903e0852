//! People who come, say that they are there, and go again: as many at a time as there are connections, again and again.
//!
//! With XMPP somebody connects, logs in, sends their presence and leaves. With Porchlight they connect, set a session,
//! clear it and leave; both are on disk before they are answered.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::spawn_local;
use tokio::time::Instant;

use crate::peers::turns::in_turns;
use crate::peers::wire::{Place, Wire};
use crate::peers::xmpp::{self, Ejabberd};
use crate::report::{Compared, Sample};
use crate::requests::{APPLICATION, AUTHORIZATION, ID, PRESENCE, SET_BODY, SET_PRESENCE, user_id};
use crate::scale::Scale;
use crate::server::Server;

/// How many come and go at a time.
const AT_ONCE: [u32; 2] = [64, 256];

/// How many users that takes, from the first on.
pub(super) const USERS: u32 = AT_ONCE[1];

/// Both in turns.
pub(super) async fn compare(
    scale: &Scale,
    ejabberd: &Ejabberd,
    porchlight: &Server,
) -> Result<Vec<Compared>> {
    let mut compared = Vec::new();
    for at_once in AT_ONCE {
        let theirs = async |seconds| {
            let place = Place::Ejabberd(ejabberd.address());
            come_and_go(place, at_once, seconds, || ejabberd.cpu_seconds()).await.context("ejabberd")
        };
        let ours = async |seconds| {
            let place = Place::Porchlight(porchlight.address());
            come_and_go(place, at_once, seconds, || porchlight.cpu_seconds()).await.context("porchlight")
        };
        let title = format!("people who come and go, {at_once} at a time");
        let note = "times are from connecting until the presence is taken".to_owned();
        compared.push(xmpp::compared(title, in_turns(scale, theirs, ours).await?, note));
    }
    Ok(compared)
}

/// One run.
async fn come_and_go(
    place: Place,
    at_once: u32,
    seconds: u32,
    cpu_seconds: impl Fn() -> Result<f64>,
) -> Result<Sample> {
    let (before, begun) = (cpu_seconds()?, Instant::now());
    let until = begun + Duration::from_secs(seconds.into());
    let came = Rc::<RefCell<Vec<f64>>>::default();
    let people: Vec<_> =
        (0..at_once).map(|user| spawn_local(again_and_again(place, user, until, Rc::clone(&came)))).collect();
    for person in people {
        person.await.context("somebody has died")??;
    }
    let (cpu, took) = (cpu_seconds()? - before, begun.elapsed().as_secs_f64());
    Ok(Sample::of(came.take(), took, cpu))
}

/// One person. Says how long it took each time until they were there, in milliseconds.
async fn again_and_again(place: Place, user: u32, until: Instant, came: Rc<RefCell<Vec<f64>>>) -> Result<()> {
    while Instant::now() < until {
        let begun = Instant::now();
        match place {
            Place::Porchlight(address) => {
                let mut wire = Wire::connect(address).await?;
                wire.request(&set(address, user)).await?;
                came.borrow_mut().push(begun.elapsed().as_secs_f64() * 1e3);
                wire.request(&clear(address, user)).await?;
                wire.closed().await?;
            }
            Place::Ejabberd(address) => {
                let mut wire = xmpp::log_in(address, user).await?;
                xmpp::appear(&mut wire).await?;
                came.borrow_mut().push(begun.elapsed().as_secs_f64() * 1e3);
                wire.say("<presence type='unavailable'/></stream:stream>").await?;
                wire.closed().await?;
            }
        }
    }
    Ok(())
}

/// Sets a session.
fn set(address: SocketAddr, user: u32) -> String {
    post(address, &SET_PRESENCE.replace(ID, &user_id(user)), "keep-alive", SET_BODY)
}

/// Clears it, and has the server close the connection.
fn clear(address: SocketAddr, user: u32) -> String {
    let path = format!("{}/clearPresence", PRESENCE.replace(ID, &user_id(user)));
    post(address, &path, "close", &format!(r#"{{"sessionId":"{APPLICATION}"}}"#))
}

/// A request as it stands on the wire.
pub(super) fn post(address: SocketAddr, path: &str, connection: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {AUTHORIZATION}\r\n\
         Connection: {connection}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
