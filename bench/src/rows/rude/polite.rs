//! The polite clients, who read presences and keep sessions alive at a steady pace.

use std::net::SocketAddr;
use std::thread;

use anyhow::{Context, Result};
use tokio::runtime;
use tokio::sync::oneshot;

use super::PEOPLE;
use crate::reads::{Reads, Took};
use crate::requests::Ask;

/// What they do.
const READS_PER_SECOND: u32 = 2_000;
const KEEP_ALIVES_PER_SECOND: u32 = 200;

/// All of them, at work on a thread of their own: on that of the rude ones they would wait for those, before
/// they ask and when they are answered.
pub(super) struct Polite {
    reads: Reads,
    keep_alives: Reads,
    /// The thread ends when this is dropped.
    _thread: oneshot::Sender<()>,
}

/// How they fared in one part of a row.
pub(super) struct Fared {
    pub(super) reads: Took,
    pub(super) keep_alives: Took,
}

impl Polite {
    /// Starts the thread, and the clients on it.
    pub(super) async fn start(address: SocketAddr) -> Result<Polite> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("failed to start a runtime")?;
        let starting = runtime.spawn(start(address));
        let (end, ended) = oneshot::channel();
        thread::spawn(move || runtime.block_on(ended));
        let (reads, keep_alives) = starting.await.context("the polite clients have died")??;
        Ok(Polite { reads, keep_alives, _thread: end })
    }

    /// How they fared since the last lap.
    pub(super) fn lap(&mut self) -> Fared {
        Fared { reads: self.reads.lap(), keep_alives: self.keep_alives.lap() }
    }

    /// Fails if one of them was refused.
    pub(super) async fn stop(self) -> Result<()> {
        self.reads.stop().await.context("a polite read failed")?;
        self.keep_alives.stop().await.context("a polite keep-alive failed")?;
        Ok(())
    }
}

/// The reads, and the keep-alives.
async fn start(address: SocketAddr) -> Result<(Reads, Reads)> {
    let reads = Reads::start(address, READS_PER_SECOND, PEOPLE).await?;
    let keep_alives = Reads::start_asking(address, KEEP_ALIVES_PER_SECOND, PEOPLE, Ask::set_presence).await?;
    Ok((reads, keep_alives))
}
