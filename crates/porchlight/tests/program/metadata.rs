//! `$metadata`, held against what the server says by a CSDL parser that is not ours.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use porchlight_testkit::{ADA, APP_A, BEN};
use serde_json::{Value, json};

use crate::support::{Ended, ME, Program, in_memory, presence_of, run};
use crate::tools::test_tools;

const PRESENCE: &str = "microsoft.graph.presence";
const USER: &str = "microsoft.graph.user";
const EXPLANATION: &str = "porchlight.explanation";

/// Which members are objects, and of which type.
const NESTED: [(&str, &str, &str); 6] = [
    (PRESENCE, "outOfOfficeSettings", "microsoft.graph.outOfOfficeSettings"),
    (PRESENCE, "statusMessage", "microsoft.graph.presenceStatusMessage"),
    (PRESENCE, "workLocation", "microsoft.graph.userWorkLocation"),
    ("microsoft.graph.presenceStatusMessage", "message", "microsoft.graph.itemBody"),
    ("microsoft.graph.presenceStatusMessage", "expiryDateTime", "microsoft.graph.dateTimeTimeZone"),
    (EXPLANATION, "layers", "porchlight.layer"),
];

/// The members that were seen, by the type that they were seen on.
type Seen = BTreeMap<&'static str, BTreeSet<String>>;

/// Notes the members of an object, or of every object in a list, and of the objects in them.
fn note(seen: &mut Seen, kind: &'static str, value: &Value) {
    for value in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
        // Annotations are OData's own and are declared nowhere.
        let members = value.as_object().into_iter().flatten().filter(|(name, _)| !name.contains('@'));
        for (name, value) in members {
            seen.entry(kind).or_default().insert(name.clone());
            let nested = NESTED.iter().find(|(outer, member, _)| *outer == kind && member == name);
            match nested {
                Some(&(_, _, inner)) => note(seen, inner, value),
                None => assert!(!value.is_object() && !value.is_array(), "{kind} has {name}, of which type?"),
            }
        }
    }
}

/// Notes what a body shows, of whatever type; errors have none, and what is in a batch says so itself.
fn note_body(seen: &mut Seen, body: &Value) {
    let Some(context) = body["@odata.context"].as_str() else {
        let members = body.as_object().into_iter().flat_map(|members| members.values());
        for inner in members.chain(body.as_array().into_iter().flatten()) {
            note_body(seen, inner);
        }
        return;
    };
    let kind = match context.split_once("$metadata").map(|(_, about)| about) {
        // The service document is OData's own.
        Some("") => return,
        Some("#porchlight.explanation") => EXPLANATION,
        Some(about) if about.contains("presence") => PRESENCE,
        Some(about) if about.starts_with("#users") => USER,
        _ => panic!("of which type is {body}?"),
    };
    // What is in a list is in its value.
    note(seen, kind, body.get("value").unwrap_or(body));
}

/// The bodies in the inline snapshots of the conformance tests.
fn snapshots() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/snapshots.rs");
    let source = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let body = |part: &str| {
        let text = part.trim_start_matches('#');
        let hashes = &part[..part.len() - text.len()];
        let text = text.strip_prefix('"')?.split_once(&format!("\"{hashes}"))?.0;
        Some(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")))
    };
    source.split(", @r").skip(1).filter_map(body).collect()
}

