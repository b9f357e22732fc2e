//! `trainyard man`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};

use crate::failure::Failure;

/// Write the pages of the manual, one for each verb.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trainyard man ~/.local/share/man/man1 && man trainyard-deploy")]
pub(crate) struct Arguments {
    /// Folder that the pages are written to; made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, command: Command) -> Result<ExitCode, Failure> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .map_err(|error| Failure::runtime(format!("{}: {error}", folder.display())))?;
    Ok(ExitCode::SUCCESS)
}
