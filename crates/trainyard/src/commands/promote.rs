//! `trainyard promote`

use std::process::ExitCode;

use clap::Args;

use super::project::ProjectArguments;
use crate::failure::Failure;
use crate::printer::{self, Progress};

/// Put a version through the gate; if it holds, check it as Staging and label it Production.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trainyard promote examples/iris --version 3")]
pub(crate) struct Arguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Version to promote; the newest by default
    #[arg(long, value_name = "N")]
    version: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let (project, tracking) = arguments.project.open()?;
    let progress = Progress::new();
    let promoted =
        trainyard_pipeline::promote(&project, &tracking, arguments.version.as_deref(), &|event| {
            progress.show(&event);
        })
        .await?;
    if arguments.json {
        printer::json(&promoted)?;
    } else {
        for check in &promoted.gate.checks {
            printer::line(&format!("gate       {check}"));
        }
        let replaced = match &promoted.replaced {
            Some(version) => format!(", in place of version {version}"),
            None => String::new(),
        };
        printer::line(&format!(
            "Production {} version {}{replaced}",
            promoted.name, promoted.version
        ));
    }
    Ok(ExitCode::SUCCESS)
}
