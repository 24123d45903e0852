//! An issuer whose tokens are taken: which of them, and what they grant. Source: subscriptions-and-auth 21, 22.

use std::sync::Arc;

use porchlight_presence::{ApplicationId, TenantId, Timestamp, UserId};
use uuid::Uuid;

use super::grant::{Grant, introduction};
use super::jwt::{Claims, Jwt};
use super::key_ring::{KeyError, KeyRing};
use super::key_set::Key;
use super::settings::{SigningAlgorithm, TrustedIssuer};
use super::{AuthError, Permission, Permissions, TokenError};
use crate::issuer::IssuerKey;
use crate::wire::guid;

/// The tenant of accounts that belong to nobody's organization. Source: subscriptions-and-auth 23.4.
const PERSONAL: TenantId = TenantId(Uuid::from_u128(0x9188_040d_6c67_4c5b_b112_36a3_04b6_6dad));

/// The role of those who may see everything of their tenant. Source: subscriptions-and-auth 9.2.
const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";

/// What stands for the token's tenant in an issuer's name.
const TENANT_ID: &str = "{tenantid}";

/// An issuer and its keys.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) settings: TrustedIssuer,
    pub(super) keys: Keys,
}

/// Where the keys of an issuer come from.
#[derive(Debug)]
pub(super) enum Keys {
    /// They are fetched.
    Fetched(Arc<KeyRing>),
    /// It is this program's own, made when it is first needed.
    Own(IssuerKey),
}

impl Issuer {
    /// Whether a token that says this is from here. Nothing is verified yet.
    pub(super) fn is_named(&self, claims: &Claims) -> bool {
        let Some(named) = claims.text("iss") else { return false };
        let tenant = claims.text(&self.settings.claims.tenant);
        match (&self.keys, tenant) {
            // The same server has several addresses, and its tokens name the one that they were asked for at.
            (Keys::Own(_), Some(tenant)) => named
                .strip_suffix("/v2.0")
                .and_then(|rest| rest.strip_suffix(tenant))
                .is_some_and(|rest| rest.ends_with('/')),
            (Keys::Fetched(_), Some(tenant)) => named == self.settings.issuer.replace(TENANT_ID, tenant),
            (_, None) => named == self.settings.issuer,
        }
    }

