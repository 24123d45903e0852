//! A person on the wire. Source: presence-api 21.1.

use porchlight_engine::Person;
use serde_json::{Map, Value};

use crate::error::Error;

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
            if !USUAL.contains(&name) && name != "accountEnabled" {
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
