//! `trainyard completions`

use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::printer;

/// Print a script by which a shell completes verbs, flags and their values.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    trainyard completions bash > ~/.local/share/bash-completion/completions/trainyard\n  \
    trainyard completions zsh > \"${fpath[1]}/_trainyard\"\n  \
    trainyard completions fish > ~/.config/fish/completions/trainyard.fish")]
pub(crate) struct Arguments {
    /// The shell that reads it
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, command: &mut Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, command, "trainyard", &mut script);
    printer::line(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}
