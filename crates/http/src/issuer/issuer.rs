//! The issuer: which tenant is meant, who may sign in, and where each request goes.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::header::{CACHE_CONTROL, HeaderValue, PRAGMA};
use porchlight_engine::{Engine, Person, Tenant};
use porchlight_presence::{TenantId, Timestamp, UserId};
use uuid::Uuid;

use super::codes::Codes;
use super::endpoint::{Endpoint, Kind};
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::tokens::Grant;
use super::{CODE_LIFE, DEVICE_CODE_LIFE, IssuerKey, authorize, page};
use crate::auth;
use crate::body::Body;
use crate::error::Error;
use crate::graph;
use crate::headers::Headers;
use crate::reply::{Reply, RequestIds};
use crate::settings::{Development, HttpLimits};

/// Issues tokens for the people and to the applications of development's tenant.
pub(crate) struct Issuer {
    pub(super) engine: Engine,
    pub(super) key: IssuerKey,
    pub(super) tenant: TenantId,
    /// Whom a device code is for that names nobody.
    pub(super) first: Option<UserId>,
    pub(super) codes: Codes<authorize::Authorized>,
    pub(super) device_codes: Codes<Grant>,
}

/// A request to the issuer, but for its body.
pub(crate) struct Asked<'r> {
    pub(crate) method: &'r Method,
    pub(crate) query: &'r str,
    pub(crate) headers: &'r Headers<'r>,
    pub(crate) limits: &'r HttpLimits,
    pub(crate) ids: &'r RequestIds,
    /// Scheme, host and port as the client sees them.
    pub(crate) origin: &'r str,
}

impl Issuer {
    /// The issuer of this development mode.
    pub(crate) fn new(engine: &Engine, development: &Development) -> Issuer {
        let mut seeds = development.seeds.iter().filter(|seed| seed.tenant == development.tenant);
        let first = seeds.find_map(|seed| seed.people.first()).map(|person| person.id);
        Issuer {
            engine: engine.clone(),
            key: development.issuer.clone(),
            tenant: development.tenant,
            first,
            codes: Codes::good_for(CODE_LIFE),
            device_codes: Codes::good_for(DEVICE_CODE_LIFE),
        }
    }

    /// Answers a request to one of the endpoints.
    ///
    /// # Errors
    ///
    /// A method that is not for this endpoint, and what [`Body::read`] answers. What the issuer itself refuses is an
    /// answer in OAuth's shape, or a page where a person would read it.
    pub(crate) async fn answer(
        &self,
        endpoint: Endpoint<'_>,
        asked: &Asked<'_>,
        body: Body,
    ) -> Result<Reply, Error> {
        graph::check_among(asked.method, endpoint.methods())?;
        let form = match *asked.method {
            Method::POST => Some(body.read(asked.headers, asked.limits).await?),
            _ => None,
        };
        let answered = self.route(endpoint, asked, form.as_ref());
        let mut reply = answered.unwrap_or_else(|refusal| match endpoint.kind {
            Kind::Authorize | Kind::Logout => page::refusal(&refusal),
            Kind::Discovery | Kind::Token | Kind::DeviceCode | Kind::Instance | Kind::UserRealm(_) => {
                refusal.reply(asked.ids, self.now())
            }
        });
        // Tokens and codes are for whoever asked, and for no cache on the way. Source: RFC 6749 5.1.
        reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply.headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        Ok(reply)
    }

    fn route(
        &self,
        endpoint: Endpoint<'_>,
        asked: &Asked<'_>,
        form: Option<&Bytes>,
    ) -> Result<Reply, Refusal> {
        self.check_tenant(endpoint.tenant)?;
        let text = match form {
            Some(form) => form_text(asked.headers, form)?,
            None => asked.query,
        };
        let parameters = Parameters::read(text)?;
        match endpoint.kind {
            Kind::Discovery => Ok(self.discovery(asked.origin)),
            Kind::Token => self.token(&parameters, asked),
            Kind::DeviceCode if form.is_none() => Ok(page::notice(
                "Nothing to do",
                "In development mode a device code is approved at once. Go back to where you were told to come here.",
            )),
            Kind::DeviceCode => self.device_code(&parameters, asked),
            Kind::Authorize => self.authorize(&parameters),
            Kind::Logout => authorize::log_out(&parameters),
            Kind::Instance => self.instance(&parameters, asked.origin),
            Kind::UserRealm(user) => self.user_realm(user, asked.origin),
        }
    }

    /// Codes and tokens begin and end by the engine's clock, which tests move.
    pub(super) fn now(&self) -> Timestamp {
        self.engine.clock().now()
    }

    /// The tenant of all that is issued.
    pub(super) fn tenant(&self) -> Arc<Tenant> {
        self.engine.tenant_or_new(self.tenant)
    }

    /// What tokens name as their issuer.
    pub(super) fn name(&self, origin: &str) -> String {
        format!("{origin}/{}/v2.0", self.tenant)
    }

    /// Refuses a path whose tenant is not the one that there is.
    fn check_tenant(&self, name: &str) -> Result<(), Refusal> {
        if ["common", "organizations"].contains(&name) || Uuid::try_parse(name) == Ok(self.tenant.0) {
            return Ok(());
        }
        if name == "consumers" {
            return Err(Refusal::PersonalAccounts);
        }
        if has_domain(&self.tenant(), name) {
            return Ok(());
        }
        Err(Refusal::TenantUnknown { name: name.to_owned(), tenant: self.tenant })
    }

    /// The person of this name, who may sign in.
    ///
    /// # Errors
    ///
    /// [`Refusal::PersonUnknown`] and [`Refusal::PersonDisabled`].
    pub(super) fn named(&self, name: &str) -> Result<Person, Refusal> {
        let user = auth::person(name, &self.tenant());
        self.person(user.map_err(|_| Refusal::PersonUnknown(name.to_owned()))?)
    }

    /// The person with this id, who may sign in.
    ///
    /// # Errors
    ///
    /// [`Refusal::PersonUnknown`] and [`Refusal::PersonDisabled`].
    pub(super) fn person(&self, user: UserId) -> Result<Person, Refusal> {
        let tenant = self.tenant();
        let person = tenant.directory().person(user);
        let person = person.ok_or_else(|| Refusal::PersonUnknown(user.to_string()))?;
        if !person.account_enabled || tenant.is_hidden(user) {
            return Err(Refusal::PersonDisabled(person.user_principal_name));
        }
        Ok(person)
    }
}

/// Whether somebody's user principal name ends in this domain.
fn has_domain(tenant: &Tenant, domain: &str) -> bool {
    let directory = tenant.directory();
    let everybody = directory.ids_after(None, usize::MAX).into_iter();
    everybody.filter_map(|user| directory.person(user)).any(|person| {
        let known = person.user_principal_name.rsplit_once('@');
        known.is_some_and(|(_, known)| known.eq_ignore_ascii_case(domain))
    })
}

/// A body that is a form.
fn form_text<'b>(headers: &Headers<'_>, body: &'b Bytes) -> Result<&'b str, Refusal> {
    let essence = headers.content_type.text().and_then(|text| text.split(';').next()).unwrap_or_default();
    if !essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refusal::NotAForm);
    }
    std::str::from_utf8(body).map_err(|_| Refusal::ParameterUnreadable)
}
