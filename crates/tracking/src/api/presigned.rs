//! Transfers past the server: uploads in parts and signed URLs, where the artifacts' storage has them.
//! Elsewhere the answer is 501, on which clients go the ordinary way.

use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::request::Parts;
use serde_json::{Value, json};
use trainyard_mlflow::artifacts::{DirectFile, PARTS_MAX, SignedRequest};
use trainyard_mlflow::{Error, ErrorCode};

use super::artifacts::{PROXIED_ROOT, ProxiedPath};
use super::error::{ApiError, Result, empty, json};
use super::fields::Check::Required;
use super::files::content_type;
use super::message::message;
use super::request::Fields;
use super::state::{Api, ApiState};
use crate::artifacts::ArtifactPath;
use crate::error::invalid;

/// Longest life of a signed URL, in seconds: 7 days, as the clouds have it.
const EXPIRATION_SECONDS_MAX: i64 = 604_800;
/// Life of a signed upload if the request does not say, in seconds.
const UPLOAD_SECONDS: i64 = 900;

/// Routes below `/api/2.0/mlflow-artifacts`.
pub(super) fn proxied_routes() -> Router<Api> {
    Router::new()
        .route("/mpu/create/{*path}", post(create_multipart))
        .route("/mpu/complete/{*path}", post(complete_multipart))
        .route("/mpu/abort/{*path}", post(abort_multipart))
        .route("/presigned/{*path}", get(presigned))
}

/// Routes below `/api/2.0/mlflow`.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/artifacts/presigned-upload-url", post(presigned_upload))
        .route("/artifacts/presigned-download-url", post(presigned_download))
}

/// Whether the proxied artifacts' storage lets clients in.
pub(super) async fn is_offered(api: &ApiState) -> bool {
    let file = api.tracking.artifacts.direct_file(PROXIED_ROOT, "any").await;
    api.options.serve_artifacts && matches!(file, Ok(Some(_)))
}

fn unsupported(what: &str) -> ApiError {
    ApiError::from(Error::api(
        ErrorCode::NotImplemented,
        format!("{what} is not supported for the current artifact repository"),
    ))
}

// Uploads in parts

/// The directory of a request about parts, for those who may write there. Others are told so first, whatever else
/// they say and the storage can do.
struct WritablePath(ArtifactPath);

impl FromRequestParts<Api> for WritablePath {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Response> {
        let ProxiedPath(directory) = ProxiedPath::from_request_parts(parts, api).await?;
        let asked = api.tracking.artifacts.may_upload(PROXIED_ROOT, directory.as_str()).await;
        asked.map_err(|error| ApiError::from(error).into_response())?;
        Ok(Self(directory))
    }
}

message! { struct CreateMultipart { path: String [Required], num_parts: Option<i64> } }

async fn create_multipart(
    State(api): State<Api>,
    WritablePath(directory): WritablePath,
    Fields(asked, ..): Fields<CreateMultipart>,
) -> Result {
    let file = file_of_parts(&api, &directory, &asked.path).await?;
    let wanted = asked.num_parts.unwrap_or(1);
    let parts = u32::try_from(wanted).ok().filter(|parts| (1..=PARTS_MAX).contains(parts));
    let parts = parts.ok_or_else(|| {
        Error::invalid(format!("num_parts must be between 1 and {PARTS_MAX} (got {wanted})."))
    })?;
    let (upload_id, requests) = file.start_parts(parts).await?;
    let credential = |(number, request): (u32, SignedRequest)| json!({ "url": request.url, "part_number": number, "headers": request.headers });
    let credentials: Vec<Value> = (1..).zip(requests).map(credential).collect();
    Ok(json(&json!({ "upload_id": upload_id, "credentials": credentials })))
}

message! { struct Uploaded { part_number: Option<i64>, etag: String, _url as url: String } }

message! {
    struct CompleteMultipart {
        path: String [Required],
        upload_id: String,
        parts: Vec<Uploaded> [Required],
    }
}

async fn complete_multipart(
    State(api): State<Api>,
    WritablePath(directory): WritablePath,
    Fields(asked, ..): Fields<CompleteMultipart>,
) -> Result {
    let file = file_of_parts(&api, &directory, &asked.path).await?;
    let mut parts = asked.parts;
    parts.sort_by_key(|part| part.part_number);
    let mut etags = Vec::with_capacity(parts.len());
    for (number, part) in (1..).zip(parts) {
        if part.part_number != Some(number) {
            return invalid!(
                "parts must be numbered from 1 without a gap; part {number} is missing"
            );
        }
        etags.push(part.etag);
    }
    file.complete_parts(&asked.upload_id, etags).await?;
    Ok(empty())
}

message! { struct AbortMultipart { path: String [Required], upload_id: String } }

async fn abort_multipart(
    State(api): State<Api>,
    WritablePath(directory): WritablePath,
    Fields(asked, ..): Fields<AbortMultipart>,
) -> Result {
    let file = file_of_parts(&api, &directory, &asked.path).await?;
    file.abort_parts(&asked.upload_id).await?;
    Ok(empty())
}

