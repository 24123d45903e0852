//! The keys of an issuer as they were last fetched, and when they are fetched again. Source: subscriptions-and-auth 22.4.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::key_set::{Key, KeySet};

/// How long a fetch may take.
const FETCH_TIME: Duration = Duration::from_secs(5);

/// Keys are fetched again after this long at the latest.
const REFRESH_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Keys are not fetched again sooner than this, whatever their issuer says; nor more often for tokens with unknown keys.
const REFRESH_MIN: Duration = Duration::from_secs(5 * 60);

/// The pause after the first of several fetches that fail; twice as long after each further one.
const RETRY_MIN: Duration = Duration::from_secs(1);

/// What a fetch brings.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    /// Where users sign in.
    pub(super) authorization: Option<String>,
    /// How long the issuer says that the keys may be kept.
    pub(super) fresh_for: Option<Duration>,
}

/// Where keys come from.
pub(super) trait Fetch: Send + Sync {
    /// Fetches them; what is wrong otherwise, for the log.
    fn fetch(&self) -> impl Future<Output = Result<Fetched, String>> + Send;
}

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct KeyRing {
    /// Whose, for the log.
    issuer: String,
    known: watch::Sender<Known>,
    /// When keys were last fetched because a token named an unknown one.
    asked_at: Mutex<Option<Instant>>,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// `None` until a fetch has succeeded.
    keys: Option<KeySet>,
    authorization: Option<String>,
    /// How many fetches have ended.
    fetches: u64,
    /// Whether one is underway, or about to be.
    underway: bool,
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyError {
    /// The issuer has no such key.
    Unknown,
    /// Not a single fetch has succeeded yet.
    Unavailable,
}

impl KeyRing {
    pub(super) fn new(issuer: &str) -> KeyRing {
        // The first fetch is about to begin.
        let known = watch::Sender::new(Known { underway: true, ..Known::default() });
        KeyRing { issuer: issuer.to_owned(), known, asked_at: Mutex::default(), wanted: Notify::new() }
    }

    /// Where the issuer's users sign in, if that is known.
    pub(super) fn authorization(&self) -> Option<String> {
        self.known.borrow().authorization.clone()
    }

    /// The key of this id. For an unknown one the keys are fetched again, unless that was done for another unknown one
    /// less than five minutes ago; whoever asks meanwhile waits for the same fetch.
    ///
    /// # Errors
    ///
    /// See [`KeyError`].
    pub(super) async fn find(&self, id: Option<&str>) -> Result<Arc<Key>, KeyError> {
        let mut known = self.known.subscribe();
        // The fetch that is underway may have begun before the issuer had the key, so there may be a second one.
        for _ in 0..2 {
            let fetches = {
                let known = known.borrow_and_update();
                if let Some(key) = known.keys.as_ref().and_then(|keys| keys.find(id)) {
                    return Ok(Arc::clone(key));
                }
                known.fetches
            };
            if !self.ask() {
                break;
            }
            // A fetch has its own time-out; this one is for a ring that nobody keeps.
            drop(timeout(2 * FETCH_TIME, known.wait_for(|known| known.fetches > fetches)).await);
        }
        let known = self.known.borrow();
        let keys = known.keys.as_ref().ok_or(KeyError::Unavailable)?;
        keys.find(id).cloned().ok_or(KeyError::Unknown)
    }

    /// Whether a fetch is underway; one is begun if it may.
    fn ask(&self) -> bool {
        let mut asked_at = self.asked_at.lock();
        if self.known.borrow().underway {
            return true;
        }
        if asked_at.is_some_and(|at| at.elapsed() < REFRESH_MIN) {
            return false;
        }
        *asked_at = Some(Instant::now());
        self.known.send_modify(|known| known.underway = true);
        self.wanted.notify_one();
        true
    }

    /// Fetches the keys now, whenever they are old, and whenever a token names an unknown one; for ever.
    pub(super) async fn keep(&self, source: &impl Fetch) {
        let mut failures = 0;
        loop {
            self.known.send_modify(|known| known.underway = true);
            let fetched = timeout(FETCH_TIME, source.fetch()).await;
            let fetched =
                fetched.unwrap_or_else(|_| Err(format!("no answer within {} s", FETCH_TIME.as_secs())));
            failures = if fetched.is_ok() { 0 } else { failures + 1 };
            let pause = match &fetched {
                Ok(fetched) => fetched.fresh_for.unwrap_or(REFRESH_MAX).clamp(REFRESH_MIN, REFRESH_MAX),
                Err(error) => {
                    // Once when it begins, then now and then.
                    if failures == 1 || failures % 12 == 0 {
                        tracing::warn!(
                            issuer = self.issuer,
                            error,
                            failures,
                            "cannot fetch the issuer's keys"
                        );
                    }
                    RETRY_MIN.saturating_mul(1 << (failures - 1).min(16)).min(REFRESH_MIN)
                }
            };
            let outcome = if fetched.is_ok() { "fetched" } else { "failed" };
            metrics::counter!("porchlight_issuer_fetches_total", "outcome" => outcome).increment(1);
            self.known.send_modify(|known| {
                known.underway = false;
                known.fetches += 1;
                if let Ok(fetched) = fetched {
                    known.keys = Some(fetched.keys);
                    known.authorization = fetched.authorization;
                }
            });
            tokio::select! {
                () = sleep(pause) => {}
                () = self.wanted.notified() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use jsonwebtoken::DecodingKey;

    use super::*;

    /// An issuer whose every fetch answers the next of these: the id of its key, or nothing for a failure.
    struct Issuer {
        answers: Mutex<Vec<Option<&'static str>>>,
        fresh_for: Option<Duration>,
        takes: Duration,
        fetches: AtomicUsize,
    }

    impl Issuer {
        /// The last answer is repeated for ever.
        fn answering(answers: &[Option<&'static str>]) -> Arc<Issuer> {
            let answers = answers.iter().rev().copied().collect();
            let (fresh_for, takes) = (None, Duration::from_millis(10));
            Arc::new(Issuer { answers: Mutex::new(answers), fresh_for, takes, fetches: AtomicUsize::new(0) })
        }

        fn fetches(&self) -> usize {
            self.fetches.load(Ordering::SeqCst)
        }
    }

    impl Fetch for Issuer {
        async fn fetch(&self) -> Result<Fetched, String> {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            sleep(self.takes).await;
            let mut answers = self.answers.lock();
            let answer = if answers.len() > 1 { answers.pop() } else { answers.last().copied() };
            let id = answer.flatten().ok_or("down")?;
            let public = DecodingKey::from_rsa_components("AQAB", "AQAB").expect("they can be read");
            Ok(Fetched { keys: KeySet::of(id, public), authorization: None, fresh_for: self.fresh_for })
        }
    }

    fn kept(issuer: &Arc<Issuer>) -> Arc<KeyRing> {
        let ring = Arc::new(KeyRing::new("https://issuer.example"));
        let (keeper, issuer) = (Arc::clone(&ring), Arc::clone(issuer));
        tokio::spawn(async move { keeper.keep(&*issuer).await });
        ring
    }

    async fn find(ring: &KeyRing, id: &str) -> Result<(), KeyError> {
        ring.find(Some(id)).await.map(drop)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_before_the_first_fetch_has_ended_waits_for_it() {
        let issuer = Issuer::answering(&[Some("one")]);
        let ring = kept(&issuer);
        assert_eq!(find(&ring, "one").await, Ok(()));
        assert_eq!(issuer.fetches(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_key_is_fetched_once_however_many_ask() {
        let issuer = Issuer::answering(&[Some("one"), Some("two")]);
        let ring = kept(&issuer);
        assert_eq!(find(&ring, "one").await, Ok(()));
        let asking = (0..100).map(|_| find(&ring, "two"));
        let found = futures_util::future::join_all(asking).await;
        assert!(found.iter().all(Result::is_ok));
        assert_eq!(issuer.fetches(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_of_unknown_keys_is_one_fetch_in_five_minutes() {
        let issuer = Issuer::answering(&[Some("one")]);
        let ring = kept(&issuer);
        assert_eq!(find(&ring, "one").await, Ok(()));
        for round in 1..=3 {
            let began = Instant::now();
            for number in 0..1000 {
                assert_eq!(find(&ring, &number.to_string()).await, Err(KeyError::Unknown));
            }
            assert_eq!(issuer.fetches(), 1 + round);
            assert!(began.elapsed() < Duration::from_secs(1), "only the first one has waited");
            sleep(REFRESH_MIN).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_issuer_that_is_down_is_asked_again_and_costs_nobody_the_keys_of_before() {
        let issuer = Issuer::answering(&[None, None, Some("one"), None]);
        let ring = kept(&issuer);
        let began = Instant::now();
        assert_eq!(find(&ring, "one").await, Err(KeyError::Unavailable), "and it was asked once more");
        assert!(began.elapsed() < Duration::from_millis(100));
        sleep(Duration::from_secs(10)).await;
        assert_eq!(find(&ring, "one").await, Ok(()));
        sleep(REFRESH_MAX).await;
        assert!(issuer.fetches() > 3);
        assert_eq!(find(&ring, "one").await, Ok(()), "the last good ones stay");
        let per_day = issuer.fetches();
        sleep(REFRESH_MAX).await;
        assert!(
            issuer.fetches() - per_day <= 300,
            "at most every five minutes: {}",
            issuer.fetches() - per_day
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_issuer_that_does_not_answer_is_given_up_in_five_seconds() {
        let mut issuer = Issuer::answering(&[Some("one")]);
        Arc::get_mut(&mut issuer).expect("nobody else has it").takes = Duration::from_secs(60);
        let ring = kept(&issuer);
        let began = Instant::now();
        assert_eq!(find(&ring, "one").await, Err(KeyError::Unavailable));
        assert!(began.elapsed() <= 2 * FETCH_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_kept_for_as_long_as_the_issuer_says_within_bounds() {
        let hour = Duration::from_secs(60 * 60);
        let table = [
            (None, REFRESH_MAX),
            (Some(Duration::ZERO), REFRESH_MIN),
            (Some(hour), hour),
            (Some(1000 * hour), REFRESH_MAX),
        ];
        for (fresh_for, pause) in table {
            let mut issuer = Issuer::answering(&[Some("one")]);
            Arc::get_mut(&mut issuer).expect("nobody else has it").fresh_for = fresh_for;
            let ring = kept(&issuer);
            assert_eq!(find(&ring, "one").await, Ok(()));
            sleep(pause.saturating_sub(Duration::from_secs(1))).await;
            assert_eq!(issuer.fetches(), 1, "{fresh_for:?}");
            sleep(Duration::from_secs(2)).await;
            assert_eq!(issuer.fetches(), 2, "{fresh_for:?}");
        }
    }
}
