//! Where the server is, as the client sees it.

use std::sync::Arc;

use http::request::Parts;

use super::Api;
use crate::connection::Connection;
use crate::error::Error;
use crate::headers::Headers;
use crate::resource::Version;

impl Api {
    /// The URL up to and with the version, as the client sees it.
    pub(super) fn base(
        &self,
        parts: &Parts,
        headers: &Headers<'_>,
        version: Version,
        connection: &Connection,
    ) -> Result<Arc<str>, Error> {
        let last = &connection.last_base;
        // What a proxy says may be another thing with every request.
        let is_plain = parts.uri.authority().is_none() && !self.settings.trust_forwarded;
        let host = headers.host.only().filter(|_| is_plain);
        if let Some(base) = host.and_then(|host| last.of(host, version)) {
            return Ok(base);
        }
        let origin = self.origin(headers, authority(parts, headers)?, connection);
        let base = [origin.as_str(), "/", version.name()].concat().into();
        if let Some(host) = host {
            last.note(host, version, &base);
        }
        Ok(base)
    }

    /// The URL up to the version, as the client sees it.
    pub(super) fn origin(&self, headers: &Headers<'_>, authority: &str, connection: &Connection) -> String {
        if let Some(url) = &self.settings.public_url {
            return url.clone();
        }
        let scheme = if connection.secure { "https" } else { "http" };
        if !self.settings.trust_forwarded {
            return [scheme, "://", authority].concat();
        }
        let header = |name: &str| headers.all.get(name).and_then(|value| value.to_str().ok());
        // RFC 7239: the first element is the client's own proxy's.
        let element = header("forwarded").and_then(|value| value.split(',').next()).unwrap_or_default();
        let pairs = || element.split(';').filter_map(|pair| pair.trim().split_once('='));
        let named = |name: &str| {
            let value = pairs().find(|(known, _)| known.eq_ignore_ascii_case(name));
            value.map(|(_, value)| value.trim_matches('"'))
        };
        let scheme = named("proto").or_else(|| header("x-forwarded-proto")).unwrap_or(scheme);
        let host = named("host").or_else(|| header("x-forwarded-host")).unwrap_or(authority);
        [scheme, "://", host].concat()
    }
}

/// Host and port as a request names them: `:authority`, or the one `Host` that RFC 9112 3.2 asks for.
///
/// # Errors
///
/// 400 when there is none, more than one, or one that is no host.
pub(super) fn authority<'r>(parts: &'r Parts, headers: &Headers<'r>) -> Result<&'r str, Error> {
    const BAD: Error = Error::BadPath("The request must have one valid Host header.");
    if let Some(authority) = parts.uri.authority() {
        return Ok(authority.as_str());
    }
    if headers.host.first.is_none() && parts.version < http::Version::HTTP_11 {
        return Ok("localhost");
    }
    let host = headers.host.only().ok_or(BAD)?.to_str().map_err(|_| BAD)?;
    if !is_plain(host) {
        host.parse::<http::uri::Authority>().map_err(|_| BAD)?;
    }
    Ok(host)
}

/// A host name or IPv4 address with or without a port: what most requests name, and cheaper to tell than to parse.
fn is_plain(host: &str) -> bool {
    let (name, port) = match host.bytes().rposition(|byte| byte == b':') {
        None => (host, "80"),
        Some(colon) => (&host[..colon], &host[colon + 1..]),
    };
    let in_name = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'a'..=b'z' | b'A'..=b'Z' | b'-');
    !name.is_empty() && name.bytes().all(in_name) && port.parse::<u16>().is_ok()
}
