//! MLflow's entities, with the field names of its REST API (proto3 JSON, snake_case).
//!
//! Unset fields and empty lists are left out when written, as upstream does, and default when
//! read. Times are milliseconds since the Unix epoch, UTC.

mod artifact;
mod audit;
mod dataset;
mod experiment;
mod key_value;
mod logged_model;
pub mod number;
mod registry;
mod run;

pub use artifact::FileInfo;
pub use audit::{AliasAt, Approval, ApprovalRequest, AuditEvent, RegistryAt};
pub use dataset::{Dataset, DatasetInput, DatasetSummary};
pub use experiment::{Experiment, ViewType};
pub use key_value::{KeyValue, Param, Tag};
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
