//! MLflow's entities, with the field names of its REST API (proto3 JSON, snake_case).
//!
//! Unset fields and empty lists are left out when written, as upstream does, and default when
//! read. Times are milliseconds since the Unix epoch, UTC.

mod artifact;
mod dataset;
mod experiment;
mod logged_model;
pub mod number;
mod registry;
mod run;

pub use artifact::FileInfo;
pub use dataset::{Dataset, DatasetInput, DatasetSummary};
pub use experiment::{Experiment, ViewType};
pub use logged_model::{
    LoggedModel, LoggedModelData, LoggedModelInfo, LoggedModelRegistration, LoggedModelStatus,
};
pub use registry::{
    ModelParam, ModelVersion, ModelVersionStatus, RegisteredModel, RegisteredModelAlias,
};
pub use run::{
    LifecycleStage, Metric, ModelInput, ModelOutput, Run, RunData, RunInfo, RunInputs, RunOutputs,
    RunStatus,
};

use serde::{Deserialize, Serialize};

/// A key and its value: params and tags of every kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyValue {
    #[serde(default)]
    pub key: String,
    #[serde(default)]
    pub value: String,
}

impl KeyValue {
    /// `key = value`.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }

    /// The value stored under `key`, if any.
    pub fn find<'a>(entries: &'a [Self], key: &str) -> Option<&'a str> {
        entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }
}

/// Param of a run or logged model.
pub type Param = KeyValue;
/// Tag of a run, experiment, dataset input, logged model, registered model or version.
pub type Tag = KeyValue;
