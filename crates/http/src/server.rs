//! Threads: one that accepts, and one current-thread runtime per core that serves connections.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Timer;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_rustls::server::TlsStream;

use crate::api::Api;
use crate::body::Body;
use crate::connection::Connection;
use crate::doors::{Accepted, Doors, Listener, Place};
use crate::portions::{InPortions, next_request};
use crate::reply::Sent;
use crate::socket::Socket;
use crate::ticks::{ConnectionTimer, Ticks};
use crate::tls::{HTTP_2, Tls};

/// The largest request head that is parsed at all. More than the documented limit, so that what is a little too large
/// gets a proper answer, and so that a filter of 650 ids fits into a request line.
const HEAD_BYTES: usize = 64 * 1024;

/// Connections that may wait at one listener to be accepted; the kernel may be set to less (`net.core.somaxconn`). The
/// usual 128 are too few for a crowd that comes at once: whoever finds no room tries again after a second.
const QUEUED: i32 = 4096;

/// Requests of one HTTP/2 connection that are answered at the same time.
const STREAMS: u32 = 256;

/// What HTTP/2 begins with. Source: RFC 9113, 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A running server.
pub struct Server {
    addresses: Vec<SocketAddr>,
    api: Arc<Api>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Serves `api` on these listeners with this many threads.
    ///
    /// # Errors
    ///
    /// When a listener cannot be used, or a thread cannot be started.
    pub fn start(listeners: Vec<Listener>, api: &Arc<Api>, threads: usize) -> io::Result<Server> {
        let mut addresses = Vec::new();
        for listener in &listeners {
            listener.socket.set_nonblocking(true)?;
            // It listens already; this makes more room.
            rustix::net::listen(&listener.socket, QUEUED)?;
            addresses.push(listener.socket.local_addr()?);
        }
        let mut handles = Vec::new();
        let mut workers = Vec::new();
        for number in 0..threads.max(1) {
            // A worker takes a connection within microseconds; while it does not, the others wait at the listener.
            let (sender, receiver) = mpsc::channel(128);
            let (api, stopping) = (Arc::clone(api), api.stopping());
            let name = format!("http-{number}");
            handles.push(spawn(name, move || work(api, receiver, stopping))?);
            workers.push(sender);
        }
        let accepting = (Arc::clone(api), api.stopping());
        handles.push(spawn("http-accept".to_owned(), move || {
            let (api, stopping) = accepting;
            accept(listeners, api, workers, stopping)
        })?);
        Ok(Server { addresses, api: Arc::clone(api), threads: handles })
    }

    /// The addresses that it listens on, in the order of its listeners.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
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
    listeners: Vec<Listener>,
    api: Arc<Api>,
    workers: Vec<mpsc::Sender<Accepted>>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut doors = match Doors::open(listeners, api) {
        Ok(doors) => doors,
        Err(error) => {
            tracing::error!(%error, "failed to listen");
            return;
        }
    };
    for worker in workers.iter().cycle() {
        let accepted = tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            accepted = doors.next() => accepted,
        };
        if worker.send(accepted).await.is_err() {
            return;
        }
    }
}

/// What serving one connection takes, besides its socket.
struct Visit<T = ConnectionTimer, P = Place> {
    api: Arc<Api>,
    peer: SocketAddr,
    watcher: Watcher,
    timer: T,
    stopping: watch::Receiver<bool>,
    /// Kept until the connection has ended.
    place: P,
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
        let Accepted { stream, peer, tls, place } = tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => break,
            connection = connections.recv() => match connection {
                Some(connection) => connection,
                None => break,
            },
        };
        let Ok(stream) = prepare(stream, api.settings().limits.answer_timeout) else { continue };
        let visit = Visit {
            api: Arc::clone(&api),
            peer,
            watcher: graceful.watcher(),
            timer: ConnectionTimer::new(&ticks),
            stopping: stopping.clone(),
            place,
        };
        // Apart, since a task is as large as the largest that it may become.
        match tls {
            None => tokio::spawn(serve_plain(visit, stream)),
            Some(tls) => tokio::spawn(serve_secure(visit, stream, tls)),
        };
    }
    if tokio::time::timeout(FINISH, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

/// Makes an accepted socket one that this thread serves.
///
/// The kernel keeps count of how long a client takes nothing: we would not see a little of what it takes, since we are
/// woken only when a third of the socket's buffer is free. It ends the connection, and the next write says so.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "Linux alone counts that"))]
fn prepare(stream: std::net::TcpStream, answer_timeout: Duration) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    {
        // The kernel takes no more, and 0 for no limit.
        let millis = answer_timeout.as_millis().clamp(1, i32::MAX as u128) as u32;
        rustix::net::sockopt::set_tcp_user_timeout(&stream, millis)?;
    }
    TcpStream::from_std(stream)
}

