//! `trainyard profile`: a reference read once, kept as a file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_drift::Profile;
use trainyard_pipeline::monitor::{self, Reading, Settings};

use super::monitor_arguments::{DataArguments, MethodArguments, over};
use crate::failure::Failure;
use crate::printer;

/// Read a reference once and store what monitoring needs of it.
///
/// A profile holds every column sorted or counted, and how it is compared (kind, method, threshold),
/// decided now, so that days compare. Give it to `monitor` as the reference; several sources, profiles
/// among them, are merged into one.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard profile data/train.csv -o reference.profile\n  trainyard monitor --reference reference.profile --current data/production_logs.csv\n  trainyard profile monday.profile tuesday.profile -o week.profile"
)]
pub(crate) struct Arguments {
    /// CSV or Parquet file, folder, glob, s3://…, - for stdin, or a profile
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<String>,
    /// Where the profile is written
    #[arg(long, short, value_name = "FILE", default_value = "reference.profile")]
    output: PathBuf,
    /// Keep at most this many distinct numbers a column: a smaller file, scores close instead of exact
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(100..))]
    quantise: Option<u32>,
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    method: MethodArguments,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let from_file = match &arguments.method.config {
        Some(path) => Settings::read(path)?,
        None => Settings::default(),
    };
    let settings = over(from_file, &arguments.data, &arguments.method, None)?;
    let options = settings.options();
    let reading = Reading {
        columns: settings.columns.clone(),
        rows: settings.rows(chrono::Utc::now()),
        memory: Some(monitor::memory(settings.memory)),
        table_only: false,
    };
    let state = tempfile::env::temp_dir().join("trainyard");
    let mut merged: Option<Profile> = None;
    for source in &arguments.sources {
        let profile = monitor::profile(&monitor::open(source, &state, &reading).await?, &options)?;
        merged = Some(match merged {
            None => profile,
            Some(before) => {
                before.merged(&profile).ok_or_else(|| unlike(&before, &profile, source))?
            }
        });
    }
    let mut profile = merged.unwrap_or_default().pin(&options);
    if let Some(points) = arguments.quantise {
        profile = profile.quantised(points as usize);
    }
    let missing = settings.columns.iter().flatten().find(|name| profile.column(name).is_none());
    if let Some(name) = missing {
        return Err(Failure::input(format!("there is no column {name:?}"))
            .hint("check the spelling in --columns"));
    }
    let bytes = monitor::write_profile(&arguments.output, &profile)?;
    printer::line(&format!(
        "{}: {} rows, {} columns, {} KB",
        arguments.output.display(),
        profile.rows(),
        profile.columns().len(),
        bytes.div_ceil(1000)
    ));
    Ok(ExitCode::SUCCESS)
}

/// Why a source cannot be added to those before it.
fn unlike(before: &Profile, profile: &Profile, source: &str) -> Failure {
    let new = |(name, _): &&(String, _)| before.column(name).is_none();
    if let Some((name, _)) = profile.columns().iter().find(new) {
        return Failure::input(format!("the sources before {source} have no column {name:?}"))
            .hint("choose the columns that all have with --columns");
    }
    for (name, column) in before.columns() {
        let Some(other) = profile.column(name) else {
            return Failure::input(format!("{source} has no column {name:?}"))
                .hint("choose the columns that all have with --columns");
        };
        if column.merged(other).is_none() {
            let (was, is) = (column.data_type(), other.data_type());
            return Failure::input(format!("{name:?} is {is} in {source}, and {was} before"))
                .hint("correct the source, or leave the column out with --columns");
        }
    }
    Failure::input(format!("{source} has columns of the same name"))
}
