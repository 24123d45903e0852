//! Porchlight in this thread, without a socket: the API over an engine whose log is in memory and whose clock stands
//! still until it is moved.
//!
//! One is made for thousands of inputs. What they leave behind is bounded by making another one now and then, so that a
//! run of hours neither fills the memory nor comes to the end of the calendar.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, request};
use http_body_util::BodyExt;
use porchlight_engine::{Clock, Engine, Options};
use porchlight_http::{Api, AuthSettings, Development, NotificationWords, Settings, maintain_recorder};
use porchlight_notify::{Egress, Faults, Notifier};
use porchlight_presence::{Availability, Change, Command, Patch, StandingPair, TenantId, Timestamp};
use porchlight_store::{Log, Memory};
use porchlight_testkit::{Issuer, START, TENANT};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::answer::Answer;

/// Requests after which another world is made.
const CALLS_MAX: u32 = 50_000;

/// How far a world's clock may be moved before another one is made.
const YEARS_MAX: Duration = Duration::from_secs(20 * 365 * 24 * 60 * 60);

/// Histograms are made smaller after as many requests.
const UPKEEP: u32 = 4_096;

/// Who asks in development mode: Ada, with every permission, whatever her name is.
const ADA: &str = "Bearer dev:8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01:";

/// The host that requests name.
const SERVER: &str = "porchlight.example";

/// The host that calls of development's levers name.
const HERE: &str = "localhost";

/// What bodies are, unless it is said otherwise.
const JSON: &str = "application/json";

/// Every delivery fails, so that none is ever sent. More than all of them, since nobody can ask for as much.
const NO_DELIVERIES: Faults = Faults { failure_rate: 2.0, extra_latency: Duration::ZERO };

/// A whole server but for its sockets.
pub(crate) struct World {
    runtime: Runtime,
    engine: Engine,
    notifier: Notifier,
    api: Arc<Api>,
    /// Whose tokens it takes; only in production.
    issuer: Option<Issuer>,
    calls: Cell<u32>,
    /// Set when somebody has broken what the next input needs.
    is_spent: Cell<bool>,
}

/// A thread's own worlds, since a world has a runtime of one thread.
type Place = RefCell<Option<Rc<World>>>;

thread_local! {
    static DEVELOPMENT: Place = const { RefCell::new(None) };
    static BESIDE: Place = const { RefCell::new(None) };
    static PRODUCTION: Place = const { RefCell::new(None) };
}

impl World {
    /// Development mode with its dozen people. Endpoints of webhooks are believed without a proof and never asked: no
    /// input makes this program open a connection.
    pub(crate) fn development() -> Rc<World> {
        DEVELOPMENT.with(|place| World::at(place, || World::make(None)))
    }

    /// Another one like it, for what is to come out the same in another way.
    pub(crate) fn beside() -> Rc<World> {
        BESIDE.with(|place| World::at(place, || World::make(None)))
    }

    /// Production with the same people, and one issuer whose tokens are taken.
    pub(crate) fn production() -> Rc<World> {
        PRODUCTION.with(|place| {
            World::at(place, || {
                let runtime = runtime();
                let issuer = runtime.block_on(Issuer::start());
                World::make(Some((runtime, issuer)))
            })
        })
    }

    /// What stands there, or a new one where nothing does or what does is worn out.
    fn at(place: &Place, make: impl FnOnce() -> World) -> Rc<World> {
        let mut known = place.borrow_mut();
        if let Some(worn) = known.take_if(|world| world.is_worn_out()) {
            worn.stop();
        }
        Rc::clone(known.get_or_insert_with(|| Rc::new(make())))
    }

    fn make(production: Option<(Runtime, Issuer)>) -> World {
        let (runtime, issuer) = match production {
            None => (runtime(), None),
            Some((runtime, issuer)) => (runtime, Some(issuer)),
        };
        let (engine, notifier, api) = runtime.block_on(open(issuer.as_ref()));
        if issuer.is_some() {
            let api = Arc::clone(&api);
            runtime.spawn(async move { api.keep_keys().await });
        }
        World { runtime, engine, notifier, api, issuer, calls: Cell::new(0), is_spent: Cell::new(false) }
    }

    fn is_worn_out(&self) -> bool {
        let age = self.engine.clock().now().since(Timestamp::from_millis(START));
        self.is_spent.get() || self.calls.get() > CALLS_MAX || age > YEARS_MAX
    }

    fn stop(&self) {
        self.notifier.stop();
        self.engine.close();
    }

    /// The next input gets another world.
    pub(crate) fn spend(&self) {
        self.is_spent.set(true);
    }

    /// Back to the beginning, so that nothing of the input before shows: only development's people, of whom nobody has
    /// a presence, and the clock at the start.
    pub(crate) fn reset(&self) {
        let demo = Development::demo();
        let reset = self.runtime.block_on(self.engine.reset(&demo.seeds));
        reset.expect("development begins anew whatever was done in it");
        self.notifier.make_faults(NO_DELIVERIES);
    }

    /// What time it is, in milliseconds.
    pub(crate) fn now(&self) -> i64 {
        self.engine.clock().now().as_millis()
    }

    /// Moves the clock ahead.
    pub(crate) fn advance(&self, by: Duration) {
        self.engine.clock().advance(by);
    }

    /// The issuer whose tokens are taken.
    ///
    /// # Panics
    ///
    /// In development mode, which takes others.
    pub(crate) fn issuer(&self) -> &Issuer {
        self.issuer.as_ref().expect("production has an issuer")
    }

    /// How many connections the server has asked for.
    pub(crate) fn connects(&self) -> u64 {
        self.notifier.connects()
    }

