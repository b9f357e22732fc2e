//! `/api/2.0/mlflow/experiments`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::http::{Ignored, page};
use super::rest::RestClient;
use crate::entities::{DatasetSummary, Experiment, Tag};
use crate::{Experiments, Page, Result, SearchExperiments};

/// Upstream has no default on the wire.
const SEARCH_RESULTS: i64 = 1000;

#[derive(Deserialize)]
struct Found {
    experiment: Experiment,
}

#[async_trait]
impl Experiments for RestClient {
    async fn create(
        &self,
        name: &str,
        artifact_location: Option<&str>,
        tags: &[Tag],
    ) -> Result<String> {
        #[derive(Serialize)]
        struct Body<'a> {
            name: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            artifact_location: Option<&'a str>,
            tags: &'a [Tag],
        }
        #[derive(Deserialize)]
        struct Created {
            experiment_id: String,
        }
        let body = Body { name, artifact_location, tags };
        let created: Created = self.http.create("experiments/create", &body).await?;
        Ok(created.experiment_id)
    }

    async fn get(&self, experiment_id: &str) -> Result<Experiment> {
        let query = [("experiment_id", experiment_id.to_owned())];
        let found: Found = self.http.get("experiments/get", &query).await?;
        Ok(found.experiment)
    }

    async fn get_by_name(&self, name: &str) -> Result<Experiment> {
        let query = [("experiment_name", name.to_owned())];
        let found: Found = self.http.get("experiments/get-by-name", &query).await?;
        Ok(found.experiment)
    }

    async fn search(&self, mut search: SearchExperiments) -> Result<Page<Experiment>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            experiments: Vec<Experiment>,
            next_page_token: Option<String>,
        }
        search.max_results.get_or_insert(SEARCH_RESULTS);
        let answer: Answer = self.http.post("experiments/search", &search).await?;
        Ok(page(answer.experiments, answer.next_page_token))
    }

    async fn rename(&self, experiment_id: &str, new_name: &str) -> Result<()> {
        let body = json!({ "experiment_id": experiment_id, "new_name": new_name });
        self.http.post("experiments/update", &body).await.map(|Ignored {}| ())
    }

    async fn delete(&self, experiment_id: &str) -> Result<()> {
        let body = json!({ "experiment_id": experiment_id });
        self.http.post("experiments/delete", &body).await.map(|Ignored {}| ())
    }

    async fn restore(&self, experiment_id: &str) -> Result<()> {
        let body = json!({ "experiment_id": experiment_id });
        self.http.post("experiments/restore", &body).await.map(|Ignored {}| ())
    }

    async fn set_tag(&self, experiment_id: &str, tag: Tag) -> Result<()> {
        let body = json!({ "experiment_id": experiment_id, "key": tag.key, "value": tag.value });
        self.http.post("experiments/set-experiment-tag", &body).await.map(|Ignored {}| ())
    }

    async fn delete_tag(&self, experiment_id: &str, key: &str) -> Result<()> {
        let body = json!({ "experiment_id": experiment_id, "key": key });
        self.http.post("experiments/delete-experiment-tag", &body).await.map(|Ignored {}| ())
    }

    async fn search_datasets(&self, experiment_ids: &[String]) -> Result<Vec<DatasetSummary>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            dataset_summaries: Vec<DatasetSummary>,
        }
        let body = json!({ "experiment_ids": experiment_ids });
        // Upstream serves this one for its own pages only; the path below /api is misspelt there.
        let path = "/ajax-api/2.0/mlflow/experiments/search-datasets";
        let answer: Answer = self.http.post(path, &body).await?;
        Ok(answer.dataset_summaries)
    }
}
