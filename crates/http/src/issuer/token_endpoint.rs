//! Tokens for what an application has: its own name, a password, a code, or an earlier token.

use std::time::Duration;

use super::client::{Client, Credential};
use super::issuer::{Asked, Issuer};
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::scopes::Scopes;
use super::tokens::{Grant, Terms};
use super::{ACCESS_TOKEN_LIFE, ACCESS_TOKEN_LIFE_MAX};
use crate::reply::Reply;

impl Issuer {
    /// POST `/{tenant}/oauth2/v2.0/token`
    pub(super) fn token(&self, form: &Parameters<'_>, asked: &Asked<'_>) -> Result<Reply, Refusal> {
        let grant_type = form.require("grant_type")?;
        let client = Client::read(form, asked.headers)?;
        let terms = Terms {
            origin: asked.origin,
            credential: client.credential,
            life: life(form)?,
            client_info: form.get("client_info") == Some("1"),
        };
        let scope = form.get("scope");
        let grant = match grant_type {
            "client_credentials" => {
                if client.credential == Credential::None {
                    return Err(Refusal::SecretMissing);
                }
                return Ok(self.answer_for_application(client, &Scopes::read(scope), terms));
            }
            "password" => self.by_password(form, client)?,
            "authorization_code" => self.by_code(form, client)?,
            "refresh_token" => self.open_refresh_token(form.require("refresh_token")?, client.application)?,
            // The second is what MSAL for JavaScript sends.
            "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => {
                self.by_device_code(form, client)?
            }
            other => return Err(Refusal::GrantUnsupported(other.to_owned())),
        };
        let person = self.person(grant.user)?;
        let scopes = if scope.is_some() { Scopes::read(scope) } else { grant.scopes.clone() };
        Ok(self.answer_for_user(&Grant { scopes, ..grant }, &person, terms))
    }

    /// Source: RFC 6749 4.3. Any password will do.
    fn by_password(&self, form: &Parameters<'_>, client: Client) -> Result<Grant, Refusal> {
        let name = form.require("username")?;
        form.require("password")?;
        let person = self.named(name)?;
        let scopes = Scopes::read(form.get("scope"));
        Ok(Grant { application: client.application, user: person.id, scopes, nonce: None })
    }

    /// Source: RFC 6749 4.1.3, RFC 7636 4.6. A code that was presented is spent, whatever comes of it.
    fn by_code(&self, form: &Parameters<'_>, client: Client) -> Result<Grant, Refusal> {
        let (code, redirect_uri) = (form.require("code")?, form.require("redirect_uri")?);
        let authorized = self.codes.redeem(code, self.now()).ok_or(Refusal::CodeInvalid)?;
        if authorized.grant.application != client.application {
            return Err(Refusal::CodeOfAnother(authorized.grant.application));
        }
        if authorized.redirect_uri != redirect_uri {
            let given = redirect_uri.to_owned();
            return Err(Refusal::RedirectDiffers { given, expected: authorized.redirect_uri });
        }
        match (&authorized.challenge, form.get("code_verifier")) {
            (None, None) => {}
            (Some(challenge), Some(verifier)) if challenge.fits(verifier) => {}
            (Some(_), Some(_)) => return Err(Refusal::VerifierWrong),
            (Some(_), None) => return Err(Refusal::VerifierMissing),
            // As if somebody had taken the challenge out of the request on its way. Source: RFC 9700 2.1.1.
            (None, Some(_)) => return Err(Refusal::VerifierUnexpected),
        }
        Ok(authorized.grant)
    }

    /// Source: RFC 8628 3.4.
    fn by_device_code(&self, form: &Parameters<'_>, client: Client) -> Result<Grant, Refusal> {
        let code = form.require("device_code")?;
        let grant = self.device_codes.redeem(code, self.now()).ok_or(Refusal::DeviceCodeInvalid)?;
        if grant.application != client.application {
            return Err(Refusal::CodeOfAnother(grant.application));
        }
        Ok(grant)
    }
}

/// How long the access token is to be good for: a parameter of our own, in seconds.
fn life(form: &Parameters<'_>) -> Result<Duration, Refusal> {
    let Some(text) = form.get("porchlight_expires_in") else { return Ok(ACCESS_TOKEN_LIFE) };
    let seconds = text.parse().ok().filter(|seconds| (1..=ACCESS_TOKEN_LIFE_MAX.as_secs()).contains(seconds));
    seconds.map(Duration::from_secs).ok_or(Refusal::LifeOutOfRange)
}
