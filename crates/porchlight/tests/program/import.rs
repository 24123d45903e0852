//! `porchlight import`: people of a CSV file in a running server.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ended, Program, in_memory, porchlight, refusal, run, text};

const WRONG: i32 = 64;
const DATA: i32 = 65;
const UNAVAILABLE: i32 = 69;
const NOT_PERMITTED: i32 = 77;

const MIA: &str = "7a1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a77";

/// As Entra ID exports it, with a column that means nothing here.
const PEOPLE: &str = "\u{feff}userPrincipalName,displayName,surname,mail,givenName,objectId,userType,jobTitle,department,accountEnabled\r\n\
    mia@porchlight.example,\"Chen, Mia\",Chen,mia.chen@porchlight.example,Mia,7a1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a77,Member,Engineer,Engineering,True\r\n\
    ada@porchlight.example,,,,,,Member,Countess,,\r\n\
    ben@porchlight.example,,,,,,Member,,,false\r\n";

/// A server, and a file for it.
struct Stage {
    server: Program,
    folder: TempDir,
}

impl Stage {
    fn new() -> Stage {
        Stage { server: Program::start(&mut in_memory()), folder: tempfile::tempdir().expect("a folder") }
    }

    fn file(&self, content: &str) -> PathBuf {
        let file = self.folder.path().join("people.csv");
        fs::write(&file, content).expect("it can be written");
        file
    }

    /// Imports this as Ada.
    fn import(&self, content: &str, arguments: &[&str]) -> Ended {
        let file = self.file(content);
        let mut command = porchlight(&["import", text(&file), "--url", &self.server.url(), "--as", "ada"]);
        run(command.args(arguments))
    }

    /// What the last line says behind the name of the file.
    fn outcome(&self, content: &str, arguments: &[&str]) -> String {
        let said = self.import(content, arguments).answer();
        let last = said.lines().last().and_then(|line| line.split_once("people.csv: "));
        last.unwrap_or_else(|| panic!("{said}")).1.to_owned()
    }

    async fn person(&self, name: &str) -> Value {
        let select = "$select=id,displayName,givenName,surname,mail,jobTitle,department,accountEnabled";
        let path = format!("/v1.0/users/{name}@porchlight.example?{select}");
        self.server.client("ada:").get(&path).await.json()
    }
}

#[tokio::test]
async fn people_are_put_in_and_changed_and_the_second_time_left_alone() {
    let stage = Stage::new();
    let planned = stage.import(PEOPLE, &["--dry-run"]).answer();
    let expected = [
        "put in  mia@porchlight.example",
        "change  ada@porchlight.example: jobTitle",
        "change  ben@porchlight.example: accountEnabled",
        "passed over: userType",
    ];
    assert_eq!(planned.lines().take(4).collect::<Vec<_>>(), expected, "{planned}");
    assert!(planned.ends_with("would put in 1, change 2, leave 0 as they are"), "{planned}");
    assert_eq!(stage.person("mia").await["error"]["code"], "Request_ResourceNotFound", "nothing was done");

    assert_eq!(stage.outcome(PEOPLE, &[]), "1 put in, 2 changed, 0 left as they were");
    let mia = stage.person("mia").await;
    for (member, value) in [
        ("id", MIA),
        ("displayName", "Chen, Mia"),
        ("givenName", "Mia"),
        ("surname", "Chen"),
        ("mail", "mia.chen@porchlight.example"),
        ("jobTitle", "Engineer"),
        ("department", "Engineering"),
    ] {
        assert_eq!(mia[member], value, "{mia}");
    }
    let (ada, ben) = (stage.person("ada").await, stage.person("ben").await);
    assert_eq!((ada["jobTitle"].as_str(), ben["accountEnabled"].as_bool()), (Some("Countess"), Some(false)));
    assert!(ada["givenName"].is_string(), "an empty cell says nothing: {ada}");

    assert_eq!(stage.outcome(PEOPLE, &[]), "0 put in, 0 changed, 3 left as they were");
    let document: Value = serde_json::from_str(&stage.import(PEOPLE, &["--json"]).answer()).expect("JSON");
    assert_eq!(document["putIn"], 0, "{document}");
    assert_eq!(document["same"], 3, "{document}");

    // What they are called by from outside need not be their id.
    let zed = "upn,id,externalId\nzed@porchlight.example,7a1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a99,emp-1\n";
    assert_eq!(stage.outcome(zed, &[]), "1 put in, 0 changed, 0 left as they were");
    assert_eq!(stage.outcome(zed, &[]), "0 put in, 0 changed, 1 left as they were");
}

#[tokio::test]
async fn nothing_is_written_of_a_file_with_a_wrong_row_unless_it_may_be_left_out() {
    let stage = Stage::new();
    let content = "upn,displayName,id\nzoe@porchlight.example,Zoe,\nno\u{1b}body,Nobody,\nada@porchlight.example,Ada,\
                   11111111-2222-4333-8444-555555555555\n";
    let ended = stage.import(content, &[]);
    let said = ended.complaint(DATA);
    assert!(
        said[0].ends_with(
            "people.csv, line 3, column 1 (upn): 'no body' is no user principal name such as mia@example.org"
        ),
        "{said:#?}"
    );
    assert!(said[1].ends_with("people.csv: 1 mistake; nothing was written: mend the file, or leave wrong rows out by --skip-wrong"), "{said:#?}");
    assert_eq!(stage.person("zoe").await["error"]["code"], "Request_ResourceNotFound");

    let ended = stage.import(content, &["--skip-wrong"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.out[0].ends_with("1 put in, 0 changed, 0 left as they were, 2 mistakes left out"),
        "{ended:?}"
    );
    assert!(ended.err[1].contains("line 4: ada@porchlight.example is there with another id, "), "{ended:?}");
    assert_eq!(stage.person("zoe").await["displayName"], "Zoe");
}

#[tokio::test]
async fn who_may_not_and_what_is_not_there_is_told_by_the_exit_code() {
    let stage = Stage::new();
    let file = stage.file("upn\nzoe@porchlight.example\n");
    let import = |more: &[&str]| run(porchlight(&["import", text(&file)]).args(more));
    let (url, reader) = (stage.server.url(), "dev:ada:User.Read.All");
    let refused = import(&["--url", &url, "--token", reader]);
    assert_eq!(refused.code, Some(NOT_PERMITTED), "{refused:?}");
    assert!(refused.err.iter().any(|line| line.contains("line 2, zoe@porchlight.example: ")), "{refused:?}");
    assert!(refused.err.iter().any(|line| line.contains("0 of 1 were done")), "{refused:?}");
    assert!(refused.err.iter().any(|line| line.contains(": 403, request ")), "{refused:?}");
    assert_eq!(import(&["--url", "http://127.0.0.1:1", "--as", "ada"]).code, Some(UNAVAILABLE));
    let without_name = stage.import("displayName\nZoe\n", &[]);
    let message = refusal(&without_name, WRONG);
    assert!(
        message.ends_with("no column is called userPrincipalName; its first row names displayName"),
        "{message}"
    );
}
