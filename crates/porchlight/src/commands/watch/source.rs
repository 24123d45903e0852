//! Where changes come from: the server's stream, or asking again and again where there is none.

use anyhow::anyhow;
use tokio::sync::mpsc::Receiver;

use super::poll::poll;
use crate::client::{Remote, Told};
use crate::commands::people::Person;
use crate::exit::{Failure, INTERNAL, USAGE};

/// What tells of changes.
pub(super) struct Source {
    remote: Remote,
    heard: Receiver<Told>,
    /// Whom to ask for when there are no streams; `None`: that cannot be done, or is done already.
    instead: Option<Vec<Person>>,
}

impl Source {
    /// The stream at this path; `can_poll`: asking for these people would tell the same.
    pub(super) fn new(remote: &Remote, path: &str, people: Vec<Person>, can_poll: bool) -> Source {
        Source { remote: remote.clone(), heard: remote.stream(path), instead: can_poll.then_some(people) }
    }

    /// The server.
    pub(super) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Waits for what comes next. Nothing is lost when that is given up. [`Told::NoStreams`]: from now on the server is
    /// asked every [`super::poll::EVERY`].
    ///
    /// # Errors
    ///
    /// What the server refuses.
    pub(super) async fn next(&mut self) -> Result<Told, Failure> {
        let told = self.heard.recv().await;
        let told = told.ok_or_else(|| Failure::new(INTERNAL, anyhow!("the stream has ended by itself")))?;
        match told {
            Told::NoStreams => self.ask_instead(None),
            // The original knows no such path, and says so in many ways.
            Told::Refused(failure) if failure.code == USAGE => self.ask_instead(Some(failure)),
            Told::Refused(failure) => Err(failure),
            told => Ok(told),
        }
    }

    fn ask_instead(&mut self, failure: Option<Failure>) -> Result<Told, Failure> {
        let Some(people) = self.instead.take() else {
            let host = self.remote.host();
            let none = || Failure::usage(format!("{host} has no streams, and without them no --filter"));
            return Err(failure.unwrap_or_else(none));
        };
        self.heard = poll(&self.remote, people);
        Ok(Told::NoStreams)
    }
}
