//! The tag of a presence, by which a client that asks again learns at once whether anything has changed.
//!
//! Source: design 5.9, RFC 9110 8.8.3 and 13.1.2.

use http::HeaderValue;
use http::header::IF_NONE_MATCH;
use porchlight_presence::{Timestamp, UserId};
use rapidhash::v3::rapidhash_v3;

use crate::headers::Headers;
use crate::odata::Select;
use crate::reply::MetadataLevel;
use crate::resource::Root;
use crate::wire::presence::{Reader, sequence_number};

/// `W/"{sequence number}.{hash of the form}"`: the same as long as an answer would be.
///
/// The number changes with everything that can be seen of the user. The hash tells apart what else an answer depends
/// on. Neither needs anything but the record, so that every node gives the same tag, also after a restart. Weak, since
/// a compressed answer has the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ETag([u8; ETag::LENGTH]);

/// Which of its many forms a presence is answered in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'f> {
    /// The URL up to and with the version.
    pub(crate) base: &'f str,
    pub(crate) root: Root,
    pub(crate) level: MetadataLevel,
    pub(crate) select: &'f Select,
    pub(crate) reader: Reader,
}

impl ETag {
    const LENGTH: usize = r#"W/"A01700000000000.0123456789abcdef""#.len();

    /// The tag of a user's presence in this form.
    pub(crate) fn of(user: UserId, changed_at: Timestamp, form: Form<'_>) -> ETag {
        let mut rest = [0; 40];
        rest[..16].copy_from_slice(user.0.as_bytes());
        rest[16..24].copy_from_slice(&rapidhash_v3(form.base.as_bytes()).to_le_bytes());
        rest[24..32].copy_from_slice(&form.select.digest().to_le_bytes());
        rest[32..35].copy_from_slice(&[form.root as u8, form.level as u8, form.reader as u8]);
        let mut tag = *br#"W/"A00000000000000.0000000000000000""#;
        tag[3..18].copy_from_slice(&sequence_number(changed_at));
        let hash = rapidhash_v3(&rest);
        for (place, digit) in tag[19..35].iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(hash >> (60 - 4 * place)) as usize % 16];
        }
        ETag(tag)
    }

    /// Whether the client has it already: `If-None-Match` names it, or `*`.
    pub(crate) fn is_known(&self, headers: &Headers<'_>) -> bool {
        is_known(&self.0[2..], headers)
    }

    /// As a header's value.
    pub(crate) fn value(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).expect("a tag is printable ASCII")
    }
}

/// Whether the client has already what this tag, without its `W/`, is of: `If-None-Match` names it, or `*`.
pub(crate) fn is_known(opaque: &[u8], headers: &Headers<'_>) -> bool {
    if headers.if_none_match.first.is_none() {
        return false;
    }
    let values = headers.all.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // Tags have no commas, and a comparison is always weak here.
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == opaque)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use uuid::Uuid;

    use super::*;

    static ALL: Select = Select::ALL;

    fn form(base: &str) -> Form<'_> {
        Form { base, root: Root::Users, level: MetadataLevel::Minimal, select: &ALL, reader: Reader::Another }
    }

    #[test]
    fn a_tag_differs_with_whatever_an_answer_depends_on() {
        let (ada, at) = (UserId(Uuid::from_u128(1)), Timestamp::from_millis(1_700_000_000_000));
        let usual = form("http://x/v1.0");
        let tag = ETag::of(ada, at, usual);
        assert!(tag.value().to_str().unwrap().starts_with(r#"W/"A01700000000000."#));
        assert_eq!(tag, ETag::of(ada, at, usual), "the same for the same");
        let select = Select::parse(Some("availability")).unwrap();
        let others = [
            ETag::of(UserId(Uuid::from_u128(2)), at, usual),
            ETag::of(ada, at.next(), usual),
            ETag::of(ada, at, form("http://x/beta")),
            ETag::of(ada, at, Form { root: Root::Communications, ..usual }),
            ETag::of(ada, at, Form { level: MetadataLevel::Full, ..usual }),
            ETag::of(ada, at, Form { select: &select, ..usual }),
            ETag::of(ada, at, Form { reader: Reader::TheUser, ..usual }),
        ];
        assert!(others.iter().all(|other| *other != tag));
    }

    #[test]
    fn a_tag_is_known_in_every_form_that_names_it() {
        let tag = ETag::of(UserId(Uuid::from_u128(1)), Timestamp::from_millis(1), form("http://x/v1.0"));
        let text = tag.value().to_str().unwrap().to_owned();
        let known = |values: &[&str]| {
            let mut all = HeaderMap::new();
            for value in values {
                all.append(IF_NONE_MATCH, value.parse().unwrap());
            }
            tag.is_known(&Headers::of(&all))
        };
        let strong = text.strip_prefix("W/").unwrap();
        let listed = format!(r#""other", {text}"#);
        for values in [&[text.as_str()][..], &[strong], &[listed.as_str()], &[r#""other""#, &text], &["*"]] {
            assert!(known(values), "{values:?}");
        }
        for values in [&[][..], &[""], &[r#""other""#], &[text.trim_end_matches('"')]] {
            assert!(!known(values), "{values:?}");
        }
    }
}
