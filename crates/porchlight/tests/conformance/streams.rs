//! Streams of events: design 5.4.

use std::collections::BTreeMap;
use std::time::Duration;

use porchlight_testkit::{ADA, APP_A, BEN, Client, Event, Events, TestServer};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    Application, BATCH, ME, NOBODY, PRESENCES, ada, add_person, ben, change_ada, days, done, lacks, members,
    minutes, presence_of, refused, session, status, unknown_user,
};

/// An event in a few words: its type, whose it is, and what it says.
fn gist(event: &Event) -> String {
    let data = &event.data;
    let who = match data["id"].as_str() {
        Some(ADA) => "ada",
        Some(BEN) => "ben",
        Some(NOBODY) => "new",
        Some(_) => "other",
        None => "",
    };
    let what = data["activity"].as_str().or(data["@removed"]["reason"].as_str()).unwrap_or_default();
    format!("{} {who} {what}", event.event).trim_end().to_owned()
}

async fn next(events: &mut Events) -> String {
    gist(&events.next().await)
}

/// Reads a stream from its beginning until everything has been told.
async fn whole(mut events: Events) -> Vec<Event> {
    assert_eq!(next(&mut events).await, "snapshot");
    events.until_current().await
}

/// Follows from the beginning, and has been told everything.
async fn caught_up(client: &Client, path: &str) -> Events {
    let mut events = client.follow(path, None).await;
    events.until_current().await;
    events
}

async fn set_ben(server: &TestServer, pair: &str) {
    let path = format!("{}/setPresence", presence_of(BEN));
    done(&Application::a(server).client.post(&path, &session(APP_A, pair, "PT1H")).await);
}

#[tokio::test]
async fn a_stream_tells_how_things_are_and_then_what_changes() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
    let mut events = ben(&server).follow(PRESENCES, None).await;
    assert_eq!(events.status, 200);
    assert_eq!(events.headers["content-type"], "text/event-stream");
    assert_eq!(events.headers["cache-control"], "no-cache");
    assert_eq!(next(&mut events).await, "snapshot");
    let told = events.until_current().await;
    let listed = ben(&server).get(PRESENCES).await.json()["value"].clone();
    assert_eq!(told.iter().map(|event| event.data.clone()).collect::<Value>(), listed);
    assert!(told.iter().all(|event| event.event == "presence"));

    done(&Application::a(&server).set("Away/Away", "PT1H").await);
    assert_eq!(next(&mut events).await, "presence ada Away");
    done(&Application::a(&server).set("Away/Away", "PT2H").await);
    done(&Application::b(&server).set("DoNotDisturb/Presenting", "PT5M").await);
    assert_eq!(next(&mut events).await, "presence ada Presenting", "a keep-alive is no change");
    done(&ben(&server).post(&format!("{ME}/setStatusMessage"), &status("hello")).await);
    let message = events.next().await;
    assert_eq!(
        (gist(&message).as_str(), &message.data["statusMessage"]["message"]["content"]),
        ("presence ben Offline", &json!("hello"))
    );
    assert!(message.data["statusMessage"].get("publishedDateTime").is_some(), "it is his own");
    server.advance(minutes(5));
    assert_eq!(next(&mut events).await, "presence ada Away", "nobody wrote, but a session has ended");
    change_ada(&server, |ada| ada.account_enabled = false).await;
    assert_eq!(next(&mut events).await, "removed ada changed");
    change_ada(&server, |ada| ada.account_enabled = true).await;
    assert_eq!(next(&mut events).await, "presence ada Away");
    add_person(&server, NOBODY, "new@porchlight.example", None).await;
    assert_eq!(next(&mut events).await, "presence new Offline");
}

