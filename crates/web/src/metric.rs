//! The history of one metric: a chart and the values.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use trainyard_mlflow::{Curve, DrawCurve, Error, Extent, MetricHistoryPage};

use crate::error::Result;
use crate::format;
use crate::history;
use crate::links::query;
use crate::live;
use crate::page::{self, Section};
use crate::site::Web;

/// Values of a history that is drawn whole and listed to its end, and steps that are drawn of a longer one.
const VALUES_MAX: usize = 100_000;
const STEPS_MAX: usize = 5_000;
const WHOLE: DrawCurve =
    DrawCurve { steps: None, whole_max: VALUES_MAX, steps_max: STEPS_MAX, is_log: false };
/// Values in the table, at a time.
const ROWS_MAX: usize = 200;

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// First row of the table.
    #[serde(default)]
    from: usize,
}

pub(crate) async fn show(
    State(web): State<Web>,
    Path((run_id, key)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result {
    let run = web.tracking.runs.get(&run_id).await?;
    let curve = web.tracking.runs.curve(&run_id, &key, WHOLE).await?;
    if curve.points.is_empty() {
        return Err(Error::not_found(format!("the run has no metric {key:?}")).into());
    }
    let address = web.links.metric(&run_id, &key);
    // Of a very long history the first are listed; the API has all.
    let from = asked.from.min(VALUES_MAX);
    let end = from.saturating_add(ROWS_MAX);
    let page = MetricHistoryPage { max_results: i64::try_from(end).ok(), page_token: None };
    let listed = web.tracking.runs.metric_history(&run_id, &key, page).await?;
    let rows = listed.items.iter().skip(from);
    let has_later = listed.next_page_token.is_some() && end < VALUES_MAX;
    let values = html! {
        p.soft { (counted(&curve)) }
        @if curve.points.len() > 1 { (history::large(&key, &curve.points)) }
        @let curves = web.links.curves(&run.info.experiment_id);
        p { a href={ (curves) (query(&[("metric", key.as_str())])) } { "The same of other runs" } }
        h2 { "Values" }
        div.scroll {
            table {
                thead { tr { th.number { "Step" } th.number { "Value" } th { "Time (UTC)" } } }
                tbody {
                    @for metric in rows {
                        tr {
                            td.number { (metric.step) }
                            td.number title=(metric.value.to_string()) { (format::number(metric.value)) }
                            td.tight { (format::time(metric.timestamp)) }
                        }
                    }
                }
            }
        }
        div.actions {
            @if from > 0 { a href={ (address) "?from=" (from.saturating_sub(ROWS_MAX)) } rel="prev" { "Earlier values" } }
            @if has_later { a href={ (address) "?from=" (end) } rel="next" { "Later values" } }
        }
    };
    let body = html! { h1 { (key) } (live::part("values", &values)) };
    let name = page::run_name(&run.info.run_name, &run.info.run_id).to_owned();
    let trail = [
        (web.links.experiments(), "Experiments".to_owned()),
        (web.links.experiment(&run.info.experiment_id), "Runs".to_owned()),
        (web.links.run(&run_id), name),
    ];
    let page = page::layout(&web.links, &key, Some(Section::Experiments), &trail, &body);
    Ok(page::respond(StatusCode::OK, &page))
}

/// How many values there are, which of them are drawn, and between what they lie.
fn counted(curve: &Curve) -> Markup {
    let points = &curve.points;
    let finite = || points.iter().map(|point| point.value).filter(|value| value.is_finite());
    let (low, high) =
        (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    html! {
        @match curve.extent {
            Extent::Whole => { (points.len()) @if points.len() == 1 { " value" } @else { " values" } },
            Extent::Thinned => { "More than " (VALUES_MAX) " values, drawn from " (points.len()) " of them; the API has all" },
            Extent::Cut => { "The first " (points.len()) " values; the API has all" },
        }
        @if low < high { ", from " (format::number(low)) " to " (format::number(high)) }
    }
}
