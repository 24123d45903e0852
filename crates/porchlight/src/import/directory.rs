//! The people of a running server, by SCIM. Source: RFC 7644, 3.3, 3.4.2 and 3.5.2.

use anyhow::anyhow;
use http::Method;
use serde_json::Value;
use uuid::Uuid;

use super::person::{self, Attribute, Told};
use super::plan::{Known, Step, What};
use crate::client::Client;
use crate::exit::{Failure, UNAVAILABLE};
use crate::progress::Progress;

/// Where users are.
const USERS: &str = "/porchlight/scim/v2/Users";

/// How many users are asked for at a time: as many as the server gives.
const PAGE: usize = 1000;

/// The people of the tenant that the token names.
pub(super) struct Directory(Client);

impl Directory {
    pub(super) fn of(client: Client) -> Directory {
        Directory(client)
    }

    /// Everybody.
    ///
    /// # Errors
    ///
    /// Those of [`Client::call`].
    pub(super) fn people(&self) -> Result<Vec<Known>, Failure> {
        let progress = Progress::counting("reading who is there");
        let (mut people, mut seen) = (Vec::new(), 0);
        loop {
            let path = format!("{USERS}?startIndex={}&count={PAGE}", seen + 1);
            let page = self.0.call(Method::GET, &path, None)?.json()?;
            let users = page["Resources"].as_array();
            let users = users.ok_or_else(|| Failure::new(UNAVAILABLE, self.stranger()))?;
            people.extend(users.iter().filter_map(known));
            seen += users.len() as u64;
            progress.advance(users.len() as u64);
            let total = page["totalResults"].as_u64().unwrap_or_default();
            if users.is_empty() || seen >= total {
                return Ok(people);
            }
        }
    }

    /// Does what a step says.
    ///
    /// # Errors
    ///
    /// Those of [`Client::call`].
    pub(super) fn take(&self, step: &Step) -> Result<(), Failure> {
        match &step.what {
            What::PutIn(None, told) => self.put_in(told),
            // A new person gets the GUID that they are called by from outside as their id, and then what else the row
            // says that they are called.
            What::PutIn(Some(id), told) => {
                let mut called = told.clone();
                let given = called.insert(Attribute::ExternalId, id.to_string().into());
                self.put_in(&called)?;
                match given.filter(|given| *given != id.to_string()) {
                    Some(given) => self.change(*id, &Told::from([(Attribute::ExternalId, given)])),
                    None => Ok(()),
                }
            }
            What::Change(id, told) => self.change(*id, told),
        }
    }

    fn put_in(&self, told: &Told) -> Result<(), Failure> {
        self.0.call(Method::POST, USERS, Some(&person::document(told))).map(drop)
    }

    fn change(&self, id: Uuid, told: &Told) -> Result<(), Failure> {
        self.0.call(Method::PATCH, &format!("{USERS}/{id}"), Some(&person::patch(told))).map(drop)
    }

    fn stranger(&self) -> anyhow::Error {
        anyhow!("what answers on {} is no porchlight", self.0.host())
    }
}

/// Somebody by SCIM's document of them.
fn known(user: &Value) -> Option<Known> {
    let id = Uuid::try_parse(user["id"].as_str()?).ok()?;
    Some(Known { id, told: person::told_by(user) })
}
