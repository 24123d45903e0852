//! Encryption of a resource for one receiver. Source: subscriptions-and-auth 15.

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A resource that only the holder of a private key can read. Each text is base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The encrypted resource.
    pub data: String,
    /// HMAC-SHA256 of the encrypted bytes.
    pub signature: String,
    /// The key that both were made with, encrypted.
    pub key: String,
}

/// Why a resource was not encrypted: the library said no, which it does not say why.
#[derive(Debug, thiserror::Error)]
#[error("the resource could not be encrypted")]
pub(crate) struct SealError;

impl From<aws_lc_rs::error::Unspecified> for SealError {
    fn from(_: aws_lc_rs::error::Unspecified) -> SealError {
        SealError
    }
}

/// Encrypts for one receiver.
#[derive(Debug)]
pub(crate) struct Sealer(OaepPublicEncryptingKey);

/// A key for one resource alone, since its first half is the initialisation vector as well. Source: 15.3.
type ResourceKey = [u8; 32];

impl Sealer {
    /// # Errors
    ///
    /// When this is no `SubjectPublicKeyInfo` of an RSA key.
    pub(crate) fn new(public_key: &[u8]) -> Result<Sealer, SealError> {
        let key = PublicEncryptingKey::from_der(public_key).map_err(|_| SealError)?;
        Ok(Sealer(OaepPublicEncryptingKey::new(key)?))
    }

    /// Encrypts a resource with a key of its own.
    pub(crate) fn seal(&self, resource: &[u8]) -> Result<Sealed, SealError> {
        let mut key = [0; 32];
        rand::fill(&mut key)?;
        let (data, signature) = encrypt(&key, resource)?;
        let mut sealed_key = vec![0; self.0.ciphertext_size()];
        let sealed_key = self.0.encrypt(&OAEP_SHA1_MGF1SHA1, &key, &mut sealed_key, None)?;
        Ok(Sealed { data, signature, key: STANDARD.encode(sealed_key) })
    }
}

/// The encrypted resource and its signature, both in base64.
fn encrypt(key: &ResourceKey, resource: &[u8]) -> Result<(String, String), SealError> {
    let vector: [u8; 16] = *key.first_chunk().ok_or(SealError)?;
    let mut bytes = resource.to_vec();
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, key)?)?;
    cipher.less_safe_encrypt(&mut bytes, EncryptionContext::Iv128(FixedLength::from(vector)))?;
    let signature = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), &bytes);
    Ok((STANDARD.encode(&bytes), STANDARD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey};

    use super::*;
    use crate::certificate;
    use crate::vectors::{
        A_CERTIFICATE, A_DATA, A_KEY, A_PRIVATE_KEY, A_RESOURCE, A_SIGNATURE, B_DATA, B_RESOURCE, B_SIGNATURE,
    };

    /// What the holder of vector A's private key makes of an encrypted key.
    fn open(key: &str) -> Vec<u8> {
        let private = PrivateDecryptingKey::from_pkcs8(&STANDARD.decode(A_PRIVATE_KEY).unwrap()).unwrap();
        let private = OaepPrivateDecryptingKey::new(private).unwrap();
        let mut opened = vec![0; private.min_output_size()];
        let sealed = STANDARD.decode(key).unwrap();
        private.decrypt(&OAEP_SHA1_MGF1SHA1, &sealed, &mut opened, None).unwrap().to_vec()
    }

    #[test]
    fn vector_a_comes_out_as_written() {
        let key: ResourceKey = std::array::from_fn(|place| place as u8);
        assert_eq!(
            encrypt(&key, A_RESOURCE.as_bytes()).unwrap(),
            (A_DATA.to_owned(), A_SIGNATURE.to_owned())
        );
        assert_eq!(open(A_KEY), key);
    }

    #[test]
    fn vector_b_comes_out_as_written() {
        let key = *b"\xf0\xe1\xd2\xc3\xb4\xa5\x96\x87\x78\x69\x5a\x4b\x3c\x2d\x1e\x0f\
            \x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
        assert_eq!(
            encrypt(&key, B_RESOURCE.as_bytes()).unwrap(),
            (B_DATA.to_owned(), B_SIGNATURE.to_owned())
        );
    }

    #[test]
    fn every_resource_has_a_key_of_its_own() {
        let certificate = certificate::read(A_CERTIFICATE, "x").unwrap();
        let sealer = Sealer::new(&certificate.public_key).unwrap();
        let (one, other) = (sealer.seal(b"same").unwrap(), sealer.seal(b"same").unwrap());
        assert_ne!((&one.data, &one.key), (&other.data, &other.key));
        let key: ResourceKey = open(&one.key).try_into().unwrap();
        assert_eq!(encrypt(&key, b"same").unwrap(), (one.data, one.signature));
        assert_ne!(open(&other.key), key);
    }
}
