//! `/api/2.0/mlflow/runs` and `/metrics`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::http::{Ignored, page};
use super::rest::RestClient;
use crate::entities::{DatasetInput, Metric, ModelInput, ModelOutput, Param, Run, RunInfo, Tag};
use crate::{CreateRun, LogBatch, MetricHistoryPage, Page, Result, Runs, SearchRuns, UpdateRun};

#[derive(Deserialize)]
struct Found {
    run: Run,
}

/// A body that is the run's id and the fields of something else.
#[derive(Serialize)]
struct OfRun<'a, T: Serialize> {
    run_id: &'a str,
    /// The old name, which servers before MLflow 1 look for; upstream's client sends both, too.
    run_uuid: &'a str,
    #[serde(flatten)]
    rest: T,
}

impl RestClient {
    async fn log(&self, path: &str, run_id: &str, rest: impl Serialize + Sync) -> Result<()> {
        let body = OfRun { run_id, run_uuid: run_id, rest };
        self.http.post(path, &body).await.map(|Ignored {}| ())
    }
}

#[async_trait]
impl Runs for RestClient {
    async fn create(&self, run: CreateRun) -> Result<Run> {
        let found: Found = self.http.create("runs/create", &run).await?;
        Ok(found.run)
    }

    async fn get(&self, run_id: &str) -> Result<Run> {
        let found: Found = self.http.get("runs/get", &[("run_id", run_id.to_owned())]).await?;
        Ok(found.run)
    }

    async fn update(&self, update: UpdateRun) -> Result<RunInfo> {
        #[derive(Deserialize)]
        struct Answer {
            run_info: RunInfo,
        }
        let answer: Answer = self.http.post("runs/update", &update).await?;
        Ok(answer.run_info)
    }

    async fn delete(&self, run_id: &str) -> Result<()> {
        let body = json!({ "run_id": run_id });
        self.http.post("runs/delete", &body).await.map(|Ignored {}| ())
    }

    async fn restore(&self, run_id: &str) -> Result<()> {
        let body = json!({ "run_id": run_id });
        self.http.post("runs/restore", &body).await.map(|Ignored {}| ())
    }

    async fn search(&self, search: SearchRuns) -> Result<Page<Run>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            runs: Vec<Run>,
            next_page_token: Option<String>,
        }
        let answer: Answer = self.http.post("runs/search", &search).await?;
        Ok(page(answer.runs, answer.next_page_token))
    }

    async fn log_metric(&self, run_id: &str, mut metric: Metric) -> Result<()> {
        // Belongs to answers only, and would clash with the run's id.
        metric.run_id = None;
        self.log("runs/log-metric", run_id, metric).await
    }

    async fn log_param(&self, run_id: &str, param: Param) -> Result<()> {
        self.log("runs/log-parameter", run_id, param).await
    }

    async fn set_tag(&self, run_id: &str, tag: Tag) -> Result<()> {
        self.log("runs/set-tag", run_id, tag).await
    }

    async fn delete_tag(&self, run_id: &str, key: &str) -> Result<()> {
        let body = json!({ "run_id": run_id, "key": key });
        self.http.post("runs/delete-tag", &body).await.map(|Ignored {}| ())
    }

    async fn log_batch(&self, run_id: &str, batch: LogBatch) -> Result<()> {
        #[derive(Serialize)]
        struct Body<'a> {
            run_id: &'a str,
            #[serde(flatten)]
            batch: LogBatch,
        }
        let body = Body { run_id, batch };
        self.http.post("runs/log-batch", &body).await.map(|Ignored {}| ())
    }

    async fn log_inputs(
        &self,
        run_id: &str,
        datasets: Vec<DatasetInput>,
        models: Vec<ModelInput>,
    ) -> Result<()> {
        let body = json!({ "run_id": run_id, "datasets": datasets, "models": models });
        self.http.post("runs/log-inputs", &body).await.map(|Ignored {}| ())
    }

    async fn log_outputs(&self, run_id: &str, models: Vec<ModelOutput>) -> Result<()> {
        let body = json!({ "run_id": run_id, "models": models });
        // Not `post`: a second time would add the edges again.
        self.http.create("runs/outputs", &body).await.map(|Ignored {}| ())
    }

    async fn metric_history(
        &self,
        run_id: &str,
        key: &str,
        history: MetricHistoryPage,
    ) -> Result<Page<Metric>> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            metrics: Vec<Metric>,
            next_page_token: Option<String>,
        }
        let mut query = vec![("run_id", run_id.to_owned()), ("metric_key", key.to_owned())];
        query.extend(history.max_results.map(|max| ("max_results", max.to_string())));
        query.extend(history.page_token.map(|token| ("page_token", token)));
        let answer: Answer = self.http.get("metrics/get-history", &query).await?;
        Ok(page(answer.metrics, answer.next_page_token))
    }
}
