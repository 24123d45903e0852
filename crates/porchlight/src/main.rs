//! Porchlight: a presence server that speaks the Microsoft Graph presence API.
//!
//! This is the program: command line, configuration, and the wiring of the crates that do the work. `run.rs` puts
//! them together.

mod api_key;
mod audit;
mod backup;
mod board;
mod cli;
mod client;
mod colour;
mod commands;
mod completions;
mod config;
mod dev_ca;
mod development;
mod doctor;
mod exit;
mod healthcheck;
mod https;
mod import;
mod lines;
mod log_url;
mod otlp;
mod progress;
mod run;
mod seed;
mod status;
mod sync_check;
mod table;
mod telling;
mod token;
mod tokens;
mod traces;
mod trust;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::Failure;

/// What a write makes on one thread is let go on another, and what a start lets go should go back to the system: the
/// system's own allocator is slow at the one and does not do the other. `.cargo/config.toml` has its settings.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, everything else is a mistake of the caller.
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            error.print().ok();
            return ExitCode::from(code);
        }
    };
    let outcome = match cli.command {
        Command::Serve(flags) => run::serve(&flags),
        Command::Healthcheck(flags) => healthcheck::run(&flags),
        Command::Status(flags) => status::run(&flags),
        Command::Get(flags) => commands::get::run(&flags),
        Command::Set(flags) => commands::change::set(&flags),
        Command::Clear(flags) => commands::change::clear(&flags),
        Command::Prefer(flags) => commands::change::prefer(&flags),
        Command::StatusMessage(flags) => commands::change::status_message(&flags),
        Command::OutOfOffice(flags) => commands::change::out_of_office(&flags),
        Command::Watch(flags) => commands::watch::run(&flags),
        Command::Explain(flags) => commands::explain::run(&flags),
        Command::Users(flags) => commands::users::run(&flags),
        Command::Subscriptions(flags) => commands::subscriptions::run(&flags),
        Command::Deliveries(flags) => commands::subscriptions::deliveries(&flags),
        Command::Limits(flags) => commands::limits::run(&flags),
        Command::Doctor(flags) => doctor::run(&flags),
        Command::Config(flags) => config::command::run(&flags),
        Command::Backup(flags) => backup::make(&flags),
        Command::Restore(flags) => backup::restore(&flags),
        Command::ApiKey => {
            api_key::run();
            Ok(())
        }
        Command::Import(flags) => import::run(&flags),
        Command::Completions(flags) => {
            completions::run(&flags);
            Ok(())
        }
        Command::Trust(flags) => trust::run(&flags),
        Command::Token(flags) => token::run(&flags),
        Command::Version => {
            say(&format!("porchlight {}", env!("CARGO_PKG_VERSION")));
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::from(exit::OK),
        Err(Failure { code, cause }) => {
            complain(&in_full(&cause));
            ExitCode::from(code)
        }
    }
}

/// An error and what caused it, without saying twice what the error already quotes.
fn in_full(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Prints for whoever runs the program; that nobody reads it any more is no fault.
fn say(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).ok();
}

/// Says on standard error what went wrong. A server or a file may be quoted in it, so nothing in it moves the cursor.
fn complain(text: &str) {
    use std::io::Write;
    writeln!(std::io::stderr().lock(), "porchlight: {}", table::harmless_lines(text)).ok();
}
