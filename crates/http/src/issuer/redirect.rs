//! Where the answer to a sign-in goes, and in which form.

use http::StatusCode;
use http::header::LOCATION;

use super::page;
use super::parameters::{self, Parameters};
use super::refusal::Refusal;
use crate::reply::{Reply, header_value};

/// Schemes by which a browser would run what it is sent to, or show it as if it came from here.
const SCHEMES_REFUSED: [&str; 3] = ["javascript", "data", "vbscript"];

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Redirect<'r> {
    pub(super) uri: &'r str,
    mode: Mode,
    /// The application's own, which it gets back as it was.
    state: Option<&'r str>,
}

/// How the members of an answer travel. Source: OAuth 2.0 Multiple Response Types 2.1, Form Post Response Mode 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Query,
    Fragment,
    FormPost,
}

impl<'r> Redirect<'r> {
    /// Where the answer to a request with these parameters goes. One whose mode is not known is answered in the query.
    ///
    /// # Errors
    ///
    /// [`Refusal::ParameterMissing`] and [`Refusal::RedirectUnusable`]: there is nowhere for the answer to go.
    pub(super) fn read(parameters: &'r Parameters<'_>) -> Result<Redirect<'r>, Refusal> {
        let uri = parameters.require("redirect_uri")?;
        if !is_usable(uri) {
            return Err(Refusal::RedirectUnusable(uri.to_owned()));
        }
        let mode = mode(parameters).unwrap_or(Mode::Query);
        Ok(Redirect { uri, mode, state: parameters.get("state") })
    }

    /// Sends a browser there, with these members and the state.
    pub(super) fn reply(&self, members: &[(&str, &str)]) -> Reply {
        let mut members = members.to_vec();
        members.extend(self.state.map(|state| ("state", state)));
        match self.mode {
            Mode::Query => go(self.uri, &members),
            Mode::Fragment => send(&[self.uri, "#", &parameters::query(&members)].concat()),
            Mode::FormPost => page::form_post(self.uri, &members),
        }
    }

    /// Tells the application why not.
    pub(super) fn refuse(&self, refusal: &Refusal) -> Reply {
        self.reply(&[("error", refusal.error()), ("error_description", refusal.description().as_str())])
    }
}

/// Refuses a mode that is not known.
///
/// # Errors
///
/// [`Refusal::ResponseModeUnsupported`].
pub(super) fn check_mode(parameters: &Parameters<'_>) -> Result<(), Refusal> {
    let given = parameters.get("response_mode").unwrap_or_default();
    mode(parameters).map(drop).ok_or_else(|| Refusal::ResponseModeUnsupported(given.to_owned()))
}

fn mode(parameters: &Parameters<'_>) -> Option<Mode> {
    match parameters.get("response_mode") {
        None | Some("query") => Some(Mode::Query),
        Some("fragment") => Some(Mode::Fragment),
        Some("form_post") => Some(Mode::FormPost),
        Some(_) => None,
    }
}

/// Sends a browser to a URI, with these members added to its query.
pub(super) fn go(uri: &str, members: &[(&str, &str)]) -> Reply {
    if members.is_empty() {
        return send(uri);
    }
    let separator = if uri.contains('?') { "&" } else { "?" };
    send(&[uri, separator, &parameters::query(members)].concat())
}

fn send(uri: &str) -> Reply {
    Reply::empty(StatusCode::FOUND).with(LOCATION, header_value(uri))
}

/// Whether a browser can be sent to this URI: it is absolute, has no fragment, and is nothing that runs. Whether it
/// belongs to the application is not asked: nothing is known of applications.
pub(super) fn is_usable(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
    let has_host =
        rest.strip_prefix("//").is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?']));
    is_scheme
        && (!is_web || has_host)
        && !rest.is_empty()
        && !SCHEMES_REFUSED.iter().any(|refused| scheme.eq_ignore_ascii_case(refused))
        && uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;

    #[test]
    fn uris_that_browsers_can_be_sent_to_are_told_from_others() {
        for uri in [
            "http://localhost",
            "http://localhost:3000/callback?x=1",
            "HTTPS://app.example/cb",
            "http://[::1]:7/",
            "msal5f0d3b8a://auth",
            "com.example.app:/oauth",
            "urn:ietf:wg:oauth:2.0:oob",
        ] {
            assert!(is_usable(uri), "{uri}");
        }
        for uri in [
            "",
            "/callback",
            "localhost",
            "http:",
            "http://",
            "http:///x",
            "http:localhost",
            "http://localhost/#x",
            "http://localhost/a b",
            "http://localhost/\r\nx",
            "http://localhost/ä",
            "http://localhost/\"",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "VBSCRIPT:x",
            "1http://localhost",
            ":x",
        ] {
            assert!(!is_usable(uri), "{uri}");
        }
    }

    #[test]
    fn members_travel_as_it_was_asked() {
        let table = [
            ("redirect_uri=http://x/cb", "http://x/cb?code=a%26b"),
            ("redirect_uri=http://x/cb%3Fy=1&state=s%20%3D", "http://x/cb?y=1&code=a%26b&state=s%20%3D"),
            ("redirect_uri=http://x/cb&response_mode=fragment&state=s", "http://x/cb#code=a%26b&state=s"),
        ];
        for (query, expected) in table {
            let parameters = Parameters::read(query).unwrap();
            let reply = Redirect::read(&parameters).unwrap().reply(&[("code", "a&b")]);
            assert_eq!(
                (reply.status, &reply.headers[LOCATION]),
                (StatusCode::FOUND, &header_value(expected))
            );
        }
        let parameters = Parameters::read("redirect_uri=http://x/cb&response_mode=form_post").unwrap();
        let reply = Redirect::read(&parameters).unwrap().reply(&[("code", "a&b")]);
        assert_eq!((reply.status, &reply.headers[CONTENT_TYPE]), (StatusCode::OK, &page::HTML));
    }
}
