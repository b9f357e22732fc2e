//! The list of registered models.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use maud::{Markup, html};
use serde::Deserialize;
use trainyard_mlflow::entities::RegisteredModel;
use trainyard_mlflow::{Page, SearchRegisteredModels};

use crate::error::{self, Result, status};
use crate::links::query;
use crate::page::{self, Section};
use crate::site::Web;
use crate::{format, grammar, live};

const PAGE_SIZE: i64 = 100;

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    page: String,
}

pub(crate) async fn list(State(web): State<Web>, Query(asked): Query<Asked>) -> Result {
    let search = SearchRegisteredModels {
        filter: grammar::names(&asked.q, "name"),
        max_results: Some(PAGE_SIZE),
        order_by: vec!["name ASC".to_owned()],
        page_token: Some(asked.page.clone()).filter(|token| !token.is_empty()),
    };
    let (code, content) = match web.tracking.registered_models.search(search).await {
        Ok(found) => (StatusCode::OK, models(&web, &asked, &found)),
        Err(error) if !asked.q.is_empty() && status(&error) == StatusCode::BAD_REQUEST => {
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
        (live::part("models", &content))
        @if web.beside.webhooks.is_some() && web.beside.team.is_none() { div.actions { a href=(web.links.webhooks()) { "Webhooks" } } }
    };
    let page = page::layout(&web.links, "Models", Some(Section::Models), &[], &body);
    Ok(page::respond(code, &page))
}

/// A version's address as some write it, without what says that it is one: leads to the page.
pub(crate) async fn to_version(
    State(web): State<Web>,
    Path((name, version)): Path<(String, String)>,
) -> Result {
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error::no_page().await);
    }
    Ok(Redirect::to(&web.links.version(&name, &version)).into_response())
}

fn models(web: &Web, asked: &Asked, found: &Page<RegisteredModel>) -> Markup {
    if found.items.is_empty() {
        let hint = html! {
            @if asked.q.is_empty() {
                p { "Register one when it is logged:" }
                (page::code("mlflow.sklearn.log_model(model, name=\"model\", registered_model_name=\"IrisClassifier\")"))
            } @else { p { "Try a shorter name, or clear the filter." } }
        };
        let text = if asked.q.is_empty() { "No registered models." } else { "No model matches." };
        return page::empty(text, &hint);
    }
    html! {
        div.scroll {
            table {
                thead { tr { th { "Name" } th { "Aliases" } th.number { "Latest version" } th { "Description" } th.tight { "Last changed (UTC)" } } }
                tbody {
                    @for model in &found.items {
                        tr {
                            td.named { a href=(web.links.model(&model.name)) { (format::name(&model.name, 120)) } }
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
