//! Validation tokens: they prove to a receiver that a notification comes from this installation. Source:
//! subscriptions-and-auth 14.
//!
//! All nodes of a cluster sign with the same keys, whichever of them has made them: what the log has counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::{Mutex, MutexGuard};
use porchlight_engine::{Engine, WriteError};
use porchlight_presence::{TenantId, Timestamp};
use porchlight_store::AppendError;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::record;
use crate::subscription::Subscription;

/// The application that the original's tokens come from, "Microsoft Graph Change Tracking": receivers compare with it.
const PUBLISHER: &str = "0bf30f3b-4a52-48df-9a82-234910c4a086";

/// How long a token is good for.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// For how long it is used again and again: what is told then is good for another hour.
const USED: Duration = Duration::from_secs(23 * 60 * 60);

/// The name of the secret in the log.
const SECRET: &str = "signing";

/// The format of the secret, which this program writes.
const VERSION: u8 = 1;

/// A key this old is followed by another one.
const ROTATE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A key is shown for this long before tokens are signed with it. Source: 14.5.
const SHOWN_BEFORE: Duration = Duration::from_secs(24 * 60 * 60);

/// How often to look whether the keys of another node, which was quicker, have come.
const LOOK: Duration = Duration::from_millis(10);

/// A key is shown for this long after the last token was signed with it. Source: 14.5.
const SHOWN_AFTER: Duration = Duration::from_secs(48 * 60 * 60);

/// A key as the log keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    #[serde(with = "record")]
    made_at: Timestamp,
    /// The private key, PKCS #8 in PEM.
    key: String,
    /// Its certificate, in DER.
    certificate: Vec<u8>,
}

/// A key that is good to sign with.
struct Key {
    stored: Stored,
    private: EncodingKey,
    public: SigningKey,
}

/// Signs validation tokens.
pub struct Signer {
    engine: Engine,
    known: Mutex<Known>,
    /// Held while a key is made.
    making: tokio::sync::Mutex<()>,
    /// The same for every token: who publishes.
    publisher: Uuid,
    tokens: Mutex<HashMap<(TenantId, String, String), Signed>>,
}

/// The keys, and the secret of the log that they were read from.
#[derive(Default)]
struct Known {
    secret: Option<Bytes>,
    /// In the order of their making; none before the first one is needed.
    keys: Vec<Key>,
}

/// A token, and when it is not used any more.
struct Signed {
    token: Arc<str>,
    until: Timestamp,
}

/// The public half of a key, as a JWKS shows it. Source: RFC 7517, RFC 7518 6.3.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// Its id.
    pub kid: String,
    /// The modulus, base64url.
    pub modulus: String,
    /// The exponent, base64url.
    pub exponent: String,
    /// Its certificate in DER, base64.
    pub certificate: String,
    /// SHA-1 of the certificate, base64url.
    pub thumbprint: String,
}

/// The claims of a token. Source: 14.2.
#[derive(Serialize)]
struct Claims<'c> {
    aud: &'c str,
    iss: &'c str,
    idp: &'c str,
    appid: &'c str,
    azp: &'c str,
    appidacr: &'c str,
    azpacr: &'c str,
    tid: String,
    oid: String,
    sub: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    ver: &'c str,
    uti: String,
}

impl Signer {
    /// The signer of this installation. It may have no key yet.
    pub(crate) fn new(engine: &Engine) -> Signer {
        let publisher = Uuid::new_v5(&engine.log_id().0, PUBLISHER.as_bytes());
        Signer {
            engine: engine.clone(),
            known: Mutex::default(),
            making: tokio::sync::Mutex::default(),
            publisher,
            tokens: Mutex::default(),
        }
    }

    /// The keys as the log has them by now, whoever has made or changed them.
    fn known(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock();
        let secret = self.engine.known_secret(SECRET);
        if secret != known.secret {
            let keys = secret.as_deref().and_then(decode).unwrap_or_default();
            *known = Known { secret, keys: keys.into_iter().map(Key::new).collect() };
        }
        known
    }

    /// The keys to check tokens with.
    pub fn keys(&self) -> Vec<SigningKey> {
        self.known().keys.iter().map(|key| key.public.clone()).collect()
    }

    /// Makes the first key, if there is none yet, and keeps it in the log.
    ///
    /// # Errors
    ///
    /// Whatever the log answers.
    pub(crate) async fn make_first(&self) -> Result<(), WriteError> {
        if self.has_keys() {
            return Ok(());
        }
        let _alone = self.making.lock().await;
        if self.has_keys() {
            return Ok(());
        }
        let before = self.known().secret.clone();
        let first = make(self.engine.clock().now()).await;
        self.keep(before.as_ref(), &[first]).await
    }

    fn has_keys(&self) -> bool {
        !self.known().keys.is_empty()
    }

    /// Whether [`Signer::rotate`] has something to do.
    pub(crate) fn is_due(&self) -> bool {
        let (now, known) = (self.engine.clock().now(), self.known());
        is_old(&known.keys, now) || is_over(&known.keys, now)
    }

