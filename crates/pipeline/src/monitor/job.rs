//! A comparison that is asked for: which settings count, where both sides come from, what is kept of the
//! result, and what it means.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use chrono::{DateTime, Utc};
use trainyard_base::words::LOOKS_EXPERIMENT;
use trainyard_base::words::log_columns::{PREDICTION, TIME};
use trainyard_data::arrow_schema::Schema;
use trainyard_data::{STDIN, write_atomically};
use trainyard_drift::{Compat, Correction, Options, Profile, SegmentDrift};
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::KeyValue;
use trainyard_report::drift::{self as report, Meta};
use trainyard_tracking::OpenOptions;

use super::comparison::{Monitored, Sides, compare};
use super::engine::shown;
use super::fail_on::{not_compared, reason};
use super::log::{LogFilter, is_prediction_log};
use super::profile::profile;
use super::quality::Quality;
use super::record::log_run;
use super::segments::conditions;
use super::served::served_log;
use super::settings::Settings;
use super::source::{Data, Reading, open, open_reference, reference_of};
use super::starter::starter;
use super::windows::earlier;
use crate::registry::in_service;
use crate::summary::DriftSummary;
use crate::{Error, FILE_NAME, Project, Result};

/// What is compared, and by which settings.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub struct MonitorJob {
    pub(super) project: Option<Project>,
    pub(super) tracking: Option<Tracking>,
    pub(super) settings: Settings,
    /// Whether the user named both sides: they are no affair of the project's then.
    pub(super) names_sides: bool,
    /// Whether it is a part of another: that may be empty.
    pub(super) is_segment: bool,
    /// Whether it is about windows: all versions count then, and times are read.
    pub(super) is_of_windows: bool,
    /// Whether windows that were looked at are looked at again.
    pub(super) looks_again: bool,
    /// Names of the columns of current, where its rows are not read.
    pub(super) summed: Option<Profile>,
}

impl MonitorJob {
    /// What `trainyard monitor` is asked: the project in `folder`, unless a side or a file of settings is
    /// named and there is none; flags over the file, or else over the project's own settings.
    pub fn open(
        folder: &Path,
        tracking_uri: Option<&str>,
        config: Option<&Path>,
        flags: Settings,
    ) -> Result<Self> {
        let needs_none = flags.reference.is_some() || flags.current.is_some() || config.is_some();
        let project = if needs_none && !folder.join(FILE_NAME).is_file() {
            None
        } else {
            let tables = "give the tables: --reference TABLE --current TABLE";
            let opened = Project::open(folder, tracking_uri);
            Some(opened.map_err(|error| error.or_tables(tables))?)
        };
        let mut settings = match (config, &project) {
            (Some(path), _) => Settings::read(path)?,
            (None, Some(project)) => project.config.monitor.clone(),
            (None, None) => Settings::default(),
        };
        if let Some(project) = &project {
            // Files that a flag names are where the user stands.
            settings.report = Some(project.path(settings.report()));
            settings.prometheus = settings.prometheus.map(|path| project.path(path));
            settings.history = settings.history.map(|path| project.path(path));
            settings.labels = settings.labels.map(|source| project.source(&source));
            let reference = settings.labelled_reference;
            settings.labelled_reference = reference.map(|source| project.source(&source));
        }
        let names_sides =
            project.is_none() || (flags.reference.is_some() && flags.current.is_some());
        let settings = flags.over(settings).sides_in_engine();
        settings.check().map_err(Error::Settings)?;
        let tracking = match (&project, tracking_uri) {
            (Some(project), _) => Some(project.tracking()?),
            (None, Some(uri)) => Some(trainyard_tracking::open(uri, OpenOptions::default())?),
            (None, None) => None,
        };
        Ok(Self {
            project,
            tracking,
            settings,
            names_sides,
            is_segment: false,
            is_of_windows: false,
            looks_again: false,
            summed: None,
        })
    }

    /// The same job, which looks at all windows again whose rows are there.
    #[must_use]
    pub fn again(self) -> Self {
        Self { looks_again: true, ..self }
    }

    /// These columns of a table that was scored, against what the model learned from; outside of any project.
    pub(crate) fn of_batch(
        tracking: &Tracking,
        model: &str,
        table: &str,
        columns: Vec<String>,
    ) -> Self {
        let settings = Settings {
            reference: Some(model.to_owned()),
            current: Some(table.to_owned()),
            columns: Some(columns),
            ..Settings::default()
        };
        let tracking = Some(tracking.clone());
        Self {
            project: None,
            tracking,
            settings,
            names_sides: true,
            is_segment: false,
            is_of_windows: false,
            looks_again: false,
            summed: None,
        }
    }

