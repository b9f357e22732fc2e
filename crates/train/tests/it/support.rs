//! Stores, tables and Python helpers that the tests share.

use std::path::Path;

use arrow_array::RecordBatch;
use tempfile::TempDir;
use trainyard_mlflow::Tracking;
use trainyard_testkit::{run_python, workspace_root};
use trainyard_tracking::OpenOptions;

/// A tracking store in a folder of its own.
pub(crate) struct Store {
    pub(crate) folder: TempDir,
    pub(crate) uri: String,
    pub(crate) tracking: Tracking,
}

impl Store {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let uri = format!("sqlite:///{}", folder.path().join("mlflow.db").display());
        let options = OpenOptions {
            default_artifact_root: Some(folder.path().join("mlruns").display().to_string()),
            artifacts_destination: Some(folder.path().join("mlartifacts").display().to_string()),
            ..OpenOptions::default()
        };
        let tracking = trainyard_tracking::open(&uri, options).unwrap();
        Self { folder, uri, tracking }
    }
}

/// The training table of the example project.
pub(crate) fn iris() -> RecordBatch {
    read(&workspace_root().join("examples/iris/data/train.csv"))
}

pub(crate) fn read(path: &Path) -> RecordBatch {
    trainyard_data::read(&path.display().to_string(), &trainyard_data::ReadOptions::default())
        .unwrap()
}

/// Runs a script that prints one JSON document last.
pub(crate) fn python_json(script: &str, arguments: &[&str]) -> serde_json::Value {
    let environment = [("MLFLOW_DISABLE_TELEMETRY", "true")];
    let output = run_python(script, arguments, &environment);
    let last = output.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} in {output}"))
}

pub(crate) fn config(json: serde_json::Value) -> trainyard_train::TrainConfig {
    serde_json::from_value(json).unwrap()
}

/// Ignores news.
pub(crate) fn quiet(_: trainyard_train::Progress) {}
