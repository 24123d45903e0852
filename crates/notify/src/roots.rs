//! Whose certificates are trusted when a request goes out.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Why a file of certificates is of no use.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {cause}", .path.display())]
pub struct RootsError {
    path: PathBuf,
    cause: String,
}

/// What the system trusts, and the certificates in `ca`, in PEM.
///
/// # Errors
///
/// When that file cannot be read, or holds something else. What cannot be read of the system's is left out.
pub fn trusted_roots(ca: Option<&Path>) -> Result<RootCertStore, RootsError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "some certificates of the system cannot be read");
    }
    roots.add_parsable_certificates(system.certs);
    let Some(path) = ca else { return Ok(roots) };
    let wrong =
        |cause: &dyn std::fmt::Display| RootsError { path: path.to_owned(), cause: cause.to_string() };
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    Ok(roots)
}
