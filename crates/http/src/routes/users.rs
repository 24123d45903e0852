//! The basic profile of people.

use porchlight_engine::Person;
use porchlight_presence::UserId;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::rights;
use crate::auth::Right;
use crate::call::Call;
use crate::error::Error;
use crate::odata::Options;
use crate::reply::{MetadataLevel, Reply};
use crate::resource::UserKey;
use crate::settings::Profile;
use crate::wire::person::{PersonSelect, person};

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
    let options = Options::parse(call.query)?;
    options.check(&["$select"], &["$expand"], call.settings.profile)?;
    let select = PersonSelect::parse(options.get("$select"))?;
    let found =
        user.and_then(|user| tenant.directory().person(user)).ok_or_else(|| rights::not_found(key))?;
    let context = format!("{}/$metadata#users{}/$entity", call.base, select.context);
    let context = (level != MetadataLevel::None).then_some(context.as_str());
    Ok(Reply::odata(person(&found, &select, context).to_string(), level))
}

/// GET `/users`
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, Error> {
    let level = call.metadata_level()?;
    call.caller.require(readers(call.settings.profile))?;
    let options = Options::parse(call.query)?;
    let known = ["$select", "$top", "$skip", "$skiptoken", "$count"];
    options.check(&known, &["$expand", "$search", "$filter", "$orderby"], call.settings.profile)?;
    let select = PersonSelect::parse(options.get("$select"))?;
    let paging = Paging::read(&options, TOP_MAX)?;
    let tenant = call.tenant();
    let mut users = tenant.directory().ids_after(paging.after, paging.skip.saturating_add(paging.top + 1));
    users.drain(..paging.skip.min(users.len()));
    let more = users.len() > paging.top;
    users.truncate(paging.top);
    let base = call.base;
    let mut answer = Map::new();
    if level != MetadataLevel::None {
        answer
            .insert("@odata.context".to_owned(), format!("{base}/$metadata#users{}", select.context).into());
    }
    if paging.count {
        answer.insert("@odata.count".to_owned(), tenant.directory().len().into());
    }
    if let Some(last) = users.last().filter(|_| more) {
        answer.insert(
            "@odata.nextLink".to_owned(),
            format!("{base}/users?{}", paging.next(&options, *last)).into(),
        );
    }
    let people: Vec<Person> = users.iter().filter_map(|user| tenant.directory().person(*user)).collect();
    let shown = people.iter().map(|one| person(one, &select, None)).collect();
    answer.insert("value".to_owned(), Value::Array(shown));
    Ok(Reply::odata(Value::Object(answer).to_string(), level))
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
        let carried = options.carried(&["$filter", "$select", "$count", "$orderby"]);
        format!("$top={}&{carried}$skiptoken={last}", self.top)
    }
}
