//! The commands that ask a server on somebody's behalf: each of them, for people and for programs, and what they say of
//! what is refused.

use jiff::{SignedDuration, Timestamp};
use porchlight_store::Fault;
use porchlight_testkit::{ADA, BEN, DEMO, Receiver, TestServer};
use serde_json::{Value, json};

use crate::support::{
    CLOCK, Ended, ME, Program, in_memory, porchlight, presence_of, run, serve, text, until,
};

const WRONG: i32 = 64;
const NO_SUCH: i32 = 66;
const UNAVAILABLE: i32 = 69;
const NOT_PERMITTED: i32 = 77;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// Asks the server at this URL, as Ada.
fn ada(url: &str, arguments: &[&str]) -> Ended {
    run(porchlight(arguments).args(["--url", url, "--as", "ada"]).env("TZ", "UTC"))
}

/// What a command prints for people.
fn said(url: &str, arguments: &[&str]) -> String {
    ada(url, arguments).answer()
}

/// What a command prints for programs.
fn json_of(url: &str, arguments: &[&str]) -> Value {
    let printed = said(url, &[arguments, &["--json"]].concat());
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// The line of a table whose first cell this is.
fn line<'t>(table: &'t str, first: &str) -> &'t str {
    let found = table.lines().find(|line| line.trim_start_matches(['▶', ' ']).starts_with(first));
    found.unwrap_or_else(|| panic!("nobody called {first}: {table}"))
}

#[tokio::test]
async fn a_presence_is_changed_shown_and_explained() {
    let server = Program::start(&mut in_memory());
    let (url, client) = (server.url(), server.client("ada:"));

    let set = said(&url, &["set", "in-a-call", "--for", "1h"]);
    assert!(set.starts_with("set Busy/InACall until ") && set.contains("(in 1 h)"), "{set}");
    assert!(set.ends_with("shown is Busy, in a call, by the strongest session"), "{set}");
    let own = said(&url, &["get"]);
    let own = line(&own, "Ada Lovelace");
    assert!(own.contains("■ Busy") && own.contains("In a call") && own.contains(" s ago)"), "{own}");
    assert_eq!(json_of(&url, &["get"]), client.get(ME).await.json());

    let preferred = said(&url, &["prefer", "do not disturb", "--for", "8h"]);
    assert!(preferred.starts_with("preferred is DoNotDisturb/DoNotDisturb until "), "{preferred}");
    assert!(preferred.ends_with("shown is Do not disturb, since that is preferred"), "{preferred}");
    let explained = said(&url, &["explain"]);
    assert!(explained.starts_with("Do not disturb since "), "{explained}");
    assert!(line(&explained, "preferred").starts_with("▶  preferred"), "{explained}");
    let session = line(&explained, &format!("session of {DEMO}"));
    assert!(session.contains("■ Busy, in a call") && session.contains("(in 1 h)"), "{explained}");
    assert!(explained.contains("It changes by itself at "), "{explained}");
    let path = format!("{ME}/porchlight.explain");
    assert_eq!(json_of(&url, &["explain", "ada"])["layers"], client.get(&path).await.json()["layers"]);
    assert_eq!(said(&url, &["prefer", "--clear"]), "nothing is preferred any more");

    let until = ["status-message", "Reviewing the release", "--until", "2030-01-31T17:00"];
    let message = said(&url, &until);
    assert!(message.starts_with("the status message is set until 2030-01-31 17:00 (in "), "{message}");
    let presence = client.get(ME).await.json();
    let expiry = &presence["statusMessage"]["expiryDateTime"]["dateTime"];
    assert_eq!(expiry, "2030-01-31T17:00:00.0000000");
    let out = json_of(&url, &["out-of-office", "Back on Monday"]);
    assert_eq!(out["outOfOfficeSettings"], json!({"message": "Back on Monday", "isOutOfOffice": true}));
    let own = said(&url, &["get"]);
    assert!(own.contains("Reviewing the release; out of office: Back on Monday"), "{own}");
    let back = said(&url, &["out-of-office", "--off"]);
    assert!(back.starts_with("not out of office any more\nshown is Busy, in a call"), "{back}");
    assert_eq!(json_of(&url, &["status-message", "--clear"])["statusMessage"], Value::Null);

    let cleared = said(&url, &["clear"]);
    assert!(cleared.starts_with(&format!("the session {DEMO} is cleared")), "{cleared}");
    assert_eq!(client.get(ME).await.pair(), "Offline/Offline");
    let again = ada(&url, &["clear"]);
    let complaint = again.complaint(NO_SUCH);
    assert_eq!(complaint[0], "porchlight: The presence session does not exist or has already ended.");
    let hint = "  there is nothing left to clear: treat this as success";
    assert!(complaint.iter().any(|line| line == hint), "{complaint:?}");
}

