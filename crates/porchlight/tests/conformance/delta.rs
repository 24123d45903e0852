//! Delta queries: design 5.4, and Graph's delta convention.

use std::collections::BTreeMap;
use std::time::Duration;

use porchlight_http::Development;
use porchlight_presence::{Command, UserId};
use porchlight_testkit::{ADA, APP_A, APP_B, Answer, BEN, Client, TestServer};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    Application, ME, NOBODY, PRESENCES, add_person, below, ben, change_ada, days, done, lacks, members,
    minutes, presence_of, refused, session, state, status,
};

const DELTA: &str = "/v1.0/communications/presences/delta";
const NOT_KNOWN: &str = "410 SyncStateNotFound The sync state is not known, or is too old to go on from.";

/// A client that knows nothing but what it was told, and follows links.
struct Follower<'s> {
    server: &'s TestServer,
    client: Client,
    next: String,
    known: BTreeMap<String, Value>,
}

impl Follower<'_> {
    fn new<'s>(server: &'s TestServer, query: &str) -> Follower<'s> {
        let next = format!("{DELTA}{query}");
        Follower { server, client: ben(server), next, known: BTreeMap::new() }
    }

    /// Asks for one page. Returns what it says, and whether the round is over.
    async fn page(&mut self) -> (Vec<Value>, bool) {
        let answer = self.client.get(&self.next).await;
        assert_eq!(answer.status, 200, "{}: {answer:?}", self.next);
        let page = answer.json();
        let (next, last) = (page["@odata.nextLink"].as_str(), page["@odata.deltaLink"].as_str());
        assert!(next.is_some() != last.is_some(), "one link of the two: {page}");
        self.next = below(self.server, next.or(last).expect("a link"));
        let told = page["value"].as_array().expect("a list").clone();
        for one in &told {
            let id = one["id"].as_str().expect("an id").to_owned();
            if one.get("@removed").is_some() {
                self.known.remove(&id);
            } else {
                self.known.insert(id, one.clone());
            }
        }
        (told, last.is_some())
    }

    /// Asks until the round is over. Returns all that was told.
    async fn round(&mut self) -> Vec<Value> {
        let mut told = Vec::new();
        loop {
            let (page, over) = self.page().await;
            told.extend(page);
            if over {
                return told;
            }
        }
    }

    /// What a list says now, by id.
    async fn truth(&self, query: &str) -> BTreeMap<String, Value> {
        let answer = self.client.get(&format!("{PRESENCES}{query}")).await;
        let listed = answer.json()["value"].as_array().expect("a list").clone();
        listed.into_iter().map(|one| (one["id"].as_str().expect("an id").to_owned(), one)).collect()
    }
}

/// Who was told of, in order, with what.
fn gist(told: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let what = |one: &Value| match one.get("@removed") {
        Some(removed) => format!("removed: {}", text(&removed["reason"])),
        None => text(&one["activity"]),
    };
    told.iter().map(|one| (text(&one["id"]), what(one))).collect()
}

fn of(id: &str, what: &str) -> (String, String) {
    (id.to_owned(), what.to_owned())
}

async fn begin_anew(server: &TestServer, answer: &Answer, query: &str) {
    refused(answer, NOT_KNOWN);
    let location = below(server, answer.header("location"));
    assert_eq!(location, format!("{DELTA}{query}"));
    assert_eq!(ben(server).get(&location).await.status, 200);
}

#[tokio::test]
async fn the_first_round_tells_of_everybody_and_the_next_of_those_who_have_changed() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
    let mut follower = Follower::new(&server, "");
    let answer = ben(&server).get(DELTA).await;
    assert_eq!(members(&answer.json()), ["@odata.context", "@odata.deltaLink", "value"]);
    let context = format!("{}/v1.0/$metadata#communications/presences/$delta", server.url());
    assert_eq!(answer.json()["@odata.context"], context);
    assert_eq!(follower.round().await.len(), 12);
    assert_eq!(follower.known, follower.truth("").await);

    server.advance(minutes(1));
    assert_eq!(gist(&follower.round().await), [of(ADA, "InACall")], "it began in the same millisecond");
    assert_eq!(follower.round().await, Vec::<Value>::new());
    done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
    assert_eq!(follower.round().await, Vec::<Value>::new(), "a keep-alive is no change");
    done(&Application::b(&server).set("DoNotDisturb/Presenting", "PT5M").await);
    assert_eq!(gist(&follower.round().await), [of(ADA, "Presenting")]);
    server.advance(minutes(6));
    assert_eq!(gist(&follower.round().await), [of(ADA, "InACall")], "nobody wrote, but a session has ended");
    assert_eq!(follower.known, follower.truth("").await);
}