    /// Makes the next key when the newest one is old, and drops the first one when it is not needed any more.
    ///
    /// # Errors
    ///
    /// Whatever the log answers; the keys stay as they are.
    pub(crate) async fn rotate(&self) -> Result<(), WriteError> {
        let _alone = self.making.lock().await;
        let now = self.engine.clock().now();
        let (before, mut stored, is_old, is_over) = {
            let known = self.known();
            let stored: Vec<Stored> = known.keys.iter().map(|key| key.stored.clone()).collect();
            (known.secret.clone(), stored, is_old(&known.keys, now), is_over(&known.keys, now))
        };
        if is_over {
            stored.remove(0);
        }
        if is_old {
            stored.push(make(now).await);
        }
        self.keep(before.as_ref(), &stored).await
    }

    /// Keeps these keys in the log, in place of those read from `before`. If another node has been quicker, its keys
    /// count, and are waited for.
    async fn keep(&self, before: Option<&Bytes>, keys: &[Stored]) -> Result<(), WriteError> {
        let secret = postcard::to_extend(keys, vec![VERSION]).expect("a vector takes any number of bytes");
        // Making a key takes a while, in which those of another node may have come.
        if self.known().secret.as_ref() != before {
            return Ok(());
        }
        match self.engine.keep_secret(SECRET, Bytes::from(secret)).await {
            Err(WriteError::Log(AppendError::Conflict { .. })) => self.wait_for_others(before).await,
            kept => kept,
        }
    }

    async fn wait_for_others(&self, before: Option<&Bytes>) -> Result<(), WriteError> {
        let others = async {
            while self.known().secret.as_ref() == before {
                tokio::time::sleep(LOOK).await;
            }
        };
        let came = tokio::time::timeout(self.engine.append_timeout(), others).await;
        came.map_err(|_| WriteError::Log(AppendError::Unavailable))
    }

    /// A token for whoever made this subscription; `None` before the first key is made. Source: 14.1, 14.6.
    pub(crate) fn token(&self, subscription: &Subscription) -> Option<Arc<str>> {
        let application = subscription.application.to_string();
        let audience = subscription.url_app.as_ref().unwrap_or(&application);
        let now = self.engine.clock().now();
        let pair = (subscription.tenant, audience.clone(), subscription.base.clone());
        let mut tokens = self.tokens.lock();
        if let Some(signed) = tokens.get(&pair).filter(|signed| now < signed.until) {
            return Some(Arc::clone(&signed.token));
        }
        tokens.retain(|_, signed| now < signed.until);
        let token: Arc<str> = self.sign(audience, subscription.tenant, &subscription.base, now)?.into();
        let until = now.plus(USED);
        tokens.insert(pair, Signed { token: Arc::clone(&token), until });
        Some(token)
    }

    fn sign(&self, audience: &str, tenant: TenantId, base: &str, now: Timestamp) -> Option<String> {
        let issuer = format!("{base}/{tenant}/");
        let seconds = |at: Timestamp| at.as_millis() / 1000;
        let claims = Claims {
            aud: audience,
            iss: &issuer,
            idp: &issuer,
            appid: PUBLISHER,
            azp: PUBLISHER,
            appidacr: "2",
            azpacr: "2",
            tid: tenant.to_string(),
            oid: self.publisher.to_string(),
            sub: self.publisher.to_string(),
            iat: seconds(now),
            nbf: seconds(now),
            exp: seconds(now.plus(LIFE)),
            ver: "1.0",
            uti: URL_SAFE_NO_PAD.encode(Uuid::new_v4()),
        };
        let known = self.known();
        // The newest that has been shown for long enough; the first one has nobody before it to wait for.
        let is_shown = |key: &&Key| key.stored.made_at.plus(SHOWN_BEFORE) <= now;
        let key = known.keys.iter().rev().find(is_shown).or(known.keys.first())?;
        let header = Header { kid: Some(key.public.kid.clone()), ..Header::new(Algorithm::RS256) };
        let token = jsonwebtoken::encode(&header, &claims, &key.private);
        Some(token.expect("the key was made for this algorithm"))
    }
}

impl Key {
    fn new(stored: Stored) -> Key {
        const OURS: &str = "the key was made by this program";
        let private = EncodingKey::from_rsa_pem(stored.key.as_bytes()).expect(OURS);
        let jwk = Jwk::from_encoding_key(&private, Algorithm::RS256).expect(OURS);
        let AlgorithmParameters::RSA(rsa) = jwk.algorithm else { unreachable!("{OURS}") };
        let sha256 = digest::digest(&SHA256, &stored.certificate);
        let sha1 = digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, &stored.certificate);
        let public = SigningKey {
            kid: URL_SAFE_NO_PAD.encode(sha256),
            modulus: rsa.n,
            exponent: rsa.e,
            certificate: STANDARD.encode(&stored.certificate),
            thumbprint: URL_SAFE_NO_PAD.encode(sha1),
        };
        Key { stored, private, public }
    }
}

