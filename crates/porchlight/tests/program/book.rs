//! The book in `docs/`: what its pages say that can be typed is typed, and it can be built.
//!
//! A block whose fence says `sh,run` is run, in a README too. Those of one page are run from the top, in one shell, by a
//! development server that knows nothing of the page before. The block right behind it is what it prints; without one
//! it prints nothing. Nothing may be printed on standard error. What differs from run to run is compared like this:
//!
//! - `…` is anything, also nothing;
//! - white space does not count, so that long answers can be broken into lines;
//! - every id but those of development mode, every instant, every `sequenceNumber` and every revision is like any other;
//! - the server is called `http://127.0.0.1:8080`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use porchlight_testkit::{ADA, BEN, DEMO, TENANT};
use serde_json::json;

use crate::page::{Page, root};
use crate::support::{Ended, PATIENCE, Process, Program, RESET, in_memory, run};
use crate::tools::test_tools;

/// What the pages call the server.
const SERVER: &str = "http://127.0.0.1:8080";

/// The mark of a block that is run.
const RUN: &str = "sh,run";

/// Pages that would be of little use without something to try.
const WITH_EXAMPLES: [&str; 9] = [
    "README.md",
    "QUICK-START.md",
    "CONCEPTS.md",
    "API.md",
    "READING.md",
    "SETTING.md",
    "BEING-TOLD.md",
    "SCIM.md",
    "FAQ.md",
];

/// What is typed, and what is then to be seen.
struct Step {
    typed: String,
    printed: String,
}

/// What of a page can be run.
fn steps(page: &Page) -> Vec<Step> {
    let blocks = page.blocks();
    let mut steps = Vec::new();
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| block.info == RUN) {
        let next = blocks.get(at + 1).filter(|next| next.follows && next.info != RUN);
        let printed = next.map(|next| next.text.clone()).unwrap_or_default();
        steps.push(Step { typed: block.text.clone(), printed });
    }
    steps
}

/// Runs the steps of a page, and says what went otherwise than it stands there.
async fn try_page(server: &Program, page: &Page) -> Vec<String> {
    let steps = steps(page);
    let answer = server.anonymous().post(RESET, &json!({})).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let ended = type_all(server, &steps, folder.path());
    let mut wrong = Vec::new();
    if ended.code != Some(0) {
        wrong.push(format!("{}: it did not come to its end: {ended:?}", page.name()));
    }
    for (at, step) in steps.iter().enumerate() {
        let said =
            |end: &str| fs::read_to_string(folder.path().join(format!("{at}.{end}"))).unwrap_or_default();
        let (out, err) = (said("out").replace(&server.url(), SERVER), said("err"));
        if !err.is_empty() || !is_as(&step.printed, &out) {
            let Step { typed, printed } = step;
            wrong.push(format!(
                "{}:\n{typed}---- is to print\n{printed}---- and prints\n{out}{err}",
                page.name()
            ));
        }
    }
    wrong
}

/// Types everything into one shell. What each step says is in `{step}.out` and `{step}.err` of the folder.
fn type_all(server: &Program, steps: &[Step], folder: &Path) -> Ended {
    let typed = steps.iter().map(|step| step.typed.replace(SERVER, &server.url()));
    let typed = typed.enumerate().map(|(at, typed)| format!("exec >{at}.out 2>{at}.err\n{typed}"));
    let script = typed.chain(["exit 0\n".to_owned()]).collect::<Vec<_>>().concat();
    fs::write(folder.join("page.sh"), script).expect("it can be written");
    // Whoever looks at curl in a terminal sees no progress either.
    fs::write(folder.join(".curlrc"), "silent\nshow-error\n").expect("it can be written");
    symlink(root().join("examples"), folder.join("examples")).expect("the link can be made");
    let programs = Path::new(env!("CARGO_BIN_EXE_porchlight")).parent().expect("it is in a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    // This one ends all that was started, too, before whoever waits for it loses patience.
    let mut command = Command::new("timeout");
    command.args(["--kill-after=1", "50", "bash", "page.sh"]).current_dir(folder);
    command.env("PATH", format!("{}:{path}", programs.display())).env("PORCHLIGHT_URL", server.url());
    command.env("CURL_HOME", folder).env("NO_COLOR", "1").env("no_proxy", "localhost,127.0.0.1");
    Process::spawn(&mut command).end(2 * PATIENCE)
}

/// Whether what was printed is what was to be.
fn is_as(expected: &str, printed: &str) -> bool {
    let (expected, printed) = (masked(expected), masked(printed));
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

/// The text without white space, and with a word in place of what differs from run to run.
fn masked(text: &str) -> String {
    let text: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    let mut masked = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(letter) = rest.chars().next() {
        let (length, word) = fleeting(rest).unwrap_or((letter.len_utf8(), ""));
        masked.push_str(if word.is_empty() { &rest[..length] } else { word });
        rest = &rest[length..];
        if masked.ends_with("porchlight-revision:") || masked.ends_with("\"porchlight-revision\":\"") {
            rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        }
    }
    masked
}

/// How many bytes at the beginning of the text are another time something else, and what stands for them.
fn fleeting(text: &str) -> Option<(usize, &'static str)> {
    let known = |id: &str| [ADA, BEN, DEMO, TENANT].contains(&id);
    if let Some(id) = shape(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") {
        return (!known(id)).then_some((id.len(), "{id}"));
    }
    if let Some(number) = shape(text, "A99999999999999") {
        return Some((number.len(), "{sequenceNumber}"));
    }
    let instant = shape(text, "9999-99-99T99:99:99")?;
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &text[instant.len()..];
    let fraction = rest.strip_prefix('.').map_or(0, |rest| 1 + digits(rest));
    let zone = usize::from(rest[fraction..].starts_with('Z'));
    Some((instant.len() + fraction + zone, "{instant}"))
}

/// The beginning of the text if it is of this form: `x` is a hexadecimal digit, `9` a decimal one.
fn shape<'t>(text: &'t str, form: &str) -> Option<&'t str> {
    let beginning = text.get(..form.len())?;
    let fits = |(found, wanted): (u8, u8)| match wanted {
        b'x' => found.is_ascii_hexdigit(),
        b'9' => found.is_ascii_digit(),
        _ => found == wanted,
    };
    beginning.bytes().zip(form.bytes()).all(fits).then_some(beginning)
}

