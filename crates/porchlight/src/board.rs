//! `[board]`: the web page, and how people sign in on it.

use std::collections::BTreeMap;

use porchlight_http::{AuthSettings, BoardSettings, SignIn, TrustedIssuer};
use serde::Deserialize;

use crate::exit::Failure;

/// What is asked for when nothing is configured: to see everybody, and to say what oneself does.
const SCOPES: &str = "openid profile Presence.Read.All Presence.ReadWrite";

/// `[board]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BoardSection {
    enabled: Option<bool>,
    client_id: Option<String>,
    issuer: Option<String>,
    scopes: Option<String>,
    parameters: BTreeMap<String, String>,
    connect: Vec<String>,
}

/// The board that people of these issuers are to have.
///
/// # Errors
///
/// [`crate::exit::USAGE`], naming the key.
pub(crate) fn settings(section: &BoardSection, auth: &AuthSettings) -> Result<BoardSettings, Failure> {
    let enabled = section.enabled.unwrap_or(true);
    let Some(client_id) = &section.client_id else {
        let is_half = section.issuer.is_some()
            || section.scopes.is_some()
            || !section.parameters.is_empty()
            || !section.connect.is_empty();
        if is_half {
            return Err(Failure::usage(
                "board.issuer, board.scopes, board.parameters and board.connect say nothing without board.client_id",
            ));
        }
        return Ok(BoardSettings { enabled, sign_in: None });
    };
    let issuer = issuer(section, auth)?;
    let sign_in = SignIn {
        issuer: issuer.issuer.clone(),
        metadata: issuer.metadata.clone(),
        client_id: client_id.clone(),
        scopes: section.scopes.clone().unwrap_or_else(|| SCOPES.to_owned()),
        parameters: section.parameters.clone(),
        connect: section.connect.clone(),
    };
    sign_in.check().map_err(|wrong| Failure::usage(format!("board.{wrong}")))?;
    Ok(BoardSettings { enabled, sign_in: Some(sign_in) })
}

/// Who signs people in: the one that is named, else the first.
fn issuer<'a>(section: &BoardSection, auth: &'a AuthSettings) -> Result<&'a TrustedIssuer, Failure> {
    let Some(name) = &section.issuer else {
        return auth.issuers.first().ok_or_else(|| {
            Failure::usage("board.client_id: people sign in at an [[auth.issuer]], and there is none")
        });
    };
    let named = auth.issuers.iter().find(|issuer| issuer.issuer == *name);
    named.ok_or_else(|| Failure::usage(format!("board.issuer: '{name}' is the issuer of no [[auth.issuer]]")))
}
