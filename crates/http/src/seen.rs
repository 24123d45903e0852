//! What a caller has seen already, perhaps on another node: the answer waits until this node shows it too.
//!
//! Nodes follow each other within milliseconds, so the wait is short; it is bounded all the same.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use porchlight_engine::{Cursor, Engine, Part, Tenant, Wait};
use porchlight_store::Revision;

use crate::error::Error;
use crate::headers::Headers;

/// The revision that the header `porchlight-revision` asks for, if this node does not show it yet.
///
/// # Errors
///
/// 400 when the header is no revision, or is there more than once.
pub(crate) fn awaited(headers: &Headers<'_>, tenant: &Tenant) -> Result<Option<Revision>, Error> {
    if headers.revision.first.is_none() {
        return Ok(None);
    }
    let text = headers.revision.only().and_then(|value| value.to_str().ok());
    let number = text.and_then(|text| text.parse::<u64>().ok()).ok_or(Error::BadRevision)?;
    Ok(Some(Revision(number)).filter(|revision| *revision > tenant.applied()))
}

/// Waits until this node shows everything of the tenant up to this revision.
///
/// In a future of its own: whoever has not to wait would carry its state about for nothing.
///
/// # Errors
///
/// 503 when that takes longer than a write may.
pub(crate) fn reached<'e>(
    engine: &'e Engine,
    tenant: &'e Tenant,
    revision: Revision,
) -> BoxFuture<'e, Result<(), Error>> {
    async move {
        let wait = Wait::begin(Part::Revision);
        let is_seen = engine.reach(tenant, revision).await;
        wait.over(if is_seen { Ok(()) } else { Err(Error::RevisionNotSeen(revision)) })
    }
    .boxed()
}

/// Waits until this node shows what whoever has this cursor was told. One of another log is left to who looks
/// whether it can be gone on from: its revisions mean nothing here.
///
/// # Errors
///
/// As [`reached`].
pub(crate) async fn cursor_reached(engine: &Engine, tenant: &Tenant, cursor: Cursor) -> Result<(), Error> {
    if cursor.log == engine.log_id() { reached(engine, tenant, cursor.revision).await } else { Ok(()) }
}
