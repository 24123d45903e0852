//! `porchlight completions`: what makes a shell complete commands, flags and values.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::say;

#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsFlags {
    /// The shell.
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  porchlight completions bash > /usr/share/bash-completion/completions/porchlight
  porchlight completions zsh > \"${fpath[1]}/_porchlight\"
  porchlight completions fish > ~/.config/fish/completions/porchlight.fish
  porchlight completions powershell >> $PROFILE";

/// Prints it.
pub(crate) fn run(flags: &CompletionsFlags) {
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut Cli::command(), "porchlight", &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
}
