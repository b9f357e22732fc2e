//! `trainyard promote`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_pipeline::{Happened, Promoted};

use super::project::ProjectArguments;
use super::summary::{check_folder, write_markdown};
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
    /// Let the version break clients of the one in production: the signature may change in ways that refuse
    /// what they send. Recorded on the version
    #[arg(long)]
    allow_break: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// File that gets the verdict as Markdown, also when the gate refuses
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    check_folder(arguments.summary.as_deref())?;
    let (mut project, tracking) = arguments.project.open()?;
    project.config.gate.allow_break = arguments.allow_break;
    let progress = Progress::new();
    let version = arguments.version.as_deref();
    let watch = |event| progress.show(&event);
    let outcome = trainyard_pipeline::promote(&project, &tracking, version, &watch).await;
    if let Some(path) = &arguments.summary {
        write_markdown(path, &outcome, Promoted::to_markdown)?;
    }
    let happened = match &outcome {
        Ok(promoted) => Some(Happened::Promoted { version: promoted.version.clone(), url: None }),
        Err(error) => Happened::of_failure(error),
    };
    trainyard_pipeline::notify(&project, happened.as_slice()).await;
    let promoted = outcome?;
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
