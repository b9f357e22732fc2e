//! The models that score a table, loaded once, and what each of them answers about rows as they were read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use sha2::{Digest as _, Sha256};
use trainyard_base::{Advise as _, TemporaryFolder};
use trainyard_data::PartedFile;
use trainyard_mlflow::resolve::{self, ResolvedModel};
use trainyard_mlflow::uri::{self, ModelUri};
use trainyard_mlflow::{Tracking, secrets};
use trainyard_models::{LoadedModel, Prediction, Predictor};
use trainyard_serve::Scorer;
use trainyard_signature::enforce::{Casting, Enforcer, Limits, Rejection};

use super::answer_columns::{Columns, columns};
use super::explained_columns::explained;
use super::options::PredictOptions;
use super::record::ModelRecord;
use crate::model_folder::check_model_folder;
use crate::{Error, Result};

/// Models that score one table side by side: each parses rows and holds its answers.
const MODELS_MAX: usize = 32;

/// What begins the names of columns with a model's answer, and with how probable each class is.
const PREDICTION: &str = "prediction";
const PROBABILITY: &str = "probability";

/// Why rows are not answered.
#[derive(Debug)]
pub(super) enum Refusal {
    /// None of them can be: columns are missing, or of another type.
    Table(String),
    /// What answers does not, whatever the rows are.
    Model(String),
    /// One of them cannot be, perhaps others as well.
    Row(BadRow),
}

/// A row that is not answered.
#[derive(Debug)]
pub(super) struct BadRow {
    pub(super) column: Option<String>,
    pub(super) value: Option<String>,
    /// Which of the rows it is, where that is known.
    pub(super) row: Option<usize>,
    pub(super) problem: String,
}

/// A model that scores.
pub(super) struct ScoringModel {
    pub(super) record: ModelRecord,
    pub(super) resolved: ResolvedModel,
    /// Before the names of its columns; empty where it is alone.
    prefix: String,
    enforcer: Enforcer,
    model: Arc<LoadedModel>,
    probabilities: Option<Box<dyn Predictor>>,
    explains: bool,
    scorer: Scorer,
    /// Where it was fetched to, which workers may read again.
    _folder: Option<TemporaryFolder>,
}

/// All models of a job.
pub(super) struct ScoringModels {
    pub(super) models: Vec<ScoringModel>,
    keep: Vec<String>,
}

impl ScoringModels {
    /// Finds and loads the models, or those versions of them that a job began with.
    pub(super) async fn load(
        options: &PredictOptions,
        begun: Option<&[ModelRecord]>,
        tracking: Option<&Tracking>,
    ) -> Result<Self> {
        if !(1..=MODELS_MAX).contains(&options.models.len()) {
            let what = format!("{} models to score one table with", options.models.len());
            return Err(Error::predict(what, format!("give one to {MODELS_MAX} of them")));
        }
        let mut found = Vec::with_capacity(options.models.len());
        for (index, asked) in options.models.iter().enumerate() {
            let asked_uri = asked.uri.to_string();
            let pinned = begun.and_then(|records| records.get(index));
            let pinned = pinned.filter(|record| record.asked == asked_uri);
            let uri = match pinned {
                Some(record) => record.uri.parse::<ModelUri>()?,
                None => asked.uri.clone(),
            };
            found.push((asked.name.clone(), asked_uri, find(&uri, tracking).await?));
        }
        let names = names(&found)?;
        let mut models = Vec::with_capacity(found.len());
        for ((_, asked, (uri, resolved)), name) in found.into_iter().zip(names) {
            let record = ModelRecord {
                name,
                asked,
                uri: uri.to_string(),
                version: resolved.version.as_ref().map(|version| version.version.clone()),
                digest: String::new(),
            };
            let is_alone = options.models.len() == 1;
            models.push(ScoringModel::load(record, resolved, is_alone, options, tracking).await?);
        }
        Ok(Self { models, keep: options.keep.clone() })
    }

    /// What is remembered of them.
    pub(super) fn records(&self) -> Vec<ModelRecord> {
        self.models.iter().map(|model| model.record.clone()).collect()
    }

