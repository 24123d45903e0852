//! Scripts of this folder, each of which has a browser.

#![expect(clippy::print_stderr, reason = "what a script has found is worth knowing when it passes, too")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::Process;
use crate::tools::test_tools;

/// A running script. Killed when dropped, and its browser ends with it.
pub(crate) struct Script(Process);

impl Script {
    /// Starts a script with these arguments.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Script {
        let tools = test_tools();
        let pictures = tools.with_file_name("board");
        fs::create_dir_all(&pictures).expect("the folder can be made");
        let mut node = Command::new("node");
        node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/board").join(name)).args(arguments);
        node.env("NODE_PATH", tools.join("node_modules")).env("PICTURES", pictures);
        Script(Process::spawn(&mut node))
    }

    /// Returns when the script has said this line.
    pub(crate) fn says(&self, line: &str) {
        let said = self.0.out.find(|lines| lines.iter().any(|said| said == line).then_some(()));
        let heard = || [self.0.out.lines(), self.0.err.lines()].concat().join("\n");
        assert!(said.is_some(), "it has not said '{line}':\n{}", heard());
    }

    /// Waits for its end, and holds it to its success.
    pub(crate) fn passes(self, within: Duration) {
        let ended = self.0.end(within);
        let said = [ended.out, ended.err].concat().join("\n");
        eprintln!("{said}");
        assert_eq!(ended.code, Some(0), "the script has failed:\n{said}");
    }
}
