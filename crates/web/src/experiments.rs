//! The list of experiments.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use futures::future::try_join_all;
use maud::{Markup, html};
use serde::Deserialize;
use trainyard_base::words::is_kept_experiment;
use trainyard_mlflow::entities::{Experiment, LifecycleStage, Tag, ViewType};
use trainyard_mlflow::{Page, Result as StoreResult, SearchExperiments, SearchRuns, Wanted};

use crate::error::{Result, status};
use crate::links::query;
use crate::page::{self, Section};
use crate::site::Web;
use crate::{format, grammar, live};

const PAGE_SIZE: i64 = 100;
/// Experiments whose last runs are looked for at a time.
const AT_ONCE: usize = 8;

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    deleted: String,
    #[serde(default)]
    page: String,
}

pub(crate) async fn list(
    State(web): State<Web>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result {
    let search = SearchExperiments {
        view_type: if asked.deleted.is_empty() { ViewType::ActiveOnly } else { ViewType::All },
        max_results: Some(PAGE_SIZE),
        filter: grammar::names(&asked.q, "name"),
        order_by: vec!["last_update_time DESC".to_owned()],
        page_token: Some(asked.page.clone()).filter(|token| !token.is_empty()),
    };
    let (code, body) = match web.tracking.experiments.search(search).await {
        Ok(found) => (StatusCode::OK, experiments(&web, &asked, &found, &headers).await?),
        Err(error) if !asked.q.is_empty() && status(&error) == StatusCode::BAD_REQUEST => {
            (StatusCode::BAD_REQUEST, html! { p.notice.bad { (error.for_clients()) } })
        }
        Err(error) => return Err(error.into()),
    };
    let body = html! {
        h1 { "Experiments" }
        form.filter method="get" action=(web.links.experiments()) role="search" {
            input type="search" name="q" value=(asked.q) aria-label="Filter experiments"
                placeholder="part of a name, or a filter: tags.team = 'x'";
            label { input type="checkbox" name="deleted" value="1" checked[!asked.deleted.is_empty()]; " deleted, too" }
            button.quiet { "Filter" }
        }
        (live::part("experiments", &body))
    };
    let page = page::layout(&web.links, "Experiments", Some(Section::Experiments), &[], &body);
    Ok(page::respond(code, &page))
}

async fn experiments(
    web: &Web,
    asked: &Asked,
    found: &Page<Experiment>,
    headers: &HeaderMap,
) -> Result<Markup> {
    if found.items.is_empty() {
        let hint = html! { p { "Try a shorter name, or clear the filter." } };
        return Ok(page::empty("No experiment matches.", &hint));
    }
    let welcome = asked.q.is_empty() && only_the_default(web, found).await?;
    let next = found.next_page_token.as_deref().map(|token| {
        let pairs = [("q", asked.q.as_str()), ("deleted", &asked.deleted), ("page", token)];
        format!("{}{}", web.links.experiments(), query(&pairs))
    });
    let mut last = Vec::with_capacity(found.items.len());
    for some in found.items.chunks(AT_ONCE) {
        last.extend(try_join_all(some.iter().map(|one| last_run(web, one))).await?);
    }
    let now = chrono::Utc::now().timestamp_millis();
    let rows: Vec<(&Experiment, Option<i64>)> = found.items.iter().zip(last).collect();
    // Whoever asks for something sees it where it is.
    let folds = asked.q.is_empty();
    let (kept, own): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(one, _)| folds && is_kept_experiment(&one.name));
    Ok(html! {
        @if welcome { (first_steps(headers)) }
        @if !own.is_empty() { (table(web, &own, now)) }
        @if !kept.is_empty() {
            details.more {
                summary { (kept.len()) " kept by Trainyard: releases, services, looks at production data" }
                (table(web, &kept, now))
            }
        }
        @if let Some(next) = next { div.actions { a href=(next) rel="next" { "Next page" } } }
    })
}

fn table(web: &Web, rows: &[(&Experiment, Option<i64>)], now: i64) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th { "Name" } th.wide { "Description" } th.tight { "Last run" } th.tight.wide { "Edited (UTC)" } th.number { "Id" } } }
                tbody {
                    @for (experiment, last) in rows {
                        tr {
                            td.named {
                                a href=(web.links.experiment(&experiment.experiment_id)) { (format::name(&experiment.name, 120)) }
                                @if experiment.lifecycle_stage == LifecycleStage::Deleted { " " span.badge.bad { "deleted" } }
                            }
                            td.soft.wide { (format::short(Tag::find(&experiment.tags, "mlflow.note.content").unwrap_or(""), 120)) }
                            td.tight { @if let Some(at) = last { span title=(format::time_text(*at)) { (format::ago(*at, now)) } } }
                            td.tight.wide { @if let Some(time) = experiment.last_update_time { (format::time(time)) } }
                            td.number.soft { (experiment.experiment_id) }
                        }
                    }
                }
            }
        }
    }
}

/// Whether nothing was logged yet: one experiment, and no run in it.
pub(crate) async fn only_the_default(web: &Web, found: &Page<Experiment>) -> Result<bool> {
    let [experiment] = found.items.as_slice() else { return Ok(false) };
    let runs = SearchRuns {
        experiment_ids: vec![experiment.experiment_id.clone()],
        view_type: ViewType::All,
        max_results: Some(1),
        ..SearchRuns::default()
    };
    Ok(web.tracking.runs.search_for(runs, Wanted::Nothing).await?.items.is_empty())
}

/// When the last run of an experiment started.
pub(crate) async fn last_run(web: &Web, experiment: &Experiment) -> StoreResult<Option<i64>> {
    let last = SearchRuns {
        experiment_ids: vec![experiment.experiment_id.clone()],
        max_results: Some(1),
        order_by: vec!["attributes.start_time DESC".to_owned()],
        ..SearchRuns::default()
    };
    let found = web.tracking.runs.search_for(last, Wanted::Nothing).await?;
    Ok(found.items.first().and_then(|run| run.info.start_time))
}

/// What to do where nothing was logged yet.
pub(crate) fn first_steps(headers: &HeaderMap) -> Markup {
    // Shown as text only.
    let host =
        headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost:5000");
    let hint = html! {
        p { "Log a run from Python:" }
        (page::code(&format!(
            "import mlflow\n\nmlflow.set_tracking_uri(\"http://{host}\")\nmlflow.set_experiment(\"my experiment\")\n\
             with mlflow.start_run():\n    mlflow.log_param(\"depth\", 3)\n    mlflow.log_metric(\"accuracy\", 0.97)"
        )))
        p { "or train a whole project: " code { "trainyard init iris && trainyard run iris" } }
    };
    page::empty("Nothing has been logged here yet.", &hint)
}
