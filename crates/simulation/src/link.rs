//! The network: connections that delay, stall and are cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::runtime::Handle;

use crate::dice::Dice;

/// How the network is. In a storm connections stall and are cut.
pub(crate) struct Network {
    is_stormy: AtomicBool,
    dice: Mutex<Dice>,
    /// Where the bytes are carried.
    outside: Handle,
}

/// A connection was cut.
struct Cut;

impl Network {
    /// A network in a storm.
    pub(crate) fn new(dice: Dice, outside: Handle) -> Arc<Network> {
        Arc::new(Network { is_stormy: AtomicBool::new(true), dice: Mutex::new(dice), outside })
    }

    /// The storm is over.
    pub(crate) fn calm_down(&self) {
        self.is_stormy.store(false, Ordering::Relaxed);
    }

    /// Whether things still go wrong.
    pub(crate) fn is_stormy(&self) -> bool {
        self.is_stormy.load(Ordering::Relaxed)
    }

    /// Dice for somebody whom the storm concerns.
    pub(crate) fn dice(&self) -> Dice {
        self.dice.lock().another()
    }

    /// For whoever does something out there.
    pub(crate) fn outside(&self) -> &Handle {
        &self.outside
    }

    /// Both ends of a new connection, which stalls for seconds in a storm, or does not.
    pub(crate) fn connect(self: &Arc<Network>, stalls: bool) -> (DuplexStream, DuplexStream) {
        let mut dice = self.dice();
        let room = *dice.pick(&[256, 4 * 1024, 64 * 1024]);
        let ((one, here), (other, there)) = (duplex(room), duplex(room));
        let network = Arc::clone(self);
        self.outside.spawn(async move {
            let ((from_here, to_here), (from_there, to_there)) = (split(here), split(there));
            let (ahead, back) = (dice.another(), dice);
            // A cut ends both ways, and with them the connection.
            let _ = tokio::try_join!(
                network.carry(from_here, to_there, ahead, stalls),
                network.carry(from_there, to_here, back, stalls),
            );
        });
        (one, other)
    }

    /// Carries bytes one way until their sender has no more.
    async fn carry(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        mut dice: Dice,
        stalls: bool,
    ) -> Result<(), Cut> {
        let mut bytes = vec![0; 8 * 1024];
        loop {
            let count = from.read(&mut bytes).await.map_err(|_| Cut)?;
            if count == 0 {
                return to.shutdown().await.map_err(|_| Cut);
            }
            let pause = self.pause(&mut dice, stalls)?;
            if pause > Duration::ZERO {
                tokio::time::sleep(pause).await;
            }
            to.write_all(&bytes[..count]).await.map_err(|_| Cut)?;
        }
    }

    /// How long the next bytes are underway.
    fn pause(&self, dice: &mut Dice, stalls: bool) -> Result<Duration, Cut> {
        if !self.is_stormy() {
            return Ok(dice.millis(0, 2));
        }
        match dice.below(200) {
            0..4 => Err(Cut),
            4..8 if stalls => Ok(dice.millis(500, 6_000)),
            8..30 => Ok(dice.millis(10, 200)),
            _ => Ok(dice.millis(0, 4)),
        }
    }
}
