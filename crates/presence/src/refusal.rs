//! Why a command was not applied.

use std::time::Duration;

use crate::Pair;

/// The method that refused a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// setPresence.
    SetPresence,
    /// setUserPreferredPresence.
    SetUserPreferredPresence,
    /// PATCH of the presence itself.
    Patch,
}

/// A text with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// A status message's content.
    StatusMessage,
    /// An out-of-office message.
    OutOfOfficeMessage,
    /// A work location's place.
    PlaceId,
}

/// Why a command was not applied; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The method does not take this pair.
    #[error("the pair {pair} is not supported by {method:?}")]
    PairNotSupported {
        /// The pair given.
        pair: Pair,
        /// The method asked.
        method: Method,
        /// What it takes.
        supported: &'static [Pair],
    },
    /// The duration lies outside the range.
    #[error("the duration {given:?} is not within {min:?} and {max:?}")]
    DurationOutOfRange {
        /// What was given.
        given: Duration,
        /// The shortest allowed.
        min: Duration,
        /// The longest allowed.
        max: Duration,
    },
    /// There is no such live session to clear.
    #[error("the session does not exist or has ended")]
    SessionNotFound,
    /// One more live session would be too many.
    #[error("a user can have at most {max} sessions")]
    TooManySessions {
        /// The limit.
        max: usize,
    },
    /// A status message that would end before it begins.
    #[error("the expiry is not in the future")]
    ExpiryInThePast,
    /// A text longer than its limit.
    #[error("the text {text:?} is longer than {max} characters")]
    TextTooLong {
        /// Which text.
        text: Text,
        /// Its limit, in Unicode scalar values.
        max: usize,
    },
    /// A text with a control character other than tab and line break.
    #[error("the text {text:?} has a control character")]
    ControlCharacter {
        /// Which text.
        text: Text,
    },
    /// The person is hidden: nothing is written for them.
    #[error("the person is disabled")]
    Hidden,
}

/// Refuses a text that is too long or has control characters that nobody would want to be shown.
pub(crate) fn check_text(content: &str, text: Text, max: usize) -> Result<(), Refusal> {
    if content.chars().nth(max).is_some() {
        return Err(Refusal::TextTooLong { text, max });
    }
    if content.replace("\r\n", "\n").chars().any(|c| c.is_control() && c != '\t' && c != '\n') {
        return Err(Refusal::ControlCharacter { text });
    }
    Ok(())
}
