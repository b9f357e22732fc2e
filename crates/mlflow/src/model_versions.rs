//! Versions of registered models.

use async_trait::async_trait;
use serde::Serialize;

use crate::entities::{ModelVersion, Tag};
use crate::{Page, Result, VersionId};

/// Arguments of [`ModelVersions::create`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct CreateModelVersion {
    pub name: String,
    /// `models:/m-…`, `runs:/…`, or an artifact URI of the run or model.
    pub source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub tags: Vec<Tag>,
}

/// Arguments of [`ModelVersions::search`].
#[derive(Debug, Clone, Default)]
pub struct SearchModelVersions {
    pub filter: String,
    /// At most 200,000, which is also the default.
    pub max_results: Option<i64>,
    pub order_by: Vec<String>,
    pub page_token: Option<String>,
}

/// What is done with versions.
#[async_trait]
pub trait ModelVersions: Send + Sync {
    /// Makes the next version; numbers of deleted versions are not used again.
    async fn create(&self, version: CreateModelVersion) -> Result<ModelVersion>;
    async fn get(&self, id: VersionId<'_>) -> Result<ModelVersion>;
    /// Replaces the description.
    async fn update(&self, id: VersionId<'_>, description: Option<&str>) -> Result<ModelVersion>;
    async fn transition_stage(
        &self,
        id: VersionId<'_>,
        stage: &str,
        archive_existing_versions: bool,
    ) -> Result<ModelVersion>;
    async fn delete(&self, id: VersionId<'_>) -> Result<()>;
    async fn search(&self, search: SearchModelVersions) -> Result<Page<ModelVersion>>;
    async fn set_tag(&self, id: VersionId<'_>, tag: Tag) -> Result<()>;
    async fn delete_tag(&self, id: VersionId<'_>, key: &str) -> Result<()>;
    /// Artifact URI of the version's model folder.
    async fn download_uri(&self, id: VersionId<'_>) -> Result<String>;
}
