//! Writing again what has met another node's write.

use porchlight_store::{AppendError, Key, Revision};
use tokio::time::Instant;

use crate::engine::Engine;
use crate::tenant::Tenant;
use crate::write::WriteError;

/// The attempts at one write. In a cluster another node may have written the key since it was read: the log answers with
/// the revision that it has now, and once reads show that, the write is begun anew. A log of one process never answers
/// so where lanes are closed.
pub(crate) struct Attempts<'e> {
    engine: &'e Engine,
    /// No attempt is begun later.
    until: Instant,
}

impl Engine {
    /// Attempts that are given up when the append time-out is over.
    pub(crate) fn attempts(&self) -> Attempts<'_> {
        Attempts { engine: self, until: Instant::now() + self.options.append_timeout }
    }
}

impl Attempts<'_> {
    /// What an attempt at a key of the tenant has come to; `None`: its key had moved on, and is to be read again now.
    ///
    /// # Errors
    ///
    /// The attempt's own, but for a conflict; [`AppendError::Unavailable`] when the time is over.
    pub(crate) async fn unless_conflict<T>(
        &self,
        tenant: &Tenant,
        outcome: Result<T, WriteError>,
    ) -> Result<Option<T>, WriteError> {
        match outcome {
            // A tombstone that the log has forgotten leaves no revision to wait for.
            Err(WriteError::Log(AppendError::Conflict { newest })) => {
                self.caught_up(tenant.reach(newest)).await.map(|()| None)
            }
            outcome => outcome.map(Some),
        }
    }

    /// The same for a key that is no tenant's.
    ///
    /// # Errors
    ///
    /// As [`Attempts::unless_conflict`].
    pub(crate) async fn unless_conflict_of<T>(
        &self,
        key: &Key,
        outcome: Result<T, WriteError>,
    ) -> Result<Option<T>, WriteError> {
        match outcome {
            Err(WriteError::Log(AppendError::Conflict { newest })) => {
                self.caught_up(self.engine.state.reach(key, newest)).await.map(|()| None)
            }
            outcome => outcome.map(Some),
        }
    }

    /// Returns when something else of the tenant has come.
    ///
    /// # Errors
    ///
    /// [`AppendError::Unavailable`] when the time is over.
    pub(crate) async fn something_comes(&self, tenant: &Tenant) -> Result<(), WriteError> {
        let Revision(applied) = tenant.applied();
        self.caught_up(tenant.reach(Revision(applied + 1))).await
    }

    async fn caught_up(&self, reached: impl Future<Output = ()>) -> Result<(), WriteError> {
        const OVER: WriteError = WriteError::Log(AppendError::Unavailable);
        if Instant::now() >= self.until {
            return Err(OVER);
        }
        tokio::time::timeout_at(self.until, reached).await.map_err(|_| OVER)
    }
}