    /// The deployment of a project against what its model learned from.
    pub(crate) fn of_project(project: &Project, tracking: &Tracking) -> Self {
        Self {
            project: Some(project.clone()),
            tracking: Some(tracking.clone()),
            settings: project.config.monitor.clone().sides_in_engine(),
            names_sides: false,
            is_segment: false,
            is_of_windows: false,
            looks_again: false,
            summed: None,
        }
    }

    /// Reads both sides and compares them as wholes and by segments; of a prediction log, what the version in
    /// production predicted, since then if a time is given. `progress` is told how many columns of how many
    /// are done.
    pub async fn compare(
        &self,
        since: Option<DateTime<Utc>>,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Monitored> {
        let sides = self.sides(since).await?;
        let memory = self.settings.memory();
        let windows = sides.windows.clone();
        let quality = Quality { windows, ..self.settings.quality(Utc::now())? };
        let whole = compare(&sides, &self.options(), &quality, memory, progress)?;
        // What is open of the whole is not needed for its parts.
        let Sides { meta, version, reference, current, .. } = sides;
        drop((reference, current));
        let drift = match &self.settings.segments {
            None => whole,
            Some(asked) => {
                let conditions = conditions(asked, &whole)?;
                // On the heap: it holds a comparison like this one.
                let segments = Box::pin(self.segments(conditions, since)).await?;
                whole.with_segments(segments)
            }
        };
        let page = report::page(&drift, &meta);
        Ok(Monitored { drift, meta, page, version })
    }

    /// Compares parts of both sides, as a job with one condition more each.
    async fn segments(
        &self,
        conditions: Vec<String>,
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<SegmentDrift>> {
        let mut segments = Vec::with_capacity(conditions.len());
        for name in conditions {
            let mut job = Self { is_segment: true, ..self.clone() };
            job.settings.conditions.get_or_insert_default().push(name.clone());
            let sides = job.sides(since).await?;
            // Corrected is what all segments find, together.
            let options = Options { correction: Correction::None, ..job.options() };
            // What rows are held to is said of the whole.
            let (quality, memory) = (Quality::default(), job.settings.memory());
            let drift = compare(&sides, &options, &quality, memory, &|_, _| {})?;
            segments.push(SegmentDrift { name, drift });
        }
        Ok(segments)
    }

    pub(super) async fn sides(&self, since: Option<DateTime<Utc>>) -> Result<Sides> {
        match (&self.project, &self.tracking) {
            (Some(project), Some(tracking)) if !self.names_sides => {
                Box::pin(self.deployment(project, tracking, since)).await
            }
            _ => Box::pin(self.named()).await,
        }
    }

    /// Both sides as the user named them.
    async fn named(&self) -> Result<Sides> {
        let (Some(reference), Some(current)) = (&self.settings.reference, &self.settings.current)
        else {
            return Err(Error::Missing {
                what: "--reference and --current are both needed outside a project".to_owned(),
                hint: "trainyard monitor --reference FILE --current FILE".to_owned(),
            });
        };
        let now = Utc::now();
        let title = self.project.as_ref().map_or("", |project| project.config.model.name.as_str());
        let before = self.reference(reference).await?;
        let rows = Reading { rows: self.settings.rows(now), ..self.reading() }.like(&before);
        let after = match &self.summed {
            Some(names) => Data::from(names.clone()),
            None => open(current, &self.temporary(), &rows).await?,
        };
        let windows = self.windows(current, &rows, now);
        Ok(Sides {
            reference: self.as_served(before, reference, &after).await?,
            current: after,
            meta: meta(title, reference, current, now),
            version: None,
            windows,
        })
    }

    /// What the version in production learned from and predicts, where the settings name nothing else.
    async fn deployment(
        &self,
        project: &Project,
        tracking: &Tracking,
        since: Option<DateTime<Utc>>,
    ) -> Result<Sides> {
        let now = Utc::now();
        let (resolved, version, model) = in_service(project, tracking).await?;
        let (reference, reference_name) = if let Some(source) = &self.settings.reference {
            (self.reference(&project.source(source)).await?, source.clone())
        } else {
            let name = format!("{model} (version {})", version.version);
            let (state, reading) = (self.temporary(), self.reading());
            let reading = Reading { rows: self.settings.reference_rows()?, ..reading };
            (reference_of(tracking, &resolved, &model, &state, &reading).await?, name)
        };
        // A log that the project names may be of a server that calls the model otherwise.
        let served_as = self.settings.current.is_none().then(|| version.name.clone());
        let number = (!self.is_of_windows).then(|| version.version.clone());
        let filter = LogFilter { model: served_as, version: number, since };
        let rows = self.settings.rows(now);
        let (current, current_name) = if let Some(source) = &self.settings.current {
            let reading = Reading { rows, ..self.reading() }.like(&reference);
            (self.current(&project.source(source), reading, &filter).await?, source.clone())
        } else {
            let log = served_log(project, &filter, &rows).await?;
            let log = match log {
                None if self.is_segment => RecordBatch::new_empty(Arc::new(Schema::empty())),
                None => {
                    return Err(Error::NothingPredicted { version: version.version.clone() });
                }
                Some(log) => log,
            };
            (Data::from(log), "prediction log".to_owned())
        };
        let reference = match &self.settings.reference {
            Some(source) => self.as_served(reference, &project.source(source), &current).await?,
            None => reference,
        };
        let log = project.prediction_log().to_string_lossy().into_owned();
        let source = self.settings.current.as_deref().map_or(log, |source| project.source(source));
        let rows = self.settings.rows(now);
        // What a log had before is another version's, too.
        let all = LogFilter { version: None, ..filter };
        let rows = if current.is_prediction_log() { all.over(&rows) } else { rows };
        let windows = self.windows(&source, &Reading { rows, ..self.reading() }, now);
        let meta = meta(&version.name, &reference_name, &current_name, now);
        Ok(Sides { reference, current, meta, version: Some(version.version), windows })
    }

    /// How many rows came in windows of time before that which the reading chooses.
    fn windows(&self, source: &str, reading: &Reading, now: DateTime<Utc>) -> Vec<u64> {
        if self.is_segment || self.summed.is_some() {
            return Vec::new();
        }
        earlier(source, reading, self.settings.volume_windows(), now)
    }

    /// The data that the project names; of a prediction log, what the filter wants.
    async fn current(&self, path: &str, reading: Reading, filter: &LogFilter) -> Result<Data> {
        if let Some(names) = &self.summed {
            return Ok(Data::from(names.clone()));
        }
        let state = self.temporary();
        let data = open(path, &state, &reading).await?;
        if !is_prediction_log(data.names().into_iter()) {
            return Ok(data);
        }
        let reading = Reading { rows: filter.over(&reading.rows), ..reading };
        open(path, &state, &reading).await
    }

    async fn reference(&self, source: &str) -> Result<Data> {
        let tracking = self.tracking.as_ref();
        let reading = Reading { rows: self.settings.reference_rows()?, ..self.reading() };
        open_reference(tracking, source, &self.temporary(), &reading).await
    }

    /// The reference with the types that training gave it, where current is a prediction log, which has
    /// those types. What came by standard input cannot be read again.
    async fn as_served(&self, reference: Data, source: &str, current: &Data) -> Result<Data> {
        if source == STDIN || !current.is_prediction_log() || !reference.is_guessed() {
            return Ok(reference);
        }
        let rows = self.settings.reference_rows()?;
        let reading = Reading { rows, ..self.reading() }.trained();
        open_reference(self.tracking.as_ref(), source, &self.temporary(), &reading).await
    }

    /// How sides are read, without their rows being chosen.
    fn reading(&self) -> Reading {
        let options = self.settings.options();
        let mut columns = self.settings.columns.clone();
        if let Some(columns) = &mut columns
            && self.is_of_windows
        {
            // Windows are made by it, whatever is compared.
            columns.push(self.settings.time_column.clone().unwrap_or_else(|| TIME.to_owned()));
        }
        Reading {
            columns,
            memory: Some(self.settings.memory()),
            allow_no_rows: self.is_segment,
            table_only: options.compat == Compat::Evidently
                || options.needs_rows()
                || self.settings.conditions.is_some(),
            text: Box::new(self.settings.text()),
            engine: self.settings.engine_limits(),
            ..Reading::default()
        }
    }

    /// How columns are compared: target and predictions of a project are known.
    pub(super) fn options(&self) -> Options {
        let options = self.settings.options();
        match &self.project {
            Some(project) => Options {
                target: project.config.train.target.clone().or(options.target),
                prediction: Some(PREDICTION.to_owned()),
                ..options
            },
            None => options,
        }
    }

    /// Where temporary files go.
    fn temporary(&self) -> PathBuf {
        match &self.project {
            Some(project) => project.state_folder(),
            None => tempfile::env::temp_dir(),
        }
    }

    /// The text of a `[monitor]` table that says how the reference would be compared.
    pub async fn starter(&self) -> Result<String> {
        let source = self.settings.reference.as_deref().ok_or_else(|| Error::Missing {
            what: "--print-config needs a reference".to_owned(),
            hint: "trainyard monitor --reference data/train.csv --print-config".to_owned(),
        })?;
        let profile = profile(&self.reference(source).await?, &self.settings.options())?;
        Ok(starter(&profile, source, &self.settings))
    }

    /// Writes the page and, where the settings want them, the metrics. Returns where the page is.
    pub fn write(&self, monitored: &Monitored) -> Result<&Path> {
        let page = self.settings.report();
        write_page(page, &monitored.page)?;
        if let Some(path) = &self.settings.prometheus {
            // Prometheus' textfile collector must never see half a file.
            let metrics = report::prometheus(&monitored.drift, &monitored.meta);
            write_atomically(path, |file| file.write_all(metrics.as_bytes()))?;
        }
        Ok(page)
    }

    /// Logs the comparison as a run, where there is a tracking store; returns the run's id.
    pub async fn log(&self, monitored: &Monitored) -> Result<Option<String>> {
        let Some(tracking) = self.tracking.as_ref() else { return Ok(None) };
        let config = self.project.as_ref().map(|project| &project.config);
        let model = config.map(|config| KeyValue::new("trainyard.model", &config.model.name));
        let version = monitored.version.as_ref();
        let version = version.map(|version| KeyValue::new("trainyard.model_version", version));
        let experiment = self.experiment();
        let tags = model.into_iter().chain(version).collect();
        log_run(tracking, &experiment, monitored, tags, Utc::now()).await.map(Some)
    }

    /// The experiment that looks are logged in.
    pub(super) fn experiment(&self) -> String {
        match &self.project {
            Some(project) => project.config.monitoring_experiment(),
            None => LOOKS_EXPERIMENT.to_owned(),
        }
    }

    /// Writes the page of a project and logs the comparison.
    pub(crate) async fn report(&self, monitored: &Monitored) -> Result<DriftSummary> {
        let page = self.settings.report();
        let folder = self.project.as_ref().map(|project| project.path(page));
        write_page(folder.as_deref().unwrap_or(page), &monitored.page)?;
        let drift = &monitored.drift;
        Ok(DriftSummary {
            verdict: drift.verdict(),
            drifted: drift.dataset_drift,
            drifted_columns: drift.drifted,
            columns: drift.tested,
            untested_columns: drift.untestable(),
            serious_findings: drift.serious_findings(),
            rows: usize::try_from(drift.current_rows).unwrap_or(usize::MAX),
            report: page.display().to_string(),
            run_id: self.log(monitored).await?,
        })
    }

    /// Why the comparison is to end with exit code 4, if its verdict is one that is not accepted.
    ///
    /// # Errors
    ///
    /// If a column could not be read and no verdict was named: a broken export must not pass for one that
    /// did not drift.
    pub fn fails(&self, monitored: &Monitored) -> Result<Option<String>> {
        let drift = &monitored.drift;
        let (verdict, serious) = (drift.verdict(), drift.serious_findings());
        let fails_on = self.settings.fails_on(&[], false);
        if fails_on.iter().any(|choice| choice.holds(verdict, serious)) {
            return Ok(Some(reason(drift)));
        }
        let unreadable: Vec<_> = drift.unknown().filter(|column| column.is_unreadable()).collect();
        match not_compared(&unreadable) {
            None => Ok(None),
            Some(what) => Err(Error::Missing {
                what,
                hint: "the page says of each column why; --columns names those to compare"
                    .to_owned(),
            }),
        }
    }

    /// Columns that there are settings for but no data: a misspelt name would go unnoticed.
    pub fn unknown_columns(&self, monitored: &Monitored) -> Vec<String> {
        let Options { per_column_method, per_column_threshold, kinds, rules, .. } =
            self.settings.options();
        let mut names: Vec<String> = per_column_method.into_keys().collect();
        names.extend(per_column_threshold.into_keys());
        names.extend(kinds.into_keys());
        names.extend(rules.into_keys());
        names.sort_unstable();
        names.dedup();
        names.retain(|name| monitored.drift.columns.iter().all(|column| column.name != *name));
        names
    }
}

/// The head of a report.
fn meta(title: &str, reference: &str, current: &str, time: DateTime<Utc>) -> Meta {
    Meta {
        title: title.to_owned(),
        reference: shown(reference),
        current: shown(current),
        time: time.format("%Y-%m-%d %H:%M UTC").to_string(),
    }
}

/// Writes a page, with the folder it lies in.
fn write_page(path: &Path, page: &str) -> Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
    }
    std::fs::write(path, page).map_err(|source| Error::io(path, source))
}
