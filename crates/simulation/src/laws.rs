//! The laws that hold in every run, whatever goes wrong in it.

use std::fmt;

use porchlight_presence::UserId;

/// A law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Law {
    /// What was acknowledged is durable, and still there after a crash.
    Kept,
    /// A durable record shows what a naive model says that remembers every write; what nobody wrote is not there.
    Model,
    /// Whoever reads, follows or is told sees what durable records show, and nothing that they never showed.
    Seen,
    /// Whoever has been told that a write is durable sees it from then on; after a start, time begins no earlier.
    Fresh,
    /// What a watcher is told of one user comes in the order of its stamps.
    Order,
    /// Once faults have stopped, every watcher has been told how things are.
    Told,
    /// A change that time makes is announced as soon as engine time is there.
    Punctual,
    /// At rest nothing is left behind: no write that waits, no claim on engine time, nobody to be told.
    Bounded,
    /// A request that is in order is answered as documented; once faults have stopped, with success.
    Answered,
    /// Nothing panics.
    Calm,
}

impl Law {
    /// The law in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Law::Kept => "no acknowledged write is lost",
            Law::Model => "presence is what a naive model says",
            Law::Seen => "no reader sees what is not durable",
            Law::Fresh => "who was told that a write is durable sees it",
            Law::Order => "what is told of one user comes in order",
            Law::Told => "every watcher is told the final state",
            Law::Punctual => "no timer is late",
            Law::Bounded => "nothing grows without bounds",
            Law::Answered => "requests are answered as documented",
            Law::Calm => "nothing panics",
        }
    }
}

/// A law was broken.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    /// Which.
    pub(crate) law: Law,
    /// How.
    pub(crate) how: String,
    /// Whose presence it is about, if it is about one.
    pub(crate) user: Option<UserId>,
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} ({}): {}", self.law, self.law.words(), self.how)
    }
}
