//! The comparison of an attribute with a literal. Source: RFC 7644 3.4.2.2, table 3.

use serde_json::{Number, Value};

use super::document::member;
use super::scanner::Scanner;

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Bool(bool),
    /// Which number does not matter: no attribute is one.
    Number,
    Null,
}

impl Operator {
    const ALL: [(&str, Operator); 9] = [
        ("eq", Operator::Eq),
        ("ne", Operator::Ne),
        ("co", Operator::Co),
        ("sw", Operator::Sw),
        ("ew", Operator::Ew),
        ("gt", Operator::Gt),
        ("ge", Operator::Ge),
        ("lt", Operator::Lt),
        ("le", Operator::Le),
    ];

    pub(super) fn from_name(name: &str) -> Option<Operator> {
        let known = Operator::ALL.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, operator)| operator)
    }

    #[cfg(test)]
    pub(super) fn name(self) -> &'static str {
        Operator::ALL.into_iter().find(|(_, known)| *known == self).expect("all are listed").0
    }

    /// Whether it asks for the same or another value, which is all that can be asked of truth values.
    pub(super) fn is_equality(self) -> bool {
        match self {
            Operator::Eq | Operator::Ne => true,
            Operator::Co
            | Operator::Sw
            | Operator::Ew
            | Operator::Gt
            | Operator::Ge
            | Operator::Lt
            | Operator::Le => false,
        }
    }

    /// Whether any of the values is so.
    pub(super) fn holds(self, values: &[&Value], literal: &Literal, is_exact: bool) -> bool {
        match (self, literal) {
            (Operator::Ne, _) => !Operator::Eq.holds(values, literal, is_exact),
            (Operator::Eq, Literal::Null) => values.is_empty(),
            _ => values.iter().any(|value| self.holds_for(value, literal, is_exact)),
        }
    }

    fn holds_for(self, value: &Value, literal: &Literal, is_exact: bool) -> bool {
        match (value, literal) {
            // Without a name it is the value's that is compared. Source: RFC 7643 2.4.
            (Value::Object(_), _) => member(value, "value")
                .is_some_and(|inner| !inner.is_object() && self.holds_for(inner, literal, is_exact)),
            (Value::String(found), Literal::Text(asked)) if is_exact => self.holds_for_text(found, asked),
            (Value::String(found), Literal::Text(asked)) => {
                self.holds_for_text(&found.to_ascii_lowercase(), &asked.to_ascii_lowercase())
            }
            (Value::Bool(found), Literal::Bool(asked)) => self == Operator::Eq && found == asked,
            // Entra ID has sent truth values as text.
            (Value::Bool(found), Literal::Text(asked)) => {
                self == Operator::Eq && asked.eq_ignore_ascii_case(if *found { "true" } else { "false" })
            }
            _ => false,
        }
    }

    fn holds_for_text(self, found: &str, asked: &str) -> bool {
        match self {
            Operator::Eq => found == asked,
            Operator::Ne => found != asked,
            Operator::Co => found.contains(asked),
            Operator::Sw => found.starts_with(asked),
            Operator::Ew => found.ends_with(asked),
            Operator::Gt => found > asked,
            Operator::Ge => found >= asked,
            Operator::Lt => found < asked,
            Operator::Le => found <= asked,
        }
    }
}

impl Literal {
    /// What comes next in a text, if that is a literal.
    pub(super) fn read(scanner: &mut Scanner<'_>) -> Option<Literal> {
        if let Some(text) = scanner.string() {
            return Some(Literal::Text(text));
        }
        match scanner.word().to_ascii_lowercase().as_str() {
            "true" => Some(Literal::Bool(true)),
            "false" => Some(Literal::Bool(false)),
            "null" => Some(Literal::Null),
            word => serde_json::from_str::<Number>(word).ok().map(|_| Literal::Number),
        }
    }
}