    /// The columns of the input that are needed; none if that is all of them.
    pub(super) fn columns(&self) -> Option<Vec<String>> {
        let mut wanted: BTreeSet<String> = self.keep.iter().cloned().collect();
        for model in &self.models {
            wanted.extend(model.enforcer.column_names()?.map(str::to_owned));
        }
        Some(wanted.into_iter().collect())
    }

    /// The columns that the first model takes by name, if it does.
    pub(super) fn input_names(&self) -> Option<Vec<String>> {
        Some(self.models.first()?.enforcer.column_names()?.map(str::to_owned).collect())
    }

    /// Says how the text of a file is read: as the signatures do, or by pandas' rules where there are none. Whether
    /// it stays text.
    pub(super) fn prepare(&self, file: &mut PartedFile) -> Result<bool> {
        let lacking = self.keep.iter().find(|name| !file.names().contains(name));
        if let Some(name) = lacking {
            let names = file.names().iter().take(20).map(|name| format!("{name:?}"));
            let names = names.collect::<Vec<_>>().join(", ");
            return Err(Error::predict(
                format!("{} has no column {name:?}", file.path().display()),
                format!("its columns are {names}"),
            ));
        }
        if !file.is_text() {
            return Ok(false);
        }
        let reading = self.models.iter().filter(|model| model.enforcer.reads_texts()).count();
        if reading == self.models.len() {
            file.read_as_written();
            return Ok(true);
        }
        if reading > 0 {
            return Err(Error::predict(
                "models with a signature of columns and models without one cannot read the same CSV file",
                "score it with each of them by itself, or write it as Parquet",
            ));
        }
        file.read_typed(&self.keep)?;
        Ok(false)
    }

    /// The kept columns and what all models answer about these rows; of a CSV file `is_text` says whether its cells
    /// are still text.
    pub(super) fn answer(&self, rows: &RecordBatch, is_text: bool) -> Result<Columns, Refusal> {
        let mut all = Columns::new();
        for name in &self.keep {
            if let Some(column) = rows.column_by_name(name) {
                all.push((name.clone(), Arc::clone(column)));
            }
        }
        for model in &self.models {
            all.extend(model.answer(rows, is_text, &self.keep)?);
        }
        match twin(all.iter().map(|(name, _)| name.as_str())) {
            None => Ok(all),
            Some(name) => Err(Refusal::Table(format!(
                "two columns of the output would be called {name:?}; give the model another name (-m NAME=URI)"
            ))),
        }
    }

    /// Parts that are scored at a time. Where workers answer it is one for each of them, and one that is read meanwhile:
    /// more would only wait, until the queue of the workers is full.
    pub(super) fn parts_at_once(&self, options: &PredictOptions) -> usize {
        let is_by_workers = self.models.iter().any(|model| model.scorer.runs_in_workers());
        match &options.python {
            Some(python) if is_by_workers => python.workers.max(1).saturating_add(1),
            _ => usize::MAX,
        }
    }

    /// Ends workers, if there are any.
    pub(super) async fn close(self) {
        for model in self.models {
            model.scorer.close().await;
        }
    }
}

impl ScoringModel {
    async fn load(
        mut record: ModelRecord,
        resolved: ResolvedModel,
        is_alone: bool,
        options: &PredictOptions,
        tracking: Option<&Tracking>,
    ) -> Result<Self> {
        let (path, folder) = fetch(&resolved, tracking).await?;
        let version = resolved.version.as_ref();
        let started = Scorer::of_version(&path, version, options.python.as_ref());
        let scorer = Box::pin(started).await?;
        let model = scorer.model();
        let is_asked = options.probabilities && !model.predictor.answers_probabilities();
        let probabilities = if is_asked {
            Some(trainyard_models::load_probabilities(&path)?.predictor)
        } else {
            None
        };
        record.digest = digest(&path)?;
        let casting = if options.lenient { Casting::Upstream } else { Casting::Lossless };
        let limits = Limits { rows_max: usize::MAX, ..Limits::default() };
        Ok(Self {
            prefix: if is_alone { String::new() } else { format!("{}.", record.name) },
            enforcer: Enforcer::new(model.mlmodel.signature.as_ref(), casting, limits),
            record,
            resolved,
            model,
            probabilities,
            explains: options.explain,
            scorer,
            _folder: folder,
        })
    }

