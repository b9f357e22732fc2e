//! `trainyard quality`: which tables are read, what is found in them, what it means.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::Utc;
use trainyard_base::words::log_columns::{MODEL, MODEL_VERSION, REQUEST_ID, TIME};
use trainyard_data::{Columns, RowFilter};
use trainyard_mlflow::entities::ModelVersion;
use trainyard_report::quality::{self as report, Labels, Part, QualityReport};
use trainyard_serve::{Facts, LogReading};

use super::answers::Roles;
use super::columns::{check_rows, lacks};
use super::found::{Asked, Rows, parts_of};
use super::inputs::{change, inputs};
use super::known::Known;
use super::labels::{Joined, LabelTable};
use super::of_runs::OfRuns;
use super::options::{QualityOptions, Task};
use super::part::{Before, Judge, Sides, own};
use super::tables::{ID, evenly, in_column, open};
use super::verdict::verdict;
use crate::monitor::LogFilter;
use crate::registry::in_service;
use crate::{Error, FILE_NAME, Project, Result};

/// Labelled predictions of which what the model saw is held in memory, at most.
const INPUT_ROWS_MAX: usize = 100_000;
/// Columns of what was true, where none is named.
pub(crate) const ACTUAL: &str = "actual";
const PAGE: &str = "reports/quality.html";
/// What all rows of a request have in common.
const OF_REQUESTS: [&str; 4] = [REQUEST_ID, TIME, MODEL, MODEL_VERSION];

/// What is judged.
#[derive(Debug)]
pub struct QualityJob {
    project: Option<Project>,
    options: QualityOptions,
}

/// Predictions that are open.
pub(super) struct Predictions {
    /// The model, if it is known.
    title: String,
    pub(super) columns: Columns,
    pub(super) source: String,
    /// Versions of a log with the numbers of their predictions, those with the most.
    versions: Vec<(String, u64)>,
    /// What metrics were on holdouts.
    pub(super) of_runs: OfRuns,
    /// Nothing of a log is removed meanwhile.
    _log: Option<LogReading>,
}

impl QualityJob {
    /// A job of predictions that are named, or of the log of a project.
    pub(crate) fn of(project: Option<Project>, options: QualityOptions) -> Self {
        Self { project, options }
    }

    /// Predictions that are named, or the log of the project in `folder`.
    pub fn open(
        folder: &Path,
        tracking_uri: Option<&str>,
        options: QualityOptions,
    ) -> Result<Self> {
        let project = if options.predictions.is_some() && !folder.join(FILE_NAME).is_file() {
            None
        } else {
            let tables = "give the tables: --predictions TABLE --labels TABLE";
            let opened = Project::open(folder, tracking_uri);
            Some(opened.map_err(|error| error.or_tables(tables))?)
        };
        Ok(Self { project, options })
    }

    /// Reads, judges and estimates.
    pub async fn judge(&self) -> Result<QualityReport> {
        let predictions = Box::pin(self.predictions()).await?;
        let mut report = self.judge_tables(&predictions)?;
        report.title.clone_from(&predictions.title);
        Ok(report)
    }

    /// Opens the predictions.
    pub(super) async fn predictions(&self) -> Result<Predictions> {
        let (title, served, rows) = Box::pin(self.in_service()).await?;
        let source = self.source();
        let log = LogReading::begin(Path::new(&source));
        let ids = self.options.ids().map_or(ID, |(of_predictions, _)| of_predictions);
        let columns = open(&source, rows, &[ids])?;
        check_rows(&columns, &source)?;
        let versions = parts_of(&columns, MODEL_VERSION)?;
        let of_runs = match (&self.project, &served) {
            (Some(project), Some(served)) => {
                let names = names_of(&versions);
                Box::pin(OfRuns::read(&project.tracking()?, served, &names)).await?
            }
            _ => OfRuns::default(),
        };
        Ok(Predictions { title, columns, source, versions, of_runs, _log: log })
    }

    /// The column that holds the time of predictions.
    pub(super) fn time_column(&self) -> &str {
        self.options.time_column.as_deref().unwrap_or(TIME)
    }

