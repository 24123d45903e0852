//! Sockets: one listener, and one current-thread runtime per core that serves connections.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::api::Api;
use crate::connection::Connection;
use crate::reply::Sent;
use crate::socket::Socket;
use crate::ticks::{ConnectionTimer, Ticks};

/// The largest request head that is parsed at all. More than the documented limit, so that what is a little too large
/// gets a proper answer, and so that a filter of 650 ids fits into a request line.
const HEAD_BYTES: usize = 128 * 1024;

/// Requests of one HTTP/2 connection that are answered at the same time.
const STREAMS: u32 = 256;

/// A running server.
pub struct Server {
    address: SocketAddr,
    api: Arc<Api>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Serves `api` on `listener` with this many threads.
    ///
    /// # Errors
    ///
    /// When the listener cannot be used, or a thread cannot be started.
    pub fn start(listener: TcpListener, api: &Arc<Api>, threads: usize) -> io::Result<Server> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let stopping = api.stopping();
        let mut handles = Vec::new();
        let mut workers = Vec::new();
        for number in 0..threads.max(1) {
            // As many as a listener queues: a worker takes a connection within microseconds.
            let (sender, receiver) = mpsc::channel(128);
            let (api, stopping) = (Arc::clone(api), stopping.clone());
            let name = format!("http-{number}");
            handles.push(spawn(name, move || work(api, receiver, stopping))?);
            workers.push(sender);
        }
        let connections = api.settings().limits.connections_max;
        handles
            .push(spawn("http-accept".to_owned(), move || accept(listener, workers, connections, stopping))?);
        Ok(Server { address, api: Arc::clone(api), threads: handles })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, lets requests finish, and returns when all have or the workers' deadline has passed.
    pub fn stop(mut self) {
        self.api.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that serves requests panicked");
            }
        }
    }
}

/// How long requests may take to finish once the server stops.
const FINISH: Duration = Duration::from_secs(8);

/// A connection that was accepted, and its place among those that may be open.
type Accepted = (std::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

thread_local! {
    /// Requests that have come to this thread since it last had nothing to do.
    static TURN: Cell<usize> = const { Cell::new(0) };
}

/// A turn of at least this many requests means load.
const LOAD: usize = 4;

/// Before a thread under load goes to sleep it lets others run: what they have for it by then is taken up without a
/// sleep and a waking, of which every request would have its own otherwise. A thread that is asked now and then
/// sleeps at once, and is woken at once.
fn yield_under_load() {
    if TURN.take() >= LOAD {
        std::thread::yield_now();
    }
}

/// A thread with a runtime of its own, on which `run` makes the future.
fn spawn<F: Future<Output = ()>>(
    name: String,
    run: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(yield_under_load)
        .build()?;
    std::thread::Builder::new().name(name).spawn(move || runtime.block_on(run()))
}

/// Hands connections out evenly.
async fn accept(
    listener: TcpListener,
    workers: Vec<mpsc::Sender<Accepted>>,
    connections_max: usize,
    mut stopping: watch::Receiver<bool>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(connections_max));
    for worker in workers.iter().cycle() {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
            Ok((stream, peer)) => {
                if worker.send((stream, peer, place)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: others have to close before there is any point in going on.
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Serves the connections that it is handed until the server stops.
async fn work(api: Arc<Api>, mut connections: mpsc::Receiver<Accepted>, mut stopping: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let ticks = Arc::new(Ticks::new(api.settings().limits.header_timeout));
    tokio::spawn({
        let ticks = Arc::clone(&ticks);
        async move { ticks.run().await }
    });
    loop {
        let (stream, peer, place) = tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => break,
            connection = connections.recv() => match connection {
                Some(connection) => connection,
                None => break,
            },
        };
        let Ok(stream) = stream.set_nodelay(true).and_then(|()| TcpStream::from_std(stream)) else {
            continue;
        };
        let (api, watcher, timer) = (Arc::clone(&api), graceful.watcher(), ConnectionTimer::new(&ticks));
        let mut stopping = stopping.clone();
        tokio::spawn(async move {
            let version = tokio::select! {
                biased;
                version = tokio::time::timeout(api.settings().limits.header_timeout, version(&stream)) => version,
                // Nothing has come from this client, so nothing is owed to it.
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            if let Ok(Ok(version)) = version {
                serve(&api, stream, version, peer, watcher, timer).await;
            }
            drop(place);
        });
    }
    if tokio::time::timeout(FINISH, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

/// Serves one connection to its end. How that comes is its client's business.
async fn serve(
    api: &Arc<Api>,
    stream: TcpStream,
    version: Version,
    peer: SocketAddr,
    watcher: Watcher,
    timer: ConnectionTimer,
) {
    let (socket, connection) = (Socket::new(stream), Connection::from(peer.ip()));
    match version {
        Version::One => {
            let limits = &api.settings().limits;
            let mut builder = http1::Builder::new();
            builder.timer(timer).header_read_timeout(limits.header_timeout).max_buf_size(HEAD_BYTES);
            let service = service_fn(async |request| answer(api, request, &connection).await);
            let _ = watcher.watch(builder.serve_connection(socket, service)).await;
        }
        Version::Two => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
                .max_concurrent_streams(STREAMS)
                .keep_alive_interval(Duration::from_secs(30));
            // Its streams are tasks of their own, which the connection may not outlive.
            let connection = Arc::new(connection);
            let service = service_fn(|request| {
                let (api, connection) = (Arc::clone(api), Arc::clone(&connection));
                async move { answer(&api, request, &connection).await }
            });
            let _ = watcher.watch(builder.serve_connection(socket, service)).await;
        }
    }
}

async fn answer(
    api: &Api,
    request: Request<Incoming>,
    connection: &Connection,
) -> Result<Response<Sent>, Infallible> {
    TURN.set(TURN.get() + 1);
    Ok(api.answer(request, connection).await)
}

enum Version {
    One,
    Two,
}

/// What a connection begins with: HTTP/2's preface or anything else. It stays unread.
async fn version(stream: &TcpStream) -> io::Result<Version> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut seen = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 || !PREFACE.starts_with(&seen[..count]) {
            return Ok(Version::One);
        }
        if count == PREFACE.len() {
            return Ok(Version::Two);
        }
        if stream.ready(Interest::READABLE).await?.is_read_closed() {
            return Ok(Version::One);
        }
        // A part of the preface: whoever sends it in pieces can wait until the rest has arrived.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