    /// What the model answers about rows that have the types of its signature.
    pub(super) fn prediction(&self, rows: &RecordBatch) -> Result<Prediction, Refusal> {
        predicted(&*self.model.predictor, &self.input(rows, false, &[])?)
    }

    fn answer(
        &self,
        rows: &RecordBatch,
        is_text: bool,
        keep: &[String],
    ) -> Result<Columns, Refusal> {
        let input = self.input(rows, is_text, keep)?;
        let asked = |predictor: &dyn Predictor, base: &str| -> Result<Columns, Refusal> {
            let (answer, classes) = (predicted(predictor, &input)?, predictor.classes());
            columns(&self.prefix, base, &answer, classes.as_deref(), input.num_rows())
                .map_err(Refusal::Table)
        };
        let mut answered = asked(&*self.model.predictor, PREDICTION)?;
        if let Some(probabilities) = &self.probabilities {
            answered.extend(asked(&**probabilities, PROBABILITY)?);
        }
        if self.explains {
            let columns = explained(&self.prefix, &*self.model.predictor, &input);
            answered.extend(columns.map_err(|error| unanswered(&error))?);
        }
        Ok(answered)
    }

    /// The rows as the model takes them.
    fn input(
        &self,
        rows: &RecordBatch,
        is_text: bool,
        keep: &[String],
    ) -> Result<RecordBatch, Refusal> {
        let enforced = if is_text {
            self.enforcer.texts(rows)
        } else if self.enforcer.column_names().is_some() {
            self.enforcer.table(rows)
        } else {
            // Nothing says which columns are the model's: all but those that are carried along.
            let all = rows.schema_ref().fields().iter().enumerate();
            let own: Vec<usize> =
                all.filter(|(_, field)| !keep.contains(field.name())).map(|(at, _)| at).collect();
            let own = rows.project(&own).map_err(|error| Refusal::Table(error.to_string()))?;
            self.enforcer.table(&own)
        };
        Ok(enforced.map_err(refused)?.batch)
    }
}

fn predicted(predictor: &dyn Predictor, input: &RecordBatch) -> Result<Prediction, Refusal> {
    predictor.predict(input).map_err(|error| unanswered(&error))
}

/// Only what is wrong with the input may be wrong with a row of it. What a model cannot do it cannot do for any row,
/// and a worker that died must not take good rows for bad ones.
fn unanswered(error: &trainyard_models::Error) -> Refusal {
    let problem = secrets::hide(&error.sentence()).into_owned();
    match error {
        trainyard_models::Error::Input(_) => {
            Refusal::Row(BadRow { column: None, value: None, row: None, problem })
        }
        trainyard_models::Error::Unsupported { .. } => Refusal::Table(problem),
        _ => Refusal::Model(problem),
    }
}

/// Rows of other types or shapes are all refused; of values each is refused by itself.
fn refused(rejection: Rejection) -> Refusal {
    let is_of_rows = rejection.violations.iter().all(|violation| violation.row.is_some());
    match rejection.violations.into_iter().next() {
        Some(first) if is_of_rows => Refusal::Row(BadRow {
            column: first.column,
            value: first.value,
            row: first.row,
            problem: first.problem,
        }),
        _ => Refusal::Table(rejection.message),
    }
}

/// What a URI means now, and the URI that goes on to mean it.
async fn find(uri: &ModelUri, tracking: Option<&Tracking>) -> Result<(ModelUri, ResolvedModel)> {
    let resolved = match (uri, tracking) {
        (ModelUri::Folder(folder), _) => {
            check_model_folder(folder)?;
            let artifact_uri = folder.to_string_lossy().into_owned();
            ResolvedModel { artifact_uri, ..ResolvedModel::default() }
        }
        (_, Some(tracking)) => resolve::resolve(tracking, uri).await?,
        (_, None) => return Err(no_tracking(&uri.to_string())),
    };
    let fixed = match &resolved.version {
        Some(version) => {
            ModelUri::Version { name: version.name.clone(), version: version.version.clone() }
        }
        None => uri.clone(),
    };
    Ok((fixed, resolved))
}

fn no_tracking(uri: &str) -> Error {
    Error::from(trainyard_serve::Error::NoTracking { uri: uri.to_owned() })
}

