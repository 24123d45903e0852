//! People, as they are named on a command line.

use std::collections::{HashMap, HashSet};

use anyhow::anyhow;
use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Remote, literal, query, segment};
use crate::exit::{Failure, NO_SUCH, NOT_PERMITTED};

/// What is asked of a person.
pub(crate) const MEMBERS: &str = "id,displayName,userPrincipalName";

/// How many people one `$filter` names: the original takes no more.
const NAMED_AT_ONCE: usize = 15;

/// How many presences one call answers.
const READ_AT_ONCE: usize = 650;

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// By which they are asked for: an id, as far as that is known.
    pub(crate) id: String,
    /// What they are called; the id, when nobody may say.
    pub(crate) name: String,
}

impl Person {
    /// The person in a user of the API's.
    pub(crate) fn of(user: &Value) -> Option<Person> {
        let text = |member: &str| user[member].as_str().filter(|text| !text.is_empty());
        let id = text("id")?;
        let name = text("displayName").or(text("userPrincipalName")).unwrap_or(id);
        Some(Person { id: id.to_owned(), name: name.to_owned() })
    }

    fn nameless(id: &str) -> Person {
        Person { id: id.to_owned(), name: id.to_owned() }
    }
}

/// How somebody is named.
enum Named<'a> {
    Id(String),
    Account(&'a str),
    /// What stands before the @.
    Begins(&'a str),
}

impl<'a> Named<'a> {
    fn by(who: &'a str) -> Named<'a> {
        match Uuid::try_parse(who) {
            Ok(id) => Named::Id(id.to_string()),
            Err(_) if who.contains('@') => Named::Account(who),
            Err(_) => Named::Begins(who),
        }
    }

    fn clause(&self) -> String {
        match self {
            Named::Id(id) => format!("id eq {}", literal(id)),
            Named::Account(account) => format!("userPrincipalName eq {}", literal(account)),
            Named::Begins(name) => format!("startswith(userPrincipalName,{})", literal(&format!("{name}@"))),
        }
    }

    fn is(&self, user: &Value) -> bool {
        let text = |member: &str| user[member].as_str().unwrap_or_default().to_lowercase();
        match self {
            Named::Id(id) => text("id") == *id,
            Named::Account(account) => text("userPrincipalName") == account.to_lowercase(),
            Named::Begins(name) => {
                text("userPrincipalName").starts_with(&format!("{}@", name.to_lowercase()))
            }
        }
    }

    /// The person without looking them up, where that is possible.
    fn unseen(&self) -> Option<Person> {
        match self {
            Named::Id(id) => Some(Person::nameless(id)),
            Named::Account(account) => Some(Person::nameless(account)),
            Named::Begins(_) => None,
        }
    }
}

/// The people who are meant, each once, in the order in which they are named. Whoever may not look people up knows them
/// by what they are named here.
///
/// # Errors
///
/// [`NO_SUCH`] for a name that nobody has, [`crate::exit::USAGE`] for one that several have; what the server refuses.
pub(crate) async fn find(remote: &Remote, whos: &[String]) -> Result<Vec<Person>, Failure> {
    let mut found = Vec::new();
    for whos in whos.chunks(NAMED_AT_ONCE) {
        let named: Vec<Named<'_>> = whos.iter().map(|who| Named::by(who)).collect();
        let users = match look_up(remote, &named).await {
            Ok(users) => users,
            // It is only for their names.
            Err(failure)
                if failure.code == NOT_PERMITTED && named.iter().all(|one| one.unseen().is_some()) =>
            {
                found.extend(named.iter().filter_map(Named::unseen));
                continue;
            }
            Err(failure) => return Err(failure),
        };
        for (who, named) in whos.iter().zip(&named) {
            found.push(only(who, named, &users)?);
        }
    }
    let mut seen = HashSet::new();
    found.retain(|person| seen.insert(person.id.clone()));
    Ok(found)
}

async fn look_up(remote: &Remote, named: &[Named<'_>]) -> Result<Vec<Value>, Failure> {
    let clauses: Vec<String> = named.iter().map(Named::clause).collect();
    let filter = clauses.join(" or ");
    let options = [("$select", MEMBERS), ("$top", "100"), ("$filter", filter.as_str())];
    let path = format!("/users?{}", query(&options));
    Ok(remote.pages(&path, 1_000).await?.items)
}

/// The one of these users who is meant.
fn only(who: &str, named: &Named<'_>, users: &[Value]) -> Result<Person, Failure> {
    let mut meant: Vec<&Value> = users.iter().filter(|user| named.is(user)).collect();
    match (meant.pop().and_then(Person::of), meant.as_slice()) {
        (Some(person), []) => Ok(person),
        (None, _) => match named {
            // The server says what it knows of an id that is nobody's in the directory.
            Named::Id(id) => Ok(Person::nameless(id)),
            Named::Account(_) | Named::Begins(_) => Err(Failure::new(
                NO_SUCH,
                anyhow!("nobody is called {who} there\n  porchlight users shows who there is"),
            )),
        },
        (Some(_), _) => {
            let all = users.iter().filter(|user| named.is(user));
            let accounts: Vec<&str> = all.filter_map(|user| user["userPrincipalName"].as_str()).collect();
            Err(Failure::usage(format!("several are called {who}: name one of {}", accounts.join(", "))))
        }
    }
}

/// The path of a presence: one's own, or that of whoever is named.
///
/// # Errors
///
/// As with [`find`], for somebody who is named by what stands before the @.
pub(crate) async fn path_of(remote: &Remote, who: Option<&str>) -> Result<String, Failure> {
    let Some(who) = who else { return Ok("/me/presence".to_owned()) };
    let person = match Named::by(who).unseen() {
        Some(person) => person,
        None => find(remote, &[who.to_owned()]).await?.swap_remove(0),
    };
    Ok(format!("/users/{}/presence", segment(&person.id)))
}

/// What these people's presences are, in their order.
///
/// # Errors
///
/// What the server refuses.
pub(crate) async fn presences(remote: &Remote, people: &[Person]) -> Result<Vec<Value>, Failure> {
    // One by the path of one, which says so if there is nobody.
    if let [person] = people {
        let path = format!("/users/{}/presence", segment(&person.id));
        return Ok(vec![remote.call(Method::GET, &path, None).await?.json()?]);
    }
    let mut presences = Vec::new();
    for people in people.chunks(READ_AT_ONCE) {
        let ids: Vec<&str> = people.iter().map(|person| person.id.as_str()).collect();
        let body = json!({"ids": ids});
        let path = "/communications/getPresencesByUserId";
        let answer = remote.call(Method::POST, path, Some(&body)).await?.json()?;
        presences.extend(answer["value"].as_array().into_iter().flatten().cloned());
    }
    Ok(presences)
}

/// What these people are called, by their ids in lower case.
pub(crate) fn names(people: Vec<Person>) -> HashMap<String, String> {
    people.into_iter().map(|person| (person.id.to_lowercase(), person.name)).collect()
}

/// What the person of a presence is called among these.
pub(crate) fn name_of<'a>(names: &'a HashMap<String, String>, presence: &'a Value) -> &'a str {
    let id = presence["id"].as_str().unwrap_or_default();
    names.get(&id.to_lowercase()).map_or(id, String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01";

    fn directory() -> Vec<Value> {
        vec![
            json!({"id": ADA, "displayName": "Ada Lovelace", "userPrincipalName": "Ada@one.example"}),
            json!({"id": "2", "displayName": null, "userPrincipalName": "ben@one.example"}),
            json!({"id": "3", "displayName": "Ben B", "userPrincipalName": "ben@two.example"}),
            json!({"id": "4", "displayName": "Benno", "userPrincipalName": "benno@one.example"}),
        ]
    }

    fn meant(who: &str) -> Result<String, String> {
        only(who, &Named::by(who), &directory())
            .map(|person| person.name)
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn somebody_is_named_by_an_id_an_account_or_its_beginning() {
        for who in ["ada", "ADA", "ada@one.example", ADA, &ADA.to_uppercase()] {
            assert_eq!(meant(who).as_deref(), Ok("Ada Lovelace"), "{who}");
        }
        assert_eq!(meant("ben@one.example").as_deref(), Ok("ben@one.example"), "who has no other name");
        let stranger = "00000000-0000-4000-8000-000000000000";
        assert_eq!(meant(stranger).as_deref(), Ok(stranger));
        assert_eq!(
            meant("ben"),
            Err("several are called ben: name one of ben@one.example, ben@two.example".to_owned())
        );
        assert!(meant("be").unwrap_err().starts_with("nobody is called be there"));
        assert!(meant("ada@two.example").is_err());
    }

    #[test]
    fn the_directory_is_asked_for_just_them() {
        let filter = ["o'neil", "a@b.example", ADA].map(|who| Named::by(who).clause()).join(" or ");
        let expected = format!(
            "startswith(userPrincipalName,'o''neil@') or userPrincipalName eq 'a@b.example' or id eq '{ADA}'"
        );
        assert_eq!(filter, expected);
    }
}
