//! Transfers past the server: uploads in parts and signed URLs, where the artifacts' storage has them.
//! Elsewhere the answer is 501, on which clients go the ordinary way.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::routing::{get, post};
use serde_json::{Value, json};
use trainyard_mlflow::artifacts::{DirectFile, PARTS_MAX, SignedRequest};
use trainyard_mlflow::{Error, ErrorCode};

use super::artifacts::{PROXIED_ROOT, proxied_path};
use super::error::{ApiError, Result, empty, json};
use super::files::content_type;
use super::request::Fields;
use super::shape::{Check, Field, Kind, Shape};
use super::{Api, ApiState};
use crate::artifacts::ArtifactPath;

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

static CREATE_MULTIPART: Shape =
    Shape(&[Field::required("path"), Field::new("num_parts", Kind::Int64, &[Check::IntLike])]);

async fn create_multipart(
    State(api): State<Api>,
    Path(raw): Path<String>,
    request: Request,
) -> Result {
    let (file, fields) = part_of(&api, &raw, request, &CREATE_MULTIPART).await?;
    let wanted = fields.int("num_parts").unwrap_or(1);
    let parts = u32::try_from(wanted).ok().filter(|parts| (1..=PARTS_MAX).contains(parts));
    let parts = parts.ok_or_else(|| {
        Error::invalid(format!("num_parts must be between 1 and {PARTS_MAX} (got {wanted})."))
    })?;
    let (upload_id, requests) = file.start_parts(parts).await?;
    let credential = |(number, request): (u32, SignedRequest)| json!({ "url": request.url, "part_number": number, "headers": request.headers });
    let credentials: Vec<Value> = (1..).zip(requests).map(credential).collect();
    Ok(json(&json!({ "upload_id": upload_id, "credentials": credentials })))
}

static MULTIPART_PART: Shape = Shape(&[
    Field::new("part_number", Kind::Int64, &[]),
    Field::new("etag", Kind::Text, &[]),
    Field::new("url", Kind::Text, &[]),
]);

static COMPLETE_MULTIPART: Shape = Shape(&[
    Field::required("path"),
    Field::text("upload_id"),
    Field::list("parts", Kind::Message(&MULTIPART_PART), &[Check::Required]),
]);

async fn complete_multipart(
    State(api): State<Api>,
    Path(raw): Path<String>,
    request: Request,
) -> Result {
    let (file, mut fields) = part_of(&api, &raw, request, &COMPLETE_MULTIPART).await?;
    let mut parts = fields.messages("parts");
    parts.sort_by_key(|part| part.int("part_number"));
    let mut etags = Vec::with_capacity(parts.len());
    for (number, mut part) in (1..).zip(parts) {
        if part.int("part_number") != Some(number) {
            return Err(Error::invalid(format!(
                "parts must be numbered from 1 without a gap; part {number} is missing"
            ))
            .into());
        }
        etags.push(part.text("etag"));
    }
    file.complete_parts(&fields.text("upload_id"), etags).await?;
    Ok(empty())
}

static ABORT_MULTIPART: Shape = Shape(&[Field::required("path"), Field::text("upload_id")]);

async fn abort_multipart(
    State(api): State<Api>,
    Path(raw): Path<String>,
    request: Request,
) -> Result {
    let (file, mut fields) = part_of(&api, &raw, request, &ABORT_MULTIPART).await?;
    file.abort_parts(&fields.text("upload_id")).await?;
    Ok(empty())
}

/// The file of a request about parts: its directory is in the URL, its name at the end of the field
/// `path`.
async fn part_of(
    api: &ApiState,
    raw: &str,
    request: Request,
    shape: &'static Shape,
) -> Result<(Box<dyn DirectFile>, Fields)> {
    let directory = proxied_path(api, raw)?;
    let mut fields = api.read(request, shape).await?;
    let local_file = fields.text("path");
    let name = local_file.rsplit(['/', '\\']).next().unwrap_or_default();
    let path = directory.join(&ArtifactPath::from_request(name)?);
    let file = api.tracking.artifacts.direct_file(PROXIED_ROOT, path.as_str()).await?;
    Ok((file.ok_or_else(|| unsupported("Multipart upload"))?, fields))
}

// Signed URLs

async fn presigned(State(api): State<Api>, Path(raw): Path<String>) -> Result {
    let path = proxied_path(&api, &raw)?;
    let file = api.tracking.artifacts.direct_file(PROXIED_ROOT, path.as_str()).await?;
    let file = file.ok_or_else(|| unsupported("Multipart download"))?;
    let (request, size) =
        file.sign_download(lifetime(api.options.presigned_download_seconds)?).await?;
    Ok(json(&json!({ "url": request.url, "headers": request.headers, "file_size": size })))
}

static PRESIGNED_UPLOAD: Shape = Shape(&[
    Field::text("run_id"),
    Field::text("model_id"),
    Field::required("path"),
    Field::new("expiration", Kind::Int64, &[Check::IntLike]),
]);

async fn presigned_upload(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &PRESIGNED_UPLOAD).await?;
    let owner = (fields.filled_text("run_id"), fields.filled_text("model_id"));
    if owner.0.is_some() == owner.1.is_some() {
        return Err(Error::invalid("Exactly one of run_id and model_id must be provided.").into());
    }
    let path = ArtifactPath::from_request(&fields.text("path"))?;
    let root_uri = match owner {
        (Some(run_id), _) => api.tracking.runs.get(&run_id).await?.info.artifact_uri,
        (None, model_id) => {
            let model_id = model_id.unwrap_or_default();
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
    let lifetime = lifetime(fields.int("expiration").unwrap_or(UPLOAD_SECONDS))?;
    let request = file.sign_upload(lifetime, content_type(path.as_str())).await?;
    Ok(json(&json!({ "presigned_url": request.url, "headers": request.headers })))
}

static PRESIGNED_DOWNLOAD: Shape = Shape(&[
    Field::required("run_id"),
    Field::required("path"),
    Field::new("expiration", Kind::Int64, &[Check::IntLike]),
]);

async fn presigned_download(State(api): State<Api>, request: Request) -> Result {
    let mut fields = api.read(request, &PRESIGNED_DOWNLOAD).await?;
    let path = ArtifactPath::from_request(&fields.text("path"))?;
    let seconds = fields.int("expiration").unwrap_or(api.options.presigned_download_seconds);
    let lifetime = lifetime(seconds)?;
    let root_uri = api.tracking.runs.get(&fields.run_id()).await?.info.artifact_uri;
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
