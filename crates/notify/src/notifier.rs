//! The part of the program that keeps subscriptions and tells whoever made them.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use porchlight_engine::{Engine, Part, Wait, WriteError};
use porchlight_presence::Timestamp;
use porchlight_store::{AppendError, Key, Revision, Value};
use tokio::runtime::Handle;
use tokio::sync::{OwnedMutexGuard, Semaphore, oneshot, watch};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use crate::attempts::{Attempt, Attempts};
use crate::certificate::{self, CertificateError};
use crate::courier::{self, Scanning};
use crate::cursor::StoredCursor;
use crate::egress::UrlError;
use crate::office::Office;
use crate::parcel::Words;
use crate::post::{Poster, PosterError};
use crate::registry::{Held, Registry};
use crate::settings::Settings;
use crate::signer::Signer;
use crate::slots::Slots;
use crate::subscription::{Certificate, GRACE, Subscription};
use crate::validation::{self, ValidationError};

/// A subscription that was made.
pub struct Created {
    /// As it was made.
    pub subscription: Arc<Subscription>,
    /// Nothing is told before this is dropped: keep it until the answer has been written.
    pub held: Held,
}

/// Why a subscription cannot be had beside the others of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// E16: there is one for the same already.
    Duplicate(Uuid),
    /// E17, under `strict`: there is one already.
    Another,
    /// E18: there are as many as there may be.
    TooMany(usize),
}

/// Why a subscription was not made or not changed; nothing was kept.
#[derive(Debug)]
pub enum KeepError {
    /// It is not there any more.
    Gone,
    /// It cannot be had beside the others of its owner.
    Refused(Refused),
    /// E19 to E21: an endpoint did not prove itself.
    Endpoint(ValidationError),
    /// As many endpoints are being asked to prove themselves as may be.
    Busy,
    /// The log did not take it.
    Write(WriteError),
}

impl From<WriteError> for KeepError {
    fn from(error: WriteError) -> KeepError {
        KeepError::Write(error)
    }
}

/// What a PATCH changes.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// The new end: an instant, and how many 100 ns after that.
    pub expires: Option<(Timestamp, u16)>,
    /// Another place to tell.
    pub notification_url: Option<String>,
    /// Another key to encrypt for.
    pub certificate: Option<Certificate>,
}

/// Why a notifier did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log holds an entry that this program does not understand.
    #[error("the entry {0}")]
    Unreadable(String),
    /// A file that the egress settings name is of no use.
    #[error("egress: {0}")]
    Egress(String),
    /// No thread could be started.
    #[error("the thread that tells cannot be started: {0}")]
    Thread(std::io::Error),
}

impl From<PosterError> for StartError {
    fn from(error: PosterError) -> StartError {
        StartError::Egress(error.to_string())
    }
}

/// Endpoints that are asked to prove themselves at the same time. More: 503.
pub const VALIDATIONS_MAX: usize = 256;

/// How long a count may take.
const COUNT: Duration = Duration::from_secs(1);

/// How long to wait at most for what another node has written first.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Names that are resolved at the same time, each of which the system's resolver takes a thread for. So many that those
/// whose name servers do not answer are in nobody's way.
const LOOKUPS_MAX: usize = 2048;

/// Faults that are made on purpose, in development. Source: subscriptions-and-auth 25.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// The share of requests that fail, from 0 to 1.
    pub failure_rate: f64,
    /// How much longer every request takes.
    pub extra_latency: Duration,
}

impl Faults {
    pub(crate) fn fails_now(self) -> bool {
        let random = f64::from(Uuid::new_v4().as_u128() as u32) / f64::from(u32::MAX);
        random < self.failure_rate
    }
}

/// What the courier's thread and those that serve requests have in common.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) settings: Arc<Settings>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) poster: Poster,
    pub(crate) attempts: Attempts,
    /// Whether what was sent is remembered, for development.
    pub(crate) keeps_bodies: bool,
    pub(crate) signer: Arc<Signer>,
    pub(crate) slots: Slots,
    /// Held while a subscription is written: what was checked before holds until it is kept, as far as this process goes.
    writing: Arc<tokio::sync::Mutex<()>>,
    validations: Semaphore,
    faults: Mutex<Faults>,
    /// Who asks how many users all subscriptions together keep in mind.
    counts: Mutex<Vec<oneshot::Sender<usize>>>,
}

