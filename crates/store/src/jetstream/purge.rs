//! Purging tombstones: each is removed from its stream, if nothing has followed it.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::shared::Shared;
use super::{JetStreamError, subject};
use crate::tombstones::Tombstone;

/// Purges whenever it is asked to, for ever: the tombstones of before the instant asked for, in Unix milliseconds.
pub(super) async fn run(shared: Arc<Shared>, mut asked: mpsc::UnboundedReceiver<i64>) {
    while let Some(before) = asked.recv().await {
        while let Some(tombstone) = take_older(&shared, before) {
            if let Err(error) = purge(&shared, &tombstone).await {
                tracing::warn!(key = %tombstone.key, %error, "a tombstone was not purged");
                shared.tombstones.lock().extend([tombstone]);
                break;
            }
        }
    }
}

fn take_older(shared: &Shared, before: i64) -> Option<Tombstone> {
    shared.tombstones.lock().take_older(before)
}

/// Removes a tombstone, unless its key was written again, and tells the replica.
async fn purge(shared: &Shared, tombstone: &Tombstone) -> Result<(), JetStreamError> {
    let Tombstone { key, revision, .. } = tombstone;
    if shared.replica.revision(key) != *revision {
        return Ok(());
    }
    let cell = shared.cell(key);
    let stream = shared.context.get_stream_no_info(&cell.stream).await.map_err(JetStreamError::nats)?;
    let subject = subject::of(&shared.options.prefix, cell.number, key);
    // Whatever comes before this revision or is of it: something newer stays.
    stream.purge().filter(subject).sequence(revision.0 + 1).await.map_err(JetStreamError::nats)?;
    shared.replica.purge(key, *revision);
    Ok(())
}
