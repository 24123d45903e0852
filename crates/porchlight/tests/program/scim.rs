//! SCIM, held against its RFCs by a client and checker that are not ours.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use porchlight_testkit::APP_A;

use crate::support::{Ended, Program, in_memory, run};
use crate::tools::test_tools;

/// Has the checker look at the server with a token that has these permissions.
fn check(server: &Program, permissions: &str) -> Ended {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scim/check.py");
    let mut python = Command::new("python3");
    python.arg(script).arg(format!("{}/porchlight/scim/v2", server.url()));
    python.arg(format!("dev:{APP_A}:{permissions}"));
    run(python.env("PYTHONPATH", test_tools().join("python")))
}

#[tokio::test]
async fn an_independent_checker_finds_nothing_to_complain_of() {
    let server = Program::start(&mut in_memory());
    let answer = check(&server, "User.ReadWrite.All").answer();
    let checks: BTreeMap<String, usize> = serde_json::from_str(&answer).expect("counts by name");
    // It has looked at all that it can look at.
    for (name, least) in [
        ("service_provider_config_endpoint", 1),
        ("access_schema_by_id", 2),
        ("object_creation", 1),
        ("object_query_with_attributes", 2),
        ("search_with_attributes", 2),
        ("object_replacement", 1),
        ("object_deletion", 1),
        ("check_add_attribute", 6),
        ("check_remove_attribute", 6),
        ("check_replace_attribute", 9),
    ] {
        assert!(checks.get(name).is_some_and(|count| *count >= least), "{name}: {checks:?}");
    }

    // The check is one: it notices that somebody who may only read puts nobody in.
    let reader = check(&server, "User.Read.All");
    assert_eq!(reader.code, Some(1), "{reader:?}");
    assert!(reader.err.iter().any(|line| line.starts_with("ERROR object_creation: ")), "{reader:?}");
}