/// Keeps subscriptions, and tells whoever made them. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    shared: Arc<Shared>,
    /// The courier's runtime, on which everything that goes out runs.
    runtime: Handle,
    stop: watch::Sender<bool>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Notifier {
    /// Takes over the subscriptions that the log has, and starts telling, on a thread of its own: all of them, or in a
    /// cluster those whose slots this process comes to hold.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn start(
        engine: &Engine,
        settings: Settings,
        words: Arc<dyn Words>,
        keeps_bodies: bool,
    ) -> Result<Notifier, StartError> {
        let shared = Arc::new(Shared::new(engine, settings, keeps_bodies)?);
        let office = shared.office(words);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(LOOKUPS_MAX)
            .build()
            .map_err(StartError::Thread)?;
        let (handle, stop) = (runtime.handle().clone(), watch::Sender::new(false));
        let courier = courier::run(office, Arc::clone(&shared), Scanning::Beside, stop.subscribe());
        let thread = std::thread::Builder::new().name("notify".to_owned());
        let thread = thread.spawn(move || runtime.block_on(courier)).map_err(StartError::Thread)?;
        shared.slots.take();
        Ok(Notifier { shared, runtime: handle, stop, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// The same without a thread: telling goes on for as long as the future is polled, by the runtime in which this was
    /// called. For simulations, in which nothing happens at the same time. [`Notifier::stop`] does not wait for its end.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub fn attend(
        engine: &Engine,
        settings: Settings,
        words: Arc<dyn Words>,
        keeps_bodies: bool,
    ) -> Result<(Notifier, impl Future<Output = ()> + Send + use<>), StartError> {
        let shared = Arc::new(Shared::new(engine, settings, keeps_bodies)?);
        let (office, stop) = (shared.office(words), watch::Sender::new(false));
        let courier = courier::run(office, Arc::clone(&shared), Scanning::Here, stop.subscribe());
        shared.slots.take();
        let (runtime, thread) = (Handle::current(), Arc::default());
        Ok((Notifier { shared, runtime, stop, thread }, courier))
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// The subscriptions.
    pub fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// Whether requests may go to this URL, as far as that can be told without asking anybody.
    ///
    /// # Errors
    ///
    /// What is wrong with it: E4.
    pub fn check_url(&self, url: &str) -> Result<(), UrlError> {
        self.shared.settings.egress.check(url).map(drop)
    }

    /// Reads the certificate of a subscription; `id` is what its owner calls it.
    ///
    /// # Errors
    ///
    /// Why it cannot be used: E14.
    pub fn read_certificate(text: &str, id: &str) -> Result<Certificate, CertificateError> {
        certificate::read(text, id)
    }

    /// Makes a subscription, once its endpoints have proved themselves: steps 11 to 14 of subscriptions-and-auth 6.1.
    ///
    /// The id, the time of its making and its first cursor are filled in here. `request` is the id that the validation
    /// token names.
    ///
    /// What its owner has already is what this process knows of: two nodes of a cluster that are asked at the same
    /// instant may both make one, so that there are two for the same or one more than there may be.
    ///
    /// # Errors
    ///
    /// See [`KeepError`].
    pub async fn create(&self, mut subscription: Subscription, request: Uuid) -> Result<Created, KeepError> {
        let shared = &self.shared;
        shared.check(&subscription)?;
        if subscription.certificate.is_some() {
            shared.signer.make_first().await?;
        }
        self.validate("notificationUrl", &subscription.notification_url, request).await?;
        if let Some(url) = &subscription.lifecycle_url {
            self.validate("lifecycleNotificationUrl", url, request).await?;
        }
        let writing = shared.writing().await?;
        shared.check(&subscription)?;
        subscription.id = Uuid::new_v4();
        subscription.made_at = shared.engine.now();
        (subscription.renewed_at, subscription.proved_at) = (subscription.made_at, subscription.made_at);
        subscription.since = if subscription.options.initial_snapshot {
            StoredCursor::BEGINNING
        } else {
            let tenant = shared.engine.tenant_or_new(subscription.tenant);
            shared.engine.feed_cursor(&tenant).into()
        };
        let held = shared.registry.hold(subscription.id);
        shared.keep(&subscription, Revision::NONE, writing).await?;
        Ok(Created { subscription: Arc::new(subscription), held })
    }

    /// Changes a subscription, or brings back one that has ended not long ago.
    ///
    /// # Errors
    ///
    /// See [`KeepError`].
    pub async fn update(
        &self,
        id: Uuid,
        update: Update,
        request: Uuid,
    ) -> Result<Arc<Subscription>, KeepError> {
        let shared = &self.shared;
        if let Some(url) = &update.notification_url {
            self.validate("notificationUrl", url, request).await?;
        }
        shared.change(id, |before, now| shared.updated(before, &update, now)).await
    }

    /// The warnings of a subscription's end begin anew.
    ///
    /// # Errors
    ///
    /// See [`KeepError`].
    pub async fn reauthorize(&self, id: Uuid) -> Result<(), KeepError> {
        let renewed = |before: &Subscription, now| Ok(Subscription { renewed_at: now, ..before.clone() });
        self.shared.change(id, renewed).await.map(drop)
    }

    /// Ends a subscription as its maker wishes: no request of this process begins once this has returned, and none of
    /// another once that has seen it.
    ///
    /// # Errors
    ///
    /// Whatever the log answers.
    pub async fn delete(&self, id: Uuid) -> Result<(), WriteError> {
        self.shared.delete(id).await
    }

    /// Ends a subscription as the server wishes, and tells its maker so.
    ///
    /// # Errors
    ///
    /// See [`KeepError`].
    pub async fn revoke(&self, id: Uuid) -> Result<(), KeepError> {
        let revoked = |before: &Subscription, _| Ok(Subscription { revoked: true, ..before.clone() });
        self.shared.change(id, revoked).await.map(drop)
    }

    /// The newest attempts of this process to tell a subscription, oldest first.
    pub fn attempts(&self, id: Uuid) -> Vec<Attempt> {
        self.shared.attempts.of(id)
    }

    /// The newest attempts of this process to tell anybody, oldest first, with what was sent; none outside of
    /// development.
    pub fn all_attempts(&self) -> Vec<Attempt> {
        self.shared.attempts.all()
    }

    /// How many connections have been asked for since the start.
    pub fn connects(&self) -> u64 {
        self.shared.poster.connects()
    }

    /// How many users all subscriptions together keep in mind to be told of.
    pub async fn remembered(&self) -> usize {
        let (count, counted) = oneshot::channel();
        self.shared.counts.lock().push(count);
        self.shared.registry.bell.notify_one();
        // None once the server stops.
        tokio::time::timeout(COUNT, counted).await.map_or(0, Result::unwrap_or_default)
    }

    /// What signs validation tokens; its key is made when it is first asked for.
    ///
    /// # Errors
    ///
    /// Whatever the log answers.
    pub async fn signer(&self) -> Result<Arc<Signer>, WriteError> {
        self.shared.signer.make_first().await?;
        Ok(Arc::clone(&self.shared.signer))
    }

    /// From now on these faults are made.
    pub fn make_faults(&self, faults: Faults) {
        *self.shared.faults.lock() = faults;
    }

    /// Stops telling: what is underway may end, cursors are kept, and only then others may take the slots. Blocks until
    /// that is done; doing it again does nothing.
    pub fn stop(&self) {
        self.stop.send_replace(true);
        let Some(thread) = self.thread.lock().take() else { return };
        if thread.join().is_err() {
            tracing::error!("the thread that tells panicked");
        }
        self.shared.slots.release();
    }

    /// Has an endpoint prove itself; on the courier's runtime, which owns the connections.
    async fn validate(&self, property: &'static str, url: &str, request: Uuid) -> Result<(), KeepError> {
        if self.shared.settings.skip_validation {
            return Ok(());
        }
        let _one_of_them = self.shared.validations.try_acquire().map_err(|_| KeepError::Busy)?;
        let (shared, url) = (Arc::clone(&self.shared), url.to_owned());
        let wait = Wait::begin(Part::Endpoint);
        let validation = async move {
            let settings = &shared.settings;
            let (timeout, strict) = (settings.validation_timeout, settings.strict);
            validation::validate(&shared.poster, property, &url, request, timeout, strict).await
        };
        match self.runtime.spawn(validation.in_current_span()).await {
            Ok(outcome) => wait.over(outcome).map_err(KeepError::Endpoint),
            // The server stops.
            Err(_) => Err(KeepError::Write(WriteError::Log(AppendError::Unavailable))),
        }
    }
}

impl Shared {
    /// Takes over the subscriptions that the log has.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub(crate) fn new(engine: &Engine, settings: Settings, keeps_bodies: bool) -> Result<Shared, StartError> {
        let registry = Arc::new(Registry::default());
        engine.hand_over(Arc::clone(&registry) as Arc<dyn porchlight_engine::Keeper>);
        if let Some((key, cause)) = registry.unreadable() {
            return Err(StartError::Unreadable(format!("{key}: {cause}")));
        }
        let settings = Arc::new(settings);
        Ok(Shared {
            engine: engine.clone(),
            settings: Arc::clone(&settings),
            registry,
            poster: Poster::new(&Arc::new(settings.egress.clone()))?,
            attempts: Attempts::default(),
            keeps_bodies,
            signer: Arc::new(Signer::new(engine)),
            slots: Slots::of(engine.cluster().as_deref()),
            writing: Arc::default(),
            validations: Semaphore::new(VALIDATIONS_MAX),
            faults: Mutex::default(),
            counts: Mutex::default(),
        })
    }

    /// Who plans what is told.
    fn office(&self, words: Arc<dyn Words>) -> Office {
        Office::new(
            self.engine.clone(),
            Arc::clone(&self.settings),
            Arc::clone(&self.registry),
            words,
            Arc::clone(&self.signer),
            self.slots.clone(),
        )
    }

    pub(crate) fn faults(&self) -> Faults {
        *self.faults.lock()
    }

    /// Whoever asks how many users are kept in mind.
    pub(crate) fn counts(&self) -> Vec<oneshot::Sender<usize>> {
        std::mem::take(&mut self.counts.lock())
    }

    /// Whether the owner may have this subscription, too. Source: subscriptions-and-auth 4.2, 4.9, 8.3.
    fn check(&self, subscription: &Subscription) -> Result<(), KeepError> {
        let others = self.registry.of_owner(subscription.owner(), self.engine.now());
        let others: Vec<_> = others.iter().filter(|other| other.id != subscription.id).collect();
        let refused = if let Some(same) = others.iter().find(|other| other.target == subscription.target) {
            Refused::Duplicate(same.id)
        } else if others.len() < self.settings.per_owner_max {
            return Ok(());
        } else if self.settings.strict {
            Refused::Another
        } else {
            Refused::TooMany(self.settings.per_owner_max)
        };
        Err(KeepError::Refused(refused))
    }

    /// The subscription with what a PATCH changes.
    fn updated(
        &self,
        before: &Subscription,
        update: &Update,
        now: Timestamp,
    ) -> Result<Subscription, KeepError> {
        let mut subscription = Subscription { renewed_at: now, ..before.clone() };
        if let Some((expires_at, ticks)) = update.expires {
            (subscription.expires_at, subscription.expires_ticks) = (expires_at, ticks);
        }
        if let Some(url) = &update.notification_url {
            subscription.notification_url.clone_from(url);
            subscription.proved_at = now;
        }
        if let Some(certificate) = &update.certificate {
            subscription.certificate = Some(certificate.clone());
        }
        if before.has_ended(now) {
            let can_come_back = !self.settings.strict && now < before.expires_at.plus(GRACE);
            if !can_come_back || subscription.has_ended(now) {
                return Err(KeepError::Gone);
            }
            self.check(&subscription).map_err(|error| match error {
                // It has its successor.
                KeepError::Refused(Refused::Duplicate(_)) => KeepError::Gone,
                error => error,
            })?;
        }
        Ok(subscription)
    }

    /// Puts what `next` makes of a subscription in its place: once more, if another node has changed it meanwhile.
    pub(crate) async fn change(
        &self,
        id: Uuid,
        next: impl Fn(&Subscription, Timestamp) -> Result<Subscription, KeepError>,
    ) -> Result<Arc<Subscription>, KeepError> {
        let (key, until) = (Subscription::key(id), Instant::now() + self.engine.append_timeout());
        loop {
            let writing = self.writing().await?;
            // Before the look at the subscription, so that nothing is overwritten that was not seen.
            let expected = self.engine.revision_of(&key);
            let before = self.registry.get(id).ok_or(KeepError::Gone)?;
            let subscription = next(&before, self.engine.now())?;
            match self.keep(&subscription, expected, writing).await {
                Ok(()) => return Ok(Arc::new(subscription)),
                Err(error) if self.came_second(&key, &error, until).await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The right to write subscriptions, unless a write that hangs keeps it for too long.
    async fn writing(&self) -> Result<OwnedMutexGuard<()>, WriteError> {
        let wait = Wait::begin(Part::Lane);
        let writing = Arc::clone(&self.writing).lock_owned();
        let writing = tokio::time::timeout(self.engine.append_timeout(), writing).await;
        wait.over(writing).map_err(|_| WriteError::Log(AppendError::Unavailable))
    }

    /// Writes a subscription; nobody else in this process writes one before the log knows what became of it.
    async fn keep(
        &self,
        subscription: &Subscription,
        expected: Revision,
        writing: OwnedMutexGuard<()>,
    ) -> Result<(), WriteError> {
        let key = Subscription::key(subscription.id);
        let value = Value::Live(subscription.encode());
        self.engine.write_kept(key, expected, value, Box::new(writing)).await.map(drop)
    }

    /// Takes a subscription and its cursor out of the log.
    pub(crate) async fn delete(&self, id: Uuid) -> Result<(), WriteError> {
        let writing = self.writing().await?;
        self.delete_key(&Subscription::key(id), Arc::new(writing)).await?;
        self.delete_key(&StoredCursor::key(id), Arc::new(())).await
    }

    async fn delete_key(&self, key: &Key, hold: Arc<impl Send + Sync + 'static>) -> Result<(), WriteError> {
        let until = Instant::now() + self.engine.append_timeout();
        loop {
            let expected = self.engine.revision_of(key);
            if expected == Revision::NONE {
                return Ok(());
            }
            let value = Value::Tombstone { at: self.engine.now().as_millis() };
            let hold = Box::new(Arc::clone(&hold));
            match self.engine.write_kept(key.clone(), expected, value, hold).await {
                Err(error) if self.came_second(key, &error, until).await => {}
                deleted => return deleted.map(drop),
            }
        }
    }

    /// Whether a write was refused only since another node's was first; then the registry shows that one by now, and
    /// it can be tried again.
    async fn came_second(&self, key: &Key, error: &WriteError, until: Instant) -> bool {
        let WriteError::Log(AppendError::Conflict { newest }) = error else { return false };
        self.catch_up(key, *newest).await;
        Instant::now() < until
    }

    /// Waits until the registry shows this revision of a key. Not for long: it comes within milliseconds or, when this
    /// node is cut off, not at all.
    pub(crate) async fn catch_up(&self, key: &Key, revision: Revision) {
        let mut kept = self.registry.follow();
        let shows =
            async { while self.engine.revision_of(key) < revision && kept.changed().await.is_ok() {} };
        // Whoever asked looks for themselves whether it came.
        let _ = tokio::time::timeout(CATCH_UP, shows).await;
    }
}
