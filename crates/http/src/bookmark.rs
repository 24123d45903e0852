//! How far a client has been told, in a text that it brings back: delta links, page links and event ids.
//!
//! The text is opaque and signed. It says neither whose it is nor for which question: both go into the signature, so
//! that a bookmark is good for its tenant and its question alone. It says nothing of what was told, either: what has
//! changed since is found by asking the records.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use porchlight_engine::Cursor;
use porchlight_presence::{TenantId, Timestamp, UserId};
use porchlight_store::{LogId, Revision};
use sha2::Sha256;
use uuid::Uuid;

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bookmark {
    /// It has been told everything up to here.
    Told(Cursor),
    /// It is in the middle of being told, page by page, in ascending order of ids.
    Telling {
        /// What it had been told before; `None`: nothing.
        since: Option<Cursor>,
        /// What it will have been told at the end.
        until: Cursor,
        /// The last user of the page before.
        after: UserId,
    },
}

impl Bookmark {
    /// The newest that its client has been told of: a node that has not come so far cannot go on from it yet.
    pub(crate) fn newest(self) -> Cursor {
        match self {
            Bookmark::Told(cursor) => cursor,
            // Whoever began to tell had come to what was told before.
            Bookmark::Telling { until, .. } => until,
        }
    }
}

/// What a bookmark is good for, apart from its tenant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'q> {
    /// Which resource.
    pub(crate) of: &'q str,
    /// The options that say who and what is asked for.
    pub(crate) filter: Option<&'q str>,
    pub(crate) select: Option<&'q str>,
}

/// Makes bookmarks and reads them.
pub(crate) struct Bookmarks(Hmac<Sha256>);

/// Bytes of a signature: forging one takes 2^127 attempts on average.
const SIGNATURE: usize = 16;

const TOLD: u8 = 1;
const TELLING: u8 = 2;
const TELLING_ALL: u8 = 3;

impl Bookmarks {
    /// Bookmarks that are signed with this secret.
    pub(crate) fn new(secret: &[u8]) -> Bookmarks {
        Bookmarks(Hmac::new_from_slice(secret).expect("a key may have any length"))
    }

    /// The text of a bookmark.
    pub(crate) fn write(&self, bookmark: Bookmark, tenant: TenantId, question: Question<'_>) -> String {
        let mut bytes = Vec::with_capacity(128);
        let position = |bytes: &mut Vec<u8>, cursor: Cursor| {
            bytes.extend_from_slice(&cursor.revision.0.to_le_bytes());
            bytes.extend_from_slice(&cursor.at.as_millis().to_le_bytes());
        };
        match bookmark {
            Bookmark::Told(cursor) => {
                bytes.push(TOLD);
                bytes.extend_from_slice(cursor.log.0.as_bytes());
                position(&mut bytes, cursor);
            }
            Bookmark::Telling { since, until, after } => {
                bytes.push(if since.is_some() { TELLING } else { TELLING_ALL });
                bytes.extend_from_slice(until.log.0.as_bytes());
                position(&mut bytes, until);
                bytes.extend_from_slice(after.0.as_bytes());
                if let Some(since) = since {
                    position(&mut bytes, since);
                }
            }
        }
        self.seal(bytes, tenant, question)
    }

