//! Who calls: from a header to a caller.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use porchlight_engine::{Engine, PersonError};
use porchlight_notify::RootsError;
use porchlight_presence::{Timestamp, UserId};
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use rapidhash::fast::RandomState;
use sha2::{Digest, Sha256};

use super::fetch::{Fetcher, Source};
use super::fingerprint::{Fingerprint, Fingerprints};
use super::grant::Grant;
use super::issuer::{Issuer, Keys};
use super::jwt::Jwt;
use super::key_ring::KeyRing;
use super::settings::{ApiKey, AuthSettings, TrustedIssuer};
use super::{AuthError, Caller, LastCaller, Permission, Permissions, TokenError, development};
use crate::headers::Headers;
use crate::issuer::AUDIENCE;
use crate::settings::{Development, Settings};
use crate::windows::Windows;

/// What a key for scripts and devices begins with.
const API_KEY: &str = "plk_";

/// SHA-256 of an API key.
type Hash = [u8; 32];

/// Knows whose tokens are taken, and the callers whose tokens it has verified.
pub(crate) struct Authenticator {
    engine: Engine,
    settings: AuthSettings,
    development: Option<Development>,
    issuers: Vec<Issuer>,
    /// Where the keys of each issuer that has to be asked for them come from.
    sources: Vec<(Arc<KeyRing>, Source)>,
    api_keys: HashMap<Hash, ApiKey>,
    fingerprints: Fingerprints,
    verified: Cache<Fingerprint, Arc<Caller>, UnitWeighter, RandomState>,
    /// Tokens that were found in `verified` by whoever had to wait.
    hits: AtomicU64,
    /// Tokens that had to be read.
    misses: AtomicU64,
    windows: Windows,
}

/// How the remembering of tokens goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenCache {
    /// How many are remembered.
    pub(crate) entries: usize,
    /// Tokens that were remembered, beside those of [`Authenticator::recall`].
    pub(crate) hits: u64,
    /// Tokens that had to be read.
    pub(crate) misses: u64,
}

impl Authenticator {
    /// # Errors
    ///
    /// When the file of certificates cannot be read.
    pub(crate) fn new(engine: Engine, settings: &Settings) -> Result<Authenticator, RootsError> {
        let windows = Windows::new(engine.clone(), settings.rate());
        let (development, settings) = (settings.development.clone(), settings.auth.clone());
        let (mut issuers, mut sources) = (Vec::new(), Vec::new());
        if !settings.issuers.is_empty() {
            let fetcher = Fetcher::new(settings.ca.as_deref())?;
            for trusted in &settings.issuers {
                let ring = Arc::new(KeyRing::new(&trusted.issuer));
                let (fetcher, metadata, issuer) =
                    (fetcher.clone(), trusted.metadata.clone(), trusted.issuer.clone());
                sources.push((Arc::clone(&ring), Source { fetcher, metadata, issuer }));
                issuers.push(Issuer { settings: trusted.clone(), keys: Keys::Fetched(ring) });
            }
        }
        issuers.extend(development.as_ref().map(own));
        let api_keys = settings.api_keys.iter().map(|key| (key.hash, key.clone())).collect();
        let most = settings.tokens_max;
        let verified =
            Cache::with(most, most as u64, UnitWeighter, RandomState::default(), DefaultLifecycle::default());
        let fingerprints = Fingerprints::new();
        Ok(Authenticator {
            engine,
            settings,
            development,
            issuers,
            sources,
            api_keys,
            fingerprints,
            verified,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            windows,
        })
    }

    /// How the remembering of tokens goes.
    pub(crate) fn cache(&self) -> TokenCache {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TokenCache { entries: self.verified.len(), hits: count(&self.hits), misses: count(&self.misses) }
    }

    /// Fetches the keys of issuers when that has to be done, for ever.
    pub(crate) async fn keep_keys(&self) {
        let keeping = self.sources.iter().map(|(ring, source)| ring.keep(source));
        futures_util::future::join_all(keeping).await;
        // Without an issuer there is nothing to do, for ever.
        std::future::pending::<()>().await;
    }

