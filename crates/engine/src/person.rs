//! A person in the directory.

use porchlight_presence::UserId;
use serde::{Deserialize, Serialize};

/// The newest format of a person's entry that this program reads.
const NEWEST: u8 = 2;

/// A person: who a user id belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The directory object id.
    pub id: UserId,
    /// The name to sign in with; unique in the tenant, ASCII case aside.
    pub user_principal_name: String,
    /// The name to show.
    pub display_name: String,
    /// The mail address.
    pub mail: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// Last name.
    pub surname: Option<String>,
    /// What they do.
    pub job_title: Option<String>,
    /// Where they belong.
    pub department: Option<String>,
    /// Whether they may sign in; a disabled person's presence is hidden.
    pub account_enabled: bool,
    /// What an identity provider that puts people in calls the person.
    pub external_id: Option<String>,
}

/// The fields of format 1, borrowed from the bytes. The id is in the key.
#[derive(Serialize, Deserialize)]
pub(crate) struct PersonV1<'a> {
    pub(crate) user_principal_name: &'a str,
    display_name: &'a str,
    #[serde(borrow)]
    mail: MailV1<'a>,
    given_name: Option<&'a str>,
    surname: Option<&'a str>,
    job_title: Option<&'a str>,
    department: Option<&'a str>,
    account_enabled: bool,
}

/// The fields of format 2: one more behind those of format 1.
#[derive(Serialize, Deserialize)]
pub(crate) struct PersonV2<'a> {
    #[serde(borrow)]
    pub(crate) first: PersonV1<'a>,
    external_id: Option<&'a str>,
}

/// Most people's mail address is their user principal name.
#[derive(Serialize, Deserialize)]
enum MailV1<'a> {
    None,
    SameAsName,
    Other(&'a str),
}

impl<'a> PersonV1<'a> {
    /// The mail address.
    pub(crate) fn mail(&self) -> Option<&'a str> {
        match self.mail {
            MailV1::None => None,
            MailV1::SameAsName => Some(self.user_principal_name),
            MailV1::Other(mail) => Some(mail),
        }
    }
}

impl PersonV2<'_> {
    /// The person with this id.
    pub(crate) fn person(&self, id: UserId) -> Person {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let first = &self.first;
        Person {
            id,
            user_principal_name: first.user_principal_name.to_owned(),
            display_name: first.display_name.to_owned(),
            mail: owned(first.mail()),
            given_name: owned(first.given_name),
            surname: owned(first.surname),
            job_title: owned(first.job_title),
            department: owned(first.department),
            account_enabled: first.account_enabled,
            external_id: owned(self.external_id),
        }
    }
}

impl Person {
    /// The longest user principal name that a client can set, in characters. Source: Graph, "Update user".
    pub const NAME_CHARS_MAX: usize = 113;

    /// The longest of the other texts that a client can set, in characters.
    pub const TEXT_CHARS_MAX: usize = 256;

    /// Whether this can be set as a user principal name: two parts joined by the only `@`, at most
    /// [`Person::NAME_CHARS_MAX`] characters, none of them whitespace or a control character.
    pub fn is_name(text: &str) -> bool {
        let has_parts =
            |(local, domain): (&str, &str)| !local.is_empty() && !domain.is_empty() && !domain.contains('@');
        text.split_once('@').is_some_and(has_parts)
            && text.chars().count() <= Person::NAME_CHARS_MAX
            && !text.contains(|character: char| character.is_whitespace() || character.is_control())
    }

    /// Whether this can be set as any other text: not empty, at most [`Person::TEXT_CHARS_MAX`] characters, none of them
    /// a control character.
    pub fn is_text(text: &str) -> bool {
        !text.trim().is_empty()
            && text.chars().count() <= Person::TEXT_CHARS_MAX
            && !text.contains(char::is_control)
    }

