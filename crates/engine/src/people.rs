//! Putting people into the directory, changing and deleting them.
//!
//! Each takes several appends. The person's lane stays closed over all of them, so nobody else is in between; each append
//! takes it along, so that it stays closed for as long as the log does not know what became of that.
//!
//! Lanes are this process's own. Where another node has written to the same person, or claimed the same name, an append
//! is answered with a conflict; then everything is begun anew with what reads show once they show that.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use porchlight_presence::{Command, TenantId, UserId};
use porchlight_store::{Append, AppendError, Key, Revision, Value};
use tracing::Instrument;

use crate::attempts::Attempts;
use crate::engine::Engine;
use crate::lanes::Lane;
use crate::person::Person;
use crate::write::WriteError;
use crate::{Tenant, errand, keys};

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
    /// Sees that the tenant has these people; who is there already as given is left alone, and nobody is
    /// removed. Who of them has the name of another gives it up.
    ///
    /// # Errors
    ///
    /// The first failure; those before it stay.
    pub async fn seed(&self, seed: &Seed) -> Result<(), PersonError> {
        // As many as may be on their way to the log together.
        let together = self.waiting_writes_max().clamp(1, 1024);
        let tenant = self.state.tenant_or_new(seed.tenant);
        self.free_names(&tenant, &seed.people).await?;
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

    /// Has those of these people who have the name of another give it up: they are called `{id}@{tenant}`
    /// until they have their own. Else of two who have each other's each would be in the way of the other.
    async fn free_names(&self, tenant: &Tenant, people: &[Person]) -> Result<(), PersonError> {
        let by_id: HashMap<UserId, &Person> = people.iter().map(|person| (person.id, person)).collect();
        for person in people {
            let Some(owner) = tenant.directory().named(&person.user_principal_name) else { continue };
            if by_id.get(&owner).is_some_and(|owner| !same_name(owner, person)) {
                let unnamed = format!("{owner}@{}", tenant.id());
                let give_up = |before| Ok(Person { user_principal_name: unnamed.clone(), ..before });
                self.change_person::<PersonError>(tenant.id(), owner, give_up).await?;
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
        let (known, attempts) = (self.state.tenant_or_new(tenant), self.attempts());
        loop {
            let before = known.directory().to_write(person.id);
            let outcome = self.keep_person(&known, before, person, Arc::clone(&lane)).await;
            if attempts.unless_person_moved(&known, outcome).await? {
                return Ok(());
            }
        }
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
    /// go one after another, and each sees what the one before has left; when another node has changed the person
    /// meanwhile, `change` is asked again. What it decides is done to the end whether or not this future is still polled.
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
        mut change: impl FnMut(Person) -> Result<Person, E>,
    ) -> Result<Person, E> {
        let lane = Arc::new(self.lane(tenant, user).await.map_err(PersonError::Write)?);
        let known = self.state.tenant(tenant).ok_or(PersonError::NotFound)?;
        let attempts = self.attempts();
        loop {
            let (before, expected) = known.directory().to_write(user);
            let person = Person { id: user, ..change(before.clone().ok_or(PersonError::NotFound)?)? };
            let (engine, of, lane) = (self.clone(), Arc::clone(&known), Arc::clone(&lane));
            let changed = person.clone();
            let keep = async move { engine.keep_person(&of, (before, expected), &changed, lane).await };
            if attempts.unless_person_moved(&known, to_the_end(keep).await).await? {
                return Ok(person);
            }
        }
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
        let (known, attempts) = (self.state.tenant_or_new(tenant), self.attempts());
        loop {
            let before = known.directory().to_write(person.id);
            if before.0.is_some() {
                return Err(PersonError::IdTaken);
            }
            let outcome = self.keep_person(&known, before, person, Arc::clone(&lane)).await;
            if attempts.unless_person_moved(&known, outcome).await? {
                return Ok(());
            }
        }
    }

    /// The steps of [`Engine::sign_in`].
    async fn introduce(
        &self,
        tenant: TenantId,
        user: UserId,
        introduced: &Introduction,
    ) -> Result<(), PersonError> {
        let lane = Arc::new(self.lane(tenant, user).await?);
        let unnamed = format!("{user}@{tenant}");
        let mut person = introduced.person(user, &unnamed);
        let (known, attempts) = (self.state.tenant_or_new(tenant), self.attempts());
        loop {
            let before = known.directory().to_write(user);
            if before.0.is_some() {
                return Ok(());
            }
            if known.was_deleted(user) {
                return Err(PersonError::Deleted);
            }
            let outcome = self.keep_person(&known, before, &person, Arc::clone(&lane)).await;
            if matches!(outcome, Err(PersonError::NameTaken(_))) && person.user_principal_name != unnamed {
                person.user_principal_name.clone_from(&unnamed);
            } else if attempts.unless_person_moved(&known, outcome).await? {
                return Ok(());
            }
        }
    }

    /// Makes somebody's entry this one, if it is another: first the name is claimed, then the entry is written, then the
    /// old name is given up. Then the record says whether the account is enabled. `lane` is the person's, closed; `before`
    /// is what they were, and at which revision.
    ///
    /// Ends with a conflict only when another node has written the entry meanwhile; then it is not written here.
    async fn keep_person(
        &self,
        tenant: &Tenant,
        (before, expected): (Option<Person>, Revision),
        person: &Person,
        lane: Arc<Lane>,
    ) -> Result<(), PersonError> {
        if before.as_ref() != Some(person) {
            let name = Arc::new(self.name_lane(tenant.id(), &person.user_principal_name).await?);
            let given_up = before.as_ref().filter(|before| !same_name(before, person)).map(|before| {
                let key = keys::name(tenant.id(), &before.user_principal_name);
                // As it is while nobody else can claim it.
                (self.revision(&key), key)
            });
            self.claim_name(tenant, person, &name).await?;
            let (key, value) =
                (keys::person(tenant.id(), person.id), Value::Live(Bytes::from(person.encode())));
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
        let (known, attempts) = (self.state.tenant(tenant).ok_or(PersonError::NotFound)?, self.attempts());
        loop {
            let person = known.directory().person(user).ok_or(PersonError::NotFound)?;
            let outcome = self.delete_each_of(tenant, &person, &lane).await;
            if attempts.unless_conflict(&known, outcome).await?.is_some() {
                break;
            }
        }
        if self.cluster.is_some() {
            self.delete_what_came_meanwhile(&known, user, &lane).await?;
        }
        Ok(())
    }

    /// Deletes the record of somebody whose entry is deleted, once more: another node may have written a new one while the
    /// entry was still there. Whoever still does, not knowing that it has gone, meets this and learns of it.
    async fn delete_what_came_meanwhile(
        &self,
        tenant: &Tenant,
        user: UserId,
        lane: &Arc<Lane>,
    ) -> Result<(), WriteError> {
        let attempts = self.attempts();
        // Another node may have put them in again, too; then the record is theirs.
        while !tenant.is_somebody(user) {
            let outcome = self.delete(keys::user(tenant.id(), user), Arc::clone(lane)).await;
            if attempts.unless_conflict(tenant, outcome).await?.is_some() {
                break;
            }
        }
        Ok(())
    }

    async fn delete_each_of(
        &self,
        tenant: TenantId,
        person: &Person,
        lane: &Arc<Lane>,
    ) -> Result<(), WriteError> {
        let name = keys::name(tenant, &person.user_principal_name);
        for key in [keys::user(tenant, person.id), name, keys::person(tenant, person.id)] {
            self.delete(key, Arc::clone(lane)).await?;
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
        let attempts = self.attempts();
        loop {
            // Before the look at who has it: a claim that comes after it is a conflict.
            let key = keys::name(tenant.id(), &person.user_principal_name);
            let expected = self.revision(&key);
            match tenant.directory().named(&person.user_principal_name) {
                Some(owner) if owner == person.id => return Ok(()),
                Some(_) => return Err(PersonError::NameTaken(person.user_principal_name.clone())),
                None => {}
            }
            if self.is_being_named(tenant, person) {
                attempts.something_comes(tenant).await?;
                continue;
            }
            // A claim without an entry is what a crash between the two steps leaves: it is taken over.
            let value = Value::Live(Bytes::copy_from_slice(person.id.0.as_bytes()));
            let outcome = self.append(Append { key, expected, value }, Box::new(Arc::clone(lane))).await;
            // Whoever had it before may have given it up this very moment.
            if attempts.unless_conflict(tenant, outcome).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// Whether another node has claimed the name for somebody else whose entry is on its way: that is asked for at once,
    /// and not sent any more when the append time-out is over. In one process the name's lane keeps the two together.
    fn is_being_named(&self, tenant: &Tenant, person: &Person) -> bool {
        let on_its_way = 2 * self.options.append_timeout;
        let claimed = tenant.directory().claimed_by(&person.user_principal_name);
        self.cluster.is_some()
            && claimed.is_some_and(|(user, seen_at)| {
                user != person.id && self.clock().now().since(seen_at) < on_its_way
            })
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

impl Attempts<'_> {
    /// Whether an attempt at a person's entry is done; otherwise another node has written it, and it is to be read again
    /// now.
    ///
    /// # Errors
    ///
    /// The attempt's own, and as [`Attempts::unless_conflict`].
    async fn unless_person_moved(
        &self,
        tenant: &Tenant,
        outcome: Result<(), PersonError>,
    ) -> Result<bool, PersonError> {
        match outcome {
            Err(PersonError::Write(error)) => {
                Ok(self.unless_conflict::<()>(tenant, Err(error)).await?.is_some())
            }
            outcome => outcome.map(|()| true),
        }
    }
}

/// Takes all the steps, whether or not whoever asked for them still waits.
async fn to_the_end<F>(steps: F) -> Result<(), PersonError>
where
    F: Future<Output = Result<(), PersonError>> + Send + 'static,
{
    let steps = errand::along(errand::current(), steps.in_current_span());
    // Steps that do not end were cut off by the end of the program.
    tokio::spawn(steps).await.unwrap_or(Err(PersonError::Write(WriteError::Log(AppendError::Unknown))))
}

fn same_name(one: &Person, other: &Person) -> bool {
    one.user_principal_name.eq_ignore_ascii_case(&other.user_principal_name)
}