#[tokio::test]
async fn a_stream_of_one_user_tells_of_nobody_else() {
    let server = TestServer::start().await;
    for path in
        [presence_of(ADA), format!("{PRESENCES}/{ADA}"), format!("{PRESENCES}?$filter=id%20eq%20'{ADA}'")]
    {
        let mut events = ben(&server)
            .follow(&format!("{path}{}$select=id,activity", if path.contains('?') { '&' } else { '?' }), None)
            .await;
        assert_eq!(next(&mut events).await, "snapshot");
        let first = events.next().await;
        assert_eq!(members(&first.data), ["id", "activity"]);
        assert_eq!(next(&mut events).await, "current");
        set_ben(&server, "Busy/InACall").await;
        done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
        assert_eq!(next(&mut events).await, "presence ada InACall");
        set_ben(&server, "Away/Away").await;
        done(&Application::a(&server).clear().await);
        assert_eq!(next(&mut events).await, "presence ada Offline");
    }
    let mut own = ada(&server).follow(ME, None).await;
    assert_eq!(next(&mut own).await, "snapshot");
    assert_eq!(next(&mut own).await, "presence ada Offline");
}

#[tokio::test]
async fn who_comes_to_match_the_filter_is_told_and_who_leaves_it_as_removed() {
    let server = TestServer::start().await;
    let filter = format!("{PRESENCES}?$filter=availability%20eq%20'Busy'");
    let mut events = ben(&server).follow(&filter, None).await;
    assert_eq!(
        (next(&mut events).await, next(&mut events).await),
        ("snapshot".to_owned(), "current".to_owned())
    );
    done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
    assert_eq!(next(&mut events).await, "presence ada InACall");
    done(&Application::a(&server).set("Available/Available", "PT1H").await);
    assert_eq!(next(&mut events).await, "removed ada changed");
}

#[tokio::test]
async fn who_comes_back_is_told_what_they_missed() {
    let server = TestServer::start().await;
    for path in [PRESENCES.to_owned(), presence_of(ADA)] {
        let mut events = caught_up(&ben(&server), &path).await;
        server.advance(minutes(1));
        done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
        assert_eq!(next(&mut events).await, "presence ada InACall");
        let last_id = events.last_id().expect("events have ids").to_owned();
        drop(events);
        server.advance(minutes(1));
        done(&Application::a(&server).set("Away/Away", "PT1H").await);
        done(&Application::a(&server).set("Busy/InAConferenceCall", "PT1H").await);
        set_ben(&server, "Away/Away").await;
        let mut events = ben(&server).follow(&path, Some(&last_id)).await;
        let told: Vec<String> = events.until_current().await.iter().map(gist).collect();
        let missed = match path.as_str() {
            PRESENCES => vec!["presence ben Away", "presence ada InAConferenceCall"],
            _ => vec!["presence ada InAConferenceCall"],
        };
        assert_eq!(told, missed, "the newest of each, once, and nobody who has not changed");
        done(&Application::a(&server).clear().await);
        assert_eq!(next(&mut events).await, "presence ada Offline");
        set_ben(&server, "Busy/InACall").await;
    }
}

#[tokio::test]
async fn who_comes_back_after_a_restart_is_told_what_they_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = TestServer::builder().data(folder.path()).start().await;
    let events = caught_up(&ben(&server), PRESENCES).await;
    let last_id = events.last_id().expect("events have ids").to_owned();
    drop(events);
    server.advance(minutes(1));
    done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
    server.stop();
    let server = TestServer::builder().data(folder.path()).start().await;
    server.advance(minutes(1));
    let mut events = ben(&server).follow(PRESENCES, Some(&last_id)).await;
    assert_eq!(events.until_current().await.iter().map(gist).collect::<Vec<_>>(), ["presence ada InACall"]);
}

#[tokio::test]
async fn an_id_that_nobody_can_go_on_from_gets_the_whole() {
    let server = TestServer::start().await;
    let events = caught_up(&ben(&server), PRESENCES).await;
    let of_everybody = events.last_id().expect("events have ids").to_owned();
    let of_ada = format!("{PRESENCES}?$filter=id%20eq%20'{ADA}'");
    for (path, id) in [(PRESENCES, "zzz"), (PRESENCES, ""), (of_ada.as_str(), of_everybody.as_str())] {
        let told = whole(ben(&server).follow(path, Some(id)).await).await;
        assert_eq!(told.len(), if path == PRESENCES { 12 } else { 1 });
    }
    let other = TestServer::start().await;
    assert_eq!(whole(ben(&other).follow(PRESENCES, Some(&of_everybody)).await).await.len(), 12);
    server.advance(days(8));
    assert_eq!(whole(ben(&server).follow(PRESENCES, Some(&of_everybody)).await).await.len(), 12);
}

