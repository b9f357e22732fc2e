//! One experiment: its runs in a table that sorts, filters, groups and compares.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use maud::{Markup, html};
use trainyard_mlflow::entities::{Experiment, LifecycleStage, Tag};

use crate::column_choice;
use crate::columns::{self, Column};
use crate::error::Result;
use crate::format;
use crate::live;
use crate::markdown;
use crate::page::{self, Section};
use crate::pagination::Asked as AskedRows;
use crate::pinned;
use crate::query::Query;
use crate::run_list;
use crate::run_table::Table;
use crate::site::Web;

pub(crate) async fn show(
    State(web): State<Web>,
    Path(experiment_id): Path<String>,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
) -> Result {
    let experiment = web.tracking.experiments.get(&experiment_id).await?;
    let query = Query::read(raw.as_deref().unwrap_or_default());
    if let Some(answer) = column_choice::remember(&web, &experiment, &query) {
        return Ok(answer);
    }
    if let Some(answer) = pinned::remember(&web, &experiment, &query, &headers) {
        return Ok(answer);
    }
    let asked = columns_of(&query, &headers);
    let listed = run_list::read(&web, &experiment, &query, &asked).await?;
    let (columns, available) = (&listed.columns, &listed.available);
    let code = if listed.refused.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let table = Table {
        web: &web,
        experiment: &experiment,
        query: &query,
        listed: &listed,
        columns,
        available,
        now: chrono::Utc::now().timestamp_millis(),
    };
    let runs = html! {
        @if !listed.runs.is_empty() {
            (column_choice::form(&web, &experiment, &query, columns, available))
        }
        @if listed.runs.is_empty() { (nothing(&web, &experiment, &query)) } @else { (table.show()) }
    };
    let body = html! {
        h1 {
            (format::name(&experiment.name, usize::MAX))
            @if experiment.lifecycle_stage == LifecycleStage::Deleted { " " span.badge.bad { "deleted" } }
        }
        @if let Some(note) = Tag::find(&experiment.tags, "mlflow.note.content") { (markdown::description(note)) }
        (filter_form(&web, &experiment, &query, columns))
        @if let Some(message) = &listed.refused { (refused(message)) }
        (live::part("runs", &runs))
        (pinned::form(&web, &experiment, &query, &headers))
        (about(&web, &experiment, raw.as_deref()))
    };
    let trail = [(web.links.experiments(), "Experiments".to_owned())];
    let page =
        page::layout(&web.links, &experiment.name, Some(Section::Experiments), &trail, &body);
    Ok(page::respond(code, &page))
}

/// What the address asks for, or what the browser remembers; nothing where nobody chose.
fn columns_of(query: &Query, headers: &HeaderMap) -> Vec<Column> {
    let asked = columns::chosen(query);
    if asked.is_empty() { columns::remembered(headers) } else { asked }
}

fn refused(message: &str) -> Markup {
    html! {
        pre.notice.bad { (message) }
        p.soft {
            "All runs are shown. Words are parts of a run's name; conditions are joined by AND: "
            code { "metrics.accuracy > 0.9 AND params.depth = '3'" } ", "
            code { "tags.team LIKE 'a%'" } ", " code { "attributes.status = 'FINISHED'" } "."
        }
    }
}

fn nothing(web: &Web, experiment: &Experiment, query: &Query) -> Markup {
    let is_narrowed = query.has("q") || query.has("view");
    let hint = html! {
        @if is_narrowed {
            p { "Loosen the filter, or show all runs." }
        } @else if experiment.lifecycle_stage == LifecycleStage::Deleted {
            p {
                "The experiment is deleted, its runs are "
                a href=(query.with("view", "deleted").at(&web.links.experiment(&experiment.experiment_id))) { "among the deleted ones" }
                ". To have it back:"
            }
            (page::code(&format!("mlflow.MlflowClient().restore_experiment({})", page::python(&experiment.experiment_id))))
        } @else {
            p { "Log one:" }
            (page::code(&format!(
                "mlflow.set_experiment({})\nwith mlflow.start_run():\n    mlflow.log_metric(\"accuracy\", 0.97)",
                page::python(&experiment.name)
            )))
        }
    };
    page::empty("No runs here.", &hint)
}

fn filter_form(web: &Web, experiment: &Experiment, query: &Query, columns: &[Column]) -> Markup {
    let address = web.links.experiment(&experiment.experiment_id);
    let is_narrowed = ["q", "order", "view", "group", "flat"].iter().any(|name| query.has(name));
    let group = query.one("group");
    let is_other = run_list::group(query).is_some_and(|column| !columns.contains(&column));
    html! {
        form.filter method="get" action=(address) role="search" {
            input type="search" name="q" value=(query.one("q")) aria-label="Filter runs" list="filters"
                placeholder="words of a name, or metrics.accuracy > 0.9 AND params.depth = '3'";
            // Completion of what is in the table.
            datalist id="filters" {
                @for field in columns.iter().filter_map(Column::field) { option value=(format!("{field} = ")) {} }
                option value="attributes.status = 'FAILED'" {}
            }
            select name="view" aria-label="Which runs" {
                @for (value, name) in [("", "active"), ("all", "all"), ("deleted", "deleted")] {
                    option value=(value) selected[query.one("view") == value] { (name) }
                }
            }
            select name="group" aria-label="Group runs by" {
                option value="" { "not grouped" }
                @for column in columns.iter().filter(|column| column.of_history.is_none()) {
                    option value=(column.name()) selected[column.name() == group] { "by " (column.name()) }
                }
                @if is_other { option value=(group) selected { "by " (group) } }
            }
            label { input type="checkbox" name="flat" value="1" checked[query.has("flat")]; " nested runs as others" }
            (query.only(&["order", "col"]).hidden())
            button.quiet { "Filter" }
            @if is_narrowed { a href=(query.only(&["col"]).at(&address)) { "Clear" } }
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
    html! {
        details.more {
            summary { "About this experiment" }
            (page::long_key_values(asked, "tags", &facts))
            p { a href=(web.links.scorers(&experiment.experiment_id)) { "Scorers" } " of its traces" }
        }
    }
}
