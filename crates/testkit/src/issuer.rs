//! An issuer of tokens, as a test wants it to be.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use porchlight_http::TrustedIssuer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{ADA, DEMO, START};

/// The demo tenant.
pub const TENANT: &str = "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77";

/// Whom an issuer's tokens are for, unless a test says otherwise.
pub const AUDIENCE: &str = "api://porchlight";

/// A real issuer on a port of its own: a discovery document, a key set, and tokens. It stops when dropped.
pub struct Issuer {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

/// One key of an issuer.
pub struct IssuerKey {
    id: String,
    pair: KeyPair,
}

/// How an issuer answers whoever asks for its documents.
#[derive(Clone, Debug, Default)]
pub enum Mood {
    /// As it should.
    #[default]
    Well,
    /// With this status.
    Status(u16),
    /// As it should, after this long.
    Slow(Duration),
    /// With this in place of the key set.
    Keys(Bytes),
    /// By sending the asker elsewhere.
    Elsewhere(String),
}

struct Shared {
    keys: Vec<Arc<IssuerKey>>,
    mood: Mood,
    cache_control: Option<&'static str>,
    requests: Vec<String>,
    /// What its document says that it is.
    name: String,
}

impl IssuerKey {
    /// A new RSA key of 2,048 bits, with a random id.
    ///
    /// # Panics
    ///
    /// When none can be made.
    pub fn generate() -> IssuerKey {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("the system has random numbers");
        IssuerKey { id: Uuid::new_v4().simple().to_string(), pair }
    }

    /// Its `kid`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half, in DER (`SubjectPublicKeyInfo`).
    ///
    /// # Panics
    ///
    /// Never, for a key that was made.
    pub fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().expect("a public key can be written");
        der.as_ref().to_vec()
    }

    /// The public half, as a JWKS has it.
    pub fn jwk(&self) -> Value {
        let public = self.pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "RSA", "use": "sig", "kid": self.id,
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        })
    }

    /// A token with this header and these claims, signed with RSASSA-PKCS1-v1_5 and SHA-256 whatever the header says.
    ///
    /// # Panics
    ///
    /// Never, for a key that was made.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let random = SystemRandom::new();
        unsigned(header, claims, |message| {
            let mut signature = vec![0; self.pair.public_modulus_len()];
            self.pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a key signs");
            signature
        })
    }

    /// A token with these claims, and the header that belongs to this key.
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": "RS256", "typ": "JWT", "kid": self.id}), claims)
    }
}

/// A token with whatever signature.
pub fn unsigned(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

impl Issuer {
    /// An issuer with one key, on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Issuer::on(listener).await
    }

    /// An issuer that is reached by this listener.
    ///
    /// # Panics
    ///
    /// When the listener is none.
    pub async fn on(listener: TcpListener) -> Issuer {
        let address = listener.local_addr().expect("a bound socket has an address");
        let key = tokio::task::spawn_blocking(IssuerKey::generate).await.expect("a key is made");
        let shared = Shared {
            keys: vec![Arc::new(key)],
            mood: Mood::Well,
            cache_control: None,
            requests: Vec::new(),
            name: format!("http://{address}/{{tenantid}}/v2.0"),
        };
        let shared = Arc::new(Mutex::new(shared));
        let task = tokio::spawn(serve(listener, address, Arc::clone(&shared)));
        Issuer { address, shared, task }
    }

    /// `http://address`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a server has to know to take its tokens.
    pub fn trusted(&self) -> TrustedIssuer {
        let url = self.url();
        TrustedIssuer::new(
            format!("{url}/{{tenantid}}/v2.0"),
            format!("{url}/common/v2.0/.well-known/openid-configuration"),
            AUDIENCE,
        )
    }

    /// The claims of a good token of Ada's for the demo application, from the start of every test's clock on for an hour,
    /// with every delegated permission on presence.
    pub fn claims(&self) -> Value {
        let now = START / 1000;
        json!({
            "ver": "2.0", "iss": format!("{}/{TENANT}/v2.0", self.url()), "aud": AUDIENCE, "tid": TENANT, "oid": ADA,
            "sub": "pairwise", "azp": DEMO, "iat": now, "nbf": now, "exp": now + 3600,
            "scp": "Presence.Read Presence.Read.All Presence.ReadWrite",
        })
    }

    /// The newest key.
    ///
    /// # Panics
    ///
    /// When a test has panicked while it held the issuer.
    pub fn key(&self) -> Arc<IssuerKey> {
        Arc::clone(self.shared().keys.last().expect("it has a key"))
    }

    /// A token with these claims, by the newest key.
    pub fn token(&self, claims: &Value) -> String {
        self.key().token(claims)
    }

    /// A good token of Ada's in which these claims are set; null takes one out.
    ///
    /// # Panics
    ///
    /// When `changes` is no object.
    pub fn token_with(&self, changes: &Value) -> String {
        let mut claims = self.claims();
        let members = claims.as_object_mut().expect("claims are an object");
        for (name, value) in changes.as_object().expect("changes are an object") {
            members.insert(name.clone(), value.clone());
            members.retain(|_, value| !value.is_null());
        }
        self.token(&claims)
    }

    /// Signs with another key from now on; the old ones are still shown.
    pub fn rotate(&self) {
        let key = Arc::new(IssuerKey::generate());
        self.shared().keys.push(key);
    }

    /// Says that it is the issuer of this name from now on.
    pub fn call_itself(&self, name: impl Into<String>) {
        self.shared().name = name.into();
    }

    /// Answers like this from now on.
    pub fn answer(&self, mood: Mood) {
        self.shared().mood = mood;
    }

    /// Sends this `Cache-Control` with its keys from now on.
    pub fn cache_control(&self, value: &'static str) {
        self.shared().cache_control = Some(value);
    }

    /// The paths that were asked for.
    pub fn requests(&self) -> Vec<String> {
        self.shared().requests.clone()
    }

    /// How often its keys were asked for.
    pub fn fetches(&self) -> usize {
        self.shared().requests.iter().filter(|path| path.ends_with("/keys")).count()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("nobody has panicked with it")
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, address: SocketAddr, shared: Arc<Mutex<Shared>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(address, &shared, request));
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(
    address: SocketAddr,
    shared: &Mutex<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, http::Error> {
    let path = request.uri().path().to_owned();
    let (mood, keys, cache_control, name) = {
        let mut shared = shared.lock().expect("nobody has panicked with it");
        shared.requests.push(path.clone());
        (shared.mood.clone(), shared.keys.clone(), shared.cache_control, shared.name.clone())
    };
    let wants_keys = path.ends_with("/keys");
    let mut response = Response::builder();
    if let Some(value) = cache_control.filter(|_| wants_keys) {
        response = response.header("cache-control", value);
    }
    let body = if wants_keys {
        json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()})
    } else {
        let url = format!("http://{address}");
        json!({
            "issuer": name,
            "jwks_uri": format!("{url}/common/discovery/v2.0/keys"),
            "authorization_endpoint": format!("{url}/common/oauth2/v2.0/authorize"),
        })
    };
    match mood {
        Mood::Slow(time) => tokio::time::sleep(time).await,
        Mood::Status(status) => return response.status(status).body(Full::default()),
        Mood::Keys(keys) if wants_keys => return response.body(Full::new(keys)),
        Mood::Well | Mood::Keys(_) => {}
        Mood::Elsewhere(url) => {
            return response.status(StatusCode::FOUND).header("location", url).body(Full::default());
        }
    }
    response.body(Full::new(body.to_string().into()))
}
