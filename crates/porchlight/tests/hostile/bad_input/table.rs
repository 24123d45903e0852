//! Tables of cases as text.
//!
//! ```text
//! 404 Request_ResourceNotFound GET /v1.0/users/../presence     one request of Ada's
//! POST /v1.0/me/presence/setPresence                           a section: below it are bodies of this request,
//!     400 BadRequest {"sessionId":<no-text>}                   <no-text> standing for each value that is no text
//! GET /v1.0/me/presence Authorization                          a section: below it are values of this header
//!     401 InvalidAuthenticationToken Basic YWRhOmFkYQ==
//! ```

use porchlight_testkit::{ADA, BEN, DEMO};

use super::{Case, Expected};
use crate::support::Message;

/// What stands for one text each.
const NAMES: [(&str, &str); 3] = [("<id>", DEMO), ("<ada>", ADA), ("<ben>", BEN)];

/// What stands for many, a case for each.
const PLACEHOLDERS: [(&str, &[&str]); 6] = [
    ("<no-text>", &["1", "-0", "1.5e3", "true", "false", "[]", r#"["x"]"#, "{}"]),
    ("<no-object>", &["1", "true", r#""x""#, "[]", "[{}]"]),
    ("<no-array>", &["1", "true", r#""x""#, "{}"]),
    ("<no-bool>", &["0", r#""true""#, "[]", "{}", "null"]),
    (
        "<no-location>",
        &["1", "0", "true", "[]", "{}", "null", r#""""#, r#""nowhere""#, r#""unknownFutureValue""#],
    ),
    (
        "<no-duration>",
        &[
            r#""""#,
            r#""P""#,
            r#""PT""#,
            r#""1h""#,
            r#""T5M""#,
            r#""PT5M5""#,
            r#""PT1e3S""#,
            r#""PT٥M""#,
            r#"" PT5M""#,
            r#""PT5M\u0000""#,
            r#""-PT5M""#,
            r#""PT0S""#,
            r#""P99999999999999999999Y""#,
            r#""PT99999999999999999999999999S""#,
            r#""99999999999999999999 days, 0:00:00""#,
        ],
    ),
];

/// The cases of a table.
///
/// # Panics
///
/// When it is no table.
pub(super) fn read(table: &'static str) -> Vec<Case> {
    let mut section = "";
    let mut cases = Vec::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(line) = line.strip_prefix("    ") {
            let (expected, rest) = row(line);
            cases.extend(expand(rest).iter().map(|value| indented(section, value, expected)));
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            let (expected, rest) = row(line);
            let request = expand(rest).remove(0);
            let (method, target) = request.split_once(' ').expect("a method and a target");
            cases.push(Case::new(line, &Message::by("ada", method, target), expected));
        } else {
            section = line;
        }
    }
    cases
}

/// Status, code and the rest of a row.
pub(super) fn row(line: &'static str) -> (Expected, &'static str) {
    let mut words = line.splitn(3, ' ');
    let status = words.next().and_then(|status| status.parse().ok()).expect("a status");
    let code = words.next().expect("a code");
    (Expected::Error(status, code), words.next().unwrap_or_default())
}

fn indented(section: &str, value: &str, expected: Expected) -> Case {
    let mut words = section.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (method, target, header) = (word(), word(), word());
    let message = match header {
        "" => Message::by("ada", method, target).json(value),
        "Authorization" => Message::anonymous(method, target).header(header, value),
        _ => Message::by("ada", method, target).header(header, value),
    };
    Case::new(format!("{section} {value}"), &message, expected)
}

/// Every text that a row stands for.
pub(super) fn expand(text: &str) -> Vec<String> {
    let text = NAMES.iter().fold(text.to_owned(), |text, (name, meant)| text.replace(name, meant));
    match PLACEHOLDERS.iter().find(|(placeholder, _)| text.contains(placeholder)) {
        None => vec![text],
        Some((placeholder, values)) => values.iter().map(|value| text.replace(placeholder, value)).collect(),
    }
}
