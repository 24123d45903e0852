//! Requests that go out.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use porchlight_engine::TraceContext;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use uuid::Uuid;

use crate::egress::{ConnectError, Connector};
use crate::outcome::Outcome;
use crate::roots::{RootsError, trusted_roots};
use crate::settings::Egress;

/// What is read of an answer, in bytes. Source: subscriptions-and-auth 7.4.
const ANSWER_BYTES: usize = 4 * 1024;

/// How long a connection that is not used is kept.
const IDLE: Duration = Duration::from_secs(60);

/// What every request says of who sends it.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("Porchlight/", env!("CARGO_PKG_VERSION")));

/// Makes requests, through the one connector.
#[derive(Clone)]
pub(crate) struct Poster {
    client: Client<HttpsConnector<Connector>, Full<Bytes>>,
    connector: Connector,
}

/// Why requests cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PosterError {
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error("cannot read {path}: {error}")]
    File { path: String, error: String },
    #[error("the client certificate cannot be used: {0}")]
    ClientCertificate(rustls::Error),
}

/// One request.
pub(crate) struct Outgoing {
    pub(crate) url: String,
    pub(crate) content_type: HeaderValue,
    pub(crate) body: Bytes,
    /// Which attempt, beginning with 1; `None` for a validation.
    pub(crate) attempt: Option<u32>,
    /// The piece of work that it is, if that is traced.
    pub(crate) trace: Option<TraceContext>,
    pub(crate) timeout: Duration,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) outcome: Outcome,
    pub(crate) content_type: Option<String>,
    /// `None`: more than is read.
    pub(crate) body: Option<Bytes>,
}

impl Poster {
    /// # Errors
    ///
    /// When a file that the settings name cannot be read or is of no use.
    pub(crate) fn new(egress: &Arc<Egress>) -> Result<Poster, PosterError> {
        let connector = Connector::new(Arc::clone(egress));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls(egress)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector.clone());
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(8)
            .build(https);
        Ok(Poster { client, connector })
    }

    /// How many connections have been asked for.
    pub(crate) fn connects(&self) -> u64 {
        self.connector.connects()
    }

    /// Makes one request.
    pub(crate) async fn post(&self, outgoing: Outgoing) -> Answered {
        let nothing = |outcome| Answered { outcome, content_type: None, body: None };
        let Some(request) = request(&outgoing) else { return nothing(Outcome::Connection) };
        let answered = async {
            match self.client.request(request).await {
                Ok(response) => read(response).await,
                Err(error) => nothing(why(&error)),
            }
        };
        tokio::time::timeout(outgoing.timeout, answered).await.unwrap_or_else(|_| nothing(Outcome::Timeout))
    }
}

fn request(outgoing: &Outgoing) -> Option<Request<Full<Bytes>>> {
    const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
    const ATTEMPT: HeaderName = HeaderName::from_static("porchlight-attempt");
    const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
    let uri: Uri = outgoing.url.parse().ok()?;
    let mut request = Request::post(uri)
        .header(CONTENT_TYPE, &outgoing.content_type)
        // Also when that is nothing: some receivers wait for a body whose length they are not told.
        .header(CONTENT_LENGTH, outgoing.body.len())
        .header(USER_AGENT, AGENT)
        .header(CLIENT_REQUEST_ID, Uuid::new_v4().to_string());
    if let Some(attempt) = outgoing.attempt {
        request = request.header(ATTEMPT, attempt);
    }
    if let Some(trace) = outgoing.trace {
        request = request.header(TRACEPARENT, trace.traceparent());
    }
    request.body(Full::new(outgoing.body.clone())).ok()
}

async fn read(response: Response<Incoming>) -> Answered {
    let outcome = Outcome::Status(response.status().as_u16());
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.map(str::to_owned);
    // Read also when nobody asks for it: the connection can be used again.
    let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
    Answered { outcome, content_type, body: body.ok().map(http_body_util::Collected::to_bytes) }
}

/// What an error of the client means, by what lies at its bottom.
fn why(error: &ClientError) -> Outcome {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<ConnectError>() {
            Some(ConnectError::Url(_) | ConnectError::Address) => return Outcome::Address,
            Some(ConnectError::Name(_)) => return Outcome::Name,
            Some(ConnectError::Connection(_)) => return Outcome::Connection,
            None if error.is::<rustls::Error>() => return Outcome::Tls,
            None => {}
        }
        // An I/O error is not the cause of what it carries: it is that.
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = carried.map(|carried| carried as &(dyn Error + 'static)).or(error.source());
    }
    Outcome::Connection
}

/// What TLS is spoken with when something goes out.
///
/// # Errors
///
/// When a file that the settings name cannot be read or is of no use.
pub(crate) fn tls(egress: &Egress) -> Result<ClientConfig, PosterError> {
    let roots = trusted_roots(egress.ca.as_deref())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(PosterError::ClientCertificate)?.with_root_certificates(roots);
    let Some((chain_path, key_path)) = &egress.client_certificate else {
        return Ok(config.with_no_client_auth());
    };
    let file = |path: &std::path::Path, error: &dyn std::fmt::Display| PosterError::File {
        path: path.display().to_string(),
        error: error.to_string(),
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(chain_path).map_err(|error| file(chain_path, &error))?.collect();
    let chain = chain.map_err(|error| file(chain_path, &error))?;
    let key = PrivateKeyDer::from_pem_file(key_path).map_err(|error| file(key_path, &error))?;
    config.with_client_auth_cert(chain, key).map_err(PosterError::ClientCertificate)
}
