//! Validation tokens: they prove to a receiver that a notification comes from this installation. Source:
//! subscriptions-and-auth 14.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use porchlight_engine::{Engine, WriteError};
use porchlight_presence::{TenantId, Timestamp};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

/// A key as the log keeps it.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    /// The private key, PKCS #8 in PEM.
    key: String,
    /// Its certificate, in DER.
    certificate: Vec<u8>,
}

/// Signs validation tokens.
pub struct Signer {
    engine: Engine,
    key: EncodingKey,
    public: SigningKey,
    /// The same for every token: who publishes.
    publisher: Uuid,
    tokens: Mutex<HashMap<(TenantId, String, String), Signed>>,
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
    /// The signer of this installation; its key is made when it is first asked for, and kept in the log.
    ///
    /// # Errors
    ///
    /// Whatever the log answers.
    pub(crate) async fn of(engine: &Engine) -> Result<Signer, WriteError> {
        if let Some(known) = Signer::known(engine) {
            return Ok(known);
        }
        // Half a second of arithmetic.
        let stored = tokio::task::spawn_blocking(make).await.expect("making a key does not panic");
        let secret = postcard::to_extend(&stored, vec![VERSION]).expect("a vector takes any number of bytes");
        engine.keep_secret(SECRET, Bytes::from(secret)).await?;
        Ok(Signer::new(engine, &stored))
    }

    /// The signer of this installation, if its key was made already.
    pub(crate) fn known(engine: &Engine) -> Option<Signer> {
        let stored = decode(&engine.known_secret(SECRET)?)?;
        Some(Signer::new(engine, &stored))
    }

    fn new(engine: &Engine, stored: &Stored) -> Signer {
        let key = EncodingKey::from_rsa_pem(stored.key.as_bytes()).expect("the key was made by this program");
        let jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).expect("the key was made by this program");
        let AlgorithmParameters::RSA(rsa) = jwk.algorithm else { unreachable!("the key is one of RSA") };
        let sha256 = digest::digest(&SHA256, &stored.certificate);
        let sha1 = digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, &stored.certificate);
        let public = SigningKey {
            kid: URL_SAFE_NO_PAD.encode(sha256),
            modulus: rsa.n,
            exponent: rsa.e,
            certificate: STANDARD.encode(&stored.certificate),
            thumbprint: URL_SAFE_NO_PAD.encode(sha1),
        };
        let publisher = Uuid::new_v5(&Uuid::NAMESPACE_OID, public.kid.as_bytes());
        Signer { engine: engine.clone(), key, public, publisher, tokens: Mutex::default() }
    }

    /// The keys to check tokens with.
    pub fn keys(&self) -> Vec<SigningKey> {
        vec![self.public.clone()]
    }

    /// A token for whoever made this subscription. Source: 14.1, 14.6.
    pub(crate) fn token(&self, subscription: &Subscription) -> Arc<str> {
        let application = subscription.application.to_string();
        let audience = subscription.url_app.as_ref().unwrap_or(&application);
        let now = self.engine.clock().now();
        let pair = (subscription.tenant, audience.clone(), subscription.base.clone());
        let mut tokens = self.tokens.lock();
        if let Some(signed) = tokens.get(&pair).filter(|signed| now < signed.until) {
            return Arc::clone(&signed.token);
        }
        tokens.retain(|_, signed| now < signed.until);
        let token: Arc<str> = self.sign(audience, subscription.tenant, &subscription.base, now).into();
        let until = now.plus(USED);
        tokens.insert(pair, Signed { token: Arc::clone(&token), until });
        token
    }

    fn sign(&self, audience: &str, tenant: TenantId, base: &str, now: Timestamp) -> String {
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
        let header = Header { kid: Some(self.public.kid.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, &claims, &self.key).expect("the key was made for this algorithm")
    }
}

fn decode(secret: &[u8]) -> Option<Stored> {
    let (&VERSION, stored) = secret.split_first()? else { return None };
    postcard::from_bytes(stored).ok()
}

fn make() -> Stored {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048);
    let key = key.expect("the system has random numbers");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Porchlight");
    let certificate = params.self_signed(&key).expect("a key can sign its own certificate");
    Stored { key: key.serialize_pem(), certificate: certificate.der().to_vec() }
}
