//! Which attributes of a user are sent. Source: RFC 7644 3.9.

use serde_json::{Map, Value};

use super::ScimError;
use super::document::{member_mut, remove_member};
use super::parameters::Parameters;
use super::path::AttributePath;

/// The most names in one list.
pub(crate) const NAMES_MAX: usize = 100;

/// Attributes that are always sent.
const ALWAYS: [&str; 2] = ["schemas", "id"];

/// Which attributes are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// All but these, and but what is only sent when it is asked for.
    AllBut(Vec<AttributePath>),
    Only(Vec<AttributePath>),
}

impl Selection {
    /// The attributes that a URL asks for.
    ///
    /// # Errors
    ///
    /// As [`Selection::read`].
    pub(super) fn of(parameters: &Parameters<'_>) -> Result<Selection, ScimError> {
        Selection::read(parameters.get("attributes"), parameters.get("excludedAttributes"))
    }

    /// The attributes that two lists with commas ask for: `attributes` and `excludedAttributes`. Names of what is not
    /// there are of no consequence.
    ///
    /// # Errors
    ///
    /// `invalidValue` for both at once, and for what is no name.
    pub(super) fn read(wanted: Option<&str>, excluded: Option<&str>) -> Result<Selection, ScimError> {
        let wanted = paths(wanted, "attributes")?;
        let excluded = paths(excluded, "excludedAttributes")?;
        match (wanted.is_empty(), excluded.is_empty()) {
            (false, false) => Err(ScimError::InvalidValue {
                attribute: "excludedAttributes",
                expected: "left out where there are attributes",
            }),
            (false, true) => Ok(Selection::Only(wanted)),
            (true, _) => Ok(Selection::AllBut(excluded)),
        }
    }

    /// What is sent of a document.
    pub(super) fn apply(&self, mut document: Value) -> Value {
        match self {
            Selection::AllBut(excluded) => {
                remove(&mut document, &["emails".to_owned(), "primary".to_owned()]);
                for path in excluded.iter().filter(|path| !ALWAYS.contains(&path.root())) {
                    remove(&mut document, &path.names);
                }
                document
            }
            Selection::Only(wanted) => {
                let mut sent = Value::Object(Map::new());
                for name in ALWAYS {
                    copy(&document, &mut sent, &[name.to_owned()]);
                }
                for path in wanted {
                    copy(&document, &mut sent, &path.names);
                }
                sent
            }
        }
    }
}

fn paths(list: Option<&str>, attribute: &'static str) -> Result<Vec<AttributePath>, ScimError> {
    let names =
        list.into_iter().flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty());
    let expected = "a list of at most 100 names of attributes with commas between them";
    if names.clone().nth(NAMES_MAX).is_some() {
        return Err(ScimError::InvalidValue { attribute, expected });
    }
    names
        .map(|name| AttributePath::parse(name).ok_or(ScimError::InvalidValue { attribute, expected }))
        .collect()
}

/// Takes out what these names lead to, in every value of a list.
fn remove(from: &mut Value, names: &[String]) {
    match (from, names) {
        (Value::Array(values), _) => {
            for value in values {
                remove(value, names);
            }
        }
        (from, [last]) => remove_member(from, last),
        (from, [first, rest @ ..]) => {
            let inner = from
                .as_object_mut()
                .and_then(|members| members.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(first)));
            if let Some((_, inner)) = inner {
                remove(inner, rest);
            }
        }
        (_, []) => {}
    }
}

/// Copies what these names lead to, with what it stands in; of a list each value to its place.
fn copy(from: &Value, to: &mut Value, names: &[String]) {
    let Some((first, rest)) = names.split_first() else {
        *to = from.clone();
        return;
    };
    match from {
        Value::Array(values) => {
            let mut copies = to.as_array().cloned().unwrap_or_default();
            copies.resize(values.len(), Value::Object(Map::new()));
            for (value, copied) in values.iter().zip(&mut copies) {
                copy(value, copied, names);
            }
            *to = Value::Array(copies);
        }
        Value::Object(members) => {
            let found = members.iter().find(|(known, _)| known.eq_ignore_ascii_case(first));
            if let Some((known, value)) = found {
                copy(value, member_mut(to, known), rest);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(wanted: Option<&str>, excluded: Option<&str>) -> Value {
        let document = json!({
            "schemas": ["urn:x"],
            "id": "7",
            "userName": "ada",
            "name": {"givenName": "Ada", "familyName": "Lovelace"},
            "emails": [{"value": "a", "type": "work", "primary": true}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Engines"},
        });
        Selection::read(wanted, excluded).unwrap().apply(document)
    }

    #[test]
    fn only_what_is_wanted_is_sent_and_what_is_always() {
        let wanted = "NAME.familyName, emails.value,emails.primary,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department,no.no";
        assert_eq!(
            sent(Some(wanted), None),
            json!({
                "schemas": ["urn:x"],
                "id": "7",
                "name": {"familyName": "Lovelace"},
                "emails": [{"value": "a", "primary": true}],
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Engines"},
            })
        );
    }

    #[test]
    fn all_but_what_is_excluded_is_sent() {
        let excluded = "id,schemas,username,name.givenName,emails.type,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        assert_eq!(
            sent(None, Some(excluded)),
            json!({
                "schemas": ["urn:x"],
                "id": "7",
                "name": {"familyName": "Lovelace"},
                "emails": [{"value": "a"}],
            })
        );
        assert_eq!(sent(None, None)["emails"], json!([{"value": "a", "type": "work"}]));
    }

    #[test]
    fn lists_that_contradict_each_other_or_are_none_are_refused() {
        let long = "id,".repeat(NAMES_MAX + 1);
        let bad = [
            (Some("id"), Some("userName")),
            (Some("a b"), None),
            (None, Some("é")),
            (Some(long.as_str()), None),
        ];
        for (wanted, excluded) in bad {
            let read = Selection::read(wanted, excluded);
            assert!(matches!(read, Err(ScimError::InvalidValue { .. })), "{wanted:?} {excluded:?}");
        }
    }
}
