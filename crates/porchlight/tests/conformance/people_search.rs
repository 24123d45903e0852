//! Finding people: `$filter` and `$search` on `/users`, as Graph documents them for directory objects.

use porchlight_engine::Person;
use porchlight_http::Development;
use porchlight_presence::UserId;
use porchlight_testkit::{ADA, Answer, BEN, TestServer};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{ada, below, change_ada, refused};

/// A text as it stands in a query.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

/// What stands before the `@` in the names of a page, in the order of the alphabet.
fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let value = answer.json()["value"].as_array().expect("a list").clone();
    let short = |user: &Value| {
        let name = user["userPrincipalName"].as_str().unwrap_or_default();
        name.split('@').next().unwrap_or_default().to_owned()
    };
    let mut names: Vec<String> = value.iter().map(short).collect();
    names.sort_unstable();
    names
}

async fn found(server: &TestServer, option: &str, text: &str) -> Vec<String> {
    names(&ada(server).get(&format!("/v1.0/users?{option}={}", encoded(text))).await)
}

#[tokio::test]
async fn a_filter_finds_people_by_their_members() {
    let server = TestServer::start().await;
    change_ada(&server, |ada| ada.account_enabled = false).await;
    let ids = format!("id in ('{}', '{BEN}', 'nobody')", ADA.to_uppercase());
    let table: [(&str, &[&str]); 13] = [
        ("userPrincipalName eq 'BEN@porchlight.example'", &["ben"]),
        ("userPrincipalName in ('ben@porchlight.example', 'eva@porchlight.example', 'x@y')", &["ben", "eva"]),
        ("mail eq 'Ben.Okafor@porchlight.example'", &["ben"]),
        ("mail eq 'ben@porchlight.example'", &[]),
        (&ids, &["ada", "ben"]),
        ("department eq 'engineering'", &["ada", "dan", "finn"]),
        ("startswith(displayName,'ir')", &["iris"]),
        ("startswith(displayName,'Tan')", &[]),
        (
            "startswith(jobTitle,'support') and department eq 'Support' and accountEnabled eq true",
            &["ben", "hugo", "jonas"],
        ),
        ("accountEnabled eq false", &["ada"]),
        ("(surname eq 'Kim' or givenName eq 'Kira') and department eq 'Operations'", &["grace", "kira"]),
        ("surname eq 'Kim' or mail eq 'ada.lovelace@porchlight.example'", &["ada", "grace"]),
        ("surname eq 'O''Hara'", &[]),
    ];
    let ben = server.client("ben:User.Read.All");
    for (filter, expected) in table {
        let answer = ben.get(&format!("/v1.0/users?$filter={}", encoded(filter))).await;
        assert_eq!(names(&answer), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_search_finds_people_by_how_words_begin() {
    let server = TestServer::start().await;
    let table: [(&str, &[&str]); 7] = [
        (r#""displayName:ada""#, &["ada"]),
        (r#""displayName:KI""#, &["grace", "kira"]),
        (r#""displayName:kim gr""#, &["grace"]),
        (r#""mail:lovelace""#, &["ada"]),
        (r#""displayName:ovelace""#, &[]),
        (r#""displayName:tan" OR "displayName:berg""#, &["iris", "jonas"]),
        (r#""displayName:ki" AND ("mail:patel" OR "mail:silva")"#, &["kira"]),
    ];
    for (search, expected) in table {
        assert_eq!(found(&server, "$search", search).await, expected, "{search}");
    }
    let eventual = ada(&server).header("consistencylevel", "eventual");
    let both = format!(
        "/v1.0/users?$search={}&$filter={}",
        encoded(r#""displayName:ki""#),
        encoded("startswith(givenName,'G')")
    );
    assert_eq!(names(&eventual.get(&both).await), ["grace"], "what both find");
}

#[tokio::test]
async fn what_was_found_comes_in_pages_that_say_how_much_there_is() {
    let server = TestServer::start().await;
    for (option, text) in [
        ("$filter", "department eq 'Engineering' or department eq 'Support'"),
        ("$filter", "startswith(userPrincipalName,'') and department in ('Engineering','Support')"),
        ("$search", r#""department:eng" OR "jobTitle:support""#),
    ] {
        let mut next = Some(format!("/v1.0/users?$top=4&$count=true&$select=id&{option}={}", encoded(text)));
        let (mut ids, mut sizes) = (Vec::new(), Vec::new());
        while let Some(path) = next {
            let page = ada(&server).get(&path).await.json();
            assert_eq!(page["@odata.count"], 6, "{text}: {page}");
            let value = page["value"].as_array().expect("a list");
            sizes.push(value.len());
            ids.extend(value.iter().map(|user| user["id"].as_str().unwrap_or_default().to_owned()));
            next = page["@odata.nextLink"].as_str().map(|link| below(&server, link));
            assert!(sizes.len() <= 2, "the links come to an end");
        }
        assert_eq!(sizes, [4, 2], "{text}");
        assert!(ids.is_sorted() && ids.contains(&ADA.to_owned()) && ids.contains(&BEN.to_owned()));
        let skipped = format!("/v1.0/users?$skip=5&$select=id&{option}={}", encoded(text));
        assert_eq!(ada(&server).get(&skipped).await.json()["value"], json!([{"id": ids[5]}]), "{text}");
    }
}

#[tokio::test]
async fn whoever_is_far_behind_in_a_large_directory_is_found_too() {
    let server = TestServer::start().await;
    for number in 0..700_u128 {
        let name = format!("p{number}@porchlight.example");
        let id = UserId(Uuid::from_u128(0xffff << 112 | number));
        let person = Person { display_name: format!("Person {number}"), ..Person::new(id, name) };
        server.engine().put_person(Development::TENANT, &person).await.expect("the name is free");
    }
    assert_eq!(found(&server, "$search", r#""displayName:person 699""#).await, ["p699"]);
    assert_eq!(found(&server, "$filter", "startswith(displayName,'person 698')").await, ["p698"]);
    let rest = ada(&server).get("/v1.0/users?$skip=711&$count=true&$select=userPrincipalName").await;
    assert_eq!(rest.json()["@odata.count"], 712);
    assert_eq!(names(&rest), ["p699"]);
}

#[tokio::test]
async fn what_is_no_filter_and_no_search_is_refused() {
    let server = TestServer::start().await;
    let filters =
        ["displayName", "displayName ne 'x'", "contains(displayName,'x')", "accountEnabled eq 'true'"];
    for filter in filters {
        let answer = ada(&server).get(&format!("/v1.0/users?$filter={}", encoded(filter))).await;
        refused(&answer, "400 BadRequest Invalid filter clause");
    }
    for search in ["ada", r#""ada""#, r#""displayName:""#, r#""nope:ada""#] {
        let answer = ada(&server).get(&format!("/v1.0/users?$search={}", encoded(search))).await;
        refused(&answer, "400 BadRequest Invalid search clause");
    }
    let many = vec!["'x'"; 651].join(",");
    let answer = ada(&server).get(&format!("/v1.0/users?$filter=mail%20in%20({many})")).await;
    refused(&answer, "400 InvalidArgument The provided [Ids] has 651 entries; at most 650 are allowed.");
}
