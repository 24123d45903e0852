//! Writes that turn out durable late.
//!
//! In a cluster other nodes may have told of a fade that a write prevents, before they learned of it: so a write is
//! stamped after whatever its base record would have done within ten seconds. One that was on its way for so long that
//! they may have told of more is written again with stamps of after that. Whoever asks what has changed looks back over
//! changes that were on their way, but not for ever, see [`Engine::changes_since`]: so the same is done with a write that
//! took longer than the append time-out. On a log of one process there is no need: the write has held back engine time for
//! as long as it took.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use porchlight_presence::{TenantId, Timestamp, User, UserId};
use porchlight_store::{Append, Value};
use tokio::sync::Notify;

use crate::engine::Engine;
use crate::in_flight::Claim;
use crate::keys;
use crate::lanes::Lane;
use crate::ready::SKEW_MAX_MS;
use crate::state::{CURRENT_FOR, State};
use crate::write::WriteError;

/// How long to wait before a late write is tried again that could not be written.
const PAUSE: Duration = Duration::from_secs(1);

/// How far ahead of this node's clock the time may be that another node evaluates an old record at: its clock may be as
/// much ahead as may be, and it may go on for as long without news of the log.
const OTHERS_AHEAD: Duration = Duration::from_millis(SKEW_MAX_MS).saturating_add(CURRENT_FOR);

/// A write whose outcome was known late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateWrite {
    tenant: TenantId,
    user: UserId,
    /// The instant of the record that it leaves, if it is there.
    as_of: Timestamp,
}

/// Those that are still to be looked at: of each user the oldest.
#[derive(Debug, Default)]
pub(crate) struct LateWrites {
    noted: Mutex<BTreeMap<(TenantId, UserId), Timestamp>>,
    /// Rung when there is one more.
    more: Notify,
}

impl LateWrites {
    fn note(&self, LateWrite { tenant, user, as_of }: LateWrite) {
        let mut noted = self.noted.lock();
        let oldest = noted.entry((tenant, user)).or_insert(as_of);
        *oldest = as_of.min(*oldest);
        self.more.notify_one();
    }

    fn take(&self) -> Option<LateWrite> {
        let ((tenant, user), as_of) = self.noted.lock().pop_first()?;
        Some(LateWrite { tenant, user, as_of })
    }
}

/// What a write to a user takes along to the log in a cluster; notes it as late when it is dropped late.
pub(crate) struct Watched {
    state: Arc<State>,
    write: LateWrite,
    claim: Claim,
    _lane: Arc<Lane>,
    /// The first change of the base record that the write is not stamped after.
    unforeseen: Option<Timestamp>,
    append_timeout: Duration,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let now = self.state.clock.now();
        let others = now.plus(OTHERS_AHEAD);
        let is_told = self.unforeseen.is_some_and(|unforeseen| unforeseen <= others);
        if is_told || now.since(self.claim.at()) > self.append_timeout {
            self.state.late.note(self.write);
        }
    }
}

impl Engine {
    /// A hold for a write to this record that leaves one of this instant, with stamps of after what the record would have
    /// done within `ahead` of it.
    pub(crate) fn watched(
        &self,
        claim: Claim,
        lane: Arc<Lane>,
        (tenant, user, as_of): (TenantId, UserId, Timestamp),
        record: &User,
        ahead: Duration,
    ) -> Watched {
        let write = LateWrite { tenant, user, as_of };
        let unforeseen = record.next_change(as_of.plus(ahead));
        let (state, append_timeout) = (Arc::clone(&self.state), self.options.append_timeout);
        Watched { state, write, claim, _lane: lane, unforeseen, append_timeout }
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

    /// Gives a record new stamps, if it is the one that a late write has left, or one that came of that.
    async fn restamp(&self, LateWrite { tenant, user, as_of }: LateWrite) -> Result<(), WriteError> {
        let lane = Arc::new(self.lane(tenant, user).await?);
        let attempts = self.attempts();
        let table = self.state.tenant_or_new(tenant);
        loop {
            let claim = self.state.in_flight.begin(&self.state.clock);
            let (record, expected, _) = table.users.to_write(user);
            if record.as_of() < as_of {
                // It has not become durable.
                return Ok(());
            }
            let anew = record.restamped(claim.at(), OTHERS_AHEAD);
            let (lane, written) = (Arc::clone(&lane), (tenant, user, anew.as_of()));
            let hold = self.watched(claim, lane, written, &record, OTHERS_AHEAD);
            let value = Value::Live(Bytes::from(anew.encode()));
            let append = Append { key: keys::user(tenant, user), expected, value };
            let outcome = self.append(append, Box::new(hold)).await;
            if attempts.unless_conflict(&table, outcome).await?.is_some() {
                return Ok(());
            }
        }
    }
}
