//! One experiment: its runs in a table that sorts, filters and compares.

use axum::extract::{Path, Query, RawQuery, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use trainyard_mlflow::entities::{Experiment, LifecycleStage, Run, Tag, ViewType};
use trainyard_mlflow::{Page, SearchRuns};

use crate::error::{Result, status};
use crate::format;
use crate::links::query;
use crate::page::{self, Section};
use crate::pagination::Asked as AskedRows;
use crate::site::Web;

/// Runs a page.
const PAGE_SIZE: i64 = 100;
/// Most metric and param columns; the others are on the run's page.
const METRICS_SHOWN: usize = 8;
const PARAMS_SHOWN: usize = 8;

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// Filter in MLflow's search grammar.
    #[serde(default)]
    q: String,
    /// `order_by` clause.
    #[serde(default)]
    order: String,
    /// `deleted` or `all`; active runs otherwise.
    #[serde(default)]
    view: String,
    /// Page token.
    #[serde(default)]
    page: String,
}

pub(crate) async fn show(
    State(web): State<Web>,
    Path(experiment_id): Path<String>,
    Query(asked): Query<Asked>,
    RawQuery(raw): RawQuery,
) -> Result {
    let experiment = web.tracking.experiments.get(&experiment_id).await?;
    let search = SearchRuns {
        experiment_ids: vec![experiment.experiment_id.clone()],
        filter: asked.q.trim().to_owned(),
        view_type: match asked.view.as_str() {
            "deleted" => ViewType::DeletedOnly,
            "all" => ViewType::All,
            _ => ViewType::ActiveOnly,
        },
        max_results: Some(PAGE_SIZE),
        order_by: Some(asked.order.clone()).filter(|order| !order.is_empty()).into_iter().collect(),
        page_token: Some(asked.page.clone()).filter(|token| !token.is_empty()),
    };
    let (code, runs) = match web.tracking.runs.search(search).await {
        Ok(found) => (StatusCode::OK, runs(&web, &experiment, &asked, &found)),
        Err(error) if status(&error) == StatusCode::BAD_REQUEST => {
            (StatusCode::BAD_REQUEST, refused(error.for_clients()))
        }
        Err(error) => return Err(error.into()),
    };
    let body = html! {
        h1 {
            (experiment.name)
            @if experiment.lifecycle_stage == LifecycleStage::Deleted { " " span.badge.bad { "deleted" } }
        }
        @if let Some(note) = Tag::find(&experiment.tags, "mlflow.note.content") { p { (page::value(note)) } }
        (filter_form(&web, &experiment, &asked))
        (runs)
        (about(&web, &experiment, raw.as_deref()))
    };
    let trail = [(web.links.experiments(), "Experiments".to_owned())];
    let page =
        page::layout(&web.links, &experiment.name, Some(Section::Experiments), &trail, &body);
    Ok(page::respond(code, &page))
}

fn refused(message: &str) -> Markup {
    html! {
        p.notice.bad { (message) }
        p.soft {
            "Conditions are joined by AND: " code { "metrics.accuracy > 0.9 AND params.depth = '3'" } ", "
            code { "tags.team LIKE 'a%'" } ", " code { "attributes.status = 'FINISHED'" } "."
        }
    }
}

fn filter_form(web: &Web, experiment: &Experiment, asked: &Asked) -> Markup {
    html! {
        form.filter method="get" action=(web.links.experiment(&experiment.experiment_id)) role="search" {
            input type="search" name="q" value=(asked.q) aria-label="Filter runs"
                placeholder="metrics.accuracy > 0.9 AND params.depth = '3'";
            select name="view" aria-label="Which runs" {
                @for (value, name) in [("", "active"), ("all", "all"), ("deleted", "deleted")] {
                    option value=(value) selected[asked.view == value] { (name) }
                }
            }
            @if !asked.order.is_empty() { input type="hidden" name="order" value=(asked.order); }
            button.quiet { "Filter" }
            @if !asked.q.is_empty() || !asked.order.is_empty() || !asked.view.is_empty() {
                a href=(web.links.experiment(&experiment.experiment_id)) { "Clear" }
            }
        }
    }
}

/// Keys that most runs have come first, then by name.
fn common_keys<'a>(keys: impl Iterator<Item = &'a str>, max: usize) -> (Vec<&'a str>, usize) {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    let total = counts.len();
    let mut keys: Vec<(&str, usize)> = counts.into_iter().collect();
    keys.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
    keys.truncate(max);
    let mut keys: Vec<&str> = keys.into_iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    (keys, total)
}

