//! Codes for devices without a browser. Source: RFC 8628.

use serde_json::json;

use super::DEVICE_CODE_LIFE;
use super::client::Client;
use super::issuer::{Asked, Issuer};
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::scopes::Scopes;
use super::tokens::{Grant, shown_name};
use crate::reply::Reply;

impl Issuer {
    /// POST `/{tenant}/oauth2/v2.0/devicecode`: a code that is approved already, for the person in `login_hint` or else
    /// the first one of the seed.
    pub(super) fn device_code(&self, form: &Parameters<'_>, asked: &Asked<'_>) -> Result<Reply, Refusal> {
        let client = Client::read(form, asked.headers)?;
        let person = match (form.get("login_hint"), self.first) {
            (Some(name), _) => self.named(name)?,
            (None, Some(first)) => self.person(first)?,
            (None, None) => return Err(Refusal::NobodyThere),
        };
        let grant = Grant {
            application: client.application,
            user: person.id,
            scopes: Scopes::read(form.get("scope")),
            nonce: None,
        };
        let name = shown_name(&person);
        Ok(Reply::json(&json!({
            "user_code": "NOT-NEEDED",
            "device_code": self.device_codes.issue(grant, self.now()),
            "verification_uri": format!("{}/{}/oauth2/v2.0/devicecode", asked.origin, self.tenant),
            "expires_in": DEVICE_CODE_LIFE.as_secs(),
            "interval": 1,
            "message": format!("There is nothing to do: development mode has signed in {name} already."),
        })))
    }
}