/// Gives Ada everything that a presence can have, and collects what is said about it in every place.
async fn seen(server: &Program) -> Seen {
    let ada = server.client(&format!("ada@{APP_A}:"));
    let session = json!({"sessionId": APP_A, "availability": "Busy", "activity": "InACall"});
    assert_eq!(ada.post(&format!("{ME}/setPresence"), &session).await.status, 200);
    let location = json!({"workLocationType": "remote"});
    assert_eq!(ada.post(&format!("{ME}/setAutomaticLocation"), &location).await.status, 204);
    let body = json!({
        "availability": "Busy",
        "statusMessage": {
            "message": {"content": "In the lab", "contentType": "text"},
            "expiryDateTime": {"dateTime": "2100-01-01T00:00:00", "timeZone": "UTC"},
        },
        "outOfOfficeSettings": {"isOutOfOffice": true, "message": "Ask Ben"},
        "workLocation": {"workLocationType": "office", "placeId": "desk 7"},
    });
    let full = server.client("ben:").header("accept", "application/json;odata.metadata=full");
    let ids = json!({"ids": [ADA, "99999999-0000-4000-8000-000000000009"]});
    let bodies = [
        ada.patch(ME, &body).await,
        ada.get(ME).await,
        ada.get(&presence_of(BEN)).await,
        full.get(&presence_of(ADA)).await,
        ada.get("/v1.0/communications/presences").await,
        ada.post("/v1.0/communications/getPresencesByUserId", &ids).await,
        ada.get(&format!("{ME}/porchlight.explain")).await,
        ada.get("/v1.0/me").await,
        ada.get("/v1.0/users?$select=id,accountEnabled").await,
    ];
    let mut seen = Seen::new();
    for answer in bodies {
        assert_eq!(answer.status, 200, "{answer:?}");
        note_body(&mut seen, &answer.json());
    }
    seen
}

/// The folder in which `./test` has installed the parser.
fn parser() -> PathBuf {
    let modules = test_tools().join("node_modules");
    let found = modules.join("odata-csdl/package.json").is_file();
    assert!(found, "no CSDL parser in {}: run ./test, which installs it there", modules.display());
    modules
}

/// Holds these metadata against these members.
fn check(metadata: &str, seen: &Seen) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    let (xml, members) = (folder.path().join("metadata.xml"), folder.path().join("members.json"));
    let list: Vec<Value> =
        seen.iter().map(|(kind, members)| json!({"type": kind, "members": members})).collect();
    std::fs::write(&xml, metadata).expect("the file can be written");
    std::fs::write(&members, Value::from(list).to_string()).expect("the file can be written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/csdl/check.mjs");
    let mut node = Command::new("node");
    node.arg(script).args([xml, members]).env("NODE_PATH", parser()).current_dir(folder.path());
    run(&mut node)
}

#[tokio::test]
async fn the_metadata_are_csdl_and_declare_every_member_that_is_ever_sent() {
    let server = Program::start(&mut in_memory());
    let answer = server.anonymous().get("/v1.0/$metadata").await;
    let metadata = String::from_utf8(answer.body.to_vec()).expect("XML in UTF-8");
    let mut seen = seen(&server).await;
    let snapshots = snapshots();
    assert!(snapshots.len() >= 10, "{} snapshots", snapshots.len());
    for body in &snapshots {
        note_body(&mut seen, body);
    }
    let kinds: BTreeSet<&str> = seen.keys().copied().collect();
    let expected: BTreeSet<&str> =
        NESTED.iter().flat_map(|(outer, _, inner)| [*outer, *inner]).chain([USER]).collect();
    assert_eq!(kinds, expected, "every type has been seen");
    assert_eq!(seen["porchlight.layer"].len(), 11, "{seen:?}");
    assert_eq!(check(&metadata, &seen).answer(), "");

    // The check is one: it finds a member that nobody has declared, wherever it stands, and a type that is not there.
    for kind in expected {
        let mut more = seen.clone();
        more.entry(kind).or_default().insert("mood".to_owned());
        let faults = check(&metadata, &more);
        assert_eq!(
            (faults.code, faults.err),
            (Some(1), vec![format!("member mood is not declared on {kind}")])
        );
    }
    let dangling = metadata.replace("Type=\"graph.itemBody\"", "Type=\"graph.nobody\"");
    let faults = check(&dangling, &seen);
    assert_eq!(faults.code, Some(1), "{faults:?}");
    assert!(faults.err.iter().any(|line| line.contains("graph.nobody, which is not declared")), "{faults:?}");
    assert_eq!(check("<edmx:Edmx>", &seen).code, Some(1));
}