/// Serves one connection without TLS to its end. How that comes is its client's business.
async fn serve_plain(mut visit: Visit, stream: TcpStream) {
    let patience = visit.api.settings().limits.header_timeout;
    let version = tokio::select! {
        biased;
        version = tokio::time::timeout(patience, version(&stream)) => version,
        // Nothing has come from this client, so nothing is owed to it.
        _ = visit.stopping.wait_for(|stop| *stop) => return,
    };
    let connection = Connection::new(visit.peer.ip(), false);
    match version {
        Ok(Ok(Version::One)) => serve_http_1(visit, connection, stream).await,
        Ok(Ok(Version::Two)) => serve_http_2(visit, connection, stream).await,
        Ok(Err(_)) | Err(_) => {}
    }
}

/// Serves one connection over TLS to its end.
async fn serve_secure(mut visit: Visit, stream: TcpStream, tls: Arc<Tls>) {
    let patience = visit.api.settings().limits.header_timeout;
    let shaken = tokio::select! {
        biased;
        shaken = tokio::time::timeout(patience, shake_hands(&tls, stream)) => shaken,
        // No request has come from this client, so nothing is owed to it.
        _ = visit.stopping.wait_for(|stop| *stop) => return,
    };
    let connection = Connection::new(visit.peer.ip(), true);
    match shaken {
        Ok(Ok((Version::One, stream))) => serve_http_1(visit, connection, stream).await,
        Ok(Ok((Version::Two, stream))) => {
            // The preface was read in order to wait for it no longer than for anything else; hyper wants it too.
            let (reader, writer) = tokio::io::split(stream);
            let stream = tokio::io::join(PREFACE.chain(reader), writer);
            serve_http_2(visit, connection, stream).await;
        }
        Ok(Err(error)) => tracing::debug!(peer = %visit.peer, %error, "no TLS connection came about"),
        Err(_) => tracing::debug!(peer = %visit.peer, "a TLS handshake took too long"),
    }
}

/// The TLS handshake, and what is spoken after it, by ALPN.
async fn shake_hands(tls: &Tls, stream: TcpStream) -> io::Result<(Version, TlsStream<TcpStream>)> {
    // TLS begins with a byte that is no letter, HTTP with the name of a method.
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
        refuse_plain(stream).await?;
        return Err(io::Error::other("the client speaks http"));
    }
    let mut stream = tls.accept(stream).await?;
    if stream.get_ref().1.alpn_protocol() != Some(HTTP_2) {
        return Ok((Version::One, stream));
    }
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await?;
    if preface != PREFACE {
        return Err(io::Error::other("what was agreed on is HTTP/2, and what came is not"));
    }
    Ok((Version::Two, stream))
}

/// Tells a client that speaks plain HTTP where TLS is spoken.
async fn refuse_plain(mut stream: TcpStream) -> io::Result<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 45\r\n\
        Connection: close\r\n\r\nThis port speaks https: ask it with https://\n";
    stream.write_all(ANSWER).await?;
    stream.shutdown().await?;
    // A socket that is closed with something unread in it takes back what it has sent.
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}

