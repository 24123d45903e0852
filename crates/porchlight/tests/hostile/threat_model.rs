//! `docs/SECURITY.md`: every row of its threat model names tests that are there, or says why there is none.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// What the threat model begins with; every table has the same head.
const HEADING: &str = "\n## Threats\n";
const HEAD: &str = "| Who | What they try | What stops it | Test |";

#[test]
fn every_row_of_the_threat_model_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/SECURITY.md")).expect("the page is there");
    let (_, threats) = page.split_once(HEADING).expect("it has a threat model");
    let mut known = HashSet::new();
    note_tests(&root.join("crates"), &mut known);
    let rows: Vec<&str> = threats.lines().filter(|line| line.starts_with("| ") && *line != HEAD).collect();
    assert!(rows.len() >= 30, "{}", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        let tests = cells[3];
        if tests.starts_with("none: ") {
            continue;
        }
        for name in tests.split(", ") {
            let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap_or_default();
            assert!(known.contains(name), "there is no test '{name}': {row}");
        }
    }
}

/// Notes the names of all tests in this folder and those below.
fn note_tests(folder: &Path, known: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder can be listed") {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() {
            note_tests(&path, known);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source can be read");
            known.extend(tests_of(&text).map(str::to_owned));
        }
    }
}

/// The names of the functions in a source that are marked as tests.
fn tests_of(source: &str) -> impl Iterator<Item = &str> {
    let mut is_marked = false;
    source.lines().filter_map(move |line| {
        let line = line.trim_start();
        is_marked |= line == "#[test]" || line.starts_with("#[tokio::test");
        let line = line.strip_prefix("async ").unwrap_or(line);
        let (name, _) = line.strip_prefix("fn ")?.split_once('(')?;
        std::mem::take(&mut is_marked).then_some(name)
    })
}
