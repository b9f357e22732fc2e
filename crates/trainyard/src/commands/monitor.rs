//! `trainyard monitor`: production data against reference data.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_drift::{ColumnDrift, Compat, DatasetDrift, Profile, Status};
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::{KeyValue, Tag};
use trainyard_pipeline::monitor::{self, Data, LogFilter, Monitored, Reading, Settings, Sides};
use trainyard_pipeline::{FILE_NAME, Project};
use trainyard_report::drift as report;
use trainyard_tracking::OpenOptions;

use super::monitor_arguments::{DataArguments, Format, JudgeArguments, MethodArguments, over};
use super::project::TrackingArguments;
use super::run::DRIFT;
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
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct Arguments {
    /// Project folder, with a trainyard.toml
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Reference: CSV or Parquet file, folder, glob, s3://…, - for stdin, a profile, or models:/Name@alias
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    reference: Option<String>,
    /// Current: CSV or Parquet file, folder (also of a prediction log), glob, s3://…, - for stdin, or a profile
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    current: Option<String>,
    #[command(flatten)]
    data: DataArguments,
    #[command(flatten)]
    method: MethodArguments,
    #[command(flatten)]
    judge: JudgeArguments,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    json: bool,
    /// Where the page is written [default: reports/drift.html]
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// A file of metrics for Prometheus' textfile collector
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    prometheus: Option<PathBuf>,
    /// Print a [monitor] table that says how this reference would be compared, and stop
    #[arg(long, help_heading = "Output")]
    print_config: bool,
    /// End with exit code 4 when the data has drifted
    #[arg(long, help_heading = "Output")]
    fail_on_drift: bool,
    /// Do not log the result as a run
    #[arg(long, help_heading = "Output")]
    no_log: bool,
    #[command(flatten)]
    tracking: TrackingArguments,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let project = arguments.project()?;
    let settings = arguments.settings(project.as_ref())?;
    let tracking = arguments.open_tracking(project.as_ref())?;
    if arguments.print_config {
        return print_config(&settings, project.as_ref(), tracking.as_ref()).await;
    }
    let progress = Columns::new();
    let (monitored, version) =
        compare(&arguments, &settings, project.as_ref(), tracking.as_ref(), &progress).await?;
    progress.finish();

    let page = match (&arguments.output, &project) {
        (Some(path), _) => path.clone(),
        (None, Some(project)) => project.path(&settings.report),
        (None, None) => settings.report.clone(),
    };
    monitor::write_page(&page, &monitored.page)?;
    let metrics = arguments.prometheus.clone().or_else(|| {
        let path = settings.prometheus.as_ref()?;
        Some(project.as_ref().map_or_else(|| path.clone(), |project| project.path(path)))
    });
    if let Some(path) = metrics {
        monitor::write_metrics(&path, &monitored)?;
    }
    if let Some(tracking) = tracking.as_ref().filter(|_| !arguments.no_log) {
        let experiment = project.as_ref().map_or_else(
            || "/monitoring".to_owned(),
            |project| project.config.monitoring_experiment(),
        );
        let tags = tags(project.as_ref(), version.as_deref());
        monitor::log_run(tracking, &experiment, &monitored, tags, chrono::Utc::now()).await?;
    }
    print(&monitored, arguments.format());
    warn_of_unknown_columns(&settings, &monitored);
    printer::note(&format!("page: {}", page.display()));
    if settings.fail_on_drift && monitored.drift.dataset_drift {
        return Ok(ExitCode::from(DRIFT));
    }
    // A broken export must not pass for one that did not drift.
    if settings.fail_on_drift && monitored.drift.columns.iter().all(|c| c.verdict().is_none()) {
        return Err(Failure::input(
            "no column could be compared, so nobody knows whether it drifted",
        )
        .hint("the page says of each column why"));
    }
    unknown(&monitored.drift, settings.fail_on_drift)?;
    Ok(ExitCode::SUCCESS)
}

/// Fails because of columns of which nobody knows whether they drifted: always for those that could not be read,
/// and where drift counts also for those that current does not have.
fn unknown(drift: &DatasetDrift, counts_missing: bool) -> Result<(), Failure> {
    let counts = |column: &&ColumnDrift| counts_missing || column.is_unreadable();
    let columns: Vec<_> = drift.unknown().filter(counts).collect();
    let Some(first) = columns.first() else { return Ok(()) };
    let reason = match &first.status {
        Status::Failed(reason) | Status::Skipped(reason) => reason.as_str(),
        Status::Tested(_) => "it was tested",
    };
    let others = match columns.len() - 1 {
        0 => String::new(),
        others => format!(", and {others} more"),
    };
    Err(Failure::input(format!(
        "the column {:?}{others} could not be compared, so nobody knows whether it drifted: {reason}",
        first.name
    ))
    .hint("the page says of each column why; leave columns out with --columns"))
}