    /// What a token from here grants at `now`: steps 2 and 4 to 9 of 22.2, in their order.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    pub(super) async fn verify(&self, jwt: &Jwt<'_>, now: Timestamp) -> Result<Grant, AuthError> {
        let algorithm = self.algorithm(&jwt.algorithm)?;
        let key = self.key(jwt).await?;
        metrics::counter!("porchlight_tokens_verified_total").increment(1);
        if !key.has_signed(jwt.signed, jwt.signature, algorithm) {
            return Err(TokenError::Signature.into());
        }
        let until = self.check_times(&jwt.claims, now)?;
        self.check_audience(&jwt.claims)?;
        let tenant = self.tenant(&jwt.claims)?;
        if tenant == PERSONAL {
            return Err(AuthError::Personal);
        }
        Ok(self.grant(&jwt.claims, tenant, until)?)
    }

    fn algorithm(&self, name: &str) -> Result<SigningAlgorithm, TokenError> {
        let algorithm = SigningAlgorithm::from_name(name).ok_or(TokenError::Algorithm)?;
        if self.settings.algorithms.contains(&algorithm) { Ok(algorithm) } else { Err(TokenError::Algorithm) }
    }

    async fn key(&self, jwt: &Jwt<'_>) -> Result<Arc<Key>, AuthError> {
        let id = jwt.key_id.as_deref();
        let key = match &self.keys {
            Keys::Own(own) => {
                let own = (id == Some(own.kid())).then(|| Key::new(own.kid(), own.decoding_key().clone()));
                own.map(Arc::new).ok_or(KeyError::Unknown)
            }
            Keys::Fetched(ring) => ring.find(id).await,
        };
        let key = key.map_err(|error| match error {
            KeyError::Unknown => AuthError::Token(TokenError::Key),
            KeyError::Unavailable => AuthError::KeysUnavailable,
        })?;
        let named = jwt.claims.text("iss").unwrap_or_default();
        if key.is_for(named, jwt.claims.text(&self.settings.claims.tenant)) {
            Ok(key)
        } else {
            Err(TokenError::Key.into())
        }
    }

    /// Until when the token is good.
    fn check_times(&self, claims: &Claims, now: Timestamp) -> Result<Timestamp, TokenError> {
        let skew = self.settings.clock_skew;
        let ends = Timestamp::from_millis(claims.instant("exp")?.ok_or(TokenError::Claims)?).plus(skew);
        if ends <= now {
            return Err(TokenError::Expired);
        }
        let begins = claims.instant("nbf")?.map(Timestamp::from_millis);
        if begins.is_some_and(|begins| begins > now.plus(skew)) {
            return Err(TokenError::NotYet);
        }
        Ok(ends)
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), TokenError> {
        let bare = |audience: &str| audience.strip_suffix('/').unwrap_or(audience).to_owned();
        let given: Vec<String> = claims.list("aud", None).into_iter().map(bare).collect();
        let is_ours = self.settings.audiences.iter().any(|own| given.contains(&bare(own)));
        if is_ours { Ok(()) } else { Err(TokenError::Audience) }
    }

    /// Which tenant; that it is the one inside `iss`, the issuer was found by.
    fn tenant(&self, claims: &Claims) -> Result<TenantId, TokenError> {
        let named = claims.text(&self.settings.claims.tenant);
        let tenant = self.settings.tenant.or_else(|| named.map(|named| TenantId(self.guid(named))));
        let tenant = tenant.ok_or(TokenError::Claims)?;
        let may_come = self.settings.tenants.is_empty() || self.settings.tenants.contains(&tenant);
        if may_come { Ok(tenant) } else { Err(TokenError::Tenant) }
    }

    fn grant(&self, claims: &Claims, tenant: TenantId, until: Timestamp) -> Result<Grant, TokenError> {
        let names = &self.settings.claims;
        let application =
            names.application.iter().find_map(|name| claims.text(name)).ok_or(TokenError::Claims)?;
        let user = claims.text(&names.user);
        let application_id = ApplicationId(self.guid(application));
        let scopes = claims.list(&names.scopes, Some(' '));
        if self.is_application(claims, &scopes, user == Some(application)) {
            let roles = granted(&claims.list(&names.roles, Some(' ')), Permissions::APPLICATION);
            return Ok(Grant {
                tenant,
                application: application_id,
                user: None,
                permissions: roles,
                until,
                is_administrator: false,
                introduction: None,
            });
        }
        Ok(Grant {
            tenant,
            application: application_id,
            user: Some(UserId(self.guid(user.ok_or(TokenError::Claims)?))),
            permissions: granted(&scopes, Permissions::DELEGATED),
            until,
            is_administrator: claims.list("wids", None).contains(&GLOBAL_ADMINISTRATOR),
            introduction: Some(introduction(claims)),
        })
    }

    /// Whether the token is an application's, acting of its own right. Source: 21.3.
    fn is_application(&self, claims: &Claims, scopes: &[&str], user_is_application: bool) -> bool {
        match claims.text("idtyp") {
            Some("app") => true,
            Some("user") => false,
            // Without a resource owner the subject is the client. Source: RFC 9068 2.2.
            _ if user_is_application => true,
            _ => match &self.settings.claims.application_only {
                // Only that tells: people may have roles, too.
                Some(mark) => mark.is_in(claims),
                None => scopes.is_empty() && claims.has(&self.settings.claims.roles),
            },
        }
    }

    /// A GUID as it is; anything else as the `UUIDv5` of issuer and value. Source: 22.1.
    fn guid(&self, text: &str) -> Uuid {
        guid::parse(text).unwrap_or_else(|| {
            let issuer = Uuid::new_v5(&Uuid::NAMESPACE_URL, self.settings.issuer.as_bytes());
            Uuid::new_v5(&issuer, text.as_bytes())
        })
    }
}

/// The permissions of these names. Unknown ones, and those of the other kind, grant nothing.
fn granted(names: &[&str], kind: Permissions) -> Permissions {
    let named = names.iter().filter_map(|name| Permission::from_name(name));
    named.fold(Permissions::default(), |all, one| all.or(Permissions::of(&[one]))).and(kind)
}
