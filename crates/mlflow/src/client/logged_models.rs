//! `/api/2.0/mlflow/logged-models` (MLflow 3).

use serde::{Deserialize, Serialize};

use super::artifacts::encoded;
use super::http::{Http, Ignored, page};
use crate::entities::{LoggedModel, LoggedModelStatus, Param, Tag};
use crate::{CreateLoggedModel, Page, Result, SearchLoggedModels};

#[derive(Deserialize)]
struct Found {
    model: LoggedModel,
}

fn path(model_id: &str) -> String {
    format!("logged-models/{}", encoded(model_id))
}

pub(super) async fn create(http: &Http, model: CreateLoggedModel) -> Result<LoggedModel> {
    #[derive(Serialize)]
    struct Body {
        experiment_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        model_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        source_run_id: Option<String>,
        params: Vec<Param>,
        tags: Vec<Tag>,
    }
    let CreateLoggedModel { experiment_id, name, model_type, source_run_id, params, tags } = model;
    let body = Body { experiment_id, name, model_type, source_run_id, params, tags };
    let found: Found = http.create("logged-models", &body).await?;
    Ok(found.model)
}

pub(super) async fn get(http: &Http, model_id: &str) -> Result<LoggedModel> {
    let found: Found = http.get(&path(model_id), &[]).await?;
    Ok(found.model)
}

pub(super) async fn finalize(
    http: &Http,
    model_id: &str,
    status: LoggedModelStatus,
) -> Result<LoggedModel> {
    let body = serde_json::json!({ "model_id": model_id, "status": status });
    let found: Found = http.patch(&path(model_id), &body).await?;
    Ok(found.model)
}

pub(super) async fn delete(http: &Http, model_id: &str) -> Result<()> {
    http.delete(&path(model_id), &serde_json::json!({})).await
}

pub(super) async fn set_tags(http: &Http, model_id: &str, tags: Vec<Tag>) -> Result<()> {
    let body = serde_json::json!({ "model_id": model_id, "tags": tags });
    http.patch(&format!("{}/tags", path(model_id)), &body).await.map(|Ignored {}| ())
}

pub(super) async fn delete_tag(http: &Http, model_id: &str, key: &str) -> Result<()> {
    let path = format!("{}/tags/{}", path(model_id), encoded(key));
    http.delete(&path, &serde_json::json!({})).await
}

pub(super) async fn log_params(http: &Http, model_id: &str, params: Vec<Param>) -> Result<()> {
    let body = serde_json::json!({ "model_id": model_id, "params": params });
    // Not `post`: upstream refuses a param that is there already.
    http.create(&format!("{}/params", path(model_id)), &body).await.map(|Ignored {}| ())
}

pub(super) async fn search(http: &Http, search: SearchLoggedModels) -> Result<Page<LoggedModel>> {
    #[derive(Serialize)]
    struct Dataset {
        dataset_name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        dataset_digest: Option<String>,
    }
    #[derive(Serialize)]
    struct OrderBy {
        field_name: String,
        ascending: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        dataset_name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        dataset_digest: Option<String>,
    }
    #[derive(Serialize)]
    struct Body {
        experiment_ids: Vec<String>,
        #[serde(skip_serializing_if = "String::is_empty")]
        filter: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        datasets: Vec<Dataset>,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_results: Option<i64>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        order_by: Vec<OrderBy>,
        #[serde(skip_serializing_if = "Option::is_none")]
        page_token: Option<String>,
    }
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        models: Vec<LoggedModel>,
        next_page_token: Option<String>,
    }
    let datasets = search.datasets.into_iter();
    let order_by = search.order_by.into_iter();
    let body = Body {
        experiment_ids: search.experiment_ids,
        filter: search.filter,
        datasets: datasets
            .map(|(dataset_name, dataset_digest)| Dataset { dataset_name, dataset_digest })
            .collect(),
        max_results: search.max_results,
        order_by: order_by
            .map(|(field_name, ascending, dataset_name, dataset_digest)| OrderBy {
                field_name,
                ascending,
                dataset_name,
                dataset_digest,
            })
            .collect(),
        page_token: search.page_token,
    };
    let answer: Answer = http.post("logged-models/search", &body).await?;
    Ok(page(answer.models, answer.next_page_token))
}
