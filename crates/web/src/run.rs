//! One run: what it was, measured, read and made.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use futures::future::join_all;
use maud::{Markup, html};
use trainyard_mlflow::entities::{DatasetInput, LifecycleStage, Metric, ModelVersion, Run, Tag};
use trainyard_mlflow::{MetricHistoryPage, SearchModelVersions};

use crate::artifact_tree::Tree;
use crate::error::Result;
use crate::form::Forms;
use crate::links::Links;
use crate::page::{self, Section};
use crate::pagination::Asked;
use crate::sandbox;
use crate::site::Web;
use crate::ticket::Ticket;
use crate::{format, history, run_forms};

/// Histories that are drawn; the others are a click away.
const SPARKLINES_MAX: usize = 40;
/// Points of a history that are asked for, for a drawing as small as a word.
const SPARKLINE_POINTS: i64 = 1000;
/// Versions of one run that are listed.
const VERSIONS_MAX: i64 = 50;

/// MLflow's own address of a run, kept for links that were passed on.
pub(crate) async fn show_in_experiment(
    State(web): State<Web>,
    Path((_experiment_id, run_id)): Path<(String, String)>,
) -> Response {
    Redirect::permanent(&web.links.run(&run_id)).into_response()
}

pub(crate) async fn show(
    State(web): State<Web>,
    Path(run_id): Path<String>,
    RawQuery(query): RawQuery,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let run = web.tracking.runs.get(&run_id).await?;
    let experiment = web.tracking.experiments.get(&run.info.experiment_id).await?;
    let histories = histories(&web, &run).await;
    let versions = versions(&web, &run).await?;
    let tree = Tree::read(&web.tracking, &run.info.artifact_uri).await;
    let owner = web.links.run(&run.info.run_id);
    let asked = Asked::new(&owner, query.as_deref());
    let params = sorted(&run.data.params);
    let name = page::run_name(&run.info.run_name, &run.info.run_id);
    let body = html! {
        h1 {
            (name) " " (page::status(run.info.status))
            @if run.info.lifecycle_stage == LifecycleStage::Deleted { " " span.badge.bad { "deleted" } }
        }
        @if let Some(note) = Tag::find(&run.data.tags, "mlflow.note.content") { p { (page::value(note)) } }
        @if let Some(report) = tree.report(&run.data.tags) { (report_frame(&owner, &report)) }
        div.columns {
            section {
                h2 { "About" }
                (page::key_values(&facts(&run)))
                (made(&web, &run, &versions))
                h2 { "Params " small { (run.data.params.len()) } }
                @if params.is_empty() { p.soft { "None were logged." } }
                @else { (page::long_key_values(asked, "params", &params)) }
            }
            section {
                h2 { "Metrics " small { (run.data.metrics.len()) } }
                (metrics(&web, &run, &histories, asked))
                h2 { "Datasets " small { (run.inputs.dataset_inputs.len()) } }
                (datasets(&run.inputs.dataset_inputs, asked))
                h2 { "Tags" }
                (tags(&run.data.tags, asked))
            }
        }
        h2 { "Artifacts" }
        (tree.show(&owner))
        (run_forms::show(Forms { ticket: &ticket, address: &owner }, &run))
    };
    let trail = [
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(&experiment.experiment_id), experiment.name.clone()),
    ];
    let page = page::layout(&web.links, name, Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// The first histories, by name; one that cannot be read is not drawn.
async fn histories(web: &Web, run: &Run) -> Vec<(String, Vec<Metric>)> {
    let mut keys: Vec<&str> = run.data.metrics.iter().map(|metric| metric.key.as_str()).collect();
    keys.sort_unstable();
    let asked = keys.into_iter().take(SPARKLINES_MAX).map(|key| async move {
        let page = MetricHistoryPage { max_results: Some(SPARKLINE_POINTS), page_token: None };
        match web.tracking.runs.metric_history(&run.info.run_id, key, page).await {
            Ok(history) => (key.to_owned(), history.items),
            Err(error) => {
                tracing::warn!(%error, key, "the history of a metric cannot be drawn");
                (key.to_owned(), Vec::new())
            }
        }
    });
    join_all(asked).await
}

async fn versions(web: &Web, run: &Run) -> Result<Vec<ModelVersion>> {
    let search = SearchModelVersions {
        // A run id that is stored has no quotes.
        filter: format!("run_id = '{}'", run.info.run_id),
        max_results: Some(VERSIONS_MAX),
        ..SearchModelVersions::default()
    };
    Ok(web.tracking.model_versions.search(search).await?.items)
}

fn sorted(pairs: &[Tag]) -> Vec<Tag> {
    let mut pairs = pairs.to_vec();
    pairs.sort_by(|left, right| left.key.cmp(&right.key));
    pairs
}

fn facts(run: &Run) -> Vec<Tag> {
    let info = &run.info;
    let tag = |key: &str| Tag::find(&run.data.tags, key).unwrap_or_default().to_owned();
    let time = |millis: Option<i64>| {
        let time = millis.and_then(chrono::DateTime::from_timestamp_millis);
        time.map(|time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
    };
    let facts = [
        ("Run id", info.run_id.clone()),
        ("Started", time(info.start_time)),
        ("Took", format::took(info).unwrap_or_default()),
        ("User", info.user_id.clone()),
        ("Source", tag("mlflow.source.name")),
        ("Git commit", tag("mlflow.source.git.commit")),
        ("Part of run", tag("mlflow.parentRunId")),
    ];
    facts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| Tag::new(*key, value))
        .collect()
}

fn made(web: &Web, run: &Run, versions: &[ModelVersion]) -> Markup {
    let models = &run.outputs.model_outputs;
    html! {
        @if !models.is_empty() || !versions.is_empty() {
            h2 { "Models" }
            div.scroll {
                table {
                    thead { tr { th { "Model" } th { "Aliases" } } }
                    tbody {
                        @for version in versions {
                            tr {
                                td { a href=(web.links.version(&version.name, &version.version)) { (version.name) " version " (version.version) } }
                                td { @for alias in &version.aliases { span.badge { (alias) } } }
                            }
                        }
                        @for model in models {
                            tr {
                                td { a href=(web.links.logged_model(&model.model_id)) { "logged model " (format::short(&model.model_id, 12)) } }
                                td.soft { @if model.step != 0 { "step " (model.step) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn metrics(web: &Web, run: &Run, histories: &[(String, Vec<Metric>)], asked: Asked<'_>) -> Markup {
    let mut metrics: Vec<&Metric> = run.data.metrics.iter().collect();
    metrics.sort_by(|left, right| left.key.cmp(&right.key));
    let rows = asked.rows("metrics", &metrics);
    let history =
        |key: &str| histories.iter().find(|(name, _)| name == key).map(|(_, history)| history);
    html! {
        @if metrics.is_empty() { p.soft { "None were logged." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Metric" } th.number { "Latest" } th { "History" } } }
                    tbody {
                        @for metric in rows.items {
                            @let history = history(&metric.key);
                            tr {
                                td { a href=(web.links.metric(&run.info.run_id, &metric.key)) { (metric.key) } }
                                td.number title=(metric.value.to_string()) { (format::number(metric.value)) }
                                td { @if let Some(history) = history { (history::small(history)) } }
                            }
                        }
                    }
                }
            }
            (rows.others())
        }
    }
}

fn datasets(inputs: &[DatasetInput], asked: Asked<'_>) -> Markup {
    let rows = asked.rows("datasets", inputs);
    html! {
        @if inputs.is_empty() { p.soft { "None were logged." } } @else {
            div.scroll {
                table {
                    thead { tr { th { "Name" } th { "Used for" } th { "Digest" } th { "Source" } } }
                    tbody {
                        @for input in rows.items {
                            tr {
                                td { (input.dataset.name) }
                                td { (Tag::find(&input.tags, "mlflow.data.context").unwrap_or("")) }
                                td { code { (input.dataset.digest) } }
                                td { (page::value(&source(&input.dataset.source))) }
                            }
                        }
                    }
                }
            }
            (rows.others())
        }
    }
}

/// The address within a source's JSON (`{"uri": …}`, or the script that made the data), or the
/// source as it is.
fn source(text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let places = ["/uri", "/url", "/path", "/tags/mlflow.source.name"];
    let address = places.iter().find_map(|place| value.pointer(place)?.as_str());
    address.map_or_else(|| text.to_owned(), str::to_owned)
}

/// People's own tags; MLflow's are folded away.
fn tags(tags: &[Tag], asked: Asked<'_>) -> Markup {
    let (system, own): (Vec<Tag>, Vec<Tag>) =
        sorted(tags).into_iter().partition(|tag| tag.key.starts_with("mlflow."));
    html! {
        @if own.is_empty() { p.soft { "None of your own." } } @else { (page::long_key_values(asked, "tags", &own)) }
        @if !system.is_empty() {
            details.more { summary { (system.len()) " tags of MLflow's own" } (page::long_key_values(asked, "system", &system)) }
        }
    }
}

/// A drift or training report, in a sandbox.
fn report_frame(owner: &str, path: &str) -> Markup {
    html! {
        h2 { "Report " small { a href=(Links::file(owner, path)) { (path) } } }
        (sandbox::frame(owner, path))
    }
}
