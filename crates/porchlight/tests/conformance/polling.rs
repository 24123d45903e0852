//! Polling made cheap: tags, 304 and `Prefer: wait` (design 5.9).

use http::Method;
use porchlight_testkit::{ADA, Answer, BEN, Client, TestServer};
use tokio::task::JoinHandle;

use crate::support::{
    Application, BATCH, ME, PRESENCES, ada, ben, change_ada, done, minutes, pair, presence_of, refused,
    seconds, status, unknown_user,
};
use serde_json::json;

/// The tag of an answer, which says what it depends on.
fn tag(answer: &Answer) -> String {
    assert_eq!(answer.header("vary"), "Authorization, Accept, Accept-Encoding", "{answer:?}");
    answer.header("etag").to_owned()
}

async fn tag_of(client: &Client, path: &str) -> String {
    let answer = client.get(path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    tag(&answer)
}

/// A request under way.
fn begin(client: &Client, path: &str) -> JoinHandle<Answer> {
    let (client, path) = (client.clone(), path.to_owned());
    tokio::spawn(async move { client.get(&path).await })
}

/// Returns when this many requests are held back.
async fn held(server: &TestServer, count: usize) {
    let line = format!("porchlight_held_requests {count}");
    while !server
        .anonymous()
        .get("/porchlight/metrics")
        .await
        .body
        .windows(line.len())
        .any(|at| at == line.as_bytes())
    {}
}

#[tokio::test]
async fn what_has_not_changed_is_answered_without_a_body() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "").await);
    for path in
        [ME.to_owned(), presence_of(ADA), format!("{PRESENCES}/{ADA}"), presence_of("ada@porchlight.example")]
    {
        let first = ada(&server).get(&path).await;
        let tag = tag(&first);
        let number = first.json()["sequenceNumber"].as_str().expect("a text").to_owned();
        assert!(tag.starts_with(&format!("W/\"{number}.")), "{tag} begins with {number}");
        let again = ada(&server).header("if-none-match", &tag);
        for answer in [again.get(&path).await, again.call(Method::HEAD, &path, None::<&str>).await] {
            assert_eq!(answer.status, 304, "{path}: {answer:?}");
            assert_eq!((answer.header("etag"), answer.header("cache-control")), (tag.as_str(), "no-cache"));
            assert!(answer.body.is_empty() && answer.headers.get("content-type").is_none(), "{answer:?}");
        }
        let other = ada(&server).header("if-none-match", "W/\"A00000000000000.0\"");
        assert_eq!(other.get(&path).await.status, 200);
    }
}

#[tokio::test]
async fn a_tag_changes_with_every_write_that_shows_and_with_every_fade() {
    let server = TestServer::start().await;
    let application = Application::a(&server);
    let ben = ben(&server);
    let mut tags = vec![tag_of(&ben, &presence_of(ADA)).await];
    done(&application.set("Available/Available", "PT1H").await);
    tags.push(tag_of(&ben, &presence_of(ADA)).await);
    done(&ada(&server).post(&format!("{ME}/setStatusMessage"), &status("back at three")).await);
    tags.push(tag_of(&ben, &presence_of(ADA)).await);
    server.advance(minutes(5));
    tags.push(tag_of(&ben, &presence_of(ADA)).await);
    server.advance(minutes(55));
    tags.push(tag_of(&ben, &presence_of(ADA)).await);
    let distinct: std::collections::HashSet<_> = tags.iter().collect();
    assert_eq!(distinct.len(), tags.len(), "{tags:?}");
    // A keep-alive shows nothing new.
    done(&application.set("Busy/InACall", "PT1H").await);
    let busy = tag_of(&ben, &presence_of(ADA)).await;
    done(&application.set("Busy/InACall", "PT2H").await);
    assert_eq!(tag_of(&ben, &presence_of(ADA)).await, busy);
}

#[tokio::test]
async fn a_tag_is_good_for_the_same_question_alone() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "").await);
    let (ada, ben) = (ada(&server), ben(&server));
    let full = ben.header("accept", "application/json;odata.metadata=full");
    let tags = [
        tag_of(&ben, &presence_of(ADA)).await,
        tag_of(&ben, &presence_of(BEN)).await,
        tag_of(&ada, &presence_of(ADA)).await,
        tag_of(&ada, &presence_of(BEN)).await,
        tag_of(&full, &presence_of(ADA)).await,
        tag_of(&ben, &format!("{}?$select=availability", presence_of(ADA))).await,
        tag_of(&ben, &format!("{}?$select=activity", presence_of(ADA))).await,
        tag_of(&ben, &format!("/beta/users/{ADA}/presence")).await,
        tag_of(&ben, &format!("{PRESENCES}/{ADA}")).await,
    ];
    let distinct: std::collections::HashSet<_> = tags.iter().collect();
    assert_eq!(distinct.len(), tags.len(), "{tags:?}");
}

