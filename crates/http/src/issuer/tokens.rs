//! The tokens, and the answers that they go into. Source: subscriptions-and-auth 25.2.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use porchlight_engine::Person;
use porchlight_presence::{ApplicationId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Client, Credential};
use super::issuer::Issuer;
use super::refusal::Refusal;
use super::scopes::Scopes;
use super::{AUDIENCE, REFRESH_TOKEN_LIFE};
use crate::auth::Permissions;
use crate::reply::Reply;

/// Whom refresh tokens are for: the issuer alone. No caller of the API is known by one.
const REFRESH: &str = "urn:porchlight:refresh";

/// That an application may act for a user.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) application: ApplicationId,
    pub(super) user: UserId,
    pub(super) scopes: Scopes,
    /// What the application wants to find in the id token.
    pub(super) nonce: Option<String>,
}

/// How the answer to a request for a token is to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'r> {
    pub(super) origin: &'r str,
    /// How the application has proved itself.
    pub(super) credential: Credential,
    /// How long the access token is to be good for.
    pub(super) life: Duration,
    /// Whether libraries want to be told whose account it is beside the token.
    pub(super) client_info: bool,
}

/// The claims of a refresh token. It has none that would say what its bearer may do.
#[derive(Serialize, Deserialize)]
struct Refresh {
    aud: String,
    azp: Uuid,
    oid: Uuid,
    tid: Uuid,
    scope: String,
    /// Unix seconds.
    exp: i64,
    uti: String,
}

impl Issuer {
    /// The answer with tokens for a user.
    pub(super) fn answer_for_user(&self, grant: &Grant, person: &Person, terms: Terms<'_>) -> Reply {
        let life = terms.life.as_secs();
        let scopes = &grant.scopes;
        let mut answer = json!({
            "token_type": "Bearer",
            "scope": scopes.granted(Permissions::DELEGATED),
            "expires_in": life,
            "ext_expires_in": life,
            "access_token": self.user_token(grant, person, terms),
            "refresh_token": self.refresh_token(grant),
            "refresh_token_expires_in": REFRESH_TOKEN_LIFE.as_secs(),
        });
        if scopes.has("openid") {
            answer["id_token"] = self.id_token(grant, person, terms).into();
        }
        if terms.client_info {
            answer["client_info"] = self.client_info(grant.user).into();
        }
        note(&mut answer, &scopes.without_effect(Permissions::DELEGATED));
        Reply::json(&answer)
    }

    /// The answer with a token for an application of its own right.
    pub(super) fn answer_for_application(&self, client: Client, scopes: &Scopes, terms: Terms<'_>) -> Reply {
        let tenant = self.tenant;
        // The same for every token of the application, as a service principal has one.
        let oid = Uuid::new_v5(&tenant.0, client.application.to_string().as_bytes()).to_string();
        let mut claims = self.claims(AUDIENCE, terms);
        claims["azp"] = client.application.to_string().into();
        claims["azpacr"] = client.credential.azpacr().into();
        claims["oid"] = oid.as_str().into();
        claims["roles"] = json!(scopes.permissions(Permissions::APPLICATION));
        claims["sub"] = oid.as_str().into();
        claims["idtyp"] = "app".into();
        let life = terms.life.as_secs();
        let mut answer = json!({
            "token_type": "Bearer",
            "expires_in": life,
            "ext_expires_in": life,
            "access_token": self.key.sign(&claims),
        });
        note(&mut answer, &scopes.without_effect(Permissions::APPLICATION));
        Reply::json(&answer)
    }

    /// Whose account it is, for libraries that keep accounts: base64url of JSON.
    pub(super) fn client_info(&self, user: UserId) -> String {
        let info = json!({"uid": user.to_string(), "utid": self.tenant.to_string()});
        URL_SAFE_NO_PAD.encode(info.to_string())
    }

