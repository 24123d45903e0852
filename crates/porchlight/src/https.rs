//! https: where it is spoken, with which certificate, and what happens when that is renewed.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::Clock;
use porchlight_http::Tls;
use porchlight_presence::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Deserializer};

use crate::cli::ServeFlags;
use crate::dev_ca::{DevCa, Name};
use crate::development::Folder;
use crate::exit::{Failure, INTERNAL};

/// The port for https beside one for http.
const PORT: u16 = 8443;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long before its end a certificate is warned of, and how often.
pub(crate) const NOTICE: Duration = Duration::from_secs(14 * 24 * 60 * 60);
const AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// `[https]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HttpsSection {
    listen: Option<HttpsListen>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    names: Option<Vec<String>>,
}

/// Where https is spoken, if anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpsListen {
    Nowhere,
    At(SocketAddr),
}

impl FromStr for HttpsListen {
    type Err = String;

    fn from_str(text: &str) -> Result<HttpsListen, String> {
        if text == "none" {
            return Ok(HttpsListen::Nowhere);
        }
        text.parse().map(HttpsListen::At).map_err(|_| "neither an address with a port nor 'none'".to_owned())
    }
}

impl<'de> Deserialize<'de> for HttpsListen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HttpsListen, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format!("'{text}' is {error}")))
    }
}

/// How https is to be spoken.
#[derive(Debug)]
pub(crate) struct Https {
    pub(crate) listen: SocketAddr,
    source: Source,
}

/// Where the certificate comes from.
#[derive(Debug)]
enum Source {
    Files(Files),
    /// Development's own, for these names too.
    Development {
        names: Vec<Name>,
    },
}

#[derive(Clone, Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What stands in both files.
#[derive(Clone, PartialEq, Eq)]
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// How https is to be spoken; `None`: not at all. Beside http on `listen`.
///
/// # Errors
///
/// [`crate::exit::USAGE`], naming the key.
pub(crate) fn settings(
    flags: &ServeFlags,
    section: &HttpsSection,
    listen: SocketAddr,
    dev: bool,
) -> Result<Option<Https>, Failure> {
    let wanted = flags.https_listen.or(section.listen);
    let certificate = flags.https_certificate.as_ref().or(section.certificate.as_ref());
    let key = flags.https_key.as_ref().or(section.key.as_ref());
    let files = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(Files { certificate: certificate.clone(), key: key.clone() }),
        _ => {
            return Err(Failure::usage(
                "https.certificate and https.key go together: give both --https-certificate and --https-key",
            ));
        }
    };
    let names = flags.https_names.as_ref().or(section.names.as_ref());
    if names.is_some() && (!dev || files.is_some()) {
        return Err(Failure::usage(
            "https.names is for the certificate that development mode makes: the names of another one stand in it",
        ));
    }
    let names = names.into_iter().flatten().map(|name| name.parse()).collect::<Result<Vec<Name>, String>>();
    let names = names.map_err(|error| Failure::usage(format!("https.names: {error}")))?;
    let beside = SocketAddr::new(listen.ip(), if listen.port() == 0 { 0 } else { PORT });
    let address = match wanted {
        Some(HttpsListen::At(address)) => address,
        None if dev || files.is_some() => beside,
        Some(HttpsListen::Nowhere) | None => return Ok(None),
    };
    let source = match files {
        Some(files) => Source::Files(files),
        None if dev => Source::Development { names },
        None => {
            return Err(Failure::usage(
                "https.listen needs a certificate: give --https-certificate and --https-key",
            ));
        }
    };
    if address == listen && address.port() != 0 {
        return Err(Failure::usage(format!(
            "http and https cannot both listen on {address}: choose another with --https-listen"
        )));
    }
    Ok(Some(Https { listen: address, source }))
}

impl Https {
    /// Reads the certificate, or makes development's, whose authority is kept in `folder`.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`] for files that are of no use, and those of [`DevCa`].
    pub(crate) fn open(&self, folder: Option<&Folder>) -> Result<Certificate, Failure> {
        let clock = Clock::system();
        let (tls, authority, watched) = match &self.source {
            Source::Files(files) => {
                let pair = files.read().map_err(Failure::usage)?;
                let (chain, key) = files.parse(&pair).map_err(Failure::usage)?;
                let tls = Tls::new(chain, key).map_err(|error| Failure::usage(files.complaint(&error)))?;
                (tls, None, Some(Watched { files: files.clone(), found: Ok(pair), is_settled: true }))
            }
            Source::Development { names } => {
                let authority = match folder {
                    Some(folder) => DevCa::in_folder(folder, names, clock.now())?,
                    None => DevCa::in_memory(names, clock.now())?,
                };
                let (chain, key) = authority.certify(names, clock.now())?;
                let tls = Tls::new(chain, key).map_err(|error| Failure::new(INTERNAL, error))?;
                (tls, Some(authority.into_pem()), None)
            }
        };
        let certificate = Certificate { tls: Arc::new(tls), authority, watched, clock, warned: None };
        if certificate.watched.is_some() {
            certificate.tell("https shows this certificate");
        }
        Ok(certificate)
    }

