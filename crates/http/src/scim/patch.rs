//! PATCH: operations on the document of a user. Source: RFC 7644 3.5.2.
//!
//! What departs from the RFC, each for a client that is known to need it (`docs/SCIM.md` names them):
//!
//! - Operations have no case. The names in a value may be paths themselves.
//! - Whatever names an attribute that is not kept changes nothing.
//! - Where no value is such as a path asks for, one is made, if all that is asked of it is its type or whether it is
//!   the primary one. Otherwise a replacement fails with `noTarget`.
//! - A `remove` of `emails` with a value removes the addresses that the value names.

use serde_json::Value;

use super::document::{each, member, member_mut, remove_member};
use super::path::Path;
use super::{ENTERPRISE_USER, ScimError};

/// The most operations of one patch. Where an operation has no path, each attribute in its value counts as one.
pub(crate) const OPERATIONS_MAX: usize = 100;

/// The most values and members in the value of one operation.
pub(crate) const VALUES_MAX: usize = 100;

/// The most values and members that a user may have after any operation of a patch: an addition to every value of a
/// list, done again and again, would grow with the square of the body, and what looks at each of them with it.
pub(crate) const PATCHED_VALUES_MAX: usize = 200;

/// The schema of a patch; a body that names none is taken for one.
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Attributes that only the server writes.
const READ_ONLY: [&str; 3] = ["id", "meta", "schemas"];

/// What of a user is kept, by the outermost name in lower case; beside these, what an organisation knows.
const KEPT: [&str; 7] = ["externalid", "username", "displayname", "active", "name", "emails", "title"];

/// Changes, in the order in which they are to be made. None of them is of something that is not kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Patch {
    changes: Vec<Change>,
}

/// What an operation does to one attribute.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    kind: Kind,
    path: Path,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Add,
    Replace,
    Remove,
}

impl Patch {
    /// The operations of a body.
    ///
    /// # Errors
    ///
    /// `invalidSyntax` for what is no patch, `tooMany`, `invalidPath`, `invalidFilter`, `mutability` for what cannot be
    /// changed, `noTarget` for a removal without a path, and `invalidValue` for a value that is too large.
    pub(super) fn read(body: &Value) -> Result<Patch, ScimError> {
        let schemas = member(body, "schemas").map(each).unwrap_or_default();
        let is_patch =
            |schema: &Value| schema.as_str().is_some_and(|schema| schema.eq_ignore_ascii_case(PATCH));
        if !schemas.is_empty() && !schemas.iter().any(is_patch) {
            return Err(ScimError::InvalidSyntax("a patch, whose schemas name that of PatchOp"));
        }
        let operations = member(body, "Operations").and_then(Value::as_array);
        let operations = operations.filter(|operations| !operations.is_empty());
        let operations = operations.ok_or(ScimError::InvalidSyntax("a patch with Operations"))?;
        let mut changes = Vec::new();
        for (at, operation) in operations.iter().enumerate() {
            changes.extend(read(operation)?);
            if at >= OPERATIONS_MAX || changes.len() > OPERATIONS_MAX {
                return Err(ScimError::TooMany(OPERATIONS_MAX));
            }
        }
        Ok(Patch { changes })
    }

    /// Changes the document of a user. After an error it may have been changed in part.
    ///
    /// # Errors
    ///
    /// `noTarget`, and `invalidValue` for a user who has become too large.
    pub(super) fn apply(&self, document: &mut Value) -> Result<(), ScimError> {
        for Change { kind, path, value } in &self.changes {
            match kind {
                Kind::Add | Kind::Replace => put(document, path, *kind, value)?,
                Kind::Remove => remove(document, path, value),
            }
            if size(document) > PATCHED_VALUES_MAX {
                let expected = "such that the user has at most 200 values and members";
                return Err(ScimError::InvalidValue { attribute: "value", expected });
            }
        }
        Ok(())
    }
}

impl Kind {
    fn from_name(name: &str) -> Option<Kind> {
        let known = [("add", Kind::Add), ("replace", Kind::Replace), ("remove", Kind::Remove)];
        known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, kind)| kind)
    }
}

