//! Putting people into the directory.

use std::collections::HashSet;

use bytes::Bytes;
use porchlight_presence::{Command, TenantId, UserId};
use porchlight_store::{Append, AppendError, Value};

use crate::engine::Engine;
use crate::person::Person;
use crate::write::WriteError;
use crate::{Tenant, keys};

/// A tenant and the people it is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The tenant.
    pub tenant: TenantId,
    /// Its people.
    pub people: Vec<Person>,
}

/// Why a person was not put into the directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonError {
    /// Somebody else has the name.
    #[error("the user principal name '{0}' belongs to somebody else")]
    NameTaken(String),
    /// The log did not take it.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Engine {
    /// Sees that the tenant has these people; who is there already as given is left alone, and nobody is removed.
    ///
    /// # Errors
    ///
    /// The first failure; those before it stay.
    pub async fn seed(&self, seed: &Seed) -> Result<(), PersonError> {
        // As many as may be on their way to the log together.
        let together = self.waiting_writes_max().clamp(1, 1024);
        let tenant = self.state.tenant_or_new(seed.tenant);
        for people in seed.people.chunks(together) {
            let mut writes = tokio::task::JoinSet::new();
            for person in people {
                let (engine, tenant, person) = (self.clone(), tenant.id(), person.clone());
                writes.spawn(async move { engine.put_person(tenant, &person).await });
            }
            while let Some(done) = writes.join_next().await {
                done.expect("putting a person in does not panic")?;
            }
        }
        Ok(())
    }

    /// Puts a person in, or changes their entry: first their name is claimed, then the entry is written.
    ///
    /// # Errors
    ///
    /// [`PersonError::NameTaken`], and whatever the log answers.
    pub async fn put_person(&self, tenant: TenantId, person: &Person) -> Result<(), PersonError> {
        let known = self.state.tenant_or_new(tenant);
        let before = known.directory().person(person.id);
        if before.as_ref() != Some(person) {
            self.claim_name(&known, person).await?;
            let lane = self.lane(tenant, person.id).await?;
            let expected = known.directory().revision(person.id);
            let entry = Value::Live(Bytes::from(person.encode()));
            let append = Append { key: keys::person(tenant, person.id), expected, value: entry };
            self.append(append, Box::new(lane)).await?;
            if let Some(before) = before.filter(|before| !same_name(before, person)) {
                self.give_up_name(tenant, &before.user_principal_name).await?;
            }
        }
        if known.user(person.id).is_hidden() == person.account_enabled {
            self.write(tenant, person.id, &Command::SetHidden(!person.account_enabled)).await?;
        }
        Ok(())
    }

    /// Takes a person out of the directory; their record is another matter.
    ///
    /// # Errors
    ///
    /// Whatever the log answers.
    pub(crate) async fn remove_person(&self, tenant: &Tenant, user: UserId) -> Result<(), WriteError> {
        let Some(person) = tenant.directory().person(user) else { return Ok(()) };
        let expected = tenant.directory().revision(user);
        self.put(keys::person(tenant.id(), user), expected, self.tombstone()).await?;
        self.give_up_name(tenant.id(), &person.user_principal_name).await
    }

    /// Removes everybody who is not among these.
    pub(crate) async fn remove_others(
        &self,
        tenant: &Tenant,
        keep: &HashSet<UserId>,
    ) -> Result<(), WriteError> {
        let everybody = tenant.directory().ids_after(None, usize::MAX);
        for user in everybody.into_iter().filter(|user| !keep.contains(user)) {
            self.remove_person(tenant, user).await?;
        }
        Ok(())
    }

    async fn claim_name(&self, tenant: &Tenant, person: &Person) -> Result<(), PersonError> {
        let taken = || PersonError::NameTaken(person.user_principal_name.clone());
        let owner = tenant.directory().named(&person.user_principal_name);
        if owner == Some(person.id) {
            return Ok(());
        }
        if owner.is_some() {
            return Err(taken());
        }
        // A claim without an entry is what a crash between the two steps leaves: it is taken over.
        let key = keys::name(tenant.id(), &person.user_principal_name);
        let expected = self.revision(&key);
        let claim = Value::Live(Bytes::copy_from_slice(person.id.0.as_bytes()));
        match self.put(key, expected, claim).await {
            Err(WriteError::Log(AppendError::Conflict { .. })) => Err(taken()),
            other => Ok(other.map(drop)?),
        }
    }

    async fn give_up_name(&self, tenant: TenantId, name: &str) -> Result<(), WriteError> {
        let key = keys::name(tenant, name);
        let expected = self.revision(&key);
        self.put(key, expected, self.tombstone()).await.map(drop)
    }

    fn tombstone(&self) -> Value {
        Value::Tombstone { at: self.now().as_millis() }
    }
}

fn same_name(one: &Person, other: &Person) -> bool {
    one.user_principal_name.eq_ignore_ascii_case(&other.user_principal_name)
}
