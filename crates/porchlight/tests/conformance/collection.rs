//! The collection of presences: presence-api 6.3.

use porchlight_http::Profile;
use porchlight_testkit::{ADA, BEN, Client, TestServer};
use serde_json::{Value, json};

use crate::support::{
    Application, NOBODY, PRESENCES, add_person, ben, done, members, presence_of, refused, session,
};

/// The ids of a page.
fn ids(page: &Value) -> Vec<String> {
    let id = |presence: &Value| presence["id"].as_str().expect("an id").to_owned();
    page["value"].as_array().expect("a page has a list").iter().map(id).collect()
}

/// A query string; spaces are encoded.
fn query(text: &str) -> String {
    format!("{PRESENCES}?{}", text.replace(' ', "%20"))
}

/// Follows the links of a list to its end, and gives all pages.
async fn pages(server: &TestServer, client: &Client, first: &str) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let page = answer.json();
        let link = page["@odata.nextLink"].as_str();
        next = link.map(|link| link.strip_prefix(&server.url()).expect("a link to this server").to_owned());
        pages.push(page);
        assert!(pages.len() <= 20, "the links come to an end");
    }
    pages
}

/// Ada busy, Ben available; everybody else is offline.
async fn two_are_here(server: &TestServer) {
    let a = Application::a(server);
    done(&a.set("Busy/InACall", "").await);
    let path = format!("{}/setPresence", presence_of(BEN));
    done(&a.client.post(&path, &session(a.id, "Available/Available", "")).await);
}

#[tokio::test]
async fn without_a_filter_everybody_is_listed_by_ascending_id() {
    let server = TestServer::start().await;
    let answer = ben(&server).get(PRESENCES).await;
    assert_eq!(answer.status, 200);
    let page = answer.json();
    assert_eq!(members(&page), ["@odata.context", "value"]);
    let listed = ids(&page);
    assert_eq!(listed.len(), 12);
    assert!(listed.is_sorted() && listed.contains(&ADA.to_owned()) && listed.contains(&BEN.to_owned()));
    assert_eq!(ids(&ben(&server).get(&query("$orderby=id")).await.json()), listed);
}

#[tokio::test]
async fn a_filter_takes_ids_availability_and_activity() {
    let server = TestServer::start().await;
    two_are_here(&server).await;
    let ada = format!("id eq '{ADA}'");
    let table = [
        (ada.clone(), vec![ADA]),
        (format!("id eq '{}'", ADA.to_uppercase()), vec![ADA]),
        (format!("id in ('{ADA}','{BEN}')"), vec![BEN, ADA]),
        (format!("id in ('{ADA}', '{BEN}', '{NOBODY}')"), vec![BEN, ADA]),
        (format!("id in ({ADA},{BEN})"), vec![BEN, ADA]),
        (format!("id eq '{NOBODY}'"), vec![]),
        ("availability eq 'Busy'".to_owned(), vec![ADA]),
        ("availability eq 'bUSY'".to_owned(), vec![ADA]),
        ("activity eq 'Available'".to_owned(), vec![BEN]),
        ("availability eq 'Busy' or activity eq 'Available'".to_owned(), vec![BEN, ADA]),
        ("availability eq 'Busy' and activity eq 'InACall'".to_owned(), vec![ADA]),
        ("availability eq 'Busy' and activity eq 'Available'".to_owned(), vec![]),
        (format!("id in ('{ADA}','{BEN}') and availability eq 'Busy'"), vec![ADA]),
        // `and` binds tighter than `or`.
        (format!("id eq '{BEN}' or {ada} and availability eq 'Away'"), vec![BEN]),
        (format!("availability eq 'Away' and {ada} or id eq '{BEN}'"), vec![BEN]),
    ];
    for (filter, expected) in table {
        let answer = ben(&server).get(&query(&format!("$filter={filter}"))).await;
        assert_eq!(answer.status, 200, "{filter}: {answer:?}");
        assert_eq!(ids(&answer.json()), expected, "{filter}");
        let path = format!("{PRESENCES}/$count?$filter={}", filter.replace(' ', "+"));
        let count = ben(&server).get(&path).await;
        assert_eq!(count.body, expected.len().to_string(), "{filter}");
        assert!(count.header("content-type").starts_with("text/plain"), "{count:?}");
    }
}

#[tokio::test]
async fn other_filters_are_invalid_clauses() {
    let server = TestServer::start().await;
    let bad = [
        "",
        "id",
        "id eq",
        "id ne 'x'",
        "id eq 'x",
        "id in ()",
        "id in ('x'",
        "name eq 'x'",
        "availability eq Busy",
        "availability in ('Busy')",
        "startswith(id,'3')",
        "not availability eq 'Busy'",
        "id eq 'x' and",
        "id eq 'x' availability eq 'Busy'",
        "statusMessage eq null",
    ];
    for filter in bad {
        let answer = ben(&server).get(&query(&format!("$filter={filter}"))).await;
        refused(&answer, "400 BadRequest Invalid filter clause");
    }
}