    /// Writes the page; returns where it is.
    pub fn write(&self, report: &QualityReport) -> Result<PathBuf> {
        let path = match (&self.options.output, &self.project) {
            (Some(path), _) => path.clone(),
            (None, Some(project)) => project.path(PAGE),
            (None, None) => PathBuf::from(PAGE),
        };
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
        }
        let page = report::page(report);
        std::fs::write(&path, page).map_err(|source| Error::io(&path, source))?;
        Ok(path)
    }

    /// Why it is to end with exit code 4, if its verdict is one that is not accepted.
    pub fn fails(&self, report: &QualityReport) -> Option<String> {
        let is_refused = self.options.fail_on.iter().any(|choice| choice.holds(report.verdict, 0));
        let why = report.reasons.first().cloned().unwrap_or_default();
        is_refused.then(|| format!("the verdict is {}: {why}", report.verdict.name()))
    }

    /// Labelled rows that the model did not learn from, where some are named.
    pub(super) fn reference(&self) -> Option<&str> {
        self.options.reference.as_deref()
    }

    fn source(&self) -> String {
        match (&self.options.predictions, &self.project) {
            (Some(source), _) => source.clone(),
            (None, Some(project)) => project.prediction_log().to_string_lossy().into_owned(),
            (None, None) => String::new(),
        }
    }

    /// Of a project: the model's name, the version that is served, and which predictions are its own.
    async fn in_service(&self) -> Result<(String, Option<ModelVersion>, RowFilter)> {
        let mut rows = RowFilter {
            time_column: self.options.time_column.clone(),
            since: self.options.since.clone(),
            until: self.options.until.clone(),
            conditions: self.options.conditions.clone(),
        };
        if rows.since.is_some() || rows.until.is_some() {
            rows.time_column.get_or_insert_with(|| TIME.to_owned());
        }
        let Some(project) = self.project.as_ref().filter(|_| self.options.predictions.is_none())
        else {
            return Ok(("Quality".to_owned(), None, rows));
        };
        let tracking = project.tracking()?;
        let (_resolved, version, _uri) = in_service(project, &tracking).await?;
        let filter = LogFilter { model: Some(version.name.clone()), ..LogFilter::default() };
        rows.conditions.extend(filter.rows().conditions);
        Ok((version.name.clone(), Some(version), rows))
    }

    fn judge_tables(&self, predictions: &Predictions) -> Result<QualityReport> {
        let Predictions { columns, source, versions, of_runs, .. } = predictions;
        let mut known = self.known(columns, source, of_runs.clone(), &evenly(columns), &[])?;
        let names = names_of(versions);
        let of_all = of_runs.of_all(&names);
        let mut notes = std::mem::take(&mut known.notes);
        let (judge, reference) = (known.judge(), known.before.reference.as_ref());
        let sides = [known.labelled.as_ref(), Some(&known.sample), reference];
        let counts = &known.counts;
        let mut all = vec![judge.part(
            "",
            counts.predictions,
            Sides { labelled: sides[0], sample: sides[1], own: None, version: of_all },
        )?];
        for (place, column) in known.parts.iter().enumerate() {
            let is_version = column == MODEL_VERSION;
            let values = if is_version { versions.clone() } else { parts_of(columns, column)? };
            if values.is_empty() {
                notes.push(format!("{column:?} has no values, or too many to be parts"));
            }
            // One version alone is what all predictions are.
            if !is_version || values.len() > 1 {
                let column = (place, column.as_str());
                all.extend(judge_parts(judge, sides, column, values, of_all)?);
            }
        }
        let change = match reference {
            Some(reference) => change(&known.inputs, reference, &known.sample)?,
            None => None,
        };
        let QualityOptions { since, until, conditions, metrics, .. } = &self.options;
        let decisive = of_runs.decisive(&names).map(|version| format!("version = {version}"));
        let are_chosen = since.is_some() || until.is_some() || !conditions.is_empty();
        let (verdict, reasons) = verdict(
            &all,
            decisive.as_deref(),
            change.as_ref(),
            counts,
            metrics,
            known.margin,
            are_chosen,
        );
        let labels = self.options.labels.clone().unwrap_or_else(|| "feedback".to_owned());
        Ok(QualityReport {
            title: String::new(),
            predictions: source.clone(),
            labels: known.labelled.is_some().then_some(labels),
            reference: self.options.reference.clone(),
            time: Utc::now().format("%Y-%m-%d %H:%M UTC").to_string(),
            counts: known.counts,
            parts: all,
            change,
            verdict,
            reasons,
            notes,
        })
    }

    /// Reads labels and reference, and of predictions what is judged. `sampled` are those that estimates look at, `segments`
    /// conditions of parts that are judged besides those of columns.
    pub(super) fn known(
        &self,
        columns: &Columns,
        source: &str,
        of_runs: OfRuns,
        sampled: &[u32],
        segments: &[String],
    ) -> Result<Known> {
        let mut notes = Vec::new();
        let mut roles = Roles::of(columns, source, &self.options)?;
        let mut joined = self.labels(columns, source)?;
        let has_versions = columns.names().iter().any(|name| name == MODEL_VERSION);
        let versions = has_versions.then(|| MODEL_VERSION.to_owned());
        let parts: Vec<String> =
            versions.into_iter().chain(self.options.segments.iter().cloned()).collect();
        let mut names = Vec::new();
        let mut before = match &self.options.reference {
            None => Before {
                figures: BTreeMap::new(),
                of_runs,
                reference: None,
                estimator: None,
                why_not: None,
            },
            Some(reference) => {
                let table = open(reference, RowFilter::default(), &[])?;
                check_rows(&table, reference)?;
                names = inputs(&table, columns, &self.others(&roles))?;
                let target = self.target(&table, reference)?;
                let (roles_there, inputs) = (roles.clone(), names.as_slice());
                let parts = parts.as_slice();
                let asked = Asked {
                    columns: &table,
                    source: reference,
                    roles: &roles_there,
                    parts,
                    segments,
                    inputs,
                };
                let before = Before::read(asked, &target, of_runs)?;
                roles.classes = before.classes();
                before
            }
        };
        before.figures.extend(self.options.before.iter().cloned());
        if let Some(why) = &before.why_not {
            notes.push(format!("nothing is estimated before labels come: {why}"));
        }
        let asked =
            Asked { columns, source, roles: &roles, parts: &parts, segments, inputs: &names };
        let labelled = match &mut joined {
            None => None,
            Some(joined) => {
                let is_large = joined.positions.len() > INPUT_ROWS_MAX;
                let inputs: &[String] = if is_large { &[] } else { asked.inputs };
                let asked = Asked { inputs, ..asked };
                let truth = std::mem::take(&mut joined.truth);
                Some(Rows::read(asked, &joined.positions, Some(truth))?)
            }
        };
        let sample = Rows::read(asked, sampled, None)?;
        let counts = match &joined {
            None => Labels { predictions: columns.rows() as u64, ..Labels::default() },
            Some(joined) => joined.counts,
        };
        let metrics = self.judged_by(&roles);
        let margin = self.options.margin();
        let inputs = names;
        Ok(Known { before, labelled, sample, counts, metrics, margin, parts, inputs, notes })
    }

    /// What the verdict looks at.
    fn judged_by(&self, roles: &Roles) -> Vec<String> {
        if !self.options.metrics.is_empty() {
            return self.options.metrics.clone();
        }
        let usual = match roles.task {
            Task::Classification => ["accuracy", "roc_auc"],
            Task::Regression => ["mae", "rmse"],
        };
        usual.map(str::to_owned).to_vec()
    }

    /// Columns that are no input of the model.
    fn others<'a>(&'a self, roles: &'a Roles) -> Vec<&'a str> {
        let given = [&self.options.target, &self.options.time_column];
        let target =
            self.project.as_ref().and_then(|project| project.config.train.target.as_deref());
        let ids = self.options.ids().map_or([ID, ID], |(one, other)| [one, other]);
        let given = given.into_iter().flatten().map(String::as_str);
        roles.names().chain(given).chain(target).chain(ids).chain([ACTUAL]).collect()
    }

    /// The column of what was true in a table.
    pub(super) fn target(&self, columns: &Columns, source: &str) -> Result<String> {
        let has = |name: &str| columns.names().iter().any(|column| column == name);
        let of_project = self.project.as_ref().and_then(|p| p.config.train.target.as_deref());
        let usual = || [Some(ACTUAL), of_project].into_iter().flatten().find(|name| has(name));
        match &self.options.target {
            Some(name) => Ok(name.clone()),
            None => usual().map(str::to_owned).ok_or_else(|| {
                lacks(columns, source, ACTUAL).hinting("--target names the column of what was true")
            }),
        }
    }

    /// Predictions with labels: of a table, of feedback beside a log, or those that have them in a column.
    fn labels(&self, predictions: &Columns, source: &str) -> Result<Option<Joined>> {
        let has = |columns: &Columns, name: &str| columns.names().iter().any(|n| n == name);
        if let Some(labels) = &self.options.labels {
            let (of_predictions, of_labels) = match self.options.ids() {
                Some(ids) => ids,
                None if has(predictions, REQUEST_ID) => (REQUEST_ID, ID),
                None => (ID, ID),
            };
            let table = open(labels, RowFilter::default(), &[of_labels])?;
            check_rows(&table, labels)?;
            let target = self.target(&table, labels)?;
            let table = LabelTable::read(&table, labels, of_labels, &target)?;
            self.check_rows_of_requests(&table)?;
            return table.join(predictions, source, of_predictions).map(Some);
        }
        if let Ok(target) = self.target(predictions, source)
            && has(predictions, &target)
        {
            return in_column(predictions, source, &target).map(Some);
        }
        let log = Path::new(source);
        if !log.is_dir() || !has(predictions, REQUEST_ID) {
            return Ok(None);
        }
        let facts = Facts::read(log).map_err(|source| Error::io(log, source))?;
        if facts.is_empty() {
            return Ok(None);
        }
        if facts.is_cut() {
            tracing::warn!(folder = %log.display(), "there is more feedback than is read: the oldest files are left out");
        }
        let table = LabelTable::of_feedback(&facts);
        self.check_rows_of_requests(&table)?;
        table.join(predictions, source, REQUEST_ID).map(Some)
    }

    /// Which row of its request a prediction is, is told by those before it: where labels are of rows, no condition may
    /// leave some rows of a request out, or others would get their labels.
    fn check_rows_of_requests(&self, labels: &LabelTable) -> Result<()> {
        if !labels.are_of_rows() {
            return Ok(());
        }
        for condition in &self.options.conditions {
            let one = RowFilter { conditions: vec![condition.clone()], ..RowFilter::default() };
            if !one.columns()?.iter().all(|name| OF_REQUESTS.contains(&name.as_str())) {
                return Err(Error::Missing {
                    what: format!(
                        "labels are of rows of requests, some of which {condition:?} leaves out"
                    ),
                    hint: "judge all rows, with --segment for the part that is of interest"
                        .to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Labelled predictions, predictions as they came, and the reference.
type AllRows<'a> = [Option<&'a Rows>; 3];

/// The names of versions.
fn names_of(versions: &[(String, u64)]) -> BTreeSet<String> {
    versions.iter().map(|(version, _)| version.clone()).collect()
}

/// Judges each value of a column, given with its place among the columns of parts.
fn judge_parts(
    judge: Judge<'_>,
    sides: AllRows<'_>,
    (place, column): (usize, &str),
    values: Vec<(String, u64)>,
    of_all: Option<&str>,
) -> Result<Vec<Part>> {
    let is_version = column == MODEL_VERSION;
    let title = if is_version { "version" } else { column };
    let of = |(value, predictions): (String, u64)| {
        let parts = sides.map(|side| side.and_then(|side| side.part(place, &value)));
        let [labelled, sample, reference] = parts.each_ref().map(Option::as_ref);
        let own = own(reference)?;
        let version = if is_version { Some(value.as_str()) } else { of_all };
        let sides = Sides { labelled, sample, own: own.as_ref(), version };
        judge.part(&format!("{title} = {value}"), predictions, sides)
    };
    values.into_iter().map(of).collect()
}
