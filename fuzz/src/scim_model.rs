//! What a user of SCIM is, read naively: out of a document, and after a patch as far as that is plain.

use serde_json::{Value, json};

const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What is nowhere.
static NULL: Value = Value::Null;

/// What a whole user that is sent as a patch has beside what is kept.
const PASSED_OVER: [&str; 4] = ["schemas", "id", "meta", "password"];

/// What is kept of a user, by SCIM's own names.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "SCIM calls it userName")]
pub(crate) struct User {
    pub(crate) user_name: String,
    /// What was given; what is shown where nothing was, the other names say.
    display_name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    mail: Option<String>,
    title: Option<String>,
    department: Option<String>,
    external_id: Option<String>,
    pub(crate) active: bool,
}

impl User {
    /// The user of a document that was accepted. `active` is whether they may sign in where it does not say so.
    pub(crate) fn of(document: &Value, active: bool) -> User {
        let name = member(document, "name");
        let user = User {
            user_name: text(member(document, "userName")).unwrap_or_default(),
            display_name: text(member(document, "displayName")).or_else(|| text(member(name, "formatted"))),
            given_name: text(member(name, "givenName")),
            family_name: text(member(name, "familyName")),
            mail: mail(member(document, "emails")),
            title: text(member(document, "title")),
            department: text(member(member(document, ENTERPRISE_USER), "department")),
            external_id: text(member(document, "externalId")),
            active: truth(member(document, "active")).unwrap_or(active),
        };
        user.named()
    }

    /// The same after a patch that was accepted; `None` where it is more than texts in their places.
    pub(crate) fn patched(mut self, patch: &Value) -> Option<User> {
        let active_before = self.active;
        for operation in member(patch, "Operations").as_array()? {
            let kind = member(operation, "op").as_str()?.to_ascii_lowercase();
            let value = member(operation, "value");
            match (kind.as_str(), member(operation, "path").as_str()) {
                ("remove", Some(path)) => self.put(path, &NULL, active_before)?,
                (_, Some(path)) => self.put(path, value, active_before)?,
                (_, None) => {
                    for (path, value) in value.as_object()? {
                        self.put(path, value, active_before)?;
                    }
                }
            }
        }
        Some(self.named())
    }

    /// Puts a text, a truth value or nothing into one place; `None` where that is not all there is to it.
    fn put(&mut self, path: &str, value: &Value, active_before: bool) -> Option<()> {
        let path = path.to_ascii_lowercase();
        if PASSED_OVER.contains(&path.as_str()) {
            return Some(());
        }
        if !matches!(value, Value::Null | Value::Bool(_) | Value::String(_)) {
            return None;
        }
        let department = format!("{}:department", ENTERPRISE_USER.to_ascii_lowercase());
        match path.as_str() {
            // Whether anybody may sign in is never unknown: then it is as it was before the patch.
            "active" => self.active = truth(value).unwrap_or(active_before),
            "username" => self.user_name = text(value)?,
            "displayname" => self.display_name = text(value),
            "name.givenname" => self.given_name = text(value),
            "name.familyname" => self.family_name = text(value),
            "title" => self.title = text(value),
            "externalid" => self.external_id = text(value),
            known if known == department => self.department = text(value),
            _ => return None,
        }
        Some(())
    }

    /// With a name to show, if there was none.
    fn named(mut self) -> User {
        let parts: Vec<&str> =
            [&self.given_name, &self.family_name].into_iter().flatten().map(String::as_str).collect();
        let joined = Some(parts.join(" ")).filter(|joined| !joined.is_empty());
        let shown = self.display_name.take().or(joined).unwrap_or_else(|| self.user_name.clone());
        User { display_name: Some(shown), ..self }
    }

    /// The same person as Graph shows them.
    pub(crate) fn graph(&self, id: &str) -> Value {
        json!({
            "id": id,
            "displayName": self.display_name,
            "givenName": self.given_name,
            "surname": self.family_name,
            "userPrincipalName": self.user_name,
            "mail": self.mail,
            "jobTitle": self.title,
            "department": self.department,
            "accountEnabled": self.active,
        })
    }
}

/// A member, whose name may be written in any case; null where there is none.
fn member<'v>(object: &'v Value, name: &str) -> &'v Value {
    find(object, name).unwrap_or(&NULL)
}

fn find<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    let alike = |(known, value): (&'v String, &'v Value)| known.eq_ignore_ascii_case(name).then_some(value);
    object.get(name).or_else(|| object.as_object()?.iter().find_map(alike))
}

/// The one value of a list of one, which may be an object with a `value`.
fn single(value: &Value) -> &Value {
    match value.as_array().map(Vec::as_slice) {
        Some([one]) => find(one, "value").unwrap_or(one),
        _ => value,
    }
}

/// A text that says something, without the white space around it.
fn text(value: &Value) -> Option<String> {
    single(value).as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn truth(value: &Value) -> Option<bool> {
    match single(value) {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The address that is kept: the last primary one, else the first for work, else the first.
fn mail(emails: &Value) -> Option<String> {
    let emails = match emails {
        Value::Array(emails) => emails.clone(),
        other => vec![other.clone()],
    };
    let address = |email: &Value| text(if email.is_object() { member(email, "value") } else { email });
    let emails: Vec<_> = emails.iter().filter_map(|email| Some((email, address(email)?))).collect();
    let primary = emails.iter().rev().find(|(email, _)| truth(member(email, "primary")) == Some(true));
    let is_work =
        |email: &Value| member(email, "type").as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("work"));
    let work = || emails.iter().find(|(email, _)| is_work(email));
    primary.or_else(work).or(emails.first()).map(|(_, address)| address.clone())
}
