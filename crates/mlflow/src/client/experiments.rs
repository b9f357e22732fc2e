//! `/api/2.0/mlflow/experiments`.

use serde::{Deserialize, Serialize};

use super::http::{Http, Ignored};
use crate::entities::{DatasetSummary, Experiment, Tag, ViewType};
use crate::{Page, Result, SearchExperiments};

/// Upstream has no default on the wire.
const SEARCH_RESULTS: i64 = 1000;

#[derive(Deserialize)]
struct Found {
    experiment: Experiment,
}

pub(super) async fn create(
    http: &Http,
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
    let created: Created = http.create("experiments/create", &body).await?;
    Ok(created.experiment_id)
}

pub(super) async fn get(http: &Http, experiment_id: &str) -> Result<Experiment> {
    let query = [("experiment_id", experiment_id.to_owned())];
    let found: Found = http.get("experiments/get", &query).await?;
    Ok(found.experiment)
}

pub(super) async fn get_by_name(http: &Http, name: &str) -> Result<Experiment> {
    let query = [("experiment_name", name.to_owned())];
    let found: Found = http.get("experiments/get-by-name", &query).await?;
    Ok(found.experiment)
}

pub(super) async fn search(http: &Http, search: SearchExperiments) -> Result<Page<Experiment>> {
    #[derive(Serialize)]
    struct Body {
        view_type: ViewType,
        max_results: i64,
        filter: String,
        order_by: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        page_token: Option<String>,
    }
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        experiments: Vec<Experiment>,
        next_page_token: Option<String>,
    }
    let body = Body {
        view_type: search.view_type,
        max_results: search.max_results.unwrap_or(SEARCH_RESULTS),
        filter: search.filter,
        order_by: search.order_by,
        page_token: search.page_token,
    };
    let answer: Answer = http.post("experiments/search", &body).await?;
    Ok(super::http::page(answer.experiments, answer.next_page_token))
}

pub(super) async fn rename(http: &Http, experiment_id: &str, new_name: &str) -> Result<()> {
    let body = serde_json::json!({ "experiment_id": experiment_id, "new_name": new_name });
    http.post("experiments/update", &body).await.map(|Ignored {}| ())
}

pub(super) async fn delete(http: &Http, experiment_id: &str) -> Result<()> {
    let body = serde_json::json!({ "experiment_id": experiment_id });
    http.post("experiments/delete", &body).await.map(|Ignored {}| ())
}

pub(super) async fn restore(http: &Http, experiment_id: &str) -> Result<()> {
    let body = serde_json::json!({ "experiment_id": experiment_id });
    http.post("experiments/restore", &body).await.map(|Ignored {}| ())
}

pub(super) async fn set_tag(http: &Http, experiment_id: &str, tag: &Tag) -> Result<()> {
    let body = serde_json::json!({
        "experiment_id": experiment_id, "key": tag.key, "value": tag.value,
    });
    http.post("experiments/set-experiment-tag", &body).await.map(|Ignored {}| ())
}

pub(super) async fn delete_tag(http: &Http, experiment_id: &str, key: &str) -> Result<()> {
    let body = serde_json::json!({ "experiment_id": experiment_id, "key": key });
    http.post("experiments/delete-experiment-tag", &body).await.map(|Ignored {}| ())
}

pub(super) async fn search_datasets(
    http: &Http,
    experiment_ids: &[String],
) -> Result<Vec<DatasetSummary>> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        dataset_summaries: Vec<DatasetSummary>,
    }
    let body = serde_json::json!({ "experiment_ids": experiment_ids });
    // Upstream serves this one for its own pages only; the path below /api is misspelt there.
    let path = "/ajax-api/2.0/mlflow/experiments/search-datasets";
    let answer: Answer = http.post(path, &body).await?;
    Ok(answer.dataset_summaries)
}
