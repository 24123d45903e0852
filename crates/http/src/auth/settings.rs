//! Whose tokens are taken. Source: subscriptions-and-auth 22.1, 22.6, 22.7.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use porchlight_presence::{ApplicationId, TenantId, UserId};

use super::Permissions;
use super::jwt::Claims;

/// Whose tokens are taken, and whose not.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// Who may issue tokens; the first one is named to callers without a token.
    pub issuers: Vec<TrustedIssuer>,
    /// Keys for scripts and devices.
    pub api_keys: Vec<ApiKey>,
    /// Applications that are refused, whatever their tokens say.
    pub denied_applications: HashSet<ApplicationId>,
    /// Users who are refused, whatever their tokens say.
    pub denied_users: HashSet<UserId>,
    /// Users who may see and write everything of their tenant that their permissions are for, besides those whose
    /// tokens say so (`wids`).
    pub administrators: HashSet<UserId>,
    /// Whether a person whom nobody has put in is created when they first sign in. Default: yes.
    pub provision: bool,
    /// How many tokens are remembered once they have been verified; more are verified again. Default 65,536.
    pub tokens_max: usize,
    /// A file of more certificates to trust when an issuer is asked for its keys, in PEM.
    pub ca: Option<PathBuf>,
}

impl Default for AuthSettings {
    fn default() -> AuthSettings {
        AuthSettings {
            issuers: Vec::new(),
            api_keys: Vec::new(),
            denied_applications: HashSet::new(),
            denied_users: HashSet::new(),
            administrators: HashSet::new(),
            provision: true,
            tokens_max: 65_536,
            ca: None,
        }
    }
}

/// An issuer whose tokens are taken.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    /// What its tokens say in `iss`; `{tenantid}` stands for the token's tenant.
    pub issuer: String,
    /// Where its discovery document is. Source: OpenID Connect Discovery 1.0, section 4.
    pub metadata: String,
    /// Whom its tokens have to be for; any of these.
    pub audiences: Vec<String>,
    /// The tenants that may come; empty: any.
    pub tenants: Vec<TenantId>,
    /// The tenant of all its tokens, for issuers that name none.
    pub tenant: Option<TenantId>,
    /// How its tokens may be signed.
    pub algorithms: Vec<SigningAlgorithm>,
    /// How far its clock may be off. Default 5 min.
    pub clock_skew: Duration,
    /// What it calls what.
    pub claims: ClaimNames,
}

impl TrustedIssuer {
    /// An issuer that names things as Entra ID does, for one audience.
    pub fn new(
        issuer: impl Into<String>,
        metadata: impl Into<String>,
        audience: impl Into<String>,
    ) -> TrustedIssuer {
        TrustedIssuer {
            issuer: issuer.into(),
            metadata: metadata.into(),
            audiences: vec![audience.into()],
            tenants: Vec::new(),
            tenant: None,
            algorithms: vec![SigningAlgorithm::RS256],
            clock_skew: Duration::from_secs(300),
            claims: ClaimNames::default(),
        }
    }
}

impl TrustedIssuer {
    /// Whether tokens can be checked with this.
    ///
    /// # Errors
    ///
    /// What is wrong, in one sentence that names the key of the configuration.
    pub fn check(&self) -> Result<(), String> {
        /// Source: subscriptions-and-auth 22.5.
        const MICROSOFT_GRAPH: [&str; 2] =
            ["https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"];
        if self.issuer.is_empty() {
            return Err("issuer must be what the tokens say in 'iss'".to_owned());
        }
        super::check_url(&self.metadata).map_err(|error| format!("metadata: {error}"))?;
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err("audiences must name whom tokens are for, such as api://porchlight".to_owned());
        }
        let of_graph = |audience: &String| MICROSOFT_GRAPH.contains(&audience.trim_end_matches('/'));
        if self.audiences.iter().any(of_graph) {
            return Err(
                "audiences: nobody but Microsoft can verify tokens for Microsoft Graph; register an application of \
                 your own and let clients ask for that one's scope"
                    .to_owned(),
            );
        }
        if self.algorithms.is_empty() {
            return Err("algorithms must not be empty".to_owned());
        }
        if self.claims.application.is_empty() {
            return Err("claims.app must not be empty".to_owned());
        }
        Ok(())
    }

    /// Whether its tokens may name any tenant, also one that another issuer speaks for: they are held to none by the
    /// settings, nor by the issuer's name.
    pub fn may_name_any_tenant(&self) -> bool {
        self.tenant.is_none() && self.tenants.is_empty() && !self.issuer.contains("{tenantid}")
    }
}