    /// Where users sign in, and for which audience a token has to be; `origin` is how the client sees this server.
    pub(crate) fn where_to_sign_in(&self, origin: &str) -> Option<(String, &str)> {
        let issuer = self.issuers.first()?;
        let url = match &issuer.keys {
            Keys::Fetched(ring) => ring.authorization()?,
            Keys::Own(_) => format!("{origin}/common/oauth2/v2.0/authorize"),
        };
        Some((url, issuer.settings.audiences.first()?))
    }

    /// The caller of a request with these headers, if that is known without waiting; `last` is that of the request
    /// before on the same connection.
    pub(crate) fn recall(&self, headers: &Headers<'_>, last: &LastCaller) -> Option<Arc<Caller>> {
        let authorization = headers.authorization.only()?;
        let caller = if let Some(caller) = last.named_by(authorization) {
            caller
        } else {
            let caller = self.verified.get(&self.fingerprints.of(bearer(authorization).ok()?))?;
            last.note(authorization, &caller);
            caller.is_current().then_some(caller)?
        };
        (!caller.has_expired(self.engine.clock())).then_some(caller)
    }

    /// The caller of a request with these headers.
    ///
    /// # Errors
    ///
    /// See [`AuthError`].
    pub(crate) async fn authenticate(
        &self,
        headers: &Headers<'_>,
        last: &LastCaller,
    ) -> Result<Arc<Caller>, AuthError> {
        let outcome = self.find(headers, last).await;
        if let Err(AuthError::Token(error)) = &outcome {
            metrics::counter!("porchlight_tokens_refused_total", "reason" => error.reason()).increment(1);
        }
        outcome
    }

    async fn find(&self, headers: &Headers<'_>, last: &LastCaller) -> Result<Arc<Caller>, AuthError> {
        let authorization = headers.authorization.first.ok_or(TokenError::Missing)?;
        if headers.authorization.repeated {
            return Err(TokenError::Malformed.into());
        }
        let token = str::from_utf8(bearer(authorization)?).map_err(|_| TokenError::Malformed)?;
        let caller = match &self.development {
            Some(development) if development::is_one(token) => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                Arc::new(development::caller(token, &self.engine, &self.windows, development)?)
            }
            _ => self.verified(token).await?,
        };
        caller.standing(self.engine.clock())?;
        last.note(authorization, &caller);
        Ok(caller)
    }

    /// The caller whom a token names, as the directory is now. Whoever comes while the same token is being verified
    /// waits for that.
    async fn verified(&self, token: &str) -> Result<Arc<Caller>, AuthError> {
        let fingerprint = self.fingerprints.of(token.as_bytes());
        let is_known = AtomicBool::new(true);
        let verify = async {
            is_known.store(false, Ordering::Relaxed);
            self.misses.fetch_add(1, Ordering::Relaxed);
            self.admit(self.grant(token).await?).await.map(Arc::new)
        };
        let caller = self.verified.get_or_insert_async(&fingerprint, verify).await?;
        if is_known.load(Ordering::Relaxed) {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        if caller.is_current() {
            return Ok(caller);
        }
        let caller = Arc::new(self.admit(caller.grant()).await?);
        self.verified.insert(fingerprint, Arc::clone(&caller));
        Ok(caller)
    }

    /// What a token grants.
    async fn grant(&self, token: &str) -> Result<Grant, AuthError> {
        if token.starts_with(API_KEY) {
            let key = self.api_keys.get(&hash(token)).ok_or(TokenError::Unknown)?;
            return Ok(granted(key));
        }
        let jwt = Jwt::parse(token)?;
        let issuer =
            self.issuers.iter().find(|issuer| issuer.is_named(&jwt.claims)).ok_or(TokenError::Issuer)?;
        issuer.verify(&jwt, self.engine.clock().now()).await
    }

    /// The caller, unless the application or the user is refused.
    async fn admit(&self, grant: Grant) -> Result<Caller, AuthError> {
        let is_denied = self.settings.denied_applications.contains(&grant.application)
            || grant.user.is_some_and(|user| self.settings.denied_users.contains(&user));
        if is_denied {
            return Err(TokenError::Refused.into());
        }
        let tenant = self.engine.tenant_or_new(grant.tenant);
        if let Some(user) = grant.user
            && !tenant.is_somebody(user)
        {
            self.sign_in(user, &grant).await?;
        }
        let directory = tenant.directory().version();
        if grant.user.is_some_and(|user| tenant.was_deleted(user) || tenant.is_disabled(user)) {
            return Err(TokenError::Refused.into());
        }
        let window = self.windows.of(grant.tenant, grant.application);
        Ok(Caller {
            tenant,
            application: grant.application,
            user: grant.user,
            permissions: grant.permissions,
            is_administrator: grant.is_administrator
                || grant.user.is_some_and(|user| self.settings.administrators.contains(&user)),
            until: grant.until,
            introduction: grant.introduction,
            directory,
            window,
        })
    }

    /// Somebody signs in whom the directory does not have: they are put in, if that is the setting.
    async fn sign_in(&self, user: UserId, grant: &Grant) -> Result<(), AuthError> {
        let introduction = grant.introduction.as_ref().filter(|_| self.settings.provision);
        let Some(introduced) = introduction.filter(|_| grant.permissions.any(PRESENCE)) else {
            return Ok(());
        };
        match self.engine.sign_in(grant.tenant, user, introduced).await {
            Ok(()) => Ok(()),
            Err(PersonError::Write(error)) => Err(AuthError::Write(error)),
            // Whoever was deleted does not come back by an old token.
            Err(_) => Err(TokenError::Refused.into()),
        }
    }
}

