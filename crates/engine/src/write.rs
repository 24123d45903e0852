//! The way of a write.

use std::sync::Arc;

use bytes::Bytes;
use porchlight_presence::{ApplicationId, Command, Refusal, TenantId, Timestamp, User, UserId};
use porchlight_store::{Append, AppendError, Hold, Key, Revision, Value};

use crate::engine::Engine;
use crate::errand::{Part, Wait};
use crate::keys;
use crate::lanes::Lane;
use crate::tenant::Tenant;

/// A write that is durable.
#[derive(Clone, Debug)]
pub struct Written {
    /// The record that it found.
    pub before: User,
    /// The record that it left.
    pub user: User,
    /// Its revision.
    pub revision: Revision,
    /// The instant that it was applied at.
    pub at: Timestamp,
}

/// Why a write was not done, or is not known to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The command was refused; nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The user was deleted, perhaps while the write waited; nothing has changed.
    #[error("the user was deleted")]
    Deleted(UserId),
    /// The log did not take the write, or did not answer in time.
    #[error("the write was not confirmed: {0}")]
    Log(AppendError),
}

impl Engine {
    /// Applies `command` to the user and makes it durable.
    ///
    /// What it has done is in a box: two records of hundreds of bytes, which every future on the way would move.
    ///
    /// Once the record is with the log, the write goes on whether or not this future is still polled; the lane stays
    /// closed and engine time waits until the log knows what became of it. When another node has written to the user
    /// meanwhile, the command is applied to what that one has left.
    ///
    /// # Errors
    ///
    /// [`WriteError::Refused`] and [`WriteError::Deleted`]: nothing has changed. [`WriteError::Log`]: see [`AppendError`]; after
    /// [`AppendError::Unknown`] the write may be there. [`AppendError::Unavailable`] also when an earlier write to the
    /// user hangs for longer than the time-out, or when other nodes' writes come first for as long.
    pub async fn write(
        &self,
        tenant: TenantId,
        user: UserId,
        command: &Command,
    ) -> Result<Box<Written>, WriteError> {
        self.write_by(None, tenant, user, command).await
    }

    /// The same, by an application that whoever asks for the origin of changes learns of.
    ///
    /// # Errors
    ///
    /// As [`Engine::write`].
    pub async fn write_by(
        &self,
        application: Option<ApplicationId>,
        tenant: TenantId,
        user: UserId,
        command: &Command,
    ) -> Result<Box<Written>, WriteError> {
        let lane = Arc::new(self.lane(tenant, user).await?);
        self.write_within(lane, application, tenant, user, command).await
    }

    /// The same for who has closed the user's lane, which is kept closed until the log knows what became of the write.
    pub(crate) async fn write_within(
        &self,
        lane: Arc<Lane>,
        application: Option<ApplicationId>,
        tenant: TenantId,
        user: UserId,
        command: &Command,
    ) -> Result<Box<Written>, WriteError> {
        let (tenant, attempts) = (self.state.tenant_or_new(tenant), self.attempts());
        loop {
            let outcome = self.write_once(Arc::clone(&lane), application, &tenant, user, command).await;
            if let Some(written) = attempts.unless_conflict(&tenant, outcome).await? {
                return Ok(written);
            }
        }
    }

    async fn write_once(
        &self,
        lane: Arc<Lane>,
        application: Option<ApplicationId>,
        tenant: &Tenant,
        user: UserId,
        command: &Command,
    ) -> Result<Box<Written>, WriteError> {
        let claim = self.state.in_flight.begin(&self.state.clock);
        let at = claim.at();
        let (record, expected, is_listed) = tenant.users.to_write(user);
        if !is_listed && tenant.was_deleted(user) {
            return Err(WriteError::Deleted(user));
        }
        let next = record.apply(command, at, &self.options.limits)?;
        let value = Value::Live(Bytes::from(next.encode()));
        let hold: Hold = if self.cluster.is_some() {
            let written = (tenant.id(), user, next.as_of());
            Box::new(self.watched(claim, lane, written, &record, self.options.limits.foresight))
        } else {
            Box::new((claim, lane))
        };
        let wait = Wait::begin(Part::Append);
        let origins = &self.state.origins;
        origins.begin(tenant.id(), user, next.as_of(), application, command, wait.context());
        let append = Append { key: keys::user(tenant.id(), user), expected, value };
        let appended = self.append_while(wait, append, hold).await;
        // Of a record that does not come nobody asks what made it; one whose end is not known may come yet.
        if appended.as_ref().is_err_and(|error| !matches!(error, WriteError::Log(AppendError::Unknown))) {
            origins.end(tenant.id(), user, next.as_of());
        }
        let revision = appended?;
        count_late_renewal(command, &next);
        Ok(Box::new(Written { before: record, user: next, revision, at }))
    }

