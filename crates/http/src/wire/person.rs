//! A person on the wire. Source: presence-api 21.1.

use porchlight_engine::Person;
use porchlight_presence::{Change, UserId};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::Error;
use crate::wire::json::Object;

/// The members of a user that are sent unless others are selected.
const USUAL: [&str; 8] =
    ["id", "displayName", "givenName", "surname", "userPrincipalName", "mail", "jobTitle", "department"];

/// Which members of a user to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PersonSelect {
    names: Vec<String>,
    /// What goes into the context string.
    pub(crate) context: String,
}

impl PersonSelect {
    /// Every member that can be selected.
    pub(crate) fn members() -> impl Iterator<Item = &'static str> {
        USUAL.into_iter().chain(["accountEnabled"])
    }

    /// # Errors
    ///
    /// Names the first member that is not there.
    pub(crate) fn parse(list: Option<&str>) -> Result<PersonSelect, Error> {
        let usual = || PersonSelect { names: USUAL.map(str::to_owned).to_vec(), context: String::new() };
        let Some(list) = list else { return Ok(usual()) };
        let mut names = Vec::new();
        for name in list.split(',').map(str::trim) {
            if name == "*" {
                return Ok(usual());
            }
            if !PersonSelect::members().any(|known| known == name) {
                return Err(Error::BadQuery(format!(
                    "Could not find a property named '{name}' on type 'microsoft.graph.user'."
                )));
            }
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        Ok(PersonSelect { context: format!("({})", names.join(",")), names })
    }
}

/// The person as a JSON object.
pub(crate) fn person(person: &Person, select: &PersonSelect, context: Option<&str>) -> Value {
    let mut object = Map::new();
    if let Some(context) = context {
        object.insert("@odata.context".to_owned(), context.into());
    }
    for name in &select.names {
        object.insert(name.clone(), member(person, name));
    }
    Value::Object(object)
}

/// What a body says that a person is to be from now on. Whatever else stands in it, such as a password, is passed over.
#[derive(Clone, Debug)]
pub(crate) struct PersonChange {
    user_principal_name: Option<String>,
    display_name: Option<String>,
    mail: Change<String>,
    given_name: Change<String>,
    surname: Change<String>,
    job_title: Change<String>,
    department: Change<String>,
    account_enabled: Option<bool>,
}

impl PersonChange {
    /// Reads the body of a PATCH of the person with this id.
    ///
    /// # Errors
    ///
    /// E12 and E42; E14 for a null where there must be something; another id.
    pub(crate) fn read(body: &Object<'_>, id: UserId) -> Result<PersonChange, Error> {
        let own = |given: &str| Uuid::try_parse(given).is_ok_and(|given| given == id.0);
        if body.string("id")?.is_some_and(|given| !own(given)) {
            return Err(Error::IdChanged);
        }
        PersonChange::of(body)
    }

    fn of(body: &Object<'_>) -> Result<PersonChange, Error> {
        let name = required(body, "userPrincipalName", "UserPrincipalName")?;
        if name.as_ref().is_some_and(|name| !Person::is_name(name)) {
            return Err(Error::BadUserPrincipalName);
        }
        let display_name = required(body, "displayName", "DisplayName")?;
        if display_name.as_ref().is_some_and(|name| !Person::is_text(name)) {
            return Err(Error::BadText("DisplayName"));
        }
        let account_enabled = body.bool("accountEnabled")?;
        if account_enabled.is_none() && body.get("accountEnabled").is_some() {
            return Err(Error::ValueMissing("AccountEnabled"));
        }
        Ok(PersonChange {
            user_principal_name: name,
            display_name,
            mail: optional(body, "mail", "Mail")?,
            given_name: optional(body, "givenName", "GivenName")?,
            surname: optional(body, "surname", "Surname")?,
            job_title: optional(body, "jobTitle", "JobTitle")?,
            department: optional(body, "department", "Department")?,
            account_enabled,
        })
    }

    /// The person as they are to be.
    pub(crate) fn apply(self, person: Person) -> Person {
        Person {
            id: person.id,
            user_principal_name: self.user_principal_name.unwrap_or(person.user_principal_name),
            display_name: self.display_name.unwrap_or(person.display_name),
            mail: changed(self.mail, person.mail),
            given_name: changed(self.given_name, person.given_name),
            surname: changed(self.surname, person.surname),
            job_title: changed(self.job_title, person.job_title),
            department: changed(self.department, person.department),
            account_enabled: self.account_enabled.unwrap_or(person.account_enabled),
            external_id: person.external_id,
        }
    }
}

/// Reads the body of a POST: a new person, who gets this id.
///
/// # Errors
///
/// E12, E14 and E42; an id, which is the server's to give.
pub(crate) fn new_person(body: &Object<'_>, id: UserId) -> Result<Person, Error> {
    if body.value("id").is_some() {
        return Err(Error::IdGiven);
    }
    let change = PersonChange::of(body)?;
    let name = change.user_principal_name.clone().ok_or(Error::ValueMissing("UserPrincipalName"))?;
    if change.display_name.is_none() {
        return Err(Error::ValueMissing("DisplayName"));
    }
    Ok(change.apply(Person::new(id, name)))
}

/// A text that may be left alone, but not be null; `name` is what messages call it.
fn required(body: &Object<'_>, member: &'static str, name: &'static str) -> Result<Option<String>, Error> {
    let text = body.string(member)?;
    if text.is_none() && body.get(member).is_some() {
        return Err(Error::ValueMissing(name));
    }
    Ok(text.map(str::to_owned))
}

/// A text that null clears.
fn optional(body: &Object<'_>, member: &'static str, name: &'static str) -> Result<Change<String>, Error> {
    match body.string(member)? {
        Some(text) if Person::is_text(text) => Ok(Change::Set(text.to_owned())),
        Some(_) => Err(Error::BadText(name)),
        None if body.get(member).is_some() => Ok(Change::Clear),
        None => Ok(Change::Keep),
    }
}

fn changed(change: Change<String>, before: Option<String>) -> Option<String> {
    match change {
        Change::Keep => before,
        Change::Clear => None,
        Change::Set(text) => Some(text),
    }
}

/// The names of the members that differ.
pub(crate) fn differing(one: &Person, other: &Person) -> Vec<&'static str> {
    PersonSelect::members().filter(|name| member(one, name) != member(other, name)).collect()
}

fn member(person: &Person, name: &str) -> Value {
    let optional = |text: &Option<String>| text.clone().into();
    match name {
        "id" => person.id.to_string().into(),
        "displayName" => person.display_name.clone().into(),
        "givenName" => optional(&person.given_name),
        "surname" => optional(&person.surname),
        "userPrincipalName" => person.user_principal_name.clone().into(),
        "mail" => optional(&person.mail),
        "jobTitle" => optional(&person.job_title),
        "department" => optional(&person.department),
        "accountEnabled" => person.account_enabled.into(),
        _ => Value::Null,
    }
}
