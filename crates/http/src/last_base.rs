//! The base URL that a connection was last used under.

use std::sync::Arc;

use http::HeaderValue;
use parking_lot::Mutex;

use crate::resource::Version;

/// The URL up to and with the version that a connection's newest request had, by its `Host` header: nearly every
/// request of a connection names the same one, and to check it and put the URL together costs more than to compare.
#[derive(Debug, Default)]
pub(crate) struct LastBase(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    /// The header's bytes. Not the value itself, which would keep the whole buffer that the request was read into.
    host: Box<[u8]>,
    version: Version,
    base: Arc<str>,
}

impl LastBase {
    /// The URL for this host and version, if they are the last ones.
    pub(crate) fn of(&self, host: &HeaderValue, version: Version) -> Option<Arc<str>> {
        let last = self.0.lock();
        let known =
            last.as_ref().filter(|known| *known.host == *host.as_bytes() && known.version == version)?;
        Some(Arc::clone(&known.base))
    }

    /// Notes the URL for a host and a version.
    pub(crate) fn note(&self, host: &HeaderValue, version: Version, base: &Arc<str>) {
        *self.0.lock() = Some(Known { host: host.as_bytes().into(), version, base: Arc::clone(base) });
    }
}
