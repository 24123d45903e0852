//! One address that is told, and how well that goes. Source: subscriptions-and-auth 17.2 to 17.4.

use std::collections::VecDeque;
use std::time::Duration;

use porchlight_presence::{TenantId, Timestamp};
use uuid::Uuid;

use crate::letter::Letter;
use crate::outcome::Outcome;
use crate::settings::Settings;
use crate::subscription::Subscription;

/// What one POST goes to: one URL of one tenant, so that nothing of two tenants ever travels together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    pub(crate) tenant: TenantId,
    pub(crate) url: String,
}

impl Address {
    /// Where a subscription is told.
    pub(crate) fn of(subscription: &Subscription) -> Address {
        Address { tenant: subscription.tenant, url: subscription.notification_url.clone() }
    }
}

/// How long to wait after the first failure, the second and so on; then always as long as at the end.
const BACKOFF: [Duration; 8] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(45),
    Duration::from_secs(2 * 60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(20 * 60),
    Duration::from_secs(30 * 60),
];

/// Under the profile `strict`, what could not be told for this long is not told at all.
const STRICT_PATIENCE: Duration = Duration::from_secs(4 * 60 * 60);

/// So many answers of "gone" in a row, without a success, end the subscriptions under the profile `open`.
const GONE_MAX: u32 = 10;

/// The time over which answers are counted, and for which a slow endpoint is left alone under `strict`.
const WINDOW: Duration = Duration::from_secs(10 * 60);

/// Fewer answers than this say nothing.
const SAMPLES_MIN: u32 = 100;

/// The most letters that wait for one endpoint; with more the oldest is dropped.
pub(crate) const LETTERS_MAX: usize = 1000;

/// An address, what waits for it, and how well it answers.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    /// The subscriptions that have something to tell here, each once.
    pub(crate) waiting: VecDeque<Uuid>,
    /// Word of the subscriptions themselves.
    pub(crate) letters: VecDeque<Letter>,
    /// How many requests are underway.
    pub(crate) underway: usize,
    failures: u32,
    failing_since: Option<Timestamp>,
    /// When it failed last.
    failed_at: Option<Timestamp>,
    gone: u32,
    /// Nothing is sent before this.
    not_before: Option<Timestamp>,
    pace: Pace,
    window: Window,
}

/// How an endpoint is treated for how it has answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pace {
    #[default]
    Normal,
    /// More than a tenth of its answers took longer than 3 s.
    Slow,
    /// More than 15 % of its answers took longer than 10 s. Under `strict` alone.
    Dropping,
}

#[derive(Debug, Default)]
struct Window {
    begun: Timestamp,
    answers: u32,
    over_3_s: u32,
    over_10_s: u32,
}

/// What an outcome leads to, beyond the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    /// What waits is not told any more.
    Skip,
    /// Nobody lives here: the subscriptions end.
    Gone,
}

impl Endpoint {
    /// From when on nothing is known of it that is worth keeping; `None` while something is to be sent or underway.
    pub(crate) fn forgotten_at(&self) -> Option<Timestamp> {
        let is_idle = self.waiting.is_empty() && self.letters.is_empty() && self.underway == 0;
        // How it has answered counts for a while, also if nobody has anything to tell it meanwhile.
        let counts_until = self.window.begun.plus(WINDOW);
        is_idle.then(|| self.not_before.map_or(counts_until, |at| counts_until.max(at)))
    }

