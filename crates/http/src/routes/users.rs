//! People: reading, finding, putting in, changing and deleting them.

use http::StatusCode;
use http::header::LOCATION;
use porchlight_engine::{Person, PersonError};
use porchlight_presence::UserId;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::presence::no_options;
use super::rights;
use crate::auth::Right;
use crate::body::Body;
use crate::call::Call;
use crate::error::Error;
use crate::odata::Options;
use crate::people::People;
use crate::reply::{MetadataLevel, PORCHLIGHT_REVISION, Reply, header_value};
use crate::resource::UserKey;
use crate::settings::Profile;
use crate::wire::json::Json;
use crate::wire::person::{PersonChange, PersonSelect, differing, new_person, person};

/// The most that one page of people holds.
const TOP_MAX: usize = 999;

/// GET `/me`, `/users/{key}`
pub(crate) fn get(call: &Call<'_>, key: &UserKey<'_>) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    let tenant = call.tenant();
    let user = rights::resolve(call.caller, tenant, key)?;
    if !user.is_some_and(|user| call.caller.is(user)) {
        call.caller.require(readers(call.settings.profile))?;
    }
    let select = select(call)?;
    let found =
        user.and_then(|user| tenant.directory().person(user)).ok_or_else(|| rights::not_found(key))?;
    Ok(show(call, &found, &select, level))
}

/// GET `/users`: everybody, or whom `$filter` and `$search` find.
pub(crate) async fn list(call: &Call<'_>) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    call.caller.require(readers(call.settings.profile))?;
    let options = Options::parse(call.query)?;
    let known = ["$select", "$filter", "$search", "$top", "$skip", "$skiptoken", "$count"];
    options.check(&known, &["$expand", "$orderby"], call.settings.profile)?;
    let select = PersonSelect::parse(options.get("$select"))?;
    let directory = call.tenant().directory();
    let wanted = People::read(&options, directory, call.settings.limits.ids_max)?;
    let paging = Paging::read(&options, TOP_MAX)?;
    let page = wanted.page(directory, &paging).await;
    let base = call.base;
    let mut answer = Map::new();
    if level != MetadataLevel::None {
        answer
            .insert("@odata.context".to_owned(), format!("{base}/$metadata#users{}", select.context).into());
    }
    if let Some(count) = page.count {
        answer.insert("@odata.count".to_owned(), count.into());
    }
    if let Some(last) = page.people.last().filter(|_| page.has_more) {
        answer.insert(
            "@odata.nextLink".to_owned(),
            format!("{base}/users?{}", paging.next(&options, last.id)).into(),
        );
    }
    let shown = page.people.iter().map(|one| person(one, &select, None)).collect();
    answer.insert("value".to_owned(), Value::Array(shown));
    Ok(Reply::odata(Value::Object(answer).to_string(), level))
}

/// POST `/users`
pub(crate) async fn create(call: &Call<'_>, body: Body) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    call.caller.may_write_people(call.settings)?;
    let select = select(call)?;
    let bytes = call.read_json(body).await?;
    let id = UserId(Uuid::new_v4());
    let made = new_person(&Json::parse(&bytes)?.into_object()?, id)?;
    call.notes.user(id);
    call.engine.create_person(call.tenant().id(), &made).await?;
    let location = format!("{}/users/{id}", call.base);
    let reply = show(call, &made, &select, level).with(LOCATION, header_value(&location));
    Ok(written(call, Reply { status: StatusCode::CREATED, ..reply }))
}

/// PATCH `/me`, `/users/{key}`: members that are not mentioned stay as they are.
pub(crate) async fn update(call: &Call<'_>, key: &UserKey<'_>, body: Body) -> Result<Reply, Error> {
    call.metadata_level()?;
    let user = rights::changeable(call, key)?;
    no_options(call)?;
    let bytes = call.read_json(body).await?;
    let change = PersonChange::read(&Json::parse(&bytes)?.into_object()?, user)?;
    call.notes.user(user);
    let mut changed = Vec::new();
    let change = |before: Person| {
        let after = change.clone().apply(before.clone());
        changed = differing(&before, &after);
        Ok(after)
    };
    let outcome = call.engine.change_person::<PersonError>(call.tenant().id(), user, change).await;
    outcome.map_err(|error| refused(error, key))?;
    call.notes.changed(None, &changed);
    Ok(written(call, Reply::empty(StatusCode::NO_CONTENT)))
}

/// DELETE `/me`, `/users/{key}`: the person and everything about them.
pub(crate) async fn delete(call: &Call<'_>, key: &UserKey<'_>) -> Result<Reply, Error> {
    call.metadata_level()?;
    let user = rights::changeable(call, key)?;
    no_options(call)?;
    call.notes.user(user);
    let outcome = call.engine.delete_person(call.tenant().id(), user).await;
    outcome.map_err(|error| refused(error, key))?;
    Ok(written(call, Reply::empty(StatusCode::NO_CONTENT)))
}

/// The answer to a write of several entries: a node that shows this revision shows them all.
fn written(call: &Call<'_>, reply: Reply) -> Reply {
    reply.with(PORCHLIGHT_REVISION, call.tenant().applied().0.into())
}

fn select(call: &Call<'_>) -> Result<PersonSelect, Error> {
    let options = Options::parse(call.query)?;
    options.check(&["$select"], &["$expand"], call.settings.profile)?;
    PersonSelect::parse(options.get("$select"))
}

fn show(call: &Call<'_>, shown: &Person, select: &PersonSelect, level: MetadataLevel) -> Reply {
    let context = format!("{}/$metadata#users{}/$entity", call.base, select.context);
    let context = (level != MetadataLevel::None).then_some(context.as_str());
    Reply::odata(person(shown, select, context).to_string(), level)
}

/// Why a person was not written, for who has named them so.
fn refused(error: PersonError, key: &UserKey<'_>) -> Error {
    match error {
        // Somebody else was quicker.
        PersonError::NotFound => rights::not_found(key),
        error => error.into(),
    }
}

/// Who may read profiles; who may read everybody's presence may in `open` also learn whose it is.
fn readers(profile: Profile) -> &'static Right {
    match profile {
        Profile::Open => &Right::READ_PEOPLE,
        Profile::Strict => &Right::READ_PEOPLE_STRICTLY,
    }
}

/// Which part of a list is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    pub(crate) top: usize,
    pub(crate) skip: usize,
    /// The last of the page before, from a link that the server made.
    pub(crate) after: Option<UserId>,
    pub(crate) count: bool,
}

impl Paging {
    /// # Errors
    ///
    /// E42 for numbers out of range, E28 for a token that the server did not make.
    pub(crate) fn read(options: &Options<'_>, top_max: usize) -> Result<Paging, Error> {
        let token = |text: &str| {
            let user = Uuid::try_parse(text).map(UserId);
            user.map_err(|_| Error::BadQuery("The skip token is invalid.".to_owned()))
        };
        Ok(Paging {
            top: options.number("$top", 1, top_max)?.unwrap_or(100),
            skip: options.number("$skip", 0, 1_000_000_000)?.unwrap_or(0),
            after: options.get("$skiptoken").map(token).transpose()?,
            count: options.flag("$count")?,
        })
    }

    /// The query of the page after `last`: the same options, but from there on.
    pub(crate) fn next(&self, options: &Options<'_>, last: UserId) -> String {
        let carried = options.carried(&["$filter", "$search", "$select", "$count", "$orderby"]);
        format!("$top={}&{carried}$skiptoken={last}", self.top)
    }
}