/// The changes of one operation.
fn read(operation: &Value) -> Result<Vec<Change>, ScimError> {
    let kind = member(operation, "op").and_then(Value::as_str).and_then(Kind::from_name);
    let kind = kind.ok_or(ScimError::InvalidSyntax("a patch whose every op is add, replace or remove"))?;
    let value = member(operation, "value").unwrap_or(&Value::Null);
    match member(operation, "path") {
        None | Some(Value::Null) if kind == Kind::Remove => Err(ScimError::NoTarget("a remove needs a path")),
        None | Some(Value::Null) => members(kind, value),
        Some(Value::String(text)) => {
            let path = Path::parse(text)?;
            check_writable(&path, kind)?;
            Ok(change(kind, path, value)?.into_iter().collect())
        }
        Some(_) => Err(ScimError::InvalidSyntax("a patch whose every path is a string")),
    }
}

/// An operation without a path: its value has the attributes, under their names or under paths to them. What only the
/// server writes is left out, as when a whole user is sent.
fn members(kind: Kind, value: &Value) -> Result<Vec<Change>, ScimError> {
    const EXPECTED: &str = "a patch whose every operation without a path has an object as its value";
    let members = value.as_object().ok_or(ScimError::InvalidSyntax(EXPECTED))?;
    let changes = members.iter().map(|(name, value)| change(kind, Path::parse(name)?, value));
    changes.filter_map(Result::transpose).collect()
}

fn check_writable(path: &Path, kind: Kind) -> Result<(), ScimError> {
    // Nobody is without a name to sign in with, and whether an account is enabled is never unknown.
    let never_removed = [("userName", "username"), ("active", "active")];
    let removed =
        never_removed.into_iter().find(|(_, name)| kind == Kind::Remove && path.attribute.is(&[*name]));
    let read_only = READ_ONLY.into_iter().find(|name| *name == path.attribute.root());
    match removed.map(|(attribute, _)| attribute).or(read_only) {
        Some(attribute) => Err(ScimError::Mutability(attribute)),
        None => Ok(()),
    }
}

/// The change of what a path names, if that is kept.
fn change(kind: Kind, path: Path, value: &Value) -> Result<Option<Change>, ScimError> {
    let root = path.attribute.root();
    if !KEPT.contains(&root) && !root.eq_ignore_ascii_case(ENTERPRISE_USER) {
        return Ok(None);
    }
    if path.values.is_some() && !path.attribute.is(&["emails"]) {
        return Err(ScimError::NoTarget("of this attribute there are not several values"));
    }
    if size(value) > VALUES_MAX {
        let expected = "made of at most 100 values and members";
        return Err(ScimError::InvalidValue { attribute: "value", expected });
    }
    Ok(Some(Change { kind, path, value: value.clone() }))
}