/// The file of a request about parts: its directory is in the URL, its name at the end of the field
/// `path`.
async fn file_of_parts(
    api: &ApiState,
    directory: &ArtifactPath,
    local_file: &str,
) -> Result<Box<dyn DirectFile>> {
    let name = local_file.rsplit(['/', '\\']).next().unwrap_or_default();
    let path = directory.join(&ArtifactPath::from_request(name)?);
    let file = api.tracking.artifacts.direct_file(PROXIED_ROOT, path.as_str()).await?;
    file.ok_or_else(|| unsupported("Multipart upload"))
}

// Signed URLs

async fn presigned(State(api): State<Api>, ProxiedPath(path): ProxiedPath) -> Result {
    api.tracking.artifacts.may_download(PROXIED_ROOT, path.as_str()).await?;
    let file = api.tracking.artifacts.direct_file(PROXIED_ROOT, path.as_str()).await?;
    let file = file.ok_or_else(|| unsupported("Multipart download"))?;
    let (request, size) =
        file.sign_download(lifetime(api.options.presigned_download_seconds)?).await?;
    Ok(json(&json!({ "url": request.url, "headers": request.headers, "file_size": size })))
}

message! {
    struct PresignedUpload {
        run_id: Option<String>,
        model_id: Option<String>,
        path: String [Required],
        expiration: Option<i64>,
    }
}

async fn presigned_upload(
    State(api): State<Api>,
    Fields(asked, ..): Fields<PresignedUpload>,
) -> Result {
    let owner = (asked.run_id, asked.model_id);
    if owner.0.is_some() == owner.1.is_some() {
        return invalid!("Exactly one of run_id and model_id must be provided.");
    }
    let path = ArtifactPath::from_request(&asked.path)?;
    let root_uri = match owner {
        (Some(run_id), _) => {
            api.tracking.runs.may_write_files(&run_id).await?;
            api.tracking.runs.get(&run_id).await?.info.artifact_uri
        }
        (None, model_id) => {
            let model_id = model_id.unwrap_or_default();
            api.tracking.logged_models.may_write_files(&model_id).await?;
            api.tracking.logged_models.get(&model_id).await?.info.artifact_uri
        }
    };
    refuse_proxied(
        &root_uri,
        "upload",
        "proxied artifact storage",
        "a direct cloud storage artifact URI",
    )?;
    let file = api.tracking.artifacts.direct_file(&root_uri, path.as_str()).await?;
    let file = file.ok_or_else(|| unsupported("Presigned upload"))?;
    let lifetime = lifetime(asked.expiration.unwrap_or(UPLOAD_SECONDS))?;
    let request = file.sign_upload(lifetime, content_type(path.as_str())).await?;
    Ok(json(&json!({ "presigned_url": request.url, "headers": request.headers })))
}

message! {
    struct PresignedDownload {
        run_id: String [Required],
        path: String [Required],
        expiration: Option<i64>,
    }
}

async fn presigned_download(
    State(api): State<Api>,
    Fields(asked, ..): Fields<PresignedDownload>,
) -> Result {
    let path = ArtifactPath::from_request(&asked.path)?;
    let seconds = asked.expiration.unwrap_or(api.options.presigned_download_seconds);
    let lifetime = lifetime(seconds)?;
    let root_uri = api.tracking.runs.get(&asked.run_id).await?.info.artifact_uri;
    refuse_proxied(
        &root_uri,
        "download",
        "runs with proxied artifact storage",
        "a run with a direct cloud storage artifact URI",
    )?;
    let file = api.tracking.artifacts.direct_file(&root_uri, path.as_str()).await?;
    let file = file.ok_or_else(|| unsupported("Presigned download"))?;
    let (request, size) = file.sign_download(lifetime).await?;
    Ok(json(
        &json!({ "presigned_url": request.url, "headers": request.headers, "file_size": size }),
    ))
}

fn lifetime(seconds: i64) -> Result<Duration> {
    let allowed = (1..=EXPIRATION_SECONDS_MAX).contains(&seconds);
    let seconds = u64::try_from(seconds).ok().filter(|_| allowed).ok_or_else(|| {
        Error::invalid(format!(
            "expiration must be between 1 and {EXPIRATION_SECONDS_MAX} seconds (got {seconds})."
        ))
    })?;
    Ok(Duration::from_secs(seconds))
}

/// Proxied files are the server's own: their clients ask below `mlflow-artifacts/presigned`.
fn refuse_proxied(root_uri: &str, direction: &str, what: &str, instead: &str) -> Result<()> {
    let scheme = root_uri.split_once(':').map_or("", |(scheme, _)| scheme);
    if matches!(scheme, "mlflow-artifacts" | "http" | "https") {
        return Err(ApiError::from(Error::invalid(format!(
            "Presigned {direction} is not supported for {what} (artifact URI scheme: {scheme}). \
             This endpoint requires {instead}."
        ))));
    }
    Ok(())
}
