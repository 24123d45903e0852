//! `porchlight import`: the people of a CSV file, put into a running server or changed to what the file says.
//!
//! The server is asked by SCIM, which lets a person have the id that their tokens name. Nobody is ever removed, and what a
//! file says twice is done once: who is there already as given is left alone.
//!
//! | file | what is in it |
//! |---|---|
//! | `column` | what a heading means |
//! | `sheet` | the file: its rows, and what is wrong with them |
//! | `person` | what is known of a person, and its words in SCIM |
//! | `directory` | the people of the server |
//! | `plan` | who is new, who differs, who is neither |

mod column;
mod directory;
mod person;
mod plan;
mod sheet;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use crate::client::{Client, ServerFlags};
use crate::exit::{DATA, Failure};
use crate::progress::Progress;
use crate::table::harmless;
use crate::{complain, say};
use directory::Directory;
use plan::{Plan, Step};
use sheet::{Mistake, Sheet};

/// How many mistakes are told; the others are counted.
const TOLD_MAX: usize = 20;

#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportFlags {
    /// A CSV file in UTF-8, whose first row names the columns, such as userPrincipalName and displayName.
    file: PathBuf,
    #[command(flatten)]
    server: ServerFlags,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Leave out rows that are wrong; without it nothing is written if there is one.
    #[arg(long)]
    skip_wrong: bool,
}

const EXAMPLES: &str = "\
Examples:
  porchlight import people.csv --as ada --dry-run
  porchlight import people.csv --url https://presence.example.org --token - < token

Columns, in any case and order: userPrincipalName (which must be there), displayName, givenName,
surname, mail, jobTitle, department, accountEnabled, id, externalId. What Entra ID exports, and its
template for new users, are understood. Other columns are passed over, and an empty cell says
nothing. The token needs User.ReadWrite.All.

Exit codes:
  0 done, 64 wrong flag, no such file, or refused by the server, 65 the file has wrong rows, 69 no
  server answers, or it cannot now, 77 not permitted";

/// Reads the file, and does what it says.
///
/// # Errors
///
/// See [`ImportFlags`]: the help has the exit codes.
pub(crate) fn run(flags: &ImportFlags) -> Result<(), Failure> {
    let Sheet { rows, mut mistakes, passed_over } = Sheet::read(&flags.file)?;
    // Before the server, which has nothing to do with it.
    refuse(flags, &mistakes)?;
    let directory = Directory::of(Client::of(&flags.server)?);
    let plan = Plan::of(rows, &directory.people()?);
    refuse(flags, &plan.mistakes)?;
    if !flags.dry_run {
        carry_out(&plan.steps, &directory)?;
    }
    mistakes.extend(plan.mistakes.iter().cloned());
    if flags.server.json {
        say(&summary_json(flags, &plan, &mistakes));
    } else {
        say(&summary(flags, &plan, &mistakes, &passed_over));
    }
    Ok(())
}

/// Tells what is wrong; and that is the end of it, unless wrong rows are to be left out.
fn refuse(flags: &ImportFlags, mistakes: &[Mistake]) -> Result<(), Failure> {
    let file = flags.file.display();
    for mistake in mistakes.iter().take(TOLD_MAX) {
        complain(&format!("{file}, {mistake}"));
    }
    if let Some(more) = mistakes.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        complain(&format!("{file}: and {more} more"));
    }
    if mistakes.is_empty() || flags.skip_wrong {
        return Ok(());
    }
    let count = counted(mistakes.len(), "mistake");
    let why = anyhow!(
        "{file}: {count}; nothing was written: mend the file, or leave wrong rows out by --skip-wrong"
    );
    Err(Failure::new(DATA, why))
}

/// Step by step. What was done stays done when one is refused: the same command does the rest.
fn carry_out(steps: &[Step], directory: &Directory) -> Result<(), Failure> {
    let progress = Progress::of("importing", steps.len() as u64);
    for (done, step) in steps.iter().enumerate() {
        directory.take(step).map_err(|Failure { code, cause }| {
            let all = steps.len();
            let where_it_is = format!("line {}, {}", step.line, step.name);
            Failure::new(
                code,
                anyhow!(
                    "{where_it_is}: {cause}\n  {done} of {all} were done; the same command does the rest"
                ),
            )
        })?;
        progress.advance(1);
    }
    Ok(())
}

/// What was done, or would be.
fn summary(flags: &ImportFlags, plan: &Plan, mistakes: &[Mistake], passed_over: &[String]) -> String {
    let mut lines = Vec::new();
    if flags.dry_run {
        lines.extend(plan.steps.iter().map(ToString::to_string));
    }
    if !passed_over.is_empty() {
        lines.push(format!("passed over: {}", harmless(&passed_over.join(", "))));
    }
    let (new, changed, same) = (plan.put_in(), plan.steps.len() - plan.put_in(), plan.same);
    let done = if flags.dry_run {
        format!("would put in {new}, change {changed}, leave {same} as they are")
    } else {
        format!("{new} put in, {changed} changed, {same} left as they were")
    };
    let left_out = match mistakes.len() {
        0 => String::new(),
        count => format!(", {} left out", counted(count, "mistake")),
    };
    lines.push(format!("{}: {done}{left_out}", flags.file.display()));
    lines.join("\n")
}

/// The same for programs.
fn summary_json(flags: &ImportFlags, plan: &Plan, mistakes: &[Mistake]) -> String {
    let wrong: Vec<_> = mistakes.iter().map(Mistake::json).collect();
    let document = json!({
        "dryRun": flags.dry_run,
        "putIn": plan.put_in(),
        "changed": plan.steps.len() - plan.put_in(),
        "same": plan.same,
        "steps": plan.steps.iter().map(Step::json).collect::<Vec<_>>(),
        "wrong": wrong,
    });
    document.to_string()
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
