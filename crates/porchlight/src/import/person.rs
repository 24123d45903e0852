//! What is known of a person, and its words in SCIM. Source: RFC 7643, 4.1 and 4.3; RFC 7644, 3.5.2.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Something that can be told of a person and be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Attribute {
    UserName,
    DisplayName,
    GivenName,
    Surname,
    Mail,
    JobTitle,
    Department,
    Enabled,
    ExternalId,
}

/// What is told of a person: a truth value for [`Attribute::Enabled`], texts for all else.
pub(super) type Told = BTreeMap<Attribute, Value>;

impl Attribute {
    const ALL: [Attribute; 9] = [
        Attribute::UserName,
        Attribute::DisplayName,
        Attribute::GivenName,
        Attribute::Surname,
        Attribute::Mail,
        Attribute::JobTitle,
        Attribute::Department,
        Attribute::Enabled,
        Attribute::ExternalId,
    ];

    /// As Graph calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Attribute::UserName => "userPrincipalName",
            Attribute::DisplayName => "displayName",
            Attribute::GivenName => "givenName",
            Attribute::Surname => "surname",
            Attribute::Mail => "mail",
            Attribute::JobTitle => "jobTitle",
            Attribute::Department => "department",
            Attribute::Enabled => "accountEnabled",
            Attribute::ExternalId => "externalId",
        }
    }

    /// Where SCIM has it in the document of a user: the names that lead there.
    fn place(self) -> &'static [&'static str] {
        match self {
            Attribute::UserName => &["userName"],
            Attribute::DisplayName => &["displayName"],
            Attribute::GivenName => &["name", "givenName"],
            Attribute::Surname => &["name", "familyName"],
            Attribute::Mail => &["emails"],
            Attribute::JobTitle => &["title"],
            Attribute::Department => &[ENTERPRISE_USER, "department"],
            Attribute::Enabled => &["active"],
            Attribute::ExternalId => &["externalId"],
        }
    }

    /// The path of SCIM's that leads there.
    fn path(self) -> String {
        let separator = if self == Attribute::Department { ":" } else { "." };
        self.place().join(separator)
    }

    /// The value as SCIM has it there.
    fn worded(self, value: &Value) -> Value {
        match self {
            Attribute::Mail => json!([{"value": value, "type": "work", "primary": true}]),
            _ => value.clone(),
        }
    }
}

/// What SCIM's document of a user tells.
pub(super) fn told_by(document: &Value) -> Told {
    let values = Attribute::ALL.into_iter().filter_map(|attribute| {
        let mut value = document;
        for name in attribute.place() {
            value = value.get(name)?;
        }
        let value = if attribute == Attribute::Mail { value.get(0)?.get("value")? } else { value };
        Some((attribute, value.clone()))
    });
    values.collect()
}

/// SCIM's document of a new user.
pub(super) fn document(told: &Told) -> Value {
    let mut document = json!({"schemas": [USER]});
    for (attribute, value) in told {
        let mut place = &mut document;
        for name in attribute.place() {
            place = &mut place[*name];
        }
        *place = attribute.worded(value);
    }
    document
}

/// SCIM's patch that makes a user what is told.
pub(super) fn patch(told: &Told) -> Value {
    let operations = told.iter().map(|(attribute, value)| {
        let mut operation = Map::new();
        operation.insert("op".to_owned(), "replace".into());
        operation.insert("path".to_owned(), attribute.path().into());
        operation.insert("value".to_owned(), attribute.worded(value));
        Value::Object(operation)
    });
    json!({"schemas": [PATCH], "Operations": operations.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        let texts = Attribute::ALL.into_iter().map(|attribute| (attribute, attribute.name().into()));
        texts.chain([(Attribute::Enabled, false.into())]).collect()
    }

    #[test]
    fn what_is_told_of_a_new_user_is_read_back() {
        assert_eq!(told_by(&document(&told())), told());
        assert_eq!(told_by(&json!({"userName": "ada@x", "emails": []})).len(), 1);
    }

    #[test]
    fn a_patch_names_each_attribute_by_its_path() {
        let told: Told = told()
            .into_iter()
            .filter(|(attribute, _)| {
                [Attribute::GivenName, Attribute::Department, Attribute::Mail].contains(attribute)
            })
            .collect();
        let expected = json!([
            {"op": "replace", "path": "name.givenName", "value": "givenName"},
            {"op": "replace", "path": "emails", "value": [{"value": "mail", "type": "work", "primary": true}]},
            {"op": "replace", "path": format!("{ENTERPRISE_USER}:department"), "value": "department"},
        ]);
        assert_eq!(patch(&told)["Operations"], expected);
    }
}