    /// Writes a key that is no tenant's and has no lane, whatever is there.
    pub(crate) async fn put(&self, key: &Key, value: &Value) -> Result<(), WriteError> {
        let attempts = self.attempts();
        loop {
            let append = Append { key: key.clone(), expected: self.revision(key), value: value.clone() };
            let outcome = self.append(append, Box::new(())).await;
            if attempts.unless_conflict_of(key, outcome).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// The user's lane, unless a write that hangs keeps it closed for too long.
    pub(crate) async fn lane(&self, tenant: TenantId, user: UserId) -> Result<Lane, WriteError> {
        let wait = Wait::begin(Part::Lane);
        let lane = tokio::time::timeout(self.options.append_timeout, self.lanes.enter(tenant, user)).await;
        wait.over(lane).map_err(|_| WriteError::Log(AppendError::Unavailable))
    }

    /// The lane of a user principal name: whoever claims it keeps it closed until the person has it.
    pub(crate) async fn name_lane(&self, tenant: TenantId, name: &str) -> Result<Lane, WriteError> {
        let lane =
            tokio::time::timeout(self.options.append_timeout, self.name_lanes.enter_name(tenant, name));
        lane.await.map_err(|_| WriteError::Log(AppendError::Unavailable))
    }

    pub(crate) async fn append(&self, append: Append, hold: Hold) -> Result<Revision, WriteError> {
        self.append_while(Wait::begin(Part::Append), append, hold).await
    }

    async fn append_while(&self, wait: Wait, append: Append, hold: Hold) -> Result<Revision, WriteError> {
        let answer = match self.log.append(append, hold) {
            Ok(receipt) => tokio::time::timeout(self.options.append_timeout, receipt).await,
            Err(error) => Ok(Err(error)),
        };
        wait.over(answer.unwrap_or(Err(AppendError::Unknown))).map_err(WriteError::Log)
    }

    /// Deletes every record of the tenant. For development alone: one deletion after another is durable, not the whole.
    pub(crate) async fn delete_records(&self, tenant: &Tenant) -> Result<(), WriteError> {
        let mut users = Vec::new();
        tenant.users.scan(|user, _, _| users.push(user));
        for user in users {
            let lane = Arc::new(self.lane(tenant.id(), user).await?);
            let (key, attempts) = (keys::user(tenant.id(), user), self.attempts());
            loop {
                let outcome = self.delete(key.clone(), Arc::clone(&lane)).await;
                if attempts.unless_conflict(tenant, outcome).await?.is_some() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Deletes a key of somebody whose lane is closed, as it is now.
    pub(crate) async fn delete(&self, key: Key, lane: Arc<Lane>) -> Result<Revision, WriteError> {
        // Nobody evaluates past a deletion that is on its way.
        let claim = self.state.in_flight.begin(&self.state.clock);
        let (expected, value) = (self.revision(&key), Value::Tombstone { at: claim.at().as_millis() });
        self.append(Append { key, expected, value }, Box::new((claim, lane))).await
    }
}

/// Counts a session that came back after its end.
fn count_late_renewal(command: &Command, written: &User) {
    if let Command::SetPresence(set) = command
        && written.sessions().iter().any(|session| session.key() == set.session && session.was_renewed_late())
    {
        metrics::counter!("porchlight_sessions_renewed_late_total").increment(1);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use porchlight_presence::NewStatusMessage;
    use porchlight_store::{Fault, Log, Memory, Replica};
    use uuid::Uuid;

    use super::*;
    use crate::{Clock, Options};

    #[tokio::test]
    async fn nobody_remembers_what_made_a_record_that_does_not_come() {
        let mut memory = None;
        let clock = Arc::new(Clock::manual(Timestamp::from_millis(1_795_165_200_000)));
        let options = Options { append_timeout: Duration::from_millis(50), ..Options::default() };
        let engine = Engine::open(clock, options, |replica: Arc<dyn Replica>| {
            let log = Arc::new(Memory::new(replica));
            memory = Some(Arc::clone(&log));
            Ok::<_, Infallible>(log as Arc<dyn Log>)
        });
        let engine = engine.unwrap_or_else(|error| panic!("it opens: {error}"));
        engine.want_origins();
        memory.expect("the log was opened").inject(Fault::FailedNotWritten);
        let message = NewStatusMessage { content: "at lunch".to_owned(), expiry: None };
        let command = Command::SetStatusMessage(Some(message));
        for (user, error) in [(1, AppendError::Unknown), (2, AppendError::Unavailable)] {
            let (tenant, user) = (TenantId(Uuid::from_u128(1)), UserId(Uuid::from_u128(user)));
            let refused = engine.write(tenant, user, &command).await;
            assert_eq!(refused.expect_err("the log fails"), WriteError::Log(error));
        }
        assert_eq!(engine.state.origins.underway(), 1, "the first one may come yet");
    }
}