#[tokio::test]
async fn people_are_named_as_one_likes() {
    let server = Program::start(&mut in_memory());
    let url = server.url();
    let body = json!({"availability": "Busy", "activity": "InAMeeting"});
    assert_eq!(server.client("ben:").patch(ME, &body).await.status, 200);
    let table = said(&url, &["get", "ben", "GRACE@porchlight.example", BEN, ADA]);
    assert_eq!(table.lines().count(), 4, "everybody once, below a head: {table}");
    assert!(line(&table, "Ben Okafor").contains("In a meeting"), "{table}");
    assert!(line(&table, "Grace Kim").contains("○ Offline"), "{table}");
    let presences = json_of(&url, &["get", "ben"]);
    assert_eq!(presences, json!([server.client("ada:").get(&presence_of(BEN)).await.json()]));
    assert_eq!(json_of(&url, &["get", BEN, "ada"]).as_array().map(Vec::len), Some(2));

    // Whoever may not read names is shown ids.
    let token = format!("dev:{DEMO}:Presence.ReadWrite.All");
    let application = |arguments: &[&str]| {
        run(porchlight(arguments).args(["--url", &url]).env("PORCHLIGHT_TOKEN", &token)).answer()
    };
    application(&["set", "away", "--user", ADA]);
    assert_eq!(server.client("ada:").get(ME).await.pair(), "Away/Away");
    application(&["clear", "--user", ADA]);
    assert!(line(&application(&["get", BEN, ADA]), BEN).contains("■ Busy"));
}

#[tokio::test]
async fn the_directory_and_the_limits_are_shown() {
    let server = Program::start(&mut in_memory());
    let (url, client) = (server.url(), server.client("ada:"));
    let everybody = said(&url, &["users"]);
    assert_eq!(everybody.lines().count(), 13, "{everybody}");
    assert!(line(&everybody, "Ada Lovelace").ends_with(ADA), "{everybody}");
    assert_eq!(said(&url, &["users", "lov"]).lines().count(), 2);
    assert_eq!(said(&url, &["users", "zzz"]), "nobody is found");
    let path = "/v1.0/users?$select=id,displayName,userPrincipalName,jobTitle,department";
    assert_eq!(json_of(&url, &["users"]), client.get(path).await.json()["value"]);
    let few = ada(&url, &["users", "--limit", "5", "--json"]);
    assert_eq!(few.err, ["porchlight: there are more than 5: search, or say --limit"]);
    let few: Value = serde_json::from_str(&few.out.join("\n")).expect("JSON");
    assert_eq!(few.as_array().map(Vec::len), Some(5));

    let limits = run(&mut porchlight(&["limits", "--url", &url])).answer();
    assert!(line(&limits, "idsPerCall").contains("650"), "{limits}");
    assert!(limits.ends_with("profile open"), "{limits}");
    let limits = run(&mut porchlight(&["limits", "--json", "--url", &url])).answer();
    let limits: Value = serde_json::from_str(&limits).expect("JSON");
    assert_eq!(limits, client.get("/porchlight/limits").await.json());
}

