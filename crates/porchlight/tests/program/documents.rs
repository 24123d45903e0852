//! What the documents list is what the program has: limits with their defaults, flags, variables and keys. Metrics are
//! in `metrics.rs`.

use std::path::Path;

use serde_json::Value;

use crate::support::{Program, in_memory, porchlight, run};

/// A document, whole.
pub(crate) fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(path).expect("the document is there")
}

/// The cells of the first row whose first cell names this.
fn row<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let named = format!("`{name}`");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    let found = rows.map(|row| row.split(" | ").collect::<Vec<_>>()).find(|cells| cells[0].contains(&named));
    found.unwrap_or_else(|| panic!("no row names {name}"))
}

#[tokio::test]
async fn every_limit_is_documented_with_its_default() {
    let server = Program::start(&mut in_memory());
    let answer = server.anonymous().get("/porchlight/limits").await.json();
    let limits = answer["limits"].as_array().expect("a list of limits");
    assert!(limits.len() > 50, "{answer}");
    let page = document("LIMITS.md");
    for limit in limits {
        let name = limit["name"].as_str().expect("a name");
        // What stands behind a semicolon is the other profile's.
        let default = row(&page, name)[1].split(';').next().unwrap_or_default().to_owned();
        let value = match &limit["value"] {
            // What is not there unless it is set.
            Value::Null => continue,
            Value::String(value) => value.clone(),
            value => value.to_string(),
        };
        assert_eq!(default, value, "{name}");
    }
}

#[test]
fn every_flag_and_variable_of_serve_is_documented() {
    let help = run(&mut porchlight(&["serve", "--help"])).answer();
    let first_after = |line: &str, prefix: &str, end: &[char]| {
        let rest = line.trim_start().strip_prefix(prefix)?;
        Some(rest.split(end).next().unwrap_or_default().to_owned())
    };
    let flags: Vec<String> = help.lines().filter_map(|line| first_after(line, "--", &[' '])).collect();
    // What a variable may hold that is a secret is not shown, and then there is no equals sign.
    let variables = help.lines().filter_map(|line| first_after(line, "[env: ", &['=', ']']));
    let variables: Vec<String> = variables.collect();
    assert!(flags.len() > 10, "{help}");
    assert_eq!(flags.len(), variables.len(), "{help}");
    let page = document("CONFIGURATION.md");
    for flag in flags {
        let is_there = [' ', '`'].iter().any(|end| page.contains(&format!("| `--{flag}{end}")));
        assert!(is_there, "docs/CONFIGURATION.md has no row of --{flag}");
    }
    for variable in variables {
        assert!(page.contains(&format!("| `{variable}`")), "docs/CONFIGURATION.md does not name {variable}");
    }
}

#[test]
fn the_file_of_every_key_is_the_one_that_config_init_writes() {
    let template = run(&mut porchlight(&["config", "init"])).answer();
    let page = document("CONFIGURATION.md");
    let mut blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("\n```"));
    assert!(blocks.any(|(block, _)| block == template), "docs/CONFIGURATION.md shows another one");
}
