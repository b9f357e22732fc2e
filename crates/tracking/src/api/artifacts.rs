//! Artifacts of runs, versions and logged models, and the proxied `mlflow-artifacts` routes.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use trainyard_mlflow::artifacts::{ByteStream, once};
use trainyard_mlflow::entities::FileInfo;
use trainyard_mlflow::{Error, ErrorCode, VersionId};

use super::body::{BodyError, Received, receive};
use super::error::{ApiError, Result, empty, json, json_text};
use super::request::from_query;
use super::shape::{Check, Field, Kind, Shape};
use super::wire::PageWire;
use super::{Api, ApiState, direct, files};
use crate::artifacts::ArtifactPath;

/// Root of all proxied artifacts.
pub(super) const PROXIED_ROOT: &str = "mlflow-artifacts:/";

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/artifacts/list", get(list_of_run))
        .merge(direct::routes())
        .route("/logged-models/{model_id}/artifacts/directories", get(list_of_model))
        .route("/logged-models/{model_id}/artifacts/files", get(file_of_model))
}

/// Routes below `/api/2.0/mlflow-artifacts`.
pub(super) fn proxied_routes() -> Router<Api> {
    Router::new()
        .route("/artifacts", get(list))
        .route("/artifacts/{*path}", get(download).put(upload).delete(delete))
        .merge(direct::proxied_routes())
}

/// Routes at the root, which upstream's pages use.
pub(super) fn page_routes() -> Router<Api> {
    Router::new()
        .route("/get-artifact", get(file_of_run))
        .route("/model-versions/get-artifact", get(file_of_version))
}

/// Routes below `/ajax-api/2.0/mlflow` only.
pub(super) fn ajax_routes() -> Router<Api> {
    Router::new().route("/upload-artifact", post(upload_to_run))
}

// Proxied artifacts

pub(super) fn proxied_path(api: &ApiState, raw: &str) -> Result<ArtifactPath> {
    if !api.options.serve_artifacts {
        return Err(ApiError::from(Error::api(
            ErrorCode::TemporarilyUnavailable,
            "Artifact serving is disabled. Start the server with `--serve-artifacts` to enable it.",
        )));
    }
    Ok(ArtifactPath::from_request(raw)?)
}

static LIST: Shape = Shape(&[Field::new("path", Kind::Text, &[])]);

async fn list(State(api): State<Api>, request: Request) -> Result {
    let raw = from_query(request.uri().query().unwrap_or_default(), &LIST)?.text("path");
    let path = proxied_path(&api, &raw)?;
    let mut items = api.tracking.artifacts.list(PROXIED_ROOT, path.as_str()).await?;
    // Entries carry their own names here, not paths.
    for entry in &mut items {
        if let Some((_, name)) = entry.path.rsplit_once('/') {
            entry.path = name.to_owned();
        }
    }
    Ok(json(&PageWire { name: "files", items, token: None }))
}

async fn download(State(api): State<Api>, Path(raw): Path<String>, headers: HeaderMap) -> Result {
    let path = proxied_path(&api, &raw)?;
    match files::send(&*api.tracking.artifacts, PROXIED_ROOT, path.as_str(), &headers).await {
        Err(error) if error.message().starts_with("Artifact path refers to a directory") => {
            // The one answer of these routes that is not in MLflow's own form.
            Ok(json_text(StatusCode::BAD_REQUEST, &json!({ "detail": error.message() })))
        }
        answer => answer,
    }
}

async fn upload(State(api): State<Api>, Path(raw): Path<String>, request: Request) -> Result {
    let path = proxied_path(&api, &raw)?;
    if raw.ends_with('/') || path.is_root() {
        let detail = "Artifact path must include a filename (cannot end with '/').";
        return Ok(json_text(StatusCode::BAD_REQUEST, &json!({ "detail": detail })));
    }
    let body: ByteStream = request
        .into_body()
        .into_data_stream()
        .map(|chunk| {
            chunk.map_err(|error| {
                Error::api(ErrorCode::BadRequest, format!("the upload broke off: {error}"))
            })
        })
        .boxed();
    api.tracking.artifacts.upload(PROXIED_ROOT, path.as_str(), body).await?;
    Ok(StatusCode::OK.into_response())
}

async fn delete(State(api): State<Api>, Path(raw): Path<String>) -> Result {
    let path = proxied_path(&api, &raw)?;
    api.tracking.artifacts.delete(PROXIED_ROOT, path.as_str()).await?;
    Ok(empty())
}

// Artifacts of runs, versions and logged models

static LIST_OF_RUN: Shape = Shape(&[
    Field::new("run_id", Kind::Text, &[Check::Text, Check::Required]),
    Field::new("run_uuid", Kind::Text, &[]),
    Field::text("path"),
    Field::text("page_token"),
]);

/// The files below a root, and the root.
pub(super) struct Listing {
    pub(super) root_uri: String,
    pub(super) files: Vec<FileInfo>,
}

