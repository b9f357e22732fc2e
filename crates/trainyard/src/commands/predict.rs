//! `trainyard predict`: whole tables scored.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use trainyard_mlflow::Tracking;
use trainyard_mlflow::uri::ModelUri;
use trainyard_pipeline::predict::{
    AskedModel, Estimate, PredictOptions, PredictSummary, Shard, TableFormat, estimate, predict,
};

use super::project::TrackingArguments;
use super::serve::PythonArguments;
use crate::failure::Failure;
use crate::printer::{self, Scoring};

/// Score a whole table: files of any size in bounded memory, several models side by side.
///
/// The table is shared out in parts with fixed bounds, each committed as one object: a job that was killed goes on
/// when it is started again, and its output is the same, byte for byte. It keeps to the versions that its aliases
/// meant when it began.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard predict -m models:/Iris@Production flowers.csv scores.csv --keep id\n  trainyard predict -m models:/Iris@Production -m models:/Iris/3 logs/ scores/ --probabilities\n  trainyard predict -m models:/Iris@Production s3://in/2026/ s3://out/scores --shard 3/16"
)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
pub(crate) struct Arguments {
    /// CSV or Parquet file, folder, glob, or s3://…
    #[arg(value_name = "IN")]
    input: String,
    /// A .csv or .parquet file, or a folder for the parts, also s3://…
    #[arg(value_name = "OUT")]
    output: String,
    /// Model: models:/Name@alias, models:/Name/3, runs:/ID/path, a folder. Several may be given, also as NAME=URI
    #[arg(
        long = "model-uri",
        short,
        value_name = "URI",
        required = true,
        value_parser = asked_model,
        help_heading = "Model"
    )]
    models: Vec<AskedModel>,
    /// Give the probability of each class as well
    #[arg(long, help_heading = "Model")]
    probabilities: bool,
    /// Give what each column of the input gave to the answer as well
    #[arg(long, help_heading = "Model")]
    explain: bool,
    /// Cast values as MLflow's server does, even where that loses information
    #[arg(long, help_heading = "Model")]
    lenient: bool,
    /// Columns of the input that stand before the predictions, as they are
    #[arg(long, value_delimiter = ',', value_name = "NAMES", help_heading = "Output")]
    keep: Vec<String>,
    /// How the parts in a folder are written [default: parquet]
    #[arg(long, value_enum, help_heading = "Output")]
    format: Option<Format>,
    /// Leave rows out that cannot be scored, and write here which and why, a line of JSON each. Without it such a
    /// row ends the job
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    bad_rows: Option<PathBuf>,
    /// Begin again: what an earlier job wrote there is removed
    #[arg(long, help_heading = "Output")]
    overwrite: bool,
    /// Print the result as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,
    /// The share of this job, such as 3/16 for the third of sixteen that run at once, anywhere
    #[arg(long, value_name = "N/OF", default_value = "1/1", help_heading = "Job")]
    shard: Shard,
    /// Score one part, write nothing, and say about what all would be
    #[arg(long, help_heading = "Job")]
    dry_run: bool,
    /// Do not log the job as a run
    #[arg(long, help_heading = "Job")]
    no_log: bool,
    /// Do not compare the table with what the model learned from
    #[arg(long, help_heading = "Job")]
    no_drift: bool,
    #[command(flatten)]
    python: PythonArguments,
    #[command(flatten)]
    tracking: TrackingArguments,
}

/// How parts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Parquet,
    Csv,
}

impl From<Format> for TableFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Parquet => Self::Parquet,
            Format::Csv => Self::Csv,
        }
    }
}

/// `URI`, or `NAME=URI`.
pub(super) fn asked_model(text: &str) -> Result<AskedModel, String> {
    let is_name = |name: &str| !name.is_empty() && !name.contains(['/', ':', '.']);
    let (name, uri) = match text.split_once('=') {
        Some((name, uri)) if is_name(name) => (Some(name.to_owned()), uri),
        _ => (None, text),
    };
    let uri = uri.parse::<ModelUri>().map_err(|error| error.to_string())?;
    Ok(AskedModel { name, uri })
}

