//! `porchlight config`: writing a configuration file to begin with, and saying what `serve` makes of one.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::{Config, effective, place};
use crate::cli::ServeFlags;
use crate::exit::{CANNOT_CREATE, Failure};
use crate::say;

/// Every key with its default and its meaning. docs/CONFIGURATION.md shows the same.
const TEMPLATE: &str = include_str!("template.toml");

#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigFlags {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum ConfigCommand {
    /// Writes a configuration file with every key, its default and its meaning.
    Init(InitFlags),
    /// Says whether `serve` would take a configuration file, and which line it would not take.
    Check(CheckFlags),
}

#[derive(Args, Clone, Debug)]
#[command(after_help = INIT_EXAMPLES)]
struct InitFlags {
    /// The file to write, for nobody else to read; it must not be there yet [default: standard output]
    file: Option<PathBuf>,
}

const INIT_EXAMPLES: &str = "\
Examples:
  porchlight config init /etc/porchlight.toml
  porchlight config init | less

Exit codes:
  0 done, 64 wrong flag, or the file is there, 73 the file cannot be written";

#[derive(Args, Clone, Debug)]
#[command(after_help = CHECK_EXAMPLES)]
struct CheckFlags {
    /// The file. The variables of the environment that `serve` would go by count here too.
    file: PathBuf,
    /// Print the settings that would be in force, secrets hidden, as a configuration file has them.
    #[arg(long)]
    effective: bool,
    /// Print them in JSON.
    #[arg(long, requires = "effective")]
    json: bool,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  porchlight config check /etc/porchlight.toml
  porchlight config check --effective /etc/porchlight.toml
  porchlight doctor --config /etc/porchlight.toml    whether what it names is there, too

Exit codes:
  0 serve would take it, 64 it would not, or there is no such file";

/// Does what is asked for.
///
/// # Errors
///
/// See [`InitFlags`] and [`CheckFlags`]: the help has the exit codes.
pub(crate) fn run(flags: &ConfigFlags) -> Result<(), Failure> {
    match &flags.command {
        ConfigCommand::Init(flags) => init(flags.file.as_deref()),
        ConfigCommand::Check(flags) => check(flags),
    }
}

fn init(file: Option<&Path>) -> Result<(), Failure> {
    let Some(file) = file else {
        say(TEMPLATE.trim_end());
        return Ok(());
    };
    let shown = file.display();
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let written = opened.and_then(|mut out| out.write_all(TEMPLATE.as_bytes()));
    written.map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => {
            Failure::usage(format!("{shown} is there already: remove it, or name another file"))
        }
        _ => Failure::new(CANNOT_CREATE, anyhow!("{shown} cannot be written: {cause}")),
    })?;
    say(&format!(
        "{shown}: every key with its default; porchlight config check {shown} says what is made of it"
    ));
    Ok(())
}

fn check(flags: &CheckFlags) -> Result<(), Failure> {
    let config = read(&ServeFlags { config: Some(flags.file.clone()), ..ServeFlags::of_environment()? })?;
    if !flags.effective {
        say(&format!("{}: serve would take it", flags.file.display()));
        return Ok(());
    }
    let settings = effective::settings(&config);
    say(&if flags.json { format!("{settings:#}") } else { effective::toml(&settings) });
    Ok(())
}

