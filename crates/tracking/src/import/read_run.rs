//! A run's folder: everything but the values of its metrics, which may be many.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use trainyard_mlflow::entities::{
    Dataset, DatasetInput, Metric, ModelInput, ModelOutput, Run, RunData, RunInfo, RunInputs,
    RunOutputs, Tag,
};

use super::counts::{Counts, Kind};
use super::file_store::ExperimentFolder;
use super::files::{META, keys_below, subfolders, values, yaml};
use super::meta::{DatasetMeta, InputMeta, OutputMeta, RunMeta, lifecycle, run_status};
use super::metric_file::{Owner, distinct};
use super::problem::{Problem, Problems};
use crate::search::runs_sql::RUN_NAME;

/// Characters of values: the databases' columns hold no more.
const VALUE_MAX: usize = 8_000;

/// What a run's folder holds, with ids and locations of the file store.
#[derive(Debug, Clone)]
pub(super) struct RunFolder {
    pub(super) path: PathBuf,
    pub(super) run: Run,
    /// Milliseconds since the Unix epoch, if the run is deleted.
    pub(super) deleted_time: Option<i64>,
    /// Metrics and their files.
    pub(super) metrics: Vec<(String, PathBuf)>,
    /// How much of everything is in it, but artifacts.
    pub(super) counts: Counts,
}

/// Reads a run; none if it cannot be imported at all. Single values that cannot are noted and left out.
pub(super) fn read_run(
    path: &Path,
    experiment: &ExperimentFolder,
    problems: &mut Problems,
) -> Option<RunFolder> {
    let file = path.join(META);
    let meta: RunMeta = problems.note(yaml(&file))?;
    let mut refuse = |reason: String| problems.add(Problem::new(&file, reason));
    let Some(run_id) = meta.run_id.or(meta.run_uuid) else {
        refuse("it names no run".to_owned());
        return None;
    };
    if path.file_name().and_then(OsStr::to_str) != Some(run_id.as_str()) {
        refuse(format!("it says that it is run {run_id}"));
        return None;
    }
    if meta.experiment_id != experiment.experiment.experiment_id {
        refuse(format!("the run says that it is of experiment {}", meta.experiment_id));
        return None;
    }
    let Some(status) = run_status(meta.status.as_deref()) else {
        refuse(format!("no run has status {}", meta.status.unwrap_or_default()));
        return None;
    };
    if crate::store::validate::run_id(&run_id).is_err() || run_id.len() > RUN_ID_MAX {
        refuse(format!("the database holds no run with id {run_id:?}"));
        return None;
    }
    let tags = values(&path.join("tags"), VALUE_MAX, problems);
    let named = [meta.run_name, meta.name].into_iter().flatten().find(|name| !name.is_empty());
    let run_name =
        named.or_else(|| Tag::find(&tags, RUN_NAME).map(str::to_owned)).unwrap_or_default();
    let info = RunInfo {
        run_uuid: run_id.clone(),
        run_id,
        run_name,
        experiment_id: meta.experiment_id,
        user_id: meta.user_id.unwrap_or_default(),
        status,
        start_time: meta.start_time,
        end_time: meta.end_time,
        artifact_uri: meta
            .artifact_uri
            .filter(|uri| !uri.is_empty())
            .unwrap_or_else(|| path.join("artifacts").display().to_string()),
        lifecycle_stage: lifecycle(meta.lifecycle_stage.as_deref()),
    };
    let data = RunData {
        params: values(&path.join("params"), VALUE_MAX, problems),
        tags,
        ..RunData::default()
    };
    let metrics = keys_below(&path.join("metrics"), problems);
    let run = Run {
        info,
        data,
        inputs: inputs(path, &experiment.path, problems),
        outputs: outputs(path, problems),
    };
    let all = |_: &Metric| true;
    let metric_values: u64 =
        metrics.iter().map(|(key, file)| distinct(key, file, Owner::Run, &all, problems)).sum();
    let counts = Counts::of([
        (Kind::Runs, 1),
        (Kind::Params, run.data.params.len() as u64),
        (Kind::RunTags, run.data.tags.len() as u64),
        (Kind::MetricValues, metric_values),
        (Kind::DatasetInputs, run.inputs.dataset_inputs.len() as u64),
        (Kind::ModelInputs, run.inputs.model_inputs.len() as u64),
        (Kind::ModelOutputs, run.outputs.model_outputs.len() as u64),
    ]);
    Some(RunFolder { path: path.to_owned(), run, deleted_time: meta.deleted_time, metrics, counts })
}

/// Width of the column.
const RUN_ID_MAX: usize = 32;

fn inputs(run: &Path, experiment: &Path, problems: &mut Problems) -> RunInputs {
    let mut inputs = RunInputs::default();
    let folder = run.join("inputs");
    for name in subfolders(&folder, problems) {
        let file = folder.join(name).join(META);
        let Some(meta) = problems.note(yaml::<InputMeta>(&file)) else { continue };
        match meta.source_type.as_str() {
            "DATASET" => {
                let described = experiment.join("datasets").join(&meta.source_id).join(META);
                let Some(dataset) = problems.note(yaml::<DatasetMeta>(&described)) else {
                    continue;
                };
                let tags = meta.tags.into_iter().map(|(key, value)| Tag::new(key, value));
                let dataset = Dataset::from(dataset);
                inputs.dataset_inputs.push(DatasetInput { tags: tags.collect(), dataset });
            }
            "MODEL" => inputs.model_inputs.push(ModelInput { model_id: meta.source_id }),
            other => problems.add(Problem::new(&file, format!("no run reads a {other:?}"))),
        }
    }
    inputs
}

fn outputs(run: &Path, problems: &mut Problems) -> RunOutputs {
    let mut outputs = RunOutputs::default();
    let folder = run.join("outputs");
    for name in subfolders(&folder, problems) {
        let file = folder.join(name).join(META);
        let Some(meta) = problems.note(yaml::<OutputMeta>(&file)) else { continue };
        if meta.destination_type == "MODEL_OUTPUT" {
            let output = ModelOutput { model_id: meta.destination_id, step: meta.step };
            outputs.model_outputs.push(output);
        } else {
            let reason = format!("no run makes a {:?}", meta.destination_type);
            problems.add(Problem::new(&file, reason));
        }
    }
    outputs
}
