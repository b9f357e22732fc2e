//! `trainyard retrain`: one look of `run --watch`, for a timer or a workflow.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use trainyard_pipeline::{Looked, RunOptions, Turn};
use trainyard_tracking::Shared;

use super::project::{ProjectArguments, program};
use super::shutdown_signal;
use super::summary::check_folder;
use super::tracking_pages::TrackingPages;
use crate::exit::DRIFT;
use crate::failure::Failure;
use crate::printer::{self, Progress};

/// Look for drift once, and train, gate and release if it is time to, by the rules of [watch].
///
/// Too few requests, drift within the cool-down, or nothing new to learn from are no failures: the exit code
/// is 0, and the output says which it was. 4 means that nobody can tell whether there is drift.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trainyard retrain\n  trainyard retrain --check --json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Only say whether it is time to train, for a workflow that trains elsewhere: `train --look` with the
    /// run that is named completes it
    #[arg(long)]
    check: bool,
    /// Print the outcome as one line of JSON
    #[arg(long)]
    json: bool,
    /// File that gets what was found as Markdown
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    check_folder(arguments.summary.as_deref())?;
    let (project, Shared { own: tracking, lent, changes, .. }) = arguments.project.open_shared()?;
    let needs_pages = !arguments.check && project.config.train.command.is_some();
    let (pages, tracking_url) = TrackingPages::beside(&project, lent, changes, needs_pages).await?;
    let progress = Progress::new();
    let options = RunOptions {
        program: program()?,
        tracking_url,
        only_if_new: true,
        look: None,
        take_production: false,
    };
    let watch = |event| progress.show(&event);
    let looking = async {
        if arguments.check {
            trainyard_pipeline::look(&project, &tracking).await
        } else {
            trainyard_pipeline::retrain(&project, &tracking, &options, &watch).await
        }
    };
    let outcome = tokio::select! {
        biased;
        () = shutdown_signal() => Err(Failure::runtime("interrupted")
            .hint("what serves goes on to serve; a training that began is waited for by the next look")),
        outcome = looking => outcome.map_err(Failure::from),
    };
    if let Some(pages) = pages {
        pages.stop().await;
    }
    finish(outcome?, &arguments)
}

/// Prints what a look led to.
fn finish(looked: Looked, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let Looked { turn, report, .. } = looked;
    let sentence = turn.sentence();
    if let Some(path) = &arguments.summary {
        let text = format!("{sentence}\n\n{}", report.unwrap_or_default());
        std::fs::write(path, text).map_err(|error| {
            Failure::runtime(format!("cannot write {}: {error}", path.display()))
        })?;
    }
    if arguments.json {
        let look = match &turn {
            Turn::Due { look, .. } => Some(look),
            _ => None,
        };
        printer::json(&json!({
            "outcome": turn.outcome(), "text": sentence, "look": look, "drift": turn.drift(),
        }))?;
    } else {
        printer::line(&sentence);
    }
    match turn {
        Turn::Refused { error, .. } | Turn::Failed(error) => Err(error.into()),
        Turn::Broken(_) => Ok(ExitCode::from(DRIFT)),
        _ => Ok(ExitCode::SUCCESS),
    }
}
