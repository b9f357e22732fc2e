//! Artifacts of runs, versions and logged models, and the proxied `mlflow-artifacts` routes.

use axum::Router;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::StreamExt as _;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use trainyard_mlflow::artifacts::{ByteStream, once};
use trainyard_mlflow::entities::FileInfo;
use trainyard_mlflow::{Detail, Error, ErrorCode, VersionId};

use super::body::{BodyError, Received, receive};
use super::error::{ApiError, Result, empty, json, json_text};
use super::fields::Check::Required;
use super::files;
use super::message::message;
use super::request::{Fields, Query};
use super::state::{Api, ApiState};
use super::wire::PageWire;
use crate::artifacts::ArtifactPath;
use crate::error::invalid;

/// Root of all proxied artifacts.
pub(super) const PROXIED_ROOT: &str = "mlflow-artifacts:/";

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/artifacts/list", get(list_of_run))
        .route("/logged-models/{model_id}/artifacts/directories", get(list_of_model))
        .route("/logged-models/{model_id}/artifacts/files", get(file_of_model))
}

/// Routes below `/api/2.0/mlflow-artifacts`.
pub(super) fn proxied_routes() -> Router<Api> {
    Router::new()
        .route("/artifacts", get(list))
        .route("/artifacts/{*path}", get(download).put(upload).delete(delete))
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

fn proxied_path(api: &ApiState, raw: &str) -> Result<ArtifactPath> {
    if !api.options.serve_artifacts {
        return Err(ApiError::from(Error::api(
            ErrorCode::TemporarilyUnavailable,
            "Artifact serving is disabled. Start the server with `--serve-artifacts` to enable it.",
        )));
    }
    Ok(ArtifactPath::from_request(raw)?)
}

/// The path of a proxied artifact, in the URL, where such are served.
pub(super) struct ProxiedPath(pub(super) ArtifactPath);

impl FromRequestParts<Api> for ProxiedPath {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Response> {
        let Path(raw) = Path::<String>::from_request_parts(parts, api)
            .await
            .map_err(IntoResponse::into_response)?;
        proxied_path(api, &raw).map(Self).map_err(IntoResponse::into_response)
    }
}

message! { struct List { path: String } }

async fn list(State(api): State<Api>, Query(asked): Query<List>) -> Result {
    let path = proxied_path(&api, &asked.path)?;
    let mut items = api.tracking.artifacts.list(PROXIED_ROOT, path.as_str()).await?;
    // Entries carry their own names here, not paths.
    for entry in &mut items {
        if let Some((_, name)) = entry.path.rsplit_once('/') {
            entry.path = name.to_owned();
        }
    }
    Ok(json(&PageWire { name: "files", items, token: None }))
}

async fn download(
    State(api): State<Api>,
    ProxiedPath(path): ProxiedPath,
    headers: HeaderMap,
) -> Result {
    match files::send(&*api.tracking.artifacts, PROXIED_ROOT, path.as_str(), &headers).await {
        Err(error) if error.detail() == Some(Detail::Directory) => {
            // The one answer of these routes that is not in MLflow's own form.
            Ok(json_text(StatusCode::BAD_REQUEST, &json!({ "detail": error.message() })))
        }
        answer => answer,
    }
}

async fn upload(
    State(api): State<Api>,
    ProxiedPath(path): ProxiedPath,
    Path(raw): Path<String>,
    request: Request,
) -> Result {
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

async fn delete(State(api): State<Api>, ProxiedPath(path): ProxiedPath) -> Result {
    api.tracking.artifacts.delete(PROXIED_ROOT, path.as_str()).await?;
    Ok(empty())
}

// Artifacts of runs, versions and logged models

message! {
    pub(super) struct ListOfRun {
        run_id: String [Required],
        _run_uuid as run_uuid: String,
        path: String,
        _page_token as page_token: String,
    }
}

/// The files below a root, and the root.
pub(super) struct Listing {
    pub(super) root_uri: String,
    pub(super) files: Vec<FileInfo>,
}

impl Listing {
    /// Files of a run.
    pub(super) async fn of_run(api: &ApiState, asked: &ListOfRun) -> Result<Self> {
        let path = ArtifactPath::from_request(&asked.path)?;
        let root_uri = api.tracking.runs.get(&asked.run_id).await?.info.artifact_uri;
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

async fn list_of_run(State(api): State<Api>, Fields(asked, ..): Fields<ListOfRun>) -> Result {
    Ok(Listing::of_run(&api, &asked).await?.answer())
}

message! {
    struct ListOfModel { artifact_directory_path: String, _page_token as page_token: String }
}

async fn list_of_model(
    State(api): State<Api>,
    Path(model_id): Path<String>,
    Query(asked): Query<ListOfModel>,
) -> Result {
    let path = ArtifactPath::from_request(&asked.artifact_directory_path)?;
    let root_uri = api.tracking.logged_models.get(&model_id).await?.info.artifact_uri;
    let files = api.tracking.artifacts.list(&root_uri, path.as_str()).await?;
    Ok(Listing { root_uri, files }.answer())
}

message! { struct FileOfModel { artifact_file_path: String } }

async fn file_of_model(
    State(api): State<Api>,
    Path(model_id): Path<String>,
    Query(asked): Query<FileOfModel>,
    headers: HeaderMap,
) -> Result {
    if asked.artifact_file_path.is_empty() {
        let message = "Request must include the \"artifact_file_path\" query parameter.";
        return Err(Error::api(ErrorCode::BadRequest, message).into());
    }
    let path = ArtifactPath::from_request(&asked.artifact_file_path)?;
    let root_uri = api.tracking.logged_models.get(&model_id).await?.info.artifact_uri;
    files::send(&*api.tracking.artifacts, &root_uri, path.as_str(), &headers).await
}

message! {
    struct FileOfRun {
        run_id: String [Required],
        _run_uuid as run_uuid: String,
        path: String [Required],
    }
}

async fn file_of_run(
    State(api): State<Api>,
    Query(asked): Query<FileOfRun>,
    headers: HeaderMap,
) -> Result {
    let path = ArtifactPath::from_request(&asked.path)?;
    let root_uri = api.tracking.runs.get(&asked.run_id).await?.info.artifact_uri;
    files::send(&*api.tracking.artifacts, &root_uri, path.as_str(), &headers).await
}

message! {
    struct FileOfVersion {
        name: String [Required],
        version: String [Required],
        path: String [Required],
    }
}

async fn file_of_version(
    State(api): State<Api>,
    Query(asked): Query<FileOfVersion>,
    headers: HeaderMap,
) -> Result {
    let path = ArtifactPath::from_request(&asked.path)?;
    let id = VersionId { name: &asked.name, version: &asked.version };
    let root_uri = api.tracking.model_versions.download_uri(id).await?;
    files::send(&*api.tracking.artifacts, &root_uri, path.as_str(), &headers).await
}

/// Most bytes of one file uploaded by a page.
const PAGE_UPLOAD_BYTES_MAX: usize = 10 << 20;

message! {
    struct UploadToRun { run_id: Option<String>, run_uuid: Option<String>, path: Option<String> }
}

async fn upload_to_run(
    State(api): State<Api>,
    Query(asked): Query<UploadToRun>,
    request: Request,
) -> Result {
    // Pages of MLflow 3.18 and later write the first, older ones the second.
    let Some(run_id) = asked.run_id.filter(|id| !id.is_empty()).or(asked.run_uuid) else {
        return invalid!("Request must specify run_uuid.");
    };
    let Some(raw) = asked.path else {
        return invalid!("Request must specify path.");
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
        return invalid!("Request must specify data.");
    }
    api.tracking.runs.may_write_files(&run_id).await?;
    let root_uri = api.tracking.runs.get(&run_id).await?.info.artifact_uri;
    api.tracking.artifacts.upload(&root_uri, path.as_str(), once(data)).await?;
    Ok(([(http::header::CONTENT_TYPE, "application/json")], "").into_response())
}
