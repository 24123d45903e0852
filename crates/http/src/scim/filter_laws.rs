//! Laws of filters: every filter, in every spelling.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::comparison::{Literal, Operator};
use super::filter::{FILTER_BYTES_MAX, Filter};
use super::path::AttributePath;
use crate::dice::{Dice, dice, texts};

/// What a token must begin or end with for no space to be needed beside it.
const MARKS: [char; 4] = ['"', '(', ')', ']'];

/// Names of attributes, as they are sent.
const NAMES: [&str; 7] = [
    "userName",
    "id",
    "name.givenName",
    "not",
    "emails.value",
    "urn:ietf:params:scim:schemas:core:2.0:User:title",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
];

const OPERATORS: [Operator; 9] = [
    Operator::Eq,
    Operator::Ne,
    Operator::Co,
    Operator::Sw,
    Operator::Ew,
    Operator::Gt,
    Operator::Ge,
    Operator::Lt,
    Operator::Le,
];

/// Pieces that make a filter together now and then.
const PIECES: &[&str] = &[
    "userName eq \"a\"",
    "emails[type eq \"work\"]",
    ".value eq \"b\"",
    "title pr",
    "active eq true",
    " and ",
    " or ",
    "not (",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "\\",
    " ",
    "é",
];

proptest! {
    /// A filter is what any spelling of it means.
    #[test]
    fn whatever_is_printed_is_read_back(filter in filters(), mut dice in dice()) {
        let text = printed(&filter, &mut dice);
        prop_assume!(text.len() <= FILTER_BYTES_MAX);
        prop_assert_eq!(Filter::parse(&text), Ok(filter), "{:?}", text);
    }

    /// What a text means can be said in another spelling as well; no text makes the parser or a look at a user panic.
    #[test]
    fn whatever_is_read_can_be_printed_and_read_again(
        text in prop_oneof![1 => texts(), 4 => vec(select(PIECES), 0..10).prop_map(|pieces| pieces.concat())],
        mut dice in dice(),
    ) {
        if let Ok(filter) = Filter::parse(&text) {
            let again = printed(&filter, &mut dice);
            prop_assume!(again.len() <= FILTER_BYTES_MAX);
            prop_assert_eq!(Filter::parse(&again), Ok(filter.clone()), "{:?}", again);
            filter.matches(&json!({"userName": "a", "active": true, "emails": [{"value": "b", "type": "work"}]}));
        }
    }
}

/// Filters as the parser makes them: every `All` and `Any` has at least two parts.
fn filters() -> impl Strategy<Value = Filter> {
    comparisons().prop_recursive(4, 24, 3, |inner| {
        let parts = vec(inner.clone(), 2..4);
        prop_oneof![
            parts.clone().prop_map(Filter::All),
            parts.prop_map(Filter::Any),
            inner.clone().prop_map(|filter| Filter::Not(Box::new(filter))),
            (paths(), inner).prop_map(|(path, filter)| Filter::Element(path, Box::new(filter))),
        ]
    })
}

fn comparisons() -> impl Strategy<Value = Filter> {
    let equality = select(vec![Operator::Eq, Operator::Ne]);
    let truths = select(vec![Literal::Bool(true), Literal::Bool(false), Literal::Null]);
    let ordered = prop_oneof![texts().prop_map(Literal::Text), Just(Literal::Number)];
    prop_oneof![
        paths().prop_map(Filter::Present),
        (paths(), equality, truths)
            .prop_map(|(path, operator, literal)| { Filter::Compare(path, operator, literal) }),
        (paths(), select(OPERATORS.to_vec()), ordered)
            .prop_map(|(path, operator, literal)| { Filter::Compare(path, operator, literal) }),
    ]
}

fn paths() -> impl Strategy<Value = AttributePath> {
    select(NAMES.to_vec()).prop_map(|name| AttributePath::parse(name).expect("it is a path"))
}

/// One of the spellings of this filter.
fn printed(filter: &Filter, dice: &mut Dice) -> String {
    let mut text = dice.pick(&["", " "]).to_owned();
    let tokens = tokens(filter, dice);
    for (at, token) in tokens.iter().enumerate() {
        text.push_str(token);
        let next = tokens.get(at + 1);
        if !token.ends_with(MARKS) && next.is_some_and(|next| !next.starts_with(MARKS)) {
            text.push(' ');
        }
        text.push_str(dice.pick(&["", " "]));
    }
    text
}

fn tokens(filter: &Filter, dice: &mut Dice) -> Vec<String> {
    match filter {
        Filter::All(parts) => joined(parts, "and", dice),
        Filter::Any(parts) => joined(parts, "or", dice),
        Filter::Not(inner) => {
            let mut all = vec![dice.any_case("not"), "(".to_owned()];
            all.extend(tokens(inner, dice));
            all.push(")".to_owned());
            all
        }
        Filter::Present(path) => vec![name(path, dice), dice.any_case("pr")],
        Filter::Compare(path, operator, literal) => {
            let literal = match literal {
                Literal::Text(text) => json!(text).to_string(),
                Literal::Bool(truth) => dice.any_case(&truth.to_string()),
                Literal::Number => dice.pick(&["0", "-1.5", "2e3"]).to_owned(),
                Literal::Null => dice.any_case("null"),
            };
            vec![name(path, dice), dice.any_case(operator.name()), literal]
        }
        Filter::Element(path, inner) => {
            let mut all = vec![name(path, dice) + "["];
            all.extend(tokens(inner, dice));
            all.push("]".to_owned());
            all
        }
    }
}

/// The parts with this word between them, in parentheses where they need them and also where they do not.
fn joined(parts: &[Filter], word: &str, dice: &mut Dice) -> Vec<String> {
    let mut all = Vec::new();
    for part in parts {
        if !all.is_empty() {
            all.push(dice.any_case(word));
        }
        let needed = match part {
            Filter::Any(_) => true,
            Filter::All(_) => word == "and",
            Filter::Not(_) | Filter::Present(_) | Filter::Compare(..) | Filter::Element(..) => false,
        };
        let inner = tokens(part, dice);
        if needed || dice.flip() {
            all.push("(".to_owned());
            all.extend(inner);
            all.push(")".to_owned());
        } else {
            all.extend(inner);
        }
    }
    all
}

/// A path in any case. Behind its URN a name stands after a colon.
fn name(path: &AttributePath, dice: &mut Dice) -> String {
    let (urn, names) = match path.names.split_first() {
        Some((urn, names)) if urn.starts_with("urn:") => (urn.clone() + ":", names),
        _ => (String::new(), path.names.as_slice()),
    };
    dice.any_case(&(urn + &names.join(".")))
}
