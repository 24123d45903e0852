//! The people of a tenant as SCIM's users: `/Users`. Source: RFC 7644 3.2 to 3.6.

use http::StatusCode;
use http::header::{ETAG, LOCATION};
use porchlight_engine::{Person, PersonError, Tenant};
use porchlight_presence::UserId;
use serde_json::Value;
use uuid::Uuid;

use super::call::{self, ScimCall};
use super::filter::{Filter, Key};
use super::list::{self, Query};
use super::parameters::Parameters;
use super::patch::Patch;
use super::selection::Selection;
use super::version::Version;
use super::{ScimError, user};
use crate::body::Body;
use crate::reply::{PORCHLIGHT_REVISION, Reply, header_value};
use crate::walk::LOOKS;
use crate::wire::guid;
use crate::wire::person::differing;

/// GET `/Users/{id}`
pub(super) fn get(call: &ScimCall<'_>, id: &str) -> Result<Reply, ScimError> {
    call.may_read()?;
    let selection = Selection::of(&Parameters::parse(call.query)?)?;
    let user = find(call, id)?;
    let (version, document) = look(call, user).ok_or_else(|| ScimError::UserNotFound(id.to_owned()))?;
    let reply = if version.is_known(call.headers) {
        Reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        call::reply(&selection.apply(document))
    };
    Ok(reply.with(ETAG, version.value()))
}

/// GET `/Users`
pub(super) async fn list(call: &ScimCall<'_>) -> Result<Reply, ScimError> {
    call.may_read()?;
    let query = Query::of(&Parameters::parse(call.query)?)?;
    Ok(page(call, &query).await)
}

/// POST `/Users/.search`, `/.search`
pub(super) async fn search(call: &ScimCall<'_>, body: Body) -> Result<Reply, ScimError> {
    call.may_read()?;
    let query = Query::of_body(&call.read(body).await?)?;
    Ok(page(call, &query).await)
}

/// GET `/Groups`: nobody is in any.
pub(super) fn list_groups(call: &ScimCall<'_>) -> Result<Reply, ScimError> {
    call.may_read()?;
    let query = Query::of(&Parameters::parse(call.query)?)?;
    Ok(call::reply(&list::response(0, query.start, &[])))
}

/// POST `/Users`
pub(super) async fn create(call: &ScimCall<'_>, body: Body) -> Result<Reply, ScimError> {
    call.may_write()?;
    let selection = Selection::of(&Parameters::parse(call.query)?)?;
    let document = call.read(body).await?;
    let mut person = user::person(&document, UserId(Uuid::new_v4()), None)?;
    if let Some(id) = external_guid(&person).filter(|id| !call.tenant().is_somebody(*id)) {
        person.id = id;
    }
    let mut made = call.engine.create_person(call.tenant().id(), &person).await;
    if made == Err(PersonError::IdTaken) {
        // By somebody who was quicker: then it is an id like any other.
        person.id = UserId(Uuid::new_v4());
        made = call.engine.create_person(call.tenant().id(), &person).await;
    }
    made?;
    call.notes.user(person.id);
    written(call, person.id, &[]);
    let reply = show(call, person.id, &selection)?;
    let location = header_value(&location(call, person.id));
    Ok(Reply { status: StatusCode::CREATED, ..reply.with(LOCATION, location) })
}

/// PUT `/Users/{id}`
pub(super) async fn replace(call: &ScimCall<'_>, id: &str, body: Body) -> Result<Reply, ScimError> {
    call.may_write()?;
    let selection = Selection::of(&Parameters::parse(call.query)?)?;
    let user = find(call, id)?;
    let document = call.read(body).await?;
    change(call, user, |before| user::person(&document, user, Some(before))).await?;
    show(call, user, &selection)
}

/// PATCH `/Users/{id}`
pub(super) async fn patch(call: &ScimCall<'_>, id: &str, body: Body) -> Result<Reply, ScimError> {
    call.may_write()?;
    let selection = Selection::of(&Parameters::parse(call.query)?)?;
    let user = find(call, id)?;
    let patch = Patch::read(&call.read(body).await?)?;
    let patched = |before: &Person| -> Result<Person, ScimError> {
        let mut document = user::document(before, version(call, user), &location(call, user));
        patch.apply(&mut document)?;
        user::person(&document, user, Some(before))
    };
    change(call, user, patched).await?;
    show(call, user, &selection)
}

/// DELETE `/Users/{id}`
pub(super) async fn delete(call: &ScimCall<'_>, id: &str) -> Result<Reply, ScimError> {
    call.may_write()?;
    let user = find(call, id)?;
    version(call, user).check(call.headers)?;
    call.engine.delete_person(call.tenant().id(), user).await?;
    written(call, user, &[]);
    Ok(with_revision(call, Reply::empty(StatusCode::NO_CONTENT)))
}

/// Whom an id means.
fn find(call: &ScimCall<'_>, id: &str) -> Result<UserId, ScimError> {
    let user = guid(id).filter(|user| call.tenant().is_somebody(*user));
    let user = user.ok_or_else(|| ScimError::UserNotFound(id.to_owned()))?;
    call.notes.user(user);
    Ok(user)
}

