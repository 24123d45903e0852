//! What development mode keeps in the data folder, in `development/`.
//!
//! | name | what it is |
//! |---|---|
//! | `ca.pem`, `ca.key` | the authority that the certificate of https is signed by; see `dev_ca.rs` |
//! | `issuer.key` | the key that tokens are signed with, in PEM |
//! | `url` | where the server can be reached by plain http, while it runs |
//!
//! Production mode never looks there.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use porchlight_http::IssuerKey;

use crate::exit::{CANNOT_CREATE, DATA, Failure, UNAVAILABLE};

/// The folder's name.
const FOLDER: &str = "development";
const KEY: &str = "issuer.key";
const URL: &str = "url";

/// Development's part of a data folder.
pub(crate) struct Folder(PathBuf);

/// That a server can be reached, for as long as this lives.
pub(crate) struct Announced(PathBuf);

impl Folder {
    /// Development's part of this data folder, made if it is not there, for nobody else to read.
    ///
    /// # Errors
    ///
    /// [`CANNOT_CREATE`].
    pub(crate) fn of(data: &Path) -> Result<Folder, Failure> {
        let path = data.join(FOLDER);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        // It may have been there with other rights.
        let made = made.and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o700)));
        made.map_err(|cause| cannot_write(&path, &cause))?;
        Ok(Folder(path))
    }

    /// The key that tokens are signed with, made at the first start.
    ///
    /// # Errors
    ///
    /// [`DATA`] when what is there is no key, [`CANNOT_CREATE`].
    pub(crate) fn issuer_key(&self) -> Result<IssuerKey, Failure> {
        let path = self.0.join(KEY);
        match fs::read_to_string(&path) {
            Ok(pem) => IssuerKey::from_pem(&pem).map_err(|wrong| {
                let shown = path.display();
                Failure::new(DATA, anyhow!("{shown}: {wrong}; remove the file to have another key made"))
            }),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                let key = IssuerKey::generate();
                self.write(KEY, &key.to_pem())?;
                Ok(key)
            }
            Err(cause) => Err(Failure::new(DATA, anyhow!("cannot read {}: {cause}", path.display()))),
        }
    }

    /// Notes where the server listens, for `porchlight token --data`.
    ///
    /// # Errors
    ///
    /// [`CANNOT_CREATE`].
    pub(crate) fn announce(&self, address: SocketAddr) -> Result<Announced, Failure> {
        let path = self.0.join(URL);
        let url = format!("http://{}\n", reachable(address));
        self.write(URL, &url)?;
        Ok(Announced(path))
    }

    /// The file of this name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file whole or not at all, for nobody else to read.
    ///
    /// # Errors
    ///
    /// [`CANNOT_CREATE`].
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let new = self.0.join(format!("{name}.new"));
        let write = || {
            let mut file =
                OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, self.path(name))
        };
        write().map_err(|cause| cannot_write(&self.path(name), &cause))
    }
}

/// A file of development's part of a data folder, there or not.
pub(crate) fn path(data: &Path, name: &str) -> PathBuf {
    data.join(FOLDER).join(name)
}

impl Drop for Announced {
    fn drop(&mut self) {
        // If it cannot be removed, whoever reads it learns that nobody answers.
        fs::remove_file(&self.0).ok();
    }
}

/// Where the development server over this data folder can be reached.
///
/// # Errors
///
/// [`UNAVAILABLE`] when none runs.
pub(crate) fn url_of(data: &Path) -> Result<String, Failure> {
    let read = fs::read_to_string(path(data, URL));
    read.map(|url| url.trim().to_owned()).map_err(|_| {
        let shown = data.display();
        let why =
            anyhow!("no development server runs over {shown}: start porchlight serve --dev --data {shown}");
        Failure::new(UNAVAILABLE, why)
    })
}

/// The address by which this machine reaches what listens on another: on every address means also on its own.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(four) if four.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, four.port()).into(),
        SocketAddr::V6(six) if six.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, six.port()).into(),
        other => other,
    }
}

fn cannot_write(path: &Path, cause: &io::Error) -> Failure {
    Failure::new(CANNOT_CREATE, anyhow!("{} cannot be written: {cause}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_also_this_machines_own() {
        for (listening, reached) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.1:7", "127.0.0.1:7"),
            ("192.0.2.7:7", "192.0.2.7:7"),
        ] {
            assert_eq!(reachable(listening.parse().unwrap()).to_string(), reached);
        }
    }
}
