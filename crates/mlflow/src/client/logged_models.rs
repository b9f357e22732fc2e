//! `/api/2.0/mlflow/logged-models` (MLflow 3).

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use super::artifacts::encoded;
use super::http::{Ignored, page};
use super::rest::RestClient;
use crate::entities::{LoggedModel, LoggedModelStatus, Param, Tag};
use crate::{CreateLoggedModel, LoggedModels, Page, Result, SearchLoggedModels};

#[derive(Deserialize)]
struct Found {
    model: LoggedModel,
}

fn path(model_id: &str) -> String {
    format!("logged-models/{}", encoded(model_id))
}

#[async_trait]
impl LoggedModels for RestClient {
    async fn create(&self, model: CreateLoggedModel) -> Result<LoggedModel> {
        let found: Found = self.http.create("logged-models", &model).await?;
        Ok(found.model)
    }

    async fn get(&self, model_id: &str) -> Result<LoggedModel> {
        let found: Found = self.http.get(&path(model_id), &[]).await?;
        Ok(found.model)
    }

    async fn finalize(&self, model_id: &str, status: LoggedModelStatus) -> Result<LoggedModel> {
        let body = json!({ "model_id": model_id, "status": status });
        let found: Found = self.http.patch(&path(model_id), &body).await?;
        Ok(found.model)
    }

    async fn delete(&self, model_id: &str) -> Result<()> {
        self.http.delete(&path(model_id), &json!({})).await
    }

    async fn set_tags(&self, model_id: &str, tags: Vec<Tag>) -> Result<()> {
        let body = json!({ "model_id": model_id, "tags": tags });
        self.http.patch(&format!("{}/tags", path(model_id)), &body).await.map(|Ignored {}| ())
    }

    async fn delete_tag(&self, model_id: &str, key: &str) -> Result<()> {
        let path = format!("{}/tags/{}", path(model_id), encoded(key));
        self.http.delete(&path, &json!({})).await
    }

    async fn log_params(&self, model_id: &str, params: Vec<Param>) -> Result<()> {
        let body = json!({ "model_id": model_id, "params": params });
        // Not `post`: upstream refuses a param that is there already.
        self.http.create(&format!("{}/params", path(model_id)), &body).await.map(|Ignored {}| ())
    }

    async fn search(&self, search: SearchLoggedModels) -> Result<Page<LoggedModel>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            models: Vec<LoggedModel>,
            next_page_token: Option<String>,
        }
        let answer: Answer = self.http.post("logged-models/search", &search).await?;
        Ok(page(answer.models, answer.next_page_token))
    }
}