impl Arguments {
    fn options(&self) -> Result<PredictOptions, Failure> {
        Ok(PredictOptions {
            models: self.models.clone(),
            input: self.input.clone(),
            output: self.output.clone(),
            keep: self.keep.clone(),
            probabilities: self.probabilities,
            explain: self.explain,
            format: self.format.map(TableFormat::from),
            bad_rows: self.bad_rows.clone(),
            shard: self.shard,
            overwrite: self.overwrite,
            lenient: self.lenient,
            python: self.python.options()?,
            log: !self.no_log,
            drift: !self.no_drift,
        })
    }

    /// Where models are looked up and the job is logged; none where nobody said, and no model needs it.
    fn tracking(&self) -> Result<Option<Tracking>, Failure> {
        let is_folder = |model: &AskedModel| matches!(model.uri, ModelUri::Folder(_));
        if self.tracking.tracking_uri.is_none() && self.models.iter().all(is_folder) {
            return Ok(None);
        }
        self.tracking.open_found()
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let options = arguments.options()?;
    let tracking = arguments.tracking()?;
    if arguments.dry_run {
        let estimate = Box::pin(estimate(&options, tracking.as_ref())).await?;
        if arguments.json {
            printer::json(&estimate)?;
        } else {
            print_estimate(&estimate);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let bar = Scoring::new();
    let scored = Box::pin(predict(&options, tracking.as_ref(), &|done| bar.show(done))).await;
    bar.finish();
    let summary = scored?;
    if arguments.json {
        printer::json(&summary)?;
    } else {
        print(&summary);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(summary: &PredictSummary) {
    for model in &summary.models {
        printer::line(&format!("model      {}", model.uri));
    }
    let bad = match summary.bad_rows {
        0 => String::new(),
        bad => format!(", {bad} left out"),
    };
    let parts = if summary.parts == 1 { "part" } else { "parts" };
    printer::line(&format!(
        "rows       {}{bad}, in {} {parts} ({} done before)",
        summary.rows, summary.parts, summary.parts_found
    ));
    printer::line(&format!("output     {}", summary.output));
    if let Some(run_id) = &summary.run_id {
        printer::line(&format!("run        {run_id}"));
    }
    if let Some(drift) = &summary.drift {
        printer::line(&format!(
            "drift      {}: {} of {} columns drifted",
            drift.verdict.name(),
            drift.drifted_columns,
            drift.columns
        ));
    }
    if let Some(reason) = &summary.drift_left_out {
        printer::note(&format!("not compared with what the model learned from: {reason}"));
    }
    if !summary.is_complete {
        printer::note(&format!("share {} is done; others are not yet", summary.shard));
    }
    printer::note(&format!(
        "{} ({:.0} rows/s)",
        printer::took(Duration::from_secs_f64(summary.seconds)),
        summary.rows_per_second
    ));
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn print_estimate(estimate: &Estimate) {
    for model in &estimate.models {
        printer::line(&format!("model      {}", model.uri));
    }
    printer::line(&format!("columns    {}", estimate.columns.join(", ")));
    printer::line(&format!(
        "input      {} rows in {} files, {}",
        estimate.rows,
        estimate.files,
        megabytes(estimate.bytes)
    ));
    printer::line(&format!(
        "output     {} in {} parts",
        megabytes(estimate.output_bytes),
        estimate.parts
    ));
    if estimate.bad_rows > 0 {
        printer::line(&format!("left out   {} rows of the first part", estimate.bad_rows));
    }
    let time = Duration::try_from_secs_f64(estimate.seconds).unwrap_or(Duration::MAX);
    printer::line(&format!(
        "time       {} ({:.0} rows/s)",
        printer::took(time),
        estimate.rows_per_second
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_may_be_named() {
        let asked = |text: &str| asked_model(text).map(|m| (m.name, m.uri.to_string())).unwrap();
        assert_eq!(asked("a=models:/X@b"), (Some("a".to_owned()), "models:/X@b".to_owned()));
        assert_eq!(asked("models:/X/3"), (None, "models:/X/3".to_owned()));
        assert!(asked_model("models:/").is_err());
    }
}
