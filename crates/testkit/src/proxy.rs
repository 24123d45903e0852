//! The network between two programs, to be broken on demand.

use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{oneshot, watch};

/// Bytes that one direction of a connection carries at a time.
const PIECE: usize = 64 * 1024;

/// Forwards connections to somebody else, as long as a test lets it. It is on a thread of its own, so that it
/// goes on while a test waits, and stops when dropped.
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    /// Dropped: the thread ends.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Weather {
    /// Whether bytes pass.
    is_cut: bool,
    /// How often connections were closed.
    resets: u64,
}

impl Proxy {
    /// A way to `target` through a free port of 127.0.0.1, which lets everything pass.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(target: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (weather, seen) = watch::channel(Weather { is_cut: false, resets: 0 });
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = accept(listener, target, seen) => {}
                    _ = stopped => {}
                }
            });
        });
        Proxy { address, weather, stop: Some(stop), thread: Some(thread) }
    }

    /// Where to connect instead of to the target.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets nothing pass, as a network that drops packets: connections stay open and silent, new ones are
    /// accepted and hang. What was sent meanwhile arrives after [`Proxy::mend`].
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.is_cut = true);
    }

    /// Closes every connection at once; new ones find the network as it is.
    pub fn reset(&self) {
        self.weather.send_modify(|weather| weather.resets += 1);
    }

    /// Lets everything pass again.
    pub fn mend(&self) {
        self.weather.send_modify(|weather| weather.is_cut = false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has failed the test already.
            drop(thread.join());
        }
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, seen: watch::Receiver<Weather>) {
    listener.set_nonblocking(true).expect("a socket can be made so");
    let listener = tokio::net::TcpListener::from_std(listener).expect("it listens");
    loop {
        let Ok((near, _)) = listener.accept().await else { continue };
        tokio::spawn(forward(near, target, seen.clone()));
    }
}

/// One connection, from its first byte to its end.
async fn forward(near: TcpStream, target: SocketAddr, mut seen: watch::Receiver<Weather>) {
    let resets = seen.borrow().resets;
    let pass = pass(near, target, seen.clone());
    let is_reset = async {
        // Fails only when the proxy is gone, and with it goes the runtime.
        drop(seen.wait_for(|weather| weather.resets != resets).await);
    };
    tokio::select! {
        () = pass => {}
        () = is_reset => {}
    }
}

async fn pass(near: TcpStream, target: SocketAddr, mut seen: watch::Receiver<Weather>) {
    until_mended(&mut seen).await;
    let Ok(far) = TcpStream::connect(target).await else { return };
    // What a program writes at once is to arrive at once.
    drop(near.set_nodelay(true));
    drop(far.set_nodelay(true));
    let (near_reader, near_writer) = near.into_split();
    let (far_reader, far_writer) = far.into_split();
    // Whoever closes one direction is done with both.
    tokio::select! {
        () = carry(near_reader, far_writer, seen.clone()) => {}
        () = carry(far_reader, near_writer, seen.clone()) => {}
    }
}

/// Carries bytes one way until an end is reached. That the end was reached does not pass a cut either.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut seen: watch::Receiver<Weather>) {
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).await.unwrap_or(0);
        until_mended(&mut seen).await;
        if read == 0 || to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}

async fn until_mended(seen: &mut watch::Receiver<Weather>) {
    // As above.
    drop(seen.wait_for(|weather| !weather.is_cut).await);
}
