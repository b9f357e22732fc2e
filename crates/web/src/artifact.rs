//! One artifact: shown if it can be, and the bytes themselves.
//!
//! What users logged is never part of our pages: text is escaped, images are images, and HTML and
//! SVG come with a policy that gives them an origin of their own and no way to the network.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use maud::html;
use trainyard_mlflow::Error;

use crate::artifact_kind::Kind;
use crate::artifact_owner::Owner;
use crate::error::Result;
use crate::folder;
use crate::links::{Links, part};
use crate::page::{self, Section};
use crate::preview::{self, File};
use crate::sandbox::{PDF_POLICY, POLICY};
use crate::site::Web;

pub(crate) async fn show_of_run(
    State(web): State<Web>,
    Path((run_id, path)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result {
    let owner = Owner::run(&web, &run_id).await?;
    show(&web, &owner, &path, query.as_deref()).await
}

pub(crate) async fn show_of_model(
    State(web): State<Web>,
    Path((model_id, path)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result {
    let owner = Owner::model(&web, &model_id).await?;
    show(&web, &owner, &path, query.as_deref()).await
}

pub(crate) async fn all_of_run(
    State(web): State<Web>,
    Path(run_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result {
    let owner = Owner::run(&web, &run_id).await?;
    let entries = web.tracking.artifacts.list(&owner.root_uri, "").await?;
    Ok(folder::show(&web, &owner, "", &entries, query.as_deref()))
}

pub(crate) async fn all_of_model(
    State(web): State<Web>,
    Path(model_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result {
    let owner = Owner::model(&web, &model_id).await?;
    let entries = web.tracking.artifacts.list(&owner.root_uri, "").await?;
    Ok(folder::show(&web, &owner, "", &entries, query.as_deref()))
}

pub(crate) async fn raw_of_run(
    State(web): State<Web>,
    Path((run_id, path)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result {
    let owner = Owner::run(&web, &run_id).await?;
    raw(&web, &owner, &path, query.as_deref()).await
}

pub(crate) async fn raw_of_model(
    State(web): State<Web>,
    Path((model_id, path)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result {
    let owner = Owner::model(&web, &model_id).await?;
    raw(&web, &owner, &path, query.as_deref()).await
}

/// The page of a file, or of the folder that is there instead.
async fn show(web: &Web, owner: &Owner, path: &str, query: Option<&str>) -> Result {
    let artifacts = &web.tracking.artifacts;
    let body = match artifacts.download(&owner.root_uri, path).await {
        Ok(body) => body,
        Err(error) if error.is_not_found() => {
            let path = path.trim_end_matches('/');
            let entries = artifacts.list(&owner.root_uri, path).await?;
            if entries.is_empty() {
                return Err(error.into());
            }
            return Ok(folder::show(web, owner, path, &entries, query));
        }
        Err(error) => return Err(error.into()),
    };
    let file = File { owner: &owner.address, path };
    let content = preview::show(web, file, body, &preview::PAGE).await?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let body = html! {
        h1 { (name) }
        div.actions { a href=(Links::raw(&owner.address, path)) { "Open the file itself" } span.soft { (path) } }
        (content)
    };
    let trail = owner.trail(path);
    let page = page::layout(&web.links, name, Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

async fn raw(web: &Web, owner: &Owner, path: &str, query: Option<&str>) -> Result {
    let download = || web.tracking.artifacts.download(&owner.root_uri, path);
    let kind = Kind::of(path);
    // What is looked at is what is answered.
    let is_asked = kind == Kind::Pdf && query == Some(preview::SHOWN);
    let passive =
        if is_asked { preview::read_passive(web, download().await?).await? } else { None };
    if let Some(whole) = passive {
        let headers = [
            (header::CONTENT_TYPE, kind.content_type()),
            // It has no origin and nothing to load. Chromium shows no PDF within a frame with a sandbox, but one that comes
            // with it.
            (header::CONTENT_SECURITY_POLICY, PDF_POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        return Ok((headers, whole).into_response());
    }
    let body = download().await?;
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind.content_type()));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if kind.is_download() {
        let name = path.rsplit('/').next().unwrap_or_default();
        let disposition = format!("attachment; filename*=UTF-8''{}", part(name));
        let disposition = HeaderValue::from_str(&disposition)
            .map_err(|error| Error::internal(format!("{path}: {error}")))?;
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}