/// What `serve` would go by.
///
/// # Errors
///
/// [`crate::exit::USAGE`], naming the file, the line and the key, as far as they are known.
pub(crate) fn read(flags: &ServeFlags) -> Result<Config, Failure> {
    Config::read(flags).map_err(|failure| {
        let Some(path) = &flags.config else { return failure };
        let message = failure.to_string();
        // Else the message is about that file already, or about another one.
        let is_of_a_rule = !message.contains(&path.display().to_string());
        let text = std::fs::read_to_string(path).ok().filter(|_| is_of_a_rule);
        match text.and_then(|text| place::line_of(&text, &message)) {
            Some(line) => Failure::usage(format!("{}, line {line}: {message}", path.display())),
            None => failure,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::File;
    use super::*;

    /// The settings that come of this file.
    fn settings(file: &str) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("porchlight.toml");
        std::fs::write(&path, file).unwrap();
        let flags = ServeFlags { config: Some(path), ..ServeFlags::default() };
        effective::settings(&read(&flags).unwrap_or_else(|failure| panic!("{failure}: {file}")))
    }

    /// The template with this of it in force: the keys that are defaults, or all of them.
    fn in_force(is_wanted: impl Fn(Kind) -> bool) -> String {
        let mut is_example = false;
        let lines = TEMPLATE.lines().map(|line| {
            let bare = line
                .strip_prefix('#')
                .filter(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()));
            if line.starts_with('[') {
                is_example = false;
            }
            let Some(bare) = bare else { return line };
            // All of an example that is a table is an example.
            is_example |= bare.starts_with('[');
            let kind = if is_example || bare.contains("# unset: ") { Kind::Example } else { Kind::Default };
            if is_wanted(kind) { bare } else { line }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Kind {
        Default,
        Example,
    }

    #[test]
    fn what_the_template_calls_defaults_are_the_defaults() {
        assert_eq!(settings(TEMPLATE), settings(""));
        let defaults = in_force(|kind| kind == Kind::Default);
        assert!(defaults.contains("\nlisten = \"127.0.0.1:8080\"") && defaults.contains("\n#threads = "));
        assert_eq!(settings(&defaults), settings(""));
    }

    #[test]
    fn its_examples_can_be_read_too() {
        let all = in_force(|_| true);
        toml::from_str::<File>(&all).unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn every_key_that_the_parser_knows_is_in_the_template() {
        let mut section = String::new();
        let mut there: BTreeSet<String> = BTreeSet::new();
        for line in in_force(|_| true).lines() {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_start_matches('[').split(']').next().unwrap().to_owned();
                there.insert(section.clone());
            } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
                there.insert(if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") });
            }
        }
        let mut missing = Vec::new();
        let mut headers = vec![String::new()];
        while let Some(header) = headers.pop() {
            for key in known(&header) {
                let path = if header.is_empty() { key } else { format!("{header}.{key}") };
                if there.contains(&path) {
                    // A table has keys of its own.
                    let is_table = in_force(|_| true).contains(&format!("[{path}]"));
                    headers.extend(is_table.then_some(path));
                } else {
                    missing.push(path);
                }
            }
        }
        assert!(missing.is_empty(), "template.toml does not have {missing:?}");
    }

    #[test]
    fn every_key_of_a_section_is_among_the_settings_in_force() {
        let all = settings("");
        let is_section = |key: &String| TEMPLATE.contains(&format!("\n[{key}]"));
        let sections: Vec<String> = known("").into_iter().filter(is_section).collect();
        assert!(sections.len() >= 11, "{sections:?}");
        for section in sections {
            let shown = |key: &String| all[section.as_str()].get(key.as_str()).is_some();
            let missing: Vec<String> = known(&section).into_iter().filter(|key| !shown(key)).collect();
            assert!(missing.is_empty(), "{section}: {missing:?}");
        }
    }

    /// The keys that the parser takes in this table, which it names when it meets another one.
    fn known(header: &str) -> Vec<String> {
        let is_list = TEMPLATE.contains(&format!("[[{header}]]"));
        let opened = match header {
            "" => String::new(),
            header if is_list => format!("[[{header}]]\n"),
            header => format!("[{header}]\n"),
        };
        let error = toml::from_str::<File>(&format!("{opened}not_a_key = 1")).unwrap_err();
        let (_, expected) = error.message().split_once("expected ").expect("the parser says what it expects");
        let names = expected.split('`').skip(1).step_by(2).map(str::to_owned);
        names.collect()
    }

    #[test]
    fn every_key_that_the_parser_knows_is_among_the_settings_in_force() {
        let issuer = "[[auth.issuer]]\nissuer = \"https://id.example\"\naudiences = [\"a\"]";
        let more = "[board]\nclient_id = \"b\"\n[traces]\nendpoint = \"http://127.0.0.1:4318/v1/traces\"";
        let settings = settings(&format!("{issuer}\n{more}"));
        let mut missing = Vec::new();
        for (section, of_it) in settings.as_object().into_iter().flatten().filter(|(_, it)| it.is_object()) {
            let keys = known(section).into_iter().filter(|key| of_it.get(key.as_str()).is_none());
            missing.extend(keys.map(|key| format!("{section}.{key}")));
        }
        missing.extend(known("").into_iter().filter(|key| settings.get(key.as_str()).is_none()));
        // It is no setting but a permission to have another one.
        assert_eq!(missing, ["dev_allow_remote"]);
        assert_eq!(settings["board"]["issuer"], "https://id.example");
        assert_eq!(settings["traces"]["sample"], 0.01);
    }

    #[test]
    fn a_rule_is_told_with_the_line_of_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("porchlight.toml");
        std::fs::write(&path, "threads = 2\n\n[presence]\nfade = true\nsessions = 0\n").unwrap();
        let refused =
            read(&ServeFlags { config: Some(path.clone()), ..ServeFlags::default() }).err().unwrap();
        let expected = format!("{}, line 5: presence.sessions must be at least 1", path.display());
        assert_eq!(refused.to_string(), expected);
    }
}