/// The model's folder on this disk; a copy where it is elsewhere, or may change.
async fn fetch(
    resolved: &ResolvedModel,
    tracking: Option<&Tracking>,
) -> Result<(PathBuf, Option<TemporaryFolder>)> {
    match (uri::local_path(&resolved.artifact_uri)?, tracking) {
        (Some(path), _) if resolved.version.is_none() => Ok((path, None)),
        (_, Some(tracking)) => {
            let failed = |source| Error::io(tempfile::env::temp_dir(), source);
            let folder = TemporaryFolder::create("model").map_err(failed)?;
            resolve::fetch(tracking, resolved, folder.path()).await?;
            Ok((folder.path().to_owned(), Some(folder)))
        }
        (Some(path), None) => Ok((path, None)),
        (None, None) => Err(no_tracking(&uri::without_credentials(&resolved.artifact_uri))),
    }
}

/// Of all files below a folder, which was looked at before: it holds files and folders alone.
fn digest(folder: &Path) -> Result<String> {
    let failed = |path: &Path, source| Error::io(path, source);
    let mut pending = vec![folder.to_owned()];
    let mut files = BTreeSet::new();
    while let Some(path) = pending.pop() {
        for entry in std::fs::read_dir(&path).map_err(|error| failed(&path, error))? {
            let path = entry.map_err(|error| failed(&path, error))?.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.is_file() {
                files.insert(path);
            }
        }
    }
    let mut digest = Sha256::new();
    for path in files {
        let relative = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        digest.update(relative);
        digest.update(trainyard_data::file_digest(&path)?);
    }
    Ok(hex::encode(digest.finalize()))
}

type Found = (Option<String>, String, (ModelUri, ResolvedModel));

/// The names that were given, or those of registered models, with their versions where that is not enough.
fn names(found: &[Found]) -> Result<Vec<String>> {
    let registered = |(given, _, (_, resolved)): &Found| match given {
        Some(given) => given.clone(),
        None => resolved.name.clone().unwrap_or_else(|| "model".to_owned()),
    };
    let plain: Vec<String> = found.iter().map(registered).collect();
    let full = |(at, (given, _, (_, resolved))): (usize, &Found)| {
        let name = plain.get(at).cloned().unwrap_or_default();
        let is_taken = plain.iter().filter(|other| **other == name).count() > 1;
        match (&resolved.version, given) {
            (Some(version), None) if is_taken => format!("{name}_{}", version.version),
            _ => name,
        }
    };
    let names: Vec<String> = found.iter().enumerate().map(full).collect();
    match twin(names.iter().map(String::as_str)) {
        None => Ok(names),
        Some(name) => Err(trainyard_serve::Error::SameName { name }.into()),
    }
}

/// A name that is there twice.
fn twin<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut seen = BTreeSet::new();
    names.find(|name| !seen.insert(*name)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use trainyard_mlflow::entities::ModelVersion;

    use super::*;

    fn found(given: Option<&str>, name: Option<&str>, version: &str) -> Found {
        let version = ModelVersion { version: version.to_owned(), ..ModelVersion::default() };
        let resolved = ResolvedModel {
            name: name.map(str::to_owned),
            version: name.map(|_registered| version),
            ..ResolvedModel::default()
        };
        (given.map(str::to_owned), String::new(), (ModelUri::Folder("m".into()), resolved))
    }

    #[test]
    fn rows_are_not_left_out_for_what_is_not_their_fault() {
        let of = |error: trainyard_models::Error| unanswered(&error);
        let input = of(trainyard_models::Error::Input("no such town".to_owned()));
        assert!(matches!(input, Refusal::Row(_)), "{input:?}");
        let died = of(trainyard_models::Error::Unanswered("two workers died".to_owned()));
        assert!(matches!(died, Refusal::Model(_)), "{died:?}");
    }

    #[test]
    fn versions_of_one_model_are_told_apart() {
        let two = [found(None, Some("Iris"), "3"), found(None, Some("Iris"), "4")];
        assert_eq!(names(&two).unwrap(), ["Iris_3", "Iris_4"]);
        let one = [found(Some("old"), Some("Iris"), "3"), found(None, Some("Iris"), "4")];
        assert_eq!(names(&one).unwrap(), ["old", "Iris"]);
        let error = names(&[found(None, None, ""), found(None, None, "")]).unwrap_err();
        assert!(error.to_string().contains("two models are called \"model\""), "{error}");
    }
}
