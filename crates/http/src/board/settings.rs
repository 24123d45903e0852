//! Whether there is a board, and how people sign in on it.

use std::collections::{BTreeMap, BTreeSet};

use http::Uri;

/// The board: the web page at `/`.
#[derive(Clone, Debug)]
pub struct BoardSettings {
    /// Whether it is there. Default: yes.
    pub enabled: bool,
    /// How people sign in outside of development; `None`: they cannot, and the page says what to configure.
    pub sign_in: Option<SignIn>,
}

impl Default for BoardSettings {
    fn default() -> BoardSettings {
        BoardSettings { enabled: true, sign_in: None }
    }
}

/// How people sign in on the board: at an issuer whose tokens are taken, by an authorization code with PKCE.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// What the issuer's tokens say in `iss`.
    pub issuer: String,
    /// Where its discovery document is.
    pub metadata: String,
    /// What the page is registered as there.
    pub client_id: String,
    /// What is asked for, separated by spaces.
    pub scopes: String,
    /// What else the issuer wants to be told when somebody signs in and when a token is fetched, such as `resource`
    /// or `audience`.
    pub parameters: BTreeMap<String, String>,
    /// Origins that the page may ask besides that of the discovery document: where the token endpoint is on another
    /// host.
    pub connect: Vec<String>,
}

/// What the page says itself. Source: OpenID Connect Core 1.0, 3.1.2.1 and 3.1.3.1; RFC 7636.
const OWN_PARAMETERS: [&str; 13] = [
    "client_id",
    "response_type",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "client_secret",
];

impl SignIn {
    /// Whether the page can do with this.
    ///
    /// # Errors
    ///
    /// What is wrong, in one sentence that names the key of the configuration.
    pub fn check(&self) -> Result<(), String> {
        if self.client_id.is_empty() {
            return Err("client_id must be what the page is registered as".to_owned());
        }
        if !self.scopes.split(' ').any(|scope| scope == "openid") {
            return Err("scopes must have openid among them".to_owned());
        }
        if let Some(own) = self.parameters.keys().find(|name| OWN_PARAMETERS.contains(&name.as_str())) {
            return Err(format!(
                "parameters: the page says itself what {own} is, and no secret can be kept in it"
            ));
        }
        match self.connect.iter().find(|text| origin(text).as_ref() != Some(*text)) {
            None => Ok(()),
            Some(text) => Err(format!("connect: '{text}' is no origin such as https://login.example.org")),
        }
    }

    /// Whom the page asks besides its own server.
    pub(super) fn origins(&self) -> BTreeSet<String> {
        let documents = [&self.metadata, &self.issuer].into_iter().filter_map(|url| origin(url));
        documents.chain(self.connect.iter().cloned()).collect()
    }
}

/// Scheme, host and port of an absolute URL, which may be a template behind that.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let uri: Uri = format!("{scheme}://{authority}").parse().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let is_one =
        ["http", "https"].contains(&scheme) && authority.bytes().all(is_plain) && uri.host().is_some();
    is_one.then(|| format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in() -> SignIn {
        SignIn {
            issuer: "https://id.example.org/{tenantid}/v2.0".to_owned(),
            metadata: "https://login.example.org:8443/common/.well-known/openid-configuration".to_owned(),
            client_id: "board".to_owned(),
            scopes: "openid profile".to_owned(),
            parameters: BTreeMap::new(),
            connect: Vec::new(),
        }
    }

    #[test]
    fn the_page_may_ask_the_origins_of_the_issuer_and_those_that_are_named() {
        let connect = vec!["https://tokens.example.org".to_owned(), "http://127.0.0.1:9000".to_owned()];
        let origins: Vec<String> = SignIn { connect, ..sign_in() }.origins().into_iter().collect();
        let expected = [
            "http://127.0.0.1:9000",
            "https://id.example.org",
            "https://login.example.org:8443",
            "https://tokens.example.org",
        ];
        assert_eq!(origins, expected);
    }

    #[test]
    fn what_would_break_out_of_the_policy_is_no_origin() {
        for text in [
            "",
            "https://",
            "login.example.org",
            "ftp://login.example.org",
            "https://login.example.org/",
            "https://login.example.org/path",
            "https://a@login.example.org",
            "https://login.example.org; script-src *",
            "https://*.example.org",
            "'unsafe-inline'",
        ] {
            let wrong = SignIn { connect: vec![text.to_owned()], ..sign_in() };
            assert!(wrong.check().is_err(), "{text}");
        }
    }

    #[test]
    fn what_the_page_says_itself_cannot_be_configured() {
        assert_eq!(sign_in().check(), Ok(()));
        let parameters = |name: &str| BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        assert_eq!(SignIn { parameters: parameters("resource"), ..sign_in() }.check(), Ok(()));
        for name in OWN_PARAMETERS {
            let wrong = SignIn { parameters: parameters(name), ..sign_in() }.check();
            assert!(wrong.is_err_and(|message| message.contains(name)));
        }
        assert!(SignIn { scopes: "profile".to_owned(), ..sign_in() }.check().is_err());
        assert!(SignIn { client_id: String::new(), ..sign_in() }.check().is_err());
    }
}
