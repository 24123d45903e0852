//! What a check has found.

use serde_json::{Value, json};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) state: State,
    /// What was looked at, in a word.
    pub(super) check: &'static str,
    /// What was found; may have several lines.
    pub(super) found: String,
    /// What to do about it, where `found` does not say so.
    pub(super) advice: Option<String>,
}

/// How it stands with what was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Good,
    /// It works, and may not be what is meant, or not for long.
    Warning,
    Wrong,
}

impl Finding {
    /// All is well.
    pub(super) fn good(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { state: State::Good, check, found: found.into(), advice: None }
    }

    /// Somebody should know this.
    pub(super) fn warning(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { state: State::Warning, ..Finding::good(check, found) }
    }

    /// This does not work.
    pub(super) fn wrong(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { state: State::Wrong, ..Finding::good(check, found) }
    }

    /// And this is what to do.
    pub(super) fn advise(self, advice: impl Into<String>) -> Finding {
        Finding { advice: Some(advice.into()), ..self }
    }

    /// Whether it does not work.
    pub(super) fn is_wrong(&self) -> bool {
        self.state == State::Wrong
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let state = match self.state {
            State::Good => "good",
            State::Warning => "warning",
            State::Wrong => "wrong",
        };
        json!({"check": self.check, "state": state, "found": self.found, "advice": self.advice})
    }
}
