//! The page of a registered model.

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use futures::future::join4;
use maud::html;
use serde::Deserialize;
use serde_json::Value;
use trainyard_mlflow::entities::{ModelVersion, RegisteredModel, RegistryAt, Tag};
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{Result as StoreResult, SearchModelVersions, VersionId};
use trainyard_signature::model::MlModel;

use super::actions;
use super::records::Records;
use super::release::{Candidate, Releases};
use super::snippets::Use;
use super::standing::{PRODUCTION, Standing};
use super::timeline;
use super::versions::{self, PAGE_SIZE, Shown};
use crate::error::Result;
use crate::form::Forms;
use crate::grammar::equals;
use crate::page::{self, Section};
use crate::services::read_of;
use crate::site::Web;
use crate::ticket::Ticket;
use crate::{alias_moves, format, live, markdown, signature};

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    page: String,
    /// Columns of the versions, with commas between them.
    #[serde(default)]
    metrics: String,
    /// The time at which aliases are looked at.
    #[serde(default)]
    at: String,
}

pub(crate) async fn show(
    State(web): State<Web>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let model = web.tracking.registered_models.get(&name).await?;
    let search = SearchModelVersions {
        filter: equals("name", &model.name),
        max_results: Some(PAGE_SIZE),
        order_by: vec!["version_number DESC".to_owned()],
        page_token: Some(asked.page).filter(|token| !token.is_empty()),
    };
    let mut found = web.tracking.model_versions.search(search).await?;
    found.items.retain(|version| version.name == model.name);
    let production = production(&web, &model, &found.items).await;
    let now = chrono::Utc::now().timestamp_millis();
    let (records, metrics, registry, services) = join4(
        Records::read(&web, &model.name, production.as_ref().or(found.items.first())),
        versions::metrics(&web, &found.items),
        web.tracking.audit.registry_at(now, Some(model.name.as_str())),
        read_of(&web, &model),
    )
    .await;
    let registry = registry.unwrap_or_else(|error| {
        tracing::debug!(%error, "it is not known since when aliases point where they do");
        RegistryAt::default()
    });
    let requests = actions::open_requests(&web, &model.name).await;
    let candidate = Candidate::next(&web, &model, &services.services, now).await;
    let standing = Standing {
        production: production.as_ref(),
        moved: registry.aliases.iter().find(|alias| alias.alias == PRODUCTION),
        records: &records,
        services: &services,
        waiting: requests.len(),
        now,
    };
    let shown = Shown {
        model: &model,
        versions: &found.items,
        metrics: &metrics,
        asked: &asked.metrics,
        next: found.next_page_token.as_deref(),
    };
    let (file, example) = match &production {
        Some(version) => {
            let file = signature::of_version(&web.tracking, version.id()).await;
            let example = example(&web, version, &file).await;
            (Some(file), example)
        }
        None => (None, None),
    };
    let uri = use_uri(&model);
    let used = Use { uri: &uri, file: file.as_ref(), example, services: &services.services, now };
    let timeline = timeline::section(&web, &model.name, &found.items, &records).await;
    let moves = alias_moves::section(&web, &model.name, &asked.at).await;
    let address = web.links.model(&model.name);
    let forms = Forms { ticket: &ticket, address: &address };
    let releases = Releases {
        web: &web,
        forms,
        model: &model.name,
        services: &services.services,
        candidate: candidate.as_ref(),
        requests: &requests,
        now,
    };
    let state = html! {
        (standing.sentence(&web))
        @if !records.windows.is_empty() {
            p { a href=(web.links.monitoring(&model.name)) { "Data and quality over time" } }
        }
    };
    let history = html! {
        (actions::approvals(&web, forms, &requests))
        h2 { "Versions" }
        @if found.items.is_empty() {
            (page::empty("No versions yet.", &html! { p { "Register a logged model under this name." } }))
        } @else { (shown.table(&web)) }
        (timeline)
        (moves)
    };
    // What Trainyard writes down is told by what is shown of it.
    let mut tags: Vec<&Tag> = model.tags.iter().collect();
    tags.retain(|tag| !tag.key.starts_with("trainyard."));
    let body = html! {
        h1 { (model.name) }
        (live::part("state", &state))
        @if let Some(text) = model.description.as_deref().filter(|text| !text.is_empty()) { (markdown::description(text)) }
        @if !tags.is_empty() { p { @for tag in tags { span.badge.plain { (format::short(&tag.key, 40)) ": " (format::short(&tag.value, 60)) } } } }
        (live::part("release", &releases.section()))
        (live::part("history", &history))
        (used.section())
        (actions::of_model(forms, &model))
    };
    let trail = [(web.links.models(), "Models".to_owned())];
    let page = page::layout(&web.links, &model.name, Some(Section::Models), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// The version that is in production, wherever in the list it is; none if it cannot be read.
pub(crate) async fn production(
    web: &Web,
    model: &RegisteredModel,
    listed: &[ModelVersion],
) -> Option<ModelVersion> {
    let alias = model.aliases.iter().find(|alias| alias.alias == PRODUCTION)?;
    if let Some(version) = listed.iter().find(|version| version.version == alias.version) {
        return Some(version.clone());
    }
    let id = VersionId { name: &model.name, version: &alias.version };
    match web.tracking.model_versions.get(id).await {
        Ok(version) => Some(version),
        Err(error) => {
            tracing::debug!(%error, "the version in production is not shown");
            None
        }
    }
}

/// A row of a version's example; none if there is none that can be shown.
async fn example(web: &Web, version: &ModelVersion, file: &StoreResult<MlModel>) -> Option<Value> {
    let root = web.tracking.model_versions.download_uri(version.id()).await.ok()?;
    signature::example(&web.tracking, &root, file.as_ref().ok()?).await
}

/// The address that a user of the model most likely wants.
fn use_uri(model: &RegisteredModel) -> String {
    let alias =
        model.aliases.iter().find(|alias| alias.alias == PRODUCTION).or(model.aliases.first());
    match alias {
        Some(alias) => ModelUri::Alias { name: model.name.clone(), alias: alias.alias.clone() },
        None => ModelUri::Latest { name: model.name.clone() },
    }
    .to_string()
}