#[tokio::test]
async fn a_round_comes_in_pages_and_what_changes_between_them_comes_in_the_next_round() {
    let server = TestServer::start().await;
    let mut follower = Follower::new(&server, "?$top=5");
    let (first, over) = follower.page().await;
    assert_eq!((first.len(), over), (5, false));
    assert!(follower.next.contains("$top=5") && follower.next.contains("$skiptoken="), "{}", follower.next);
    server.advance(minutes(1));
    // Of a user who was told already and of one who was not.
    done(&Application::a(&server).set("Busy/InACall", "").await);
    let path = format!("{}/setPresence", presence_of(BEN));
    done(&Application::a(&server).client.post(&path, &session(APP_A, "Away/Away", "")).await);
    follower.round().await;
    server.advance(minutes(1));
    follower.round().await;
    assert_eq!(follower.known, follower.truth("").await);
    assert_eq!(follower.known.len(), 12);
}

#[tokio::test]
async fn who_leaves_the_filter_is_told_as_removed() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "PT30M").await);
    let filter = "?$filter=availability%20eq%20'Busy'&$select=id,activity";
    let mut follower = Follower::new(&server, filter);
    assert_eq!(follower.round().await, [json!({"id": ADA, "activity": "InACall"})]);
    server.advance(minutes(1));
    done(&Application::a(&server).set("Away/Away", "PT30M").await);
    assert_eq!(follower.round().await, [json!({"@removed": {"reason": "changed"}, "id": ADA})]);
    server.advance(minutes(1));
    done(&Application::b(&server).set("Busy/InAConferenceCall", "PT30M").await);
    assert_eq!(gist(&follower.round().await), [of(ADA, "InAConferenceCall")]);
    let of_ben = Follower::new(&server, &format!("?$filter=id%20eq%20'{BEN}'")).round().await;
    assert_eq!(gist(&of_ben), [of(BEN, "Offline")]);
}

#[tokio::test]
async fn who_is_hidden_or_gone_is_told_as_removed_and_who_comes_is_told() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "PT1H").await);
    let mut follower = Follower::new(&server, "");
    follower.round().await;
    server.advance(minutes(1));
    follower.round().await;
    change_ada(&server, |ada| ada.account_enabled = false).await;
    assert_eq!(gist(&follower.round().await), [of(ADA, "removed: changed")]);
    assert!(!Follower::new(&server, "").round().await.iter().any(|one| one["id"] == ADA), "nor listed");
    server.advance(minutes(1));
    change_ada(&server, |ada| ada.account_enabled = true).await;
    assert_eq!(gist(&follower.round().await), [of(ADA, "InACall")]);
    server.advance(minutes(1));
    add_person(&server, NOBODY, "new@porchlight.example", None).await;
    assert!(gist(&follower.round().await).contains(&of(NOBODY, "Offline")));
    let mut only_ada = Follower::new(&server, &format!("?$filter=id%20eq%20'{ADA}'"));
    only_ada.round().await;
    add_person(&server, &NOBODY.replace('9', "8"), "newer@porchlight.example", None).await;
    server.advance(minutes(1));
    assert!(
        !only_ada.round().await.iter().any(|one| one["id"] != ADA),
        "who is not asked for is not told of"
    );
}

#[tokio::test]
async fn from_latest_on_only_changes_are_told() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "").await);
    server.advance(minutes(1));
    let mut follower = Follower::new(&server, "?$deltatoken=latest");
    assert_eq!(follower.round().await, Vec::<Value>::new());
    done(&Application::a(&server).set("Away/Away", "").await);
    assert_eq!(gist(&follower.round().await), [of(ADA, "Away")]);
}

#[tokio::test]
async fn a_token_that_nobody_can_go_on_from_is_answered_with_the_way_to_begin_anew() {
    let server = TestServer::start().await;
    let filter = format!("?$filter=id%20eq%20%27{ADA}%27&$top=5");
    let link = |answer: &Answer| below(&server, answer.json()["@odata.deltaLink"].as_str().expect("a link"));
    let whole = link(&ben(&server).get(DELTA).await);
    let token = whole.split_once("$deltatoken=").expect("a token").1.to_owned();
    for bad in ["zzz", "", &token[1..], &format!("{token}A")] {
        begin_anew(&server, &ben(&server).get(&format!("{DELTA}?$deltatoken={bad}")).await, "").await;
    }
    let other = ben(&server).get(&format!("{DELTA}{filter}&$deltatoken={token}")).await;
    begin_anew(&server, &other, &filter).await;
    let select = ben(&server).get(&format!("{DELTA}?$select=id&$skiptoken={token}")).await;
    begin_anew(&server, &select, "?$select=id").await;
    let another_log = TestServer::start().await;
    begin_anew(&another_log, &ben(&another_log).get(&whole).await, "").await;
    server.advance(days(6));
    assert_eq!(ben(&server).get(&whole).await.status, 200);
    server.advance(days(1));
    begin_anew(&server, &ben(&server).get(&whole).await, "").await;
}

#[tokio::test]
async fn a_token_from_before_a_reset_is_not_gone_on_from() {
    let server = TestServer::start().await;
    done(&Application::a(&server).set("Busy/InACall", "").await);
    let mut follower = Follower::new(&server, "");
    follower.round().await;
    assert_eq!(server.anonymous().post("/porchlight/dev/reset", &json!({})).await.status, 204);
    begin_anew(&server, &ben(&server).get(&follower.next).await, "").await;
}

