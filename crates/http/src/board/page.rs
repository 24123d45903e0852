//! Where the files of the board are, and what the page may do.

use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use serde_json::{Map, Value, json};

use super::asset::Asset;
use super::files::{ASSETS, INDEX};
use super::settings::SignIn;
use crate::headers::Headers;
use crate::reply::{Reply, header_value};
use crate::settings::Settings;

/// What the paths of all files but the page itself begin with.
const BELOW: &str = "/porchlight/board/";

/// The board as one server has it.
pub(crate) struct Board {
    settings: Asset,
    /// What the page may load and ask. Source: Content Security Policy Level 3.
    policy: HeaderValue,
}

impl Board {
    /// `None` where there is to be none.
    pub(crate) fn new(settings: &Settings) -> Option<Board> {
        let sign_in = settings.board.sign_in.as_ref().filter(|_| settings.development.is_none());
        let said = Bytes::from(told(settings, sign_in).to_string());
        settings.board.enabled.then(|| Board {
            settings: Asset::new("settings.json", "application/json", said),
            policy: header_value(&policy(sign_in)),
        })
    }

    /// What is at a path: the page at `/`, any other file by its name below `/porchlight/board/`.
    pub(crate) fn find(&self, path: &str) -> Option<&Asset> {
        if path == "/" {
            return ASSETS.iter().find(|asset| asset.name == INDEX);
        }
        let name = path.strip_prefix(BELOW).filter(|name| *name != INDEX)?;
        ASSETS.iter().chain([&self.settings]).find(|asset| asset.name == name)
    }

    /// GET of what was found.
    pub(crate) fn answer(&self, found: &Asset, headers: &Headers<'_>) -> Reply {
        let reply = found.reply(headers);
        if found.name == INDEX { reply.with(CONTENT_SECURITY_POLICY, self.policy.clone()) } else { reply }
    }
}

/// What the page has to know before it can ask anything.
fn told(settings: &Settings, sign_in: Option<&SignIn>) -> Value {
    let mut told = Map::new();
    told.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    told.insert("development".to_owned(), settings.development.is_some().into());
    if let Some(development) = &settings.development {
        let first = development.seeds.iter().flat_map(|seed| &seed.people).next();
        told.insert("demoApplication".to_owned(), development.application.to_string().into());
        told.insert("firstPerson".to_owned(), first.map(|person| person.id.to_string()).into());
    }
    // Who has heard nothing for twice as long as the server is ever silent has lost it.
    let silence = (settings.limits.stream_heartbeat * 2).as_secs().max(1);
    told.insert("streamSilenceSeconds".to_owned(), silence.into());
    let sign_in = sign_in.map(|sign_in| {
        json!({
            "issuer": sign_in.issuer,
            "metadata": sign_in.metadata,
            "clientId": sign_in.client_id,
            "scopes": sign_in.scopes,
            "parameters": sign_in.parameters,
        })
    });
    told.insert("signIn".to_owned(), sign_in.unwrap_or_default());
    Value::Object(told)
}

/// Scripts and styles are the server's own files, and nobody is asked but the server and those who sign people
/// in.
fn policy(sign_in: Option<&SignIn>) -> String {
    let mut asked = vec!["'self'".to_owned()];
    asked.extend(sign_in.map(SignIn::origins).unwrap_or_default());
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        asked.join(" ")
    )
}
