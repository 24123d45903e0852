//! Laws of `$filter`: every filter, in every spelling.

use porchlight_presence::{Activity, Availability};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::Filter;
use crate::dice::{Dice, dice, texts};
use crate::settings::Profile;

const IDS_MAX: usize = 1_000;

/// What a token must begin or end with for no space to be needed beside it.
const MARKS: [char; 4] = ['\'', '(', ')', ','];

/// Pieces that make a filter together now and then.
const PIECES: &[&str] = &[
    "id eq a",
    "id eq 'b''c'",
    "id in ('a', b)",
    "id in (",
    "availability eq 'busy'",
    "activity eq 'Away'",
    " and ",
    " and ",
    " or ",
    " or ",
    "(",
    ")",
    "'",
    ",",
    " ",
    "é",
];

proptest! {
    /// A filter is what any spelling of it means, under both profiles.
    #[test]
    fn whatever_is_printed_is_read_back(filter in filters(), profile in profiles(), mut dice in dice()) {
        let text = printed(&filter, profile, &mut dice);
        prop_assert_eq!(Filter::parse(&text, profile, IDS_MAX), Ok(filter), "{:?}", text);
    }

    /// What a text means can be said in another spelling as well; no text makes the parser panic.
    #[test]
    fn whatever_is_read_can_be_printed_and_read_again(
        text in prop_oneof![1 => texts(), 4 => vec(select(PIECES), 0..10).prop_map(|pieces| pieces.concat())],
        profile in profiles(),
        mut dice in dice(),
    ) {
        if let Ok(filter) = Filter::parse(&text, profile, IDS_MAX) {
            let again = printed(&filter, profile, &mut dice);
            prop_assert_eq!(Filter::parse(&again, profile, IDS_MAX), Ok(filter), "{:?}", again);
        }
    }
}

fn profiles() -> impl Strategy<Value = Profile> {
    select(vec![Profile::Open, Profile::Strict])
}

/// Filters as the parser makes them: every `All` and `Any` has at least two parts.
fn filters() -> impl Strategy<Value = Filter> {
    comparisons().prop_recursive(4, 24, 3, |inner| {
        let parts = vec(inner, 2..4);
        prop_oneof![parts.clone().prop_map(Filter::All), parts.prop_map(Filter::Any)]
    })
}

fn comparisons() -> impl Strategy<Value = Filter> {
    let ids = prop_oneof!["[a-zA-Z0-9.@_-]{1,12}", texts()];
    prop_oneof![
        vec(ids, 1..4).prop_map(Filter::IdIn),
        select(Availability::ALL.to_vec()).prop_map(Filter::<Vec<String>>::Availability),
        select(Activity::ALL.to_vec()).prop_map(Filter::<Vec<String>>::Activity),
    ]
}

/// One of the spellings of this filter.
fn printed(filter: &Filter, profile: Profile, dice: &mut Dice) -> String {
    let mut text = dice.pick(&["", " "]).to_owned();
    let tokens = tokens(filter, profile, dice);
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

fn tokens(filter: &Filter, profile: Profile, dice: &mut Dice) -> Vec<String> {
    match filter {
        Filter::IdIn(ids) => id_tokens(ids, profile, dice),
        Filter::Availability(availability) => {
            let name = dice.any_case(availability.name());
            vec!["availability".to_owned(), "eq".to_owned(), quoted(&name)]
        }
        Filter::Activity(activity) => {
            let name = dice.any_case(activity.name());
            vec!["activity".to_owned(), "eq".to_owned(), quoted(&name)]
        }
        Filter::All(parts) => joined(parts, "and", profile, dice),
        Filter::Any(parts) => joined(parts, "or", profile, dice),
    }
}

/// The parts with this word between them, in parentheses where they need them and also where they do not.
fn joined(parts: &[Filter], word: &str, profile: Profile, dice: &mut Dice) -> Vec<String> {
    let mut all = Vec::new();
    for part in parts {
        if !all.is_empty() {
            all.push(word.to_owned());
        }
        let needed = match part {
            Filter::Any(_) => true,
            Filter::All(_) => word == "and",
            Filter::IdIn(_) | Filter::Availability(_) | Filter::Activity(_) => false,
        };
        let inner = tokens(part, profile, dice);
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

fn id_tokens(ids: &[String], profile: Profile, dice: &mut Dice) -> Vec<String> {
    if ids.len() == 1 && dice.flip() {
        return vec!["id".to_owned(), "eq".to_owned(), id_token(&ids[0], profile, dice)];
    }
    let mut all = vec!["id".to_owned(), "in".to_owned()];
    for (at, id) in ids.iter().enumerate() {
        all.push(if at == 0 { "(" } else { "," }.to_owned());
        all.push(id_token(id, profile, dice));
    }
    all.push(")".to_owned());
    all
}

/// An id in quotes, or bare where the profile and the id allow it.
fn id_token(id: &str, profile: Profile, dice: &mut Dice) -> String {
    let simple = !id.is_empty() && id.chars().all(|c| c.is_alphanumeric() || "-._@".contains(c));
    if simple && profile == Profile::Open && dice.flip() { id.to_owned() } else { quoted(id) }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
