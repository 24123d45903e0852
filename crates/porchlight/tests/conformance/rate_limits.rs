//! How often an application may call: presence-api 18.

use porchlight_http::Profile;
use porchlight_testkit::{ADA, APP_A, Answer, Client, START, TestServer};
use serde_json::{Value, json};

use crate::support::{
    Application, BATCH, ME, PRESENCES, ada, ben, done, minutes, presence_of, refused, seconds, session,
};

const TOO_MANY: &str = "429 TooManyRequests Please retry again later.";

/// A server that lets each application make so many requests in 30 seconds.
async fn limited(requests: u32) -> TestServer {
    let builder = TestServer::builder().settings(|settings| settings.limits.requests_max = Some(requests));
    builder.start().await
}

/// A request came too soon; how many seconds its client is to wait.
#[track_caller]
fn wait(answer: &Answer) -> u64 {
    refused(answer, TOO_MANY);
    answer.header("retry-after").parse().expect("Retry-After is a number of seconds")
}

/// Makes so many requests, which are all let in.
async fn call(client: &Client, times: usize) {
    for number in 0..times {
        let answer = client.get(ME).await;
        assert_eq!(answer.status, 200, "{number}: {answer:?}");
    }
}

#[tokio::test]
async fn t46_the_1501st_request_of_30_seconds_is_one_too_many() {
    let server = TestServer::builder().profile(Profile::Strict).start().await;
    let ada = ada(&server);
    call(&ada, 1000).await;
    server.advance(seconds(10));
    call(&ada, 500).await;
    let answer = ada.get(ME).await;
    assert_eq!(wait(&answer), 20, "that is when the first thousand leave");
    assert!(answer.json()["error"]["innerError"].get("hint").is_none(), "strict says no more");
}

#[tokio::test]
async fn t47_a_step_that_comes_too_soon_fails_by_itself() {
    let server = limited(3).await;
    let read = |id: &str| json!({"id": id, "method": "GET", "url": "/me/presence"});
    let mut after = read("after");
    after["dependsOn"] = json!(["4"]);
    let steps = [read("1"), read("2"), read("3"), read("4"), after];
    let answer = ada(&server).post(BATCH, &json!({"requests": steps})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("retry-after"), "", "that is the step's: {answer:?}");
    let responses = answer.json()["responses"].as_array().expect("a list").clone();
    let statuses: Vec<&Value> = responses.iter().map(|response| &response["status"]).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 424]);
    assert_eq!(responses[3]["headers"]["Retry-After"], "30");
    assert_eq!(responses[3]["body"]["error"]["code"], "TooManyRequests");
}

#[tokio::test]
async fn each_step_of_a_batch_counts_and_the_batch_does_not() {
    let server = limited(4).await;
    let ada = ada(&server);
    let two = json!({"requests": [
        {"id": "1", "method": "GET", "url": "/me/presence"},
        {"id": "2", "method": "GET", "url": "/$metadata"},
        {"id": "3", "method": "GET", "url": "/me/presence"},
    ]});
    for _ in 0..2 {
        let statuses = ada.post(BATCH, &two).await.json();
        let statuses: Vec<Value> =
            (0..3_usize).map(|at| statuses["responses"][at]["status"].clone()).collect();
        assert_eq!(statuses, [200, 200, 200], "what the server says of itself does not count");
    }
    assert_eq!(ada.post(BATCH, &json!({"requests": []})).await.status, 200);
    wait(&ada.get(ME).await);
}

#[tokio::test]
async fn who_waits_as_long_as_told_gets_in_and_not_a_second_sooner() {
    let server = limited(3).await;
    let ada = ada(&server);
    for _ in 0..3 {
        call(&ada, 1).await;
        server.advance(seconds(4));
    }
    // The requests came at 0, 4 and 8 seconds, and it is 12 seconds now.
    for expected in [18, 4, 4] {
        assert_eq!(wait(&ada.get(ME).await), expected);
        server.advance(seconds(expected - 1));
        assert_eq!(wait(&ada.get(ME).await), 1);
        server.advance(seconds(1));
        call(&ada, 1).await;
    }
}

#[tokio::test]
async fn a_wait_is_told_in_whole_seconds_and_ends_when_a_bucket_does() {
    let server = TestServer::builder().start_at(START + 700);
    let server = server.settings(|settings| settings.limits.requests_max = Some(1)).start().await;
    let ada = ada(&server);
    call(&ada, 1).await;
    // The second that began 700 ms before leaves after 29,300 ms.
    assert_eq!(wait(&ada.get(ME).await), 30);
    server.advance(seconds(29));
    assert_eq!(wait(&ada.get(ME).await), 1);
    server.advance(std::time::Duration::from_millis(300));
    call(&ada, 1).await;
}

#[tokio::test]
async fn requests_that_came_too_soon_do_not_count() {
    let server = limited(1).await;
    let ada = ada(&server);
    call(&ada, 1).await;
    server.advance(seconds(20));
    for _ in 0..5 {
        assert_eq!(wait(&ada.get(ME).await), 10);
    }
    server.advance(seconds(10));
    call(&ada, 1).await;
}

