//! A person in the directory.

use porchlight_presence::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The newest format of a person's entry, which this program writes.
const VERSION: u8 = 1;

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
}

/// The fields of format 1, borrowed from the bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct PersonV1<'a> {
    id: [u8; 16],
    pub(crate) user_principal_name: &'a str,
    display_name: &'a str,
    #[serde(borrow)]
    pub(crate) mail: Option<&'a str>,
    given_name: Option<&'a str>,
    surname: Option<&'a str>,
    job_title: Option<&'a str>,
    department: Option<&'a str>,
    account_enabled: bool,
}

impl Person {
    /// The entry in the newest format.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let fields = PersonV1 {
            id: self.id.0.into_bytes(),
            user_principal_name: &self.user_principal_name,
            display_name: &self.display_name,
            mail: self.mail.as_deref(),
            given_name: self.given_name.as_deref(),
            surname: self.surname.as_deref(),
            job_title: self.job_title.as_deref(),
            department: self.department.as_deref(),
            account_enabled: self.account_enabled,
        };
        postcard::to_extend(&fields, vec![VERSION]).expect("a vector takes any number of bytes")
    }
}

/// The fields of an entry; what is wrong with it otherwise.
pub(crate) fn decode(bytes: &[u8]) -> Result<PersonV1<'_>, String> {
    match bytes.split_first() {
        Some((1, fields)) => {
            postcard::from_bytes(fields).map_err(|error| format!("the entry is damaged: {error}"))
        }
        Some((version, _)) => {
            Err(format!("the entry has format {version}, this program reads formats up to 1"))
        }
        None => Err("the entry is empty".to_owned()),
    }
}

impl From<PersonV1<'_>> for Person {
    fn from(fields: PersonV1<'_>) -> Person {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Person {
            id: UserId(Uuid::from_bytes(fields.id)),
            user_principal_name: fields.user_principal_name.to_owned(),
            display_name: fields.display_name.to_owned(),
            mail: owned(fields.mail),
            given_name: owned(fields.given_name),
            surname: owned(fields.surname),
            job_title: owned(fields.job_title),
            department: owned(fields.department),
            account_enabled: fields.account_enabled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_format_1_still_load() {
        let mut bytes = vec![1];
        bytes.extend([7; 16]);
        bytes.extend(b"\x05ada@x\x03Ada\x01\x05a@x.y\x00\x00\x00\x01\x03Eng\x01");
        let person = Person::from(decode(&bytes).unwrap());
        assert_eq!(person.user_principal_name, "ada@x");
        assert_eq!(person.mail.as_deref(), Some("a@x.y"));
        assert_eq!(person.department.as_deref(), Some("Eng"));
        assert!(person.account_enabled);
        assert_eq!(person.encode(), bytes);
        bytes[0] = 2;
        assert!(decode(&bytes).is_err());
    }
}