#[tokio::test]
async fn subscriptions_are_shown_with_their_attempts_and_ended() {
    let server = Program::start(&mut in_memory());
    let (url, client, receiver) = (server.url(), server.client("ada:"), Receiver::start().await);
    assert_eq!(said(&url, &["subscriptions"]), "there are no subscriptions that you may see");
    let clock = client.get(CLOCK).await.json();
    let now: Timestamp = clock["now"].as_str().expect("a time").parse().expect("a date-time");
    let end = (now + SignedDuration::from_mins(50)).to_string();
    let subscription = json!({
        "changeType": "updated", "resource": format!("communications/presences/{BEN}"),
        "notificationUrl": receiver.url("/hook?code=secret"), "expirationDateTime": end,
    });
    let made = client.post("/v1.0/subscriptions", &subscription).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().expect("it has an id").to_owned();
    let table = said(&url, &["subscriptions"]);
    let own = line(&table, &id);
    assert!(own.contains(BEN) && own.contains("/hook") && own.contains("(in 50 min)"), "{table}");
    assert!(!table.contains("secret"), "{table}");
    assert_eq!(json_of(&url, &["subscriptions"])[0]["id"], json!(id));

    let nothing = "nothing was told yet: the server remembers what it has tried since it started";
    assert_eq!(said(&url, &["deliveries", &id]), nothing);
    let body = json!({"availability": "Busy", "activity": "InAMeeting"});
    assert_eq!(server.client("ben:").patch(ME, &body).await.status, 200);
    receiver.next().await;
    until("the attempt is remembered", async || said(&url, &["deliveries", &id]).contains("told (")).await;
    let deliveries = client.get(&format!("/v1.0/subscriptions/{id}/porchlight.deliveries")).await;
    assert_eq!(json_of(&url, &["deliveries", &id]), deliveries.json()["value"]);

    assert_eq!(said(&url, &["subscriptions", "end", &id]), format!("the subscription {id} has ended"));
    assert_eq!(json_of(&url, &["subscriptions"]), json!([]));
    ada(&url, &["subscriptions", "end", &id]).complaint(NO_SUCH);
    ada(&url, &["deliveries", &id]).complaint(NO_SUCH);
}

#[test]
fn what_is_refused_ends_in_a_code_and_says_what_to_do() {
    let server = Program::start(&mut in_memory());
    let (url, address) = (server.url(), server.address());
    let nobody = "http://127.0.0.1:1";
    let own: [&str; 3] = ["get", "--url", &url];
    let table: [(&[&str], i32, &[&str]); 10] = [
        (
            &own,
            WRONG,
            &["wants to know who asks: for a development server add --as ada, or give an access token"],
        ),
        (
            &["get", "--url", "https://presence.example/v1.0"],
            WRONG,
            &[
                "presence.example wants to know who asks: give an access token by --token or in PORCHLIGHT_TOKEN",
            ],
        ),
        (
            &["get", "--as", "nobody", "--url", &url],
            NOT_PERMITTED,
            &[
                "Access token validation failure.",
                "  the token names nobody whom the directory has",
                "  --as nobody works with a development server (porchlight serve --dev)",
                ": 401 InvalidAuthenticationToken, request ",
            ],
        ),
        (
            &["get", BEN, "--token", "dev:ada:Presence.Read", "--url", &url],
            NOT_PERMITTED,
            &[
                "The token lacks a permission this call needs. Any one of: Presence.Read.All.",
                ": 403 Forbidden, ",
            ],
        ),
        (
            &["get", "nobody", "--as", "ada", "--url", &url],
            NO_SUCH,
            &["nobody is called nobody there", "  porchlight users shows who there is"],
        ),
        (&["explain", NOBODY, "--as", "ada", "--url", &url], NO_SUCH, &["does not exist", ": 404 Request_"]),
        (
            &["set", "busy/in-a-meeting", "--as", "ada", "--url", &url],
            WRONG,
            &[
                "'Busy/InAMeeting' is not supported",
                "  InAMeeting can be written by PATCH",
                ": 400 InvalidArgument",
            ],
        ),
        (&["set", "away", "--for", "5h", "--as", "ada", "--url", &url], WRONG, &["at most PT4H"]),
        (&["watch", "--filter", "x", "--as", "ada", "--url", &url], WRONG, &["Invalid filter clause"]),
        (
            &["get", "--as", "ada", "--url", nobody],
            UNAVAILABLE,
            &["no server answers on 127.0.0.1:1: Connection"],
        ),
    ];
    for (arguments, code, expected) in table {
        let ended = run(&mut porchlight(arguments));
        let said = ended.complaint(code);
        assert!(said.first().is_some_and(|line| line.starts_with("porchlight: ")), "{ended:?}");
        for text in expected {
            assert!(said.iter().any(|line| line.contains(text)), "{text}: {ended:?}");
        }
    }
    // A token from standard input, which is empty here.
    let ended = run(&mut porchlight(&["get", "--token", "-", "--url", &url]));
    assert!(ended.complaint(WRONG)[0].starts_with(&format!("porchlight: {address} wants to know who asks")));
}

