//! Fetching an issuer's keys: its discovery document, then the key set that this names. Source: OpenID Connect Discovery
//! 1.0, sections 3 and 4.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, DATE, USER_AGENT};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use porchlight_notify::RootsError;
use rustls::ClientConfig;
use serde::Deserialize;

use super::TrustedIssuer;
use super::key_ring::{Fetch, Fetched};
use super::key_set::KeySet;

/// What is read of an answer, in bytes. Source: subscriptions-and-auth 22.4.
const ANSWER_BYTES: usize = 1024 * 1024;

/// Asks issuers.
#[derive(Clone, Debug)]
pub(super) struct Fetcher(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

/// Where one issuer's keys are.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) fetcher: Fetcher,
    /// Where the discovery document is.
    pub(super) metadata: String,
    /// What it has to say the issuer is.
    pub(super) issuer: String,
}

/// What is read of a discovery document.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
}

impl Fetcher {
    /// Trusts what the system trusts, and the certificates in `ca`.
    ///
    /// # Errors
    ///
    /// When that file cannot be read.
    pub(super) fn new(ca: Option<&Path>) -> Result<Fetcher, RootsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has what the default versions need")
            .with_root_certificates(porchlight_notify::trusted_roots(ca)?)
            .with_no_client_auth();
        let https =
            HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        // Once a day needs no connection that is kept.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https);
        Ok(Fetcher(client))
    }

    /// GET without following redirects.
    async fn get(&self, url: &str) -> Result<(HeaderMap, Bytes), String> {
        check_url(url)?;
        let agent = concat!("Porchlight/", env!("CARGO_PKG_VERSION"));
        let request = Request::get(url).header(ACCEPT, "application/json").header(USER_AGENT, agent);
        let request = request.body(Empty::new()).map_err(|error| format!("{url}: {error}"))?;
        let response =
            self.0.request(request).await.map_err(|error| format!("{url}: {}", in_full(&error)))?;
        let (parts, body) = response.into_parts();
        if parts.status != StatusCode::OK {
            return Err(format!("{url}: answered with {}", parts.status));
        }
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| format!("{url}: {error}"))?;
        Ok((parts.headers, body.to_bytes()))
    }
}

/// What an issuer has answered to somebody who wanted to know whether it would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerAnswer {
    /// How many keys it has that signatures can be checked with; at least one.
    pub keys: usize,
    /// The `Date` that its keys came with, as it was written.
    pub date: Option<String>,
}

/// Asks an issuer for its discovery document and for its keys, as a server does that trusts it. `ca`: a file of more
/// certificates to trust, in PEM. How long that may take is up to the caller.
///
/// # Errors
///
/// What is wrong, with the URL that was asked or the file that cannot be read.
pub async fn ask_issuer(issuer: &TrustedIssuer, ca: Option<&Path>) -> Result<IssuerAnswer, String> {
    let fetcher = Fetcher::new(ca).map_err(|error| error.to_string())?;
    let source = Source { fetcher, metadata: issuer.metadata.clone(), issuer: issuer.issuer.clone() };
    let (fetched, headers) = source.ask().await?;
    let date = headers.get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
    Ok(IssuerAnswer { keys: fetched.keys.count(), date })
}

impl Source {
    /// Fetches the keys; with the headers that they came with.
    async fn ask(&self) -> Result<(Fetched, HeaderMap), String> {
        let (_, document) = self.fetcher.get(&self.metadata).await?;
        let metadata = read(&document, &self.issuer, is_https(&self.metadata))
            .map_err(|error| format!("{}: {error}", self.metadata))?;
        let (headers, keys) = self.fetcher.get(&metadata.jwks_uri).await?;
        let keys = KeySet::read(&keys).map_err(|error| format!("{}: {error}", metadata.jwks_uri))?;
        let fresh_for = headers.get(CACHE_CONTROL).and_then(|value| max_age(value.to_str().ok()?));
        Ok((Fetched { keys, authorization: metadata.authorization_endpoint, fresh_for }, headers))
    }
}

impl Fetch for Source {
    async fn fetch(&self) -> Result<Fetched, String> {
        self.ask().await.map(|(fetched, _)| fetched)
    }
}

