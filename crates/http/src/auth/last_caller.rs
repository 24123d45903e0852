//! The caller that a connection was last used by.

use std::sync::Arc;

use http::HeaderValue;
use parking_lot::Mutex;

use super::Caller;

/// Whom the `Authorization` header of a connection's newest request names.
///
/// Nearly every request of a connection carries the same one, and to read it anew was a fifth of all that a read does:
/// it looks into tables whose locks all cores share. What can change under a token is asked each time: whether the
/// directory is still the same, and whether the user was hidden meanwhile.
#[derive(Debug, Default)]
pub(crate) struct LastCaller(Mutex<Option<(Authorization, Arc<Caller>)>>);

/// A header's bytes. Not the value itself, which would keep the whole buffer that the request was read into.
type Authorization = Box<[u8]>;

impl LastCaller {
    /// The caller whom this header names, if it is the last one's and nobody was put in or taken out since.
    pub(super) fn named_by(&self, authorization: &HeaderValue) -> Option<Arc<Caller>> {
        let last = self.0.lock();
        let (_, caller) = last.as_ref().filter(|(known, _)| **known == *authorization.as_bytes())?;
        Some(Arc::clone(caller)).filter(|caller| caller.is_current())
    }

    /// Notes whom this header names.
    pub(super) fn note(&self, authorization: &HeaderValue, caller: &Arc<Caller>) {
        *self.0.lock() = Some((authorization.as_bytes().into(), Arc::clone(caller)));
    }
}
