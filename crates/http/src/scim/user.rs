//! A person as a user of SCIM: the document that is sent, and reading one. Source: RFC 7643 4.1 and 4.3.
//!
//! | SCIM | Graph |
//! |---|---|
//! | `userName` | `userPrincipalName` |
//! | `displayName` | `displayName` |
//! | `active` | `accountEnabled` |
//! | `name.givenName`, `name.familyName` | `givenName`, `surname` |
//! | `emails` | `mail` |
//! | `title`, `department` of the enterprise extension | `jobTitle`, `department` |

use porchlight_engine::Person;
use porchlight_presence::UserId;
use serde_json::{Map, Value, json};

use super::document::{each, member};
use super::version::Version;
use super::{ENTERPRISE_USER, ScimError, USER};

/// The longest text of an attribute, in characters.
pub(crate) const TEXT_CHARS_MAX: usize = 256;

const TEXT: &str = "a text of at most 256 characters without control characters";

/// The document of a person at this URL.
pub(super) fn document(person: &Person, version: Version, location: &str) -> Value {
    let mut user = Map::new();
    let mut put = |name: &str, value: Value| user.insert(name.to_owned(), value);
    let mut schemas = vec![USER];
    schemas.extend(person.department.as_ref().map(|_| ENTERPRISE_USER));
    put("schemas", schemas.into());
    put("id", person.id.to_string().into());
    if let Some(id) = &person.external_id {
        put("externalId", id.as_str().into());
    }
    put("meta", json!({"resourceType": "User", "location": location, "version": version.to_string()}));
    put("userName", person.user_principal_name.as_str().into());
    put("displayName", display_name(person).into());
    put("active", person.account_enabled.into());
    let parts = [("givenName", &person.given_name), ("familyName", &person.surname)];
    let name: Map<String, Value> = parts
        .into_iter()
        .filter_map(|(name, part)| Some((name.to_owned(), part.as_deref()?.into())))
        .collect();
    if !name.is_empty() {
        put("name", name.into());
    }
    if let Some(mail) = &person.mail {
        put("emails", json!([{"value": mail, "type": "work", "primary": true}]));
    }
    if let Some(title) = &person.job_title {
        put("title", title.as_str().into());
    }
    if let Some(department) = &person.department {
        put(ENTERPRISE_USER, json!({"department": department}));
    }
    Value::Object(user)
}

/// A seed may have left it empty.
fn display_name(person: &Person) -> &str {
    if person.display_name.is_empty() { &person.user_principal_name } else { &person.display_name }
}

/// The person that a document describes, under this id. Whether the account is enabled is as it was, for somebody who
/// was there `before`, where the document does not say.
///
/// # Errors
///
/// `invalidValue` for an attribute that is not what it must be, and `invalidSyntax` for a document of something else.
pub(super) fn person(document: &Value, id: UserId, before: Option<&Person>) -> Result<Person, ScimError> {
    check_schemas(document)?;
    let user_principal_name = text(member(document, "userName"), "userName")?;
    let user_principal_name = user_principal_name
        .ok_or(ScimError::InvalidValue { attribute: "userName", expected: "there, and no empty text" })?;
    let name = member(document, "name");
    let part = |of: &str, attribute| text(name.and_then(|name| member(name, of)), attribute);
    let (given_name, surname) =
        (part("givenName", "name.givenName")?, part("familyName", "name.familyName")?);
    let display_name = match text(member(document, "displayName"), "displayName")? {
        Some(name) => Some(name),
        None => part("formatted", "name.formatted")?,
    };
    let parts: Vec<&str> = [&given_name, &surname].into_iter().flatten().map(String::as_str).collect();
    let display_name = display_name.or_else(|| Some(parts.join(" ")).filter(|joined| !joined.is_empty()));
    let active = match member(document, "active") {
        None | Some(Value::Null) => before.is_none_or(|before| before.account_enabled),
        Some(value) => truth(value)?,
    };
    let enterprise = member(document, ENTERPRISE_USER);
    let department = enterprise.and_then(|enterprise| member(enterprise, "department"));
    Ok(Person {
        id,
        display_name: display_name.unwrap_or_else(|| user_principal_name.clone()),
        user_principal_name,
        mail: mail(member(document, "emails"))?,
        given_name,
        surname,
        job_title: text(member(document, "title"), "title")?,
        department: text(department, "department")?,
        account_enabled: active,
        external_id: text(member(document, "externalId"), "externalId")?,
    })
}