#[tokio::test]
async fn after_a_reset_everything_is_told_anew() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
    let mut events = caught_up(&ben(&server), PRESENCES).await;
    assert_eq!(server.anonymous().post("/porchlight/dev/reset", &json!({})).await.status, 204);
    let mut known = BTreeMap::new();
    while next(&mut events).await != "snapshot" {}
    while known.len() < 12 || known.values().any(|activity| *activity != "Offline") {
        let event = events.next().await;
        if event.event == "presence" {
            let text = |name: &str| event.data[name].as_str().expect("a text").to_owned();
            known.insert(text("id"), text("activity"));
        }
    }
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_lives() {
    let heartbeat = Duration::from_millis(20);
    let server =
        TestServer::builder().settings(|settings| settings.limits.stream_heartbeat = heartbeat).start().await;
    for path in [PRESENCES.to_owned(), presence_of(ADA)] {
        let mut events = caught_up(&ben(&server), &path).await;
        server.advance(minutes(60));
        let before = events.last_id().map(str::to_owned);
        let comment = events.next_block().await.expect("it goes on");
        let comment =
            if comment.id == before { events.next_block().await.expect("it goes on") } else { comment };
        assert_eq!((comment.event.as_str(), &comment.data), ("", &Value::Null));
        let id = comment.id.expect("it says how far the reader has been told");
        assert_ne!(Some(&id), before.as_ref(), "an hour has passed");
        assert_eq!(ben(&server).follow(&path, Some(&id)).await.until_current().await, []);
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_reader_may_not_read_any_more() {
    let server = TestServer::start().await;
    let mut streams = Vec::new();
    for path in [PRESENCES.to_owned(), presence_of(BEN), ME.to_owned()] {
        let events = caught_up(&ada(&server), &path).await;
        streams.push(events);
    }
    change_ada(&server, |ada| ada.account_enabled = false).await;
    for mut events in streams {
        let last = events.next().await;
        let code = json!("InvalidAuthenticationToken");
        assert_eq!((last.event.as_str(), &last.data["code"]), ("expired", &code));
        assert_eq!(events.next_or_end().await, None);
    }
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams() {
    let server = TestServer::start().await;
    let mut events = caught_up(&ben(&server), PRESENCES).await;
    tokio::task::spawn_blocking(move || server.stop()).await.expect("it stops");
    assert_eq!(events.next_or_end().await, None);
}

#[tokio::test]
async fn too_many_streams_are_refused_and_a_closed_one_gives_its_place_up() {
    let server = TestServer::builder().settings(|settings| settings.limits.streams_max = 2).start().await;
    let ben = ben(&server);
    let (one, _other) = (ben.follow(ME, None).await, ben.follow(PRESENCES, None).await);
    let third = ben.header("accept", "text/event-stream").get(ME).await;
    assert_eq!(third.header("retry-after"), "5");
    refused(&third, "503 ServiceUnavailable Too many streams are open.");
    drop(one);
    while ben.follow(ME, None).await.status != 200 {}
}

#[tokio::test]
async fn a_stream_is_refused_as_a_read_is() {
    let server = TestServer::start().await;
    let stream = |client: Client| client.header("accept", "text/event-stream");
    let own = stream(server.client("ben:Presence.Read"));
    refused(&own.get(PRESENCES).await, &lacks("Presence.Read.All"));
    refused(&own.get(&presence_of(ADA)).await, &lacks("Presence.Read.All"));
    assert_eq!(server.client("ben:Presence.Read").follow(ME, None).await.status, 200);
    let anybody = stream(ben(&server));
    refused(&anybody.get(&presence_of("nobody")).await, &unknown_user("nobody"));
    assert_eq!(stream(server.anonymous()).get(ME).await.status, 401);
    for path in [format!("{PRESENCES}?$top=5"), format!("{PRESENCES}?$filter=x"), format!("{ME}?$select=x")] {
        assert_eq!(anybody.get(&path).await.status, 400, "{path}");
    }
    for path in ["/v1.0/users", "/v1.0/me", &format!("{PRESENCES}/$count")] {
        assert_ne!(anybody.get(path).await.header("content-type"), "text/event-stream", "{path}");
    }
    let step = json!({"id": "1", "method": "GET", "url": "/me/presence", "headers": {"Accept": "text/event-stream"}});
    let answer = ben(&server).post(BATCH, &json!({"requests": [step]})).await;
    assert_eq!(answer.json()["responses"][0]["status"], 406);
}

/// What happens while a reader reads, is cut off and comes back.
#[derive(Clone, Debug)]
enum Step {
    Set(bool, &'static str, u64),
    Hide(bool),
    Advance(u64),
    Read,
    Cut,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pairs = proptest::sample::select(vec!["Busy/InACall", "Available/Available", "Away/Away"]);
    let step = prop_oneof![
        3 => (any::<bool>(), pairs, 5_u64..12).prop_map(|(ada, pair, minutes)| Step::Set(ada, pair, minutes)),
        1 => any::<bool>().prop_map(Step::Hide),
        2 => prop_oneof![Just(0_u64), Just(1), 1_u64..900_000].prop_map(Step::Advance),
        4 => Just(Step::Read),
        2 => Just(Step::Cut),
    ];
    proptest::collection::vec(step, 1..25)
}

/// Takes what an event says into what is known.
fn learn(known: &mut BTreeMap<String, Value>, event: Event) {
    let id = event.data["id"].as_str().unwrap_or_default().to_owned();
    match event.event.as_str() {
        "snapshot" => known.clear(),
        "presence" => drop(known.insert(id, event.data)),
        "removed" => drop(known.remove(&id)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whoever is cut off anywhere, and comes back with the last id that they have got, misses nothing.
    #[test]
    fn a_stream_that_is_cut_and_resumed_misses_nothing(
        steps in steps(),
        query in proptest::sample::select(vec!["", "?$filter=availability%20eq%20'Busy'", "?$filter=id%20eq%20'ada@porchlight.example'"]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = TestServer::start().await;
            let path = format!("{PRESENCES}{query}");
            let reader = server.client("ben:Presence.Read.All");
            let mut known = BTreeMap::new();
            let mut events = reader.follow(&path, None).await;
            let mut unread = 0_usize;
            for step in steps {
                match step {
                    Step::Set(is_ada, pair, minutes) => {
                        let user = if is_ada { ADA } else { BEN };
                        let body = session(APP_A, pair, &format!("PT{minutes}M"));
                        let path = format!("{}/setPresence", presence_of(user));
                        // A hidden person is not written for.
                        let answer = Application::a(&server).client.post(&path, &body).await;
                        assert!([200, 403].contains(&answer.status.as_u16()), "{answer:?}");
                    }
                    Step::Hide(hidden) => change_ada(&server, |ada| ada.account_enabled = !hidden).await,
                    Step::Advance(millis) => server.advance(Duration::from_millis(millis)),
                    // As many as there are, perhaps: one more may never come.
                    Step::Read if unread < 3 => {
                        unread += 1;
                        let next = tokio::time::timeout(Duration::from_millis(30), events.next());
                        if let Ok(event) = next.await {
                            learn(&mut known, event);
                        }
                    }
                    Step::Read => {}
                    Step::Cut => {
                        unread = 0;
                        let last_id = events.last_id().map(str::to_owned);
                        events = reader.follow(&path, last_id.as_deref()).await;
                    }
                }
            }
            server.advance(Duration::from_millis(2));
            let last_id = events.last_id().map(str::to_owned);
            let mut events = reader.follow(&path, last_id.as_deref()).await;
            for event in events.until_current().await {
                learn(&mut known, event);
            }
            let list = reader.get(&path).await.json()["value"].clone();
            let hidden = server.client("ada:").get(ME).await.status == 401;
            let truth: BTreeMap<String, Value> = list.as_array().expect("a list").iter()
                .map(|one| (one["id"].as_str().expect("an id").to_owned(), one.clone()))
                .filter(|(id, _)| !(hidden && id == ADA))
                .collect();
            assert_eq!(known, truth);
        });
    }
}
