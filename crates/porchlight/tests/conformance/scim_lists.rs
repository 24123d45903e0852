//! SCIM: lists, filters and pages. RFC 7644 3.4.2, 3.4.3 and 3.9.

use porchlight_engine::{Person, Seed};
use porchlight_http::Development;
use porchlight_presence::UserId;
use porchlight_testkit::{ADA, BEN, TestServer};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::scim_support::{ENTERPRISE, SCIM, USERS, create, filter, jensen, listed, provider, refused, user};
use crate::support::members;

/// Whom a filter matches, by the part of their names before the `@`.
async fn matching(server: &TestServer, text: &str) -> Vec<String> {
    let (total, names) = listed(&provider(server).get(&format!("{USERS}?{}", filter(text))).await);
    assert_eq!(total, names.len() as u64, "{text}");
    let mut short: Vec<String> =
        names.iter().map(|name| name.split('@').next().unwrap_or_default().to_owned()).collect();
    short.sort_unstable();
    short
}

#[tokio::test]
async fn filters_find_whom_they_match() {
    let server = TestServer::start().await;
    create(&server, &jensen()).await;
    let id = format!(r#"id eq "{BEN}""#);
    let either = format!(r#"id eq "{ADA}" or userName eq "BEN@porchlight.example""#);
    let table: [(&str, &[&str]); 14] = [
        (r#"userName eq "Ada@porchlight.example""#, &["ada"]),
        (r#"userName eq "nobody@porchlight.example""#, &[]),
        (r#"externalId eq "701984""#, &["bjensen"]),
        (&id, &["ben"]),
        (r#"id eq "nonsense""#, &[]),
        (&either, &["ada", "ben"]),
        (r#"userName eq "ada@porchlight.example" and active eq false"#, &[]),
        (r#"name.familyName co "AR" and not (userName sw "cleo")"#, &["finn"]),
        (r#"emails[type eq "work" and value sw "leo.r"]"#, &["leo"]),
        (r#"emails.value eq "bjensen@example.com""#, &["bjensen"]),
        (r#"title eq "Engineer" or title eq "Tour Guide""#, &["bjensen", "dan", "finn"]),
        (
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "product""#,
            &["cleo", "eva"],
        ),
        ("externalId pr", &["bjensen"]),
        (r#"userName gt "kira" and userName lt "leo@porchlight.example""#, &["kira"]),
    ];
    for (text, expected) in table {
        assert_eq!(matching(&server, text).await, expected, "{text}");
    }
}

#[tokio::test]
async fn a_filter_that_is_none_says_so() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let grammar = "The filter is not valid: it does not follow the grammar of RFC 7644, figure 1.";
    for text in ["userName", "userName is \"x\"", "(title pr"] {
        let answer = provider.get(&format!("{USERS}?{}", filter(text))).await;
        refused(&answer, 400, "invalidFilter", grammar);
    }
    let order = "The filter is not valid: true, false and null can only be compared by eq and ne.";
    let answer = provider.get(&format!("{USERS}?{}", filter("active gt true"))).await;
    refused(&answer, 400, "invalidFilter", order);
    let long = format!("title eq \"{}\"", "x".repeat(4096));
    let answer = provider.post(&format!("{USERS}/.search"), &json!({"filter": long})).await;
    refused(&answer, 400, "invalidFilter", "The filter is not valid: it is too long.");
    for (query, attribute) in [("count=x", "count"), ("startIndex=1.5", "startIndex")] {
        let detail = format!("The value of '{attribute}' must be a whole number.");
        refused(&provider.get(&format!("{USERS}?{query}")).await, 400, "invalidValue", &detail);
    }
}

/// The same users in the same order, whatever the size of the pages.
#[tokio::test]
async fn pages_follow_one_another() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let (total, all) = listed(&provider.get(USERS).await);
    assert_eq!((total, all.len()), (12, 12));
    for text in ["", "&filter=userName%20pr"] {
        let mut found = Vec::new();
        for start in [1, 6, 11, 16] {
            let page = provider.get(&format!("{USERS}?startIndex={start}&count=5{text}")).await;
            assert_eq!(page.json()["startIndex"], start);
            let (total, names) = listed(&page);
            assert_eq!((total, names.len()), (12, [5, 5, 2, 0][(start - 1) / 5]), "{start}");
            found.extend(names);
        }
        assert_eq!(found, all, "{text}");
    }
    let table =
        [("count=0", 1, 0), ("count=-1", 1, 0), ("startIndex=-5&count=2", 1, 2), ("count=5000", 1, 12)];
    for (query, start, length) in table {
        let page = provider.get(&format!("{USERS}?{query}&sortBy=userName&sortOrder=descending")).await;
        assert_eq!((&page.json()["startIndex"], listed(&page).1.len()), (&json!(start), length), "{query}");
    }
}

/// More people than are looked at in one go, and more than fit in one page.
#[tokio::test]
async fn a_large_directory_is_listed_whole() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let person = |number: u128| Person {
        external_id: Some(number.to_string()),
        ..Person::new(UserId(Uuid::from_u128(number + 1)), format!("p{number}@example.com"))
    };
    let seed = Seed { tenant: Development::TENANT, people: (0..1010).map(person).collect() };
    server.engine().seed(&seed).await.expect("the people are put in");
    let (total, first) = listed(&provider.get(&format!("{USERS}?count=2000")).await);
    assert_eq!((total, first.len()), (1022, 1000));
    let (total, rest) = listed(&provider.get(&format!("{USERS}?count=2000&startIndex=1001")).await);
    assert_eq!((total, rest.len()), (1022, 22));
    let mut names: Vec<String> = first.into_iter().chain(rest).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 1022, "nobody is missing and nobody stands twice");
    assert_eq!(matching(&server, r#"externalId eq "1009""#).await, ["p1009"]);
    assert_eq!(matching(&server, r#"userName sw "p100""#).await.len(), 11);
}

/// A search is a list whose parameters nobody sees in a log.
#[tokio::test]
async fn a_search_finds_what_a_list_does() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["userName"],
        "filter": "title eq \"Engineer\"",
        "startIndex": 2,
        "count": 10,
    });
    let query = format!("{}&attributes=userName&startIndex=2&count=10", filter("title eq \"Engineer\""));
    let list = provider.get(&format!("{USERS}?{query}")).await;
    assert_eq!(listed(&list).0, 2);
    for path in [format!("{USERS}/.search"), format!("{SCIM}/.search")] {
        assert_eq!(provider.post(&path, &body).await.json(), list.json(), "{path}");
    }
}

#[tokio::test]
async fn only_the_attributes_that_are_wanted_are_sent() {
    let server = TestServer::start().await;
    let provider = provider(&server);
    let ada = |query: &str| format!("{}?{query}", user(ADA));
    let some = provider.get(&ada("attributes=userName,name.givenName,emails.primary,nothing")).await.json();
    assert_eq!(members(&some), ["schemas", "id", "userName", "name", "emails"]);
    assert_eq!((&some["name"], &some["emails"]), (&json!({"givenName": "Ada"}), &json!([{"primary": true}])));
    let without =
        provider.get(&ada(&format!("excludedAttributes=id,emails,NAME.familyName,{ENTERPRISE}"))).await;
    let without = without.json();
    assert_eq!(
        members(&without),
        ["schemas", "id", "meta", "userName", "displayName", "active", "name", "title"]
    );
    assert_eq!(without["name"], json!({"givenName": "Ada"}));
    let list = provider.get(&format!("{USERS}?attributes=title")).await.json();
    assert_eq!(members(&list["Resources"][0]), ["schemas", "id", "title"]);
    let both = provider.get(&ada("attributes=title&excludedAttributes=name")).await;
    let detail = "The value of 'excludedAttributes' must be left out where there are attributes.";
    refused(&both, 400, "invalidValue", detail);
    // Also of what a write answers.
    let patch = json!({"Operations": [{"op": "add", "path": "title", "value": "Countess"}]});
    let answer = provider.patch(&ada("attributes=title"), &patch).await.json();
    assert_eq!(
        (members(&answer), &answer["title"]),
        (vec!["schemas", "id", "title"], &Value::from("Countess"))
    );
}
