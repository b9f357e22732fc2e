//! `/api/2.0/mlflow/registered-models` and `/model-versions`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::http::{Http, Ignored, Query, page};
use crate::entities::{ModelVersion, RegisteredModel, Tag};
use crate::{CreateModelVersion, Page, Result, SearchModelVersions, SearchRegisteredModels};

#[derive(Deserialize)]
struct FoundModel {
    registered_model: RegisteredModel,
}

#[derive(Deserialize)]
struct FoundVersion {
    model_version: ModelVersion,
}

pub(super) async fn create_model(
    http: &Http,
    name: &str,
    tags: &[Tag],
    description: Option<&str>,
) -> Result<RegisteredModel> {
    let mut body = json!({ "name": name, "tags": tags });
    describe(&mut body, description);
    let found: FoundModel = http.create("registered-models/create", &body).await?;
    Ok(found.registered_model)
}

/// Adds the description if there is one.
fn describe(body: &mut serde_json::Value, description: Option<&str>) {
    if let (Some(description), Some(body)) = (description, body.as_object_mut()) {
        body.insert("description".to_owned(), description.into());
    }
}

pub(super) async fn get_model(http: &Http, name: &str) -> Result<RegisteredModel> {
    let found: FoundModel = http.get("registered-models/get", &[("name", name.to_owned())]).await?;
    Ok(found.registered_model)
}

pub(super) async fn rename_model(
    http: &Http,
    name: &str,
    new_name: &str,
) -> Result<RegisteredModel> {
    let body = json!({ "name": name, "new_name": new_name });
    // Not `post`: a second time, the old name is gone.
    let found: FoundModel = http.create("registered-models/rename", &body).await?;
    Ok(found.registered_model)
}

pub(super) async fn update_model(
    http: &Http,
    name: &str,
    description: Option<&str>,
) -> Result<RegisteredModel> {
    let mut body = json!({ "name": name });
    describe(&mut body, description);
    let found: FoundModel = http.patch("registered-models/update", &body).await?;
    Ok(found.registered_model)
}

pub(super) async fn delete_model(http: &Http, name: &str) -> Result<()> {
    http.delete("registered-models/delete", &json!({ "name": name })).await
}

/// The query of a search; empty fields are left out.
fn search_query(
    filter: String,
    max_results: Option<i64>,
    order_by: Vec<String>,
    page_token: Option<String>,
) -> Vec<(&'static str, String)> {
    let mut query = Vec::new();
    query.extend(Some(filter).filter(|filter| !filter.is_empty()).map(|text| ("filter", text)));
    query.extend(max_results.map(|max| ("max_results", max.to_string())));
    query.extend(order_by.into_iter().map(|clause| ("order_by", clause)));
    query.extend(page_token.map(|token| ("page_token", token)));
    query
}

pub(super) async fn search_models(
    http: &Http,
    search: SearchRegisteredModels,
) -> Result<Page<RegisteredModel>> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        registered_models: Vec<RegisteredModel>,
        next_page_token: Option<String>,
    }
    let SearchRegisteredModels { filter, max_results, order_by, page_token } = search;
    let query: &Query<'_> = &search_query(filter, max_results, order_by, page_token);
    let answer: Answer = http.get("registered-models/search", query).await?;
    Ok(page(answer.registered_models, answer.next_page_token))
}

pub(super) async fn set_model_tag(http: &Http, name: &str, tag: &Tag) -> Result<()> {
    let body = json!({ "name": name, "key": tag.key, "value": tag.value });
    http.post("registered-models/set-tag", &body).await.map(|Ignored {}| ())
}

pub(super) async fn delete_model_tag(http: &Http, name: &str, key: &str) -> Result<()> {
    http.delete("registered-models/delete-tag", &json!({ "name": name, "key": key })).await
}

pub(super) async fn set_alias(http: &Http, name: &str, alias: &str, version: &str) -> Result<()> {
    let body = json!({ "name": name, "alias": alias, "version": version });
    http.post("registered-models/alias", &body).await.map(|Ignored {}| ())
}

