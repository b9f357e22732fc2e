//! MLflow's contract: what every other room and every MLflow client agrees on.
//!
//! - [`entities`]: experiments, runs, logged models, registered models, as they travel as JSON;
//! - [`Tracking`]: what a tracking server and registry does, with a member and a file for each resource:
//!   [`Experiments`], [`Runs`], [`LoggedModels`], [`RegisteredModels`], [`ModelVersions`],
//!   [`Audit`], [`Approvals`], [`artifacts`]. The SQL store and the REST client both implement them, so nothing else in the
//!   program asks which one it talks to. [`Traces`], [`EvaluationDatasets`] and [`Scorers`] are the store's alone:
//!   only servers have a use for them;
//! - [`resolve`]: which version and folder a model URI means, and fetching it;
//! - [`secrets`]: credentials out of text that somebody will read;
//! - [`team`]: the people of a server, what they may do, and the tokens of their programs;
//! - [`uri`]: `models:/`, `runs:/`, `mlflow-artifacts:/` and tracking URIs;
//! - [`client`]: the REST client for any MLflow server.

mod approvals;
pub mod artifacts;
mod audit;
pub mod client;
mod curve;
pub mod entities;
mod error;
mod evaluation_datasets;
mod experiments;
mod extremes;
mod ids;
mod logged_models;
pub mod metadata_hosts;
mod model_versions;
mod page;
mod provider_url;
mod registered_models;
pub mod resolve;
mod runs;
mod scorers;
pub mod secrets;
pub mod team;
mod traces;
mod tracking;
pub mod uri;
mod webhooks;

pub use approvals::{AliasMove, Approvals};
pub use audit::{AUDIT_EVENTS_MAX, Audit, SearchAudit};
pub use curve::{Curve, CurvePoint, DrawCurve, Extent};
pub use error::{Detail, Error, ErrorCode, Result};
pub use evaluation_datasets::{EvaluationDataset, EvaluationDatasets, SearchEvaluationDatasets};
pub use experiments::{Experiments, SearchExperiments};
pub use extremes::{Extremes, FindExtremes, SeenExtremes, StepValue};
pub use ids::{AliasId, VersionId};
pub use logged_models::{
    CreateLoggedModel, DatasetFilter, LoggedModels, OrderLoggedModels, SearchLoggedModels,
    VERSIONS_TAG, versions_with,
};
pub use model_versions::{CreateModelVersion, ModelVersions, SearchModelVersions};
pub use page::Page;
pub use provider_url::provider_url;
pub use registered_models::{RegisteredModels, SearchRegisteredModels};
pub use runs::{
    CreateRun, LogBatch, MetricHistoryPage, Runs, SearchRuns, UpdateRun, Wanted, WantedValues,
};
pub use scorers::{ScorerVersion, Scorers};
pub use traces::{
    Aggregation, DeleteTraces, EndTrace, FilterCounts, MetricPoint, MetricView, QueryTraceMetrics,
    SearchTraces, Traces, UpdateAssessment,
};
pub use tracking::{Tracing, Tracking};
pub use webhooks::{WebhookDelivery, WebhookLog, WebhookStanding};