    /// A person of whom nothing else is known, and who may sign in.
    pub fn new(id: UserId, user_principal_name: impl Into<String>) -> Person {
        Person {
            id,
            user_principal_name: user_principal_name.into(),
            display_name: String::new(),
            mail: None,
            given_name: None,
            surname: None,
            job_title: None,
            department: None,
            account_enabled: true,
            external_id: None,
        }
    }

    /// The person with this id whose entry these bytes are, in any format that was ever released.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    #[doc(hidden)]
    pub fn decode(id: UserId, entry: &[u8]) -> Result<Person, String> {
        decode(entry).map(|fields| fields.person(id))
    }

    /// The entry, in the oldest format that holds all of it: a program of before reads it too.
    #[doc(hidden)]
    pub fn encode(&self) -> Vec<u8> {
        let first = PersonV1 {
            user_principal_name: &self.user_principal_name,
            display_name: &self.display_name,
            mail: match self.mail.as_deref() {
                None => MailV1::None,
                Some(mail) if mail == self.user_principal_name => MailV1::SameAsName,
                Some(mail) => MailV1::Other(mail),
            },
            given_name: self.given_name.as_deref(),
            surname: self.surname.as_deref(),
            job_title: self.job_title.as_deref(),
            department: self.department.as_deref(),
            account_enabled: self.account_enabled,
        };
        let encoded = match self.external_id.as_deref() {
            None => postcard::to_extend(&first, vec![1]),
            external_id @ Some(_) => postcard::to_extend(&PersonV2 { first, external_id }, vec![2]),
        };
        encoded.expect("a vector takes any number of bytes")
    }
}

/// The fields of an entry; what is wrong with it otherwise.
pub(crate) fn decode(bytes: &[u8]) -> Result<PersonV2<'_>, String> {
    let damaged = |error: postcard::Error| format!("the entry is damaged: {error}");
    match bytes.split_first() {
        Some((1, fields)) => {
            let first = postcard::from_bytes(fields).map_err(damaged)?;
            Ok(PersonV2 { first, external_id: None })
        }
        Some((2, fields)) => postcard::from_bytes(fields).map_err(damaged),
        Some((version, _)) => {
            Err(format!("the entry has format {version}, this program reads formats up to {NEWEST}"))
        }
        None => Err("the entry is empty".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn entries_of_format_1_still_load() {
        let id = UserId(Uuid::from_u128(7));
        let table: [(&[u8], Option<&str>); 3] = [
            (b"\x01\x05ada@x\x03Ada\x02\x05a@x.y\x00\x00\x00\x01\x03Eng\x01", Some("a@x.y")),
            (b"\x01\x05ada@x\x03Ada\x01\x00\x00\x00\x01\x03Eng\x01", Some("ada@x")),
            (b"\x01\x05ada@x\x03Ada\x00\x00\x00\x00\x01\x03Eng\x01", None),
        ];
        for (bytes, mail) in table {
            let person = decode(bytes).unwrap().person(id);
            assert_eq!((person.id, person.user_principal_name.as_str()), (id, "ada@x"));
            assert_eq!(person.mail.as_deref(), mail);
            assert_eq!(person.department.as_deref(), Some("Eng"));
            assert!(person.account_enabled);
            assert_eq!(person.external_id, None);
            assert_eq!(person.encode(), bytes);
        }
        assert!(decode(b"\x01").is_err());
    }

    #[test]
    fn entries_of_format_2_still_load() {
        let id = UserId(Uuid::from_u128(7));
        let bytes = b"\x02\x05ada@x\x03Ada\x01\x00\x00\x00\x01\x03Eng\x00\x01\x04hr-7";
        let person = decode(bytes).unwrap().person(id);
        assert_eq!((person.id, person.mail.as_deref()), (id, Some("ada@x")));
        assert_eq!(person.external_id.as_deref(), Some("hr-7"));
        assert!(!person.account_enabled);
        assert_eq!(person.encode(), bytes);
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode(b"\x03").err().is_some_and(|error| error.contains("formats up to 2")));
    }
}
