//! Which runs of an experiment are the best: the page where its main metric is chosen. It is kept in the tags by which
//! MLflow's own pages know it.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use trainyard_base::Better;
use trainyard_mlflow::entities::{Experiment, Tag};
use trainyard_mlflow::{Error as StoreError, SearchRuns};

use crate::columns::{Available, Column, Kind};
use crate::direction::{Directions, MAIN, MAIN_GREATER};
use crate::error::Result;
use crate::form::Forms;
use crate::page::{self, Section};
use crate::posted::{Posted, done, unknown};
use crate::query::Query;
use crate::run_list::SAMPLED;
use crate::site::Web;
use crate::ticket::Ticket;
use crate::{format, run_list};

/// Metrics that are listed and proposed.
const OFFERED_MAX: usize = 50;

pub(crate) async fn show(
    State(web): State<Web>,
    Path(experiment_id): Path<String>,
    Extension(ticket): Extension<Ticket>,
) -> Result {
    let experiment = web.tracking.experiments.get(&experiment_id).await?;
    let search = SearchRuns {
        max_results: Some(SAMPLED as i64),
        ..run_list::search(&experiment.experiment_id, &Query::default())
    };
    let runs = web.tracking.runs.search(search).await?.items;
    let directions = Directions::of(&experiment);
    let mut metrics: Vec<String> = directions.named().into_iter().map(str::to_owned).collect();
    for key in Available::of(runs.iter()).keys(Kind::Metric) {
        if !metrics.contains(key) {
            metrics.push(key.clone());
        }
    }
    // Those of which it is known first.
    metrics.sort_by_key(|metric| directions.find(metric).is_none());
    metrics.truncate(OFFERED_MAX);
    let address = web.links.best(&experiment.experiment_id);
    let forms = Forms { ticket: &ticket, address: &address };
    let body = html! {
        h1 { "Which runs are best" }
        h2 { "Main metric" }
        p {
            "By it the best run is shown on the first page. It is kept in the experiment's tags "
            code { (MAIN) } " and " code { (MAIN_GREATER) } ", which MLflow's own pages read."
        }
        (forms.form("choose", &fields(directions, &metrics)))
        @if directions.main().is_some() { (forms.button("forget", "No main metric")) }
        h2 { "What is known of metrics" }
        (known(&web, &experiment, &metrics))
    };
    let trail = [
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(&experiment.experiment_id), experiment.name.clone()),
    ];
    let title = "Which runs are best";
    let page = page::layout(&web.links, title, Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

fn known(web: &Web, experiment: &Experiment, metrics: &[String]) -> Markup {
    let directions = Directions::of(experiment);
    let address = web.links.experiment(&experiment.experiment_id);
    html! {
        @if metrics.is_empty() { (page::empty("No metrics were logged to these runs.", &html! {})) } @else {
            div.scroll {
                table {
                    thead { tr { th { "Metric" } th { "Better" } th { "Runs" } } }
                    tbody {
                        @for metric in metrics {
                            tr {
                                th scope="row" { (format::breakable(&format::short(metric, 80))) }
                                @match directions.find(metric) {
                                    Some(direction) => {
                                        td { (direction.told()) }
                                        td.tight { a href=(sorted(&address, metric, direction.order())) { "best first" } }
                                    },
                                    None => {
                                        td { span.soft { "not known" } }
                                        td.tight {
                                            a href=(sorted(&address, metric, "DESC")) { "largest first" } " · "
                                            a href=(sorted(&address, metric, "ASC")) { "smallest first" }
                                        }
                                    },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The experiment's runs in an order by a metric.
pub(crate) fn sorted(address: &str, metric: &str, order: &str) -> String {
    let field = Column::new(Kind::Metric, metric).field().unwrap_or_default();
    Query::default().with("order", &format!("{field} {order}")).at(address)
}

fn fields(directions: Directions<'_>, metrics: &[String]) -> Markup {
    let main = directions.main().unwrap_or_default();
    let better = directions.find(main).map(|direction| direction.better);
    html! {
        label { "Metric " input type="text" name="metric" value=(main) list="metrics" autocomplete="off" required; }
        datalist id="metrics" { @for metric in metrics { option value=(metric) {} } }
        label {
            "Better are "
            select name="better" {
                @for (one, words) in [(Better::Larger, "larger values"), (Better::Smaller, "smaller values")] {
                    option value=(one.name()) selected[better == Some(one)] { (words) }
                }
            }
        }
        button.quiet { "Save" }
    }
}

pub(crate) async fn change(
    State(web): State<Web>,
    Path(experiment_id): Path<String>,
    form: Posted,
) -> Result {
    let experiments = &web.tracking.experiments;
    match form.action() {
        "choose" => {
            let metric = form.need("metric")?;
            let text = form.text("better");
            let Some(better) = Better::read(text) else {
                let told = format!("the field \"better\" is {text:?}; it is larger or smaller");
                return Err(StoreError::invalid(told).into());
            };
            // As Python writes it.
            let is_greater = if better == Better::Larger { "True" } else { "False" };
            experiments.set_tag(&experiment_id, Tag::new(MAIN, metric)).await?;
            experiments.set_tag(&experiment_id, Tag::new(MAIN_GREATER, is_greater)).await?;
        }
        "forget" => {
            for key in [MAIN, MAIN_GREATER] {
                match experiments.delete_tag(&experiment_id, key).await {
                    // It is gone, which is what was asked for.
                    Err(error) if error.is_not_found() => {}
                    other => other?,
                }
            }
        }
        other => return Err(unknown(other)),
    }
    Ok(done(&web.links.best(&experiment_id)))
}
