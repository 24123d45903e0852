//! The keys of an issuer. Source: RFC 7517.

use std::sync::Arc;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::settings::SigningAlgorithm;

/// More keys than any issuer has at a time.
const KEYS_MAX: usize = 256;

/// Keys that signatures are checked with.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet(Vec<Arc<Key>>);

/// One of them.
#[derive(Clone)]
pub(super) struct Key {
    id: Option<String>,
    /// The only algorithm that it is for; `None`: any of its kind.
    algorithm: Option<String>,
    /// Whose tokens alone it signs, with `{tenantid}` for the tenant; `None`: any that come from where it was fetched.
    issuer: Option<String>,
    public: DecodingKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl KeySet {
    /// Reads a JWKS. A key that is not understood, or is not for signatures, is left out: the others are good without it.
    ///
    /// # Errors
    ///
    /// What is wrong, when it is no JWKS or has no key that is of use.
    pub(super) fn read(bytes: &[u8]) -> Result<KeySet, String> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON Web Key Set: {error}"))?;
        let keys: Vec<_> =
            document.keys.into_iter().take(KEYS_MAX).filter_map(read_key).map(Arc::new).collect();
        if keys.is_empty() {
            Err("it has no key that signatures can be checked with".to_owned())
        } else {
            Ok(KeySet(keys))
        }
    }

    /// A set of one key.
    #[cfg(test)]
    pub(super) fn of(id: &str, public: DecodingKey) -> KeySet {
        KeySet(vec![Arc::new(Key::new(id, public))])
    }

    /// How many keys there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The key of this id; without an id the only one that there is.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&Arc<Key>> {
        match id {
            Some(id) => self.0.iter().find(|key| key.id.as_deref() == Some(id)),
            None if self.0.len() == 1 => self.0.first(),
            None => None,
        }
    }
}

impl Key {
    /// A key with this id, for any algorithm of its kind.
    pub(super) fn new(id: &str, public: DecodingKey) -> Key {
        Key { id: Some(id.to_owned()), algorithm: None, issuer: None, public }
    }

    /// Whether the key has signed this, by this algorithm.
    pub(super) fn has_signed(&self, signed: &str, signature: &str, algorithm: SigningAlgorithm) -> bool {
        self.algorithm.as_deref().is_none_or(|only| only == algorithm.name())
            && self.public.family() == algorithm.library().family()
            && jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &self.public, algorithm.library())
                .unwrap_or(false)
    }

    /// Whether the key may sign what this issuer issues.
    pub(super) fn is_for(&self, issuer: &str, tenant: Option<&str>) -> bool {
        self.issuer.as_ref().is_none_or(|only| match tenant {
            Some(tenant) => only.replace("{tenantid}", tenant) == issuer,
            None => only == issuer,
        })
    }
}

fn read_key(value: Value) -> Option<Key> {
    let issuer = value.get("issuer").and_then(Value::as_str).map(str::to_owned);
    let algorithm = value.get("alg").and_then(Value::as_str).map(str::to_owned);
    let key: Jwk = serde_json::from_value(value).ok()?;
    if key.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature)
        || matches!(key.algorithm, AlgorithmParameters::OctetKey(_))
    {
        return None;
    }
    let public = DecodingKey::from_jwk(&key).ok()?;
    // A key that whoever checks with it could sign with, too.
    if public.family() == AlgorithmFamily::Hmac {
        return None;
    }
    Some(Key { id: key.common.key_id, algorithm, issuer, public })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"ec","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

    #[test]
    fn keys_of_no_use_are_left_out() {
        let others = [
            r#"{"kty":"oct","kid":"oct","k":"c2VjcmV0"}"#,
            r#"{"kty":"RSA","kid":"enc","use":"enc","n":"AQAB","e":"AQAB"}"#,
            r#"{"kty":"XYZ","kid":"new"}"#,
            r#"{"kid":"none"}"#,
            "7",
        ];
        let set = KeySet::read(format!(r#"{{"keys":[{},{EC}]}}"#, others.join(",")).as_bytes()).unwrap();
        assert!(set.find(Some("ec")).is_some() && set.find(None).is_some());
        for id in ["oct", "enc", "new", "none", ""] {
            assert!(set.find(Some(id)).is_none(), "{id}");
        }
        for none in [r#"{"keys":[]}"#, r#"{"keys":[7]}"#, "[]", "", r#"{"key":[]}"#] {
            assert!(KeySet::read(none.as_bytes()).is_err(), "{none}");
        }
    }

    #[test]
    fn a_key_may_be_bound_to_an_issuer() {
        let bound = EC.replace("\"kid\":\"ec\"", "\"kid\":\"ec\",\"issuer\":\"https://x/{tenantid}/v2.0\"");
        let set = KeySet::read(format!(r#"{{"keys":[{bound}]}}"#).as_bytes()).unwrap();
        let key = set.find(Some("ec")).unwrap();
        assert!(key.is_for("https://x/1/v2.0", Some("1")));
        assert!(!key.is_for("https://x/2/v2.0", Some("1")));
        assert!(!key.is_for("https://x/2/v2.0", None));
        assert!(!key.is_for("https://y/1/v2.0", Some("1")));
    }
}
