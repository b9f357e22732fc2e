//! `trainyard quality`: whether a model is still good.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use trainyard_pipeline::quality::{QualityJob, QualityOptions};
use trainyard_report::quality as report;

use super::project::TrackingArguments;
use crate::exit::DRIFT;
use crate::failure::Failure;
use crate::printer;

/// Say whether a model is still good: by labels as far as they came, by estimates where not.
///
/// Labels are found by the id of their prediction, whenever they come. Metrics are scikit-learn's, with intervals,
/// beside what they were. With a reference (labelled rows that the model did not learn from) quality is estimated
/// before labels come, as NannyML does it, and columns are ranked by how much of the loss they explain.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard quality --predictions logs/ --labels truth.parquet --on trainyard.request_id=request_id --target paid\n  trainyard quality --predictions scored.parquet --reference holdout.parquet --segment country --fail-on drift"
)]
pub(crate) struct Arguments {
    /// Project folder, with a trainyard.toml
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    options: QualityOptions,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    json: bool,
    #[command(flatten)]
    tracking: TrackingArguments,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table
    Text,
    /// Everything
    Json,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { folder, options, format, json, tracking } = arguments;
    let job = QualityJob::open(&folder, tracking.tracking_uri.as_deref(), options)?;
    let found = Box::pin(job.judge()).await?;
    let page = job.write(&found)?;
    let format = if json { Format::Json } else { format };
    match format {
        Format::Text => printer::line(report::text(&found).trim_end()),
        Format::Json => printer::line(&report::json(&found)),
    }
    printer::note(&format!("page: {}", page.display()));
    match job.fails(&found) {
        None => Ok(ExitCode::SUCCESS),
        Some(reason) => {
            printer::failure(&reason, Some("the page has all figures"));
            Ok(ExitCode::from(DRIFT))
        }
    }
}
