//! Which application asks for a token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use porchlight_presence::ApplicationId;

use super::parameters::{self, Parameters};
use super::refusal::Refusal;
use crate::headers::Headers;
use crate::wire::guid;

/// An application, and how it says that it is the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) application: ApplicationId,
    pub(super) credential: Credential,
}

/// How an application proves itself. Nothing is checked: any value will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    None,
    Secret,
    Assertion,
}

impl Credential {
    /// The claim `azpacr`. Source: subscriptions-and-auth 21.2.
    pub(super) fn azpacr(self) -> &'static str {
        match self {
            Credential::None => "0",
            Credential::Secret => "1",
            Credential::Assertion => "2",
        }
    }
}

impl Client {
    /// The application of a request: named in the body, or in a `Basic` header. Source: RFC 6749 2.3.1.
    ///
    /// # Errors
    ///
    /// One that is not named, is no GUID, or is named twice and differently; a header that cannot be read.
    pub(super) fn read(form: &Parameters<'_>, headers: &Headers<'_>) -> Result<Client, Refusal> {
        let basic = basic(headers)?;
        let named = match (&basic, form.get("client_id")) {
            (Some(basic), Some(named)) if *basic != named => return Err(Refusal::TwoApplications),
            (Some(basic), _) => basic.as_str(),
            (None, _) => form.require("client_id")?,
        };
        let credential = if form.get("client_assertion").is_some() {
            Credential::Assertion
        } else if basic.is_some() || form.get("client_secret").is_some() {
            Credential::Secret
        } else {
            Credential::None
        };
        Ok(Client { application: application(named)?, credential })
    }
}

/// An application's id.
///
/// # Errors
///
/// [`Refusal::ApplicationNotGuid`].
pub(super) fn application(text: &str) -> Result<ApplicationId, Refusal> {
    guid::parse(text).map(ApplicationId).ok_or_else(|| Refusal::ApplicationNotGuid(text.to_owned()))
}

/// The application that a `Basic` header names, if there is one.
fn basic(headers: &Headers<'_>) -> Result<Option<String>, Refusal> {
    const BAD: Refusal = Refusal::BasicUnreadable;
    let Some(value) = headers.authorization.first else { return Ok(None) };
    let value = value.to_str().map_err(|_| BAD)?;
    let (scheme, credentials) = value.split_once(' ').ok_or(BAD)?;
    if headers.authorization.repeated || !scheme.eq_ignore_ascii_case("basic") {
        return Err(BAD);
    }
    let decoded = STANDARD.decode(credentials.trim()).map_err(|_| BAD)?;
    let decoded = String::from_utf8(decoded).map_err(|_| BAD)?;
    let (id, _) = decoded.split_once(':').ok_or(BAD)?;
    parameters::decode(id).map(|id| Some(id.into_owned())).map_err(|_| BAD)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::AUTHORIZATION;

    use super::*;

    const ID: &str = "aaaaaaaa-0000-4000-8000-00000000000a";

    fn read(form: &str, header: Option<&str>) -> Result<Client, Refusal> {
        let mut all = HeaderMap::new();
        all.extend(header.map(|header| (AUTHORIZATION, header.parse().unwrap())));
        Client::read(&Parameters::read(form).unwrap(), &Headers::of(&all))
    }

    #[test]
    fn an_application_is_named_in_the_body_or_in_the_header() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let (body, header) = (format!("client_id={ID}"), basic(&format!("{ID}:secret")));
        let credential =
            |form: &str, header: Option<&str>| read(form, header).map(|client| client.credential);
        assert_eq!(credential(&body, None), Ok(Credential::None));
        assert_eq!(credential(&format!("{body}&client_secret=x"), None), Ok(Credential::Secret));
        assert_eq!(credential(&format!("{body}&client_assertion=x"), None), Ok(Credential::Assertion));
        assert_eq!(credential("", Some(&header)), Ok(Credential::Secret));
        assert_eq!(credential(&body, Some(&header)), Ok(Credential::Secret));
        let another = basic("bbbbbbbb-0000-4000-8000-00000000000b:secret");
        let table = [
            ("", None, Refusal::ParameterMissing("client_id")),
            ("client_id=porch", None, Refusal::ApplicationNotGuid("porch".to_owned())),
            ("", Some("Basic"), Refusal::BasicUnreadable),
            ("", Some("Basic !"), Refusal::BasicUnreadable),
            ("", Some("Bearer x"), Refusal::BasicUnreadable),
            (body.as_str(), Some(another.as_str()), Refusal::TwoApplications),
        ];
        for (form, header, refusal) in table {
            assert_eq!(read(form, header), Err(refusal), "{form} {header:?}");
        }
    }
}