fn runs(web: &Web, experiment: &Experiment, asked: &Asked, found: &Page<Run>) -> Markup {
    if found.items.is_empty() {
        let hint = html! {
            @if asked.q.is_empty() && asked.view.is_empty() {
                p { "Log one:" }
                (page::code(&format!(
                    "mlflow.set_experiment({:?})\nwith mlflow.start_run():\n    mlflow.log_metric(\"accuracy\", 0.97)",
                    experiment.name
                )))
            } @else {
                p { "Loosen the filter, or show all runs." }
            }
        };
        return page::empty("No runs here.", &hint);
    }
    let metric_keys = found
        .items
        .iter()
        .flat_map(|run| run.data.metrics.iter().map(|metric| metric.key.as_str()));
    let param_keys =
        found.items.iter().flat_map(|run| run.data.params.iter().map(|param| param.key.as_str()));
    let (metrics, metrics_total) = common_keys(metric_keys, METRICS_SHOWN);
    let (params, params_total) = common_keys(param_keys, PARAMS_SHOWN);
    let link = |order: &str, page: &str| {
        let pairs =
            [("q", asked.q.as_str()), ("view", &asked.view), ("order", order), ("page", page)];
        format!("{}{}", web.links.experiment(&experiment.experiment_id), query(&pairs))
    };
    html! {
        form method="get" action=(web.links.compare()) data-compare="" {
            @if found.items.len() > 1 { div.actions { button { "Compare chosen runs" } } }
            div.scroll {
                table {
                    thead {
                        @if !metrics.is_empty() || !params.is_empty() {
                            tr.groups {
                                th colspan="5" {}
                                (group("Metrics", metrics.len(), metrics_total))
                                (group("Params", params.len(), params_total))
                            }
                        }
                        tr {
                            td {}
                            (sortable(asked, &link, "Run", "attributes.run_name", "ASC", ""))
                            th { "Status" }
                            (sortable(asked, &link, "Started (UTC)", "attributes.start_time", "DESC", "wide"))
                            th.number.wide { "Took" }
                            @for key in &metrics { (sortable(asked, &link, key, &format!("metrics.`{key}`"), "DESC", "number")) }
                            @for key in &params { (sortable(asked, &link, key, &format!("params.`{key}`"), "ASC", "")) }
                        }
                    }
                    tbody { @for run in &found.items { (row(web, run, &metrics, &params)) } }
                }
            }
            div.actions {
                @if let Some(token) = &found.next_page_token { a href=(link(&asked.order, token)) rel="next" { "Next page" } }
                @if !asked.page.is_empty() { a href=(link(&asked.order, "")) { "First page" } }
            }
        }
    }
}

/// The heading above a group of columns; it says when not all are shown.
fn group(name: &str, shown: usize, total: usize) -> Markup {
    html! {
        @if shown > 0 {
            th colspan=(shown) { (name) @if shown < total { " (" (shown) " of " (total) ")" } }
        }
    }
}

/// A heading that sorts by its column, the other way round if it does already.
fn sortable(
    asked: &Asked,
    link: &impl Fn(&str, &str) -> String,
    name: &str,
    field: &str,
    first: &str,
    class: &str,
) -> Markup {
    let current = asked.order.strip_prefix(field).map(str::trim);
    let other = if first == "ASC" { "DESC" } else { "ASC" };
    let next = if current == Some(first) { other } else { first };
    let sort = current.map(|order| if order == "ASC" { "ascending" } else { "descending" });
    html! {
        th class=[Some(class).filter(|class| !class.is_empty())] aria-sort=[sort] title=(name) {
            a href=(link(&format!("{field} {next}"), "")) rel="nofollow" {
                (format::short(name, 26))
                @if let Some(sort) = sort { @if sort == "ascending" { " ↑" } @else { " ↓" } }
            }
        }
    }
}

fn row(web: &Web, run: &Run, metrics: &[&str], params: &[&str]) -> Markup {
    let info = &run.info;
    let name = page::run_name(&info.run_name, &info.run_id);
    let took = info.start_time.zip(info.end_time).map(|(start, end)| format::duration(end - start));
    html! {
        tr {
            td.choose { label { input type="checkbox" name="run" value=(info.run_id) aria-label={ "choose " (name) }; } }
            td.tight {
                a href=(web.links.run(&info.run_id)) { (format::short(name, 48)) }
                @if info.lifecycle_stage == LifecycleStage::Deleted { " " span.badge.bad { "deleted" } }
            }
            td { (page::status(info.status)) }
            td.tight.wide { @if let Some(start) = info.start_time { (format::time(start)) } }
            td.number.wide { (took.unwrap_or_default()) }
            @for key in metrics {
                td.number { @if let Some(value) = run.data.metric(key) { (format::number(value)) } }
            }
            @for key in params {
                td.tight { (format::param(Tag::find(&run.data.params, key).unwrap_or(""))) }
            }
        }
    }
}

fn about(web: &Web, experiment: &Experiment, query: Option<&str>) -> Markup {
    let address = web.links.experiment(&experiment.experiment_id);
    let asked = AskedRows::new(&address, query);
    let mut facts = vec![
        Tag::new("Experiment id", &experiment.experiment_id),
        Tag::new(
            "Artifacts",
            trainyard_mlflow::uri::without_credentials(&experiment.artifact_location),
        ),
    ];
    facts.extend(experiment.tags.iter().filter(|tag| tag.key != "mlflow.note.content").cloned());
    html! { details.more { summary { "About this experiment" } (page::long_key_values(asked, "tags", &facts)) } }
}
