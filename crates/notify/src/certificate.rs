//! The certificate that a subscription brings. Source: subscriptions-and-auth 15.6.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY};
use aws_lc_rs::rsa::PublicEncryptingKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_cert::Certificate as X509;
use x509_cert::der::{Decode, DecodePem, Encode};

use crate::subscription::Certificate;

/// The bits that a key may have. Source: subscriptions-and-auth 4.7.
const BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Why a certificate is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is neither a certificate in DER, in base64, nor one in PEM.
    #[error("it is no X.509 certificate, in DER and base64 or in PEM")]
    Unreadable,
    /// Its key is not RSA.
    #[error("its key is not an RSA key of 2,048 to 4,096 bits")]
    Key,
}

const PEM: &str = "-----BEGIN CERTIFICATE-----";

/// Reads a certificate, however it was encoded; `id` is what its owner calls it.
///
/// # Errors
///
/// See [`CertificateError`].
pub(crate) fn read(text: &str, id: &str) -> Result<Certificate, CertificateError> {
    let certificate = parse(text).ok_or(CertificateError::Unreadable)?;
    let der = certificate.to_der().map_err(|_| CertificateError::Unreadable)?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    let public_key = key.to_der().map_err(|_| CertificateError::Unreadable)?;
    let bits = PublicEncryptingKey::from_der(&public_key).map(|key| key.key_size_bits());
    if !bits.is_ok_and(|bits| BITS.contains(&bits)) {
        return Err(CertificateError::Key);
    }
    let hash = digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, &der);
    let digit = |digit: u8| char::from(b"0123456789ABCDEF"[usize::from(digit)]);
    let thumbprint = hash.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    Ok(Certificate { id: id.to_owned(), public_key, thumbprint })
}

fn parse(text: &str) -> Option<X509> {
    if let Some(certificate) = from_pem(text) {
        return Some(certificate);
    }
    let packed: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(packed).ok()?;
    X509::from_der(&bytes).ok().or_else(|| from_pem(std::str::from_utf8(&bytes).ok()?))
}

/// The first certificate of a PEM text.
fn from_pem(text: &str) -> Option<X509> {
    const END: &str = "-----END CERTIFICATE-----";
    let start = text.find(PEM)?;
    let end = text[start..].find(END)? + END.len();
    X509::from_pem(&text[start..start + end]).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};

    use super::*;
    use crate::vectors::{A_CERTIFICATE, A_PRIVATE_KEY, A_THUMBPRINT};

    fn made_with(key: &KeyPair) -> String {
        let certificate = CertificateParams::default().self_signed(key).unwrap();
        STANDARD.encode(certificate.der())
    }

    #[test]
    fn a_certificate_is_read_however_it_was_encoded() {
        let lines: Vec<_> =
            A_CERTIFICATE.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        let pem = format!("{PEM}\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        let chain = format!("{pem}{PEM}\nAAAA\n-----END CERTIFICATE-----\n");
        for text in [A_CERTIFICATE, &lines.join("\r\n "), &pem, &chain, &STANDARD.encode(&pem)] {
            let certificate = read(text, "its name").unwrap();
            assert_eq!(
                (certificate.id.as_str(), certificate.thumbprint.as_str()),
                ("its name", A_THUMBPRINT)
            );
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let ssh = STANDARD.encode("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7 somebody@example");
        let public_key = STANDARD.encode(read(A_CERTIFICATE, "x").unwrap().public_key);
        for text in ["", "x", "AAAA", A_PRIVATE_KEY, &ssh, &public_key, PEM] {
            assert_eq!(read(text, "x"), Err(CertificateError::Unreadable), "{text}");
        }
    }

    #[test]
    fn keys_of_other_kinds_and_sizes_are_refused() {
        let elliptic = made_with(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap());
        assert_eq!(read(&elliptic, "x"), Err(CertificateError::Key));
        // 1,024 bits, which nothing here would make any more.
        assert_eq!(read(SMALL, "x"), Err(CertificateError::Key));
        let large = made_with(&KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096).unwrap());
        assert!(read(&large, "x").is_ok());
    }

    const SMALL: &str = "\
        MIIB/DCCAWWgAwIBAgIUP0b0G61OlFzzJhai5sdUG5K5RHMwDQYJKoZIhvcNAQELBQAwEDEOMAwGA1UEAwwFc21hbGwwHhcN\
        MjYxMTI3MTQ0MzUxWhcNMzYxMTI0MTQ0MzUxWjAQMQ4wDAYDVQQDDAVzbWFsbDCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkC\
        gYEAnse4Z0Mwst8BPFgcFsDqhsGJHBsk42CVQPBCMHuKc0HpyVt8SFT/EUPcsaFwjrgFABd9/rkrJeMahbTE8amXVpiJ+ldg\
        U5iA7OXpv/J7u8zYfDTB9GeW4Lgo29w5EkTHvGsW1aEhIPDERXD2Hq4FTLKknb0OXYxG21kuY/dysmMCAwEAAaNTMFEwHQYD\
        VR0OBBYEFNqU3ZFnvIqubcfiY7VI6aHkgD3TMB8GA1UdIwQYMBaAFNqU3ZFnvIqubcfiY7VI6aHkgD3TMA8GA1UdEwEB/wQF\
        MAMBAf8wDQYJKoZIhvcNAQELBQADgYEAfxpx0RK9WLiXW0ualytc64McRXFQsGXsELo2V41G2q9tGDS4mS7102F+KBH5zbXy\
        /TySdn5akp93dxjvHzdbp2yITAlvbnnsNPSmXv3z0zt64GAvpyMuZSgsO2SDRWKWcDsFjUnPnbyWrLA9W2N5CWQG2NLYDnvO\
        kY9iX9BAuPU=";
}
