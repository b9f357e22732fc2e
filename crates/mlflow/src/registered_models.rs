//! Registered models: named lines of versions, and the aliases that point at one of them.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::entities::{ModelVersion, RegisteredModel, Tag};
use crate::{AliasId, ErrorCode, Page, Result, VersionId};

/// Arguments of [`RegisteredModels::search`].
#[derive(Debug, Clone, Default)]
pub struct SearchRegisteredModels {
    pub filter: String,
    /// 100 if none, at most 1,000.
    pub max_results: Option<i64>,
    pub order_by: Vec<String>,
    pub page_token: Option<String>,
}

/// What is done with registered models.
#[async_trait]
pub trait RegisteredModels: Send + Sync {
    /// Whether writes would be kept. This default is that they would.
    async fn health(&self) -> Result<()> {
        Ok(())
    }
    async fn create(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> Result<RegisteredModel>;
    async fn get(&self, name: &str) -> Result<RegisteredModel>;
    /// The tags of these models, by name: of those that are there and that whoever asks may look at. This default looks at
    /// one after the other.
    async fn tags_of(&self, names: Vec<String>) -> Result<BTreeMap<String, Vec<Tag>>> {
        let mut tags = BTreeMap::new();
        for name in names {
            match self.get(&name).await {
                Ok(model) => drop(tags.insert(name, model.tags)),
                Err(error)
                    if error.is_not_found() || error.code() == ErrorCode::PermissionDenied => {}
                Err(error) => return Err(error),
            }
        }
        Ok(tags)
    }
    async fn rename(&self, name: &str, new_name: &str) -> Result<RegisteredModel>;
    /// Replaces the description.
    async fn update(&self, name: &str, description: Option<&str>) -> Result<RegisteredModel>;
    async fn delete(&self, name: &str) -> Result<()>;
    async fn search(&self, search: SearchRegisteredModels) -> Result<Page<RegisteredModel>>;
    async fn set_tag(&self, name: &str, tag: Tag) -> Result<()>;
    async fn delete_tag(&self, name: &str, key: &str) -> Result<()>;
    /// Points an alias of the model at the version, wherever it pointed before.
    async fn set_alias(&self, version: VersionId<'_>, alias: &str) -> Result<()>;
    async fn delete_alias(&self, alias: AliasId<'_>) -> Result<()>;
    /// The version that an alias points at.
    async fn get_by_alias(&self, alias: AliasId<'_>) -> Result<ModelVersion>;
    /// Highest version of each of `stages` (all stages if empty).
    async fn get_latest_versions(&self, name: &str, stages: &[String])
    -> Result<Vec<ModelVersion>>;
}