/// Refuses the document of something that is no user. One that does not say what it is, is taken for one.
fn check_schemas(document: &Value) -> Result<(), ScimError> {
    let schemas = member(document, "schemas").map(each).unwrap_or_default();
    let is_user = |schema: &Value| schema.as_str().is_some_and(|schema| schema.eq_ignore_ascii_case(USER));
    if schemas.is_empty() || schemas.iter().any(is_user) {
        Ok(())
    } else {
        Err(ScimError::InvalidSyntax("a user, whose schemas name urn:ietf:params:scim:schemas:core:2.0:User"))
    }
}

/// A text without the white space around it; empty is none.
fn text(value: Option<&Value>, attribute: &'static str) -> Result<Option<String>, ScimError> {
    let text = match value.map(single) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim(),
        Some(_) => return Err(ScimError::InvalidValue { attribute, expected: TEXT }),
    };
    if text.chars().count() > TEXT_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(ScimError::InvalidValue { attribute, expected: TEXT });
    }
    Ok(Some(text).filter(|text| !text.is_empty()).map(str::to_owned))
}

/// Whether an account is enabled. Entra ID has sent texts, and both in a list.
fn truth(value: &Value) -> Result<bool, ScimError> {
    match single(value) {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(ScimError::InvalidValue { attribute: "active", expected: "true or false" }),
    }
}

/// The address that is kept: the last of those that say they are the primary one, else the first of type work, else
/// the first. The last, because a patch puts new ones behind those that are there.
fn mail(emails: Option<&Value>) -> Result<Option<String>, ScimError> {
    let mut addresses = Vec::new();
    for email in emails.map(each).unwrap_or_default() {
        let address = if email.is_object() { member(email, "value") } else { Some(email) };
        if let Some(address) = text(address, "emails.value")? {
            addresses.push((email, address));
        }
    }
    let kept = addresses.iter().rposition(|(email, _)| is_primary(email));
    let kept = kept.or_else(|| addresses.iter().position(|(email, _)| is_work(email))).unwrap_or(0);
    Ok(addresses.into_iter().nth(kept).map(|(_, address)| address))
}

fn is_primary(email: &Value) -> bool {
    member(email, "primary").is_some_and(|primary| matches!(truth(primary), Ok(true)))
}

fn is_work(email: &Value) -> bool {
    let kind = member(email, "type").and_then(Value::as_str);
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
}

