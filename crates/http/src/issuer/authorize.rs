//! Signing in with a browser: somebody picks a person, and the application gets a code. Source: RFC 6749 4.1.

use porchlight_engine::Person;
use porchlight_presence::ApplicationId;

use super::PEOPLE_SHOWN;
use super::challenge::Challenge;
use super::client;
use super::issuer::Issuer;
use super::page::{self, Choice, SignIn};
use super::parameters::Parameters;
use super::redirect::{self, Redirect};
use super::refusal::Refusal;
use super::scopes::Scopes;
use super::tokens::{Grant, shown_name};
use crate::auth::Permissions;
use crate::reply::Reply;

/// The parameter of our own that the page's links have: the id of the person who was picked.
const PICKED: &str = "porchlight_person";

/// The parameter of our own that says that nobody was picked.
const DECLINED: &str = "porchlight_declined";

/// What a code is good for.
pub(super) struct Authorized {
    pub(super) grant: Grant,
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<Challenge>,
}

impl Issuer {
    /// GET, POST `/{tenant}/oauth2/v2.0/authorize`: the page, and what comes of it.
    ///
    /// # Errors
    ///
    /// What keeps the application from being told. Everything else goes back to it.
    pub(super) fn authorize(&self, parameters: &Parameters<'_>) -> Result<Reply, Refusal> {
        let application = client::application(parameters.require("client_id")?)?;
        let redirect = Redirect::read(parameters)?;
        let answered = self.sign_in(parameters, application, &redirect);
        Ok(answered.unwrap_or_else(|refusal| redirect.refuse(&refusal)))
    }

    fn sign_in(
        &self,
        parameters: &Parameters<'_>,
        application: ApplicationId,
        redirect: &Redirect<'_>,
    ) -> Result<Reply, Refusal> {
        redirect::check_mode(parameters)?;
        match parameters.require("response_type")? {
            "code" => {}
            other => return Err(Refusal::ResponseTypeUnsupported(other.to_owned())),
        }
        let challenge = Challenge::read(parameters)?;
        if parameters.get(DECLINED).is_some() {
            return Err(Refusal::Declined);
        }
        let hint = parameters.get("login_hint");
        let person = match (parameters.get(PICKED), parameters.get("prompt")) {
            (Some(picked), _) => self.named(picked)?,
            (None, Some("none")) => {
                hint.and_then(|hint| self.named(hint).ok()).ok_or(Refusal::LoginRequired)?
            }
            (None, _) => return Ok(self.choose(parameters, application)),
        };
        let grant = Grant {
            application,
            user: person.id,
            scopes: Scopes::read(parameters.get("scope")),
            nonce: parameters.get("nonce").map(str::to_owned),
        };
        let redirect_uri = redirect.uri.to_owned();
        let code = self.codes.issue(Authorized { grant, redirect_uri, challenge }, self.now());
        let info = self.client_info(person.id);
        let mut members = vec![("code", code.as_str())];
        if parameters.get("client_info") == Some("1") {
            members.push(("client_info", info.as_str()));
        }
        Ok(redirect.reply(&members))
    }

    /// The page on which somebody is picked.
    fn choose(&self, parameters: &Parameters<'_>, application: ApplicationId) -> Reply {
        let people = self.people(parameters.get("login_hint"));
        let choices: Vec<Choice<'_>> = people
            .iter()
            .map(|person| Choice {
                name: shown_name(person),
                account: &person.user_principal_name,
                job: person.job_title.as_deref(),
                link: format!("?{}", parameters.and(PICKED, &person.id.to_string())),
            })
            .collect();
        page::sign_in(&SignIn {
            application,
            permissions: &Scopes::read(parameters.get("scope")).permissions(Permissions::DELEGATED),
            choices: &choices,
            others: self.tenant().directory().len() > PEOPLE_SHOWN,
            decline: format!("?{}", parameters.and(DECLINED, "1")),
        })
    }

    /// Who may be picked: the first people of the directory by name, before them the one who is hinted at.
    fn people(&self, hint: Option<&str>) -> Vec<Person> {
        let ids = self.tenant().directory().ids_after(None, PEOPLE_SHOWN);
        let mut people: Vec<Person> = ids.into_iter().filter_map(|id| self.person(id).ok()).collect();
        people.sort_by_cached_key(|person| shown_name(person).to_lowercase());
        if let Some(hinted) = hint.and_then(|hint| self.named(hint).ok()) {
            people.retain(|person| person.id != hinted.id);
            people.insert(0, hinted);
        }
        people
    }
}

/// GET `/{tenant}/oauth2/v2.0/logout`: nobody is signed in here, so there is nothing to do but to go on.
///
/// Source: `OpenID` Connect RP-Initiated Logout 3.
///
/// # Errors
///
/// [`Refusal::RedirectUnusable`].
pub(super) fn log_out(parameters: &Parameters<'_>) -> Result<Reply, Refusal> {
    let Some(uri) = parameters.get("post_logout_redirect_uri") else {
        return Ok(page::notice("Signed out", "You can close this window."));
    };
    if !redirect::is_usable(uri) {
        return Err(Refusal::RedirectUnusable(uri.to_owned()));
    }
    let state: Vec<(&str, &str)> =
        parameters.get("state").map(|state| ("state", state)).into_iter().collect();
    Ok(redirect::go(uri, &state))
}
