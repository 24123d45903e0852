//! Every worked case of presence-api 11.4, over HTTP: what is shown, and what `porchlight.explain` says about it.

use porchlight_testkit::{APP_A, APP_B};
use serde_json::{Value, json};

use crate::support::{Program, in_memory, presence_of};

/// One row of 11.4. A session is `application: pair`, and how many minutes old it is when that is not nothing.
struct Case {
    /// The demo person that has it; each case has one of their own.
    who: &'static str,
    sessions: &'static [(&'static str, &'static str, u32)],
    cleared: &'static [&'static str],
    preferred: Option<&'static str>,
    shown: &'static str,
    decided_by: &'static str,
    /// The layer that wins, where it is told from others: `preferred`, or the application whose session it is.
    winner: Option<&'static str>,
}

const CASE: Case = Case {
    who: "",
    sessions: &[],
    cleared: &[],
    preferred: None,
    shown: "Offline/Offline",
    decided_by: "nothing",
    winner: None,
};

const PREFERRED: Option<&str> = Some("preferred");
const A: Option<&str> = Some(APP_A);
const B: Option<&str> = Some(APP_B);

const CASES: [Case; 12] = [
    Case { who: "ada", ..CASE },
    Case { who: "ben", preferred: Some("DoNotDisturb/DoNotDisturb"), ..CASE },
    Case {
        who: "cleo",
        sessions: &[(APP_A, "Available/Available", 0)],
        shown: "Available/Available",
        decided_by: "sessions",
        winner: A,
        ..CASE
    },
    Case {
        who: "dan",
        sessions: &[(APP_A, "Available/Available", 0), (APP_B, "Busy/InACall", 0)],
        shown: "Busy/InACall",
        decided_by: "sessions",
        winner: B,
        ..CASE
    },
    Case {
        who: "eva",
        sessions: &[(APP_A, "Busy/InACall", 0), (APP_B, "DoNotDisturb/Presenting", 0)],
        shown: "DoNotDisturb/Presenting",
        decided_by: "sessions",
        winner: B,
        ..CASE
    },
    // Both sessions show the same by now: it does not matter which of them is said to win.
    Case {
        who: "finn",
        sessions: &[(APP_A, "Available/Available", 12), (APP_B, "Away/Away", 0)],
        shown: "Away/Away",
        decided_by: "sessions",
        ..CASE
    },
    Case {
        who: "grace",
        sessions: &[(APP_A, "Available/Available", 6), (APP_B, "Away/Away", 0)],
        shown: "Available/AvailableInactive",
        decided_by: "sessions",
        winner: A,
        ..CASE
    },
    Case {
        who: "hugo",
        sessions: &[(APP_A, "Away/Away", 0), (APP_B, "Available/Available", 0)],
        shown: "Available/Available",
        decided_by: "sessions",
        winner: B,
        ..CASE
    },
    Case {
        who: "iris",
        sessions: &[(APP_A, "Busy/InACall", 0)],
        preferred: Some("Available/Available"),
        shown: "Available/Available",
        decided_by: "preferred",
        winner: PREFERRED,
        ..CASE
    },
    Case {
        who: "jonas",
        sessions: &[(APP_A, "Available/Available", 0)],
        preferred: Some("Offline/OffWork"),
        shown: "Offline/OffWork",
        decided_by: "preferred",
        winner: PREFERRED,
        ..CASE
    },
    Case {
        who: "kira",
        sessions: &[(APP_A, "Available/Available", 0)],
        cleared: &[APP_A],
        preferred: Some("Busy/Busy"),
        ..CASE
    },
    Case {
        who: "leo",
        sessions: &[(APP_A, "Busy/InACall", 0), (APP_B, "Busy/InAConferenceCall", 0)],
        shown: "Busy/InAConferenceCall",
        decided_by: "sessions",
        winner: B,
        ..CASE
    },
];

/// The presence of the case's person.
fn path(case: &Case) -> String {
    presence_of(&format!("{}@porchlight.example", case.who))
}

/// An action on the case's person, by an application.
async fn act(server: &Program, case: &Case, application: &str, action: &str, body: &Value) {
    let answer =
        server.client(&format!("{application}:")).post(&format!("{}/{action}", path(case)), body).await;
    assert_eq!(answer.status, 200, "{}: {answer:?}", case.who);
}

fn state(pair: &str) -> Value {
    let (availability, activity) = pair.split_once('/').expect("a pair has a slash");
    json!({"availability": availability, "activity": activity})
}

/// Sets the sessions of everybody that are to be this old in the end.
async fn set_sessions(server: &Program, age: u32) {
    for case in &CASES {
        for (application, pair, _) in case.sessions.iter().filter(|(_, _, minutes)| *minutes == age) {
            let mut body = state(pair);
            body["sessionId"] = (*application).into();
            body["expirationDuration"] = "PT4H".into();
            act(server, case, application, "setPresence", &body).await;
        }
    }
}

#[tokio::test]
async fn every_worked_case_is_shown_and_explained() {
    let server = Program::start(&mut in_memory());
    set_sessions(&server, 12).await;
    server.advance("PT6M").await;
    set_sessions(&server, 6).await;
    server.advance("PT6M").await;
    set_sessions(&server, 0).await;
    for case in &CASES {
        if let Some(pair) = case.preferred {
            act(&server, case, APP_B, "setUserPreferredPresence", &state(pair)).await;
        }
        for application in case.cleared {
            act(&server, case, application, "clearPresence", &json!({"sessionId": application})).await;
        }
    }
    for case in &CASES {
        let person = server.client(&format!("{}:", case.who));
        let explained = person.get(&format!("{}/porchlight.explain", path(case))).await;
        assert_eq!(explained.pair(), case.shown, "{}", case.who);
        assert_eq!(person.get(&path(case)).await.pair(), case.shown, "{}", case.who);
        let explained = explained.json();
        assert_eq!(explained["decidedBy"], case.decided_by, "{explained}");
        check_layers(case, &explained);
    }
}

/// There is a layer for each that was set and lives, each with a reason, and the one that decides is said to win.
fn check_layers(case: &Case, explained: &Value) {
    let layers = explained["layers"].as_array().expect("a list");
    let living = case.sessions.len() - case.cleared.len() + usize::from(case.preferred.is_some());
    assert_eq!(layers.len(), living, "{explained}");
    assert!(
        layers.iter().all(|layer| layer["reason"].as_str().is_some_and(|why| !why.is_empty())),
        "{explained}"
    );
    let winners: Vec<&Value> = layers.iter().filter(|layer| layer["wins"] == true).collect();
    if case.decided_by == "nothing" {
        assert!(winners.is_empty(), "{explained}");
        return;
    }
    let [winner] = winners.as_slice() else { panic!("one layer decides: {explained}") };
    assert_eq!(
        (&winner["availability"], &winner["activity"]),
        (&explained["availability"], &explained["activity"])
    );
    let name = winner["applicationId"].as_str().or(winner["kind"].as_str());
    assert!(case.winner.is_none() || name == case.winner, "{explained}");
}
