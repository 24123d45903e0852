//! Where in NATS a key is: `{prefix}.{cell}.key.{part}.{part}…`.
//!
//! A token of a subject is a part of the key in which every byte but ASCII letters, digits, `-` and `_` is written as
//! `=` and two hexadecimal digits; an empty part is `=`. So every key has one subject and is read back from it, and no key
//! can be mistaken for a wildcard. The longest key makes a subject of at most 3,200 bytes; NATS takes 4,096.

use std::fmt::Write;

use xxhash_rust::xxh3::xxh3_64;

use crate::Key;

/// What the subjects of entries have after the cell.
const KEY: &str = "key";

/// What the subjects of heartbeats have after the cell.
const NODE: &str = "node";

/// What a subject of a cell is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// An entry.
    Key(Key),
    /// The heartbeat of a node, whose id this is.
    Node(String),
}

/// The cell that a key lives in: all keys of one part live in one.
pub(super) fn cell_of(key: &Key, cells: u16) -> u16 {
    (xxh3_64(key.part().as_bytes()) % u64::from(cells)) as u16
}

/// The name of a cell's stream.
pub(super) fn stream(prefix: &str, cell: u16) -> String {
    format!("{prefix}-{cell}")
}

/// All subjects of a cell.
pub(super) fn all(prefix: &str, cell: u16) -> String {
    format!("{prefix}.{cell}.>")
}

/// The subject of a node's heartbeat.
pub(super) fn node(prefix: &str, cell: u16, id: &str) -> String {
    format!("{prefix}.{cell}.{NODE}.{id}")
}

/// The subject of a key.
pub(super) fn of(prefix: &str, cell: u16, key: &Key) -> String {
    let mut subject = String::with_capacity(prefix.len() + key.as_str().len() + 16);
    write!(subject, "{prefix}.{cell}.{KEY}").expect("a text takes whatever is written");
    for part in key.as_str().split('/') {
        subject.push('.');
        if part.is_empty() {
            subject.push('=');
        }
        for byte in part.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
                subject.push(char::from(byte));
            } else {
                write!(subject, "={byte:02X}").expect("a text takes whatever is written");
            }
        }
    }
    subject
}

/// What a subject of a cell with this prefix is about; `None` for one that this program does not make.
pub(super) fn parse(prefix: &str, subject: &str) -> Option<Subject> {
    let rest = subject.strip_prefix(prefix)?.strip_prefix('.')?;
    let (_, rest) = rest.split_once('.')?;
    let (kind, rest) = rest.split_once('.')?;
    match kind {
        NODE => Some(Subject::Node(rest.to_owned())),
        KEY => key(rest).map(Subject::Key),
        _ => None,
    }
}

fn key(tokens: &str) -> Option<Key> {
    let mut text = Vec::with_capacity(tokens.len());
    for (number, token) in tokens.split('.').enumerate() {
        if number > 0 {
            text.push(b'/');
        }
        decode(token, &mut text)?;
    }
    let text = String::from_utf8(text).ok()?;
    (1..=Key::BYTES_MAX).contains(&text.len()).then(|| Key::new(text))
}

fn decode(token: &str, text: &mut Vec<u8>) -> Option<()> {
    if token == "=" {
        return Some(());
    }
    let mut bytes = token.bytes();
    while let Some(byte) = bytes.next() {
        text.push(if byte == b'=' { hex(bytes.next()?)? << 4 | hex(bytes.next()?)? } else { byte });
    }
    Some(())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_users_key_can_be_read_in_its_subject() {
        let key = Key::new("user/0b7e2a52-7d94-4a6c-8b9e-3c1f5d2a4e60/9a7f");
        assert_eq!(
            of("porchlight", 3, &key),
            "porchlight.3.key.user.0b7e2a52-7d94-4a6c-8b9e-3c1f5d2a4e60.9a7f"
        );
        assert_eq!(of("p", 0, &Key::new("name/t/ada@x.org")), "p.0.key.name.t.ada=40x=2Eorg");
    }

    #[test]
    fn what_is_no_key_is_none() {
        for subject in
            ["p.0", "p.0.key", "p.0.other.x", "q.0.key.x", "p.0.key.=4", "p.0.key.=GG", "p.0.key.=FF"]
        {
            assert_eq!(parse("p", subject), None, "{subject}");
        }
        assert_eq!(parse("p", "p.0.node.abc"), Some(Subject::Node("abc".to_owned())));
    }

    proptest! {
        #[test]
        fn every_key_is_read_back_and_no_subject_has_a_wildcard(text in "(?s).{1,200}") {
            let key = Key::new(text);
            let subject = of("p-1", 255, &key);
            prop_assert!(subject.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*' && byte != b'>'));
            prop_assert!(subject.split('.').all(|token| !token.is_empty()));
            prop_assert_eq!(parse("p-1", &subject), Some(Subject::Key(key)));
        }

        #[test]
        fn keys_of_one_part_live_in_one_cell(one in "[a-z]{1,9}", other in "[a-z]{1,9}", cells in 1_u16..=256) {
            let cell = |text: String| cell_of(&Key::new(text), cells);
            prop_assert_eq!(cell(format!("{one}/tenant/x")), cell(format!("{other}/tenant/y")));
            prop_assert!(cell(one) < cells);
        }
    }
}
