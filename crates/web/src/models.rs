//! The registry: models, their versions, aliases and what the gate said.

use axum::extract::{Path, Query, RawQuery, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use trainyard_mlflow::entities::{ModelVersion, RegisteredModel, Tag};
use trainyard_mlflow::uri::{ModelUri, without_credentials};
use trainyard_mlflow::{Page, SearchModelVersions, SearchRegisteredModels, VersionId};

use crate::alias_moves;
use crate::error::{Result, status};
use crate::links::query;
use crate::page::{self, Section};
use crate::pagination::Asked as AskedRows;
use crate::site::Web;
use crate::{format, signature};

const PAGE_SIZE: i64 = 100;
/// Tags of a version that its line in the table shows.
const TAGS_SHOWN: usize = 6;

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: String,
    /// The time at which aliases are looked at.
    #[serde(default)]
    at: String,
}

pub(crate) async fn list(State(web): State<Web>, Query(asked): Query<Asked>) -> Result {
    let text = asked.q.trim();
    let filter = if text.is_empty() || text.contains(['=', '\'']) {
        text.to_owned()
    } else {
        format!("name ILIKE '%{text}%'")
    };
    let search = SearchRegisteredModels {
        filter,
        max_results: Some(PAGE_SIZE),
        order_by: vec!["name ASC".to_owned()],
        page_token: Some(asked.page.clone()).filter(|token| !token.is_empty()),
    };
    let (code, content) = match web.tracking.registered_models.search(search).await {
        Ok(found) => (StatusCode::OK, models(&web, &asked, &found)),
        Err(error) if !text.is_empty() && status(&error) == StatusCode::BAD_REQUEST => {
            (StatusCode::BAD_REQUEST, html! { p.notice.bad { (error.for_clients()) } })
        }
        Err(error) => return Err(error.into()),
    };
    let body = html! {
        h1 { "Registered models" }
        form.filter method="get" action=(web.links.models()) role="search" {
            input type="search" name="q" value=(asked.q) aria-label="Filter models" placeholder="part of a name, or a filter: tags.team = 'x'";
            button.quiet { "Filter" }
        }
        (content)
        @if web.webhooks.is_some() { div.actions { a href=(web.links.webhooks()) { "Webhooks" } } }
    };
    let page = page::layout(&web.links, "Models", Some(Section::Models), &[], &body);
    Ok(page::respond(code, &page))
}

fn models(web: &Web, asked: &Asked, found: &Page<RegisteredModel>) -> Markup {
    if found.items.is_empty() {
        let hint = html! {
            @if asked.q.is_empty() {
                p { "Register one when it is logged:" }
                (page::code("mlflow.sklearn.log_model(model, name=\"model\", registered_model_name=\"IrisClassifier\")"))
            } @else { p { "Try a shorter name, or clear the filter." } }
        };
        return page::empty("No registered models.", &hint);
    }
    html! {
        div.scroll {
            table {
                thead { tr { th { "Name" } th { "Aliases" } th.number { "Latest version" } th { "Description" } th.tight { "Last changed (UTC)" } } }
                tbody {
                    @for model in &found.items {
                        tr {
                            td { a href=(web.links.model(&model.name)) { (model.name) } }
                            td { @for alias in &model.aliases { span.badge { (alias.alias) " → " (alias.version) } } }
                            td.number { (latest(model)) }
                            td.soft { (format::short(model.description.as_deref().unwrap_or(""), 120)) }
                            td.tight { (format::time(model.last_updated_timestamp)) }
                        }
                    }
                }
            }
        }
        @if let Some(token) = &found.next_page_token {
            div.actions { a href={ (web.links.models()) (query(&[("q", asked.q.as_str()), ("page", token)])) } rel="next" { "Next page" } }
        }
    }
}

fn latest(model: &RegisteredModel) -> String {
    let numbers =
        model.latest_versions.iter().filter_map(|version| version.version.parse::<u64>().ok());
    numbers.max().map(|number| number.to_string()).unwrap_or_default()
}