#[tokio::test]
async fn an_answer_is_held_until_the_presence_changes() {
    let server = TestServer::start().await;
    let application = Application::a(&server);
    let waiting = ben(&server).header("prefer", "wait=30");
    let (one, other) = (begin(&waiting, &presence_of(ADA)), begin(&waiting, &presence_of(BEN)));
    held(&server, 2).await;
    done(&application.set("Busy/InACall", "").await);
    let answer = one.await.expect("it is answered");
    assert_eq!((answer.status.as_u16(), answer.pair().as_str()), (200, "Busy/InACall"));
    assert_eq!(answer.header("preference-applied"), "wait=30");
    assert!(!other.is_finished(), "Ben's is another presence");
    held(&server, 1).await;
    // A keep-alive is no change.
    let one = begin(&waiting, &presence_of(ADA));
    held(&server, 2).await;
    done(&application.set("Busy/InACall", "PT1H").await);
    assert_eq!(pair(&server).await, "Busy/InACall");
    assert!(!one.is_finished());
    done(&application.clear().await);
    assert_eq!(one.await.expect("it is answered").pair(), "Offline/Offline");
}

#[tokio::test]
async fn an_answer_is_held_until_a_fade() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Available/Available", "PT1H").await);
    let waiting = begin(&ben(&server).header("prefer", "wait=60"), &presence_of(ADA));
    held(&server, 1).await;
    server.advance(seconds(59));
    assert!(!waiting.is_finished());
    let waiting_on = begin(&ben(&server).header("prefer", "wait=1000"), &presence_of(ADA));
    held(&server, 2).await;
    server.advance(minutes(5));
    for waiting in [waiting, waiting_on] {
        assert_eq!(waiting.await.expect("it is answered").pair(), "Available/AvailableInactive");
    }
}

#[tokio::test]
async fn when_the_time_is_over_the_same_is_answered_again() {
    let server = TestServer::start().await;
    let ben = ben(&server);
    let tag = tag_of(&ben, &presence_of(ADA)).await;
    let waiting = ben.header("prefer", "wait=30");
    let known = begin(&waiting.header("if-none-match", &tag), &presence_of(ADA));
    let unknown = begin(&waiting, &presence_of(ADA));
    held(&server, 2).await;
    server.advance(seconds(30));
    let known = known.await.expect("it is answered");
    assert_eq!((known.status.as_u16(), known.header("preference-applied")), (304, "wait=30"));
    let unknown = unknown.await.expect("it is answered");
    assert_eq!((unknown.status.as_u16(), unknown.pair().as_str()), (200, "Offline/Offline"));
}

#[tokio::test]
async fn what_is_news_already_is_answered_at_once() {
    let server = TestServer::start().await;
    let waiting = ben(&server).header("prefer", "wait=30");
    let old = waiting.header("if-none-match", "W/\"A00000000000000.0\"").get(&presence_of(ADA)).await;
    assert_eq!((old.status.as_u16(), old.header("preference-applied")), (200, "wait=30"));
    assert_eq!(ben(&server).header("prefer", "wait=0").get(&presence_of(ADA)).await.status, 200);
    refused(&waiting.get(&presence_of("nobody")).await, &unknown_user("nobody"));
}

#[tokio::test]
async fn no_wait_is_longer_than_the_limit() {
    let server = TestServer::start().await;
    let waiting = begin(&ben(&server).header("prefer", "respond-async, wait=86400"), ME);
    held(&server, 1).await;
    server.advance(seconds(60));
    assert_eq!(waiting.await.expect("it is answered").header("preference-applied"), "wait=60");
    let limits = server.anonymous().get("/porchlight/limits").await.json();
    let wait =
        limits["limits"].as_array().expect("a list").iter().find(|limit| limit["name"] == "wait").cloned();
    assert_eq!(wait.expect("it is listed")["value"], "PT1M");
}

#[tokio::test]
async fn who_was_disabled_while_they_waited_is_told_nothing() {
    let server = TestServer::start().await;
    let waiting = begin(&ada(&server).header("prefer", "wait=60"), &presence_of(BEN));
    held(&server, 1).await;
    change_ada(&server, |person| person.account_enabled = false).await;
    server.advance(seconds(60));
    let refusal = "401 InvalidAuthenticationToken Access token validation failure.";
    refused(&waiting.await.expect("it is answered"), refusal);
}

#[tokio::test]
async fn a_step_of_a_batch_does_not_wait() {
    let server = TestServer::start().await;
    let step = json!({"id": "1", "method": "GET", "url": "/me/presence", "headers": {"Prefer": "wait=30"}});
    let answer = ada(&server).post(BATCH, &json!({"requests": [step]})).await;
    assert_eq!(answer.json()["responses"][0]["status"], 200);
}

#[tokio::test]
async fn a_server_that_stops_answers_whoever_waits() {
    let server = TestServer::start().await;
    let waiting = begin(&ben(&server).header("prefer", "wait=60"), &presence_of(ADA));
    held(&server, 1).await;
    tokio::task::spawn_blocking(move || server.stop()).await.expect("it stops");
    assert_eq!(waiting.await.expect("it is answered").status, 200);
}
