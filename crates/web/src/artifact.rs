//! One artifact: shown if it can be, and the bytes themselves.
//!
//! What users logged is never part of our pages: text is escaped, images are images, and HTML and
//! SVG come with a policy that gives them an origin of their own and no way to the network.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use futures::StreamExt as _;
use maud::{Markup, html};
use trainyard_base::media_type::extension;
use trainyard_mlflow::Error;
use trainyard_mlflow::artifacts::ByteStream;

use crate::artifact_kind::Kind;
use crate::error::Result;
use crate::links::{Links, part};
use crate::page::{self, Section};
use crate::sandbox::{POLICY, frame};
use crate::site::Web;

/// Largest text that is shown; the file itself is a click away.
const TEXT_BYTES_MAX: usize = 150_000;

/// Whose file it is.
struct Owner {
    root_uri: String,
    address: String,
    trail: Vec<(String, String)>,
}

async fn run_owner(web: &Web, run_id: &str) -> Result<Owner> {
    let info = web.tracking.runs.get(run_id).await?.info;
    let address = web.links.run(&info.run_id);
    let name = page::run_name(&info.run_name, &info.run_id).to_owned();
    let trail = vec![
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(&info.experiment_id), "Runs".to_owned()),
        (address.clone(), name),
    ];
    Ok(Owner { root_uri: info.artifact_uri, address, trail })
}

async fn model_owner(web: &Web, model_id: &str) -> Result<Owner> {
    let info = web.tracking.logged_models.get(model_id).await?.info;
    let address = web.links.logged_model(&info.model_id);
    let trail = vec![
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(&info.experiment_id), "Runs".to_owned()),
        (address.clone(), info.name),
    ];
    Ok(Owner { root_uri: info.artifact_uri, address, trail })
}

pub(crate) async fn show_of_run(
    State(web): State<Web>,
    Path((run_id, path)): Path<(String, String)>,
) -> Result {
    let owner = run_owner(&web, &run_id).await?;
    show(&web, owner, &path).await
}

pub(crate) async fn show_of_model(
    State(web): State<Web>,
    Path((model_id, path)): Path<(String, String)>,
) -> Result {
    let owner = model_owner(&web, &model_id).await?;
    show(&web, owner, &path).await
}

pub(crate) async fn raw_of_run(
    State(web): State<Web>,
    Path((run_id, path)): Path<(String, String)>,
) -> Result {
    let owner = run_owner(&web, &run_id).await?;
    raw(&web, &owner, &path).await
}

pub(crate) async fn raw_of_model(
    State(web): State<Web>,
    Path((model_id, path)): Path<(String, String)>,
) -> Result {
    let owner = model_owner(&web, &model_id).await?;
    raw(&web, &owner, &path).await
}

async fn show(web: &Web, owner: Owner, path: &str) -> Result {
    let body = web.tracking.artifacts.download(&owner.root_uri, path).await?;
    let raw = Links::raw(&owner.address, path);
    let content = match Kind::of(path) {
        Kind::Image(_) => html! { img.file src=(raw) alt=(path); },
        Kind::Page => frame(&owner.address, path),
        Kind::Text => text(body, path).await?,
        Kind::Other => html! { p { "This kind of file is not shown here." } },
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let body = html! {
        h1 { (name) }
        div.actions { a href=(raw) { "Open the file itself" } span.soft { (path) } }
        (content)
    };
    let page = page::layout(&web.links, name, Some(Section::Experiments), &owner.trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

async fn text(mut body: ByteStream, path: &str) -> Result<Markup> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > TEXT_BYTES_MAX {
            break;
        }
    }
    let is_cut = bytes.len() > TEXT_BYTES_MAX;
    bytes.truncate(TEXT_BYTES_MAX);
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if !is_cut && extension(path).as_deref() == Some("json") && !text.contains('\n') {
        // One long line is nobody's choice.
        let value = serde_json::from_str::<serde_json::Value>(&text).ok();
        text = value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or(text);
    }
    Ok(html! {
        @if text.is_empty() { p.soft { "The file is empty." } } @else { pre.file { (text) } }
        @if is_cut { p.soft { "Only the beginning is shown." } }
    })
}

async fn raw(web: &Web, owner: &Owner, path: &str) -> Result {
    let body = web.tracking.artifacts.download(&owner.root_uri, path).await?;
    let kind = Kind::of(path);
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind.content_type()));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if kind == Kind::Other {
        let name = path.rsplit('/').next().unwrap_or_default();
        let disposition = format!("attachment; filename*=UTF-8''{}", part(name));
        let disposition = HeaderValue::from_str(&disposition)
            .map_err(|error| Error::internal(format!("{path}: {error}")))?;
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}