/// Serves HTTP/1.1 on a connection that has got that far.
async fn serve_http_1<S, T, P>(visit: Visit<T, P>, connection: Connection, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: Timer + Send + Sync + 'static,
{
    let Visit { api, watcher, timer, place, .. } = visit;
    let builder = http_1(&api, timer);
    let service = service_fn(async |request| {
        next_request().await;
        answer(&api, request, &connection).await
    });
    {
        // Gone by the end of the block: the place is free when the socket is.
        let serving = pin!(watcher.watch(builder.serve_connection(Socket::new(stream), service)));
        let _ = InPortions(serving).await;
    }
    drop(place);
}

/// How HTTP/1.1 is spoken.
fn http_1(api: &Api, timer: impl Timer + Send + Sync + 'static) -> http1::Builder {
    let mut builder = http1::Builder::new();
    let patience = api.settings().limits.header_timeout;
    builder.timer(timer).header_read_timeout(patience).max_buf_size(HEAD_BYTES);
    builder
}

/// Serves HTTP/1.1 to its end on a connection that has come by no listener: for simulations, whose network lies
/// within the process, and for tests that have it served on their own thread.
pub async fn converse<S>(api: Arc<Api>, peer: IpAddr, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Without it the connection would be asked to end as soon as it can.
    let graceful = GracefulShutdown::new();
    let visit = Visit {
        peer: (peer, 0).into(),
        watcher: graceful.watcher(),
        timer: TokioTimer::new(),
        stopping: api.stopping(),
        place: graceful,
        api,
    };
    serve_http_1(visit, Connection::new(peer, false), stream).await;
}

/// Serves HTTP/2 on a connection that has got that far.
async fn serve_http_2<S>(visit: Visit, connection: Connection, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Visit { api, watcher, place, .. } = visit;
    let patience = api.settings().limits.header_timeout;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        // Whoever says nothing for so long is asked whether they are there, and may take as long to answer.
        .keep_alive_interval(patience)
        .keep_alive_timeout(patience);
    // Its streams are tasks of their own, which the connection may not outlive.
    let connection = Arc::new(connection);
    let service = service_fn(|request| {
        let (api, connection) = (Arc::clone(&api), Arc::clone(&connection));
        async move { answer(&api, request, &connection).await }
    });
    let _ = watcher.watch(builder.serve_connection(Socket::new(stream), service)).await;
    drop(place);
}

async fn answer(
    api: &Api,
    request: Request<Incoming>,
    connection: &Connection,
) -> Result<Response<Sent>, Infallible> {
    TURN.set(TURN.get() + 1);
    Ok(api.answer(request.map(Body::Stream), connection).await)
}

enum Version {
    One,
    Two,
}

/// The first pause before another look at a part of HTTP/2's preface, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The pauses between looks at a part of the preface. They grow, since many connections with a part of it each would
/// keep a core busy otherwise.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(PAUSE_MIN), |pause| Some((*pause * 2).min(PAUSE_MAX)))
}

/// What a connection begins with: HTTP/2's preface or anything else. It stays unread.
async fn version(stream: &TcpStream) -> io::Result<Version> {
    let mut seen = [0; PREFACE.len()];
    let mut pauses = pauses();
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
        tokio::time::sleep(pauses.next().unwrap_or(PAUSE_MAX)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_sends_the_preface_in_pieces_is_looked_at_at_once_and_then_ever_more_seldom() {
        let instants: Vec<Duration> = pauses()
            .scan(Duration::ZERO, |waited, pause| {
                *waited += pause;
                Some(*waited)
            })
            .take_while(|waited| *waited < Duration::from_secs(30))
            .collect();
        assert_eq!(instants[0], Duration::from_millis(5));
        assert!(instants.len() < 40, "in half a minute: {}", instants.len());
        // Whatever has been waited already, it is not waited for more than as long again, and a second at most.
        for pair in instants.windows(2) {
            let [before, after] = [pair[0], pair[1]];
            assert!(
                after.saturating_sub(before) <= (before + PAUSE_MIN).min(Duration::from_secs(1)),
                "{pair:?}"
            );
        }
    }
}