pub(crate) async fn show(
    State(web): State<Web>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result {
    let model = web.tracking.registered_models.get(&name).await?;
    // A name may hold one kind of quote; the grammar has two, and no escapes.
    let quote = if model.name.contains('\'') { '"' } else { '\'' };
    let search = SearchModelVersions {
        filter: format!("name = {quote}{}{quote}", model.name),
        max_results: Some(PAGE_SIZE),
        order_by: vec!["version_number DESC".to_owned()],
        page_token: Some(asked.page).filter(|token| !token.is_empty()),
    };
    let versions = web.tracking.model_versions.search(search).await?;
    let moves = alias_moves::section(&web, &model.name, &asked.at).await;
    let body = html! {
        h1 { (model.name) }
        @if let Some(text) = model.description.as_deref().filter(|text| !text.is_empty()) { p { (page::value(text)) } }
        @if !model.tags.is_empty() { p { @for tag in &model.tags { span.badge.plain { (format::short(&tag.key, 40)) ": " (format::short(&tag.value, 60)) } } } }
        h2 { "Versions" }
        @if versions.items.is_empty() {
            (page::empty("No versions yet.", &html! { p { "Register a logged model under this name." } }))
        } @else { (table(&web, &model, &versions.items)) }
        @if let Some(token) = &versions.next_page_token {
            div.actions { a href={ (web.links.model(&model.name)) (query(&[("page", token)])) } rel="next" { "Next page" } }
        }
        (moves)
        h2 { "Use it" }
        (page::code(&format!("mlflow.pyfunc.load_model({:?})", use_uri(&model))))
    };
    let trail = [(web.links.models(), "Models".to_owned())];
    let page = page::layout(&web.links, &model.name, Some(Section::Models), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// The address that a user of the model most likely wants.
fn use_uri(model: &RegisteredModel) -> String {
    let alias =
        model.aliases.iter().find(|alias| alias.alias == "Production").or(model.aliases.first());
    match alias {
        Some(alias) => ModelUri::Alias { name: model.name.clone(), alias: alias.alias.clone() },
        None => ModelUri::Latest { name: model.name.clone() },
    }
    .to_string()
}

fn aliases<'a>(model: &'a RegisteredModel, version: &str) -> Vec<&'a str> {
    let own = model.aliases.iter().filter(|alias| alias.version == version);
    own.map(|alias| alias.alias.as_str()).collect()
}

fn table(web: &Web, model: &RegisteredModel, versions: &[ModelVersion]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th.number { "Version" } th { "Aliases" } th { "Registered (UTC)" } th { "Run" } th { "Tags" } th { "Description" } } }
                tbody {
                    @for version in versions {
                        tr {
                            td.number { a href=(web.links.version(&version.name, &version.version)) { (version.version) } }
                            td {
                                @for alias in aliases(model, &version.version) { span.badge.good { (alias) } }
                                @if has_stage(version) { span.badge.plain { "stage " (version.current_stage) } }
                            }
                            td.tight { (format::time(version.creation_timestamp)) }
                            td { (run_link(web, version)) }
                            td {
                                @for tag in version.tags.iter().take(TAGS_SHOWN) { span.badge.plain title=(tag.value) { (format::short(&tag.key, 30)) ": " (format::short(&tag.value, 24)) } " " }
                                @if version.tags.len() > TAGS_SHOWN { span.soft { "and " (version.tags.len() - TAGS_SHOWN) " more" } }
                            }
                            td.soft { (format::short(version.description.as_deref().unwrap_or(""), 100)) }
                        }
                    }
                }
            }
        }
    }
}

fn has_stage(version: &ModelVersion) -> bool {
    !version.current_stage.is_empty() && version.current_stage != "None"
}

fn run_link(web: &Web, version: &ModelVersion) -> Markup {
    html! {
        @if let Some(run_id) = version.run_id.as_deref().filter(|id| !id.is_empty()) {
            a href=(web.links.run(run_id)) { code { (run_id.get(..8).unwrap_or(run_id)) } }
        }
    }
}

pub(crate) async fn show_version(
    State(web): State<Web>,
    Path((name, version)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result {
    let address = web.links.version(&name, &version);
    let found =
        web.tracking.model_versions.get(VersionId { name: &name, version: &version }).await?;
    let model = web.tracking.registered_models.get(&name).await?;
    let root = web
        .tracking
        .model_versions
        .download_uri(VersionId { name: &name, version: &version })
        .await?;
    let file = signature::read(&web.tracking, &root).await;
    let mut tags: Vec<Tag> = found.tags.clone();
    tags.sort_by(|left, right| left.key.cmp(&right.key));
    let body = html! {
        h1 {
            (name) " " small { "version " (found.version) } " "
            @for alias in aliases(&model, &found.version) { span.badge.good { (alias) } }
            @if has_stage(&found) { span.badge.plain { "stage " (found.current_stage) } }
        }
        @if let Some(text) = found.description.as_deref().filter(|text| !text.is_empty()) { p { (page::value(text)) } }
        div.columns {
            section {
                h2 { "About" }
                (about(&web, &found, &root))
                h2 { "Tags " small { (tags.len()) } }
                @if tags.is_empty() { p.soft { "None. The pipeline tags a version with its run, data digest, commit and gate results." } }
                @else { (page::long_key_values(AskedRows::new(&address, query.as_deref()), "tags", &tags)) }
            }
            section { h2 { "Signature" } (signature::show(&file)) }
        }
        h2 { "Use it" }
        (page::code(&format!("mlflow.pyfunc.load_model({:?})", ModelUri::Version { name: name.clone(), version: found.version.clone() }.to_string())))
    };
    let trail = [(web.links.models(), "Models".to_owned()), (web.links.model(&name), name.clone())];
    let title = format!("{name} version {}", found.version);
    let page = page::layout(&web.links, &title, Some(Section::Models), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

fn about(web: &Web, version: &ModelVersion, root: &str) -> Markup {
    let model_id = match version.source.parse() {
        Ok(ModelUri::LoggedModel { model_id }) => Some(model_id),
        _ => version.model_id.clone().filter(|id| !id.is_empty()),
    };
    html! {
        div.scroll {
            table.pairs {
                tbody {
                    tr { th scope="row" { "Registered (UTC)" } td { (format::time(version.creation_timestamp)) } }
                    @if let Some(run_id) = version.run_id.as_deref().filter(|id| !id.is_empty()) {
                        tr { th scope="row" { "Run" } td { a href=(web.links.run(run_id)) { (run_id) } } }
                    }
                    @if let Some(model_id) = model_id {
                        tr { th scope="row" { "Logged model" } td { a href=(web.links.logged_model(&model_id)) { (model_id) } } }
                    }
                    tr { th scope="row" { "Source" } td { (without_credentials(&version.source)) } }
                    tr { th scope="row" { "Files" } td { (without_credentials(root)) } }
                    @if let Some(message) = version.status_message.as_deref().filter(|text| !text.is_empty()) {
                        tr { th scope="row" { "State" } td { (message) } }
                    }
                }
            }
        }
    }
}
