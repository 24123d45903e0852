//! `[auth]` and `[users]`: whose tokens are taken. Source: subscriptions-and-auth 22.1, 22.6, 22.7, 21.6.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use porchlight_http::{
    ApiKey, AuthSettings, ClaimNames, Permission, Permissions, SigningAlgorithm, TrustedIssuer,
};
use porchlight_presence::{ApplicationId, TenantId, UserId};
use serde::Deserialize;
use uuid::Uuid;

use crate::exit::Failure;

/// `[auth]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuthSection {
    issuer: Vec<IssuerSection>,
    api_key: Vec<ApiKeySection>,
    denied_apps: HashSet<Uuid>,
    denied_users: HashSet<Uuid>,
    administrators: HashSet<Uuid>,
    tokens_remembered: Option<usize>,
    ca: Option<PathBuf>,
}

/// `[users]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UsersSection {
    auto_provision: Option<bool>,
}

/// `[[auth.issuer]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerSection {
    issuer: String,
    metadata: Option<String>,
    audiences: Vec<String>,
    #[serde(default)]
    tenants: Vec<Uuid>,
    tenant: Option<Uuid>,
    algorithms: Option<Vec<String>>,
    clock_skew_seconds: Option<u32>,
    #[serde(default)]
    claims: ClaimsSection,
}

/// `claims` of an issuer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ClaimsSection {
    user: Option<String>,
    tenant: Option<String>,
    app: Option<OneOrMore>,
    scopes: Option<String>,
    roles: Option<String>,
    application_only: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// `[[auth.api_key]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiKeySection {
    hash: String,
    tenant: Uuid,
    application: Uuid,
    user: Option<Uuid>,
    permissions: Vec<String>,
}

/// Whose tokens are taken.
///
/// # Errors
///
/// [`crate::exit::USAGE`], naming the key.
pub(crate) fn settings(auth: &AuthSection, users: &UsersSection) -> Result<AuthSettings, Failure> {
    let usual = AuthSettings::default();
    let issuers: Vec<TrustedIssuer> = auth.issuer.iter().map(issuer).collect::<Result<_, _>>()?;
    for (place, issuer) in issuers.iter().enumerate() {
        if issuers[..place].iter().any(|other| other.issuer == issuer.issuer) {
            return Err(Failure::usage(format!("auth.issuer: '{}' stands twice", issuer.issuer)));
        }
    }
    Ok(AuthSettings {
        issuers,
        api_keys: auth.api_key.iter().map(api_key).collect::<Result<_, _>>()?,
        denied_applications: auth.denied_apps.iter().copied().map(ApplicationId).collect(),
        denied_users: auth.denied_users.iter().copied().map(UserId).collect(),
        administrators: auth.administrators.iter().copied().map(UserId).collect(),
        provision: users.auto_provision.unwrap_or(usual.provision),
        tokens_max: auth.tokens_remembered.unwrap_or(usual.tokens_max).max(1),
        ca: auth.ca.clone(),
    })
}

fn issuer(section: &IssuerSection) -> Result<TrustedIssuer, Failure> {
    let wrong = |what: String| Failure::usage(format!("auth.issuer '{}': {what}", section.issuer));
    let algorithms = section.algorithms.as_ref().map(|names| {
        let known = |name: &String| {
            SigningAlgorithm::from_name(name).ok_or_else(|| {
                let all = SigningAlgorithm::ALL.map(SigningAlgorithm::name).join(", ");
                wrong(format!("algorithms: '{name}' is none of {all}"))
            })
        };
        names.iter().map(known).collect::<Result<Vec<_>, _>>()
    });
    let metadata = section.metadata.clone().unwrap_or_else(|| {
        format!("{}/.well-known/openid-configuration", section.issuer.trim_end_matches('/'))
    });
    let usual = TrustedIssuer::new(section.issuer.clone(), metadata, "");
    let claims = &section.claims;
    let text = |given: &Option<String>, usual: String| given.clone().unwrap_or(usual);
    let names = ClaimNames {
        user: text(&claims.user, usual.claims.user),
        tenant: text(&claims.tenant, usual.claims.tenant),
        application: match claims.app.clone() {
            None => usual.claims.application,
            Some(OneOrMore::One(name)) => vec![name],
            Some(OneOrMore::More(names)) => names,
        },
        scopes: text(&claims.scopes, usual.claims.scopes),
        roles: text(&claims.roles, usual.claims.roles),
        application_only: claims.application_only.as_ref().map(|mark| {
            let Ok(mark) = mark.parse();
            mark
        }),
    };
    let issuer = TrustedIssuer {
        audiences: section.audiences.clone(),
        tenants: section.tenants.iter().copied().map(TenantId).collect(),
        tenant: section.tenant.map(TenantId),
        algorithms: algorithms.transpose()?.unwrap_or(usual.algorithms),
        clock_skew: section
            .clock_skew_seconds
            .map_or(usual.clock_skew, |seconds| Duration::from_secs(u64::from(seconds))),
        claims: names,
        ..usual
    };
    issuer.check().map_err(wrong)?;
    Ok(issuer)
}

fn api_key(section: &ApiKeySection) -> Result<ApiKey, Failure> {
    let wrong = |what: String| Failure::usage(format!("auth.api_key of {}: {what}", section.application));
    let mut permissions = Permissions::default();
    for name in &section.permissions {
        let known = Permission::from_name(name).ok_or_else(|| {
            let all = Permission::ALL.map(Permission::name).join(", ");
            wrong(format!("permissions: '{name}' is none of {all}"))
        })?;
        permissions = permissions.or(Permissions::of(&[known]));
    }
    let kind = if section.user.is_some() { Permissions::DELEGATED } else { Permissions::APPLICATION };
    if permissions.and(kind) != permissions {
        let whose = if section.user.is_some() { "a user's" } else { "an application's" };
        return Err(wrong(format!("permissions: {whose} key can only have {kind}")));
    }
    let bytes = (section.hash.len() == 64).then(|| {
        let digits = section.hash.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        digits.map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
    });
    let hash = bytes.flatten().ok_or_else(|| {
        wrong("hash must be the 64 hexadecimal digits that `porchlight api-key` prints".to_owned())
    })?;
    Ok(ApiKey {
        hash,
        tenant: TenantId(section.tenant),
        application: ApplicationId(section.application),
        user: section.user.map(UserId),
        permissions,
    })
}
