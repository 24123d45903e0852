//! The client by which every command asks a server: Graph's paths and the server's own, over http and https.
//!
//! Whatever is shaped like Graph will do, the original too. What a server refuses becomes a [`Failure`] that says what
//! it said, and what to do. `client/remote.rs` does the asking; here it is waited for.

mod events;
mod flags;
mod refusal;
mod remote;
#[cfg(test)]
mod scripted;
mod stream;
mod url;

use std::path::Path;

use http::Method;
use jiff::Timestamp;
use serde_json::Value;
use tokio::runtime::Runtime;

pub(crate) use self::events::Event;
pub(crate) use self::flags::{AddressFlags, ServerFlags};
pub(crate) use self::remote::{Answer, Items, Remote};
pub(crate) use self::stream::Told;
pub(crate) use self::url::{literal, query, segment};
use crate::exit::{Failure, INTERNAL};

/// A server, and whoever waits for its answers.
pub(crate) struct Client {
    runtime: Runtime,
    remote: Remote,
}

impl Client {
    /// The server that is meant, asked as whoever is meant.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`] for a URL, a file or a token that is of no use, or without a token;
    /// [`crate::exit::UNAVAILABLE`] when no development server runs over the data folder.
    pub(crate) fn of(flags: &ServerFlags) -> Result<Client, Failure> {
        let mut client = Client::anonymous(&flags.address)?;
        let token = flags.token(client.host(), client.remote.is_here())?;
        client.remote.authorize(&token, flags.who.as_deref())?;
        Ok(client)
    }

    /// The same without a token, for what needs none.
    ///
    /// # Errors
    ///
    /// As with [`Client::of`].
    pub(crate) fn anonymous(flags: &AddressFlags) -> Result<Client, Failure> {
        match &flags.data {
            Some(data) => Client::at(&crate::development::url_of(data)?, flags.ca.as_deref()),
            None => Client::at(&flags.url, flags.ca.as_deref()),
        }
    }

    /// The server at this URL, asked without a token. `ca`: certificates to trust beside the system's.
    ///
    /// # Errors
    ///
    /// [`crate::exit::USAGE`] for a URL or a file that is of no use.
    pub(crate) fn at(url: &str, ca: Option<&Path>) -> Result<Client, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(INTERNAL, error))?;
        Ok(Client { runtime, remote: Remote::at(url, ca)? })
    }

    /// Host and port, as the URL names them.
    pub(crate) fn host(&self) -> &str {
        self.remote.host()
    }

    /// The server, to be asked in [`Client::wait`].
    pub(crate) fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Runs something to its end.
    pub(crate) fn wait<T>(&self, something: impl Future<Output = T>) -> T {
        self.runtime.block_on(something)
    }

    /// [`Remote::call`]
    ///
    /// # Errors
    ///
    /// The same.
    pub(crate) fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        self.wait(self.remote.call(method, path, body))
    }

    /// [`Remote::ask`]
    ///
    /// # Errors
    ///
    /// The same.
    pub(crate) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        self.wait(self.remote.ask(method, path, body))
    }

    /// [`Remote::post_form`]
    ///
    /// # Errors
    ///
    /// The same.
    pub(crate) fn post_form(&self, path: &str, members: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.wait(self.remote.post_form(path, members))
    }

    /// [`Remote::pages`]
    ///
    /// # Errors
    ///
    /// The same.
    pub(crate) fn pages(&self, path: &str, max: usize) -> Result<Items, Failure> {
        self.wait(self.remote.pages(path, max))
    }

    /// [`Remote::now`]
    pub(crate) fn now(&self) -> Timestamp {
        self.wait(self.remote.now())
    }
}