/// The user of an id.
fn guid(text: &str) -> Option<UserId> {
    guid::parse(text).map(UserId)
}

/// The id that a person has at the identity provider, where that is one: tokens name the person by it.
fn external_guid(person: &Person) -> Option<UserId> {
    person.external_id.as_deref().and_then(guid).filter(|id| !id.0.is_nil())
}

/// Changes a person who is there, unless they are in another version than the client wants them to be.
async fn change(
    call: &ScimCall<'_>,
    user: UserId,
    mut change: impl FnMut(&Person) -> Result<Person, ScimError> + Send,
) -> Result<(), ScimError> {
    let mut differences = Vec::new();
    let changed = |before: Person| -> Result<Person, ScimError> {
        // Nobody else changes the person meanwhile.
        version(call, user).check(call.headers)?;
        let after = change(&before)?;
        differences = differing(&before, &after);
        Ok(after)
    };
    call.engine.change_person(call.tenant().id(), user, changed).await?;
    written(call, user, &differences);
    Ok(())
}

/// Notes that somebody's entry is written.
fn written(call: &ScimCall<'_>, user: UserId, changed: &[&str]) {
    call.notes.changed(Some(call.tenant().directory().written(user).0), changed);
}

/// 200 with a user as a write has left them.
fn show(call: &ScimCall<'_>, user: UserId, selection: &Selection) -> Result<Reply, ScimError> {
    // Somebody may have deleted them since.
    let (version, document) = look(call, user).ok_or(ScimError::Person(PersonError::NotFound))?;
    Ok(with_revision(call, call::reply(&selection.apply(document)).with(ETAG, version.value())))
}

/// The answer to a write of several entries: a node that shows this revision shows them all.
fn with_revision(call: &ScimCall<'_>, reply: Reply) -> Reply {
    reply.with(PORCHLIGHT_REVISION, call.tenant().applied().0.into())
}

fn version(call: &ScimCall<'_>, user: UserId) -> Version {
    Version::of(call.tenant().directory().written(user))
}

fn location(call: &ScimCall<'_>, user: UserId) -> String {
    call.url(&format!("/Users/{user}"))
}

/// A user's document and its version.
fn look(call: &ScimCall<'_>, user: UserId) -> Option<(Version, Value)> {
    // The version first: one that is older than the document costs a client another try, a newer one somebody's change.
    let version = version(call, user);
    let person = call.tenant().directory().person(user)?;
    Some((version, user::document(&person, version, &location(call, user))))
}

/// The users of a list that are asked for, in the order of their ids.
async fn page(call: &ScimCall<'_>, query: &Query) -> Reply {
    let (total, page) = match query.filter.as_ref().and_then(Filter::candidates) {
        Some(keys) => {
            let mut page = Page::new(query);
            page.take(call, &candidates(call.tenant(), &keys));
            (page.total, page.documents)
        }
        None => walk(call, query).await,
    };
    let shown: Vec<Value> = page.into_iter().map(|document| query.selection.apply(document)).collect();
    call::reply(&list::response(total, query.start, &shown))
}

/// Those whom these keys mean, each once.
fn candidates(tenant: &Tenant, keys: &[Key<'_>]) -> Vec<UserId> {
    let found = keys.iter().filter_map(|key| match key {
        Key::Id(id) => guid(id),
        Key::UserName(name) => tenant.directory().named(name),
    });
    let mut users: Vec<UserId> = found.collect();
    users.sort_unstable();
    users.dedup();
    users
}

/// Looks at everybody, some at a time: a large directory takes a while. Returns how many match and the page of them.
async fn walk(call: &ScimCall<'_>, query: &Query) -> (usize, Vec<Value>) {
    let directory = call.tenant().directory();
    let mut page = Page::new(query);
    let mut after = None;
    loop {
        let users = directory.ids_after(after, LOOKS);
        page.take(call, &users);
        if users.len() < LOOKS {
            return (page.total, page.documents);
        }
        if query.filter.is_none() && page.is_full() {
            return (directory.len(), page.documents);
        }
        after = users.last().copied();
        tokio::task::yield_now().await;
    }
}

/// A page that is being filled.
struct Page<'q> {
    query: &'q Query,
    /// How many users match, so far.
    total: usize,
    documents: Vec<Value>,
}

impl<'q> Page<'q> {
    fn new(query: &'q Query) -> Page<'q> {
        Page { query, total: 0, documents: Vec::new() }
    }

    /// Counts those who match, and keeps those whom the page is for.
    fn take(&mut self, call: &ScimCall<'_>, users: &[UserId]) {
        let filter = self.query.filter.as_ref();
        for user in users {
            let is_wanted = self.total + 1 >= self.query.start && !self.is_full();
            let is_needed = is_wanted || filter.is_some();
            let document = is_needed.then(|| look(call, *user)).flatten().map(|(_, document)| document);
            if filter.is_none_or(|filter| document.as_ref().is_some_and(|document| filter.matches(document)))
            {
                self.total += 1;
                self.documents.extend(document.filter(|_| is_wanted));
            }
        }
    }

    fn is_full(&self) -> bool {
        self.documents.len() >= self.query.count
    }
}
