//! The basic profile of people: presence-api 21.1.

use porchlight_http::Profile;
use porchlight_testkit::{ADA, APP_A, Answer, BEN, TestServer};
use serde_json::json;

use crate::support::{NOBODY, ada, add_person, ben, lacks, members, presence_of, refused, unknown_user};

const READERS: &str = "User.ReadBasic.All, User.Read.All, User.ReadWrite.All";
const PROFILE: [&str; 8] =
    ["id", "displayName", "givenName", "surname", "userPrincipalName", "mail", "jobTitle", "department"];

/// The names in a line of E4, in any order.
fn any_order(error: &str) -> Vec<String> {
    let names =
        error.strip_prefix(&lacks("")[..lacks("").len() - 1]).expect("a line of E4").trim_end_matches('.');
    let mut names: Vec<String> = names.split(", ").map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn any_user_reads_their_own_profile() {
    let server = TestServer::start().await;
    let ada = server.client("ada:Nothing.At.All");
    for path in
        ["/v1.0/me".to_owned(), format!("/v1.0/users/{ADA}"), "/v1.0/users/ada@porchlight.example".to_owned()]
    {
        let answer = ada.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.json()["id"], ADA);
    }
}

#[tokio::test]
async fn other_profiles_need_a_right() {
    let server = TestServer::start().await;
    let paths = [format!("/v1.0/users/{BEN}"), "/v1.0/users".to_owned()];
    for right in ["User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", "Presence.Read.All"] {
        for who in ["ada", APP_A] {
            for path in &paths {
                let answer = server.client(&format!("{who}:{right}")).get(path).await;
                assert_eq!(answer.status, 200, "{who} {right} {path}: {answer:?}");
            }
        }
    }
    for token in
        ["ada:Presence.Read,Presence.ReadWrite".to_owned(), format!("{APP_A}:Presence.ReadWrite.All")]
    {
        for path in &paths {
            let answer = server.client(&token).get(path).await;
            refused(&answer, &answer.error());
            let mut expected: Vec<&str> = READERS.split(", ").chain(["Presence.Read.All"]).collect();
            expected.sort_unstable();
            assert_eq!(any_order(&answer.error()), expected);
        }
        let nobody = server.client(&token).get(&format!("/v1.0/users/{NOBODY}")).await;
        assert_eq!(nobody.status, 403, "whoever may not read profiles is not told who is there");
    }
}

#[tokio::test]
async fn in_strict_only_the_rights_of_profiles_show_profiles() {
    let server = TestServer::builder().profile(Profile::Strict).start().await;
    let answer = server.client("ada:Presence.Read.All").get("/v1.0/users").await;
    refused(&answer, &lacks(READERS));
    assert_eq!(server.client("ada:User.ReadBasic.All").get("/v1.0/users").await.status, 200);
}

#[tokio::test]
async fn a_profile_has_eight_members_and_one_more_that_must_be_selected() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let me = ada.get("/v1.0/me").await.json();
    let sent: Vec<&str> = members(&me).into_iter().filter(|name| !name.starts_with('@')).collect();
    assert_eq!(sent, PROFILE);
    let user = &ada.get("/v1.0/users").await.json()["value"][0];
    assert_eq!(members(user), PROFILE);
    let selected = ada.get("/v1.0/me?$select=accountEnabled,id").await.json();
    assert_eq!(selected["accountEnabled"], true);
    assert_eq!(selected["id"], ADA);
    assert_eq!(members(&selected).into_iter().filter(|name| !name.starts_with('@')).count(), 2);
}

#[tokio::test]
async fn people_are_listed_in_pages() {
    let server = TestServer::start().await;
    let ada = ada(&server);
    let mut next = Some("/v1.0/users?$top=5&$select=id&$count=true".to_owned());
    let (mut found, mut sizes) = (Vec::new(), Vec::new());
    while let Some(path) = next {
        let page = ada.get(&path).await.json();
        assert_eq!(page["@odata.count"], 12);
        let value = page["value"].as_array().expect("a list");
        sizes.push(value.len());
        found.extend(value.iter().map(|user| user["id"].as_str().unwrap_or_default().to_owned()));
        next = page["@odata.nextLink"]
            .as_str()
            .and_then(|link| Some(link.strip_prefix(&server.url())?.to_owned()));
        assert!(sizes.len() <= 3, "the links come to an end");
    }
    assert_eq!(sizes, [5, 5, 2]);
    assert!(found.is_sorted() && found.contains(&BEN.to_owned()));
}

/// presence-api 3.1: a mail address names somebody when it is the address of nobody else.
#[tokio::test]
async fn a_shared_address_names_nobody() {
    let server = TestServer::start().await;
    let reader = ben(&server);
    let path = presence_of("ada.lovelace@porchlight.example");
    assert_eq!(reader.get(&path).await.json()["id"], ADA);
    let twin = "77777777-0000-4000-8000-000000000001";
    add_person(&server, twin, "twin@porchlight.example", Some("ada.lovelace@porchlight.example")).await;
    refused(&reader.get(&path).await, &unknown_user("ada.lovelace@porchlight.example"));
}

/// presence-api 21.1 and subscriptions-and-auth 0.4
#[tokio::test]
async fn the_demo_people_are_the_same_on_every_server() {
    let (one, other) = (TestServer::start().await, TestServer::start().await);
    let people = |answer: Answer| answer.json()["value"].clone();
    let (first, second) =
        (people(ada(&one).get("/v1.0/users").await), people(ada(&other).get("/v1.0/users").await));
    assert_eq!(first, second);
    assert_eq!(one.anonymous().post("/porchlight/dev/reset", &json!({})).await.status, 204);
    assert_eq!(people(ada(&one).get("/v1.0/users").await), first);
    for person in first.as_array().expect("a list") {
        let (id, name) = (person["id"].as_str().unwrap_or_default(), person["userPrincipalName"].as_str());
        match name {
            Some("ada@porchlight.example") => assert_eq!(id, ADA),
            Some("ben@porchlight.example") => assert_eq!(id, BEN),
            _ => assert_eq!(id.chars().nth(14), Some('5'), "a UUIDv5 of the name: {person}"),
        }
    }
}
