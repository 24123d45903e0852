//! Filters: which users are listed, and which values of an attribute a patch means. Source: RFC 7644 3.4.2.2.
//!
//! ```text
//! any        = all *( "or" all )
//! all        = primary *( "and" primary )
//! primary    = [ "not" ] "(" any ")" / comparison / attributePath "[" any "]" [ [ "." name ] operator literal ]
//! comparison = attributePath "pr" / attributePath operator literal
//! operator   = "eq" / "ne" / "co" / "sw" / "ew" / "gt" / "ge" / "lt" / "le"
//! literal    = string / number / "true" / "false" / "null"
//! ```
//!
//! What may follow the bracket is not in the grammar: Entra ID looks people up by it. Keywords have no case. Where the
//! RFC is silent: `ne` is what `eq` is not, so it also holds for an attribute without a value.

use serde_json::{Map, Value};

use super::ScimError;
use super::comparison::{Literal, Operator};
use super::path::AttributePath;
use super::scanner::Scanner;

/// The longest filter, in bytes.
pub(crate) const FILTER_BYTES_MAX: usize = 4096;

/// How deep parentheses and brackets may nest.
const DEPTH_MAX: usize = 32;

/// The attributes whose case matters; they are told by their outermost name.
const CASE_EXACT: [&str; 3] = ["externalid", "schemas", "meta"];

/// What a document, or one value of an attribute, must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    /// It has a value.
    Present(AttributePath),
    Compare(AttributePath, Operator, Literal),
    /// One of its values is such.
    Element(AttributePath, Box<Filter>),
}

/// By what the only user that a filter can match is found without a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'f> {
    Id(&'f str),
    UserName(&'f str),
}

impl Filter {
    /// # Errors
    ///
    /// `invalidFilter` for what is not in the grammar, too long or too deep, and for comparisons that make no sense.
    pub(super) fn parse(text: &str) -> Result<Filter, ScimError> {
        if text.len() > FILTER_BYTES_MAX {
            return Err(ScimError::InvalidFilter("it is too long"));
        }
        let mut scanner = Scanner::new(text);
        let filter = any(&mut scanner, 0)?;
        scanner.spaces();
        if scanner.is_at_end() { Ok(filter) } else { Err(invalid()) }
    }

    /// Reads what stands between brackets, and the closing one.
    ///
    /// # Errors
    ///
    /// As [`Filter::parse`].
    pub(super) fn read_to_bracket(scanner: &mut Scanner<'_>) -> Result<Filter, ScimError> {
        inner(scanner, 0, ']')
    }

    /// Whether a document is such.
    pub(super) fn matches(&self, document: &Value) -> bool {
        match self {
            Filter::All(parts) => parts.iter().all(|part| part.matches(document)),
            Filter::Any(parts) => parts.iter().any(|part| part.matches(document)),
            Filter::Not(part) => !part.matches(document),
            Filter::Present(path) => path.values(document).into_iter().any(is_value),
            Filter::Compare(path, operator, literal) => {
                let is_exact = CASE_EXACT.contains(&path.root());
                operator.holds(&path.values(document), literal, is_exact)
            }
            Filter::Element(path, filter) => {
                path.values(document).into_iter().any(|value| filter.matches(value))
            }
        }
    }

    /// The only users that can match; `None` when anybody may.
    pub(super) fn candidates(&self) -> Option<Vec<Key<'_>>> {
        match self {
            Filter::Compare(path, Operator::Eq, Literal::Text(text)) if path.is(&["id"]) => {
                Some(vec![Key::Id(text)])
            }
            Filter::Compare(path, Operator::Eq, Literal::Text(text)) if path.is(&["username"]) => {
                Some(vec![Key::UserName(text)])
            }
            Filter::All(parts) => parts.iter().find_map(Filter::candidates),
            Filter::Any(parts) => {
                let candidates: Option<Vec<_>> = parts.iter().map(Filter::candidates).collect();
                candidates.map(|candidates| candidates.concat())
            }
            Filter::Not(_) | Filter::Present(_) | Filter::Compare(..) | Filter::Element(..) => None,
        }
    }

    /// A value that is such, where all that is asked of it is its type and whether it is the primary one.
    pub(super) fn example(&self) -> Option<Value> {
        let mut members = Map::new();
        self.ask_of(&mut members).then_some(Value::Object(members))
    }

    fn ask_of(&self, members: &mut Map<String, Value>) -> bool {
        let (name, value) = match self {
            Filter::All(parts) => return parts.iter().all(|part| part.ask_of(members)),
            Filter::Compare(path, Operator::Eq, Literal::Text(text)) if path.is(&["type"]) => {
                ("type", Value::from(text.as_str()))
            }
            Filter::Compare(path, Operator::Eq, Literal::Bool(primary)) if path.is(&["primary"]) => {
                ("primary", Value::from(*primary))
            }
            Filter::Any(_)
            | Filter::Not(_)
            | Filter::Present(_)
            | Filter::Compare(..)
            | Filter::Element(..) => return false,
        };
        members.insert(name.to_owned(), value);
        true
    }
}