/// Says which columns there are settings for but no data: a misspelt name would go unnoticed.
fn warn_of_unknown_columns(settings: &Settings, monitored: &Monitored) {
    let known = |name: &&String| monitored.drift.columns.iter().any(|column| column.name == **name);
    let named = settings
        .per_column_method
        .keys()
        .chain(settings.per_column_threshold.keys())
        .chain(settings.kinds.keys())
        .collect::<std::collections::BTreeSet<_>>();
    for name in named.into_iter().filter(|name| !known(name)) {
        printer::warning(&format!(
            "there is no column {name:?}, for which a method, threshold or kind is set"
        ));
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

fn tags(project: Option<&Project>, version: Option<&str>) -> Vec<Tag> {
    let model = project.map(|project| KeyValue::new("trainyard.model", &project.config.model.name));
    let version = version.map(|version| KeyValue::new("trainyard.model_version", version));
    model.into_iter().chain(version).collect()
}

/// Reads both sides and compares; also the version in production, where that was asked for.
async fn compare(
    arguments: &Arguments,
    settings: &Settings,
    project: Option<&Project>,
    tracking: Option<&Tracking>,
    progress: &Columns,
) -> Result<(Monitored, Option<String>), Failure> {
    let tell = |done: usize, total: usize| progress.show(done, total);
    // A project's own sides are its affair; those of a file given with --config are the user's.
    let (reference, current) = match project {
        Some(_) => (&arguments.reference, &arguments.current),
        None => (&settings.reference, &settings.current),
    };
    if let (Some(reference), Some(current)) = (reference, current) {
        let title = project.map_or("", |project| project.config.model.name.as_str());
        let now = chrono::Utc::now();
        let reading = Reading { rows: settings.rows(now), ..reading(settings) };
        let sides = Sides {
            reference: open_reference(reference, settings, project, tracking).await?,
            current: monitor::open(current, &state_folder(project), &reading).await?,
            meta: monitor::meta(title, reference, current, now),
        };
        let options = project
            .map_or_else(|| settings.options(), |project| monitor::options(project, settings));
        let memory = monitor::memory(settings.memory);
        return Ok((monitor::compare(sides, &options, memory, &tell)?, None));
    }
    let (Some(project), Some(tracking)) = (project, tracking) else {
        return Err(Failure::input("--reference and --current are both needed outside a project")
            .hint("trainyard monitor --reference FILE --current FILE"));
    };
    let mut project = project.clone();
    project.config.monitor = settings.clone();
    let served = monitor::served_version(&project, tracking).await?;
    let filter = LogFilter { version: Some(served.clone()), since: None };
    let monitored = monitor::monitor_project(&project, tracking, &filter, &tell).await?;
    Ok((monitored, Some(served)))
}

/// How sides are read, without their rows being chosen.
fn reading(settings: &Settings) -> Reading {
    let options = settings.options();
    Reading {
        columns: settings.columns.clone(),
        memory: Some(monitor::memory(settings.memory)),
        table_only: options.compat == Compat::Evidently || options.needs_rows(),
        ..Reading::default()
    }
}

async fn open_reference(
    source: &str,
    settings: &Settings,
    project: Option<&Project>,
    tracking: Option<&Tracking>,
) -> Result<Data, Failure> {
    let state = state_folder(project);
    Ok(monitor::open_reference(tracking, source, &state, &reading(settings)).await?)
}

/// Where temporary files go.
fn state_folder(project: Option<&Project>) -> PathBuf {
    project.map_or_else(|| tempfile::env::temp_dir().join("trainyard"), Project::state_folder)
}

/// Prints what the settings come to with this reference.
async fn print_config(
    settings: &Settings,
    project: Option<&Project>,
    tracking: Option<&Tracking>,
) -> Result<ExitCode, Failure> {
    let source = settings.reference.as_deref().ok_or_else(|| {
        Failure::input("--print-config needs a reference")
            .hint("trainyard monitor --reference data/train.csv --print-config")
    })?;
    let data = open_reference(source, settings, project, tracking).await?;
    let profile: Profile = monitor::profile(&data, &settings.options())?;
    printer::line(monitor::starter(&profile, source, settings).trim_end());
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    /// The project, unless a side is named and there is none.
    fn project(&self) -> Result<Option<Project>, Failure> {
        let is_there = self.folder.join(FILE_NAME).is_file();
        let names_sides =
            self.reference.is_some() || self.current.is_some() || self.method.config.is_some();
        if !is_there && names_sides {
            return Ok(None);
        }
        Ok(Some(Project::open(&self.folder, self.tracking.tracking_uri.as_deref())?))
    }

    /// The project's settings or those of the file, and the flags over them.
    fn settings(&self, project: Option<&Project>) -> Result<Settings, Failure> {
        let from_file = match (&self.method.config, project) {
            (Some(path), _) => Settings::read(path)?,
            (None, Some(project)) => project.config.monitor.clone(),
            (None, None) => Settings::default(),
        };
        let mut settings = over(from_file, &self.data, &self.method, Some(&self.judge))?;
        if self.reference.is_some() {
            settings.reference.clone_from(&self.reference);
        }
        if self.current.is_some() {
            settings.current.clone_from(&self.current);
        }
        settings.fail_on_drift |= self.fail_on_drift;
        Ok(settings)
    }

    /// The tracking store: needed in a project, for `models:/…`, and to log the result where the
    /// user has one.
    fn open_tracking(&self, project: Option<&Project>) -> Result<Option<Tracking>, Failure> {
        if let Some(project) = project {
            return Ok(Some(project.tracking()?));
        }
        let Some(uri) = &self.tracking.tracking_uri else { return Ok(None) };
        let tracking = trainyard_tracking::open(uri, OpenOptions::default())
            .map_err(trainyard_pipeline::Error::from)?;
        Ok(Some(tracking))
    }
}