/// A new key for a script or a device, of 256 random bits, and the hexadecimal digits of its SHA-256: all that the
/// server's configuration is to know of it.
pub fn new_api_key() -> (String, String) {
    let mut random = [0; 32];
    getrandom::fill(&mut random).expect("the system has random numbers");
    let key = [API_KEY, &URL_SAFE_NO_PAD.encode(random)].concat();
    let hash = hash(&key).map(|byte| format!("{byte:02x}")).concat();
    (key, hash)
}

/// Development's own issuer. It comes last: what another one issues is the other's.
fn own(development: &Development) -> Issuer {
    // Neither is asked for: its keys are here, and it has as many names as the server has addresses.
    let settings = TrustedIssuer {
        tenants: vec![development.tenant],
        clock_skew: Duration::ZERO,
        ..TrustedIssuer::new("", "", AUDIENCE)
    };
    Issuer { settings, keys: Keys::Own(development.issuer.clone()) }
}

/// With any of these somebody is here to be present. Source: subscriptions-and-auth 21.6.
const PRESENCE: Permissions =
    Permissions::of(&[Permission::PresenceRead, Permission::PresenceReadAll, Permission::PresenceReadWrite]);

fn granted(key: &ApiKey) -> Grant {
    let kind = if key.user.is_some() { Permissions::DELEGATED } else { Permissions::APPLICATION };
    Grant {
        tenant: key.tenant,
        application: key.application,
        user: key.user,
        permissions: key.permissions.and(kind),
        until: Timestamp::MAX,
        is_administrator: false,
        introduction: None,
    }
}

fn hash(key: &str) -> Hash {
    Sha256::digest(key).into()
}

/// The bearer token. The scheme's name is compared without case. What is no text is no token; that is left to whoever
/// reads it, since one that is remembered need not be looked at byte by byte.
fn bearer(authorization: &HeaderValue) -> Result<&[u8], TokenError> {
    let value = authorization.as_bytes().trim_ascii();
    let (scheme, token) = match value.iter().position(|byte| *byte == b' ') {
        Some(space) => (&value[..space], value[space..].trim_ascii_start()),
        None => (value, &value[value.len()..]),
    };
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer");
    if value.is_empty() || (is_bearer && token.is_empty()) {
        return Err(TokenError::Missing);
    }
    if is_bearer { Ok(token) } else { Err(TokenError::Malformed) }
}