/// How many values and members there are in a value.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(|value| 1 + size(value)).sum(),
        Value::Object(members) => members.values().map(|value| 1 + size(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Adds or replaces what a path names.
fn put(document: &mut Value, path: &Path, kind: Kind, value: &Value) -> Result<(), ScimError> {
    let names = path.attribute.names.as_slice();
    let Some((filter, sub)) = &path.values else {
        put_at(document, names, kind, value);
        return Ok(());
    };
    let target = names.iter().fold(document, |inner, name| member_mut(inner, name));
    let mut values = each(target).to_vec();
    if !values.iter().any(|one| filter.matches(one)) {
        let nothing = ScimError::NoTarget("no value is such as its path asks for");
        values.push(filter.example().ok_or(nothing)?);
    }
    for one in values.iter_mut().filter(|one| filter.matches(one)) {
        put_at(one, sub.as_slice(), kind, value);
    }
    *target = Value::Array(values);
    Ok(())
}

/// Adds or replaces what these names lead to; in a list, in each of its values.
fn put_at(target: &mut Value, names: &[String], kind: Kind, value: &Value) {
    let Some((name, rest)) = names.split_first() else {
        merge(target, kind, value);
        return;
    };
    match target {
        Value::Array(values) if !values.is_empty() => {
            for one in values {
                put_at(one, names, kind, value);
            }
        }
        _ => put_at(member_mut(target, name), rest, kind, value),
    }
}

/// What a target becomes: an object gets the members, a list the further values if something is added to it, and
/// everything else the new value.
fn merge(target: &mut Value, kind: Kind, value: &Value) {
    match (target, value) {
        (target @ Value::Object(_), Value::Object(members)) => {
            for (name, value) in members {
                merge(member_mut(target, name), kind, value);
            }
        }
        // One that is there already does no harm: one address is kept.
        (Value::Array(known), added) if kind == Kind::Add => known.extend_from_slice(each(added)),
        (target, value) => *target = value.clone(),
    }
}

/// Removes what a path names; it may not be there. A value says which addresses alone are meant; of anything else there
/// is one, and it goes, whatever the value.
fn remove(document: &mut Value, path: &Path, value: &Value) {
    let names = path.attribute.names.as_slice();
    let Some((last, outer)) = names.split_last() else { return };
    if path.values.is_none() && (each(value).is_empty() || !path.attribute.is(&["emails"])) {
        let containers = outer.iter().fold(document, |inner, name| member_mut(inner, name));
        match containers {
            Value::Array(values) => values.iter_mut().for_each(|one| remove_member(one, last)),
            one => remove_member(one, last),
        }
        return;
    }
    let target = names.iter().fold(document, |inner, name| member_mut(inner, name));
    let mut values = each(target).to_vec();
    match &path.values {
        Some((filter, Some(sub))) => {
            for one in values.iter_mut().filter(|one| filter.matches(one)) {
                remove_member(one, sub);
            }
        }
        Some((filter, None)) => values.retain(|one| !filter.matches(one)),
        None => values.retain(|one| !each(value).iter().any(|named| is_same_value(one, named))),
    }
    *target = Value::Array(values);
}

/// Whether what was named is this value, by its `value` where it has one.
fn is_same_value(one: &Value, named: &Value) -> bool {
    let value = |of: &Value| member(of, "value").unwrap_or(of).as_str().map(str::to_ascii_lowercase);
    value(one) == value(named)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::json;

    use super::*;
    use crate::settings::Profile;

    const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";

    fn ada() -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": "7",
            "userName": "ada@x",
            "displayName": "Ada",
            "active": true,
            "name": {"givenName": "Ada"},
            "emails": [{"value": "a@x", "type": "work", "primary": true}],
        })
    }

    fn after(operations: &Value) -> Result<Value, ScimError> {
        let mut document = ada();
        Patch::read(&json!({"schemas": [PATCH], "Operations": operations}))?.apply(&mut document)?;
        Ok(document)
    }

    /// Each operation, where to look then, and what is there.
    #[test]
    fn each_operation_changes_what_it_names() {
        let work = |value: &str| json!([{"value": value, "type": "work", "primary": true}]);
        let table = [
            (json!({"op": "add", "path": "title", "value": "x"}), "/title", json!("x")),
            (json!({"op": "replace", "path": "displayName", "value": "B"}), "/displayName", json!("B")),
            (
                json!({"op": "Replace", "path": "NAME.GIVENNAME", "value": "B"}),
                "/name",
                json!({"givenName": "B"}),
            ),
            (
                json!({"op": "add", "path": "name", "value": {"familyName": "L"}}),
                "/name/givenName",
                json!("Ada"),
            ),
            (
                json!({"op": "replace", "path": "name", "value": {"familyName": "L"}}),
                "/name/familyName",
                json!("L"),
            ),
            (json!({"op": "remove", "path": "name.givenName"}), "/name", json!({})),
            (json!({"op": "remove", "path": "name.givenName", "value": "B"}), "/name", json!({})),
            (json!({"op": "remove", "path": "displayName", "value": ""}), "/displayName", Value::Null),
            (json!({"op": "REMOVE", "path": "emails"}), "/emails", Value::Null),
            (json!({"op": "remove", "path": "emails[type eq \"work\"]"}), "/emails", json!([])),
            (json!({"op": "remove", "path": "emails[type eq \"home\"]"}), "/emails", work("a@x")),
            (json!({"op": "remove", "path": "emails", "value": [{"value": "A@X"}]}), "/emails", json!([])),
            (json!({"op": "remove", "path": "emails", "value": [{"value": "b@x"}]}), "/emails", work("a@x")),
            (
                json!({"op": "remove", "path": "emails[type eq \"work\"].value"}),
                "/emails",
                json!([{"type": "work", "primary": true}]),
            ),
            (
                json!({"op": "replace", "path": "emails", "value": [{"value": "b"}]}),
                "/emails",
                json!([{"value": "b"}]),
            ),
            (
                json!({"op": "add", "path": "emails", "value": [{"value": "b"}]}),
                "/emails/1",
                json!({"value": "b"}),
            ),
            (json!({"op": "replace", "path": "emails.value", "value": "b"}), "/emails", work("b")),
            (
                json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "b"}),
                "/emails",
                work("b"),
            ),
            (
                json!({"op": "replace", "path": "emails[primary eq true]", "value": {"value": "b"}}),
                "/emails",
                work("b"),
            ),
            (
                json!({"op": "add", "path": "emails[type eq \"home\"].value", "value": "h"}),
                "/emails/1",
                json!({"type": "home", "value": "h"}),
            ),
            (json!({"op": "replace", "value": {"active": false}}), "/active", json!(false)),
            (json!({"op": "replace", "value": {"name.familyName": "L"}}), "/name/familyname", json!("L")),
            (json!({"op": "add", "value": {"emails[type eq \"work\"].value": "b"}}), "/emails", work("b")),
            (
                json!({"op": "add", "value": {"urn:ietf:params:scim:schemas:core:2.0:User:title": "x"}}),
                "/title",
                json!("x"),
            ),
            (json!({"op": "replace", "value": {"id": "8", "meta": {}, "title": "x"}}), "/id", json!("7")),
            (json!({"op": "replace", "path": "displayName", "value": null}), "/displayName", Value::Null),
        ];
        for (operation, place, expected) in table {
            let document =
                after(&json!([operation])).unwrap_or_else(|error| panic!("{operation}: {error:?}"));
            assert_eq!(
                document.pointer(place).cloned().unwrap_or_default(),
                expected,
                "{operation}: {document}"
            );
        }
    }

    #[test]
    fn an_extension_is_changed_by_path_and_by_name() {
        let whole = json!({"department": "x"});
        for operation in [
            json!({"op": "add", "path": DEPARTMENT, "value": "x"}),
            json!({"op": "add", "path": ENTERPRISE_USER, "value": whole}),
            json!({"op": "replace", "value": {DEPARTMENT: "x"}}),
            json!({"op": "replace", "value": {ENTERPRISE_USER: whole}}),
        ] {
            let document = after(&json!([operation])).unwrap();
            let extension = member(&document, ENTERPRISE_USER).unwrap();
            assert_eq!(extension, &whole, "{operation}");
        }
    }

    #[test]
    fn what_is_not_kept_changes_nothing() {
        let nothing = [
            json!({"op": "add", "path": "phoneNumbers[type eq \"work\"].value", "value": "5"}),
            json!({"op": "replace", "path": "roles[primary eq \"True\"].value", "value": "x"}),
            json!({"op": "remove", "path": "addresses[type eq \"home\"]"}),
            json!({"op": "replace", "value": {"password": "secret", "nickName": "x"}}),
            json!({"op": "remove", "path": "urn:example:2.0:User:x"}),
            json!({"op": "remove", "path": "title"}),
        ];
        for operation in nothing {
            assert_eq!(after(&json!([operation])), Ok(ada()), "{operation}");
        }
    }

    #[test]
    fn operations_that_cannot_be_done_say_why() {
        let operation = json!({"op": "add", "path": "title", "value": "x"});
        let many: serde_json::Map<String, Value> =
            (0..=OPERATIONS_MAX).map(|at| (format!("name.x{at}"), Value::Null)).collect();
        let table = [
            (json!([]), "invalidSyntax"),
            (json!("x"), "invalidSyntax"),
            (json!([{"path": "title"}]), "invalidSyntax"),
            (json!([{"op": "move", "path": "title"}]), "invalidSyntax"),
            (json!([{"op": "add", "path": 5}]), "invalidSyntax"),
            (json!([{"op": "add", "value": "x"}]), "invalidSyntax"),
            (json!([{"op": "add", "path": "a b"}]), "invalidPath"),
            (json!([{"op": "add", "value": {"a b": 1}}]), "invalidPath"),
            (json!([{"op": "add", "path": "emails[type is 5]"}]), "invalidFilter"),
            (json!([{"op": "remove"}]), "noTarget"),
            (json!([{"op": "replace", "path": "emails[value eq \"b\"].value", "value": "c"}]), "noTarget"),
            (json!([{"op": "replace", "path": "name[type eq \"b\"]", "value": "c"}]), "noTarget"),
            (json!([{"op": "remove", "path": "userName"}]), "mutability"),
            (json!([{"op": "remove", "path": "active"}]), "mutability"),
            (json!([{"op": "replace", "path": "id", "value": "8"}]), "mutability"),
            (json!([{"op": "add", "path": "meta.version", "value": "8"}]), "mutability"),
            (vec![operation; OPERATIONS_MAX + 1].into(), "tooMany"),
            (json!([{"op": "add", "value": many}]), "tooMany"),
            (json!([{"op": "add", "path": "emails", "value": vec!["x"; VALUES_MAX + 1]}]), "invalidValue"),
        ];
        for (operations, kind) in table {
            let error = after(&operations).expect_err("it is refused");
            assert_eq!(error.failed(Profile::Open).code, kind, "{operations}");
        }
        let other = json!({"schemas": ["urn:x"], "Operations": [{"op": "remove", "path": "title"}]});
        assert!(Patch::read(&other).is_err());
        assert!(Patch::read(&json!({"operations": [{"op": "remove", "path": "title"}]})).is_ok());
    }

    /// Every operation here is small. Without a limit the last user would have a million values.
    #[test]
    fn operations_cannot_make_a_user_large_together() {
        let emails = |count: usize| json!({"op": "add", "path": "emails", "value": vec!["a"; count]});
        let into_each = json!({"op": "add", "path": "emails.value", "value": vec!["x"; VALUES_MAX]});
        let name = |from: usize| {
            let members: serde_json::Map<String, Value> =
                (from..from + VALUES_MAX).map(|at| (format!("x{at}"), Value::Null)).collect();
            json!({"op": "add", "path": "name", "value": members})
        };
        let too_large = [
            json!([emails(VALUES_MAX), emails(VALUES_MAX)]),
            json!([emails(1), into_each, into_each]),
            json!([emails(VALUES_MAX), into_each]),
            json!([name(0), name(VALUES_MAX)]),
        ];
        for operations in too_large {
            let error = after(&operations).expect_err("it is refused");
            assert_eq!(error.failed(Profile::Open).code, "invalidValue");
        }
        assert!(after(&json!([emails(VALUES_MAX)])).is_ok());
        assert!(after(&json!([name(0), {"op": "remove", "path": "name"}, name(0)])).is_ok());
    }

    /// What operations are made of.
    fn operations() -> impl Strategy<Value = Value> {
        let paths = select(vec![
            json!("emails"),
            json!("emails.value"),
            json!("emails[type eq \"work\"]"),
            json!("emails[type eq \"home\"].value"),
            json!("name"),
            json!("name.givenName"),
            json!("displayName.x"),
            json!(DEPARTMENT),
            Value::Null,
        ]);
        let values = select(vec![
            Value::Null,
            json!("x"),
            json!(["x", 5]),
            json!([{"value": "b", "type": "work"}]),
            json!({"givenName": {"givenName": "x"}}),
            json!({"emails": "x", "name": [], DEPARTMENT: {"department": 5}}),
        ]);
        (select(vec!["add", "replace", "remove"]), paths, values)
            .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
    }

    proptest! {
        /// Whatever is done one after another, what is left is an object, and nobody has become somebody else.
        #[test]
        fn no_patch_makes_a_user_anything_else(operations in vec(operations(), 1..6)) {
            if let Ok(document) = after(&operations.into()) {
                prop_assert_eq!(&document["id"], "7");
                prop_assert_eq!(&document["userName"], "ada@x");
            }
        }
    }
}