#[tokio::test]
async fn each_application_is_counted_by_itself_whoever_it_acts_for() {
    let server = limited(2).await;
    let (a, b) = (Application::a(&server), Application::b(&server));
    let ben_by_a = server.client(&format!("ben@{APP_A}:"));
    call(&ada(&server), 1).await;
    call(&ben_by_a, 1).await;
    for answer in [ada(&server).get(ME).await, ben_by_a.get(ME).await, a.client.get(&presence_of(ADA)).await]
    {
        wait(&answer);
    }
    call(&ben(&server), 2).await;
    done(&b.set("Busy/InACall", "").await);
    wait(&a.set("Busy/InACall", "").await);
}

#[tokio::test]
async fn reads_writes_streams_and_held_reads_count_once_each() {
    let server = limited(4).await;
    let ada = ada(&server);
    let mut events = ada.follow(PRESENCES, None).await;
    assert_eq!(events.status, 200);
    events.until_current().await;
    let held = ada.header("prefer", "wait=60").header("if-none-match", "\"another\"").get(ME).await;
    assert_eq!((held.status.as_u16(), held.header("preference-applied")), (200, "wait=60"));
    done(&ada.post(&format!("{ME}/setPresence"), &session(APP_A, "Busy/InACall", "")).await);
    call(&ada, 1).await;
    wait(&ada.get(ME).await);
    assert_eq!(ada.follow(PRESENCES, None).await.status, 429);
    let first = events.next().await;
    assert_eq!(first.event, "presence", "one that is open goes on");
}

/// presence-api 5.4: after the method, before everything that the route looks at.
#[tokio::test]
async fn the_limit_comes_after_token_path_and_method_and_before_all_else() {
    let server = limited(1).await;
    let ada = ada(&server);
    assert_eq!(server.anonymous().get(ME).await.status, 401);
    assert_eq!(ada.get("/v1.0/nonsense").await.status, 400);
    assert_eq!(ada.post(PRESENCES, &json!({})).await.status, 405);
    call(&ada, 1).await;
    assert_eq!(server.client("nobody:").get(ME).await.status, 401);
    assert_eq!(ada.get("/v1.0/nonsense").await.status, 400);
    assert_eq!(ada.post(PRESENCES, &json!({})).await.status, 405);
    wait(&ada.header("accept", "text/html").get(ME).await);
    wait(&server.client(&format!("ada@{APP_A}:User.Read.All")).get(ME).await);
    wait(&ada.get(&format!("{ME}?$select=nope")).await);
}

#[tokio::test]
async fn what_the_server_says_of_itself_is_not_limited() {
    let server = limited(1).await;
    let ada = ada(&server);
    call(&ada, 1).await;
    for path in [
        "/v1.0/$metadata",
        "/v1.0/",
        "/porchlight/health",
        "/porchlight/limits",
        "/porchlight/dev/clock",
        "/common/.well-known/openid-configuration",
    ] {
        assert_eq!(ada.get(path).await.status, 200, "{path}");
    }
    wait(&ada.get(ME).await);
}

#[tokio::test]
async fn nothing_is_limited_unless_it_is_set() {
    let server = TestServer::start().await;
    call(&ada(&server), 1600).await;
}

#[tokio::test]
async fn a_window_of_another_length_turns_by_thirtieths_of_it() {
    let builder = TestServer::builder().settings(|settings| {
        settings.limits.requests_max = Some(2);
        settings.limits.requests_window = minutes(5);
    });
    let server = builder.start().await;
    let ada = ada(&server);
    call(&ada, 1).await;
    server.advance(seconds(15));
    call(&ada, 1).await;
    assert_eq!(wait(&ada.get(ME).await), 285);
    server.advance(seconds(285));
    call(&ada, 1).await;
    // The second one lies in the bucket from 10 to 20 seconds.
    assert_eq!(wait(&ada.get(ME).await), 10);
}

#[tokio::test]
async fn e29_too_many_requests_are_told_when_to_come_back() {
    let server = limited(1).await;
    let ada = ada(&server);
    call(&ada, 1).await;
    let answer = ada.header("origin", "https://app.example").get(ME).await;
    assert_eq!(wait(&answer), 30);
    let inner = answer.json()["error"]["innerError"].clone();
    assert_eq!(inner["hint"], "wait for as many seconds as Retry-After says");
    let exposed = answer.header("access-control-expose-headers");
    assert!(exposed.split(", ").any(|name| name == "Retry-After"), "{exposed}");
}

#[tokio::test]
async fn a_reset_of_the_clock_lets_everybody_in_again() {
    let server = limited(1).await;
    let ada = ada(&server);
    server.anonymous().post("/porchlight/dev/clock", &json!({"advance": "PT1H"})).await;
    call(&ada, 1).await;
    wait(&ada.get(ME).await);
    let reset = server.anonymous().call(http::Method::POST, "/porchlight/dev/reset", None::<&[u8]>).await;
    assert_eq!(reset.status, 204, "{reset:?}");
    call(&ada, 1).await;
}
