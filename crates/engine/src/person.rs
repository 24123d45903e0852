//! A person in the directory.

use porchlight_presence::UserId;
use serde::{Deserialize, Serialize};

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

    /// The person with this id.
    pub(crate) fn person(&self, id: UserId) -> Person {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Person {
            id,
            user_principal_name: self.user_principal_name.to_owned(),
            display_name: self.display_name.to_owned(),
            mail: owned(self.mail()),
            given_name: owned(self.given_name),
            surname: owned(self.surname),
            job_title: owned(self.job_title),
            department: owned(self.department),
            account_enabled: self.account_enabled,
        }
    }
}

impl Person {
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
        }
    }

    /// The entry in the newest format.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let fields = PersonV1 {
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
            assert_eq!(person.encode(), bytes);
        }
        assert!(decode(b"\x02").is_err());
    }
}