/// Whether the newest key is to be followed by another one.
fn is_old(keys: &[Key], now: Timestamp) -> bool {
    keys.last().is_some_and(|newest| newest.stored.made_at.plus(ROTATE) <= now)
}

/// Whether the first key was followed by another one so long ago that nobody needs it any more.
fn is_over(keys: &[Key], now: Timestamp) -> bool {
    let followed = keys.get(1).map(|next| next.stored.made_at.plus(SHOWN_BEFORE));
    followed.is_some_and(|last_used| last_used.plus(SHOWN_AFTER) <= now)
}

fn decode(secret: &[u8]) -> Option<Vec<Stored>> {
    let (&VERSION, keys) = secret.split_first()? else { return None };
    postcard::from_bytes(keys).ok()
}

/// A new key. Half a second of arithmetic, which is in nobody's way.
async fn make(now: Timestamp) -> Stored {
    tokio::task::spawn_blocking(move || make_now(now)).await.expect("making a key does not panic")
}

fn make_now(made_at: Timestamp) -> Stored {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048);
    let key = key.expect("the system has random numbers");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Porchlight");
    let certificate = params.self_signed(&key).expect("a key can sign its own certificate");
    Stored { made_at, key: key.serialize_pem(), certificate: certificate.der().to_vec() }
}

#[cfg(test)]
mod tests {
    use porchlight_engine::{Clock, Options};
    use porchlight_store::{Log, Memory};

    use super::*;
    use crate::subscription::Target;
    use crate::subscription::tests::subscription;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// The key that a token was signed with.
    fn kid(signer: &Signer) -> String {
        let token = signer.token(&subscription(1, Target::Everybody)).unwrap();
        jsonwebtoken::decode_header(&*token).unwrap().kid.unwrap()
    }

    /// Two nodes over one log.
    fn two_engines() -> (Engine, Engine) {
        let clock = || Arc::new(Clock::manual(Timestamp::from_millis(1_700_000_000_000)));
        let mut memory = None;
        let open = |replica| {
            let log = memory.insert(Arc::new(Memory::new(replica)));
            Ok::<_, std::convert::Infallible>(Arc::clone(log) as Arc<dyn Log>)
        };
        let one = Engine::open(clock(), Options::default(), open).unwrap();
        let memory = memory.unwrap();
        let open =
            |replica| Ok::<_, std::convert::Infallible>(Arc::new(memory.beside(replica)) as Arc<dyn Log>);
        let other = Engine::open(clock(), Options::default(), open).unwrap();
        (one, other)
    }

    fn kids(signer: &Signer) -> Vec<String> {
        signer.keys().into_iter().map(|key| key.kid).collect()
    }

    #[tokio::test]
    async fn a_key_is_shown_before_it_is_used_and_after() {
        let clock = Arc::new(Clock::manual(Timestamp::from_millis(1_700_000_000_000)));
        let open =
            |replica| Ok::<_, std::convert::Infallible>(Arc::new(Memory::new(replica)) as Arc<dyn Log>);
        let engine = Engine::open(clock, Options::default(), open).unwrap();
        let signer = Signer::new(&engine);
        assert!(signer.token(&subscription(1, Target::Everybody)).is_none() && !signer.is_due());
        signer.make_first().await.unwrap();
        let first = kid(&signer);
        assert_eq!(kids(&signer), std::slice::from_ref(&first));

        engine.clock().advance(ROTATE);
        assert!(signer.is_due());
        signer.rotate().await.unwrap();
        let [_, second] = kids(&signer).try_into().unwrap();
        assert_eq!(kid(&signer), first, "the second one has not been shown yet");
        // A token is used for most of a day.
        engine.clock().advance(DAY);
        assert_eq!(kid(&signer), second);
        assert!(!signer.is_due());
        assert_eq!(kids(&Signer::new(&engine)), [first, second.clone()], "the log has both");

        engine.clock().advance(2 * DAY);
        assert!(signer.is_due());
        signer.rotate().await.unwrap();
        assert_eq!(kids(&signer), [second]);
        assert!(!signer.is_due());
    }

    #[tokio::test]
    async fn nodes_that_make_the_first_key_at_once_end_up_with_the_same() {
        let (one, other) = two_engines();
        let (one, other) = (Signer::new(&one), Signer::new(&other));
        let (first, second) = tokio::join!(one.make_first(), other.make_first());
        first.unwrap();
        second.unwrap();
        assert_eq!(kids(&one).len(), 1);
        assert_eq!((kids(&one), kid(&one)), (kids(&other), kid(&other)));

        one.engine.clock().advance(ROTATE);
        other.engine.clock().advance(ROTATE);
        assert!(one.is_due() && other.is_due());
        one.rotate().await.unwrap();
        assert!(!other.is_due(), "what one has made is known to the other");
        assert_eq!((kids(&one).len(), kids(&one)), (2, kids(&other)));
    }
}