/// The only value of what should not be a list. Source: the first form of Entra ID's patches.
fn single(value: &Value) -> &Value {
    match value {
        Value::Array(values) if values.len() == 1 => member(&values[0], "value").unwrap_or(&values[0]),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use porchlight_store::Revision;
    use uuid::Uuid;

    use super::*;

    const ID: UserId = UserId(Uuid::from_u128(7));

    fn read(document: &Value) -> Result<Person, ScimError> {
        person(document, ID, None)
    }

    #[test]
    fn what_is_sent_is_read_back() {
        let full = Person {
            id: ID,
            user_principal_name: "ada@x.example".to_owned(),
            display_name: "Countess".to_owned(),
            mail: Some("ada@mail.example".to_owned()),
            given_name: Some("Ada".to_owned()),
            surname: Some("Lovelace".to_owned()),
            job_title: Some("Programmer".to_owned()),
            department: Some("Engines".to_owned()),
            account_enabled: false,
            external_id: Some("42".to_owned()),
        };
        let least = Person { display_name: "ben@x.example".to_owned(), ..Person::new(ID, "ben@x.example") };
        for known in [full, least] {
            let document = document(&known, Version::of(Revision(3)), "http://x/Users/7");
            assert_eq!(read(&document), Ok(known), "{document}");
        }
    }

    #[test]
    fn a_name_to_show_is_found_where_none_was_sent() {
        let table = [
            (json!({"displayName": "Countess", "name": {"formatted": "Ada L."}}), "Countess"),
            (json!({"name": {"formatted": "Ada L.", "givenName": "Ada"}}), "Ada L."),
            (json!({"name": {"givenName": "Ada", "familyName": "Lovelace"}}), "Ada Lovelace"),
            (json!({"displayName": " ", "name": {"familyName": "Lovelace"}}), "Lovelace"),
            (json!({"name": null}), "ada@x"),
        ];
        for (mut document, expected) in table {
            document["username"] = "ada@x".into();
            assert_eq!(
                read(&document).map(|person| person.display_name),
                Ok(expected.to_owned()),
                "{document}"
            );
        }
    }

    #[test]
    fn one_address_is_kept() {
        let table = [
            (json!([{"value": "a"}, {"value": "b"}]), Some("a")),
            (json!([{"value": "a", "type": "home"}, {"value": "b", "type": "work"}]), Some("b")),
            (json!([{"value": "a", "type": "work"}, {"value": "b", "primary": true}]), Some("b")),
            (json!([{"value": "a", "primary": true}, {"value": "b", "primary": "True"}]), Some("b")),
            (json!({"value": "a"}), Some("a")),
            (json!(["a"]), Some("a")),
            (json!([{"type": "work"}, {"value": "b"}]), Some("b")),
            (json!([{"type": "work", "value": ""}]), None),
            (json!([]), None),
            (json!(null), None),
        ];
        for (emails, expected) in table {
            let document = json!({"userName": "ada@x", "emails": emails});
            assert_eq!(
                read(&document).map(|person| person.mail),
                Ok(expected.map(str::to_owned)),
                "{document}"
            );
        }
    }

    #[test]
    fn whether_an_account_is_enabled_comes_in_every_form() {
        let enabled = |active: Value| read(&json!({"userName": "ada@x", "active": active}));
        let yes = [json!(true), json!("True"), json!([{"value": "true"}]), json!([true]), json!(null)];
        let no = [json!(false), json!("False"), json!([{"$ref": null, "value": "false"}])];
        assert!(yes.into_iter().all(|active| enabled(active).unwrap().account_enabled));
        assert!(no.into_iter().all(|active| !enabled(active).unwrap().account_enabled));
        for bad in [json!("yes"), json!(1), json!({}), json!([]), json!([true, false])] {
            let expected = ScimError::InvalidValue { attribute: "active", expected: "true or false" };
            assert_eq!(enabled(bad), Err(expected));
        }
        let before = Person { account_enabled: false, ..Person::new(ID, "ada@x") };
        let after = person(&json!({"userName": "ada@x"}), ID, Some(&before)).unwrap();
        assert!(!after.account_enabled, "nobody is enabled by saying nothing");
    }

    #[test]
    fn what_is_no_user_is_refused() {
        let long = "x".repeat(TEXT_CHARS_MAX + 1);
        let bad = [
            json!({}),
            json!({"userName": " "}),
            json!({"userName": 5}),
            json!({"userName": ["a", "b"]}),
            json!({"userName": long}),
            json!({"userName": "a\u{7}"}),
            json!({"userName": "a", "title": {"value": "x"}}),
            json!({"userName": "a", "emails": [{"value": 5}]}),
            json!({"userName": "a", "emails": true}),
        ];
        for document in bad {
            assert!(matches!(read(&document), Err(ScimError::InvalidValue { .. })), "{document}");
        }
        let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "userName": "a"});
        assert!(matches!(read(&group), Err(ScimError::InvalidSyntax(_))));
    }
}