impl Listing {
    /// Files of a run below `raw_path`.
    pub(super) async fn of_run(api: &ApiState, run_id: &str, raw_path: &str) -> Result<Self> {
        let path = ArtifactPath::from_request(raw_path)?;
        let root_uri = api.tracking.runs.get(run_id).await?.info.artifact_uri;
        let files = api.tracking.artifacts.list(&root_uri, path.as_str()).await?;
        Ok(Self { root_uri, files })
    }

    fn answer(self) -> Response {
        let mut answer = json!({ "root_uri": self.root_uri });
        if !self.files.is_empty() {
            answer["files"] = json!(self.files);
        }
        json(&answer)
    }
}

async fn list_of_run(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &LIST_OF_RUN).await?;
    let run_id = fields.run_id();
    Ok(Listing::of_run(&api, &run_id, &fields.text("path")).await?.answer())
}

static LIST_OF_MODEL: Shape =
    Shape(&[Field::text("artifact_directory_path"), Field::new("page_token", Kind::Text, &[])]);

async fn list_of_model(
    State(api): State<Api>,
    Path(model_id): Path<String>,
    request: Request,
) -> Result {
    let mut fields = from_query(request.uri().query().unwrap_or_default(), &LIST_OF_MODEL)?;
    let path = ArtifactPath::from_request(&fields.text("artifact_directory_path"))?;
    let root_uri = api.tracking.logged_models.get(&model_id).await?.info.artifact_uri;
    let files = api.tracking.artifacts.list(&root_uri, path.as_str()).await?;
    Ok(Listing { root_uri, files }.answer())
}

static FILE_OF_MODEL: Shape = Shape(&[Field::required("artifact_file_path")]);

async fn file_of_model(
    State(api): State<Api>,
    Path(model_id): Path<String>,
    request: Request,
) -> Result {
    let mut fields = from_query(request.uri().query().unwrap_or_default(), &FILE_OF_MODEL)?;
    let path = ArtifactPath::from_request(&fields.text("artifact_file_path"))?;
    let root_uri = api.tracking.logged_models.get(&model_id).await?.info.artifact_uri;
    files::send(&*api.tracking.artifacts, &root_uri, path.as_str(), request.headers()).await
}

static FILE_OF_RUN: Shape = Shape(&[
    Field::required("run_id"),
    Field::new("run_uuid", Kind::Text, &[]),
    Field::required("path"),
]);

async fn file_of_run(State(api): State<Api>, request: Request) -> Result {
    let mut fields = from_query(request.uri().query().unwrap_or_default(), &FILE_OF_RUN)?;
    let path = ArtifactPath::from_request(&fields.text("path"))?;
    let root_uri = api.tracking.runs.get(&fields.run_id()).await?.info.artifact_uri;
    files::send(&*api.tracking.artifacts, &root_uri, path.as_str(), request.headers()).await
}

static FILE_OF_VERSION: Shape =
    Shape(&[Field::required("name"), Field::required("version"), Field::required("path")]);

async fn file_of_version(State(api): State<Api>, request: Request) -> Result {
    let mut fields = from_query(request.uri().query().unwrap_or_default(), &FILE_OF_VERSION)?;
    let path = ArtifactPath::from_request(&fields.text("path"))?;
    let (name, version) = (fields.text("name"), fields.text("version"));
    let root_uri = api
        .tracking
        .model_versions
        .download_uri(VersionId { name: &name, version: &version })
        .await?;
    files::send(&*api.tracking.artifacts, &root_uri, path.as_str(), request.headers()).await
}

/// Most bytes of one file uploaded by a page.
const PAGE_UPLOAD_BYTES_MAX: usize = 10 << 20;

static UPLOAD_TO_RUN: Shape =
    Shape(&[Field::new("run_uuid", Kind::Text, &[]), Field::new("path", Kind::Text, &[])]);

async fn upload_to_run(State(api): State<Api>, request: Request) -> Result {
    let mut fields = from_query(request.uri().query().unwrap_or_default(), &UPLOAD_TO_RUN)?;
    let Some(run_id) = fields.filled_text("run_uuid") else {
        return Err(Error::invalid("Request must specify run_uuid.").into());
    };
    let Some(raw) = fields.filled_text("path") else {
        return Err(Error::invalid("Request must specify path.").into());
    };
    let path = ArtifactPath::from_request(&raw)?;
    let Received { bytes: data, share: _share } =
        receive(request, PAGE_UPLOAD_BYTES_MAX, &api.options.memory).await.map_err(|error| {
            match error {
                BodyError::TooLarge(_) => {
                    Error::invalid("Artifact size is too large. Max size is 10MB.").into()
                }
                error => ApiError::from(error),
            }
        })?;
    if data.is_empty() {
        return Err(Error::invalid("Request must specify data.").into());
    }
    let root_uri = api.tracking.runs.get(&run_id).await?.info.artifact_uri;
    api.tracking.artifacts.upload(&root_uri, path.as_str(), once(data)).await?;
    Ok(([(http::header::CONTENT_TYPE, "application/json")], "").into_response())
}
