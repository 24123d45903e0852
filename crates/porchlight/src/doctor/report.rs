//! How findings are shown: a line each, and what to do below it; or as JSON.

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::finding::{Finding, State};
use crate::table::harmless;
use crate::{colour, say};

/// Shows everything that was found, for people or, with `json`, for programs.
pub(super) fn show(findings: &[Finding], json: bool) {
    if json {
        say(&document(findings).to_string());
    } else {
        say(&text(findings, colour::is_wanted()));
    }
}

/// Everything in one object.
pub(super) fn document(findings: &[Finding]) -> Value {
    let is_sound = !findings.iter().any(Finding::is_wrong);
    json!({"sound": is_sound, "findings": findings.iter().map(Finding::json).collect::<Vec<_>>()})
}

fn text(findings: &[Finding], coloured: bool) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let indent = " ".repeat(width + 4);
    let mut lines = Vec::new();
    for Finding { state, check, found, advice } in findings {
        // Servers are quoted in it.
        let mut found = found.lines().map(harmless);
        let first = found.next().unwrap_or_default();
        lines.push(format!("{} {check:width$}  {first}", mark(*state, coloured)));
        lines.extend(found.map(|line| format!("{indent}{line}").trim_end().to_owned()));
        lines.extend(advice.as_ref().map(|advice| format!("{indent}{}", harmless(advice))));
    }
    let count = |state: State| findings.iter().filter(|finding| finding.state == state).count();
    let (good, warnings, wrong) = (count(State::Good), count(State::Warning), count(State::Wrong));
    lines.push(format!("{good} good, {warnings} to know of, {wrong} wrong"));
    lines.join("\n")
}

/// The sign of a state, which its colour only repeats.
fn mark(state: State, coloured: bool) -> String {
    let (sign, hue) = match state {
        State::Good => ("✓", AnsiColor::Green),
        State::Warning => ("!", AnsiColor::Yellow),
        State::Wrong => ("✗", AnsiColor::Red),
    };
    let style = Style::new().fg_color(Some(hue.into()));
    if coloured { colour::paint(style, sign) } else { sign.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::good("ports", "127.0.0.1:8080 is free"),
            Finding::warning("certificate", "it ends on 2026-12-01").advise("renew it"),
            Finding::wrong("configuration", "porchlight.toml: TOML parse error\n  |\n1 | x = 1"),
        ]
    }

    #[test]
    fn each_finding_is_a_line_with_what_to_do_below_it() {
        insta::assert_snapshot!(text(&findings(), false), @r"
        ✓ ports          127.0.0.1:8080 is free
        ! certificate    it ends on 2026-12-01
                         renew it
        ✗ configuration  porchlight.toml: TOML parse error
                           |
                         1 | x = 1
        1 good, 1 to know of, 1 wrong
        ");
        assert!(text(&findings(), true).starts_with("\x1b[32m✓\x1b[0m ports "));
    }

    #[test]
    fn nothing_that_a_server_says_moves_the_cursor() {
        let finding = Finding::warning("server", "x has version \u{1b}[2J1").advise("see to \u{9b}2J");
        let shown = text(&[finding], false);
        assert!(shown.starts_with("! server  x has version  [2J1\n"), "{shown}");
        assert!(!shown.contains(['\u{1b}', '\u{9b}']), "{shown}");
    }

    #[test]
    fn programs_get_an_object() {
        let document = document(&findings());
        assert_eq!(document["sound"], false);
        let expected = json!({"check": "certificate", "state": "warning", "found": "it ends on 2026-12-01", "advice": "renew it"});
        assert_eq!(document["findings"][1], expected);
    }
}
