//! `serve --dev`: what it prints can be pasted, the demo people are there, and time can be moved.

use std::process::Command;

use porchlight_testkit::{ADA, BEN, DEMO};
use serde_json::{Value, json};

use crate::support::{CLOCK, ME, Program, RESET, in_folder, in_memory, presence_of, run, serve};

/// The commands among these lines, as they stand there.
fn commands(lines: &[String]) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        if goes_on && let Some(command) = commands.last_mut() {
            command.push('\n');
            command.push_str(line);
        } else if line.starts_with("  curl ") {
            commands.push(line.clone());
        } else {
            continue;
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

/// Everything that a shell prints for this command.
fn shell(command: &str) -> String {
    // Whatever proxy this machine has, the server is on this side of it.
    let ended = run(Command::new("sh").args(["-c", command]).env("no_proxy", "127.0.0.1"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out.join("\n")
}

#[test]
fn the_commands_that_it_prints_do_what_it_says_as_they_stand() {
    let server = Program::start(&mut in_memory());
    let printed = server.out().find(|lines| Some(commands(lines)).filter(|found| found.len() == 2));
    let printed = printed.unwrap_or_else(|| panic!("no two commands: {:?}", server.out().lines()));
    let listening = format!("listening on {} and https://{}", server.url(), server.https_address());
    assert_eq!(server.out().lines()[1], listening);

    let set = shell(&printed[0]);
    assert!(set.starts_with("HTTP/1.1 200 OK"), "{set}");
    assert!(set.contains("porchlight-effective: Busy/InACall; by=sessions"), "{set}");
    let read: Value = serde_json::from_str(&shell(&printed[1])).expect("a presence");
    assert_eq!(
        (&read["id"], &read["availability"], &read["activity"]),
        (&json!(ADA), &json!("Busy"), &json!("InACall"))
    );
}

#[tokio::test]
async fn a_dozen_people_are_there() {
    let server = Program::start(&mut in_memory());
    let people = server.client("ada:").get("/v1.0/users").await.json();
    let people = people["value"].as_array().expect("a list").clone();
    let mut names: Vec<&str> = people.iter().filter_map(|person| person["displayName"].as_str()).collect();
    names.sort_unstable();
    let expected = [
        "Ada Lovelace",
        "Ben Okafor",
        "Cleo Martin",
        "Dan Weber",
        "Eva Novak",
        "Finn Larsen",
        "Grace Kim",
        "Hugo Silva",
        "Iris Tan",
        "Jonas Berg",
        "Kira Patel",
        "Leo Rossi",
    ];
    assert_eq!(names, expected);
    for (first_name, id) in [("ada", ADA), ("ben", BEN)] {
        let me = server.client(&format!("{first_name}:")).get("/v1.0/me").await.json();
        assert_eq!(
            (&me["id"], &me["userPrincipalName"]),
            (&json!(id), &json!(format!("{first_name}@porchlight.example")))
        );
    }
    let bulk = server.client(&format!("{DEMO}:")).get("/v1.0/communications/presences/$count").await;
    assert_eq!(bulk.body, "12");
}

#[tokio::test]
async fn moving_the_clock_moves_everything() {
    let server = Program::start(&mut in_memory());
    let ada = server.client("ada:");
    assert_eq!(server.anonymous().get(CLOCK).await.json()["offset"], "PT0S");
    let body = json!({
        "sessionId": DEMO, "availability": "Available", "activity": "Available", "expirationDuration": "PT1H",
    });
    assert_eq!(ada.post(&format!("{ME}/setPresence"), &body).await.status, 200);
    let table = [
        ("PT5M", "PT5M", "Available/AvailableInactive"),
        ("PT5M", "PT10M", "Away/Away"),
        ("PT50M", "PT1H", "Offline/Offline"),
    ];
    for (by, offset, pair) in table {
        assert_eq!(server.advance(by).await.json()["offset"], offset);
        assert_eq!(ada.get(ME).await.pair(), pair, "after {offset}");
    }
    for (body, expected) in [
        (json!({}), "400 InvalidArgument"),
        (json!({"advance": "PT0S"}), "400 InvalidArgument"),
        (json!({"advance": "soon"}), "400 InvalidArgument"),
        (json!({"advance": 5}), "400 BadRequest"),
    ] {
        let answer = server.anonymous().post(CLOCK, &body).await;
        assert!(answer.error().starts_with(expected), "{body}: {}", answer.error());
    }
    assert_eq!(server.anonymous().get(CLOCK).await.json()["offset"], "PT1H", "a refused move moves nothing");
}

#[tokio::test]
async fn the_clock_goes_on_from_where_it_was_after_a_restart_until_a_reset() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Program::start(&mut in_folder(folder.path()));
    let moved = server.advance("P2D").await.json();
    assert_eq!(moved["offset"], "P2D");
    server.stop();

    let server = Program::start(&mut in_folder(folder.path()));
    let nobody = server.anonymous();
    let clock = nobody.get(CLOCK).await.json();
    assert_eq!(clock["offset"], "P2D");
    let now = |clock: &Value| clock["now"].as_str().expect("a time").to_owned();
    assert!(now(&clock) > now(&moved), "{clock} {moved}");
    assert_eq!(server.client("ada:").patch(ME, &json!({"availability": "Busy"})).await.status, 200);
    assert_eq!(nobody.call(http::Method::POST, RESET, None::<&[u8]>).await.status, 204);
    let clock = nobody.get(CLOCK).await.json();
    assert_eq!(clock["offset"], "PT0S");
    assert!(now(&clock) < now(&moved), "{clock} {moved}");
    assert_eq!(server.client("ada:").get(ME).await.pair(), "Offline/Offline");
    server.kill();

    let server = Program::start(&mut in_folder(folder.path()));
    assert_eq!(server.anonymous().get(CLOCK).await.json()["offset"], "PT0S");
    assert_eq!(server.client("ada:").get(ME).await.pair(), "Offline/Offline");
    let everybody = server.client("ada:").get("/v1.0/communications/presences/$count").await;
    assert_eq!(everybody.body, "12");
}

#[tokio::test]
async fn an_ephemeral_server_leaves_nothing_behind() {
    let place = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        let mut command = serve(&["--dev", "--ephemeral"]);
        let server = Program::start(command.current_dir(place.path()));
        let ada = server.client("ada:");
        assert_eq!(ada.get(ME).await.pair(), "Offline/Offline", "nothing is left of a server before");
        assert_eq!(ada.patch(ME, &json!({"availability": "Busy"})).await.status, 200);
        assert_eq!(server.client("ben:").get(&presence_of(ADA)).await.pair(), "Busy/Busy");
        server.stop();
        assert_eq!(std::fs::read_dir(place.path()).expect("the folder is there").count(), 0);
    }
}
