//! How attributes are named: in filters, in patches and in the list of those that are wanted.
//!
//! ```text
//! path          = attributePath [ "[" filter "]" [ "." name ] ]
//! attributePath = [ URN ":" ] name [ "." name ] / URN
//! ```
//!
//! Source: RFC 7644 3.4.2.2, 3.5.2 and 3.10. An URN alone names all that an extension has.

use serde_json::Value;

use super::document::{each, member};
use super::filter::{FILTER_BYTES_MAX, Filter};
use super::scanner::Scanner;
use super::{ENTERPRISE_USER, ScimError, USER};

/// The names that lead to an attribute, from the outside in and in lower case. That of an extension begins with its
/// URN; none at all lead to the whole user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AttributePath {
    pub(super) names: Vec<String>,
}

/// The target of one operation of a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) attribute: AttributePath,
    /// Which of the attribute's values are meant, and which attribute of theirs.
    pub(super) values: Option<(Filter, Option<String>)>,
}

impl AttributePath {
    /// The path that a text is, if it is one.
    pub(super) fn parse(text: &str) -> Option<AttributePath> {
        let text = text.to_ascii_lowercase();
        let (urn, names) = split_urn(&text);
        let mut path: Vec<String> = urn.map(str::to_owned).into_iter().collect();
        if let Some(names) = names {
            let (name, sub) = match names.split_once('.') {
                Some((name, sub)) => (name, Some(sub)),
                None => (names, None),
            };
            for name in [Some(name), sub].into_iter().flatten() {
                if !is_name(name) {
                    return None;
                }
                path.push(name.to_owned());
            }
        }
        Some(AttributePath { names: path })
    }

    /// Whether these names lead there, given in lower case.
    pub(super) fn is(&self, names: &[&str]) -> bool {
        self.names == names
    }

    /// The outermost name; empty for the whole user.
    pub(super) fn root(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Every value that it leads to in a document, through lists as well.
    pub(super) fn values<'v>(&self, document: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![document];
        for name in &self.names {
            found = found.into_iter().filter_map(|value| member(value, name)).flat_map(each).collect();
        }
        found
    }
}

impl Path {
    /// # Errors
    ///
    /// `invalidPath`, and `invalidFilter` for what stands in brackets.
    pub(super) fn parse(text: &str) -> Result<Path, ScimError> {
        let invalid = || ScimError::InvalidPath(text.to_owned());
        if text.len() > FILTER_BYTES_MAX {
            return Err(invalid());
        }
        let mut scanner = Scanner::new(text.trim());
        let attribute = AttributePath::parse(scanner.word()).ok_or_else(invalid)?;
        let mut values = None;
        if scanner.symbol('[') {
            let filter = Filter::read_to_bracket(&mut scanner)?;
            let mut sub = None;
            if scanner.symbol('.') {
                let name = Some(scanner.word().to_ascii_lowercase());
                sub = Some(name.filter(|name| is_name(name)).ok_or_else(invalid)?);
            }
            values = Some((filter, sub));
        }
        if scanner.is_at_end() { Ok(Path { attribute, values }) } else { Err(invalid()) }
    }
}

/// The URN that a path in lower case begins with, but for that of users, and what stands behind it.
fn split_urn(text: &str) -> (Option<&str>, Option<&str>) {
    if !text.starts_with("urn:") {
        return (None, Some(text));
    }
    for known in [USER, ENTERPRISE_USER] {
        let Some(start) = text.get(..known.len()).filter(|start| start.eq_ignore_ascii_case(known)) else {
            continue;
        };
        let urn = Some(start).filter(|_| known != USER);
        let rest = &text[known.len()..];
        if rest.is_empty() {
            return (urn, None);
        }
        if let Some(names) = rest.strip_prefix(':') {
            return (urn, Some(names));
        }
    }
    // Of a schema that is not known: nothing of it is kept, so where it ends does not matter.
    match text.rsplit_once(':') {
        Some((urn, names)) => (Some(urn), Some(names)),
        None => (None, Some(text)),
    }
}

/// Source: RFC 7643 2.1; the dollar is that of `$ref`.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
        && name.bytes().skip(1).all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attribute_paths_are_read_with_and_without_a_schema() {
        let enterprise = ENTERPRISE_USER.to_ascii_lowercase();
        let table: [(&str, &[&str]); 9] = [
            ("userName", &["username"]),
            ("NAME.givenName", &["name", "givenname"]),
            ("urn:ietf:params:scim:schemas:core:2.0:User:userName", &["username"]),
            ("URN:IETF:params:scim:schemas:core:2.0:User:emails.value", &["emails", "value"]),
            ("urn:ietf:params:scim:schemas:core:2.0:User", &[]),
            (ENTERPRISE_USER, &[&enterprise]),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
                &[&enterprise, "department"],
            ),
            ("urn:example:custom:2.0:User:a.b", &["urn:example:custom:2.0:user", "a", "b"]),
            ("manager.$ref", &["manager", "$ref"]),
        ];
        for (text, names) in table {
            let path = AttributePath::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert!(path.is(names), "{text}: {path:?}");
        }
        for text in ["", ".", "a.", ".a", "a.b.c", "1a", "a b", "é", "urn:x:", "a:b"] {
            assert_eq!(AttributePath::parse(text), None, "{text}");
        }
    }

    #[test]
    fn paths_of_patches_may_select_values() {
        let path = Path::parse(r#" emails[type eq "work"].value "#).unwrap();
        assert!(path.attribute.is(&["emails"]));
        let (filter, sub) = path.values.unwrap();
        assert_eq!((filter, sub.as_deref()), (Filter::parse(r#"type eq "work""#).unwrap(), Some("value")));
        assert_eq!(Path::parse("emails[type pr]").unwrap().values.map(|(_, sub)| sub), Some(None));
        for text in
            ["", "emails[type pr", "emails[type pr].", "emails[type pr].a.b", "emails[type pr]x", "a b"]
        {
            let error = Path::parse(text);
            assert!(matches!(error, Err(ScimError::InvalidPath(_) | ScimError::InvalidFilter(_))), "{text}");
        }
    }

    #[test]
    fn values_are_found_through_lists_whatever_the_case() {
        let document = json!({"Emails": [{"value": "a"}, {"VALUE": "b"}, {"type": "x"}], "title": null});
        let values = |text: &str| AttributePath::parse(text).unwrap().values(&document).len();
        assert_eq!(
            (values("emails"), values("emails.value"), values("title"), values("no.no")),
            (3, 2, 0, 0)
        );
    }
}