#[tokio::test]
async fn a_link_is_good_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = TestServer::builder().data(folder.path()).start().await;
    let mut follower = Follower::new(&server, "");
    follower.round().await;
    server.advance(minutes(1));
    done(&Application::a(&server).set("Busy/InACall", "").await);
    let link = follower.next.clone();
    server.stop();
    let server = TestServer::builder().data(folder.path()).start().await;
    server.advance(minutes(1));
    let mut follower = Follower { next: link, ..Follower::new(&server, "") };
    assert_eq!(gist(&follower.round().await), [of(ADA, "InACall")]);
}

#[tokio::test]
async fn delta_needs_the_right_to_read_everybody_and_takes_its_own_options_alone() {
    let server = TestServer::start().await;
    refused(&server.client("ben:Presence.Read").get(DELTA).await, &lacks("Presence.Read.All"));
    assert_eq!(server.client(&format!("{APP_B}:Presence.Read.All")).get(DELTA).await.status, 200);
    for option in [
        "$orderby=id",
        "$skip=1",
        "$count=true",
        "$expand=x",
        "$search=x",
        "$top=0",
        "$filter=x",
        "$select=x",
    ] {
        assert_eq!(ben(&server).get(&format!("{DELTA}?{option}")).await.status, 400, "{option}");
    }
    for path in
        ["/beta/communications/presences/delta()", "/v1.0/communications/presences/microsoft.graph.delta"]
    {
        assert_eq!(ben(&server).get(path).await.status, 200, "{path}");
    }
    refused(
        &ben(&server).post(DELTA, &json!({})).await,
        "405 Request_BadRequest Specified HTTP method is not allowed for the request target.",
    );
}

/// What happens between two looks.
#[derive(Clone, Debug)]
enum Step {
    Set(bool, &'static str, u64),
    Status(&'static str),
    Patch(&'static str),
    Hide(bool),
    Advance(u64),
    Page,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pairs = || proptest::sample::select(vec!["Busy/InACall", "Available/Available", "Away/Away"]);
    let step = prop_oneof![
        3 => (any::<bool>(), pairs(), 5_u64..12).prop_map(|(ada, pair, minutes)| Step::Set(ada, pair, minutes)),
        1 => proptest::sample::select(vec!["hello", "", "back soon"]).prop_map(Step::Status),
        1 => pairs().prop_map(Step::Patch),
        1 => any::<bool>().prop_map(Step::Hide),
        2 => prop_oneof![Just(0_u64), Just(1), 1_u64..900_000].prop_map(Step::Advance),
        4 => Just(Step::Page),
    ];
    proptest::collection::vec(step, 1..25)
}

async fn take(server: &TestServer, step: &Step) {
    let user = UserId(Uuid::try_parse(ADA).expect("a GUID"));
    match step {
        Step::Set(is_ada, pair, minutes) => {
            let path = format!("{}/setPresence", presence_of(if *is_ada { ADA } else { BEN }));
            let body = session(APP_A, pair, &format!("PT{minutes}M"));
            // A hidden person is not written for.
            let answer = Application::a(server).client.post(&path, &body).await;
            assert!([200, 403].contains(&answer.status.as_u16()), "{answer:?}");
        }
        Step::Status(text) => {
            ben(server).post(&format!("{ME}/setStatusMessage"), &status(text)).await;
        }
        Step::Patch(pair) => {
            ben(server).patch(ME, &state(pair, "")).await;
        }
        Step::Hide(hidden) => {
            let command = Command::SetHidden(*hidden);
            server.engine().write(Development::TENANT, user, &command).await.expect("it is written");
        }
        Step::Advance(millis) => server.advance(Duration::from_millis(*millis)),
        Step::Page => unreachable!("it is the follower's"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whoever only follows links ends with what a list says.
    #[test]
    fn a_follower_ends_with_the_servers_state(
        steps in steps(),
        query in proptest::sample::select(vec!["?$top=3", "?$filter=availability%20eq%20'Busy'", "?$top=1&$select=id,availability"]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = TestServer::start().await;
            let mut follower = Follower::new(&server, query);
            for step in &steps {
                match step {
                    Step::Page => drop(follower.page().await),
                    step => take(&server, step).await,
                }
            }
            server.advance(Duration::from_millis(2));
            // What is left of the round under way, and one more.
            follower.round().await;
            server.advance(Duration::from_millis(2));
            follower.round().await;
            let list = query.replace("?$top=3", "").replace("$top=1&", "");
            let mut truth = follower.truth(&list).await;
            let user = UserId(Uuid::try_parse(ADA).expect("a GUID"));
            if server.engine().tenant(Development::TENANT).expect("it is known").is_hidden(user) {
                truth.remove(ADA);
            }
            assert_eq!(follower.known, truth);
        });
    }
}
