//! The key that development's tokens are signed with.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The key that development's tokens are signed with: RSA. Cheap to clone.
#[derive(Clone)]
pub struct IssuerKey(
    /// Made when it is first needed: that is a tenth of a second of arithmetic, which most servers of tests never need.
    Arc<OnceLock<Pair>>,
);

/// The key in every form that it is needed in.
struct Pair {
    /// The private key, PKCS #8 in PEM.
    pem: String,
    private: EncodingKey,
    public: DecodingKey,
    /// The key's id: its thumbprint. Source: RFC 7638.
    kid: String,
    /// base64url.
    modulus: String,
    /// base64url.
    exponent: String,
}

impl IssuerKey {
    /// A new key of 2,048 bits, made when it is first needed.
    pub fn generate() -> IssuerKey {
        IssuerKey(Arc::new(OnceLock::new()))
    }

    /// The key of a PEM text, as [`IssuerKey::to_pem`] writes it.
    ///
    /// # Errors
    ///
    /// What is wrong with a text that is no private RSA key of 2,048 bits or more.
    pub fn from_pem(pem: &str) -> Result<IssuerKey, String> {
        Pair::read(pem.to_owned()).map(|pair| IssuerKey(Arc::new(OnceLock::from(pair))))
    }

    /// The private key: PKCS #8 in PEM. A secret.
    pub fn to_pem(&self) -> String {
        self.pair().pem.clone()
    }

    /// The id by which tokens name the key.
    pub(crate) fn kid(&self) -> &str {
        &self.pair().kid
    }

    /// The public half, to check signatures with.
    pub(crate) fn decoding_key(&self) -> &DecodingKey {
        &self.pair().public
    }

    /// The public half for a JSON Web Key Set, without a certificate: there is none. Source: RFC 7517, RFC 7518 6.3.1.
    pub(crate) fn jwk(&self) -> Value {
        let pair = self.pair();
        json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": pair.kid,
            "n": pair.modulus,
            "e": pair.exponent,
        })
    }

    /// A token with these claims.
    pub(super) fn sign(&self, claims: &impl Serialize) -> String {
        let header = Header { kid: Some(self.kid().to_owned()), ..Header::new(Algorithm::RS256) };
        let token = jsonwebtoken::encode(&header, claims, &self.pair().private);
        token.expect("the key is for this algorithm, and claims are JSON")
    }

    /// The claims of a token that this key has signed for this audience; whether it has expired is not looked at, since
    /// the library would ask the system's clock.
    pub(super) fn open<C: DeserializeOwned>(&self, token: &str, audience: &str) -> Option<C> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["aud"]);
        validation.set_audience(&[audience]);
        jsonwebtoken::decode(token, self.decoding_key(), &validation).ok().map(|token| token.claims)
    }

    fn pair(&self) -> &Pair {
        self.0.get_or_init(Pair::generate)
    }
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("IssuerKey").finish_non_exhaustive()
    }
}

impl Pair {
    fn generate() -> Pair {
        let key = KeyPair::generate(KeySize::Rsa2048).expect("the system has random numbers");
        let der: Pkcs8V1Der<'static> = key.as_der().expect("a key that was just made can be written");
        Pair::read(pem(der.as_ref())).expect("the key was made by this program")
    }

    fn read(pem: String) -> Result<Pair, String> {
        let wrong = |error: jsonwebtoken::errors::Error| format!("it is no private RSA key in PEM: {error}");
        let private = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(wrong)?;
        let jwk = Jwk::from_encoding_key(&private, Algorithm::RS256).map_err(wrong)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(wrong)?;
        let AlgorithmParameters::RSA(rsa) = jwk.algorithm else {
            return Err("it is a key, but not of RSA".to_owned());
        };
        let public = DecodingKey::from_rsa_components(&rsa.n, &rsa.e).map_err(wrong)?;
        Ok(Pair { pem, private, public, kid, modulus: rsa.n, exponent: rsa.e })
    }
}

/// A private key in PEM. Source: RFC 7468 10.
fn pem(der: &[u8]) -> String {
    let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem + "-----END PRIVATE KEY-----\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_after_it_was_written_and_read() {
        let key = IssuerKey::generate();
        let again = IssuerKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!((again.kid(), again.to_pem()), (key.kid(), key.to_pem()));
        let token = key.sign(&json!({"aud": "them", "what": 7}));
        assert_eq!(again.open::<Value>(&token, "them").unwrap()["what"], 7);
        assert_eq!(again.open::<Value>(&token, "others"), None, "for another audience");
        let another = IssuerKey::generate();
        assert_ne!(another.kid(), key.kid());
        assert_eq!(another.open::<Value>(&token, "them"), None, "signed by another key");
    }

    #[test]
    fn a_text_that_is_no_key_is_refused() {
        let key = IssuerKey::generate().to_pem();
        let damaged = key.replacen("MII", "MIJ", 1);
        let cut: String =
            key.lines().take(5).chain(["-----END PRIVATE KEY-----"]).collect::<Vec<_>>().join("\n");
        for text in ["", "key", &damaged, &cut] {
            assert!(IssuerKey::from_pem(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_of_a_key_shows_in_logs() {
        assert_eq!(format!("{:?}", IssuerKey::generate()), "IssuerKey { .. }");
    }
}
