//! What a receiver reads encrypted notifications with.

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A receiver's private key. Source: subscriptions-and-auth 15.8.
pub struct PrivateKey(OaepPrivateDecryptingKey);

impl PrivateKey {
    /// The RSA key of a PEM text in PKCS #8.
    ///
    /// # Panics
    ///
    /// When it is none.
    pub fn new(pem: &str) -> PrivateKey {
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let key = PrivateDecryptingKey::from_pkcs8(&decode(&base64)).expect("an RSA key in PKCS #8");
        PrivateKey(OaepPrivateDecryptingKey::new(key).expect("a key that decrypts"))
    }

    /// The resource in an `encryptedContent`, once its signature was found to be right.
    ///
    /// # Panics
    ///
    /// When it is not for this key, or not what its signature says.
    pub fn open(&self, content: &Value) -> Value {
        let part = |name: &str| match content[name].as_str() {
            Some(text) => decode(text),
            None => panic!("there is no {name}: {content}"),
        };
        let mut room = vec![0; self.0.min_output_size()];
        let opened = self.0.decrypt(&OAEP_SHA1_MGF1SHA1, &part("dataKey"), &mut room, None);
        let key: &[u8] = opened.expect("it is encrypted for this key");
        let mut data = part("data");
        let signing = hmac::Key::new(HMAC_SHA256, key);
        hmac::verify(&signing, &data, &part("dataSignature")).expect("the signature is right");
        let vector: [u8; 16] = *key.first_chunk().expect("a key of 32 bytes");
        let cipher = UnboundCipherKey::new(&AES_256, key).expect("a key of 32 bytes");
        let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(cipher).expect("AES has this mode");
        let resource = cipher.decrypt(&mut data, DecryptionContext::Iv128(FixedLength::from(vector)));
        serde_json::from_slice(resource.expect("the padding is right")).expect("the resource is JSON")
    }
}

fn decode(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).expect("base64 with its padding")
}
