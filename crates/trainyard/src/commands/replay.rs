//! `trainyard replay`: logged requests answered again.

use std::process::ExitCode;

use clap::Args;
use trainyard_pipeline::predict::{AskedModel, ReplayOptions, ReplaySummary, replay};

use super::predict::asked_model;
use super::project::TrackingArguments;
use super::serve::PythonArguments;
use crate::exit::FAILED;
use crate::failure::Failure;
use crate::printer;

/// Answer logged requests again, by the versions that answered them.
///
/// Says for how many rows the answer has the same bits, which differ, and which version cannot be asked any more. Ends
/// with 1 unless all are the same.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard replay logs/ --request-id 7f3a1c\n  trainyard replay logs/ --since 30d --json"
)]
pub(crate) struct Arguments {
    /// Folder, file or glob of a prediction log
    #[arg(value_name = "LOG")]
    log: String,
    /// Only this request
    #[arg(long, value_name = "ID", help_heading = "Requests")]
    request_id: Option<String>,
    /// Only what was answered at this time or later: 7d, 2026-01-31, 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", help_heading = "Requests")]
    since: Option<String>,
    /// Only what was answered before this time
    #[arg(long, value_name = "TIME", help_heading = "Requests")]
    until: Option<String>,
    /// What answers for a model of the log: NAME=URI, by the name it was served under, or URI for all of them
    /// [default: the registered model of this name]
    #[arg(long = "model-uri", short, value_name = "NAME=URI", value_parser = asked_model, help_heading = "Model")]
    models: Vec<AskedModel>,
    /// Print the result as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,
    #[command(flatten)]
    python: PythonArguments,
    #[command(flatten)]
    tracking: TrackingArguments,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let tracking = arguments.tracking.open_found()?;
    let options = ReplayOptions {
        python: arguments.python.options()?,
        log: arguments.log,
        request_id: arguments.request_id,
        since: arguments.since,
        until: arguments.until,
        models: arguments.models,
    };
    let summary = Box::pin(replay(&options, tracking.as_ref())).await?;
    if arguments.json {
        printer::json(&summary)?;
    } else {
        print(&summary, &options.models);
    }
    let is_same = summary.identical == summary.rows;
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn print(summary: &ReplaySummary, given: &[AskedModel]) {
    printer::line(&format!("rows       {}", summary.rows));
    printer::line(&format!("identical  {}", summary.identical));
    printer::line(&format!("different  {}", summary.different));
    for row in &summary.differing {
        printer::line(&format!(
            "  {} ({} version {}): {} was {}, is {}",
            row.request_id, row.model, row.version, row.column, row.logged, row.now
        ));
    }
    for version in &summary.not_replayed {
        let rows = if version.rows == 1 { "row" } else { "rows" };
        printer::warning(&format!(
            "{} {rows} of {} version {} not answered again: {}",
            version.rows, version.model, version.version, version.reason
        ));
    }
    let is_given = |model: &str| given.iter().any(|asked| asked.answers_for(model));
    if let Some(other) = summary.not_replayed.iter().find(|version| !is_given(&version.model)) {
        printer::hint(&format!(
            "the model was served as {:?}: -m {}=URI says what answers for it, such as its folder",
            other.model, other.model
        ));
    }
}
