//! `trainyard monitor`: production data against reference data.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use trainyard_base::did_you_mean;
use trainyard_pipeline::monitor::{MonitorJob, Monitored, Settings};
use trainyard_report::drift as report;

use super::project::TrackingArguments;
use super::windows;
use crate::exit::DRIFT;
use crate::failure::Failure;
use crate::printer::{self, Columns};

/// Compare production data with reference data and report drift, with Evidently's numbers.
///
/// Without --reference and --current, in a project: the prediction log of the deployment against
/// the training data of the served version.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard monitor --reference data/train.csv --current data/production_logs.csv\n  trainyard monitor --reference models:/IrisClassifier@Production --current logs/ --since 7d --fail-on-drift"
)]
pub(crate) struct Arguments {
    /// Project folder, with a trainyard.toml
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    windows: windows::WindowArguments,
    /// A file with a [monitor] table, as in trainyard.toml; flags go over it
    #[arg(long, value_name = "FILE", help_heading = "Method")]
    config: Option<PathBuf>,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    json: bool,
    /// Where the page is written [default: reports/drift.html]
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Print a [monitor] table that says how this reference would be compared, and stop
    #[arg(long, help_heading = "Output")]
    print_config: bool,
    /// Do not log the result as a run
    #[arg(long, help_heading = "Output")]
    no_log: bool,
    #[command(flatten)]
    tracking: TrackingArguments,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table
    Text,
    /// Everything but the pictures
    Json,
    /// The shape of Evidently's snapshot.json()
    Evidently,
    /// For pull requests
    Markdown,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { folder, config, tracking, no_log, windows, .. } = &arguments;
    let flags = Settings { report: arguments.output.clone(), ..arguments.settings.clone() };
    let tracking_uri = tracking.tracking_uri.as_deref();
    let job = MonitorJob::open(folder, tracking_uri, config.as_deref(), flags)?;
    let job = if windows.again { job.again() } else { job };
    if arguments.print_config {
        printer::line(job.starter().await?.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(length) = job.window() {
        if matches!(arguments.format, Format::Evidently | Format::Markdown) {
            return Err(Failure::input("of windows there is text and JSON")
                .hint("leave --format or --window out"));
        }
        let is_json = arguments.json || matches!(arguments.format, Format::Json);
        let page = arguments.output.as_deref();
        let asked = windows::Asked { try_rules: windows.try_rules, is_json, no_log: *no_log };
        return Box::pin(windows::run(&job, length, asked, page)).await;
    }
    if windows.again {
        return Err(Failure::input("windows are looked at again").hint("say --window 1d, too"));
    }
    if windows.try_rules {
        return Err(Failure::input("rules are tried on windows").hint("say --window 1d, too"));
    }
    let columns = Columns::new();
    let monitored = job.compare(None, &|done, total| columns.show(done, total)).await?;
    columns.finish();
    let page = job.write(&monitored)?;
    if !no_log {
        job.log(&monitored).await?;
    }
    print(&monitored, if arguments.json { Format::Json } else { arguments.format });
    for name in job.unknown_columns(&monitored) {
        let columns = monitored.drift.columns.iter().map(|column| column.name.as_str());
        let meant = did_you_mean(&name, columns);
        printer::warning(&format!(
            "there is no column {name:?}{meant}, for which a method, threshold or kind is set"
        ));
    }
    printer::note(&format!("page: {}", page.display()));
    match job.fails(&monitored)? {
        None => Ok(ExitCode::SUCCESS),
        Some(reason) => {
            printer::failure(&reason, Some("the page says of each column why"));
            Ok(ExitCode::from(DRIFT))
        }
    }
}

fn print(monitored: &Monitored, format: Format) {
    let (drift, meta) = (&monitored.drift, &monitored.meta);
    match format {
        Format::Text if printer::stdout_has_colour() => {
            printer::line(report::coloured_text(drift, meta).trim_end());
        }
        Format::Text => printer::line(report::text(drift, meta).trim_end()),
        Format::Markdown => printer::line(report::markdown(drift, meta).trim_end()),
        Format::Json => printer::line(&report::json(drift, meta)),
        Format::Evidently => printer::line(&report::evidently_json(drift)),
    }
}
