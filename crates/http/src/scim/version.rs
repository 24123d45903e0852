//! The version of a user: the append that wrote their entry in the directory. Source: RFC 7644 3.14, RFC 9110 13.1.

use std::fmt;

use http::HeaderValue;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use porchlight_store::Revision;

use super::ScimError;
use crate::headers::Headers;

/// `W/"{revision}"`. Weak, as the RFC has it, since a compressed answer has the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version(Revision);

impl Version {
    pub(super) fn of(revision: Revision) -> Version {
        Version(revision)
    }

    /// Whether the client has it already: `If-None-Match` names it, or `*`.
    pub(super) fn is_known(self, headers: &Headers<'_>) -> bool {
        self.is_named(headers, IF_NONE_MATCH)
    }

    /// # Errors
    ///
    /// 412 when the client wants another version than this.
    pub(super) fn check(self, headers: &Headers<'_>) -> Result<(), ScimError> {
        if headers.all.contains_key(IF_MATCH) && !self.is_named(headers, IF_MATCH) {
            return Err(ScimError::AnotherVersion);
        }
        Ok(())
    }

    /// As a header's value.
    pub(super) fn value(self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string()).expect("a version is printable ASCII")
    }

    /// Compared weakly, also where RFC 9110 would not: SCIM's versions are weak.
    fn is_named(self, headers: &Headers<'_>, name: HeaderName) -> bool {
        let own = self.to_string();
        let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag) == &own[2..];
        let values = headers.all.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(str::trim).any(|tag| tag == "*" || opaque(tag))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "W/\"{}\"", self.0.0)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_version_is_named_in_every_form() {
        let version = Version::of(Revision(7));
        let check = |value: &'static str| {
            let mut all = HeaderMap::new();
            all.insert(IF_MATCH, HeaderValue::from_static(value));
            version.check(&Headers::of(&all)).is_ok()
        };
        for value in [r#"W/"7""#, r#""7""#, "*", r#""1", W/"7""#] {
            assert!(check(value), "{value}");
        }
        for value in [r#"W/"8""#, "7", "", r#""77""#] {
            assert!(!check(value), "{value}");
        }
        assert!(version.check(&Headers::of(&HeaderMap::new())).is_ok());
        assert_eq!(version.to_string(), r#"W/"7""#);
    }
}
