//! Reading and changing a JSON document by names whose case does not matter. Source: RFC 7643 2.1.

use serde_json::{Map, Value};

/// A member of an object; the first that has the name.
pub(super) fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let members = value.as_object()?;
    // Nearly always in the case that it is asked for.
    members.get(name).or_else(|| {
        members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}

/// The values that an attribute has: none, one, or as many as there are in its list.
pub(super) fn each(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(items) => items,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            std::slice::from_ref(value)
        }
    }
}

/// A member of what becomes an object if it is none; null if it was not there.
pub(super) fn member_mut<'v>(value: &'v mut Value, name: &str) -> &'v mut Value {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let members = value.as_object_mut().expect("it has just become an object");
    let known = known_name(members, name).unwrap_or_else(|| name.to_owned());
    members.entry(known).or_insert(Value::Null)
}

/// Takes a member out of an object.
pub(super) fn remove_member(value: &mut Value, name: &str) {
    if let Some(members) = value.as_object_mut()
        && let Some(known) = known_name(members, name)
    {
        members.shift_remove(&known);
    }
}

/// How an object spells a name.
fn known_name(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned()
}
