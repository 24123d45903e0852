//! Endpoints over TLS: whose certificate is trusted, and who shows one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use porchlight_notify::{Egress, Resolver, Resolving};
use porchlight_testkit::{Answer, BEN, TestServer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Every name is this machine.
struct Here;

impl Resolver for Here {
    fn resolve(&self, _: String, port: u16) -> Resolving {
        Box::pin(async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) })
    }
}

/// An authority of the test's own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("it signs itself"))
    }

    /// A certificate for this name, and its key.
    fn certify(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        (params.signed_by(&key, &self.0).expect("it is signed"), key)
    }

    fn file(&self, folder: &Path) -> PathBuf {
        let path = folder.join("ca.pem");
        std::fs::write(&path, self.0.pem()).expect("it can be written");
        path
    }
}

/// Starts an endpoint that proves itself, with a certificate for `hooks.example.org`; `clients`: who must have
/// certified whoever asks. Returns its port.
async fn endpoint(authority: &Authority, clients: Option<&Authority>) -> u16 {
    let (certificate, key) = authority.certify("hooks.example.org");
    let key = key.serialize_der().try_into().expect("a key in DER");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions().expect("there are some");
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.0.der().clone()).expect("a certificate");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            config.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let config = config.with_single_cert(vec![certificate.der().clone()], key).expect("they fit");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(prove)).await);
            });
        }
    });
    port
}

async fn prove(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let query = request.uri().query().unwrap_or_default();
    let token = query.strip_prefix("validationToken=").unwrap_or_default();
    let token = token.replace("%20", " ").replace("%3A", ":");
    Ok(Response::new(Full::new(token.into())))
}

/// What becomes of a subscription to an endpoint under this name and port.
async fn subscribe(egress: Egress, name: &str, port: u16) -> Answer {
    let egress = Egress { loopback: true, ports: Vec::new(), resolver: Arc::new(Here), ..egress };
    let server = TestServer::builder().notify(|settings| settings.egress = egress).start().await;
    let subscription = json!({
        "changeType": "updated",
        "notificationUrl": format!("https://{name}:{port}/"),
        "resource": format!("communications/presences/{BEN}"),
        "expirationDateTime": "2026-11-20T09:50:00Z",
    });
    server.client("ada:").post("/v1.0/subscriptions", &subscription).await
}

fn check(answer: &Answer) -> (u16, String) {
    let check = &answer.json()["error"]["innerError"]["porchlight"]["check"];
    (answer.status.as_u16(), check.as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn an_authority_is_trusted_when_its_file_says_so_and_for_its_own_names() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let port = endpoint(&authority, None).await;
    let trusting = || Egress { ca: Some(authority.file(folder.path())), ..Egress::default() };
    let made = subscribe(trusting(), "hooks.example.org", port).await;
    assert_eq!(made.status, 201, "{made:?}");
    let tls = (400, "tls".to_owned());
    assert_eq!(
        check(&subscribe(Egress::default(), "hooks.example.org", port).await),
        tls,
        "nobody's authority"
    );
    assert_eq!(check(&subscribe(trusting(), "other.example.org", port).await), tls, "another's name");
}

#[tokio::test]
async fn whoever_asks_for_a_certificate_is_shown_ours() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let port = endpoint(&authority, Some(&authority)).await;
    let (certificate, key) = authority.certify("porchlight.example.org");
    let files = (folder.path().join("client.pem"), folder.path().join("client.key"));
    std::fs::write(&files.0, certificate.pem()).expect("it can be written");
    std::fs::write(&files.1, key.serialize_pem()).expect("it can be written");
    let trusting = || Egress { ca: Some(authority.file(folder.path())), ..Egress::default() };
    let with = Egress { client_certificate: Some(files), ..trusting() };
    let made = subscribe(with, "hooks.example.org", port).await;
    assert_eq!(made.status, 201, "{made:?}");
    let refused = subscribe(trusting(), "hooks.example.org", port).await;
    assert_eq!(refused.status, 400, "{refused:?}");
}
