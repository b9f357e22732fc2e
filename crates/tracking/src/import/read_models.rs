//! Folders of logged and of registered models.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use trainyard_mlflow::entities::{
    LifecycleStage, LoggedModel, LoggedModelData, LoggedModelInfo, Metric, ModelVersion,
    RegisteredModel, RegisteredModelAlias,
};

use super::counts::{Counts, Kind};
use super::file_store::ExperimentFolder;
use super::files::{META, files_below, keys_below, subfolders, values, word, yaml};
use super::meta::{
    LoggedModelMeta, RegisteredModelMeta, VersionMeta, lifecycle, logged_model_status,
    version_status,
};
use super::metric_file::{Owner, distinct};
use super::problem::{Problem, Problems};

/// Characters of values of logged models and the registry, which databases do not limit.
const VALUE_MAX: usize = 100_000;
/// Width of the column that holds a logged model's id.
const MODEL_ID_MAX: usize = 36;

/// A logged model's folder, with ids and locations of the file store.
#[derive(Debug, Clone)]
pub(super) struct LoggedModelFolder {
    pub(super) path: PathBuf,
    pub(super) model: LoggedModel,
    pub(super) lifecycle_stage: LifecycleStage,
    /// Metrics and their files.
    pub(super) metrics: Vec<(String, PathBuf)>,
    pub(super) counts: Counts,
}

/// Reads a logged model. Values that runs logged which are not in `runs` are left out, and noted: the database
/// refers from them to the run.
pub(super) fn read_logged_model(
    path: &Path,
    experiment: &ExperimentFolder,
    runs: &HashSet<String>,
    problems: &mut Problems,
) -> Option<LoggedModelFolder> {
    let file = path.join(META);
    let meta: LoggedModelMeta = problems.note(yaml(&file))?;
    let is_named = path.file_name().and_then(OsStr::to_str) == Some(meta.model_id.as_str());
    if !is_named || meta.model_id.len() > MODEL_ID_MAX {
        let reason = format!("it says that it is model {}", meta.model_id);
        problems.add(Problem::new(&file, reason));
        return None;
    }
    let Some(status) = logged_model_status(meta.status.as_deref()) else {
        let reason = format!("no model has status {}", meta.status.unwrap_or_default());
        problems.add(Problem::new(&file, reason));
        return None;
    };
    let metrics = keys_below(&path.join("metrics"), problems);
    let mut metric_values = 0;
    for (key, file) in &metrics {
        let is_known = |value: &Metric| is_of(runs, value.run_id.as_deref());
        metric_values += distinct(key, file, Owner::LoggedModel, &is_known, problems);
    }
    let info = LoggedModelInfo {
        experiment_id: experiment.experiment.experiment_id.clone(),
        name: meta.name.unwrap_or_default(),
        creation_timestamp_ms: meta.creation_timestamp,
        last_updated_timestamp_ms: meta.last_updated_timestamp,
        artifact_uri: meta
            .artifact_location
            .filter(|location| !location.is_empty())
            .unwrap_or_else(|| path.join("artifacts").display().to_string()),
        status,
        model_type: meta.model_type.filter(|kind| !kind.is_empty()),
        source_run_id: meta.source_run_id.filter(|id| !id.is_empty()),
        status_message: meta.status_message,
        tags: values(&path.join("tags"), VALUE_MAX, problems),
        model_id: meta.model_id,
        ..LoggedModelInfo::default()
    };
    let params = values(&path.join("params"), VALUE_MAX, problems);
    let counts = Counts::of([
        (Kind::LoggedModels, 1),
        (Kind::LoggedModelParams, params.len() as u64),
        (Kind::LoggedModelTags, info.tags.len() as u64),
        (Kind::LoggedModelMetrics, metric_values),
    ]);
    let data = LoggedModelData { params, ..LoggedModelData::default() };
    Some(LoggedModelFolder {
        path: path.to_owned(),
        model: LoggedModel { info, data },
        lifecycle_stage: lifecycle(meta.lifecycle_stage.as_deref()),
        metrics,
        counts,
    })
}

