//! `trainyard monitor`: production data against reference data.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use trainyard_data::ReadOptions;
use trainyard_drift::{Bins, Compat, Correction, Method, Options};
use trainyard_mlflow::Tracking;
use trainyard_pipeline::monitor::{self, LogFilter, Monitored, Sides};
use trainyard_pipeline::{FILE_NAME, Project};
use trainyard_report::drift as report;
use trainyard_tracking::OpenOptions;

use super::project::TrackingArguments;
use super::run::DRIFT;
use crate::failure::Failure;
use crate::printer;

/// Compare production data with reference data and report drift, with Evidently's numbers.
///
/// Without --reference and --current, in a project: the prediction log of the deployment against
/// the training data of the served version.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trainyard monitor --reference data/train.csv --current data/production_logs.csv\n  trainyard monitor --reference models:/IrisClassifier@Production --current logs/ --fail-on-drift"
)]
pub(crate) struct Arguments {
    /// Project folder, with a trainyard.toml
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Reference: CSV or Parquet file, folder, glob, or models:/Name@alias
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    reference: Option<String>,
    /// Current: CSV or Parquet file, folder (also of a prediction log), or glob
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    current: Option<String>,
    /// Only these columns, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAMES", help_heading = "Data")]
    columns: Option<Vec<String>>,
    /// Method for all columns, by Evidently's name (ks, wasserstein, psi, …)
    #[arg(long, value_name = "METHOD", help_heading = "Method")]
    method: Option<Method>,
    /// Method for numerical columns
    #[arg(long, value_name = "METHOD", help_heading = "Method")]
    num_method: Option<Method>,
    /// Method for categorical columns
    #[arg(long, value_name = "METHOD", help_heading = "Method")]
    cat_method: Option<Method>,
    /// Method for one column; may be repeated
    #[arg(long, value_name = "COLUMN=METHOD", value_parser = pair::<Method>, help_heading = "Method")]
    per_column_method: Vec<(String, Method)>,
    /// Threshold for all columns
    #[arg(long, value_name = "NUMBER", help_heading = "Method")]
    threshold: Option<f64>,
    /// Threshold for numerical columns
    #[arg(long, value_name = "NUMBER", help_heading = "Method")]
    num_threshold: Option<f64>,
    /// Threshold for categorical columns
    #[arg(long, value_name = "NUMBER", help_heading = "Method")]
    cat_threshold: Option<f64>,
    /// Threshold for one column; may be repeated
    #[arg(long, value_name = "COLUMN=NUMBER", value_parser = pair::<f64>, help_heading = "Method")]
    per_column_threshold: Vec<(String, f64)>,
    /// Share of drifted columns that makes the data set drifted [default: 0.5]
    #[arg(long, value_name = "SHARE", help_heading = "Method")]
    drift_share: Option<f64>,
    /// Adjust p-values for the number of columns
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Method")]
    correct: Option<CorrectionName>,
    /// Bins with equal shares of the reference, so that days compare
    #[arg(long, value_name = "COUNT", help_heading = "Method")]
    bins: Option<usize>,
    /// Do as Evidently does where it is defective
    #[arg(long, value_enum, value_name = "TOOL", help_heading = "Method")]
    compat: Option<CompatName>,
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text", help_heading = "Output")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    json: bool,
    /// Where the page is written [default: reports/drift.html]
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// End with exit code 4 when the data has drifted
    #[arg(long, help_heading = "Output")]
    fail_on_drift: bool,
    /// Do not log the result as a run
    #[arg(long, help_heading = "Output")]
    no_log: bool,
    #[command(flatten)]
    tracking: TrackingArguments,
}

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CorrectionName {
    /// Benjamini–Hochberg
    Bh,
    Bonferroni,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CompatName {
    Evidently,
}

/// Reads `column=value`; the name may hold `=` itself.
fn pair<T: std::str::FromStr>(text: &str) -> Result<(String, T), String>
where
    T::Err: std::fmt::Display,
{
    let (column, value) =
        text.rsplit_once('=').ok_or_else(|| format!("{text:?} is not COLUMN=VALUE"))?;
    let value = value.parse().map_err(|error: T::Err| error.to_string())?;
    Ok((column.to_owned(), value))
}

/// Page that is written where no other place is named.
const USUAL_PAGE: &str = "reports/drift.html";

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    arguments.check()?;
    let project = arguments.project()?;
    let tracking = arguments.open_tracking(project.as_ref())?;
    let (monitored, version) = arguments.compare(project.as_ref(), tracking.as_deref()).await?;

    let page = match (&arguments.output, &project) {
        (Some(path), _) => path.clone(),
        (None, Some(project)) => project.path(&project.config.monitor.report),
        (None, None) => PathBuf::from(USUAL_PAGE),
    };
    monitor::write_page(&page, &monitored.page)?;
    if let Some(tracking) = tracking.as_deref().filter(|_| !arguments.no_log) {
        let experiment = project.as_ref().map_or_else(
            || "/monitoring".to_owned(),
            |project| project.config.monitoring_experiment(),
        );
        let tags = tags(project.as_ref(), version.as_deref());
        monitor::log(tracking, &experiment, &monitored, tags, chrono::Utc::now()).await?;
    }
    print(&monitored, arguments.format());
    printer::note(&format!("page: {}", page.display()));
    let fails =
        arguments.fail_on_drift || project.as_ref().is_some_and(|p| p.config.monitor.fail_on_drift);
    if fails && monitored.drift.dataset_drift {
        return Ok(ExitCode::from(DRIFT));
    }
    Ok(ExitCode::SUCCESS)
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

fn tags(project: Option<&Project>, version: Option<&str>) -> Vec<trainyard_mlflow::entities::Tag> {
    use trainyard_mlflow::entities::KeyValue;

    let model = project.map(|project| KeyValue::new("trainyard.model", &project.config.model.name));
    let version = version.map(|version| KeyValue::new("trainyard.model_version", version));
    model.into_iter().chain(version).collect()
}

impl Arguments {
    fn check(&self) -> Result<(), Failure> {
        if let Some(share) = self.drift_share
            && !(0.0..=1.0).contains(&share)
        {
            return Err(Failure::input(format!("--drift-share {share}: a share between 0 and 1"))
                .hint("0.5 means: half of the columns"));
        }
        if let Some(bins) = self.bins
            && !(2..=Bins::MAX).contains(&bins)
        {
            return Err(Failure::input(format!("--bins {bins}: from 2 to {}", Bins::MAX))
                .hint("10 is usual"));
        }
        Ok(())
    }

    fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    /// The project, unless both sides are named and there is none.
    fn project(&self) -> Result<Option<Project>, Failure> {
        let is_there = self.folder.join(FILE_NAME).is_file();
        if !is_there && self.reference.is_some() && self.current.is_some() {
            return Ok(None);
        }
        Ok(Some(Project::open(&self.folder, self.tracking.tracking_uri.as_deref())?))
    }

    /// The tracking store: needed in a project, for `models:/…`, and to log the result where the
    /// user has one.
    fn open_tracking(
        &self,
        project: Option<&Project>,
    ) -> Result<Option<Arc<dyn Tracking>>, Failure> {
        if let Some(project) = project {
            return Ok(Some(project.tracking()?));
        }
        let Some(uri) = &self.tracking.tracking_uri else { return Ok(None) };
        let tracking = trainyard_tracking::open(uri, OpenOptions::default())
            .map_err(trainyard_pipeline::Error::from)?;
        Ok(Some(tracking))
    }

    /// Reads both sides and compares; also the version in production, where that was asked for.
    async fn compare(
        &self,
        project: Option<&Project>,
        tracking: Option<&dyn Tracking>,
    ) -> Result<(Monitored, Option<String>), Failure> {
        if let (Some(reference), Some(current)) = (&self.reference, &self.current) {
            let state = project.map_or_else(std::env::temp_dir, Project::state_folder);
            let title = project.map_or("", |project| project.config.model.name.as_str());
            let sides = Sides {
                reference: monitor::read_reference(tracking, reference, &state).await?,
                current: read_current(current)?,
                meta: monitor::meta(title, reference, current, chrono::Utc::now()),
            };
            let mut options = project.map(trainyard_pipeline::drift_options).unwrap_or_default();
            self.apply(&mut options);
            return Ok((monitor::compare(sides, &options), None));
        }
        let (Some(project), Some(tracking)) = (project, tracking) else {
            return Err(Failure::input(
                "--reference and --current are both needed outside a project",
            )
            .hint("trainyard monitor --reference FILE --current FILE"));
        };
        let mut project = project.clone();
        let monitor_config = &mut project.config.monitor;
        monitor_config.reference = self.reference.clone().or(monitor_config.reference.take());
        monitor_config.current = self.current.clone().or(monitor_config.current.take());
        let served = trainyard_pipeline::served_version(&project, tracking).await?;
        let filter = LogFilter { version: Some(served.clone()), since: None };
        let options = |options: &mut Options| self.apply(options);
        let monitored =
            trainyard_pipeline::monitor_project(&project, tracking, &filter, options).await?;
        Ok((monitored, Some(served)))
    }

    /// Flags over what is there.
    fn apply(&self, options: &mut Options) {
        if self.columns.is_some() {
            options.columns.clone_from(&self.columns);
        }
        options.method = self.method;
        options.num_method = self.num_method;
        options.cat_method = self.cat_method;
        options.threshold = self.threshold;
        options.num_threshold = self.num_threshold;
        options.cat_threshold = self.cat_threshold;
        options.per_column_method.extend(self.per_column_method.iter().cloned());
        options.per_column_threshold.extend(self.per_column_threshold.iter().cloned());
        if let Some(share) = self.drift_share {
            options.drift_share = share;
        }
        if let Some(count) = self.bins {
            options.bins = Bins::ReferenceQuantiles(count);
        }
        options.correction = match self.correct {
            None => options.correction,
            Some(CorrectionName::Bh) => Correction::BenjaminiHochberg,
            Some(CorrectionName::Bonferroni) => Correction::Bonferroni,
        };
        if self.compat == Some(CompatName::Evidently) {
            options.compat = Compat::Evidently;
        }
    }
}

fn read_current(source: &str) -> Result<arrow_array::RecordBatch, Failure> {
    // Segments of a prediction log may come from versions with different columns.
    let options =
        ReadOptions { fill_missing_columns: Path::new(source).is_dir(), ..ReadOptions::default() };
    Ok(trainyard_data::read(source, &options).map_err(trainyard_pipeline::Error::from)?)
}
