//! Laws of paths: every resource, in every form of its path.

use std::borrow::Cow;

use percent_encoding::percent_encode_byte;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::dice::{Dice, dice, texts};
use crate::resource::{Action, PresencePath, Resource, Root, UserKey, split_version};

/// Keys that could be taken for something else.
const ODD_KEYS: &[&str] = &[
    "$count",
    "DELTA",
    "delta()",
    "delta(x)",
    "microsoft.graph.delta",
    "presence",
    "users",
    "'",
    "o''neill'",
    "(",
    "a)",
    "('a')",
    "%2F",
    "a/b",
    "..",
    " ",
];

/// Segments that make a path together more often than not.
const SEGMENTS: &[&str] = &[
    "",
    "$count",
    "communications",
    "delta()",
    "getPresencesByUserId",
    "me",
    "microsoft.graph.clearPresence",
    "porchlight.deliveries()",
    "porchlight.explain()",
    "presence",
    "presences",
    "presences('me')",
    "reauthorize",
    "setStatusMessage()",
    "subscriptions",
    "users",
    "Users(%27a''b%27)",
];

proptest! {
    /// A resource is what any form of its path means.
    #[test]
    fn whatever_is_printed_is_read_back(resource in resources(), mut dice in dice()) {
        let path = printed(&resource, &mut dice);
        prop_assert_eq!(Resource::parse(&path), Ok(resource), "{:?}", path);
    }

    /// What a path means can be said by another path as well; no text makes the reader panic.
    #[test]
    fn whatever_is_read_can_be_printed_and_read_again(
        path in prop_oneof![texts(), paths()],
        mut dice in dice(),
    ) {
        let _ = split_version(&path);
        if let Ok(resource) = Resource::parse(&path) {
            let again = printed(&resource, &mut dice);
            prop_assert_eq!(Resource::parse(&again), Ok(resource), "{:?}", again);
        }
    }
}

fn resources() -> impl Strategy<Value = Resource<'static>> {
    prop_oneof![
        1 => select(vec![
            Resource::ServiceDocument,
            Resource::Metadata,
            Resource::Batch,
            Resource::Users,
            Resource::Presences,
            Resource::PresencesCount,
            Resource::PresencesDelta,
            Resource::PresencesByUserId,
            Resource::Subscriptions,
        ]),
        1 => user_keys().prop_map(Resource::User),
        3 => presence_paths().prop_map(Resource::Presence),
        3 => (presence_paths(), select(Action::ALL.to_vec())).prop_map(|(path, action)| Resource::Action(path, action)),
        1 => presence_paths().prop_map(Resource::Explain),
        1 => ids().prop_map(Resource::Subscription),
        1 => ids().prop_map(Resource::Reauthorize),
        1 => ids().prop_map(Resource::Deliveries),
    ]
}

fn presence_paths() -> impl Strategy<Value = PresencePath<'static>> {
    let named = keys().prop_map(|key| UserKey::Named(Cow::Owned(key)));
    prop_oneof![
        user_keys().prop_map(|key| PresencePath { root: Root::Users, key }),
        named.prop_map(|key| PresencePath { root: Root::Communications, key }),
    ]
}

fn user_keys() -> impl Strategy<Value = UserKey<'static>> {
    prop_oneof![
        1 => Just(UserKey::Me),
        4 => keys().prop_map(|key| UserKey::Named(Cow::Owned(key))),
    ]
}

fn ids() -> impl Strategy<Value = Cow<'static, str>> {
    keys().prop_map(Cow::Owned)
}

/// Any key of a path but those that mean the caller.
fn keys() -> impl Strategy<Value = String> {
    let keys = prop_oneof![2 => "\\PC{1,12}", 1 => select(ODD_KEYS).prop_map(str::to_owned)];
    keys.prop_filter("it means the caller", |key| {
        !key.eq_ignore_ascii_case("me") && !key.eq_ignore_ascii_case("me-token-to-replace")
    })
}

/// Texts that often are paths.
fn paths() -> impl Strategy<Value = String> {
    let segments = prop_oneof![
        6 => select(SEGMENTS).prop_map(str::to_owned),
        1 => "[a-z$%'().]{0,6}",
    ];
    vec(segments, 0..5).prop_map(|segments| segments.join("/"))
}

