//! `trainyard train`

use std::process::ExitCode;

use clap::Args;
use trainyard_pipeline::{Happened, Step, TrainOptions};
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
    /// Train only if data or settings are not those of the last training; else name its version
    #[arg(long)]
    if_new: bool,
    /// The look that it follows from, as `retrain --check` names it
    #[arg(long, env = "TRAINYARD_LOOK", value_name = "RUN")]
    look: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let (project, Shared { own: tracking, lent, changes, .. }) = arguments.project.open_shared()?;
    let progress = Progress::new();
    let pages = match project.config.train.command {
        Some(_) if !project.tracks_by_http() => Some(TrackingPages::start(lent, changes).await?),
        _ => None,
    };
    let options = TrainOptions {
        tracking_url: pages.as_ref().map(|pages| pages.url.clone()),
        only_if_new: arguments.if_new,
        look: arguments.look,
    };
    let watch = |event| progress.show(&event);
    let trained = trainyard_pipeline::train(&project, &tracking, &options, &watch).await;
    // What nobody typed is told and written down.
    if let (Err(error), Some(look)) = (&trained, &options.look) {
        trainyard_pipeline::look_failed(&project, &tracking, look, error).await;
        let happened = Happened::of_failed_step(Some(Step::Train), error);
        trainyard_pipeline::notify(&project, &[happened]).await;
    }
    if let Some(pages) = pages {
        pages.stop().await;
    }
    let trained = trained?;
    if arguments.json {
        printer::json(&trained)?;
    } else {
        printer::line(&format!("run        {}", trained.run_id));
        let how = if trained.is_new { "" } else { " (nothing new to learn from)" };
        printer::line(&format!("model      {} version {}{how}", trained.name, trained.version));
        for (name, value) in &trained.metrics {
            printer::line(&format!("{name:<18} {value:.4}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
