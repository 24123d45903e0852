//! `porchlight token`: a token of a running development server, for scripts and for trying things.

use http::StatusCode;
use porchlight_http::Development;
use serde_json::Value;

use crate::cli::TokenFlags;
use crate::client::{Answer, Client};
use crate::exit::{Failure, UNAVAILABLE};
use crate::{complain, say};

/// Where development servers issue tokens.
const PATH: &str = "/common/oauth2/v2.0/token";

/// Asks the server, and prints the token and nothing else.
pub(crate) fn run(flags: &TokenFlags) -> Result<(), Failure> {
    let client = Client::anonymous(&flags.address)?;
    let form = form(flags);
    let members: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = client.post_form(PATH, &members)?;
    say(&token(&answer, client.host())?);
    Ok(())
}

/// The request: for a person by their name and any password, for an application by any secret.
fn form(flags: &TokenFlags) -> Vec<(&'static str, String)> {
    let application = flags.app.unwrap_or(Development::APPLICATION.0).to_string();
    let life = flags.ttl.as_secs().to_string();
    let mut form = vec![("client_id", application), ("porchlight_expires_in", life)];
    let secret = || "any".to_owned();
    let scope = if let Some(user) = &flags.user {
        form.extend([
            ("grant_type", "password".to_owned()),
            ("username", user.clone()),
            ("password", secret()),
        ]);
        &flags.scp
    } else {
        form.extend([("grant_type", "client_credentials".to_owned()), ("client_secret", secret())]);
        &flags.role
    };
    form.extend(scope.clone().map(|scope| ("scope", scope)));
    form
}

/// The token in an answer.
///
/// # Errors
///
/// What the server says, if it is one that issues tokens.
fn token(answer: &Answer, host: &str) -> Result<String, Failure> {
    let body = answer.json().unwrap_or_default();
    if let Some(token) = body["access_token"].as_str() {
        let without_effect = body["porchlight_without_effect"].as_array().into_iter().flatten();
        for name in without_effect.filter_map(Value::as_str) {
            complain(&format!(
                "warning: there is no permission '{name}' for such a token; it grants nothing"
            ));
        }
        return Ok(token.to_owned());
    }
    if let Some(description) = body["error_description"].as_str() {
        return Err(Failure::usage(description));
    }
    let what = match body["error"]["message"].as_str() {
        Some(_) if answer.status == StatusCode::NOT_FOUND => format!(
            "the server on {host} is not in development mode: only one that was started with --dev issues tokens"
        ),
        Some(message) => format!("the server on {host} has answered {}: {message}", answer.status.as_u16()),
        None => format!("what answers on {host} is no porchlight"),
    };
    Err(Failure::new(UNAVAILABLE, anyhow::Error::msg(what)))
}
