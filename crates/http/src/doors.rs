//! The way in: where clients connect, and how many connections there may be.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::addresses::{Addresses, Guest};
use crate::api::Api;
use crate::instruments::OneMore;
use crate::tls::Tls;

/// Where clients connect.
pub struct Listener {
    /// The socket, which is bound already.
    pub socket: TcpListener,
    /// What TLS is spoken with; `None`: none is.
    pub tls: Option<Arc<Tls>>,
}

/// A connection that was accepted.
pub(crate) struct Accepted {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) peer: SocketAddr,
    /// What it is to speak TLS with.
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) place: Place,
}

/// A connection's place among those that may be open; given back when dropped.
pub(crate) struct Place {
    _among_all: OwnedSemaphorePermit,
    _of_address: Guest,
    _counted: OneMore,
}

/// Every listener of a server.
pub(crate) struct Doors {
    all: Vec<Door>,
    /// The door that is looked at first, so that none waits for ever behind one where many come.
    first: usize,
    /// Taken by all connections together. A semaphore, since one too many waits.
    places: Arc<Semaphore>,
    addresses: Addresses,
    api: Arc<Api>,
}

struct Door {
    listener: tokio::net::TcpListener,
    tls: Option<Arc<Tls>>,
}

impl Doors {
    /// Opens the doors; in a runtime.
    ///
    /// # Errors
    ///
    /// When a socket cannot be used.
    pub(crate) fn open(listeners: Vec<Listener>, api: Arc<Api>) -> io::Result<Doors> {
        let open = |Listener { socket, tls }: Listener| -> io::Result<Door> {
            Ok(Door { listener: tokio::net::TcpListener::from_std(socket)?, tls })
        };
        let limits = &api.settings().limits;
        Ok(Doors {
            all: listeners.into_iter().map(open).collect::<io::Result<_>>()?,
            first: 0,
            places: Arc::new(Semaphore::new(limits.connections_max)),
            addresses: Addresses::new(limits.connections_per_address),
            api,
        })
    }

    /// The next connection that has a place. One too many of an address is closed at once; one too many of all waits in
    /// the kernel's queue.
    pub(crate) async fn next(&mut self) -> Accepted {
        loop {
            let among_all = Arc::clone(&self.places).acquire_owned().await;
            let among_all = among_all.expect("nobody closes the semaphore");
            match self.knock().await {
                Ok((stream, peer, tls)) => {
                    let instruments = self.api.instruments();
                    let Some(of_address) = self.addresses.admit(peer.ip()) else {
                        instruments.refused_by_address();
                        continue;
                    };
                    let counted = instruments.connect();
                    let place = Place { _among_all: among_all, _of_address: of_address, _counted: counted };
                    return Accepted { stream, peer, tls, place };
                }
                Err(error) => {
                    // Out of file descriptors, most likely: others have to close before there is any point in going on.
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    /// Whoever comes next to any of the doors.
    async fn knock(&mut self) -> io::Result<(std::net::TcpStream, SocketAddr, Option<Arc<Tls>>)> {
        let (doors, first) = (&self.all, self.first);
        let (number, (stream, peer)) = std::future::poll_fn(|context| {
            for turn in 0..doors.len() {
                let number = (first + turn) % doors.len();
                if let Poll::Ready(accepted) = doors[number].listener.poll_accept(context) {
                    return Poll::Ready(accepted.map(|accepted| (number, accepted)));
                }
            }
            Poll::Pending
        })
        .await?;
        self.first = number + 1;
        Ok((stream.into_std()?, peer, self.all[number].tls.clone()))
    }
}
