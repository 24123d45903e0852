//! What a caller has seen already, perhaps on another node: the answer waits until this node shows it too.
//!
//! Nodes follow each other within milliseconds, so the wait is short; it is bounded all the same.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use porchlight_engine::{Cursor, Engine, Part, Tenant, Wait};
use porchlight_store::Revision;

use crate::auth::Caller;
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

/// Waits until this node shows everything of the caller's tenant up to this revision.
///
/// In a future of its own: whoever has not to wait would carry its state about for nothing.
///
/// # Errors
///
/// 503 when that takes longer than a write may; 401 when the caller was disabled or deleted meanwhile.
pub(crate) fn reached<'e>(
    engine: &'e Engine,
    caller: &'e Caller,
    revision: Revision,
) -> BoxFuture<'e, Result<(), Error>> {
    async move {
        let wait = Wait::begin(Part::Revision);
        let is_seen = engine.reach(&caller.tenant, revision).await;
        wait.over(if is_seen { Ok(()) } else { Err(Error::RevisionNotSeen(revision)) })?;
        caller.remains()
    }
    .boxed()
}

/// Waits until this node shows what whoever has this cursor was told. One of another log is left to who looks
/// whether it can be gone on from: its revisions mean nothing here.
///
/// # Errors
///
/// As [`reached`].
pub(crate) async fn cursor_reached(engine: &Engine, caller: &Caller, cursor: Cursor) -> Result<(), Error> {
    if cursor.log == engine.log_id() { reached(engine, caller, cursor.revision).await } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use porchlight_engine::{Clock, Options, Person};
    use porchlight_presence::{Command, TenantId, Timestamp, UserId};
    use porchlight_store::{Log, Memory};
    use uuid::Uuid;

    use super::*;
    use crate::auth::TokenError;

    #[tokio::test]
    async fn who_was_disabled_while_they_waited_for_a_revision_may_not_go_on() {
        let (tenant, user) = (TenantId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let clock = Arc::new(Clock::manual(Timestamp::from_millis(1_700_000_000_000)));
        let open = |replica| Ok::<_, Infallible>(Arc::new(Memory::new(replica)) as Arc<dyn Log>);
        let engine = Engine::open(clock, Options::default(), open).expect("it opens");
        let person = Person::new(user, "ben@x.example".to_owned());
        engine.put_person(tenant, &person).await.expect("he is put in");
        let mut caller = Caller::unbound(engine.tenant(tenant).expect("it is known"));
        caller.user = Some(user);
        let Revision(applied) = caller.tenant.applied();
        let mut waits = reached(&engine, &caller, Revision(applied + 1));
        assert_eq!((&mut waits).now_or_never(), None, "it is not there yet");
        engine.write(tenant, user, &Command::SetHidden(true)).await.expect("it is written");
        assert_eq!(waits.await, Err(Error::Token(TokenError::Refused)));
    }
}
