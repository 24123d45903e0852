//! The body of a bulk read: whose presences are asked for. Source: presence-api 6.2.

use porchlight_presence::UserId;

use crate::error::Error;
use crate::wire::guid;
use crate::wire::json::{Json, Object};

/// An id of a bulk read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id<'b> {
    /// As it was given, in UTF-8.
    text: &'b [u8],
    /// Whom it means: a GUID says so itself, of anything else the directory has to be asked.
    pub(crate) user: Option<UserId>,
}

impl<'b> Id<'b> {
    fn new(text: &'b str) -> Id<'b> {
        Id { text: text.as_bytes(), user: guid::parse(text).map(UserId) }
    }

    /// As it was given.
    pub(crate) fn text(&self) -> &'b str {
        str::from_utf8(self.text).expect("it was a text when it came")
    }
}

/// Bytes of a GUID in quotes and of a comma.
const ELEMENT: usize = guid::LENGTH + 3;

/// The ids of a body that lists GUIDs and says nothing else, as nearly every one does: `{"ids":["…","…"]}`,
/// at most so many. For any other body `None`: what is wrong with it, if anything, [`listed`] says.
pub(crate) fn guids(body: &[u8], max: usize) -> Option<Vec<Id<'_>>> {
    let rest = behind(body, b"{")?;
    let rest = behind(rest, b"\"ids\"")?;
    let rest = behind(rest, b":")?;
    let mut rest = behind(rest, b"[")?;
    let mut ids = Vec::with_capacity(max.min(rest.len() / ELEMENT + 1));
    loop {
        let (text, more) = behind(rest, b"\"")?.split_first_chunk::<{ guid::LENGTH }>()?;
        if ids.len() == max {
            return None;
        }
        ids.push(Id { text, user: Some(UserId(guid::decode(text)?)) });
        rest = more.strip_prefix(b"\"")?;
        let Some(more) = behind(rest, b",") else { break };
        rest = more;
    }
    let rest = behind(rest, b"]")?;
    let rest = behind(rest, b"}")?;
    behind(rest, b"")?.is_empty().then_some(ids)
}

/// What comes behind white space and a token.
#[inline]
fn behind<'b, const N: usize>(mut rest: &'b [u8], token: &[u8; N]) -> Option<&'b [u8]> {
    while let [b' ' | b'\t' | b'\n' | b'\r', more @ ..] = rest {
        rest = more;
    }
    rest.strip_prefix(token)
}

/// The ids of any body.
///
/// # Errors
///
/// E12 and E20 to E22: there is no list, or one of more than `max`, or something in it is no text.
pub(crate) fn listed<'b>(body: &'b Object<'_>, max: usize) -> Result<Vec<Id<'b>>, Error> {
    let ids = body.array("ids")?.ok_or(Error::IdsMissing)?;
    if ids.len() > max {
        return Err(Error::TooManyIds { given: ids.len(), max });
    }
    let id = |(at, id): (usize, &'b Json<'_>)| match id {
        Json::String(id) if !id.trim_start().is_empty() => Ok(Id::new(id)),
        _ => Err(Error::BadId(at)),
    };
    ids.iter().enumerate().map(id).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use uuid::Uuid;

    use super::*;
    use crate::dice::{Dice, dice};

    /// More ids than any body here has.
    const MAX: usize = 9;

    proptest! {
        #[test]
        fn a_list_of_guids_is_read_alike_both_ways(ids in vec(any::<u128>(), 1..MAX), mut dice in dice()) {
            let body = body(&ids, &mut dice);
            let found = guids(body.as_bytes(), ids.len()).expect("it is a list of GUIDs");
            let users: Vec<UserId> = ids.iter().map(|id| UserId(Uuid::from_u128(*id))).collect();
            prop_assert_eq!(found.iter().filter_map(|id| id.user).collect::<Vec<_>>(), users);
            prop_assert_eq!(Ok(told(&found)), read(body.as_bytes()));
            prop_assert_eq!(guids(body.as_bytes(), ids.len() - 1), None, "more than may be");
        }

        #[test]
        fn a_body_that_is_something_else_is_not_taken_for_a_list_of_guids(
            ids in vec(any::<u128>(), 1..MAX),
            mut dice in dice(),
            place in any::<Index>(),
            removed in 0..2_usize,
            byte in select(b" \t\n\r\x0b\x0c\0\"\\,:[]{}-09afgAFG\x7f\x80\xff".to_vec()),
        ) {
            let mut body = body(&ids, &mut dice).into_bytes();
            let place = place.index(body.len());
            let rest = body.split_off(place);
            body.push(byte);
            body.extend_from_slice(&rest[removed..]);
            if let Some(found) = guids(&body, MAX) {
                prop_assert_eq!(Ok(told(&found)), read(&body));
            }
        }
    }

    /// A body that asks for these, in letters of either case and with white space here and there.
    fn body(ids: &[u128], dice: &mut Dice) -> String {
        let quoted = |id: &u128| format!("\"{}\"", dice.any_case(&Uuid::from_u128(*id).to_string()));
        let listed: Vec<String> = ids.iter().map(quoted).collect();
        let listed = listed.iter().flat_map(|id| [",", id.as_str()]).skip(1);
        let tokens = ["{", "\"ids\"", ":", "["].into_iter().chain(listed).chain(["]", "}"]);
        tokens.flat_map(|token| [dice.pick(&["", " ", "\r\n\t"]), token]).collect()
    }

    /// The ids as the general way reads them.
    fn read(body: &[u8]) -> Result<Vec<(String, Option<UserId>)>, Error> {
        let parsed = Json::parse(body)?.into_object()?;
        listed(&parsed, MAX).map(|ids| told(&ids))
    }

    fn told(ids: &[Id<'_>]) -> Vec<(String, Option<UserId>)> {
        ids.iter().map(|id| (id.text().to_owned(), id.user)).collect()
    }
}