/// One of the paths that mean this resource.
fn printed(resource: &Resource<'_>, dice: &mut Dice) -> String {
    let path = match resource {
        Resource::ServiceDocument => String::new(),
        Resource::Metadata => fixed("$metadata", dice),
        Resource::Batch => fixed("$batch", dice),
        Resource::User(key) => user(key, dice),
        Resource::Users => fixed("users", dice),
        Resource::Presence(path) => presence(path, dice),
        Resource::Action(path, action) => {
            format!("{}/{}", presence(path, dice), operation(action.name(), dice))
        }
        Resource::Explain(path) => {
            format!("{}/{}", presence(path, dice), own_function("porchlight.explain", dice))
        }
        Resource::Presences => presences(dice),
        Resource::PresencesCount => format!("{}/{}", presences(dice), fixed("$count", dice)),
        Resource::PresencesDelta => format!("{}/{}", presences(dice), operation("delta", dice)),
        Resource::PresencesByUserId => {
            format!("{}/{}", fixed("communications", dice), operation("getPresencesByUserId", dice))
        }
        Resource::Subscriptions => fixed("subscriptions", dice),
        Resource::Subscription(id) => subscription(id, dice),
        Resource::Reauthorize(id) => {
            format!("{}/{}", subscription(id, dice), operation("reauthorize", dice))
        }
        Resource::Deliveries(id) => {
            format!("{}/{}", subscription(id, dice), own_function("porchlight.deliveries", dice))
        }
    };
    let end = dice.pick(&["", "/"]);
    format!("{path}{end}")
}

fn presence(path: &PresencePath<'_>, dice: &mut Dice) -> String {
    match (path.root, &path.key) {
        (Root::Users, key) => format!("{}/{}", user(key, dice), fixed("presence", dice)),
        (Root::Communications, UserKey::Named(key)) => {
            let set = presences(dice);
            // Literals beat keys, unless the key stands in parentheses.
            if is_literal(key) { in_parentheses(&set, key, dice) } else { keyed(&set, key, dice) }
        }
        (Root::Communications, UserKey::Me) => unreachable!("only below users there is a me"),
    }
}

fn presences(dice: &mut Dice) -> String {
    format!("{}/{}", fixed("communications", dice), fixed("presences", dice))
}

fn user(key: &UserKey<'_>, dice: &mut Dice) -> String {
    let key = match key {
        UserKey::Me if dice.flip() => return fixed("me", dice),
        UserKey::Me => {
            let key = dice.pick(&["me", "me-token-to-replace"]);
            dice.any_case(key)
        }
        UserKey::Named(key) => key.to_string(),
    };
    let set = fixed("users", dice);
    keyed(&set, &key, dice)
}

fn subscription(id: &str, dice: &mut Dice) -> String {
    let set = fixed("subscriptions", dice);
    keyed(&set, id, dice)
}

/// Whether a segment of this text below the presences is no key.
fn is_literal(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let short = key.strip_prefix("microsoft.graph.").unwrap_or(&key);
    key == "$count" || short.strip_suffix("()").unwrap_or(short) == "delta"
}

fn keyed(set: &str, key: &str, dice: &mut Dice) -> String {
    if dice.flip() { in_parentheses(set, key, dice) } else { format!("{set}/{}", encoded(key, dice)) }
}

fn in_parentheses(set: &str, key: &str, dice: &mut Dice) -> String {
    let quoted = format!("'{}'", key.replace('\'', "''"));
    format!("{set}({})", encoded(&quoted, dice))
}

fn operation(name: &str, dice: &mut Dice) -> String {
    let (namespace, brackets) = (dice.pick(&["", "microsoft.graph."]), dice.pick(&["", "()"]));
    format!("{}{brackets}", fixed(&format!("{namespace}{name}"), dice))
}

fn own_function(name: &str, dice: &mut Dice) -> String {
    let brackets = dice.pick(&["", "()"]);
    format!("{}{brackets}", fixed(name, dice))
}

fn fixed(name: &str, dice: &mut Dice) -> String {
    let name = dice.any_case(name);
    encoded(&name, dice)
}

/// The text with some of its characters percent-encoded: those that need it, and others at random.
fn encoded(text: &str, dice: &mut Dice) -> String {
    let mut path = String::new();
    for character in text.chars() {
        if matches!(character, '/' | '%') || dice.flip() {
            path.extend(character.encode_utf8(&mut [0; 4]).bytes().map(percent_encode_byte));
        } else {
            path.push(character);
        }
    }
    path
}
