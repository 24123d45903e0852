//! Writes that turn out durable late.
//!
//! Whoever asks what has changed looks back over changes that were on their way, but not for ever: see
//! [`Engine::changes_since`]. So in a cluster a write that was on its way for longer than the append time-out is written
//! again with a new stamp, if the record is still as it left it. On a log of one process there is no need: the write has
//! held back engine time for as long as it took.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use porchlight_presence::{TenantId, Timestamp, UserId};
use porchlight_store::{Append, Value};
use tokio::sync::Notify;

use crate::engine::Engine;
use crate::in_flight::Claim;
use crate::keys;
use crate::lanes::Lane;
use crate::state::State;
use crate::write::WriteError;

/// How long to wait before a late write is tried again that could not be written.
const PAUSE: Duration = Duration::from_secs(1);

/// A write whose outcome was known late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateWrite {
    tenant: TenantId,
    user: UserId,
    /// The instant of the record that it leaves, if it is there.
    as_of: Timestamp,
}

/// Those that are still to be looked at.
#[derive(Debug, Default)]
pub(crate) struct LateWrites {
    noted: Mutex<Vec<LateWrite>>,
    /// Rung when there is one more.
    more: Notify,
}

impl LateWrites {
    fn note(&self, write: LateWrite) {
        self.noted.lock().push(write);
        self.more.notify_one();
    }

    fn take(&self) -> Option<LateWrite> {
        self.noted.lock().pop()
    }
}

/// What a write to a user takes along to the log in a cluster; notes it as late when it is dropped late.
pub(crate) struct Watched {
    state: Arc<State>,
    write: LateWrite,
    claim: Claim,
    _lane: Arc<Lane>,
    append_timeout: Duration,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.state.clock.now().since(self.claim.at()) > self.append_timeout {
            self.state.late.note(self.write);
        }
    }
}

impl Engine {
    /// A hold for a write that leaves a record of this instant.
    pub(crate) fn watched(
        &self,
        claim: Claim,
        lane: Arc<Lane>,
        (tenant, user, as_of): (TenantId, UserId, Timestamp),
    ) -> Watched {
        let write = LateWrite { tenant, user, as_of };
        let (state, append_timeout) = (Arc::clone(&self.state), self.options.append_timeout);
        Watched { state, write, claim, _lane: lane, append_timeout }
    }

    /// Writes late writes again, for ever.
    pub(crate) async fn restamp_late_writes(&self) {
        loop {
            let Some(write) = self.state.late.take() else {
                self.state.late.more.notified().await;
                continue;
            };
            if let Err(error) = self.restamp(write).await {
                tracing::warn!(user = %write.user, %error, "a late write could not be stamped anew yet");
                self.state.late.note(write);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Gives a record new stamps, if it is the one that a late write has left.
    async fn restamp(&self, LateWrite { tenant, user, as_of }: LateWrite) -> Result<(), WriteError> {
        let lane = Arc::new(self.lane(tenant, user).await?);
        let attempts = self.attempts();
        let table = self.state.tenant_or_new(tenant);
        loop {
            let claim = self.state.in_flight.begin(&self.state.clock);
            let (record, expected, _) = table.users.to_write(user);
            // Somebody has written since, and that was stamped then; or it has not become durable at all.
            if record.as_of() != as_of {
                return Ok(());
            }
            let record = record.restamped(claim.at());
            let hold = self.watched(claim, Arc::clone(&lane), (tenant, user, record.as_of()));
            let value = Value::Live(Bytes::from(record.encode()));
            let append = Append { key: keys::user(tenant, user), expected, value };
            let outcome = self.append(append, Box::new(hold)).await;
            if attempts.unless_conflict(&table, outcome).await?.is_some() {
                return Ok(());
            }
        }
    }
}
