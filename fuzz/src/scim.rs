//! SCIM: users put in, replaced, patched, looked for and deleted with bodies that are nearly right, beside a naive model
//! of what they have become.

use std::collections::BTreeMap;

use arbitrary::Unstructured;
use http::StatusCode;
use porchlight_testkit::BEN;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::body::{FLAG, Member, Shape, body, number};
use crate::people::People;
use crate::scim_model::User;
use crate::world::World;

/// The most operations of one input.
const OPERATIONS_MAX: usize = 6;

const BASE: &str = "/porchlight/scim/v2";

/// Everybody on one page.
const EVERYBODY: &str = "/porchlight/scim/v2/Users?count=1000";

const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

const USER: &[Member] = &[
    Member("schemas", Shape::List(&Shape::Text(&[USER_SCHEMA, ENTERPRISE_USER, PATCH_SCHEMA]))),
    Member(
        "userName",
        Shape::Text(&[
            "mia@porchlight.example",
            "noor",
            "ada@porchlight.example",
            "BEN@porchlight.example",
            " mia@porchlight.example ",
            "quote\"back\\slash",
            "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01",
            "",
        ]),
    ),
    Member("externalId", Shape::Text(&["hr-7", BEN, "22222222-2222-4222-8222-222222222222", ""])),
    Member("displayName", Shape::Text(&["Mia Chen", "", "\u{1f600}"])),
    ACTIVE,
    Member(
        "name",
        Shape::Object(&[
            Member("givenName", Shape::Text(&["Mia", "", " Mia"])),
            Member("familyName", Shape::Text(&["Chen", ""])),
            Member("formatted", Shape::Text(&["Chen, Mia"])),
        ]),
    ),
    Member("emails", EMAILS),
    Member("title", Shape::Text(&["Engineer", ""])),
    Member(ENTERPRISE_USER, Shape::Object(&[Member("department", Shape::Text(&["Support", ""]))])),
    Member("password", Shape::Text(&["secret"])),
    Member("id", Shape::Text(&[BEN, "7"])),
];
const ACTIVE: Member = Member(
    "active",
    Shape::Json(&["true", "false", "\"True\"", "\"FALSE\"", "[{\"value\":\"False\"}]", "\"no\""]),
);
const EMAILS: Shape = Shape::List(&EMAIL);
const EMAIL: Shape = Shape::Object(&[
    Member("value", Shape::Text(&["mia@home.example", "mia@work.example", ""])),
    Member("type", Shape::Text(&["home", "work", "WORK", "other"])),
    Member("primary", FLAG),
]);

const PATCH: &[Member] = &[
    Member("schemas", Shape::List(&Shape::Text(&[PATCH_SCHEMA, USER_SCHEMA]))),
    Member(
        "Operations",
        Shape::List(&Shape::Object(&[
            Member("op", Shape::Text(&["replace", "add", "remove", "Replace", "ADD", "Remove", "move"])),
            Member(
                "path",
                Shape::Text(&[
                    "displayName",
                    "title",
                    "name.givenName",
                    "NAME.familyName",
                    "userName",
                    "active",
                    "externalId",
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
                    "emails[type eq \"work\"].value",
                    "emails",
                    "emails.value",
                    "emails[primary eq true]",
                    "name",
                    "phoneNumbers[type eq \"work\"].value",
                    "meta.version",
                    "displayName.x",
                ]),
            ),
            Member(
                "value",
                Shape::Either(&[
                    Shape::Text(&[
                        "x",
                        "mia@porchlight.example",
                        " y ",
                        "",
                        "ada@porchlight.example",
                        "True",
                    ]),
                    Shape::Json(&["true", "false", "null", "[\"x\"]", "{}"]),
                    Shape::Object(USER),
                    EMAILS,
                    Shape::Object(&[
                        Member("name.givenName", Shape::Text(&["Mia", ""])),
                        Member("emails[type eq \"work\"].value", Shape::Text(&["m@x", ""])),
                        Member("displayName", Shape::Text(&["M", ""])),
                        ACTIVE,
                    ]),
                ]),
            ),
        ])),
    ),
];

