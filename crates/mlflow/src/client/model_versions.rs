//! `/api/2.0/mlflow/model-versions`.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use super::http::{Ignored, page};
use super::registry::{described, search_query};
use super::rest::RestClient;
use crate::entities::{ModelVersion, Tag};
use crate::{CreateModelVersion, ModelVersions, Page, Result, SearchModelVersions, VersionId};

#[derive(Deserialize)]
pub(super) struct Found {
    pub(super) model_version: ModelVersion,
}

fn query(VersionId { name, version }: VersionId<'_>) -> [(&'static str, String); 2] {
    [("name", name.to_owned()), ("version", version.to_owned())]
}

#[async_trait]
impl ModelVersions for RestClient {
    async fn create(&self, version: CreateModelVersion) -> Result<ModelVersion> {
        let found: Found = self.http.create("model-versions/create", &version).await?;
        Ok(found.model_version)
    }

    async fn get(&self, id: VersionId<'_>) -> Result<ModelVersion> {
        let found: Found = self.http.get("model-versions/get", &query(id)).await?;
        Ok(found.model_version)
    }

    async fn update(
        &self,
        VersionId { name, version }: VersionId<'_>,
        description: Option<&str>,
    ) -> Result<ModelVersion> {
        let body = described(json!({ "name": name, "version": version }), description);
        let found: Found = self.http.patch("model-versions/update", &body).await?;
        Ok(found.model_version)
    }

    async fn transition_stage(
        &self,
        VersionId { name, version }: VersionId<'_>,
        stage: &str,
        archive_existing_versions: bool,
    ) -> Result<ModelVersion> {
        let body = json!({
            "name": name,
            "version": version,
            "stage": stage,
            "archive_existing_versions": archive_existing_versions,
        });
        let found: Found = self.http.post("model-versions/transition-stage", &body).await?;
        Ok(found.model_version)
    }

    async fn delete(&self, VersionId { name, version }: VersionId<'_>) -> Result<()> {
        let body = json!({ "name": name, "version": version });
        self.http.delete("model-versions/delete", &body).await
    }

    async fn search(&self, search: SearchModelVersions) -> Result<Page<ModelVersion>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            model_versions: Vec<ModelVersion>,
            next_page_token: Option<String>,
        }
        let SearchModelVersions { filter, max_results, order_by, page_token } = search;
        let mut query = search_query(filter, max_results, order_by, page_token);
        // Our server then fills them in, as everywhere else; upstream's does not know the field.
        query.push(("include_aliases", "true".to_owned()));
        let answer: Answer = self.http.get("model-versions/search", &query).await?;
        Ok(page(answer.model_versions, answer.next_page_token))
    }

    async fn set_tag(&self, VersionId { name, version }: VersionId<'_>, tag: Tag) -> Result<()> {
        let body = json!({ "name": name, "version": version, "key": tag.key, "value": tag.value });
        self.http.post("model-versions/set-tag", &body).await.map(|Ignored {}| ())
    }

    async fn delete_tag(
        &self,
        VersionId { name, version }: VersionId<'_>,
        key: &str,
    ) -> Result<()> {
        let body = json!({ "name": name, "version": version, "key": key });
        self.http.delete("model-versions/delete-tag", &body).await
    }

    async fn download_uri(&self, id: VersionId<'_>) -> Result<String> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            artifact_uri: String,
        }
        let answer: Answer = self.http.get("model-versions/get-download-uri", &query(id)).await?;
        Ok(answer.artifact_uri)
    }
}