    /// What a refresh token was issued for.
    ///
    /// # Errors
    ///
    /// One that is none of ours, was issued to another application, or has expired.
    pub(super) fn open_refresh_token(
        &self,
        token: &str,
        application: ApplicationId,
    ) -> Result<Grant, Refusal> {
        let refresh: Refresh = self.key.open(token, REFRESH).ok_or(Refusal::RefreshTokenInvalid)?;
        if refresh.tid != self.tenant.0 {
            return Err(Refusal::RefreshTokenInvalid);
        }
        if refresh.azp != application.0 {
            return Err(Refusal::CodeOfAnother(ApplicationId(refresh.azp)));
        }
        if refresh.exp <= seconds(self.now()) {
            return Err(Refusal::RefreshTokenExpired);
        }
        let scopes = Scopes::read(Some(&refresh.scope));
        Ok(Grant { application, user: UserId(refresh.oid), scopes, nonce: None })
    }

    fn user_token(&self, grant: &Grant, person: &Person, terms: Terms<'_>) -> String {
        let mut claims = self.claims(AUDIENCE, terms);
        claims["azp"] = grant.application.to_string().into();
        claims["azpacr"] = terms.credential.azpacr().into();
        add_person(&mut claims, grant, person);
        claims["scp"] = grant.scopes.permissions(Permissions::DELEGATED).join(" ").into();
        claims["idtyp"] = "user".into();
        self.key.sign(&claims)
    }

    fn id_token(&self, grant: &Grant, person: &Person, terms: Terms<'_>) -> String {
        let mut claims = self.claims(&grant.application.to_string(), terms);
        add_person(&mut claims, grant, person);
        if let Some(nonce) = &grant.nonce {
            claims["nonce"] = nonce.as_str().into();
        }
        if let Some(mail) = person.mail.as_deref().filter(|_| grant.scopes.has("email")) {
            claims["email"] = mail.into();
        }
        self.key.sign(&claims)
    }

    fn refresh_token(&self, grant: &Grant) -> String {
        self.key.sign(&Refresh {
            aud: REFRESH.to_owned(),
            azp: grant.application.0,
            oid: grant.user.0,
            tid: self.tenant.0,
            scope: grant.scopes.text(),
            exp: seconds(self.now().plus(REFRESH_TOKEN_LIFE)),
            uti: random_id(),
        })
    }

    /// The claims that every token has but a refresh token.
    fn claims(&self, audience: &str, terms: Terms<'_>) -> Value {
        let now = self.now();
        json!({
            "aud": audience,
            "iss": self.name(terms.origin),
            "iat": seconds(now),
            "nbf": seconds(now),
            "exp": seconds(now) + terms.life.as_secs().cast_signed(),
            "tid": self.tenant.to_string(),
            "uti": random_id(),
            "ver": "2.0",
        })
    }
}

/// The claims that say who a token is for.
fn add_person(claims: &mut Value, grant: &Grant, person: &Person) {
    let user = grant.user.to_string();
    claims["name"] = shown_name(person).into();
    claims["preferred_username"] = person.user_principal_name.as_str().into();
    // Another one for every application, so that two of them cannot tell by it that they have the same user.
    claims["sub"] = Uuid::new_v5(&grant.application.0, user.as_bytes()).to_string().into();
    claims["oid"] = user.into();
}

/// What a person is called.
pub(super) fn shown_name(person: &Person) -> &str {
    let name = person.display_name.as_str();
    if name.is_empty() { &person.user_principal_name } else { name }
}

/// Says which of the names that were asked for grant nothing: a member of our own, which libraries pass over.
fn note(answer: &mut Value, without_effect: &[&str]) {
    if !without_effect.is_empty() {
        answer["porchlight_without_effect"] = json!(without_effect);
    }
}

/// Unix seconds.
fn seconds(at: Timestamp) -> i64 {
    at.as_millis() / 1000
}

fn random_id() -> String {
    URL_SAFE_NO_PAD.encode(Uuid::new_v4())
}