const SEARCH: &[Member] = &[
    Member("schemas", Shape::List(&Shape::Text(&["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]))),
    Member(
        "filter",
        Shape::Text(&[
            "userName sw \"a\"",
            "active eq true and not (title pr)",
            "emails[type eq \"work\"]",
            "userName eq \"BEN@porchlight.example\" or id pr",
            "",
            "title",
        ]),
    ),
    Member("attributes", Shape::List(&Shape::Text(&["userName", "name.givenName", "id", "nothing"]))),
    Member("excludedAttributes", Shape::Text(&["emails", "id", "meta,name.givenName"])),
    Member("startIndex", Shape::Json(&["1", "5", "0", "-3", "100", "\"2\"", "1.5"])),
    Member("count", Shape::Json(&["10", "2", "0", "-1", "100000", "1e3"])),
    Member("sortBy", Shape::Text(&["userName"])),
];

const BULK: &[Member] = &[
    Member("failOnErrors", Shape::Json(&["1"])),
    Member("Operations", Shape::List(&Shape::Object(&[Member("method", Shape::Text(&["POST"]))]))),
];

/// Operations of SCIM one after the other: users become what was sent, Graph shows them alike, and whatever is refused
/// changes nobody.
///
/// # Panics
///
/// When a law is broken.
pub fn scim(data: &[u8]) {
    let mut rest = Unstructured::new(data);
    let world = World::development();
    world.reset();
    // Whom the operations are about: Ben, or who was put in last.
    let mut user = BEN.to_owned();
    for _ in 0..OPERATIONS_MAX {
        if rest.is_empty() {
            return;
        }
        match number(&mut rest) % 8 {
            0 => user = create(&world, &mut rest).unwrap_or(user),
            1 => write(&world, "PUT", &user, &body(USER, &mut rest)),
            2..=4 => write(&world, "PATCH", &user, &body(PATCH, &mut rest)),
            5 => search(&world, &body(SEARCH, &mut rest)),
            6 => delete(&world, &user),
            _ => refuse_bulk(&world, &body(BULK, &mut rest)),
        }
    }
}

/// Puts somebody in; the id is theirs.
fn create(world: &World, rest: &mut Unstructured<'_>) -> Option<String> {
    let (before, sent) = (users(world), body(USER, rest));
    let answer = ask(world, "POST", "/Users", &sent);
    let after = users(world);
    if answer.status != 201 {
        assert!(answer.status.is_client_error(), "somebody is put in or refused: {answer:?}");
        assert_eq!(before, after, "who is refused is not there: {answer:?}");
        return None;
    }
    let made = answer.json();
    let id = made["id"].as_str().expect("a user has an id").to_owned();
    assert_eq!(answer.header("location"), made["meta"]["location"], "a user says where they are");
    let mut expected = before;
    assert_eq!(expected.insert(id.clone(), made.clone()), None, "somebody new has an id of their own");
    assert_eq!(after, expected, "one was put in, as the answer says: {answer:?}");
    let model = User::of(&json(&sent), true);
    check(world, &id, &made, &model, &sent);
    Some(id)
}

/// Replaces or patches a user.
fn write(world: &World, method: &str, id: &str, sent: &str) {
    let before = users(world);
    let answer = ask(world, method, &format!("/Users/{id}"), sent);
    let after = users(world);
    let Some(known) = before.get(id).filter(|_| answer.status == 200) else {
        assert!(answer.status.is_client_error(), "a write is done or refused: {answer:?}");
        assert_eq!(before, after, "what is refused changes nobody: {answer:?}");
        return;
    };
    let known = User::of(known, true);
    let written = answer.json();
    let mut expected = before;
    expected.insert(id.to_owned(), written.clone());
    assert_eq!(after, expected, "one was written, as the answer says: {answer:?}");
    let sent_json = json(sent);
    let model = match method {
        "PUT" => Some(User::of(&sent_json, known.active)),
        _ => known.patched(&sent_json),
    };
    if let Some(model) = model {
        check(world, id, &written, &model, sent);
    }
}

fn search(world: &World, sent: &str) {
    let answer = ask(world, "POST", "/Users/.search", sent);
    if answer.status == 200 {
        let page = answer.json();
        let shown = page["Resources"].as_array().map_or(0, |users| users.len() as u64);
        let number = |name: &str| page[name].as_u64().unwrap_or_else(|| panic!("it has {name}: {page}"));
        assert_eq!(number("itemsPerPage"), shown, "as many are counted as shown: {page}");
        assert!(shown <= number("totalResults"), "a page is a part: {page}");
    } else {
        assert!(answer.status.is_client_error(), "a search is made or refused: {answer:?}");
    }
}

fn delete(world: &World, id: &str) {
    let mut expected = users(world);
    let was_there = expected.remove(id).is_some();
    let answer = ask(world, "DELETE", &format!("/Users/{id}"), "");
    assert_eq!(answer.status, if was_there { 204 } else { 404 }, "who is there can be deleted: {answer:?}");
    assert_eq!(users(world), expected, "who is deleted is gone, and nobody else: {answer:?}");
}

fn refuse_bulk(world: &World, sent: &str) {
    let answer = ask(world, "POST", "/Bulk", sent);
    assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED, "there is no bulk: {answer:?}");
}

/// A user is as the model says, to SCIM and to Graph, and found by their name.
fn check(world: &World, id: &str, shown: &Value, model: &User, sent: &str) {
    assert_eq!(User::of(shown, true), *model, "a user becomes what was sent: {sent}");
    let people = People::of(world);
    assert_eq!(people.get(id), Some(&model.graph(id)), "Graph shows the same: {sent}");
    let filter = json!({"filter": format!("userName eq {}", Value::from(model.user_name.as_str()))});
    let found = ask(world, "POST", "/Users/.search", &filter.to_string()).json();
    assert_eq!(found["totalResults"], 1, "one is found by a name: {filter}");
    assert_eq!(found["Resources"][0]["id"], id, "who has it: {filter}");
}

/// Everybody, by their ids.
fn users(world: &World) -> BTreeMap<String, Value> {
    let answer = world.ask("GET", EVERYBODY, b"").expect("users can be asked for").checked_scim();
    let json = answer.json();
    let listed = json["Resources"].as_array().unwrap_or_else(|| panic!("users are a list: {answer:?}"));
    let id = |user: &Value| user["id"].as_str().expect("a user has an id").to_owned();
    listed.iter().map(|user| (id(user), user.clone())).collect()
}

fn ask(world: &World, method: &str, path: &str, sent: &str) -> Answer {
    let answer = world.ask(method, &format!("{BASE}{path}"), sent.as_bytes());
    answer.expect("SCIM can be asked").checked_scim()
}

/// What was sent; null if it is no JSON, which nothing takes.
fn json(sent: &str) -> Value {
    serde_json::from_str(sent).unwrap_or_default()
}