    /// Which attempt the next request is, beginning with 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.failures + 1
    }

    /// When something may be sent; `None`: at once, or whenever what is underway has come back.
    pub(crate) fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// Whether another request may be sent now.
    pub(crate) fn may_send(&self, now: Timestamp, settings: &Settings) -> bool {
        let together = if self.failures > 0 || self.pace != Pace::Normal { 1 } else { settings.underway_max };
        self.underway < together && self.not_before.is_none_or(|at| at <= now)
    }

    /// Whether what happens now is not told at all.
    pub(crate) fn is_dropping(&self) -> bool {
        self.pace == Pace::Dropping
    }

    /// Notes what came of a request that was attempt number `attempt`.
    pub(crate) fn note(
        &mut self,
        attempt: u32,
        outcome: Outcome,
        took: Duration,
        now: Timestamp,
        settings: &Settings,
    ) -> Verdict {
        self.window.note(took, now);
        if outcome.is_delivered() {
            self.forget_failures();
            self.not_before = None;
            return self.judge(now, settings);
        }
        // Requests that were underway together fail together: that is one failure.
        if attempt == self.attempt() {
            self.failures += 1;
            self.failed_at = Some(now);
            let since = *self.failing_since.get_or_insert(now);
            let wait = BACKOFF[(self.failures as usize - 1).min(BACKOFF.len() - 1)];
            self.not_before = Some(now.plus(jittered(wait)));
            self.gone = if outcome.is_gone() { self.gone + 1 } else { 0 };
            if settings.strict && now.since(since) >= STRICT_PATIENCE {
                self.forget_failures();
                self.not_before = None;
                return Verdict::Skip;
            }
            if !settings.strict && self.gone >= GONE_MAX {
                return Verdict::Gone;
            }
        }
        self.judge(now, settings)
    }

    /// It has proved itself at this instant: that it has failed before then counts no more, and what waits may be sent
    /// at once. Under `strict` a slow one is left alone all the same, for its ten minutes. Returns whether it had failed.
    pub(crate) fn prove(&mut self, at: Timestamp, settings: &Settings) -> bool {
        // A record is looked at many times. What fails at the very instant of the proof has failed after it.
        if self.failed_at.is_none_or(|failed| failed >= at) {
            return false;
        }
        self.forget_failures();
        let is_left_alone = settings.strict && self.pace != Pace::Normal;
        let until = at.plus(WINDOW);
        self.not_before = self.not_before.filter(|_| is_left_alone).map(|before| before.min(until));
        true
    }

    fn forget_failures(&mut self) {
        (self.failures, self.failing_since, self.failed_at, self.gone) = (0, None, None, 0);
    }

    /// How the endpoint is treated from now on, by how it has answered in the window.
    fn judge(&mut self, now: Timestamp, settings: &Settings) -> Verdict {
        let enough = self.window.answers >= SAMPLES_MIN || self.pace != Pace::Normal;
        let over = |count: u32, percent: u32| count * 100 > self.window.answers * percent;
        let pace = if enough && settings.strict && over(self.window.over_10_s, 15) {
            Pace::Dropping
        } else if enough && over(self.window.over_3_s, 10) {
            Pace::Slow
        } else {
            Pace::Normal
        };
        let was = std::mem::replace(&mut self.pace, pace);
        if pace != Pace::Normal && settings.strict && self.not_before.is_none_or(|at| at <= now) {
            self.not_before = Some(now.plus(WINDOW));
        }
        if pace != was {
            self.window = Window { begun: now, ..Window::default() };
        }
        if pace == Pace::Dropping { Verdict::Skip } else { Verdict::GoOn }
    }
}

impl Window {
    fn note(&mut self, took: Duration, now: Timestamp) {
        if now.since(self.begun) >= WINDOW {
            *self = Window { begun: now, ..Window::default() };
        }
        self.answers += 1;
        self.over_3_s += u32::from(took > Duration::from_secs(3));
        self.over_10_s += u32::from(took > Duration::from_secs(10));
    }
}