    /// The bookmark of a text; `None` when it is none of ours for this tenant and question.
    pub(crate) fn read(&self, text: &str, tenant: TenantId, question: Question<'_>) -> Option<Bookmark> {
        let bytes = self.open(text, tenant, question)?;
        let mut rest = Rest(&bytes);
        let [kind] = rest.take()?;
        let log = LogId(Uuid::from_bytes(rest.take()?));
        let position = |rest: &mut Rest<'_>| {
            let revision = Revision(u64::from_le_bytes(rest.take()?));
            Some(Cursor { log, revision, at: Timestamp::from_millis(i64::from_le_bytes(rest.take()?)) })
        };
        let cursor = position(&mut rest)?;
        let bookmark = match kind {
            TOLD => Bookmark::Told(cursor),
            TELLING | TELLING_ALL => {
                let after = UserId(Uuid::from_bytes(rest.take()?));
                let since = if kind == TELLING { Some(position(&mut rest)?) } else { None };
                Bookmark::Telling { since, until: cursor, after }
            }
            _ => return None,
        };
        rest.0.is_empty().then_some(bookmark)
    }

    /// The text of a place in a list that is ordered by time and id.
    pub(crate) fn write_place(
        &self,
        (at, id): (Timestamp, Uuid),
        tenant: TenantId,
        question: Question<'_>,
    ) -> String {
        let mut bytes = at.as_millis().to_le_bytes().to_vec();
        bytes.extend_from_slice(id.as_bytes());
        self.seal(bytes, tenant, question)
    }

    /// The place of a text; `None` when it is none of ours for this tenant and question.
    pub(crate) fn read_place(
        &self,
        text: &str,
        tenant: TenantId,
        question: Question<'_>,
    ) -> Option<(Timestamp, Uuid)> {
        let bytes = self.open(text, tenant, question)?;
        let mut rest = Rest(&bytes);
        let at = Timestamp::from_millis(i64::from_le_bytes(rest.take()?));
        let id = Uuid::from_bytes(rest.take()?);
        rest.0.is_empty().then_some((at, id))
    }

    /// The bytes and their signature as a text.
    fn seal(&self, mut bytes: Vec<u8>, tenant: TenantId, question: Question<'_>) -> String {
        let signature = self.sign(&bytes, tenant, question).finalize().into_bytes();
        bytes.extend_from_slice(&signature[..SIGNATURE]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The bytes of a text whose signature is right.
    fn open(&self, text: &str, tenant: TenantId, question: Question<'_>) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok()?;
        let signature = bytes.split_off(bytes.len().checked_sub(SIGNATURE)?);
        self.sign(&bytes, tenant, question).verify_truncated_left(&signature).ok()?;
        Some(bytes)
    }

    fn sign(&self, bytes: &[u8], tenant: TenantId, question: Question<'_>) -> Hmac<Sha256> {
        let mut signature = self.0.clone();
        signature.update(tenant.0.as_bytes());
        // Each with its length, so that no two questions are the same bytes.
        for part in [Some(question.of), question.filter, question.select] {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            signature.update(&length.to_le_bytes());
            signature.update(part.unwrap_or_default().as_bytes());
        }
        signature.update(bytes);
        signature
    }
}

/// Bytes that are still to be read.
struct Rest<'b>(&'b [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(7));
    const QUESTION: Question<'_> = Question { of: "delta", filter: Some("id eq 'x'"), select: None };

    fn cursors() -> impl Strategy<Value = (u64, i64)> {
        (any::<u64>(), 0..=Timestamp::MAX.as_millis())
    }

    prop_compose! {
        fn bookmarks()(
            log in any::<u128>(),
            (revision, at) in cursors(),
            since in proptest::option::of(cursors()),
            after in proptest::option::of(any::<u128>()),
        ) -> Bookmark {
            let log = LogId(Uuid::from_u128(log));
            let cursor = |(revision, at)| Cursor { log, revision: Revision(revision), at: Timestamp::from_millis(at) };
            let until = cursor((revision, at));
            match after {
                None => Bookmark::Told(until),
                Some(after) => Bookmark::Telling {
                    since: since.map(cursor),
                    until,
                    after: UserId(Uuid::from_u128(after)),
                },
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back_by_whom_it_is_for(bookmark in bookmarks()) {
            let ours = Bookmarks::new(b"a secret of this server");
            let text = ours.write(bookmark, TENANT, QUESTION);
            prop_assert_eq!(ours.read(&text, TENANT, QUESTION), Some(bookmark));
            let others = [
                ours.read(&text, TenantId(Uuid::from_u128(8)), QUESTION),
                ours.read(&text, TENANT, Question { of: "stream", ..QUESTION }),
                ours.read(&text, TENANT, Question { filter: None, ..QUESTION }),
                ours.read(&text, TENANT, Question { filter: None, select: QUESTION.filter, ..QUESTION }),
                ours.read(&text, TENANT, Question { select: Some(""), ..QUESTION }),
                Bookmarks::new(b"another secret").read(&text, TENANT, QUESTION),
            ];
            prop_assert_eq!(others, [None; 6]);
        }

        #[test]
        fn a_changed_text_is_none_of_ours(bookmark in bookmarks(), at in any::<usize>(), to in "[A-Za-z0-9_-]?") {
            let ours = Bookmarks::new(b"a secret of this server");
            let text = ours.write(bookmark, TENANT, QUESTION);
            let at = at % text.len();
            let changed = [&text[..at], &to, &text[at + 1..]].concat();
            prop_assume!(changed != text);
            prop_assert_eq!(ours.read(&changed, TENANT, QUESTION), None);
            prop_assert_eq!(ours.read(&text[..at], TENANT, QUESTION), None);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
            prop_assert_eq!(Bookmarks::new(b"x").read(&text, TENANT, QUESTION), None);
            prop_assert_eq!(Bookmarks::new(b"x").read_place(&text, TENANT, QUESTION), None);
        }

        #[test]
        fn a_place_is_read_back_by_whom_it_is_for(
            at in (0..=Timestamp::MAX.as_millis()).prop_map(Timestamp::from_millis),
            id in any::<u128>().prop_map(Uuid::from_u128),
            bookmark in bookmarks(),
        ) {
            let ours = Bookmarks::new(b"a secret of this server");
            let text = ours.write_place((at, id), TENANT, QUESTION);
            prop_assert_eq!(ours.read_place(&text, TENANT, QUESTION), Some((at, id)));
            let other = Question { of: "stream", ..QUESTION };
            prop_assert_eq!(ours.read_place(&text, TENANT, other), None);
            prop_assert_eq!(ours.read_place(&ours.write(bookmark, TENANT, QUESTION), TENANT, QUESTION), None);
        }
    }
}