    /// The files of the certificate and of its key; `None`: development's own is shown.
    pub(crate) fn files(&self) -> Option<(&Path, &Path)> {
        match &self.source {
            Source::Files(files) => Some((&files.certificate, &files.key)),
            Source::Development { .. } => None,
        }
    }

    /// What development's own certificate is for besides this machine; `None`: another one is shown.
    pub(crate) fn names(&self) -> Option<Vec<String>> {
        match &self.source {
            Source::Files(_) => None,
            Source::Development { names } => Some(names.iter().map(Name::text).collect()),
        }
    }

    /// Whether development's own certificate is shown.
    pub(crate) fn is_developments(&self) -> bool {
        matches!(self.source, Source::Development { .. })
    }
}

/// The certificate in use.
pub(crate) struct Certificate {
    tls: Arc<Tls>,
    authority: Option<String>,
    /// What is looked at for another one.
    watched: Option<Watched>,
    /// The machine's own time, since a certificate ends by that, whatever development's clock says.
    clock: Clock,
    /// When its end was last warned of.
    warned: Option<Timestamp>,
}

/// Files that are looked at.
struct Watched {
    files: Files,
    /// What was there at the last look, or why it could not be read.
    found: Result<Pair, String>,
    /// Whether that was taken, or has been complained about.
    is_settled: bool,
}

impl Certificate {
    /// What the server speaks TLS with.
    pub(crate) fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls)
    }

    /// The certificate, in PEM, of development's authority, if that has signed it.
    pub(crate) fn authority(&self) -> Option<String> {
        self.authority.clone()
    }

    /// Takes another certificate when there is one in the files, and warns of the end of this one; for ever.
    pub(crate) async fn watch(&mut self) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            self.look().await;
            self.warn_of_end();
        }
    }

    async fn look(&mut self) {
        let Some(watched) = &mut self.watched else { return };
        let files = watched.files.clone();
        // Aside, since fades are told on this thread, and a disk may take its time.
        let found = tokio::task::spawn_blocking(move || files.read()).await;
        let found = found.expect("reading files does not panic");
        let is_new = found != watched.found;
        if !is_new && watched.is_settled {
            return;
        }
        watched.found = found;
        let taken = watched.found.as_ref().map_err(Clone::clone);
        let taken = taken.and_then(|pair| watched.files.parse(pair)).and_then(|(chain, key)| {
            self.tls.replace(chain, key).map_err(|error| watched.files.complaint(&error))
        });
        // Somebody may be in the middle of replacing them: what is wrong is told when it still is at the next look.
        watched.is_settled = taken.is_ok() || !is_new;
        match taken {
            Ok(()) => {
                self.warned = None;
                self.tell("https shows another certificate from now on");
            }
            Err(error) if !is_new => {
                tracing::warn!(%error, "https goes on with the certificate that it has");
            }
            Err(_) => {}
        }
    }

    fn warn_of_end(&mut self) {
        let now = self.clock.now();
        let identity = self.tls.identity();
        let is_told = self.warned.is_some_and(|warned| now.since(warned) < AGAIN);
        if is_told || identity.not_after.since(now) > NOTICE {
            return;
        }
        self.warned = Some(now);
        let (names, end) = (identity.names.join(", "), date(identity.not_after));
        tracing::warn!(names, end, "the certificate of https ends soon, or has ended");
    }

    fn tell(&self, message: &'static str) {
        let identity = self.tls.identity();
        let (names, end) = (identity.names.join(", "), date(identity.not_after));
        tracing::info!(names, end, "{message}");
    }
}

impl Files {
    fn read(&self) -> Result<Pair, String> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| named(path, &error));
        Ok(Pair { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    /// The chain and the key that stand in PEM in these texts, whatever else does.
    fn parse(&self, pair: &Pair) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pair.certificate).collect();
        let chain = chain.map_err(|error| named(&self.certificate, &error))?;
        if chain.is_empty() {
            return Err(named(&self.certificate, &"there is no certificate in PEM in it"));
        }
        let key = PrivateKeyDer::from_pem_slice(&pair.key).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => {
                named(&self.key, &"there is no key in PEM in it that is not encrypted")
            }
            error => named(&self.key, &error),
        })?;
        Ok((chain, key))
    }

    /// What is wrong with both together.
    fn complaint(&self, error: &dyn Display) -> String {
        format!("{} and {}: {error}", self.certificate.display(), self.key.display())
    }
}

fn named(path: &Path, error: &dyn Display) -> String {
    format!("{}: {error}", path.display())
}

/// An instant as a log shows it.
fn date(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis()).map(|at| at.to_string()).unwrap_or_default()
}