/// Whether a value is one: an empty text is none. Source: RFC 7644 3.4.2.2, `pr`.
fn is_value(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_value),
        Value::Object(members) => members.values().any(is_value),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn invalid() -> ScimError {
    ScimError::InvalidFilter("it does not follow the grammar of RFC 7644, figure 1")
}

fn any(scanner: &mut Scanner<'_>, depth: usize) -> Result<Filter, ScimError> {
    let mut parts = vec![all(scanner, depth)?];
    while follows(scanner, "or") {
        parts.push(all(scanner, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
}

fn all(scanner: &mut Scanner<'_>, depth: usize) -> Result<Filter, ScimError> {
    let mut parts = vec![primary(scanner, depth)?];
    while follows(scanner, "and") {
        parts.push(primary(scanner, depth)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
}

/// Goes past this keyword, if it comes next.
fn follows(scanner: &mut Scanner<'_>, keyword: &str) -> bool {
    let before = *scanner;
    scanner.spaces();
    let found = scanner.keyword(keyword);
    if !found {
        *scanner = before;
    }
    found
}

fn primary(scanner: &mut Scanner<'_>, depth: usize) -> Result<Filter, ScimError> {
    scanner.spaces();
    if scanner.symbol('(') {
        return inner(scanner, depth, ')');
    }
    let before = *scanner;
    if scanner.keyword("not") {
        scanner.spaces();
        if scanner.symbol('(') {
            return Ok(Filter::Not(Box::new(inner(scanner, depth, ')')?)));
        }
        // An attribute may have this name.
        *scanner = before;
    }
    let path = AttributePath::parse(scanner.word()).ok_or_else(invalid)?;
    if scanner.symbol('[') { with_value(scanner, path, depth) } else { comparison(scanner, path) }
}

/// What stands between parentheses or brackets, and the closing one.
fn inner(scanner: &mut Scanner<'_>, depth: usize, end: char) -> Result<Filter, ScimError> {
    if depth == DEPTH_MAX {
        return Err(ScimError::InvalidFilter("it is nested too deeply"));
    }
    let filter = any(scanner, depth + 1)?;
    scanner.spaces();
    if scanner.symbol(end) { Ok(filter) } else { Err(invalid()) }
}

/// What follows the opening bracket behind an attribute.
fn with_value(scanner: &mut Scanner<'_>, path: AttributePath, depth: usize) -> Result<Filter, ScimError> {
    let filter = inner(scanner, depth, ']')?;
    let before = *scanner;
    let sub = if scanner.symbol('.') { scanner.word() } else { "value" };
    let compared = AttributePath::parse(sub).and_then(|sub| comparison(scanner, sub).ok());
    let filter = if let Some(comparison) = compared {
        Filter::All(vec![filter, comparison])
    } else {
        // Whatever it is, it is not a comparison of that value.
        *scanner = before;
        filter
    };
    Ok(Filter::Element(path, Box::new(filter)))
}

/// What follows an attribute's name.
fn comparison(scanner: &mut Scanner<'_>, path: AttributePath) -> Result<Filter, ScimError> {
    scanner.spaces();
    let word = scanner.word();
    if word.eq_ignore_ascii_case("pr") {
        return Ok(Filter::Present(path));
    }
    let operator = Operator::from_name(word).ok_or_else(invalid)?;
    scanner.spaces();
    let literal = Literal::read(scanner).ok_or_else(invalid)?;
    let is_truth = path.names.last().is_some_and(|name| matches!(name.as_str(), "active" | "primary"));
    let has_order = matches!(literal, Literal::Text(_) | Literal::Number) && !is_truth;
    if has_order || operator.is_equality() {
        Ok(Filter::Compare(path, operator, literal))
    } else {
        Err(ScimError::InvalidFilter("true, false and null can only be compared by eq and ne"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ada() -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01",
            "externalId": "Ab12",
            "userName": "Ada@x.example",
            "displayName": "Ada \"Countess\" Lovelace",
            "active": true,
            "name": {"givenName": "Ada", "familyName": "Lovelace"},
            "emails": [{"value": "ada@mail.example", "type": "work", "primary": true}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Engines"},
        })
    }

    #[test]
    fn each_operator_compares_as_the_rfc_says() {
        let table = [
            (r#"userName eq "ada@X.example""#, true),
            (r#"username EQ "ada@x.example""#, true),
            (r#"userName ne "ada@x.example""#, false),
            (r#"title ne "x""#, true),
            ("title eq null", true),
            ("title ne null", false),
            ("userName ne null", true),
            (r#"displayName co "\"countess\"""#, true),
            (r#"name.familyName sw "love""#, true),
            (r#"name.familyName ew "LACE""#, true),
            (r#"name.familyName co "x""#, false),
            (r#"name.familyName gt "lovelac""#, true),
            (r#"name.familyName ge "lovelace""#, true),
            (r#"name.familyName lt "lovelace""#, false),
            (r#"name.familyName le "lovelace""#, true),
            (r#"externalId eq "Ab12""#, true),
            (r#"externalId eq "ab12""#, false),
            ("externalId pr", true),
            ("title pr", false),
            ("name pr", true),
            ("active eq true", true),
            ("active eq True", true),
            (r#"active eq "True""#, true),
            ("active ne false", true),
            ("id eq 5", false),
            (r#"nothing.at eq "all""#, false),
        ];
        for (text, expected) in table {
            assert_eq!(Filter::parse(text).map(|filter| filter.matches(&ada())), Ok(expected), "{text}");
        }
    }

    #[test]
    fn filters_are_put_together_as_the_rfc_says() {
        let table = [
            (r#"title pr or active eq true and userName sw "ada""#, true),
            (r#"(title pr or active eq true) and userName sw "ben""#, false),
            ("not (title pr)", true),
            ("NOT(active eq true)", false),
            ("not (title pr) And not(externalId eq \"x\")", true),
            (r#"emails[type eq "work"]"#, true),
            (r#"emails[type eq "work" and value ew "mail.example"]"#, true),
            (r#"emails[type eq "home" or not (primary eq true)]"#, false),
            (r#"emails[type eq "work"].value eq "ada@mail.example""#, true),
            (r#"emails[type eq "home"].value eq "ada@mail.example""#, false),
            (r#"emails[type eq "work"] eq "ada@mail.example""#, true),
            (r#"emails co "mail""#, true),
            (r#"emails.value co "mail" or title pr"#, true),
            (r#"emails[type eq "work"] and title pr"#, false),
            (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ADA""#, true),
            (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "engines""#, true),
            (r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#, true),
            ("urn:example:2.0:User:x pr", false),
        ];
        for (text, expected) in table {
            assert_eq!(Filter::parse(text).map(|filter| filter.matches(&ada())), Ok(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_an_invalid_filter() {
        let deep = format!("{}title pr{}", "(".repeat(33), ")".repeat(33));
        let long = format!("title eq \"{}\"", "x".repeat(FILTER_BYTES_MAX));
        let bad = [
            "",
            " ",
            "title",
            "title eq",
            "title is \"x\"",
            "title eq x",
            "title eq 'x'",
            "title eq \"x",
            "title eq \"x\" and",
            "title eq \"x\" title pr",
            "eq \"x\"",
            "a.b.c pr",
            "(title pr",
            "title pr)",
            "not title pr",
            "emails[",
            "emails[]",
            "emails[type pr",
            "emails[type pr].value",
            "emails[type pr]]",
            "active gt true",
            "active gt \"true\"",
            "title co null",
            "title eq 01",
            deep.as_str(),
            long.as_str(),
        ];
        for text in bad {
            let shown = &text[..text.len().min(40)];
            assert!(matches!(Filter::parse(text), Err(ScimError::InvalidFilter(_))), "{shown}");
        }
        let fits = format!("{}title pr{}", "(".repeat(32), ")".repeat(32));
        assert!(Filter::parse(&fits).is_ok());
    }

    #[test]
    fn a_name_or_an_id_says_whom_to_look_at() {
        let table: [(&str, Option<&[Key<'_>]>); 7] = [
            (r#"userName eq "ada""#, Some(&[Key::UserName("ada")])),
            (r#"title pr and id eq "1""#, Some(&[Key::Id("1")])),
            (r#"userName eq "ada" or id eq "1""#, Some(&[Key::UserName("ada"), Key::Id("1")])),
            (r#"userName eq "ada" or title pr"#, None),
            (r#"not (userName eq "ada")"#, None),
            (r#"userName sw "ada""#, None),
            (r#"externalId eq "1""#, None),
        ];
        for (text, keys) in table {
            assert_eq!(Filter::parse(text).unwrap().candidates().as_deref(), keys, "{text}");
        }
    }

    #[test]
    fn a_value_can_be_made_where_only_its_type_is_asked() {
        let table = [
            (r#"type eq "work""#, Some(json!({"type": "work"}))),
            (r#"primary eq true and type eq "x""#, Some(json!({"primary": true, "type": "x"}))),
            (r#"value eq "x""#, None),
            (r#"type eq "a" or type eq "b""#, None),
            ("type pr", None),
        ];
        for (text, example) in table {
            assert_eq!(Filter::parse(text).unwrap().example(), example, "{text}");
        }
    }
}
