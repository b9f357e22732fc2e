//! `/api/2.0/mlflow/runs` and `/metrics`.

use serde::{Deserialize, Serialize};

use super::http::{Http, Ignored, Query, page};
use crate::entities::{
    DatasetInput, Metric, ModelInput, ModelOutput, Param, Run, RunInfo, RunStatus, Tag, ViewType,
};
use crate::{CreateRun, LogBatch, MetricHistoryPage, Page, Result, SearchRuns, UpdateRun};

#[derive(Deserialize)]
struct Found {
    run: Run,
}

pub(super) async fn create(http: &Http, run: CreateRun) -> Result<Run> {
    #[derive(Serialize)]
    struct Body {
        experiment_id: String,
        user_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        run_name: Option<String>,
        start_time: i64,
        tags: Vec<Tag>,
    }
    let CreateRun { experiment_id, user_id, run_name, start_time, tags } = run;
    let body = Body { experiment_id, user_id, run_name, start_time, tags };
    let found: Found = http.create("runs/create", &body).await?;
    Ok(found.run)
}

pub(super) async fn get(http: &Http, run_id: &str) -> Result<Run> {
    let found: Found = http.get("runs/get", &[("run_id", run_id.to_owned())]).await?;
    Ok(found.run)
}

pub(super) async fn update(http: &Http, update: UpdateRun) -> Result<RunInfo> {
    #[derive(Serialize)]
    struct Body {
        run_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<RunStatus>,
        #[serde(skip_serializing_if = "Option::is_none")]
        end_time: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        run_name: Option<String>,
    }
    #[derive(Deserialize)]
    struct Answer {
        run_info: RunInfo,
    }
    let UpdateRun { run_id, status, end_time, run_name } = update;
    let body = Body { run_id, status, end_time, run_name };
    let answer: Answer = http.post("runs/update", &body).await?;
    Ok(answer.run_info)
}

pub(super) async fn delete(http: &Http, run_id: &str) -> Result<()> {
    let body = serde_json::json!({ "run_id": run_id });
    http.post("runs/delete", &body).await.map(|Ignored {}| ())
}

pub(super) async fn restore(http: &Http, run_id: &str) -> Result<()> {
    let body = serde_json::json!({ "run_id": run_id });
    http.post("runs/restore", &body).await.map(|Ignored {}| ())
}

pub(super) async fn search(http: &Http, search: SearchRuns) -> Result<Page<Run>> {
    #[derive(Serialize)]
    struct Body {
        experiment_ids: Vec<String>,
        filter: String,
        run_view_type: ViewType,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_results: Option<i64>,
        order_by: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        page_token: Option<String>,
    }
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        runs: Vec<Run>,
        next_page_token: Option<String>,
    }
    let body = Body {
        experiment_ids: search.experiment_ids,
        filter: search.filter,
        run_view_type: search.view_type,
        max_results: search.max_results,
        order_by: search.order_by,
        page_token: search.page_token,
    };
    let answer: Answer = http.post("runs/search", &body).await?;
    Ok(page(answer.runs, answer.next_page_token))
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

async fn log(http: &Http, path: &str, run_id: &str, rest: impl Serialize) -> Result<()> {
    let body = OfRun { run_id, run_uuid: run_id, rest };
    http.post(path, &body).await.map(|Ignored {}| ())
}

pub(super) async fn log_metric(http: &Http, run_id: &str, mut metric: Metric) -> Result<()> {
    // Belongs to answers only, and would clash with the run's id.
    metric.run_id = None;
    log(http, "runs/log-metric", run_id, metric).await
}

pub(super) async fn log_param(http: &Http, run_id: &str, param: Param) -> Result<()> {
    log(http, "runs/log-parameter", run_id, param).await
}

pub(super) async fn set_tag(http: &Http, run_id: &str, tag: Tag) -> Result<()> {
    log(http, "runs/set-tag", run_id, tag).await
}

pub(super) async fn delete_tag(http: &Http, run_id: &str, key: &str) -> Result<()> {
    let body = serde_json::json!({ "run_id": run_id, "key": key });
    http.post("runs/delete-tag", &body).await.map(|Ignored {}| ())
}

pub(super) async fn log_batch(http: &Http, run_id: &str, batch: LogBatch) -> Result<()> {
    #[derive(Serialize)]
    struct Body<'a> {
        run_id: &'a str,
        metrics: Vec<Metric>,
        params: Vec<Param>,
        tags: Vec<Tag>,
    }
    let LogBatch { metrics, params, tags } = batch;
    let body = Body { run_id, metrics, params, tags };
    http.post("runs/log-batch", &body).await.map(|Ignored {}| ())
}

pub(super) async fn log_inputs(
    http: &Http,
    run_id: &str,
    datasets: Vec<DatasetInput>,
    models: Vec<ModelInput>,
) -> Result<()> {
    let body = serde_json::json!({ "run_id": run_id, "datasets": datasets, "models": models });
    http.post("runs/log-inputs", &body).await.map(|Ignored {}| ())
}

pub(super) async fn log_outputs(http: &Http, run_id: &str, models: Vec<ModelOutput>) -> Result<()> {
    let body = serde_json::json!({ "run_id": run_id, "models": models });
    // Not `post`: a second time would add the edges again.
    http.create("runs/outputs", &body).await.map(|Ignored {}| ())
}

pub(super) async fn metric_history(
    http: &Http,
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
    let query: &Query<'_> = &query;
    let answer: Answer = http.get("metrics/get-history", query).await?;
    Ok(page(answer.metrics, answer.next_page_token))
}
