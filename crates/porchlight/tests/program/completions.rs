//! `porchlight completions`: what a shell makes of it.

use std::process::Command;

use crate::support::{porchlight, run};

fn script(shell: &str) -> String {
    run(&mut porchlight(&["completions", shell])).answer()
}

#[test]
fn bash_completes_commands_and_flags() {
    let ask = |words: &str, number: usize| {
        let asked = format!(
            "{}\nCOMP_WORDS=({words}); COMP_CWORD={number}; _porchlight porchlight \"${{COMP_WORDS[{number}]}}\" \
             \"${{COMP_WORDS[{}]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script("bash"),
            number - 1
        );
        run(Command::new("bash").args(["--norc", "-c", &asked])).answer()
    };
    let commands = ask("porchlight ''", 1);
    for command in ["serve", "doctor", "import", "config", "completions"] {
        assert!(commands.lines().any(|line| line == command), "{command}: {commands}");
    }
    assert_eq!(ask("porchlight doc", 1), "doctor");
    assert!(ask("porchlight import --dry", 2).contains("--dry-run"));
}

#[test]
fn every_shell_has_a_script_that_knows_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = script(shell);
        for command in ["serve", "healthcheck", "import", "api-key", "dry-run"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}
