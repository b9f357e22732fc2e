//! `/api/2.0/mlflow/registered-models`.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use super::http::{Ignored, page};
use super::model_versions::Found as FoundVersion;
use super::registry::{described, search_query};
use super::rest::RestClient;
use crate::entities::{ModelVersion, RegisteredModel, Tag};
use crate::{AliasId, Page, RegisteredModels, Result, SearchRegisteredModels, VersionId};

#[derive(Deserialize)]
struct Found {
    registered_model: RegisteredModel,
}

#[async_trait]
impl RegisteredModels for RestClient {
    async fn create(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        let body = described(json!({ "name": name, "tags": tags }), description);
        let found: Found = self.http.create("registered-models/create", &body).await?;
        Ok(found.registered_model)
    }

    async fn get(&self, name: &str) -> Result<RegisteredModel> {
        let query = [("name", name.to_owned())];
        let found: Found = self.http.get("registered-models/get", &query).await?;
        Ok(found.registered_model)
    }

    async fn rename(&self, name: &str, new_name: &str) -> Result<RegisteredModel> {
        let body = json!({ "name": name, "new_name": new_name });
        // Not `post`: a second time, the old name is gone.
        let found: Found = self.http.create("registered-models/rename", &body).await?;
        Ok(found.registered_model)
    }

    async fn update(&self, name: &str, description: Option<&str>) -> Result<RegisteredModel> {
        let body = described(json!({ "name": name }), description);
        let found: Found = self.http.patch("registered-models/update", &body).await?;
        Ok(found.registered_model)
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.http.delete("registered-models/delete", &json!({ "name": name })).await
    }

    async fn search(&self, search: SearchRegisteredModels) -> Result<Page<RegisteredModel>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            registered_models: Vec<RegisteredModel>,
            next_page_token: Option<String>,
        }
        let SearchRegisteredModels { filter, max_results, order_by, page_token } = search;
        let query = search_query(filter, max_results, order_by, page_token);
        let answer: Answer = self.http.get("registered-models/search", &query).await?;
        Ok(page(answer.registered_models, answer.next_page_token))
    }

    async fn set_tag(&self, name: &str, tag: Tag) -> Result<()> {
        let body = json!({ "name": name, "key": tag.key, "value": tag.value });
        self.http.post("registered-models/set-tag", &body).await.map(|Ignored {}| ())
    }

    async fn delete_tag(&self, name: &str, key: &str) -> Result<()> {
        let body = json!({ "name": name, "key": key });
        self.http.delete("registered-models/delete-tag", &body).await
    }

    async fn set_alias(&self, version: VersionId<'_>, alias: &str) -> Result<()> {
        let VersionId { name, version } = version;
        let body = json!({ "name": name, "alias": alias, "version": version });
        self.http.post("registered-models/alias", &body).await.map(|Ignored {}| ())
    }

    async fn delete_alias(&self, AliasId { name, alias }: AliasId<'_>) -> Result<()> {
        let body = json!({ "name": name, "alias": alias });
        self.http.delete("registered-models/alias", &body).await
    }

    async fn get_by_alias(&self, AliasId { name, alias }: AliasId<'_>) -> Result<ModelVersion> {
        let query = [("name", name.to_owned()), ("alias", alias.to_owned())];
        let found: FoundVersion = self.http.get("registered-models/alias", &query).await?;
        Ok(found.model_version)
    }

    async fn get_latest_versions(
        &self,
        name: &str,
        stages: &[String],
    ) -> Result<Vec<ModelVersion>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            model_versions: Vec<ModelVersion>,
        }
        let body = json!({ "name": name, "stages": stages });
        let path = "registered-models/get-latest-versions";
        let answer: Answer = self.http.post(path, &body).await?;
        Ok(answer.model_versions)
    }
}