/// Whether a value of a logged model is of one of these runs.
pub(super) fn is_of(runs: &HashSet<String>, run_id: Option<&str>) -> bool {
    run_id.is_some_and(|run_id| runs.contains(run_id))
}

/// A registered model with all its versions.
#[derive(Debug, Clone)]
pub(super) struct RegisteredModelFolder {
    pub(super) model: RegisteredModel,
    /// Each with where its files are, if that was found out when it was made.
    pub(super) versions: Vec<(ModelVersion, Option<String>)>,
    pub(super) counts: Counts,
}

/// Reads a registered model and its versions.
pub(super) fn read_registered_model(
    path: &Path,
    problems: &mut Problems,
) -> Option<RegisteredModelFolder> {
    let file = path.join(META);
    let meta: RegisteredModelMeta = problems.note(yaml(&file))?;
    if path.file_name().and_then(OsStr::to_str) != Some(meta.name.as_str()) {
        let reason = format!("it says that it is model {}", meta.name);
        problems.add(Problem::new(&file, reason));
        return None;
    }
    let mut versions = Vec::new();
    for name in subfolders(path, problems) {
        if let Some(number) = name.strip_prefix("version-") {
            versions.extend(read_version(&path.join(&name), &meta.name, number, problems));
        }
    }
    let known: HashSet<&str> =
        versions.iter().map(|(version, _)| version.version.as_str()).collect();
    let mut aliases = Vec::new();
    for (alias, file) in files_below(&path.join("aliases"), problems) {
        let Some(version) = problems.note(word(&file)) else { continue };
        if known.contains(version.as_str()) {
            aliases.push(RegisteredModelAlias { alias, version });
        } else {
            problems.add(Problem::new(&file, format!("there is no version {version:?}")));
        }
    }
    let model = RegisteredModel {
        name: meta.name,
        creation_timestamp: meta.creation_timestamp,
        last_updated_timestamp: meta.last_updated_timestamp,
        description: meta.description,
        tags: values(&path.join("tags"), VALUE_MAX, problems),
        aliases,
        ..RegisteredModel::default()
    };
    let version_tags: usize = versions.iter().map(|(version, _)| version.tags.len()).sum();
    let counts = Counts::of([
        (Kind::RegisteredModels, 1),
        (Kind::RegisteredModelTags, model.tags.len() as u64),
        (Kind::Aliases, model.aliases.len() as u64),
        (Kind::ModelVersions, versions.len() as u64),
        (Kind::ModelVersionTags, version_tags as u64),
    ]);
    Some(RegisteredModelFolder { model, versions, counts })
}

fn read_version(
    path: &Path,
    name: &str,
    number: &str,
    problems: &mut Problems,
) -> Option<(ModelVersion, Option<String>)> {
    let file = path.join(META);
    let meta: VersionMeta = problems.note(yaml(&file))?;
    let is_number = number.parse::<i32>().is_ok_and(|number| number > 0);
    if meta.version != number || !is_number {
        let reason = format!("it says that it is version {}", meta.version);
        problems.add(Problem::new(&file, reason));
        return None;
    }
    let Some(status) = version_status(meta.status.as_deref()) else {
        let reason = format!("no version has status {}", meta.status.unwrap_or_default());
        problems.add(Problem::new(&file, reason));
        return None;
    };
    let version = ModelVersion {
        name: name.to_owned(),
        version: meta.version,
        creation_timestamp: meta.creation_timestamp,
        last_updated_timestamp: meta.last_updated_timestamp,
        user_id: meta.user_id,
        current_stage: meta.current_stage.unwrap_or_else(|| "None".to_owned()),
        description: meta.description,
        source: meta.source.unwrap_or_default(),
        run_id: meta.run_id,
        status,
        status_message: meta.status_message,
        run_link: meta.run_link,
        tags: values(&path.join("tags"), VALUE_MAX, problems),
        ..ModelVersion::default()
    };
    Some((version, meta.storage_location))
}