/// A fifth more or less, so that those who failed together do not come back together.
fn jittered(wait: Duration) -> Duration {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let random = Uuid::new_v4().as_u128() as u64;
    Duration::from_millis(millis * 4 / 5 + random % (millis * 2 / 5 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn fail(endpoint: &mut Endpoint, status: u16, now: Timestamp, settings: &Settings) -> Verdict {
        let attempt = endpoint.attempt();
        endpoint.note(attempt, Outcome::Status(status), Duration::from_millis(5), now, settings)
    }

    #[test]
    fn waits_grow_with_every_failure_and_end_with_a_success() {
        let (mut endpoint, settings) = (Endpoint::default(), Settings::default());
        let mut now = NOW;
        for wait in BACKOFF.iter().chain([BACKOFF.last().unwrap()]) {
            assert!(endpoint.may_send(now, &settings));
            assert_eq!(fail(&mut endpoint, 500, now, &settings), Verdict::GoOn);
            let at = endpoint.not_before().unwrap();
            let (least, most) = (now.plus(*wait * 4 / 5), now.plus(*wait * 6 / 5));
            assert!((least..=most).contains(&at), "{wait:?}");
            assert!(!endpoint.may_send(Timestamp::from_millis(at.as_millis() - 1), &settings));
            now = at;
        }
        endpoint.note(endpoint.attempt(), Outcome::Status(202), Duration::ZERO, now, &settings);
        assert_eq!((endpoint.attempt(), endpoint.not_before()), (1, None));
    }

    #[test]
    fn who_has_proved_itself_since_it_failed_is_waited_for_no_longer() {
        let open = Settings::default();
        let mut endpoint = Endpoint::default();
        assert!(!endpoint.prove(NOW, &open), "it has not failed");
        for _ in 0..3 {
            fail(&mut endpoint, 410, NOW, &open);
        }
        assert!(!endpoint.prove(NOW, &open), "it has failed since");
        assert_eq!((endpoint.attempt(), endpoint.may_send(NOW, &open)), (4, false));
        assert!(endpoint.prove(NOW.next(), &open));
        assert_eq!((endpoint.attempt(), endpoint.not_before()), (1, None));
        let verdicts = (1..GONE_MAX).map(|_| fail(&mut endpoint, 410, NOW.next(), &open));
        assert_eq!(verdicts.last(), Some(Verdict::GoOn), "what was gone is counted anew");
    }

    #[test]
    fn under_strict_who_is_slow_is_left_alone_for_ten_minutes_though_it_has_proved_itself() {
        let strict = Settings { strict: true, ..Settings::default() };
        let mut endpoint = Endpoint { pace: Pace::Slow, ..Endpoint::default() };
        endpoint.window.begun = NOW;
        endpoint.note(1, Outcome::Timeout, Duration::from_secs(10), NOW, &strict);
        endpoint.not_before = Some(NOW.plus(WINDOW * 3));
        assert!(endpoint.prove(NOW.next(), &strict));
        assert_eq!((endpoint.attempt(), endpoint.not_before()), (1, Some(NOW.next().plus(WINDOW))));
    }

    #[test]
    fn requests_that_fail_together_are_one_failure() {
        let (mut endpoint, settings) = (Endpoint::default(), Settings::default());
        for _ in 0..8 {
            endpoint.note(1, Outcome::Timeout, Duration::from_secs(3), NOW, &settings);
        }
        assert_eq!(endpoint.attempt(), 2);
    }

    #[test]
    fn ten_times_gone_is_gone_but_not_under_strict_and_not_with_another_answer_between() {
        let (open, strict) = (Settings::default(), Settings { strict: true, ..Settings::default() });
        let verdicts = |statuses: &[u16], settings: &Settings| {
            let mut endpoint = Endpoint::default();
            let verdicts = statuses.iter().map(|status| fail(&mut endpoint, *status, NOW, settings));
            verdicts.collect::<Vec<_>>().pop()
        };
        assert_eq!(verdicts(&[410, 404, 410, 410, 410, 410, 410, 410, 410, 404], &open), Some(Verdict::Gone));
        assert_eq!(verdicts(&[410; 9], &open), Some(Verdict::GoOn));
        assert_eq!(verdicts(&[410; 10], &strict), Some(Verdict::GoOn));
        let mut mixed = [410; 12];
        mixed[5] = 500;
        assert_eq!(verdicts(&mixed, &open), Some(Verdict::GoOn));
    }

    #[test]
    fn strict_gives_up_after_four_hours_and_open_never_does() {
        for (settings, verdict) in [
            (Settings { strict: true, ..Settings::default() }, Verdict::Skip),
            (Settings::default(), Verdict::GoOn),
        ] {
            let mut endpoint = Endpoint::default();
            assert_eq!(fail(&mut endpoint, 500, NOW, &settings), Verdict::GoOn);
            let later = NOW.plus(STRICT_PATIENCE);
            assert_eq!(fail(&mut endpoint, 500, later, &settings), verdict);
        }
    }

    #[test]
    fn who_answers_slowly_is_sent_one_request_at_a_time_and_under_strict_is_left_alone_for_ten_minutes() {
        let (open, strict) = (Settings::default(), Settings { strict: true, ..Settings::default() });
        let answer = |endpoint: &mut Endpoint, seconds: u64, now, settings: &Settings| {
            let attempt = endpoint.attempt();
            endpoint.note(attempt, Outcome::Status(200), Duration::from_secs(seconds), now, settings)
        };
        for settings in [&open, &strict] {
            let mut endpoint = Endpoint::default();
            for number in 0..100 {
                answer(&mut endpoint, if number % 9 == 0 { 4 } else { 1 }, NOW, settings);
            }
            endpoint.underway = 1;
            assert!(!endpoint.may_send(NOW, settings));
            endpoint.underway = 0;
            assert_eq!(endpoint.may_send(NOW, settings), !settings.strict);
            assert!(endpoint.may_send(NOW.plus(WINDOW), settings));
            answer(&mut endpoint, 1, NOW.plus(WINDOW), settings);
            endpoint.underway = 1;
            assert!(endpoint.may_send(NOW.plus(WINDOW), settings), "the probe went well");
        }
        let mut endpoint = Endpoint::default();
        let verdicts = (0..100).map(|_| answer(&mut endpoint, 11, NOW, &strict));
        assert_eq!(verdicts.last(), Some(Verdict::Skip));
        assert!(endpoint.is_dropping());
    }

    #[test]
    fn how_it_answers_is_remembered_over_a_pause_and_forgotten_after_a_while() {
        let (mut endpoint, settings) = (Endpoint::default(), Settings::default());
        for _ in 0..SAMPLES_MIN {
            assert!(endpoint.forgotten_at().is_none_or(|at| at > NOW || endpoint.window.answers == 0));
            endpoint.note(1, Outcome::Status(202), Duration::from_secs(4), NOW, &settings);
        }
        assert_eq!((endpoint.pace, endpoint.forgotten_at()), (Pace::Slow, Some(NOW.plus(WINDOW))));
        fail(&mut endpoint, 500, NOW.plus(WINDOW), &settings);
        assert!(endpoint.forgotten_at() >= endpoint.not_before(), "it is not asked sooner for that");
        endpoint.underway = 1;
        assert_eq!(endpoint.forgotten_at(), None);
    }
}
