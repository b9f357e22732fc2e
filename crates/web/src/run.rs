//! One run: what it was, measured, read and made.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use futures::future::join;
use maud::{Markup, html};
use trainyard_mlflow::SearchModelVersions;
use trainyard_mlflow::entities::{LifecycleStage, ModelVersion, Run, Tag};

use crate::artifact_tree::Tree;
use crate::error::Result;
use crate::form::Forms;
use crate::image_steps::{self, Steps};
use crate::links::Links;
use crate::page::{self, Section};
use crate::pagination::Asked;
use crate::query::Query;
use crate::site::Web;
use crate::ticket::Ticket;
use crate::{format, lineage, live, markdown, plots, preview, run_forms, run_metrics, sandbox};

/// Versions of one run that are listed.
const VERSIONS_MAX: i64 = 50;
/// Params and metrics from which on there is a field to find some.
const SEARCHED_MIN: usize = 12;

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
    let versions = versions(&web, &run).await?;
    let owner = web.links.run(&run.info.run_id);
    let asked = Asked::new(&owner, query.as_deref());
    let query = Query::read(query.as_deref().unwrap_or_default());
    let params = sorted(&run.data.params, query.one("find"));
    let metrics = run_metrics::found(&run.data.metrics, query.one("find"));
    let rows = asked.rows("metrics", &metrics);
    let (histories, files) =
        join(run_metrics::histories(&web, &run, rows.items), files(&web, &run, &owner, &query))
            .await;
    let name = page::run_name(&run.info.run_name, &run.info.run_id);
    let head = html! {
        h1 {
            (name) " " (page::status(run.info.status))
            @if run.info.lifecycle_stage == LifecycleStage::Deleted { " " span.badge.bad { "deleted" } }
        }
        @if let Some(note) = Tag::find(&run.data.tags, "mlflow.note.content") { (markdown::description(note)) }
        (lineage::record(&web, &run, &experiment))
    };
    let told = html! {
        h2 { "About" }
        (about(&web, &run))
        (lineage::models(&web, &run, &versions))
        h2 { "Params " small { (run.data.params.len()) } }
        @if params.is_empty() { (none(run.data.params.is_empty())) }
        @else { (page::long_key_values(asked, "params", &params)) }
    };
    let measured = html! {
        h2 { "Metrics " small { (run.data.metrics.len()) } }
        @if metrics.is_empty() { (none(run.data.metrics.is_empty())) }
        @else { (run_metrics::show(&web, &run, &rows, &histories, query.has("find"))) }
        h2 { "Datasets " small { (run.inputs.dataset_inputs.len()) } }
        (lineage::datasets(&web, &run.info.experiment_id, &run.inputs, asked))
        h2 { "Tags" }
        (tags(&run.data.tags, asked))
    };
    let artifacts = html! {
        (files.previews)
        h2 #artifacts { "Artifacts" }
        (files.tree.show(&owner))
    };
    let body = html! {
        (live::part("head", &head))
        (live::part("pictures", &files.pictures))
        (find(&run, &owner, &query))
        div.columns {
            section { (live::part("about", &told)) }
            section { (live::part("metrics", &measured)) }
        }
        (live::part("artifacts", &artifacts))
        (run_forms::show(Forms { ticket: &ticket, address: &owner }, &run, &files.tree.models()))
    };
    let trail = [
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(&experiment.experiment_id), experiment.name.clone()),
    ];
    let page = page::layout(&web.links, name, Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// What a page shows of a run's files.
struct Files {
    tree: Tree,
    /// The report, and the plots.
    pictures: Markup,
    previews: Markup,
}

async fn files(web: &Web, run: &Run, owner: &str, query: &Query) -> Files {
    let root = &run.info.artifact_uri;
    let tree = Tree::read(&web.tracking, root).await;
    let (previews, steps) =
        join(preview::section(web, root, owner, &tree), steps(web, root, &tree)).await;
    let in_steps =
        |path: &str| !steps.is_empty() && path.split('/').next() == Some(image_steps::FOLDER);
    let files = tree.own_files().into_iter().filter(|file| !in_steps(&file.path));
    let plots = plots::gallery(owner, files);
    let report = tree.report(&run.data.tags);
    let pictures = html! {
        @if let Some(report) = &report { (report_frame(owner, report)) }
        @if !plots.0.is_empty() { h2 #plots { "Plots" } (plots) }
        (plots::stepped(owner, &steps, query))
    };
    Files { tree, pictures, previews }
}

/// The pictures that were logged step by step: all of them, as a tree shows the first files of a folder only.
async fn steps(web: &Web, root_uri: &str, tree: &Tree) -> Steps {
    if !tree.has_folder(image_steps::FOLDER) {
        return Steps::default();
    }
    match web.tracking.artifacts.list(root_uri, image_steps::FOLDER).await {
        Ok(entries) => Steps::of(&entries),
        Err(error) => {
            tracing::warn!(%error, "pictures of steps could not be listed");
            Steps::default()
        }
    }
}

/// A field that narrows params and metrics, where there are many.
fn find(run: &Run, owner: &str, query: &Query) -> Markup {
    let is_asked = query.has("find");
    let many = run.data.metrics.len() + run.data.params.len() > SEARCHED_MIN;
    html! {
        @if many || is_asked {
            form.filter method="get" action=(owner) {
                (query.without(&["find", "params", "metrics"]).hidden())
                input type="search" name="find" value=(query.one("find")) aria-label="Find params and metrics" placeholder="Find params and metrics";
                button.quiet { "Find" }
                @if is_asked { a href=(query.without(&["find"]).at(owner)) { "Show all" } }
            }
        }
    }
}

/// Why a table is empty.
fn none(is_empty: bool) -> Markup {
    html! { p.soft { @if is_empty { "None were logged." } @else { "None has this in its name." } } }
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

/// Those whose keys have this text in any case, by key.
fn sorted(pairs: &[Tag], text: &str) -> Vec<Tag> {
    let text = text.to_lowercase();
    let is_found = |pair: &&Tag| pair.key.to_lowercase().contains(&text);
    let mut pairs: Vec<Tag> = pairs.iter().filter(is_found).cloned().collect();
    pairs.sort_by(|left, right| left.key.cmp(&right.key));
    pairs
}

fn about(web: &Web, run: &Run) -> Markup {
    let parent = Tag::find(&run.data.tags, "mlflow.parentRunId").filter(|id| !id.is_empty());
    html! {
        (page::key_values(&facts(run)))
        @if let Some(parent) = parent { p { "Part of run " a href=(web.links.run(parent)) { (parent) } } }
    }
}

fn facts(run: &Run) -> Vec<Tag> {
    let info = &run.info;
    let tag = |key: &str| Tag::find(&run.data.tags, key).unwrap_or_default().to_owned();
    let time = |millis: Option<i64>| {
        let time = millis.and_then(chrono::DateTime::from_timestamp_millis);
        time.map(|time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
    };
    let so_far = || format::so_far(info, chrono::Utc::now().timestamp_millis());
    let facts = [
        ("Run id", info.run_id.clone()),
        ("Started", time(info.start_time)),
        ("Took", format::took(info).or_else(so_far).unwrap_or_default()),
        ("User", info.user_id.clone()),
        ("Source", tag("mlflow.source.name")),
        ("Git commit", tag("mlflow.source.git.commit")),
    ];
    facts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| Tag::new(*key, value))
        .collect()
}

/// People's own tags; MLflow's are folded away.
fn tags(tags: &[Tag], asked: Asked<'_>) -> Markup {
    let (system, own): (Vec<Tag>, Vec<Tag>) =
        sorted(tags, "").into_iter().partition(|tag| tag.key.starts_with("mlflow."));
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
