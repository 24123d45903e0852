//! Everybody with everything that Graph shows of them, and what an accepted write promises of that.

use std::collections::BTreeMap;

use porchlight_testkit::{ADA, BEN};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::world::World;

/// What is asked of everybody: every member that there is, and all people at once.
const EVERYBODY: &str = "/v1.0/users?$top=999&$select=\
    id,displayName,givenName,surname,userPrincipalName,mail,jobTitle,department,accountEnabled";

/// All people by their ids.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct People(BTreeMap<String, Value>);

impl People {
    /// As the server shows them.
    ///
    /// # Panics
    ///
    /// When it does not show them, or somebody twice.
    pub(crate) fn of(world: &World) -> People {
        let answer = world.ask("GET", EVERYBODY, b"").expect("people can be asked for").checked();
        let json = answer.json();
        let listed = json["value"].as_array().unwrap_or_else(|| panic!("people are a list: {answer:?}"));
        let id = |person: &Value| person["id"].as_str().expect("a person has an id").to_owned();
        let people: BTreeMap<_, _> = listed.iter().map(|person| (id(person), person.clone())).collect();
        assert_eq!(people.len(), listed.len(), "nobody is there twice: {answer:?}");
        People(people)
    }

    /// The one with this id.
    pub(crate) fn get(&self, id: &str) -> Option<&Value> {
        self.0.get(id)
    }

    /// Checks that these have become `after` by a write: as its body says where it was accepted, and as they were where
    /// it was refused. `path` is `me`, `users` or Ben's.
    ///
    /// # Panics
    ///
    /// When it is not so.
    pub(crate) fn check(&self, method: &str, path: &str, body: &Value, answer: &Answer, after: &People) {
        let mut expected = self.clone();
        if answer.status.is_success() {
            let id = if path == "me" { ADA } else { BEN }.to_owned();
            match (method, path) {
                ("POST", _) => {
                    let made = answer.json()["id"].as_str().expect("who was put in has an id").to_owned();
                    let nothing_else = json!({"accountEnabled": true});
                    let before = expected.0.insert(made.clone(), written(&nothing_else, &made, body));
                    assert_eq!(before, None, "somebody new has an id of their own: {answer:?}");
                }
                ("DELETE", _) => {
                    assert!(expected.0.remove(&id).is_some(), "who leaves was there: {answer:?}");
                }
                _ => {
                    let before = expected.0.get(&id).expect("who was changed was there");
                    let changed = written(before, &id, body);
                    expected.0.insert(id, changed);
                }
            }
        }
        assert_eq!(*after, expected, "people are as they were written: {body} {answer:?}");
    }
}

/// A person with what a body says of them; what it does not mention stays.
fn written(before: &Value, id: &str, body: &Value) -> Value {
    let member = |name: &str| body.get(name).unwrap_or(&before[name]).clone();
    json!({
        "id": id,
        "displayName": member("displayName"),
        "givenName": member("givenName"),
        "surname": member("surname"),
        "userPrincipalName": member("userPrincipalName"),
        "mail": member("mail"),
        "jobTitle": member("jobTitle"),
        "department": member("department"),
        "accountEnabled": member("accountEnabled"),
    })
}
