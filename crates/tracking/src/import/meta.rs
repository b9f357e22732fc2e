//! What `meta.yaml` files of MLflow 1 to 3 say. Newer keys are missing in older files, ids were numbers once, and
//! what is not known here is left aside.

use std::collections::BTreeMap;

use serde::Deserialize;
use trainyard_mlflow::entities::{
    Dataset, LifecycleStage, LoggedModelStatus, ModelVersionStatus, RunStatus,
};

/// Of an experiment.
#[derive(Debug, Deserialize)]
pub(super) struct ExperimentMeta {
    pub(super) experiment_id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) artifact_location: Option<String>,
    #[serde(default)]
    pub(super) lifecycle_stage: Option<String>,
    #[serde(default)]
    pub(super) creation_time: Option<i64>,
    #[serde(default)]
    pub(super) last_update_time: Option<i64>,
}

/// Of a run.
#[derive(Debug, Deserialize)]
pub(super) struct RunMeta {
    #[serde(default)]
    pub(super) run_id: Option<String>,
    /// Its name before MLflow 1.
    #[serde(default)]
    pub(super) run_uuid: Option<String>,
    pub(super) experiment_id: String,
    #[serde(default)]
    pub(super) run_name: Option<String>,
    /// Its name before MLflow 2.
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) user_id: Option<String>,
    /// A number; a word in stores that other programs wrote.
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) start_time: Option<i64>,
    #[serde(default)]
    pub(super) end_time: Option<i64>,
    #[serde(default)]
    pub(super) deleted_time: Option<i64>,
    #[serde(default)]
    pub(super) lifecycle_stage: Option<String>,
    #[serde(default)]
    pub(super) artifact_uri: Option<String>,
}

/// Of a dataset.
#[derive(Debug, Deserialize)]
pub(super) struct DatasetMeta {
    name: String,
    digest: String,
    #[serde(default)]
    source_type: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    profile: Option<String>,
}

impl From<DatasetMeta> for Dataset {
    fn from(meta: DatasetMeta) -> Self {
        Self {
            name: meta.name,
            digest: meta.digest,
            source_type: meta.source_type.unwrap_or_default(),
            source: meta.source.unwrap_or_default(),
            schema: meta.schema,
            profile: meta.profile,
        }
    }
}

/// Of what a run read.
#[derive(Debug, Deserialize)]
pub(super) struct InputMeta {
    pub(super) source_type: String,
    pub(super) source_id: String,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
}

/// Of a model that a run made.
#[derive(Debug, Deserialize)]
pub(super) struct OutputMeta {
    pub(super) destination_type: String,
    pub(super) destination_id: String,
    #[serde(default)]
    pub(super) step: i64,
}

/// Of a logged model.
#[derive(Debug, Deserialize)]
pub(super) struct LoggedModelMeta {
    pub(super) model_id: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) artifact_location: Option<String>,
    #[serde(default)]
    pub(super) creation_timestamp: i64,
    #[serde(default)]
    pub(super) last_updated_timestamp: i64,
    /// A number or its name.
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) status_message: Option<String>,
    #[serde(default)]
    pub(super) model_type: Option<String>,
    #[serde(default)]
    pub(super) source_run_id: Option<String>,
    #[serde(default)]
    pub(super) lifecycle_stage: Option<String>,
}

/// Of a registered model.
#[derive(Debug, Deserialize)]
pub(super) struct RegisteredModelMeta {
    pub(super) name: String,
    #[serde(default)]
    pub(super) creation_timestamp: i64,
    #[serde(default)]
    pub(super) last_updated_timestamp: i64,
    #[serde(default)]
    pub(super) description: Option<String>,
}

/// Of a version of a registered model.
#[derive(Debug, Deserialize)]
pub(super) struct VersionMeta {
    pub(super) version: String,
    #[serde(default)]
    pub(super) creation_timestamp: i64,
    #[serde(default)]
    pub(super) last_updated_timestamp: i64,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) user_id: Option<String>,
    #[serde(default)]
    pub(super) current_stage: Option<String>,
    #[serde(default)]
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) storage_location: Option<String>,
    #[serde(default)]
    pub(super) run_id: Option<String>,
    #[serde(default)]
    pub(super) run_link: Option<String>,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) status_message: Option<String>,
}

/// Old files do not say it: then nothing was deleted.
pub(super) fn lifecycle(text: Option<&str>) -> LifecycleStage {
    match text {
        Some("deleted") => LifecycleStage::Deleted,
        _ => LifecycleStage::Active,
    }
}

/// Upstream's numbers of a run's states.
pub(super) fn run_status(text: Option<&str>) -> Option<RunStatus> {
    Some(match text {
        None | Some("1" | "RUNNING") => RunStatus::Running,
        Some("2" | "SCHEDULED") => RunStatus::Scheduled,
        Some("3" | "FINISHED") => RunStatus::Finished,
        Some("4" | "FAILED") => RunStatus::Failed,
        Some("5" | "KILLED") => RunStatus::Killed,
        Some(_) => return None,
    })
}

/// Upstream's numbers of a logged model's states.
pub(super) fn logged_model_status(text: Option<&str>) -> Option<LoggedModelStatus> {
    Some(match text {
        None | Some("0" | "UNSPECIFIED") => LoggedModelStatus::Unspecified,
        Some("1" | "PENDING") => LoggedModelStatus::Pending,
        Some("2" | "READY") => LoggedModelStatus::Ready,
        Some("3" | "FAILED" | "UPLOAD_FAILED") => LoggedModelStatus::UploadFailed,
        Some(_) => return None,
    })
}

pub(super) fn version_status(text: Option<&str>) -> Option<ModelVersionStatus> {
    Some(match text {
        None | Some("READY") => ModelVersionStatus::Ready,
        Some("PENDING_REGISTRATION") => ModelVersionStatus::PendingRegistration,
        Some("FAILED_REGISTRATION") => ModelVersionStatus::FailedRegistration,
        Some(_) => return None,
    })
}
