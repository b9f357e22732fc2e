//! Experiments.

use serde::{Deserialize, Serialize};

use super::{LifecycleStage, Tag, number};

/// A named group of runs and logged models.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Experiment {
    pub experiment_id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub artifact_location: String,
    #[serde(default)]
    pub lifecycle_stage: LifecycleStage,
    #[serde(
        default,
        deserialize_with = "number::int64::option::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_update_time: Option<i64>,
    #[serde(
        default,
        deserialize_with = "number::int64::option::deserialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub creation_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// Which of active and deleted entities a search returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ViewType {
    #[default]
    ActiveOnly,
    DeletedOnly,
    All,
}
