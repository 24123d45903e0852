//! JSON as clients send it: parsed without copying what need not be copied, and without duplicate members.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::Error;

/// A JSON value that borrows from the request's body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'b> {
    Null,
    Bool(bool),
    /// Which number does not matter: no member that is read is one.
    Number,
    String(Cow<'b, str>),
    Array(Vec<Json<'b>>),
    Object(Object<'b>),
}

/// A JSON object: few members, each once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<'b>(Vec<(Cow<'b, str>, Json<'b>)>);

impl<'b> Json<'b> {
    /// # Errors
    ///
    /// E11: not JSON, too deeply nested, or a member twice.
    pub(crate) fn parse(body: &'b [u8]) -> Result<Json<'b>, Error> {
        // All of it at once: that is cheaper than string by string.
        let text = std::str::from_utf8(body).map_err(|_| Error::UnreadablePayload)?;
        serde_json::from_str(text).map_err(|_| Error::UnreadablePayload)
    }

    /// The same as a value that can be written again. Numbers become zero: no member that is read is one.
    pub(crate) fn to_value(&self) -> serde_json::Value {
        match self {
            Json::Null => serde_json::Value::Null,
            Json::Bool(value) => (*value).into(),
            Json::Number => 0.into(),
            Json::String(text) => text.as_ref().into(),
            Json::Array(items) => items.iter().map(Json::to_value).collect(),
            Json::Object(object) => object.members().map(|(name, value)| (name, value.to_value())).collect(),
        }
    }

    /// The object that a body must be.
    ///
    /// # Errors
    ///
    /// E11.
    pub(crate) fn into_object(self) -> Result<Object<'b>, Error> {
        match self {
            Json::Object(object) => Ok(object),
            _ => Err(Error::UnreadablePayload),
        }
    }
}

impl<'b> Object<'b> {
    /// A member; `None` when it is absent, `Some(Json::Null)` when it is null. Names are exact.
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'b>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A member that is neither absent nor null.
    pub(crate) fn value(&self, name: &str) -> Option<&Json<'b>> {
        self.get(name).filter(|value| **value != Json::Null)
    }

    /// A string; absent and null are the same.
    ///
    /// # Errors
    ///
    /// E12.
    pub(crate) fn string(&self, member: &'static str) -> Result<Option<&str>, Error> {
        match self.value(member) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::WrongType { member, expected: "a string" }),
        }
    }

    /// An object; absent and null are the same.
    ///
    /// # Errors
    ///
    /// E12.
    pub(crate) fn object(&self, member: &'static str) -> Result<Option<&Object<'b>>, Error> {
        match self.value(member) {
            None => Ok(None),
            Some(Json::Object(object)) => Ok(Some(object)),
            Some(_) => Err(Error::WrongType { member, expected: "an object" }),
        }
    }

    /// An array; absent and null are the same.
    ///
    /// # Errors
    ///
    /// E12.
    pub(crate) fn array(&self, member: &'static str) -> Result<Option<&[Json<'b>]>, Error> {
        match self.value(member) {
            None => Ok(None),
            Some(Json::Array(items)) => Ok(Some(items)),
            Some(_) => Err(Error::WrongType { member, expected: "an array" }),
        }
    }

    /// A truth value; absent and null are the same.
    ///
    /// # Errors
    ///
    /// E12.
    pub(crate) fn bool(&self, member: &'static str) -> Result<Option<bool>, Error> {
        match self.value(member) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(Error::WrongType { member, expected: "true or false" }),
        }
    }

    /// Sorted when there are many, so that a hostile body costs no more than any other of its size.
    fn has_duplicates(&self) -> bool {
        if self.0.len() <= 16 {
            return self
                .0
                .iter()
                .enumerate()
                .any(|(at, (name, _))| self.0[..at].iter().any(|(other, _)| other == name));
        }
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_ref()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Every member.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Json<'b>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Number)
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let mut object = Object::default();
        while let Some(Name(name)) = members.next_key()? {
            object.0.push((name, members.next_value()?));
        }
        if object.has_duplicates() {
            return Err(de::Error::custom("a member stands twice"));
        }
        Ok(Json::Object(object))
    }
}

/// A member's name, borrowed where it has no escapes.
struct Name<'b>(Cow<'b, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name<'de>, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(name) => Ok(Name(name)),
            _ => Err(de::Error::custom("a name is a string")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let json = Json::parse(br#"{"a":"x","b":["\n",null,1e3,true]}"#).unwrap().into_object().unwrap();
        assert!(matches!(json.get("a"), Some(Json::String(Cow::Borrowed("x")))));
        let items = [Json::String("\n".into()), Json::Null, Json::Number, Json::Bool(true)];
        assert_eq!(json.array("b"), Ok(Some(items.as_slice())));
        assert_eq!(json.string("missing"), Ok(None));
        assert_eq!(json.string("b"), Err(Error::WrongType { member: "b", expected: "a string" }));
    }

    #[test]
    fn what_is_not_one_clean_value_is_refused() {
        let deep = "[".repeat(100_000);
        let bad = [
            "",
            "{",
            "{}x",
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            "nul",
            "{'a':1}",
            "1e999",
            deep.as_str(),
        ];
        for text in bad {
            assert_eq!(Json::parse(text.as_bytes()), Err(Error::UnreadablePayload));
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
    }
}
