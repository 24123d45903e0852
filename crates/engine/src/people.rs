//! Putting people into the directory, changing and deleting them.
//!
//! Each takes several appends. The person's lane stays closed over all of them, so nobody else is in between; each append
//! takes it along, so that it stays closed for as long as the log does not know what became of that.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use porchlight_presence::{Command, TenantId, UserId};
use porchlight_store::{Append, AppendError, Key, Revision, Value};

use crate::engine::Engine;
use crate::lanes::Lane;
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

/// What is known of somebody who signs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introduction {
    /// The name they sign in with.
    pub user_principal_name: Option<String>,
    /// The name to show.
    pub display_name: Option<String>,
    /// Their mail address.
    pub mail: Option<String>,
}

/// Why a person was not put in, changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonError {
    /// Somebody else has the name.
    #[error("the user principal name '{0}' belongs to somebody else")]
    NameTaken(String),
    /// The id is somebody's already.
    #[error("the id belongs to somebody already")]
    IdTaken,
    /// Nobody has the id.
    #[error("there is no such person")]
    NotFound,
    /// The person was deleted, and does not come back by signing in.
    #[error("the person was deleted")]
    Deleted,
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

    /// Puts a person in, or makes their entry this one; whoever was deleted comes back.
    ///
    /// # Errors
    ///
    /// [`PersonError::NameTaken`], and whatever the log answers.
    pub async fn put_person(&self, tenant: TenantId, person: &Person) -> Result<(), PersonError> {
        let lane = Arc::new(self.lane(tenant, person.id).await?);
        let known = self.state.tenant_or_new(tenant);
        let before = known.directory().person(person.id);
        self.keep_person(&known, before.as_ref(), person, lane).await
    }

    /// Puts a new person in. It is done to the end whether or not this future is still polled.
    ///
    /// # Errors
    ///
    /// [`PersonError::IdTaken`], [`PersonError::NameTaken`], and whatever the log answers. When the log did not confirm
    /// it, the person may be there.
    pub async fn create_person(&self, tenant: TenantId, person: &Person) -> Result<(), PersonError> {
        let (engine, person) = (self.clone(), person.clone());
        to_the_end(async move { engine.create(tenant, &person).await }).await
    }

    /// Changes a person, and returns them as they are then; the id stays, whatever `change` says. Changes of one person
    /// go one after another, and each sees what the one before has left. What `change` decides is done to the end whether
    /// or not this future is still polled.
    ///
    /// # Errors
    ///
    /// What `change` answers, when nothing has changed; [`PersonError::NotFound`], [`PersonError::NameTaken`], and
    /// whatever the log answers. When the log did not confirm it, it may have been done in part; doing it again does the
    /// rest.
    pub async fn change_person<E: From<PersonError>>(
        &self,
        tenant: TenantId,
        user: UserId,
        change: impl FnOnce(Person) -> Result<Person, E>,
    ) -> Result<Person, E> {
        let lane = Arc::new(self.lane(tenant, user).await.map_err(PersonError::Write)?);
        let known = self.state.tenant(tenant).ok_or(PersonError::NotFound)?;
        let before = known.directory().person(user).ok_or(PersonError::NotFound)?;
        let person = Person { id: user, ..change(before.clone())? };
        let (engine, changed) = (self.clone(), person.clone());
        to_the_end(async move { engine.keep_person(&known, Some(&before), &changed, lane).await }).await?;
        Ok(person)
    }

    /// Deletes a person and everything about them. It is done to the end whether or not this future is still polled.
    ///
    /// The record goes first and the entry last: as long as there is anything to delete the person is there, so a
    /// deletion that failed halfway can be repeated. Who follows is told that they have left, and a write to them that
    /// comes too late is answered [`WriteError::Deleted`].
    ///
    /// # Errors
    ///
    /// [`PersonError::NotFound`], and whatever the log answers.
    pub async fn delete_person(&self, tenant: TenantId, user: UserId) -> Result<(), PersonError> {
        let engine = self.clone();
        to_the_end(async move { engine.delete_all_of(tenant, user).await }).await
    }

    /// Sees that whoever signs in is a person of the tenant. Somebody who is there already stays as they are; of several
    /// calls at once for one id, one puts the person in.
    ///
    /// A name that is missing, taken or none that a client could set (see [`Person::is_name`]) is replaced by
    /// `{id}@{tenant}`; of the other texts those count that a client could set.
    ///
    /// # Errors
    ///
    /// [`PersonError::Deleted`] as long as their deletion is known, and whatever the log answers.
    pub async fn sign_in(
        &self,
        tenant: TenantId,
        user: UserId,
        introduced: &Introduction,
    ) -> Result<(), PersonError> {
        if self.state.tenant(tenant).is_some_and(|known| known.is_somebody(user)) {
            return Ok(());
        }
        let (engine, introduced) = (self.clone(), introduced.clone());
        to_the_end(async move { engine.introduce(tenant, user, &introduced).await }).await
    }

    /// Removes everybody who is not among these.
    pub(crate) async fn remove_others(
        &self,
        tenant: &Tenant,
        keep: &HashSet<UserId>,
    ) -> Result<(), PersonError> {
        let everybody = tenant.directory().ids_after(None, usize::MAX);
        for user in everybody.into_iter().filter(|user| !keep.contains(user)) {
            match self.delete_all_of(tenant.id(), user).await {
                // Somebody else was quicker.
                Err(PersonError::NotFound) => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }

    /// The steps of [`Engine::create_person`].
    async fn create(&self, tenant: TenantId, person: &Person) -> Result<(), PersonError> {
        let lane = Arc::new(self.lane(tenant, person.id).await?);
        let known = self.state.tenant_or_new(tenant);
        if known.directory().contains(person.id) {
            return Err(PersonError::IdTaken);
        }
        self.keep_person(&known, None, person, lane).await
    }

    /// The steps of [`Engine::sign_in`].
    async fn introduce(
        &self,
        tenant: TenantId,
        user: UserId,
        introduced: &Introduction,
    ) -> Result<(), PersonError> {
        let lane = Arc::new(self.lane(tenant, user).await?);
        let known = self.state.tenant_or_new(tenant);
        if known.is_somebody(user) {
            return Ok(());
        }
        if known.was_deleted(user) {
            return Err(PersonError::Deleted);
        }
        let unnamed = format!("{user}@{tenant}");
        let mut person = introduced.person(user, &unnamed);
        let outcome = self.keep_person(&known, None, &person, Arc::clone(&lane)).await;
        if !matches!(outcome, Err(PersonError::NameTaken(_))) {
            return outcome;
        }
        person.user_principal_name = unnamed;
        self.keep_person(&known, None, &person, lane).await
    }

    /// Makes somebody's entry this one, if it is another: first the name is claimed, then the entry is written, then the
    /// old name is given up. Then the record says whether the account is enabled. `lane` is the person's, closed.
    async fn keep_person(
        &self,
        tenant: &Tenant,
        before: Option<&Person>,
        person: &Person,
        lane: Arc<Lane>,
    ) -> Result<(), PersonError> {
        if before != Some(person) {
            let name = Arc::new(self.name_lane(tenant.id(), &person.user_principal_name).await?);
            let given_up = before.filter(|before| !same_name(before, person)).map(|before| {
                let key = keys::name(tenant.id(), &before.user_principal_name);
                // As it is while nobody else can claim it.
                (self.revision(&key), key)
            });
            self.claim_name(tenant, person, &name).await?;
            let key = keys::person(tenant.id(), person.id);
            let (expected, value) = (self.revision(&key), Value::Live(Bytes::from(person.encode())));
            self.append(Append { key, expected, value }, Box::new((Arc::clone(&lane), name))).await?;
            if let Some((expected, key)) = given_up {
                self.give_up_name(key, expected, Arc::clone(&lane)).await?;
            }
        }
        if tenant.is_hidden(person.id) == person.account_enabled {
            let command = Command::SetHidden(!person.account_enabled);
            self.write_within(lane, None, tenant.id(), person.id, &command).await?;
        }
        Ok(())
    }

    /// The steps of [`Engine::delete_person`].
    async fn delete_all_of(&self, tenant: TenantId, user: UserId) -> Result<(), PersonError> {
        let lane = Arc::new(self.lane(tenant, user).await?);
        let known = self.state.tenant(tenant).ok_or(PersonError::NotFound)?;
        let person = known.directory().person(user).ok_or(PersonError::NotFound)?;
        let name = keys::name(tenant, &person.user_principal_name);
        for key in [keys::user(tenant, user), name, keys::person(tenant, user)] {
            // Nobody evaluates past a deletion that is on its way.
            let claim = self.state.in_flight.begin(&self.state.clock);
            let (expected, value) = (self.revision(&key), Value::Tombstone { at: claim.at().as_millis() });
            self.append(Append { key, expected, value }, Box::new((claim, Arc::clone(&lane)))).await?;
        }
        Ok(())
    }

    /// Claims the person's name for them; `lane` is the name's, closed until they have it.
    async fn claim_name(
        &self,
        tenant: &Tenant,
        person: &Person,
        lane: &Arc<Lane>,
    ) -> Result<(), PersonError> {
        loop {
            match tenant.directory().named(&person.user_principal_name) {
                Some(owner) if owner == person.id => return Ok(()),
                Some(_) => return Err(PersonError::NameTaken(person.user_principal_name.clone())),
                None => {}
            }
            // A claim without an entry is what a crash between the two steps leaves: it is taken over.
            let key = keys::name(tenant.id(), &person.user_principal_name);
            let (expected, value) =
                (self.revision(&key), Value::Live(Bytes::copy_from_slice(person.id.0.as_bytes())));
            match self.append(Append { key, expected, value }, Box::new(Arc::clone(lane))).await {
                // Whoever had it before has given it up this very moment, and nobody else can claim it now.
                Err(WriteError::Log(AppendError::Conflict { .. })) => {}
                outcome => return Ok(outcome.map(drop)?),
            }
        }
    }

    /// Gives up the claim of a name that somebody had, unless another has claimed it since.
    async fn give_up_name(&self, key: Key, expected: Revision, lane: Arc<Lane>) -> Result<(), WriteError> {
        let value = Value::Tombstone { at: self.now().as_millis() };
        match self.append(Append { key, expected, value }, Box::new(lane)).await {
            Err(WriteError::Log(AppendError::Conflict { .. })) => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}

impl Introduction {
    /// The person who is introduced so; `unnamed` is the name of one without any.
    fn person(&self, id: UserId, unnamed: &str) -> Person {
        let text = |text: &Option<String>| text.clone().filter(|text| Person::is_text(text));
        let name = self.user_principal_name.clone().filter(|name| Person::is_name(name));
        let name = name.unwrap_or_else(|| unnamed.to_owned());
        Person {
            display_name: text(&self.display_name).unwrap_or_else(|| name.clone()),
            mail: text(&self.mail),
            ..Person::new(id, name)
        }
    }
}

/// Takes all the steps, whether or not whoever asked for them still waits.
async fn to_the_end<F>(steps: F) -> Result<(), PersonError>
where
    F: Future<Output = Result<(), PersonError>> + Send + 'static,
{
    // Steps that do not end were cut off by the end of the program.
    tokio::spawn(steps).await.unwrap_or(Err(PersonError::Write(WriteError::Log(AppendError::Unknown))))
}

fn same_name(one: &Person, other: &Person) -> bool {
    one.user_principal_name.eq_ignore_ascii_case(&other.user_principal_name)
}