/// Reads the discovery document of this issuer, which may have come over https. Then the keys must, too: a document from
/// elsewhere is not to send this server to ask others on its own machine. Where users sign in is told to clients in a
/// header, so it is left out if it could not stand there between quotes.
///
/// # Errors
///
/// What is wrong with it.
fn read(document: &[u8], issuer: &str, came_by_https: bool) -> Result<Metadata, String> {
    let metadata: Metadata =
        serde_json::from_slice(document).map_err(|error| format!("it is no discovery document: {error}"))?;
    if metadata.issuer != issuer {
        return Err(format!("it is the document of the issuer '{}', not of '{issuer}'", metadata.issuer));
    }
    if came_by_https && !is_https(&metadata.jwks_uri) {
        return Err(format!(
            "the keys must come by https like the document, not from '{}'",
            metadata.jwks_uri
        ));
    }
    let may_be_quoted =
        |url: &String| url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    let authorization_endpoint =
        metadata.authorization_endpoint.filter(|url| may_be_quoted(url) && check_url(url).is_ok());
    Ok(Metadata { authorization_endpoint, ..metadata })
}

fn is_https(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|url| url.scheme_str() == Some("https"))
}

/// Whether keys may come from here: whoever could change them on their way could sign whatever they like.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn check_url(url: &str) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|_| format!("'{url}' is no URL"))?;
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(()),
        Some("http") if is_here => Ok(()),
        _ => Err(format!("'{url}' must begin with https://, or be on this machine")),
    }
}

/// RFC 9111 5.2.2.1
fn max_age(value: &str) -> Option<Duration> {
    let directives = value.split(',').filter_map(|directive| directive.trim().split_once('='));
    let seconds =
        directives.filter(|(name, _)| name.eq_ignore_ascii_case("max-age")).map(|(_, seconds)| seconds);
    seconds.filter_map(|seconds| seconds.trim_matches('"').parse().ok()).map(Duration::from_secs).next()
}

/// An error and what caused it.
fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for url in ["https://id.example/x", "http://127.0.0.1:8080/x", "http://[::1]/x", "http://localhost/x"]
        {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in [
            "http://id.example/x",
            "http://127.0.0.1.example/",
            "ftp://x/",
            "/x",
            "",
            "https://",
            "file:///x",
        ] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_document_sends_nobody_astray() {
        let issuer = "https://id.example";
        let document = |keys: &str, sign_in: &str| {
            let document =
                serde_json::json!({"issuer": issuer, "jwks_uri": keys, "authorization_endpoint": sign_in});
            document.to_string().into_bytes()
        };
        let (far, near) = ("https://keys.example/jwks", "http://127.0.0.1:8500/v1/secrets");
        let sign_in = "https://id.example/authorize?x=1";
        let good = read(&document(far, sign_in), issuer, true).unwrap();
        assert_eq!((good.jwks_uri.as_str(), good.authorization_endpoint.as_deref()), (far, Some(sign_in)));
        assert!(read(&document(far, sign_in), "https://other.example", true).is_err());
        assert!(read(&document(near, sign_in), issuer, true).is_err(), "it comes from elsewhere");
        assert!(read(&document(near, sign_in), issuer, false).is_ok(), "it comes from this machine");
        let unquotable = [
            "https://id.example/\", error=\"insufficient_claims",
            "https://id.example/\\",
            "https://id.example/\r\nSet-Cookie: x=1",
            "https://id.example/ä",
            "javascript:alert(1)",
            "http://id.example/",
        ];
        for url in unquotable {
            let read = read(&document(far, url), issuer, true).unwrap();
            assert_eq!(read.authorization_endpoint, None, "{url}");
        }
    }

    #[test]
    fn the_age_of_an_answer_is_read() {
        let table = [
            ("max-age=3600", Some(3600)),
            ("public, Max-Age=\"60\", must-revalidate", Some(60)),
            ("no-cache", None),
            ("max-age=x", None),
            ("s-maxage=5", None),
        ];
        for (value, seconds) in table {
            assert_eq!(max_age(value), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
