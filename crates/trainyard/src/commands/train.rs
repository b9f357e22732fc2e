//! `trainyard train`

use std::process::ExitCode;

use clap::Args;
use trainyard_tracking::Shared;

use super::project::ProjectArguments;
use super::tracking_pages::TrackingPages;
use crate::failure::Failure;
use crate::printer::{self, Progress};

/// Train as trainyard.toml says, log the run and register a version.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trainyard train examples/iris --json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let (project, Shared { own: tracking, lent }) = arguments.project.open_shared()?;
    let progress = Progress::new();
    let pages = match project.config.train.command {
        Some(_) if !project.tracks_by_http() => Some(TrackingPages::start(lent).await?),
        _ => None,
    };
    let url = pages.as_ref().map(|pages| pages.url.as_str());
    let trained =
        trainyard_pipeline::train(&project, &tracking, url, &|event| progress.show(&event)).await;
    if let Some(pages) = pages {
        pages.stop().await;
    }
    let trained = trained?;
    if arguments.json {
        printer::json(&trained)?;
    } else {
        printer::line(&format!("run        {}", trained.run_id));
        printer::line(&format!("model      {} version {}", trained.name, trained.version));
        for (name, value) in &trained.metrics {
            printer::line(&format!("{name:<18} {value:.4}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
