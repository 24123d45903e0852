//! The tests that the board's modules have of their own, which need no browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::run;

#[test]
fn the_boards_modules_pass_their_own_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../http/src/board/tests");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = entries.map(|entry| entry.expect("a folder can be listed").path());
    let mut tests: Vec<PathBuf> =
        files.filter(|file| file.to_string_lossy().ends_with(".test.mjs")).collect();
    tests.sort();
    assert!(!tests.is_empty(), "no tests are in {}", folder.display());
    let ended = run(Command::new("node").args(["--test", "--test-reporter", "spec"]).args(&tests));
    let said = [ended.out, ended.err].concat().join("\n");
    assert_eq!(ended.code, Some(0), "{said}");
}
