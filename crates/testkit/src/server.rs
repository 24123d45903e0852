//! A server in the test's own process.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use porchlight_engine::{Clock, Engine, Options, Seed};
use porchlight_http::{Api, Development, Listener, NotificationWords, Profile, Server, Settings, Tls};
use porchlight_notify::{Egress, Notifier};
use porchlight_presence::{Limits, Timestamp};
use porchlight_store::{Cluster, Embedded, JetStream, JetStreamOptions, Log, Memory, Replica};

use crate::{Authority, Client, Issuer, START};

/// How a test's server is to be.
#[derive(Clone)]
pub struct Builder {
    settings: Settings,
    notify: porchlight_notify::Settings,
    limits: Limits,
    append_timeout: Duration,
    start: Timestamp,
    place: Place,
    /// Those who share a log in memory; `None`: as far as it can know, it is the server's alone.
    cluster: Option<Arc<Cluster>>,
    /// Who is put in besides development's people.
    people: Vec<Seed>,
    https: bool,
}

/// Where a server's log is.
#[derive(Clone)]
enum Place {
    Memory,
    /// The entries of this log.
    Beside(Arc<Memory>),
    Folder(PathBuf),
    JetStream(Box<JetStreamOptions>),
}

/// A running server. It stops when dropped.
pub struct TestServer {
    address: SocketAddr,
    https: Option<Https>,
    engine: Engine,
    notifier: Notifier,
    api: Arc<Api>,
    memory: Option<Arc<Memory>>,
    server: Option<Server>,
    /// The engine's timers, and the fetching of issuers' keys.
    running: [tokio::task::JoinHandle<()>; 2],
}

/// The https of a server.
struct Https {
    address: SocketAddr,
    authority: Authority,
    tls: Arc<Tls>,
}

impl Default for Builder {
    fn default() -> Builder {
        let settings = Settings {
            development: Some(Development::demo()),
            cors_origins: vec!["*".to_owned()],
            ..Settings::default()
        };
        // Whatever a test listens on is on this machine.
        let egress = Egress::development();
        Builder {
            settings,
            notify: porchlight_notify::Settings { egress, ..porchlight_notify::Settings::default() },
            limits: Limits::default(),
            append_timeout: Duration::from_millis(200),
            start: Timestamp::from_millis(START),
            place: Place::Memory,
            cluster: None,
            people: Vec::new(),
            https: false,
        }
    }
}

impl Builder {
    /// This profile instead of `open`.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Builder {
        self.settings.profile = profile;
        self
    }

    /// Takes this issuer's tokens, too.
    #[must_use]
    pub fn trust(mut self, issuer: &Issuer) -> Builder {
        self.settings.auth.issuers.push(issuer.trusted());
        self
    }

    /// As in production: no development tokens, no levers, but the demo people.
    #[must_use]
    pub fn production(mut self) -> Builder {
        self.people =
            self.settings.development.take().map(|development| development.seeds).unwrap_or_default();
        self
    }

    /// Whatever else of the HTTP surface's settings.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Builder {
        change(&mut self.settings);
        self
    }

    /// Whatever of how subscriptions and their telling work. Under the profile `strict` its limits win.
    #[must_use]
    pub fn notify(mut self, change: impl FnOnce(&mut porchlight_notify::Settings)) -> Builder {
        change(&mut self.notify);
        self
    }

    /// Whatever of the limits that enter writes.
    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Builder {
        change(&mut self.limits);
        self
    }

    /// A log in this folder instead of memory.
    #[must_use]
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Builder {
        self.place = Place::Folder(folder.into());
        self
    }

    /// A log in JetStream instead of memory, and what is of use with others beside: the system's clock instead of one
    /// that stands still, and 10 s for an append instead of 200 ms.
    #[must_use]
    pub fn jetstream(mut self, options: JetStreamOptions) -> Builder {
        self.place = Place::JetStream(Box::new(options));
        self.append_timeout = Duration::from_secs(10);
        self
    }

    /// A log in memory that is shared by these, as nodes share theirs.
    #[must_use]
    pub fn cluster(mut self, cluster: Arc<Cluster>) -> Builder {
        self.cluster = Some(cluster);
        self
    }

    /// With https on another port, for localhost and 127.0.0.1, beside http.
    #[must_use]
    pub fn https(mut self) -> Builder {
        self.https = true;
        self
    }

    /// The clock begins here, in Unix milliseconds, instead of at [`START`]; not with [`Builder::jetstream`].
    #[must_use]
    pub fn start_at(mut self, millis: i64) -> Builder {
        self.start = Timestamp::from_millis(millis);
        self
    }

    /// Starts the server. Must be called within a tokio runtime, which drives the timers.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start(self) -> TestServer {
        let clock = Arc::new(match self.place {
            Place::Memory | Place::Beside(_) | Place::Folder(_) => Clock::manual(self.start),
            Place::JetStream(_) => Clock::system(),
        });
        let options = Options {
            limits: self.limits,
            append_timeout: self.append_timeout,
            accept_clock: false,
            development: self.settings.development.is_some(),
        };
        let mut memory = None;
        let open = |replica: Arc<dyn Replica>| {
            let in_memory = |log: Memory| {
                if let Some(cluster) = self.cluster {
                    log.share(cluster);
                }
                Arc::clone(memory.insert(Arc::new(log))) as Arc<dyn Log>
            };
            let log: Arc<dyn Log> = match self.place {
                Place::Memory => in_memory(Memory::new(replica)),
                Place::Beside(other) => in_memory(other.beside(replica)),
                Place::Folder(folder) => {
                    let log = Embedded::open(&folder, porchlight_store::Options::default(), replica);
                    Arc::new(log.expect("the folder's log opens"))
                }
                Place::JetStream(options) => {
                    Arc::new(JetStream::open(*options, replica).expect("JetStream's log opens"))
                }
            };
            Ok::<_, Infallible>(log)
        };
        let engine = Engine::open(clock, options, open).expect("the engine opens");
        let development = self.settings.development.iter().flat_map(|development| &development.seeds);
        for seed in development.chain(&self.people) {
            engine.seed(seed).await.expect("the people are put in");
        }
        let timers = tokio::spawn({
            let engine = engine.clone();
            async move { engine.run_timers().await }
        });
        let notify = match self.settings.profile {
            Profile::Open => self.notify,
            Profile::Strict => self.notify.into_strict(),
        };
        let words = Arc::new(NotificationWords::new(&self.settings));
        let development = self.settings.development.is_some();
        let notifier = Notifier::start(&engine, notify, words, development).expect("the notifier starts");
        let secret = engine.secret("cursor").await.expect("the secret is kept");
        let api = Api::new(engine.clone(), notifier.clone(), self.settings, &secret);
        let api = Arc::new(api.expect("the settings are good"));
        let keys = tokio::spawn({
            let api = Arc::clone(&api);
            async move { api.keep_keys().await }
        });
        let listen = |tls| Listener { socket: TcpListener::bind("127.0.0.1:0").expect("a free port"), tls };
        let secure = self.https.then(|| {
            let authority = Authority::default();
            let (chain, key) = authority.certify(&["localhost", "127.0.0.1"], 2100).der();
            (authority, Arc::new(Tls::new(chain, key).expect("they fit")))
        });
        let mut listeners = vec![listen(None)];
        listeners.extend(secure.as_ref().map(|(_, tls)| listen(Some(Arc::clone(tls)))));
        let server = Server::start(listeners, &api, 1).expect("the server starts");
        let (address, last) = (server.addresses()[0], server.addresses().last().copied());
        let https = secure.zip(last).map(|((authority, tls), address)| Https { address, authority, tls });
        let (server, running) = (Some(server), [timers, keys]);
        TestServer { address, https, engine, notifier, api, memory, server, running }
    }
}