    /// Whether requests may go to this URL, as far as that can be told without asking anybody.
    pub(crate) fn allows(&self, url: &str) -> bool {
        self.notifier.check_url(url).is_ok()
    }

    /// What Ada is answered; `None` when this cannot even be put into a request.
    pub(crate) fn ask(&self, method: &str, target: &str, body: &[u8]) -> Option<Answer> {
        self.ask_as(&HeaderValue::from_static(ADA), method, target, body)
    }

    /// What somebody with this `Authorization` is answered; `None` when this cannot even be put into a request.
    pub(crate) fn ask_as(
        &self,
        authorization: &HeaderValue,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Option<Answer> {
        let head = asked(method, target, SERVER).header(AUTHORIZATION, authorization);
        self.send(head.header(CONTENT_TYPE, JSON), body)
    }

    /// What Ada is answered to a body of this type, or of none.
    pub(crate) fn ask_with(
        &self,
        content_type: Option<&str>,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Option<Answer> {
        let head = asked(method, target, SERVER).header(AUTHORIZATION, ADA);
        let head = match content_type {
            Some(content_type) => head.header(CONTENT_TYPE, content_type),
            None => head,
        };
        self.send(head, body)
    }

    /// What somebody at this machine is answered who pulls a lever of development.
    ///
    /// # Panics
    ///
    /// When this cannot even be put into a request.
    pub(crate) fn pull(&self, method: &str, lever: &str, body: &[u8]) -> Answer {
        let head = asked(method, &format!("/porchlight/dev/{lever}"), HERE);
        self.send(head, body).expect("a lever can be pulled")
    }

    fn send(&self, head: request::Builder, body: &[u8]) -> Option<Answer> {
        let request = head.body(Bytes::copy_from_slice(body)).ok()?;
        let calls = self.calls.get() + 1;
        self.calls.set(calls);
        if calls.is_multiple_of(UPKEEP) {
            maintain_recorder();
        }
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Some(self.runtime.block_on(async {
            let (parts, body) = self.api.answer_whole(request, peer).await.into_parts();
            let Ok(body) = body.collect().await;
            Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() }
        }))
    }

    /// What Ada is answered to a GET of what is below the version, as a step of a batch: its text may be any.
    ///
    /// # Panics
    ///
    /// When the batch as a whole is refused.
    pub(crate) fn step(&self, url: &str) -> Answer {
        let batch = json!({"requests": [{"id": "1", "method": "GET", "url": url}]});
        let answer = self.ask("POST", "/v1.0/$batch", batch.to_string().as_bytes());
        let answer = answer.expect("a batch can be asked for").checked();
        assert_eq!(answer.status, 200, "a batch of one step is no bad batch: {answer:?}");
        Answer::of_step(&answer.json()["responses"][0])
    }

    /// Ada's presence as she sees it.
    ///
    /// # Panics
    ///
    /// When she has none.
    pub(crate) fn presence(&self) -> Value {
        let answer = self.ask("GET", "/v1.0/me/presence", b"").expect("a presence can be asked for");
        assert_eq!(answer.status, 200, "Ada may read what is hers: {answer:?}");
        answer.json()
    }
}

fn asked(method: &str, target: &str, host: &str) -> request::Builder {
    Request::builder().method(method).uri(target).header(HOST, host)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the system has a thread to give")
}

async fn open(issuer: Option<&Issuer>) -> (Engine, Notifier, Arc<Api>) {
    let clock = Arc::new(Clock::manual(Timestamp::from_millis(START)));
    // Short, since who asks for a revision that will never come waits as long.
    let append_timeout = Duration::from_millis(50);
    let options = Options { development: issuer.is_none(), append_timeout, ..Options::default() };
    let memory = |replica| Ok::<_, Infallible>(Arc::new(Memory::new(replica)) as Arc<dyn Log>);
    let engine = Engine::open(clock, options, memory).expect("an empty log opens");
    let demo = Development::demo();
    for seed in &demo.seeds {
        engine.seed(seed).await.expect("the people are put in");
        // All but Ada, whose presence is what the targets write, so that filters find some and not others.
        for (person, availability) in seed.people.iter().skip(1).zip(Availability::ALL) {
            if let Ok(pair) = StandingPair::of_availability(availability) {
                let shown = Patch { preferred: Change::Set((pair, None)), ..Patch::default() };
                let written = engine.write(seed.tenant, person.id, &Command::Patch(shown)).await;
                written.expect("a presence is written");
            }
        }
    }
    let settings = match issuer {
        None => Settings { development: Some(demo), ..Settings::default() },
        Some(issuer) => Settings { auth: trusting(issuer), ..Settings::default() },
    };
    let egress = if issuer.is_none() { Egress::development() } else { Egress::default() };
    let telling = porchlight_notify::Settings {
        egress,
        skip_validation: true,
        ..porchlight_notify::Settings::default()
    };
    let words = Arc::new(NotificationWords::new(&settings));
    let notifier = Notifier::start(&engine, telling, words, issuer.is_none()).expect("the notifier starts");
    notifier.make_faults(NO_DELIVERIES);
    let secret = engine.secret("cursor").await.expect("the secret is kept");
    let api = Api::new(engine.clone(), notifier.clone(), settings, &secret).expect("the settings are good");
    (engine, notifier, Arc::new(api))
}

/// This issuer's tokens, for one tenant. Nobody is put in by signing in: there would be ever more people.
fn trusting(issuer: &Issuer) -> AuthSettings {
    let tenant = Uuid::try_parse(TENANT).expect("the tenant's id is a GUID");
    let mut trusted = issuer.trusted();
    trusted.tenants = vec![TenantId(tenant)];
    AuthSettings { issuers: vec![trusted], provision: false, ..AuthSettings::default() }
}