#[tokio::test]
async fn whatever_is_marked_as_runnable_prints_what_stands_below_it() {
    let server = Program::start(in_memory().arg("--dev-skip-validation"));
    let mut wrong = Vec::new();
    for page in Page::all("docs").into_iter().chain([Page::read(&root().join("README.md"))]) {
        let is_bare = steps(&page).is_empty();
        if is_bare && WITH_EXAMPLES.contains(&page.name()) {
            wrong.push(format!("{} has nothing to try", page.name()));
        }
        if !is_bare {
            wrong.extend(try_page(&server, &page).await);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_differs_from_run_to_run_is_passed_over_and_nothing_else() {
    let (one, two) = ("0b9b7a52-0a5b-4a39-8a3c-6d1c1e7f9d40", "6f3b0f8e-9c55-4b0a-8f43-0d7d3f2b9a10");
    for (expected, printed) in [
        ("", " \n"),
        ("{\"a\": 1,\n \"b\": 2}\n", "{\"a\":1,\"b\":2}"),
        (one, two),
        ("A01795803858141", "A00000000000000"),
        ("\"2026-11-27T18:24:18.1410000Z\"", "\"2027-01-01T00:00:00\""),
        ("porchlight-revision: 26\nrest", "porchlight-revision: 1234\r\nrest"),
        ("\"porchlight-revision\":\"30\"", "\"porchlight-revision\":\"7\""),
        ("a … d … f", "a b c d e f"),
        ("…", "anything"),
        ("a…", "a"),
    ] {
        assert!(is_as(expected, printed), "{expected} {printed}");
    }
    for (expected, printed) in [
        ("", "a"),
        ("a", ""),
        (ADA, BEN),
        (ADA, one),
        ("A01795803858141", "B01795803858141"),
        ("content-length: 0", "content-length: 1"),
        ("a … d … f", "a b c f"),
        ("a…b", "a b c"),
        ("…b", "a"),
    ] {
        assert!(!is_as(expected, printed), "{expected} {printed}");
    }
}

#[test]
fn the_book_can_be_built_and_has_every_page_and_heading() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut mdbook = Command::new(test_tools().join("mdbook/bin/mdbook"));
    let built = run(mdbook.arg("build").arg(root().join("docs")).arg("--dest-dir").arg(folder.path()));
    assert_eq!(built.code, Some(0), "{built:?}");
    let complains = |line: &String| line.contains("WARN") || line.contains("ERROR");
    assert!(!built.err.iter().any(complains), "{built:?}");
    for page in Page::all("docs").iter().filter(|page| page.name() != "SUMMARY.md") {
        let html = folder.path().join(page.name()).with_extension("html");
        let html = fs::read_to_string(&html).unwrap_or_else(|error| panic!("{}: {error}", html.display()));
        for anchor in page.anchors() {
            assert!(html.contains(&format!("id=\"{anchor}\"")), "{}: #{anchor}", page.name());
        }
    }
}