/// How a token may be signed: only ways in which whoever can check it cannot make it. Source: RFC 7518 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the protocol's")]
pub enum SigningAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: [SigningAlgorithm; 9] = [
        SigningAlgorithm::RS256,
        SigningAlgorithm::RS384,
        SigningAlgorithm::RS512,
        SigningAlgorithm::PS256,
        SigningAlgorithm::PS384,
        SigningAlgorithm::PS512,
        SigningAlgorithm::ES256,
        SigningAlgorithm::ES384,
        SigningAlgorithm::EdDSA,
    ];

    /// The name that `alg` has.
    pub fn name(self) -> &'static str {
        match self {
            SigningAlgorithm::RS256 => "RS256",
            SigningAlgorithm::RS384 => "RS384",
            SigningAlgorithm::RS512 => "RS512",
            SigningAlgorithm::PS256 => "PS256",
            SigningAlgorithm::PS384 => "PS384",
            SigningAlgorithm::PS512 => "PS512",
            SigningAlgorithm::ES256 => "ES256",
            SigningAlgorithm::ES384 => "ES384",
            SigningAlgorithm::EdDSA => "EdDSA",
        }
    }

    /// The one of this name, which is exact.
    pub fn from_name(name: &str) -> Option<SigningAlgorithm> {
        SigningAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub(super) fn library(self) -> jsonwebtoken::Algorithm {
        use jsonwebtoken::Algorithm;
        match self {
            SigningAlgorithm::RS256 => Algorithm::RS256,
            SigningAlgorithm::RS384 => Algorithm::RS384,
            SigningAlgorithm::RS512 => Algorithm::RS512,
            SigningAlgorithm::PS256 => Algorithm::PS256,
            SigningAlgorithm::PS384 => Algorithm::PS384,
            SigningAlgorithm::PS512 => Algorithm::PS512,
            SigningAlgorithm::ES256 => Algorithm::ES256,
            SigningAlgorithm::ES384 => Algorithm::ES384,
            SigningAlgorithm::EdDSA => Algorithm::EdDSA,
        }
    }
}

/// The names of the claims that are read. A name with dots, such as `realm_access.roles`, leads into objects where no
/// claim has it as it stands.
#[derive(Clone, Debug)]
pub struct ClaimNames {
    /// Who the user is. Default `oid`.
    pub user: String,
    /// Which tenant. Default `tid`.
    pub tenant: String,
    /// Which application: the first of these that is there. Default `azp`, `appid`.
    pub application: Vec<String>,
    /// The delegated permissions, in one string or a list. Default `scp`.
    pub scopes: String,
    /// The permissions of applications. Default `roles`.
    pub roles: String,
    /// What only the tokens of applications have, for issuers that do not write `idtyp`. Default: none.
    pub application_only: Option<Mark>,
}

/// A claim that tells tokens of one kind from others: that it is there, or what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The claim's name.
    pub name: String,
    /// What it has to say; `None`: whatever.
    pub value: Option<String>,
}

impl std::str::FromStr for Mark {
    type Err = std::convert::Infallible;

    /// Reads `name` or `name=value`.
    fn from_str(text: &str) -> Result<Mark, Self::Err> {
        Ok(match text.split_once('=') {
            None => Mark { name: text.to_owned(), value: None },
            Some((name, value)) => Mark { name: name.to_owned(), value: Some(value.to_owned()) },
        })
    }
}

impl Mark {
    pub(super) fn is_in(&self, claims: &Claims) -> bool {
        match &self.value {
            None => claims.has(&self.name),
            Some(value) => claims.list(&self.name, None).contains(&value.as_str()),
        }
    }
}

impl Default for ClaimNames {
    fn default() -> ClaimNames {
        ClaimNames {
            user: "oid".to_owned(),
            tenant: "tid".to_owned(),
            application: vec!["azp".to_owned(), "appid".to_owned()],
            scopes: "scp".to_owned(),
            roles: "roles".to_owned(),
            application_only: None,
        }
    }
}

/// What a key beginning with `plk_` stands for. Source: subscriptions-and-auth 22.7.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// SHA-256 of the key; the key itself is nowhere.
    pub hash: [u8; 32],
    /// The tenant.
    pub tenant: TenantId,
    /// The application.
    pub application: ApplicationId,
    /// The user whose delegate the application is; `None`: it acts of its own right.
    pub user: Option<UserId>,
    /// What it may do. Names of the other kind grant nothing.
    pub permissions: Permissions,
}