pub(super) async fn delete_alias(http: &Http, name: &str, alias: &str) -> Result<()> {
    http.delete("registered-models/alias", &json!({ "name": name, "alias": alias })).await
}

pub(super) async fn get_version_by_alias(
    http: &Http,
    name: &str,
    alias: &str,
) -> Result<ModelVersion> {
    let query = [("name", name.to_owned()), ("alias", alias.to_owned())];
    let found: FoundVersion = http.get("registered-models/alias", &query).await?;
    Ok(found.model_version)
}

pub(super) async fn latest_versions(
    http: &Http,
    name: &str,
    stages: &[String],
) -> Result<Vec<ModelVersion>> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        model_versions: Vec<ModelVersion>,
    }
    let body = json!({ "name": name, "stages": stages });
    let answer: Answer = http.post("registered-models/get-latest-versions", &body).await?;
    Ok(answer.model_versions)
}

pub(super) async fn create_version(
    http: &Http,
    version: CreateModelVersion,
) -> Result<ModelVersion> {
    #[derive(Serialize)]
    struct Body {
        name: String,
        source: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        run_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        model_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        run_link: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        tags: Vec<Tag>,
    }
    let CreateModelVersion { name, source, run_id, model_id, run_link, description, tags } =
        version;
    let body = Body { name, source, run_id, model_id, run_link, description, tags };
    let found: FoundVersion = http.create("model-versions/create", &body).await?;
    Ok(found.model_version)
}

fn version_query(name: &str, version: &str) -> [(&'static str, String); 2] {
    [("name", name.to_owned()), ("version", version.to_owned())]
}

pub(super) async fn get_version(http: &Http, name: &str, version: &str) -> Result<ModelVersion> {
    let found: FoundVersion = http.get("model-versions/get", &version_query(name, version)).await?;
    Ok(found.model_version)
}

pub(super) async fn update_version(
    http: &Http,
    name: &str,
    version: &str,
    description: Option<&str>,
) -> Result<ModelVersion> {
    let mut body = json!({ "name": name, "version": version });
    describe(&mut body, description);
    let found: FoundVersion = http.patch("model-versions/update", &body).await?;
    Ok(found.model_version)
}

pub(super) async fn transition_stage(
    http: &Http,
    name: &str,
    version: &str,
    stage: &str,
    archive_existing_versions: bool,
) -> Result<ModelVersion> {
    let body = json!({
        "name": name,
        "version": version,
        "stage": stage,
        "archive_existing_versions": archive_existing_versions,
    });
    let found: FoundVersion = http.post("model-versions/transition-stage", &body).await?;
    Ok(found.model_version)
}

pub(super) async fn delete_version(http: &Http, name: &str, version: &str) -> Result<()> {
    http.delete("model-versions/delete", &json!({ "name": name, "version": version })).await
}

pub(super) async fn search_versions(
    http: &Http,
    search: SearchModelVersions,
) -> Result<Page<ModelVersion>> {
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
    let answer: Answer = http.get("model-versions/search", &query).await?;
    Ok(page(answer.model_versions, answer.next_page_token))
}

pub(super) async fn set_version_tag(
    http: &Http,
    name: &str,
    version: &str,
    tag: &Tag,
) -> Result<()> {
    let body = json!({ "name": name, "version": version, "key": tag.key, "value": tag.value });
    http.post("model-versions/set-tag", &body).await.map(|Ignored {}| ())
}

pub(super) async fn delete_version_tag(
    http: &Http,
    name: &str,
    version: &str,
    key: &str,
) -> Result<()> {
    let body = json!({ "name": name, "version": version, "key": key });
    http.delete("model-versions/delete-tag", &body).await
}

pub(super) async fn download_uri(http: &Http, name: &str, version: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        artifact_uri: String,
    }
    let answer: Answer =
        http.get("model-versions/get-download-uri", &version_query(name, version)).await?;
    Ok(answer.artifact_uri)
}