#[tokio::test]
async fn a_filter_takes_up_to_650_ids() {
    let server = TestServer::start().await;
    let list = |count: usize| vec![format!("'{ADA}'"); count].join(",");
    let most = ben(&server).get(&query(&format!("$filter=id in ({})", list(650)))).await;
    assert_eq!((most.status.as_u16(), ids(&most.json())), (200, vec![ADA.to_owned()]));
    let more = ben(&server).get(&query(&format!("$filter=id in ({})", list(651)))).await;
    assert_eq!(more.status, 400, "{more:?}");
}

#[tokio::test]
async fn links_lead_to_the_end() {
    let server = TestServer::start().await;
    let ben = ben(&server);
    let all = ids(&ben.get(PRESENCES).await.json());
    for (top, expected) in [(5, vec![5, 5, 2]), (6, vec![6, 6]), (12, vec![12]), (650, vec![12])] {
        let pages = pages(&server, &ben, &query(&format!("$top={top}"))).await;
        let sizes: Vec<usize> = pages.iter().map(|page| ids(page).len()).collect();
        assert_eq!(sizes, expected, "$top={top}");
        let listed: Vec<String> = pages.iter().flat_map(ids).collect();
        assert_eq!(listed, all, "$top={top}");
    }
    let skipped = pages(&server, &ben, &query("$top=4&$skip=3")).await;
    let listed: Vec<String> = skipped.iter().flat_map(ids).collect();
    assert_eq!(listed, all[3..]);
    let beyond = ben.get(&query("$skip=12")).await.json();
    assert_eq!(members(&beyond), ["@odata.context", "value"]);
    assert_eq!(beyond["value"], json!([]));
}

#[tokio::test]
async fn links_keep_filter_selection_and_count() {
    let server = TestServer::start().await;
    two_are_here(&server).await;
    let first = query("$filter=availability eq 'Offline'&$select=id,activity&$count=true&$top=4");
    let pages = pages(&server, &ben(&server), &first).await;
    assert_eq!(pages.iter().map(|page| ids(page).len()).collect::<Vec<_>>(), [4, 4, 2]);
    for page in &pages {
        assert_eq!(page["@odata.count"], 10);
        for presence in page["value"].as_array().expect("a list") {
            assert_eq!(members(presence), ["id", "activity"]);
            assert_eq!(presence["activity"], "Offline");
        }
    }
}

#[tokio::test]
async fn a_page_has_a_hundred_unless_another_number_is_asked_for() {
    let server = TestServer::start().await;
    for n in 0..90 {
        let id = format!("77777777-0000-4000-8000-{n:012}");
        add_person(&server, &id, &format!("extra{n}@porchlight.example"), None).await;
    }
    let page = ben(&server).get(PRESENCES).await.json();
    assert_eq!(ids(&page).len(), 100);
    assert!(page["@odata.nextLink"].is_string());
    let whole = ben(&server).get(&query("$top=650")).await.json();
    assert_eq!(ids(&whole).len(), 102);
    assert_eq!(ben(&server).get(&format!("{PRESENCES}/$count")).await.body, "102");
}

#[tokio::test]
async fn only_true_counts() {
    let server = TestServer::start().await;
    assert_eq!(ben(&server).get(&query("$count=true&$top=1")).await.json()["@odata.count"], 12);
    let without = ben(&server).get(&query("$count=false&$top=1")).await.json();
    assert!(without.get("@odata.count").is_none());
}

#[tokio::test]
async fn what_the_collection_cannot_do_is_said() {
    let server = TestServer::start().await;
    for option in ["$search=ada", "$orderby=availability", "$orderby=id desc", "$expand=user", "$count=maybe"]
    {
        let answer = ben(&server).get(&query(option)).await;
        assert!(answer.error().starts_with("400 BadRequest "), "{option}: {answer:?}");
    }
}

#[tokio::test]
async fn strict_wants_quotes_and_known_options() {
    let server = TestServer::builder().profile(Profile::Strict).start().await;
    let reader = server.client("ben:Presence.Read.All");
    assert_eq!(reader.get(&query(&format!("$filter=id in ('{ADA}')"))).await.status, 200);
    for filter in [format!("id in ({ADA})"), format!("id eq {ADA}")] {
        let answer = reader.get(&query(&format!("$filter={filter}"))).await;
        refused(&answer, "400 BadRequest Invalid filter clause");
    }
    assert_eq!(pages(&server, &reader, &query("$top=5")).await.len(), 3);
}
