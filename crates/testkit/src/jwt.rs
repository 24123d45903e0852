//! Tokens, as whoever gets one can read them.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A signed token, read but not checked. Source: RFC 7515, RFC 7519.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// The header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
    signed: String,
    signature: Vec<u8>,
}

impl Jwt {
    /// The parts of a token.
    ///
    /// # Panics
    ///
    /// When it is none.
    pub fn read(token: &str) -> Jwt {
        let (signed, signature) = token.rsplit_once('.').expect("a token has three parts");
        let (header, claims) = signed.split_once('.').expect("a token has three parts");
        let json = |part: &str| -> Value {
            serde_json::from_slice(&decode(part)).expect("header and claims are JSON")
        };
        let (header, claims) = (json(header), json(claims));
        Jwt { header, claims, signed: signed.to_owned(), signature: decode(signature) }
    }

    /// Whether the RSA key that the token names is in this key set, and has signed it.
    pub fn is_signed_by(&self, jwks: &Value) -> bool {
        let keys = jwks["keys"].as_array().into_iter().flatten();
        let named = keys.filter(|key| key["kid"] == self.header["kid"]).any(|key| {
            let part = |name: &str| decode(key[name].as_str().unwrap_or_default());
            let key = RsaPublicKeyComponents { n: part("n"), e: part("e") };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, self.signed.as_bytes(), &self.signature).is_ok()
        });
        named && self.header["alg"] == "RS256"
    }
}

fn decode(base64: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(base64).expect("base64url without padding")
}
