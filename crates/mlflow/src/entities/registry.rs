//! The model registry.

use serde::{Deserialize, Serialize};

use super::{Metric, Tag, number};
use crate::VersionId;

/// A named line of model versions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RegisteredModel {
    pub name: String,
    #[serde(default, deserialize_with = "number::int64::deserialize")]
    pub creation_timestamp: i64,
    #[serde(default, deserialize_with = "number::int64::deserialize")]
    pub last_updated_timestamp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Highest version of each stage (stages are deprecated upstream; aliases replace them).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latest_versions: Vec<ModelVersion>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<RegisteredModelAlias>,
}

/// A movable name of a version, such as `Production`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RegisteredModelAlias {
    #[serde(default)]
    pub alias: String,
    #[serde(default)]
    pub version: String,
}

/// One version of a registered model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ModelVersion {
    pub name: String,
    /// A whole number from 1, as text.
    pub version: String,
    #[serde(default, deserialize_with = "number::int64::deserialize")]
    pub creation_timestamp: i64,
    #[serde(default, deserialize_with = "number::int64::deserialize")]
    pub last_updated_timestamp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `None`, `Staging`, `Production` or `Archived`.
    #[serde(default)]
    pub current_stage: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the model folder came from, as given at creation.
    #[serde(default)]
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    #[serde(default)]
    pub status: ModelVersionStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_link: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_params: Vec<ModelParam>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_metrics: Vec<Metric>,
}

impl ModelVersion {
    /// Which version this is.
    pub fn id(&self) -> VersionId<'_> {
        VersionId { name: &self.name, version: &self.version }
    }
}

/// Param of the logged model behind a version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModelParam {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub value: String,
}

/// Whether a version can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ModelVersionStatus {
    PendingRegistration,
    FailedRegistration,
    #[default]
    Ready,
}
