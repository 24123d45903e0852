//! TLS for those who connect: which certificate they are shown, which may change while the server runs.
//!
//! Files, renewal and where a certificate comes from are the program's business.

use std::net::IpAddr;
use std::sync::Arc;

use metrics::gauge;
use parking_lot::RwLock;
use porchlight_presence::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{Accept, TlsAcceptor};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// How ALPN names HTTP/2. Source: RFC 9113, 3.2.
pub(crate) const HTTP_2: &[u8] = b"h2";
/// How ALPN names HTTP/1.1. Source: RFC 7301, 6.
const HTTP_1_1: &[u8] = b"http/1.1";

/// TLS 1.2 and 1.3 with one certificate, for HTTP/2 and HTTP/1.1.
pub struct Tls {
    provider: Arc<CryptoProvider>,
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The names and addresses that it is good for; of the kinds that clients look for, and in its order.
    pub names: Vec<String>,
    /// The last instant at which it is good for anything.
    pub not_after: Timestamp,
}

/// Why a certificate and a key are of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain is empty.
    #[error("there is no certificate")]
    NoCertificate,
    /// The first of the chain is not an X.509 certificate.
    #[error("the certificate cannot be read")]
    Certificate,
    /// The key is broken, or of a kind that TLS does not know.
    #[error("the key cannot be used: {0}")]
    Key(rustls::Error),
    /// The key is another certificate's.
    #[error("the key does not belong to the certificate")]
    Mismatch,
}

/// The certificate that is shown. A lock for many readers, held for a copy: every handshake reads it.
#[derive(Debug)]
struct Shown(RwLock<Certified>);

#[derive(Clone, Debug)]
struct Certified {
    key: Arc<CertifiedKey>,
    identity: Identity,
}

impl Tls {
    /// TLS that shows this chain, its own certificate first, and proves it by this key.
    ///
    /// # Errors
    ///
    /// See [`TlsError`].
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Tls, TlsError> {
        // Or the gauge would be lost.
        crate::recorder::install_recorder();
        let provider = Arc::new(default_provider());
        let certified = Certified::new(chain, key, &provider)?;
        certified.note();
        let shown = Arc::new(Shown(RwLock::new(certified)));
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has ciphers for TLS 1.2 and 1.3");
        let resolver = Arc::clone(&shown) as Arc<dyn ResolvesServerCert>;
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()];
        Ok(Tls { provider, acceptor: Arc::new(config).into(), shown })
    }

    /// Shows another chain and key from the next handshake on. Connections that are open stay as they are.
    ///
    /// # Errors
    ///
    /// See [`TlsError`]; what was shown before is shown on.
    pub fn replace(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), TlsError> {
        let certified = Certified::new(chain, key, &self.provider)?;
        certified.note();
        *self.shown.0.write() = certified;
        Ok(())
    }

    /// What the certificate that is shown says of itself.
    pub fn identity(&self) -> Identity {
        self.shown.0.read().identity.clone()
    }

    /// Shakes hands with whoever is at the other end of `stream`. It waits for them, so somebody must see to the time.
    pub(crate) fn accept(&self, stream: TcpStream) -> Accept<TcpStream> {
        self.acceptor.accept(stream)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().key))
    }
}

impl Certified {
    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Certified, TlsError> {
        let first = chain.first().ok_or(TlsError::NoCertificate)?;
        let certificate = Certificate::from_der(first).map_err(|_| TlsError::Certificate)?;
        let identity = Identity::of(&certificate);
        let key = provider.key_provider.load_private_key(key).map_err(TlsError::Key)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(Certified { key: Arc::new(certified), identity }),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(TlsError::Mismatch),
            Err(_) => Err(TlsError::Certificate),
        }
    }

    fn note(&self) {
        let seconds = self.identity.not_after.as_millis() / 1000;
        gauge!("porchlight_certificate_expires_timestamp_seconds").set(seconds as f64);
    }
}

impl Identity {
    fn of(certificate: &Certificate) -> Identity {
        let certificate = certificate.tbs_certificate();
        let names = match certificate.get_extension::<SubjectAltName>() {
            Ok(Some((_, SubjectAltName(names)))) => names.iter().filter_map(name).collect(),
            // Clients take no such certificate, but that is between them and whoever made it.
            Ok(None) | Err(_) => Vec::new(),
        };
        let not_after = certificate.validity().not_after.to_unix_duration();
        Identity { names, not_after: Timestamp::ZERO.plus(not_after) }
    }
}

/// A name as people write it; `None` for a kind that no client of ours looks for.
fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// A certificate for these names, and its key.
    fn pair(names: &[&str]) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_after = date_time_ymd(2030, 2, 1);
        (vec![params.self_signed(&key).unwrap().der().clone()], key.into())
    }

    #[test]
    fn a_certificate_says_what_it_is_good_for_and_until_when() {
        let (chain, key) = pair(&["localhost", "*.localhost", "127.0.0.1", "::1"]);
        let identity = Tls::new(chain, key).unwrap().identity();
        assert_eq!(identity.names, ["localhost", "*.localhost", "127.0.0.1", "::1"]);
        assert_eq!(identity.not_after, Timestamp::from_millis(1_896_134_400_000));
    }

    #[test]
    fn what_is_of_no_use_is_refused_and_what_was_shown_is_shown_on() {
        let (chain, key) = pair(&["one.example"]);
        let tls = Tls::new(chain.clone(), key.clone_key()).unwrap();
        let (other_chain, other_key) = pair(&["other.example"]);
        let rubbish = CertificateDer::from(vec![0x30, 0x00]);
        let broken = PrivateKeyDer::Pkcs8(vec![0x30, 0x00].into());
        let refused = [
            tls.replace(Vec::new(), key.clone_key()),
            tls.replace(vec![rubbish], key.clone_key()),
            tls.replace(chain, other_key.clone_key()),
            tls.replace(other_chain.clone(), key),
            tls.replace(other_chain.clone(), broken),
        ];
        let said = refused.map(|refused| refused.unwrap_err().to_string());
        assert_eq!(said[0], "there is no certificate");
        assert_eq!(said[1], "the certificate cannot be read");
        assert_eq!(said[2], "the key does not belong to the certificate");
        assert_eq!(said[3], "the key does not belong to the certificate");
        assert!(said[4].starts_with("the key cannot be used: "), "{}", said[4]);
        assert_eq!(tls.identity().names, ["one.example"]);
        tls.replace(other_chain, other_key).unwrap();
        assert_eq!(tls.identity().names, ["other.example"]);
    }
}
