//! The caller that a connection was last used by.

use std::sync::Arc;

use http::HeaderValue;
use parking_lot::Mutex;

use super::Caller;

/// Whom the `Authorization` header of a connection's newest request names.
///
/// Nearly every request of a connection carries the same one, and to read it anew was a fifth of all that a read does:
/// it looks into tables whose locks all cores share. What can change under a token is asked each time: whether the
/// directory is still the same.
#[derive(Debug, Default)]
pub(crate) struct LastCaller(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    /// The header's bytes. Not the value itself, which would keep the whole buffer that the request was read into. The
    /// room is used again: on a gateway's connection each request may have another token.
    authorization: Vec<u8>,
    caller: Option<Arc<Caller>>,
}

impl LastCaller {
    /// The caller whom this header names, if it is the last one's and nobody was put in, taken out or disabled since.
    pub(super) fn named_by(&self, authorization: &HeaderValue) -> Option<Arc<Caller>> {
        let last = self.0.lock();
        let caller = last.caller.as_ref().filter(|_| *last.authorization == *authorization.as_bytes())?;
        Some(Arc::clone(caller)).filter(|caller| caller.is_current())
    }

    /// Notes whom this header names.
    pub(super) fn note(&self, authorization: &HeaderValue, caller: &Arc<Caller>) {
        let mut last = self.0.lock();
        last.authorization.clear();
        last.authorization.extend_from_slice(authorization.as_bytes());
        last.caller = Some(Arc::clone(caller));
    }
}
