//! The scorers of an experiment: named judges of its traces, which clients write and read. They are shown, and never run.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use trainyard_mlflow::ScorerVersion;

use crate::error::Result;
use crate::format;
use crate::page::{self, Section};
use crate::query::Query;
use crate::site::Web;

/// Scorers, or versions of one, that are shown.
const SHOWN_MAX: usize = 200;

/// The latest version of each; with `name=`, all versions of one, the newest first.
pub(crate) async fn show(
    State(web): State<Web>,
    Path(experiment_id): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result {
    let experiment = web.tracking.experiments.get(&experiment_id).await?;
    let query = Query::read(raw.as_deref().unwrap_or_default());
    let (id, name) = (&experiment.experiment_id, query.one("name"));
    let mut scorers = match &web.tracking.tracing {
        Some(tracing) if name.is_empty() => tracing.scorers.of_experiment(id).await?,
        Some(tracing) => tracing.scorers.versions(id, name).await?,
        None => Vec::new(),
    };
    if !name.is_empty() {
        scorers.reverse();
    }
    let address = web.links.scorers(id);
    let hint = html! { p { "One is registered by " code { "mlflow.genai.scorers" } "; it is kept here, and run by clients." } };
    let body = html! {
        h1 { @if name.is_empty() { "Scorers" } @else { (format::short(name, 80)) " " small { "scorer" } } }
        @if scorers.is_empty() { (page::empty("No scorers here.", &hint)) } @else { (table(&address, name, &scorers)) }
    };
    let mut trail = vec![
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(id), experiment.name.clone()),
    ];
    if !name.is_empty() {
        trail.push((address, "Scorers".to_owned()));
    }
    let page = page::layout(&web.links, "Scorers", Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

fn table(address: &str, name: &str, scorers: &[ScorerVersion]) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { th { "Scorer" } th.number { "Version" } th.tight { "Made (UTC)" } th { "What it is" } } }
                tbody {
                    @for scorer in scorers.iter().take(SHOWN_MAX) {
                        tr {
                            th scope="row" {
                                @if name.is_empty() {
                                    a href=(Query::default().with("name", &scorer.name).at(address)) { (format::short(&scorer.name, 60)) }
                                } @else { (format::short(&scorer.name, 60)) }
                            }
                            td.number { (scorer.version) }
                            td.tight { (format::time(scorer.creation_time)) }
                            td { (page::value(&scorer.serialized)) }
                        }
                    }
                }
            }
        }
        @if scorers.len() > SHOWN_MAX { p.soft { "The first " (SHOWN_MAX) " of " (scorers.len()) "; the API has all." } }
    }
}