#[tokio::test]
async fn who_is_to_come_again_is_told_when() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("porchlight.toml");
    std::fs::write(&file, "[limits]\nrequests = 1\n").expect("the file can be written");
    let busy = Program::start(in_memory().args(["--config", text(&file)]));
    assert_eq!(busy.client("ada:").get(ME).await.status, 200);
    let ended = ada(&busy.url(), &["get"]);
    let said = ended.complaint(UNAVAILABLE);
    assert!(said.iter().any(|line| line.starts_with("  try again in ") && line.ends_with(" s")), "{said:?}");
    assert!(said.iter().any(|line| line.contains(": 429 TooManyRequests, request ")), "{said:?}");

    let faulty = TestServer::start().await;
    faulty.memory().inject(Fault::FailedNotWritten);
    let ended = ada(&faulty.url(), &["set", "available"]);
    let said = ended.complaint(UNAVAILABLE);
    assert!(said.iter().any(|line| line == "  try again in 2 s"), "{said:?}");
}

#[tokio::test]
async fn https_is_spoken_with_whom_the_client_trusts() {
    let server = Program::start(&mut in_memory());
    let place = tempfile::tempdir().expect("a folder");
    let ca = place.path().join("ca.pem");
    let certificate = server.anonymous().get("/porchlight/dev/ca").await.body;
    std::fs::write(&ca, &certificate).expect("the file can be written");
    let url = format!("https://{}/beta", server.https_address());
    assert!(said(&url, &["get", "--ca", text(&ca)]).contains("Ada Lovelace"));
    let health = ["healthcheck", "--url", &url, "--ca", text(&ca)];
    assert_eq!(run(&mut porchlight(&health)).answer(), "ready");
    let stranger = ada(&url, &["get"]);
    let said = stranger.complaint(UNAVAILABLE);
    assert!(said[0].contains("is not trusted: invalid peer certificate"), "{said:?}");
    assert!(said[1].starts_with("  trust who has signed for it by --ca"), "{said:?}");
    let missing = ada(&url, &["get", "--ca", "/nowhere/ca.pem"]);
    assert!(missing.complaint(WRONG)[0].starts_with("porchlight: cannot read /nowhere/ca.pem"));
}

#[test]
fn a_server_outside_of_development_takes_no_made_up_tokens() {
    let production = Program::start(&mut serve(&["--ephemeral"]));
    let ended = ada(&production.url(), &["get"]);
    let said = ended.complaint(NOT_PERMITTED);
    assert!(said.iter().any(|line| line.contains("--as ada works with a development server")), "{said:?}");
}