impl TestServer {
    /// A server with the demo people, a log in memory and the clock at [`START`].
    pub async fn start() -> TestServer {
        Builder::default().start().await
    }

    /// A server that is to be different.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Another server over the same entries, as another node is: with a clock of its own that begins where this one's
    /// stands, and a handle of its own on the log, which can be held back.
    ///
    /// # Panics
    ///
    /// When the log is not in memory.
    pub fn beside(&self) -> Builder {
        let memory = Arc::clone(self.memory.as_ref().expect("the log is in memory"));
        let start = self.engine.clock().now();
        Builder { place: Place::Beside(memory), start, ..Builder::default() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://address`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.address)
    }

    /// A client with this development token: `who:permission,permission`, or `who:` for every permission.
    pub fn client(&self, token: &str) -> Client {
        self.anonymous().token(token)
    }

    /// Where it speaks https.
    ///
    /// # Panics
    ///
    /// Without [`Builder::https`], as everything here about https.
    pub fn https_address(&self) -> SocketAddr {
        self.secure().address
    }

    /// A client with this development token that speaks https.
    pub fn https_client(&self, token: &str) -> Client {
        let https = self.secure();
        Client::secure(https.address, https.authority.trusting(&["http/1.1"])).token(token)
    }

    /// Whoever has signed its certificate.
    pub fn authority(&self) -> &Authority {
        &self.secure().authority
    }

    /// The certificate of whoever has signed its certificate, in PEM.
    pub fn ca_pem(&self) -> String {
        self.authority().pem()
    }

    /// What it speaks TLS with, to give it another certificate.
    pub fn tls(&self) -> &Tls {
        &self.secure().tls
    }

    fn secure(&self) -> &Https {
        self.https.as_ref().expect("the server speaks https")
    }

    /// Moves the clock ahead; the system's clock, where that is used, for this server alone.
    pub fn advance(&self, by: Duration) {
        self.engine.clock().advance(by);
    }

    /// Moves the clock to `after` its start at [`START`].
    ///
    /// # Panics
    ///
    /// When that has passed.
    pub fn advance_to(&self, after: Duration) {
        let at = Timestamp::from_millis(START).plus(after);
        assert!(at >= self.engine.clock().now(), "the clock does not go back");
        self.advance(at.since(self.engine.clock().now()));
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Who keeps subscriptions and tells their makers.
    pub fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// What answers requests, for connections that are to be served on the test's own thread.
    pub fn api(&self) -> &Arc<Api> {
        &self.api
    }

    /// The log, to inject faults.
    ///
    /// # Panics
    ///
    /// When the log is not in memory.
    pub fn memory(&self) -> &Memory {
        self.memory.as_deref().expect("the log is in memory")
    }

    /// Stops the server as an operator would, and returns when everything is on disk.
    pub fn stop(mut self) {
        self.shut();
    }

    fn shut(&mut self) {
        for task in &self.running {
            task.abort();
        }
        if let Some(server) = self.server.take() {
            server.stop();
            self.notifier.stop();
            self.engine.close();
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shut();
    }
}
