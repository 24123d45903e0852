//! Where in a file a key stands that a message is about.
//!
//! The parser says by itself where a text is no TOML, or a value is not of its key's kind. Rules over values that are
//! read already only name their keys, as in `limits.requests must be at least 1`; here the line is found for that.

use toml::de::{DeTable, DeValue};

/// The line of the first key, among those that a message names, that stands in this file; the first line is 1. Keys of a
/// section are named with it, as in `limits.requests`.
pub(super) fn line_of(file: &str, message: &str) -> Option<usize> {
    let table = DeTable::parse(file).ok()?;
    let is_of_a_key = |letter: char| letter.is_ascii_lowercase() || matches!(letter, '_' | '.');
    let words = message.split(|letter: char| !is_of_a_key(letter)).map(|word| word.trim_matches('.'));
    let at = words.filter(|word| !word.is_empty()).find_map(|key| find(table.get_ref(), key))?;
    Some(file[..at].matches('\n').count() + 1)
}

/// Where this key begins, in bytes; of one that leads into a list, where the list does.
fn find(table: &DeTable<'_>, path: &str) -> Option<usize> {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let (key, value) = table.iter().find(|(key, _)| **key.get_ref() == *name)?;
    match value.get_ref() {
        DeValue::Table(below) if !rest.is_empty() => find(below, rest),
        _ => Some(key.span().start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_that_is_there_is_found() {
        let file =
            "listen = \"127.0.0.1:1\"\n\n[limits]\nbody_time = \"PT0S\"\nrequests = 0\n\n[[auth.issuer]]\n";
        let table = [
            ("limits.requests must be at least 1", Some(5)),
            (
                "limits.header_time, limits.body_time, limits.answer_time and limits.stream_heartbeat must be \
                 more than zero",
                Some(4),
            ),
            ("auth.issuer 'x': issuer must be what the tokens say", Some(7)),
            ("it can be reached by others: listen on 127.0.0.1", Some(1)),
            ("presence.sessions must be at least 1", None),
            ("cannot be read", None),
        ];
        for (message, line) in table {
            assert_eq!(line_of(file, message), line, "{message}");
        }
        assert_eq!(line_of("no toml", "limits.requests"), None);
    }
}
