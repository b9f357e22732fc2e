//! Several runs at once: tagged, deleted, restored. A page of its own, so that what is to be changed is seen first, and the
//! list of runs needs no form that changes anything.

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use trainyard_mlflow::entities::{LifecycleStage, Run, Tag};
use trainyard_mlflow::{Error as StoreError, Wanted};

use crate::error::Result;
use crate::form::Forms;
use crate::page::{self, Section};
use crate::posted::{Posted, done, unknown};
use crate::query::Query;
use crate::site::Web;
use crate::ticket::Ticket;
use crate::{format, links, run_list};

/// Runs that are changed at once: a page of the list, and what is below some of them.
const CHOSEN_MAX: usize = 200;

/// What is about to be changed, with the forms that do.
pub(crate) async fn show(
    State(web): State<Web>,
    Path(experiment_id): Path<String>,
    RawQuery(raw): RawQuery,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let experiment = web.tracking.experiments.get(&experiment_id).await?;
    let query = Query::read(raw.as_deref().unwrap_or_default());
    let runs = read(&web, &experiment.experiment_id, &query.all("run")).await?;
    let address = web.links.chosen_runs(&experiment.experiment_id);
    let forms = Forms { ticket: &ticket, address: &address };
    let is_one = runs.len() == 1;
    let body = html! {
        h1 { "Chosen runs " small { (runs.len()) @if is_one { " run" } @else { " runs" } } }
        @if runs.is_empty() {
            (page::empty("No run was chosen.", &html! { p { "Tick some in the list of runs." } }))
        } @else {
            (list(&web, &runs))
            (actions(forms, &runs))
        }
    };
    let trail = [
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(&experiment.experiment_id), experiment.name.clone()),
    ];
    let page = page::layout(&web.links, "Chosen runs", Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// A form of that page: run by run, by the rights of whoever asks. What was done before one that is refused stays done.
pub(crate) async fn change(
    State(web): State<Web>,
    Path(experiment_id): Path<String>,
    form: Posted,
) -> Result {
    let chosen = form.all("run");
    check(chosen.len())?;
    let runs = &web.tracking.runs;
    for (place, id) in chosen.iter().enumerate() {
        let changed = match form.action() {
            "tag" => runs.set_tag(id, Tag::new(form.need("key")?, form.text("value"))).await,
            "untag" => match runs.delete_tag(id, form.need("key")?).await {
                // It is gone, which is what was asked for.
                Err(error) if error.is_not_found() => runs.get(id).await.map(|_there| ()),
                other => other,
            },
            "delete" => runs.delete(id).await,
            "restore" => runs.restore(id).await,
            other => return Err(unknown(other)),
        };
        changed.map_err(|error| stopped(&error, place, chosen.len()))?;
    }
    let address = web.links.experiment(&experiment_id);
    Ok(done(&match form.action() {
        // Where they are to be seen now.
        "delete" => format!("{address}{}", links::query(&[("view", "deleted")])),
        _ => address,
    }))
}

/// A refusal that says how far it went.
fn stopped(error: &StoreError, done: usize, all: usize) -> StoreError {
    let told = format!("{} of {all} runs were changed, then: {}", done, error.for_clients());
    StoreError::api(error.code(), told)
}

fn check(chosen: usize) -> Result<()> {
    if (1..=CHOSEN_MAX).contains(&chosen) {
        return Ok(());
    }
    let told = format!("{chosen} runs were chosen; 1 to {CHOSEN_MAX} are changed at once");
    Err(StoreError::invalid(told).into())
}

async fn read(web: &Web, experiment_id: &str, ids: &[&str]) -> Result<Vec<Run>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    check(ids.len())?;
    run_list::by_ids(web, experiment_id, ids, Wanted::Nothing).await
}

fn list(web: &Web, runs: &[Run]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th { "Run" } th { "Status" } th.tight { "Started (UTC)" } th { "By" } } }
                tbody {
                    @for run in runs {
                        @let info = &run.info;
                        tr {
                            td {
                                a href=(web.links.run(&info.run_id)) { (format::short(page::run_name(&info.run_name, &info.run_id), 60)) }
                                @if info.lifecycle_stage == LifecycleStage::Deleted { " " span.badge.bad { "deleted" } }
                            }
                            td { (page::status(info.status)) }
                            td.tight { @if let Some(start) = info.start_time { (format::time(start)) } }
                            td { (format::short(&info.user_id, 40)) }
                        }
                    }
                }
            }
        }
    }
}

fn actions(forms: Forms<'_>, runs: &[Run]) -> Markup {
    let is_deleted = |run: &Run| run.info.lifecycle_stage == LifecycleStage::Deleted;
    let deleted: Vec<&Run> = runs.iter().filter(|run| is_deleted(run)).collect();
    let active: Vec<&Run> = runs.iter().filter(|run| !is_deleted(run)).collect();
    let counted = |runs: &[&Run]| match runs.len() {
        1 => "1 run".to_owned(),
        count => format!("{count} runs"),
    };
    let tag = html! {
        (ids(&active))
        label { "Tag " input type="text" name="key" required; }
        label { "Value " input type="text" name="value"; }
        button.quiet { "Set it on " (counted(&active)) }
    };
    let untag = html! {
        (ids(&active))
        label { "Tag " input type="text" name="key" required; }
        button.quiet { "Remove it from " (counted(&active)) }
    };
    html! {
        @if !active.is_empty() {
            (forms.form("tag", &tag))
            (forms.form("untag", &untag))
            (forms.form("delete", &html! { (ids(&active)) button.danger { "Delete " (counted(&active)) } }))
            p.soft { "A deleted run can be restored until it is removed for good." }
        }
        @if !deleted.is_empty() {
            p.soft { "A deleted run is not changed; restore it first." }
            (forms.form("restore", &html! { (ids(&deleted)) button.quiet { "Restore " (counted(&deleted)) } }))
        }
    }
}

fn ids(runs: &[&Run]) -> Markup {
    html! { @for run in runs { input type="hidden" name="run" value=(run.info.run_id); } }
}
