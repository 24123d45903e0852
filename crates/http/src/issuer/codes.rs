//! Codes that wait to be redeemed.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use porchlight_presence::Timestamp;

use super::CODES_MAX;

/// Codes, and what each is good for. They live in memory: a restart forgets them.
pub(super) struct Codes<T> {
    life: Duration,
    /// In the order of their issue, which is that of their ends. Held for a look through it; at most [`CODES_MAX`].
    waiting: Mutex<VecDeque<Waiting<T>>>,
}

struct Waiting<T> {
    code: String,
    until: Timestamp,
    what: T,
}

impl<T> Codes<T> {
    /// Codes that are good for this long.
    pub(super) fn good_for(life: Duration) -> Codes<T> {
        Codes { life, waiting: Mutex::default() }
    }

    /// A new code. When there are too many, the oldest goes.
    pub(super) fn issue(&self, what: T, now: Timestamp) -> String {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
        let code = URL_SAFE_NO_PAD.encode(bytes);
        let mut waiting = self.waiting.lock();
        waiting.retain(|one| now < one.until);
        if waiting.len() >= CODES_MAX {
            waiting.pop_front();
        }
        waiting.push_back(Waiting { code: code.clone(), until: now.plus(self.life), what });
        code
    }

    /// What a code is good for. It is good for it once.
    pub(super) fn redeem(&self, code: &str, now: Timestamp) -> Option<T> {
        let mut waiting = self.waiting.lock();
        let at = waiting.iter().position(|one| one.code == code)?;
        let found = waiting.remove(at)?;
        (now < found.until).then_some(found.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const LIFE: Duration = Duration::from_secs(600);

    #[test]
    fn a_code_is_good_once_and_for_a_time() {
        let codes = Codes::good_for(LIFE);
        let (one, other) = (codes.issue(1, NOW), codes.issue(2, NOW));
        assert_ne!(one, other);
        assert_eq!(codes.redeem(&one, NOW), Some(1));
        assert_eq!(codes.redeem(&one, NOW), None, "once");
        assert_eq!(codes.redeem(&other, NOW.plus(LIFE)), None, "too late");
        let third = codes.issue(3, NOW);
        assert_eq!(codes.redeem(&third, NOW.plus(Duration::from_secs(599))), Some(3));
        assert_eq!(codes.redeem("nonsense", NOW), None);
    }

    #[test]
    fn when_there_are_too_many_codes_the_oldest_goes() {
        let codes = Codes::good_for(LIFE);
        let issued: Vec<String> = (0..=CODES_MAX).map(|number| codes.issue(number, NOW)).collect();
        assert_eq!(codes.redeem(&issued[0], NOW), None);
        assert_eq!(codes.redeem(&issued[1], NOW), Some(1));
        assert_eq!(codes.redeem(&issued[CODES_MAX], NOW), Some(CODES_MAX));
    }
}
