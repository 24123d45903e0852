//! `/porchlight/openapi.json`, held against OpenAPI and against the program by tools that are not ours.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ended, Process, Program, in_memory, text};
use crate::tools::test_tools;

const DESCRIPTION: &str = "/porchlight/openapi.json";

/// How long a tool may take: schemathesis makes some thousand requests.
const THOROUGH: Duration = Duration::from_secs(150);

/// A server of which a read that is to be held back is answered at once, and whose webhooks need not prove themselves.
struct Server {
    program: Program,
    /// What tools write to where they are run.
    folder: TempDir,
}

impl Server {
    fn start() -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = folder.path().join("porchlight.toml");
        std::fs::write(&settings, "[limits]\nwait = \"PT0.01S\"\n").expect("the file can be written");
        let mut command = in_memory();
        command.args(["--dev-skip-validation", "--config", text(&settings)]);
        Server { program: Program::start(&mut command), folder }
    }

    async fn description(&self) -> Value {
        let answer = self.program.anonymous().get(DESCRIPTION).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// A description in a file.
    fn file(&self, description: &Value) -> PathBuf {
        let file = self.folder.path().join("openapi.json");
        std::fs::write(&file, description.to_string()).expect("the file can be written");
        file
    }

    /// A program in Python that `./test` has installed.
    fn python(&self, arguments: &[&str]) -> Command {
        let mut python = Command::new("python3");
        python.args(arguments).current_dir(self.folder.path());
        python.env("PYTHONPATH", test_tools().join("python")).env("PYTHONHASHSEED", "0");
        python
    }

    /// Schemathesis with one of its settings.
    fn schemathesis(&self, settings: &str, arguments: &[&str]) -> Ended {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi");
        let settings = folder.join(settings);
        let mut python = self.python(&["-m", "schemathesis.cli", "--config-file", text(&settings), "run"]);
        python.args(arguments).env("SCHEMATHESIS_HOOKS", folder.join("hooks.py"));
        Process::spawn(&mut python).end(THOROUGH)
    }

    /// Has it try all that its settings name, and stops the server: it is as sound as before.
    fn try_all(self, settings: &str) {
        let ended = self.schemathesis(settings, &[&format!("{}{DESCRIPTION}", self.program.url())]);
        assert_eq!(ended.code, Some(0), "{}", ended.out.join("\n"));
        let words = ended.out.iter().find(|line| line.contains(" generated, "));
        let number = words.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
        assert!(number.is_some_and(|number| number > 1_500), "{}", ended.out.join("\n"));
        self.program.stop();
    }
}

#[tokio::test]
async fn the_description_is_openapi() {
    let server = Server::start();
    let mut description = server.description().await;
    let validate = |description: &Value| {
        let file = server.file(description);
        let mut python = server.python(&["-m", "openapi_spec_validator", text(&file)]);
        Process::spawn(&mut python).end(THOROUGH)
    };
    let valid = validate(&description);
    assert_eq!(valid.code, Some(0), "{valid:?}");

    // The check is one.
    description["paths"]["/me"]["get"]["responses"] = Value::Null;
    let broken = validate(&description);
    assert_eq!(broken.code, Some(1), "{broken:?}");
}

#[tokio::test]
async fn a_user_gets_no_answer_that_is_not_described() {
    Server::start().try_all("user.toml");
}

#[tokio::test]
async fn an_application_gets_no_answer_that_is_not_described() {
    Server::start().try_all("application.toml");
}

/// The two before are checks.
#[tokio::test]
async fn a_status_and_a_member_that_are_not_described_are_noticed() {
    let server = Server::start();
    let mut description = server.description().await;
    let forget = |place: &mut Value, name: &str| {
        place.as_object_mut().expect("an object").remove(name).expect("it is described");
    };
    forget(&mut description["paths"]["/me"]["get"]["responses"], "401");
    forget(&mut description["components"]["schemas"]["User"]["properties"], "department");
    let (file, base) = (server.file(&description), format!("{}/v1.0", server.program.url()));
    let only = ["--include-operation-id", "me.getUser", "--phases", "examples,coverage"];
    let all = [&[text(&file), "--url", base.as_str()][..], &only[..]].concat();
    let ended = server.schemathesis("user.toml", &all);
    let said = ended.out.join("\n");
    assert_eq!(ended.code, Some(1), "{said}");
    for words in ["Received: 401", "'department' was unexpected"] {
        assert!(said.contains(words), "{said}");
    }
}
