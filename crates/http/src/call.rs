//! One call of the API: a request, or a step of a batch.

use std::sync::Arc;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Method};
use porchlight_engine::{Engine, Tenant};
use porchlight_notify::Notifier;
use tokio::sync::watch;

use crate::audit::Notes;
use crate::auth::Caller;
use crate::body::Body;
use crate::bookmark::Bookmarks;
use crate::error::Error;
use crate::headers::Headers;
use crate::instruments::Instruments;
use crate::journey::Journey;
use crate::reply::MetadataLevel;
use crate::resource::Version;
use crate::settings::Settings;

/// What every route needs to know.
pub(crate) struct Call<'c> {
    pub(crate) engine: &'c Engine,
    pub(crate) notifier: &'c Notifier,
    pub(crate) settings: &'c Settings,
    pub(crate) instruments: &'c Instruments,
    pub(crate) bookmarks: &'c Arc<Bookmarks>,
    pub(crate) method: &'c Method,
    pub(crate) query: &'c str,
    pub(crate) headers: &'c Headers<'c>,
    pub(crate) caller: &'c Caller,
    pub(crate) version: Version,
    /// The URL up to and with the version, as the client sees it.
    pub(crate) base: &'c str,
    /// The request, for the log.
    pub(crate) request: uuid::Uuid,
    /// What the client named it, or the same.
    pub(crate) client_request: &'c HeaderValue,
    /// The way of the request.
    pub(crate) journey: &'c Journey,
    /// What is learned of the change that it asks for, for the audit.
    pub(crate) notes: Notes,
    /// Turns true when the server stops.
    pub(crate) stop: &'c watch::Sender<bool>,
}

impl Call<'_> {
    /// The caller's tenant.
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.caller.tenant
    }

    /// The URL up to the version.
    pub(crate) fn origin(&self) -> &str {
        self.base.rsplit_once('/').map_or(self.base, |(origin, _)| origin)
    }

    /// The body of the call, which must be there and be JSON.
    ///
    /// # Errors
    ///
    /// What [`Body::read_json`] answers; 401 when the caller was disabled or deleted before all of it had
    /// come.
    pub(crate) async fn read_json(&self, body: Body) -> Result<Bytes, Error> {
        let bytes = body.read_json(self.headers, &self.settings.limits).await?;
        self.caller.remains()?;
        Ok(bytes)
    }

    /// The body of a call without parameters.
    ///
    /// # Errors
    ///
    /// What [`Body::read_json_or_nothing`] answers; 401 as [`Call::read_json`].
    pub(crate) async fn read_json_or_nothing(&self, body: Body) -> Result<Bytes, Error> {
        let bytes = body.read_json_or_nothing(self.headers, &self.settings.limits).await?;
        self.caller.remains()?;
        Ok(bytes)
    }

    /// Returns when the server stops.
    pub(crate) async fn stopped(&self) {
        // An error means that the server is gone, too.
        self.stop.subscribe().wait_for(|stop| *stop).await.ok();
    }

    /// Counts the call as one of its application's, if these are limited.
    ///
    /// # Errors
    ///
    /// E29 when there were as many as may be; then it does not count.
    pub(crate) fn count(&self) -> Result<(), Error> {
        let Some(window) = &self.caller.window else { return Ok(()) };
        window.take(self.engine.clock()).map_err(|wait| {
            self.instruments.limited();
            Error::TooManyRequests(wait)
        })
    }

    /// Which of JSON's forms the client accepts.
    ///
    /// # Errors
    ///
    /// E31 when none.
    pub(crate) fn metadata_level(&self) -> Result<MetadataLevel, Error> {
        metadata_level(self.headers)
    }
}

/// Which of JSON's forms a request with these headers accepts.
///
/// # Errors
///
/// E31 when none.
pub(crate) fn metadata_level(headers: &Headers<'_>) -> Result<MetadataLevel, Error> {
    // What nearly every client sends needs no second look.
    if headers.accept.only().is_some_and(|only| only == "application/json") {
        return Ok(MetadataLevel::Minimal);
    }
    let values = headers.all.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(',')).filter(|range| !range.trim().is_empty());
    let accepted = ranges.map(media_range).reduce(Option::or);
    accepted.unwrap_or(Some(MetadataLevel::Minimal)).ok_or(Error::NotAcceptable)
}

/// The form of JSON that a media range asks for; `None` when it does not take JSON.
fn media_range(range: &str) -> Option<MetadataLevel> {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next()?;
    if !["application/json", "application/*", "*/*", "*"].iter().any(|known| kind.eq_ignore_ascii_case(known))
    {
        return None;
    }
    let mut level = MetadataLevel::Minimal;
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match (name.trim().to_ascii_lowercase().as_str(), value.trim().to_ascii_lowercase().as_str()) {
            ("odata.metadata" | "metadata", "none") => level = MetadataLevel::None,
            ("odata.metadata" | "metadata", "full") => level = MetadataLevel::Full,
            ("q", quality) if quality.parse() == Ok(0.0) => return None,
            _ => {}
        }
    }
    Some(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_ranges_are_told_apart() {
        let table = [
            ("application/json", Some(MetadataLevel::Minimal)),
            ("*/*", Some(MetadataLevel::Minimal)),
            ("Application/JSON; odata.metadata=Full", Some(MetadataLevel::Full)),
            ("application/json;odata.metadata=none;q=0.5", Some(MetadataLevel::None)),
            ("application/json;q=0", None),
            ("text/html", None),
        ];
        for (range, level) in table {
            assert_eq!(media_range(range), level, "{range}");
        }
    }
}
