//! Programs that are not ours, over https: Microsoft's SDKs and curl as the `graph` examples use them, each as it stands
//! there, and Microsoft's libraries for signing in.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use porchlight_testkit::{ADA, DEMO, TENANT};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Ended, ME, PATIENCE, Process, Program, in_folder};
use crate::tools::test_tools;

/// What each of the examples prints.
const PRINTED: [&str; 10] = [
    "signed in as Ada Lovelace",
    "before: Offline/Offline",
    "set: Busy/InACall - Talking about the release",
    "engineering: Dan Weber Offline/Offline",
    "engineering: Ada Lovelace Busy/InACall",
    "engineering: Finn Larsen Offline/Offline",
    "batch: 200 200 200",
    "subscribed to communications/presences/8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01",
    "told: DoNotDisturb/Presenting",
    "after: Offline/Offline - no message",
];

/// A development server with a data folder of its own.
struct Place {
    // Gone before its folder is.
    server: Program,
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = in_folder(&folder.path().join("data"));
        Place { server: Program::start(command.args(["--log-format", "json"])), folder }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.server.https_address().port())
    }

    /// The certificate of the authority that vouches for the server.
    fn authority(&self) -> PathBuf {
        self.folder.path().join("data/development/ca.pem")
    }

    /// Python, with the libraries that `./test` has installed, and told whom to trust as `porchlight trust` says.
    fn python(&self, script: &Path) -> Command {
        let mut command = direct("python3");
        command.arg(script).env("PYTHONPATH", test_tools().join("python"));
        command.env("SSL_CERT_FILE", self.authority()).env("REQUESTS_CA_BUNDLE", self.authority());
        command
    }

    /// The same of Node.js. Its modules are looked for beside the script, so this is a copy that has them there.
    fn node(&self, script: &Path) -> Command {
        let modules = self.folder.path().join("node_modules");
        symlink(test_tools().join("node_modules"), modules).expect("the link can be made");
        let copy = self.folder.path().join("script.mjs");
        fs::copy(script, &copy).expect("the script can be copied");
        let mut command = direct("node");
        command.arg(copy).current_dir(self.folder.path()).env("NODE_EXTRA_CA_CERTS", self.authority());
        command
    }

    /// Runs an example, and holds it to what it prints, and the server to what has been done there.
    async fn holds(self, example: &mut Command) {
        let ended = end(example);
        assert_eq!(
            (ended.code, ended.out.as_slice()),
            (Some(0), PRINTED.map(String::from).as_slice()),
            "{ended:?}"
        );

        let ada = self.server.client("ada:");
        let explained = ada.get(&format!("{ME}/porchlight.explain")).await.json();
        assert_eq!(explained["layers"], json!([]), "nothing is left of Ada's presence");
        let subscriptions = ada.get("/v1.0/subscriptions").await.json();
        assert_eq!(subscriptions["value"], json!([]), "nor a subscription");

        let log = self.server.stop().err;
        let writes: Vec<Value> = log.iter().filter_map(|line| written(line)).collect();
        let (person, application) = (json!(ADA), Value::Null);
        let expected = [
            json!([application, "setPresence", "Busy/InACall"]),
            json!([person, "setStatusMessage", "Busy/InACall"]),
            json!([person, "setStatusMessage", "Busy/InACall"]),
            json!([person, "subscribe", null]),
            json!([application, "setPresence", "DoNotDisturb/Presenting"]),
            json!([person, "unsubscribe", null]),
            json!([application, "clearPresence", "Offline/Offline"]),
            json!([person, "setStatusMessage", "Offline/Offline"]),
        ];
        assert_eq!(writes, expected, "{log:#?}");
    }

    /// Lets a script sign in as Ada with a device code, and as Ben on the page.
    fn signs_in(&self, script: &mut Command) {
        let ended = end(script.arg(self.url()).args([TENANT, DEMO, "ben@porchlight.example"]));
        let expected = [
            "device code ada@porchlight.example",
            "authorization code ben@porchlight.example",
            "refresh token ben@porchlight.example",
        ];
        assert_eq!(
            (ended.code, ended.out.as_slice()),
            (Some(0), expected.map(String::from).as_slice()),
            "{ended:?}"
        );
    }
}

/// A command on this side of whatever proxy this machine has.
fn direct(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("no_proxy", "localhost,127.0.0.1");
    command
}

/// Runs a program to its end. To load an SDK alone takes Python some seconds.
fn end(command: &mut Command) -> Ended {
    Process::spawn(command).end(2 * PATIENCE)
}

/// Who has done what, and what was seen of the person afterwards, if this line of the log is that of a write.
fn written(line: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    assert_ne!(line["outcome"], "refused", "{line}");
    (line["target"] == "porchlight::write").then(|| json!([line["by"], line["action"], line["after"]]))
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(name)
}

#[tokio::test]
async fn microsofts_sdk_for_python_works_unmodified() {
    let place = Place::new();
    let mut python = place.python(&example("python/graph.py"));
    python.arg(place.url());
    place.holds(&mut python).await;
}

#[tokio::test]
async fn microsofts_client_for_javascript_works_unmodified() {
    let place = Place::new();
    let mut node = place.node(&example("javascript/graph.mjs"));
    node.arg(place.url());
    place.holds(&mut node).await;
}

#[tokio::test]
async fn curl_does_by_hand_what_the_sdks_do() {
    let place = Place::new();
    let mut bash = direct("bash");
    bash.arg(example("curl/graph.sh")).arg(place.url()).arg(place.authority());
    place.holds(&mut bash).await;
}

#[test]
fn msal_for_python_signs_people_in() {
    let place = Place::new();
    place.signs_in(&mut place.python(&script("sign-in.py")));
}

#[test]
fn msal_for_node_signs_people_in() {
    let place = Place::new();
    place.signs_in(&mut place.node(&script("sign-in.mjs")));
}

/// The blocks of code under each heading of the page that links to an example, with that example's name.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for section in page.split("\n## ") {
        let Some((_, rest)) = section.split_once("](../examples/") else { continue };
        let (name, rest) = rest.split_once(')').expect("a link ends");
        let fenced = rest.split("```").skip(1).step_by(2);
        // The language stands behind the fence; what is typed into a shell is no part of a program.
        let code = fenced.filter_map(|block| block.split_once('\n'));
        found.extend(code.filter(|(language, _)| *language != "sh").map(|(_, code)| (name, code)));
    }
    found
}

#[test]
fn the_page_about_languages_shows_what_stands_in_the_examples() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/LANGUAGES.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let blocks = blocks(&page);
    assert!(!blocks.is_empty(), "{page}");
    for (name, code) in blocks {
        let program = fs::read_to_string(example(name)).expect("the example is there");
        assert!(program.contains(code), "this is not in {name}:\n{code}");
    }
}
