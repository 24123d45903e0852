//! Where a server is, and what is written into its URLs.

use http::Uri;
use http::uri::Authority;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Where what is Graph's begins; the first is meant when none is given.
const VERSIONS: [&str; 2] = ["/v1.0", "/beta"];

/// What the server has beside Graph's, without a version; and what NATS tells its operators.
const OWN: [&str; 3] = ["/porchlight/", "/common/", "/varz"];

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A server's URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// What stands before the version, without a slash at the end.
    root: String,
    version: &'static str,
    /// Host and port, as they were given.
    pub(super) host: String,
    pub(super) is_https: bool,
    /// Whether that is this machine.
    pub(super) is_here: bool,
}

impl Base {
    /// Reads `http://HOST`, `https://HOST:PORT/v1.0` and the like.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Base, String> {
        let uri: Uri = text.parse().map_err(|_| format!("'{text}' is no URL"))?;
        let is_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("the url must begin with http:// or https://".to_owned()),
        };
        let authority = uri.authority().map_or("", Authority::as_str);
        if authority.contains('@') || uri.query().is_some() {
            return Err(format!("'{text}' must have neither a user nor a query"));
        }
        let path = uri.path().trim_end_matches('/');
        let versioned = VERSIONS.into_iter().find_map(|version| Some((path.strip_suffix(version)?, version)));
        let (before, version) = versioned.unwrap_or((path, VERSIONS[0]));
        let scheme = if is_https { "https" } else { "http" };
        let name = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let is_loopback = || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        Ok(Base {
            root: format!("{scheme}://{authority}{before}"),
            version,
            host: authority.to_owned(),
            is_https,
            is_here: name == "localhost" || is_loopback(),
        })
    }

    /// The URL of a path: the server's own ones begin with `/porchlight/` or `/common/`, all others are below the
    /// version.
    pub(super) fn url(&self, path: &str) -> String {
        let version = if OWN.iter().any(|own| path.starts_with(own)) { "" } else { self.version };
        format!("{}{version}{path}", self.root)
    }

    /// The path below the version that a link leads to, wherever it says that the server is: what is behind a proxy may
    /// not know the name that it was asked by, and a token is for nobody else.
    pub(super) fn path_of(link: &str) -> Option<&str> {
        let places = VERSIONS.iter().filter_map(|version| {
            let at = link.find(&format!("{version}/"))?;
            Some(at + version.len())
        });
        places.min().map(|at| &link[at..])
    }
}

/// A text as one segment of a path, or as a value in a query or a form.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A query, or a form: `name=value`, joined by `&`. Names are taken as they are.
pub(crate) fn query(members: &[(&str, &str)]) -> String {
    let members = members.iter().map(|(name, value)| format!("{name}={}", segment(value)));
    members.collect::<Vec<_>>().join("&")
}

/// A text of OData's, such as `'it''s'`, for a `$filter`.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_with_or_without_a_version() {
        let table = [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1.0/me", true),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1.0/me", true),
            ("https://graph.microsoft.com/v1.0", "https://graph.microsoft.com/v1.0/me", false),
            ("https://graph.microsoft.com/beta/", "https://graph.microsoft.com/beta/me", false),
            ("http://[::1]:80/here/v1.0", "http://[::1]:80/here/v1.0/me", true),
            ("https://localhost:8443/here", "https://localhost:8443/here/v1.0/me", true),
        ];
        for (text, url, is_here) in table {
            let base = Base::parse(text).unwrap();
            assert_eq!((base.url("/me").as_str(), base.is_here), (url, is_here), "{text}");
        }
        let base = Base::parse("https://presence.example/here/beta").unwrap();
        assert_eq!(base.url("/porchlight/limits"), "https://presence.example/here/porchlight/limits");
        assert_eq!((base.host.as_str(), base.is_https), ("presence.example", true));
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in ["", "127.0.0.1:8080", "ftp://127.0.0.1", "http://", "/v1.0", "http://a b/"] {
            assert!(Base::parse(text).is_err(), "{text}");
        }
        assert!(
            Base::parse("http://ada:secret@127.0.0.1").unwrap_err().ends_with("neither a user nor a query")
        );
        assert!(Base::parse("http://127.0.0.1/?x=1").is_err());
    }

    #[test]
    fn a_link_leads_to_the_same_server() {
        let link = "https://presence.example/here/v1.0/users?$skiptoken=x";
        assert_eq!(Base::path_of(link), Some("/users?$skiptoken=x"));
        assert_eq!(
            Base::path_of("http://a/beta/users?$filter=x eq '/v1.0/'"),
            Some("/users?$filter=x eq '/v1.0/'")
        );
        assert_eq!(Base::path_of("https://elsewhere.example/users"), None);
    }

    #[test]
    fn texts_are_encoded_byte_by_byte() {
        assert_eq!(segment("a-z._~09"), "a-z._~09");
        assert_eq!(segment("a b+c&d=ä/"), "a%20b%2Bc%26d%3D%C3%A4%2F");
        assert_eq!(query(&[("$top", "3"), ("$filter", "id eq 'x'")]), "$top=3&$filter=id%20eq%20%27x%27");
        assert_eq!(literal("ada's"), "'ada''s'");
    }
}
